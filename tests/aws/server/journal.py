"""The log of requests, with decoded parameters: what a test asserts on."""

import threading


class Journal:
    def __init__(self):
        self.mutex, self.entries, self.number = threading.Lock(), [], 0

    def clear(self, account=None):
        with self.mutex:
            self.entries = [e for e in self.entries if account and e["account"] != account]

    def add(self, entry):
        with self.mutex:
            entry["n"] = self.number
            self.number += 1
            self.entries.append(entry)

    def select(self, account=None, service=None, op=None, since=None, bad=False):
        with self.mutex:
            entries = list(self.entries)
        return [
            e
            for e in entries
            if (account is None or e["account"] == account)
            and (service is None or e["service"] == service)
            and (op is None or e["op"] == op)
            and (since is None or e["n"] >= int(since))
            and (not bad or e["bad"])
        ]
