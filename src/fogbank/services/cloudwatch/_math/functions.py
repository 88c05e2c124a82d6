"""The functions of metric math. Each takes the world and its arguments' values."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from itertools import pairwise

from fogbank.services.cloudwatch._math.values import (
    Line,
    MathError,
    Value,
    World,
    each_line,
    each_value,
    finite,
)

Function = Callable[[World, Sequence[Value]], Value]

ABSENT = frozenset({"ANOMALY_DETECTION_BAND", "DB_PERF_INSIGHTS", "INSIGHT_RULE_METRIC", "LAMBDA", "SERVICE_QUOTA"})
"""Functions of the documentation that need what Fogbank does not have."""


def _lines(value: Value, name: str) -> list[Line]:
    if not isinstance(value, list):
        raise MathError(f"{name} takes an array of time series")
    return value


def _line(value: Value, name: str) -> Line:
    if not isinstance(value, Line):
        raise MathError(f"{name} takes a time series")
    return value


def _number(value: Value, name: str) -> float:
    if not isinstance(value, float):
        raise MathError(f"{name} takes a number here")
    return value


_REDUCERS: dict[str, Callable[[Sequence[float]], float]] = {
    "AVG": statistics.fmean,
    "MAX": max,
    "MIN": min,
    "SUM": math.fsum,
    "STDDEV": statistics.pstdev,
}


def _reducer(name: str) -> Function:
    """AVG, MAX, …: of one series a number, of several a series of what each period has."""
    reduce = _REDUCERS[name]

    def function(world: World, arguments: Sequence[Value]) -> Value:
        value = arguments[0]
        if isinstance(value, float):
            return value
        if isinstance(value, Line):
            return float(reduce(list(value.values.values()))) if value.values else math.nan
        lines = _lines(value, name)
        by_moment: dict[int, list[float]] = {}
        for line in lines:
            for moment, number in line.values.items():
                by_moment.setdefault(moment, []).append(number)
        values = {moment: float(reduce(by_moment[moment])) for moment in sorted(by_moment)}
        return Line("", values, max((line.period for line in lines), default=world.period))

    return function


def _mapper(name: str, function: Callable[[float], float]) -> Function:
    return lambda _, arguments: each_value(function, arguments[0], name)


def _steps(name: str, function: Callable[[int, float, int, float], float]) -> Function:
    """DIFF, RATE, …: of each value and the one before."""

    def step(line: Line) -> Line:
        pairs = pairwise(line.values.items())
        found = {moment: function(t, v, moment, w) for (t, v), (moment, w) in pairs}
        return line.like(finite(found))

    return lambda _, arguments: each_line(step, arguments[0], name)


def _clock(name: str, function: Callable[[datetime], float]) -> Function:
    """MINUTE, HOUR, …: of the time of each value."""

    def read(line: Line) -> Line:
        return line.like({t: float(function(datetime.fromtimestamp(t, UTC))) for t in line.values})

    return lambda _, arguments: each_line(read, arguments[0], name)


def _fill(world: World, arguments: Sequence[Value]) -> Value:
    value, filler = arguments
    return each_line(lambda line: _filled(world, line, filler), value, "FILL")


def _filled(world: World, line: Line, filler: Value) -> Line:
    if isinstance(filler, str) and filler not in {"REPEAT", "LINEAR"}:
        raise MathError("FILL fills with a number, a time series, REPEAT or LINEAR")
    moments = range(world.start, world.end, line.period)
    if filler == "LINEAR":
        return line.like(_interpolated(line, moments))
    values: dict[int, float] = {}
    last: float | None = None
    for moment in moments:
        known = line.values.get(moment)
        if known is None and filler == "REPEAT":
            known = last
        elif known is None and isinstance(filler, Line):
            known = filler.values.get(moment)
        elif known is None:
            known = _number(filler, "FILL")
        if known is not None:
            values[moment] = last = known
    return line.like(values)


def _interpolated(line: Line, moments: range) -> dict[int, float]:
    values = dict(line.values)
    for (left, v), (right, w) in pairwise(line.values.items()):
        for moment in moments:
            if left < moment < right:
                values[moment] = v + (w - v) * (moment - left) / (right - left)
    return dict(sorted(values.items()))


def _if(_: World, arguments: Sequence[Value]) -> Value:
    condition, yes = arguments[0], arguments[1]
    no: Value | None = arguments[2] if len(arguments) == 3 else None
    if isinstance(condition, str | list):
        raise MathError("IF decides by a number or a time series")
    if isinstance(condition, float):
        chosen = yes if condition else no
        return math.nan if chosen is None else chosen
    values = {t: _at(yes if truth else no, t) for t, truth in condition.values.items()}
    label = next((each.label for each in (yes, no) if isinstance(each, Line)), condition.label)
    return Line(label, finite(values), condition.period)


def _at(value: Value | None, moment: int) -> float | None:
    if isinstance(value, Line):
        return value.values.get(moment)
    if isinstance(value, str | list):
        raise MathError("IF chooses between numbers and time series")
    return value


def _metrics(world: World, arguments: Sequence[Value]) -> Value:
    wanted = arguments[0] if arguments else ""
    if not isinstance(wanted, str):
        raise MathError("METRICS takes a text")
    return [line for key, line in world.metrics if wanted in key]


def _running_sum(_: World, arguments: Sequence[Value]) -> Value:
    def add_up(line: Line) -> Line:
        total, values = 0.0, {}
        for moment, value in line.values.items():
            total += value
            values[moment] = total
        return line.like(values)

    return each_line(add_up, arguments[0], "RUNNING_SUM")


def _slice(_: World, arguments: Sequence[Value]) -> Value:
    lines = _lines(arguments[0], "SLICE")
    bounds = [int(_number(each, "SLICE")) for each in arguments[1:]]
    return lines[bounds[0] : bounds[1]] if len(bounds) == 2 else lines[bounds[0] :]


def _sort(_: World, arguments: Sequence[Value]) -> Value:
    lines, by = _lines(arguments[0], "SORT"), arguments[1]
    order = arguments[2] if len(arguments) > 2 else "ASC"
    if not isinstance(by, str) or by not in _REDUCERS or order not in ("ASC", "DESC"):
        raise MathError("SORT orders by AVG, MAX, MIN, SUM or STDDEV, ASC or DESC")
    reduce = _REDUCERS[by]
    full = [line for line in lines if line.values]
    ranked = sorted(full, key=lambda line: reduce(list(line.values.values())), reverse=order == "DESC")
    ranked += [line for line in lines if not line.values]
    return ranked[: int(_number(arguments[3], "SORT"))] if len(arguments) == 4 else ranked


def _time_series(world: World, arguments: Sequence[Value]) -> Value:
    value = _number(arguments[0], "TIME_SERIES")
    return Line("", dict.fromkeys(range(world.start, world.end, world.period), value), world.period)


def _search(world: World, arguments: Sequence[Value]) -> Value:
    text, statistic = arguments[0], arguments[1]
    period = int(_number(arguments[2], "SEARCH")) if len(arguments) == 3 else world.period
    if not isinstance(text, str) or not isinstance(statistic, str):
        raise MathError("SEARCH takes two texts and a period")
    return world.searches.get((text, statistic, period), [])


def _period(_: World, arguments: Sequence[Value]) -> Value:
    return float(_line(arguments[0], "PERIOD").period)


FUNCTIONS: dict[str, tuple[int, int, Function]] = {
    **{name: (1, 1, _reducer(name)) for name in _REDUCERS},
    "ABS": (1, 1, _mapper("ABS", abs)),
    "CEIL": (1, 1, _mapper("CEIL", lambda x: float(math.ceil(x)))),
    "FLOOR": (1, 1, _mapper("FLOOR", lambda x: float(math.floor(x)))),
    "LOG": (1, 1, _mapper("LOG", math.log)),
    "LOG10": (1, 1, _mapper("LOG10", math.log10)),
    "DIFF": (1, 1, _steps("DIFF", lambda _p, v, _t, w: w - v)),
    "DIFF_TIME": (1, 1, _steps("DIFF_TIME", lambda p, _v, t, _w: float(t - p))),
    "RATE": (1, 1, _steps("RATE", lambda p, v, t, w: (w - v) / (t - p))),
    "MINUTE": (1, 1, _clock("MINUTE", lambda moment: moment.minute)),
    "HOUR": (1, 1, _clock("HOUR", lambda moment: moment.hour)),
    "DAY": (1, 1, _clock("DAY", lambda moment: moment.isoweekday())),
    "DATE": (1, 1, _clock("DATE", lambda moment: moment.day)),
    "MONTH": (1, 1, _clock("MONTH", lambda moment: moment.month)),
    "YEAR": (1, 1, _clock("YEAR", lambda moment: moment.year)),
    "EPOCH": (1, 1, _clock("EPOCH", lambda moment: moment.timestamp())),
    "FILL": (2, 2, _fill),
    "FIRST": (1, 1, lambda _, arguments: _pick(arguments[0], "FIRST", 0)),
    "LAST": (1, 1, lambda _, arguments: _pick(arguments[0], "LAST", -1)),
    "IF": (2, 3, _if),
    "METRICS": (0, 1, _metrics),
    "METRIC_COUNT": (1, 1, lambda _, arguments: float(len(_lines(arguments[0], "METRIC_COUNT")))),
    "DATAPOINT_COUNT": (1, 1, lambda _, arguments: float(len(_line(arguments[0], "DATAPOINT_COUNT").values))),
    "PERIOD": (1, 1, _period),
    "REMOVE_EMPTY": (1, 1, lambda _, arguments: [line for line in _lines(arguments[0], "REMOVE_EMPTY") if line.values]),
    "RUNNING_SUM": (1, 1, _running_sum),
    "SEARCH": (2, 3, _search),
    "SLICE": (2, 3, _slice),
    "SORT": (2, 4, _sort),
    "TIME_SERIES": (1, 1, _time_series),
}
"""Each function by its name: how many arguments it takes, from and to, and what it does."""


def _pick(value: Value, name: str, index: int) -> Line:
    lines = _lines(value, name)
    if not lines:
        raise MathError(f"{name} of an empty array")
    return lines[index]
