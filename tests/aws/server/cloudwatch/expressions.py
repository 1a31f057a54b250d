"""Metric math: a parser and an evaluator of the useful part of it.

Source: CloudWatch User Guide, "Using math expressions with CloudWatch metrics" (functions, data types, operators).
Numbers, metric ids, arrays, + - * / ^, comparisons, AND OR && ||, and the functions in `FUNCTIONS`.
"""

import math
import re
import statistics

from ..registry import ApiError, invalid

TOKEN = re.compile(
    r"\s*(?:(\d+\.?\d*(?:[eE][-+]?\d+)?|\.\d+)|([A-Za-z_]\w*)|(\"[^\"]*\"|'[^']*')|(==|!=|<=|>=|&&|\|\||[-+*/^<>(),\[\]]))"
)
LEVELS = [{"OR", "||"}, {"AND", "&&"}, {"==", "!=", "<", "<=", ">", ">="}, {"+", "-"}, {"*", "/"}, {"^"}]


class Points(dict):
    """A time series: seconds since the epoch to value."""

    def __init__(self, values, period, label):
        super().__init__(values)
        self.period, self.label = period, label

    def map(self, function):
        return Points({at: function(value) for at, value in self.items()}, self.period, self.label)


def parse(text):
    """The expression as a tree of tuples. Raises ApiError for what is not one."""
    tokens, at = [], 0
    text = text.rstrip()
    while at < len(text):
        match = TOKEN.match(text, at)
        if not match:
            raise invalid(f"Error in expression '{text}': unexpected character at {at}")
        at = match.end()
        number, word, string, sign = match.groups()
        if number is not None:
            tokens.append(("number", float(number)))
        elif string is not None:
            tokens.append(("string", string[1:-1]))
        elif word is not None:
            tokens.append(("sign", word.upper()) if word.upper() in ("AND", "OR") else ("word", word))
        else:
            tokens.append(("sign", sign))
    if tokens and tokens[0] == ("word", "SELECT"):
        raise ApiError("EmulatorNotImplemented", "Metrics Insights queries are not answered by the test server")
    parser = _Parser(text, tokens)
    tree = parser.binary(0)
    if parser.at < len(tokens):
        raise parser.wrong()
    return tree


class _Parser:
    def __init__(self, text, tokens):
        self.text, self.tokens, self.at = text, tokens, 0

    def wrong(self):
        return invalid(f"Error in expression '{self.text}': unexpected {self.peek()[1] or 'end'}")

    def peek(self):
        return self.tokens[self.at] if self.at < len(self.tokens) else ("end", None)

    def take(self, sign):
        if self.peek() != ("sign", sign):
            raise self.wrong()
        self.at += 1

    def binary(self, level):
        if level == len(LEVELS):
            return self.unary()
        left = self.binary(level + 1)
        while self.peek()[0] == "sign" and self.peek()[1] in LEVELS[level]:
            sign = self.peek()[1]
            self.at += 1
            left = ("binary", sign, left, self.binary(level + 1))
        return left

    def unary(self):
        if self.peek() == ("sign", "-"):
            self.at += 1
            return ("binary", "-", ("number", 0.0), self.unary())
        return self.atom()

    def atom(self):
        kind, value = self.peek()
        if kind in ("number", "string"):
            self.at += 1
            return (kind, value)
        if kind == "word":
            self.at += 1
            if self.peek() != ("sign", "("):
                return ("id", value)
            self.at += 1
            return ("call", value.upper(), self.items(")"))
        if (kind, value) == ("sign", "["):
            self.at += 1
            return ("array", self.items("]"))
        self.take("(")
        inner = self.binary(0)
        self.take(")")
        return inner

    def items(self, end):
        items = []
        while self.peek() != ("sign", end):
            if items:
                self.take(",")
            items.append(self.binary(0))
        self.take(end)
        return items


def names(tree):
    """The metric ids that an expression mentions; METRICS() mentions none of them by name."""
    if tree[0] == "id":
        return {tree[1]}
    if tree[0] == "binary":
        return names(tree[2]) | names(tree[3])
    if tree[0] in ("call", "array"):
        return set().union(*[names(item) for item in tree[-1]])
    return set()


class Evaluator:
    """`values`: id -> Points, list of Points or number. `metrics`: ids of plain metrics, in the request's order."""

    def __init__(self, values, metrics, start, end, period):
        self.values, self.metrics, self.start, self.end, self.period = values, metrics, start, end, period

    def evaluate(self, tree):
        kind = tree[0]
        if kind in ("number", "string"):
            return tree[1]
        if kind == "id":
            return tree[1] if tree[1] in ("REPEAT", "LINEAR") else self.values[tree[1]]
        if kind == "array":
            return [x for item in tree[1] for x in _as_list(self.evaluate(item))]
        if kind == "binary":
            return _binary(tree[1], self.evaluate(tree[2]), self.evaluate(tree[3]))
        if tree[1] == "METRICS":
            part = self.evaluate(tree[2][0]) if tree[2] else ""
            return [self.values[name] for name in self.metrics if part in name]
        if tree[1] not in FUNCTIONS:
            raise ApiError(
                "EmulatorNotImplemented", f"metric math function {tree[1]} is not answered by the test server"
            )
        return FUNCTIONS[tree[1]](self, *[self.evaluate(item) for item in tree[2]])


def _as_list(value):
    return value if isinstance(value, list) else [value]


OPERATORS = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b if b else None,  # a division by zero gives no data point
    "^": lambda a, b: a**b,
    "==": lambda a, b: float(a == b),
    "!=": lambda a, b: float(a != b),
    "<": lambda a, b: float(a < b),
    "<=": lambda a, b: float(a <= b),
    ">": lambda a, b: float(a > b),
    ">=": lambda a, b: float(a >= b),
    "AND": lambda a, b: float(bool(a) and bool(b)),
    "OR": lambda a, b: float(bool(a) or bool(b)),
}
OPERATORS["&&"], OPERATORS["||"] = OPERATORS["AND"], OPERATORS["OR"]


def _binary(sign, left, right):
    if isinstance(left, list) or isinstance(right, list):
        if isinstance(left, list) and isinstance(right, list):
            if len(left) != len(right):
                raise invalid("Arrays in an arithmetic expression must have the same length")
            return [_binary(sign, a, b) for a, b in zip(left, right)]
        return (
            [_binary(sign, a, right) for a in left]
            if isinstance(left, list)
            else [_binary(sign, left, b) for b in right]
        )
    return _pointwise(OPERATORS[sign], left, right)


def _pointwise(function, *values):
    """A number where all are numbers; else a series of the times that all series have."""
    series = [v for v in values if isinstance(v, Points)]
    if not series:
        return function(*values)
    times = set(series[0]).intersection(*series[1:])
    out = {at: function(*[v[at] if isinstance(v, Points) else v for v in values]) for at in sorted(times)}
    return Points({at: value for at, value in out.items() if value is not None}, series[0].period, series[0].label)


def _aggregate(function):
    def over(_, value):
        if isinstance(value, Points):  # one series: its points become one number
            return function(list(value.values())) if value else None
        series = [v for v in _as_list(value) if isinstance(v, Points)]
        if not series:
            raise invalid("The function wants a time series or an array of them")
        out = {}
        for at in sorted(set().union(*series)):  # a series without this point is left out of the sum
            out[at] = function([s[at] for s in series if at in s])
        return Points(out, series[0].period, None)

    return over


def _each(function):
    def over(_, value):
        if isinstance(value, list):
            return [v.map(function) for v in value]
        return value.map(function) if isinstance(value, Points) else function(value)

    return over


def _fill(evaluator, value, filler):
    if isinstance(value, list):
        return [_fill(evaluator, v, filler) for v in value]
    period = value.period or evaluator.period
    out, last = {}, None
    times = range(int(evaluator.start), int(evaluator.end), period)
    known = [at for at in times if at in value]
    for at in times:
        if at in value:
            out[at] = last = value[at]
        elif filler == "REPEAT":
            if last is not None:
                out[at] = last
        elif filler == "LINEAR":
            before, after = [k for k in known if k < at], [k for k in known if k > at]
            if before and after:
                a, b = before[-1], after[0]
                out[at] = value[a] + (value[b] - value[a]) * (at - a) / (b - a)
        elif isinstance(filler, Points):
            if at in filler:
                out[at] = filler[at]
        else:
            out[at] = filler
    return Points(out, period, value.label)


def _if(_, condition, then, otherwise=None):
    if not isinstance(condition, Points):
        return then if condition else otherwise
    out = {}
    for at, truth in condition.items():
        chosen = then if truth else otherwise
        chosen = chosen.get(at) if isinstance(chosen, Points) else chosen
        if chosen is not None:
            out[at] = chosen
    return Points(out, condition.period, None)


def _differences(function):
    def over(_, value):
        times = sorted(value)
        return Points(
            {b: function(value[b] - value[a], b - a) for a, b in zip(times, times[1:])}, value.period, value.label
        )

    return over


def _running_sum(_, value):
    total, out = 0.0, {}
    for at in sorted(value):
        total += value[at]
        out[at] = total
    return Points(out, value.period, value.label)


def _time_series(evaluator, number):
    times = range(int(evaluator.start), int(evaluator.end), evaluator.period)
    return Points({at: number for at in times}, evaluator.period, None)


FUNCTIONS = {
    "SUM": _aggregate(sum),
    "AVG": _aggregate(lambda v: sum(v) / len(v)),
    "MIN": _aggregate(min),
    "MAX": _aggregate(max),
    "STDDEV": _aggregate(lambda v: statistics.pstdev(v)),
    "METRIC_COUNT": lambda _, value: float(len(_as_list(value))),
    "ABS": _each(abs),
    "CEIL": _each(lambda v: float(math.ceil(v))),
    "FLOOR": _each(lambda v: float(math.floor(v))),
    "FILL": _fill,
    "IF": _if,
    "PERIOD": lambda evaluator, value: float(value.period or evaluator.period),
    "DIFF": _differences(lambda difference, _: difference),
    "DIFF_TIME": _differences(lambda _, seconds: float(seconds)),
    "RATE": _differences(lambda difference, seconds: difference / seconds),
    "RUNNING_SUM": _running_sum,
    "TIME_SERIES": _time_series,
}
