"""Time series, and operations on them value by value."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field


class MathError(ValueError):
    """What is wrong with an expression."""


@dataclass(frozen=True, slots=True)
class Line:
    """A time series: values by the seconds at which their periods begin, in order."""

    label: str
    values: Mapping[int, float]
    period: int

    def like(self, values: Mapping[int, float]) -> Line:
        """Other values under the same name."""
        return Line(self.label, values, self.period)


Value = float | Line | list[Line] | str
"""What an expression's parts are: a number, a time series, several of them, or a text."""


@dataclass(frozen=True, slots=True)
class World:
    """What an expression is evaluated in: the window in seconds, the results by id, the metrics among them in order,
    and what each SEARCH in it found.
    """

    start: int
    end: int
    period: int
    results: Mapping[str, Value]
    metrics: Sequence[tuple[str, Line]] = ()
    searches: Mapping[tuple[str, str, int], list[Line]] = field(default_factory=dict)


def finite(values: Mapping[int, float | None]) -> dict[int, float]:
    """Without what is no number: a division by zero leaves no value."""
    return {moment: value for moment, value in values.items() if value is not None and math.isfinite(value)}


Operation = Callable[[float, float], float]


def attempt(operation: Operation, left: float, right: float) -> float | None:
    """A result, or `None` where there is none."""
    try:
        result = operation(left, right)
    except (ZeroDivisionError, OverflowError, ValueError):
        return None
    return result if isinstance(result, float | int) and math.isfinite(result) else None


def combine(operation: Operation, left: Value, right: Value) -> Value:
    """Two values under an operator: numbers with each value of a series, series where both have a value."""
    if isinstance(left, str) or isinstance(right, str):
        raise MathError("a text cannot be calculated with")
    if isinstance(left, list) and isinstance(right, list):
        raise MathError("two arrays of time series cannot be combined")
    if isinstance(left, list):
        return [each for each in (combine(operation, line, right) for line in left) if isinstance(each, Line)]
    if isinstance(right, list):
        return [line.like(each.values) for line in right if isinstance(each := combine(operation, left, line), Line)]
    if isinstance(left, Line) and isinstance(right, Line):
        other = right.values
        shared = {t: attempt(operation, v, other[t]) for t, v in left.values.items() if t in other}
        return Line(left.label, finite(shared), max(left.period, right.period))
    if isinstance(left, Line):
        assert isinstance(right, float), "what is left"
        return left.like(finite({t: attempt(operation, v, right) for t, v in left.values.items()}))
    if isinstance(right, Line):
        return right.like(finite({t: attempt(operation, left, v) for t, v in right.values.items()}))
    result = attempt(operation, left, right)
    return math.nan if result is None else result


def each_line(function: Callable[[Line], Line], value: Value, name: str) -> Value:
    """A function of one series, on one or on each of several."""
    if isinstance(value, Line):
        return function(value)
    if isinstance(value, list):
        return [function(line) for line in value]
    raise MathError(f"{name} takes a time series, or an array of them")


def each_value(function: Callable[[float], float], value: Value, name: str) -> Value:
    """A function of one number, on a number or on each value of a series."""

    def total(number: float, _: float) -> float:
        return function(number)

    if isinstance(value, str):
        raise MathError(f"{name} takes a number or a time series")
    return combine(total, value, 0.0)
