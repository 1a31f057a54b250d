"""Canned answers: what a test says an operation answers, refused where it does not fit the operation's output shape."""

from . import answer
from .wire import VALIDATOR, from_json, model


class Canned:
    def __init__(self):
        self.results = {}

    def clear(self):
        self.results.clear()

    def add(self, stubs):
        """Each is {"service", "op", "result"}, and optionally "account"; a result of null takes it away again."""
        for stub in stubs:
            place = stub.get("account", "*"), stub["service"], stub["op"]
            if stub["result"] is None:
                self.results.pop(place, None)
            else:
                self.results[place] = stub["result"], _value(stub)
        return sorted(" ".join(place) for place in self.results)

    def find(self, account, call):
        """The answer for this call, or None."""
        for place in ((account, call.service, call.op), ("*", call.service, call.op)):
            if place in self.results:
                return answer.result(call, self.results[place][1])
        return None


def _value(stub):
    service = model(stub["service"])
    if service is None:
        raise ValueError(f"no such service: {stub['service']}")
    shape = service.operation_model(stub["op"]).output_shape
    if shape is None:
        return {}
    bad = []
    value = from_json(shape, stub["result"], stub["op"], bad, wired=False)
    report = VALIDATOR.validate(value, shape)
    if report.has_errors():
        bad += report.generate_report().splitlines()
    if bad:
        raise ValueError(f"the canned answer does not fit: {'; '.join(bad)}")
    return value
