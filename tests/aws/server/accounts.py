"""Whose request it is.

An access key AKIA + 12 digits + 4 more characters works in that account, so that tests run side by side on one
server. A key that AssumeRole gave works in the role's account. All others share moto's default account.
"""

import re

from moto.core import DEFAULT_ACCOUNT_ID


def of_key(key):
    match = re.fullmatch(r"AKIA(\d{12})[A-Z0-9]{4}", key or "")
    if match:
        return match.group(1)
    if key and key.startswith("ASIA"):
        return _of_role(key) or DEFAULT_ACCOUNT_ID
    return DEFAULT_ACCOUNT_ID


def _of_role(key):
    from moto.sts import sts_backends

    for account, by_region in list(sts_backends.items()):
        for backend in by_region.values():
            if any(role.access_key_id == key for role in getattr(backend, "assumed_roles", [])):
                return account
    return None


def caller_arn(account):
    """What GetCallerIdentity answers for a key of the account."""
    return f"arn:aws:sts::{account}:user/moto"
