"""What botocore's parameter validator leaves out: enums, upper limits, patterns.

It never looks at rules that span several members; those are with the operations.
"""

import re

_patterns = {}


def _pattern(text):
    if text not in _patterns:
        try:
            _patterns[text] = re.compile(text.replace("\\p{ASCII}", "\\x00-\\x7f"), re.S)
        except re.error:
            _patterns[text] = None
    return _patterns[text]


def constraints(shape, value, at, bad):
    """Adds to `bad` what of `value` the model of `shape` forbids."""
    if value is None:
        return
    limits = getattr(shape, "metadata", {})
    kind = shape.type_name
    if kind == "structure":
        for name, member in value.items():
            if name in shape.members:
                constraints(shape.members[name], member, f"{at}.{name}", bad)
    elif kind == "list":
        if "max" in limits and len(value) > limits["max"]:
            bad.append(f"{at}: {len(value)} items, at most {limits['max']}")
        for index, item in enumerate(value):
            constraints(shape.member, item, f"{at}[{index}]", bad)
    elif kind == "map":
        for key, item in value.items():
            constraints(shape.value, item, f"{at}[{key}]", bad)
    elif kind == "string":
        if getattr(shape, "enum", None) and value not in shape.enum:
            bad.append(f"{at}: {value!r} is not one of {shape.enum[:12]}")
        if "max" in limits and len(value) > limits["max"]:
            bad.append(f"{at}: {len(value)} characters, at most {limits['max']}")
        pattern = _pattern(limits["pattern"]) if "pattern" in limits else None
        if pattern is not None and not pattern.fullmatch(value):
            bad.append(f"{at}: {value!r} does not match {limits['pattern']}")
    elif kind in ("integer", "long", "float", "double") and "max" in limits and value > limits["max"]:
        bad.append(f"{at}: {value}, at most {limits['max']}")
