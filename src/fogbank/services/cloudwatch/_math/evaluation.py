"""Expressions: what they refer to, and their value."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from fogbank.core.errors import NotImplementedByFogbank
from fogbank.services.cloudwatch._math.functions import ABSENT, FUNCTIONS
from fogbank.services.cloudwatch._math.grammar import (
    Application,
    Array,
    Binary,
    Name,
    Negation,
    Node,
    Number,
    Text,
    parse,
)
from fogbank.services.cloudwatch._math.values import Line, MathError, Operation, Value, World, combine

_OPERATORS: dict[str, Operation] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "^": operator.pow,
    "==": lambda a, b: float(a == b),
    "!=": lambda a, b: float(a != b),
    "<=": lambda a, b: float(a <= b),
    ">=": lambda a, b: float(a >= b),
    "<": lambda a, b: float(a < b),
    ">": lambda a, b: float(a > b),
    "&&": lambda a, b: float(bool(a) and bool(b)),
    "||": lambda a, b: float(bool(a) or bool(b)),
}


@dataclass(frozen=True, slots=True)
class Expression:
    """A compiled expression: the ids that it refers to, and its SEARCHes as (text, statistic, period)."""

    node: Node
    ids: frozenset[str]
    searches: tuple[tuple[str, str, int | None], ...]

    def evaluate(self, world: World) -> Line | list[Line]:
        """The series that it gives; `MathError` if it gives none."""
        value = _evaluate(self.node, world)
        if isinstance(value, Line | list):
            return value
        raise MathError("the result is no time series")

    def value(self, world: World) -> Value:
        """The same, a number or a text where another expression refers to it."""
        return _evaluate(self.node, world)


@lru_cache(maxsize=1024)
def compile_expression(text: str) -> Expression:
    """Compile an expression; `MathError` if it is none, `NotImplementedByFogbank` for what Fogbank lacks."""
    if text.lstrip()[:6].upper() == "SELECT":
        raise NotImplementedByFogbank("Fogbank does not implement Metrics Insights queries (SELECT) yet")
    node = parse(text)
    nodes = list(_walk(node))
    for each in nodes:
        if isinstance(each, Application):
            _check(each)
    ids = frozenset(each.id for each in nodes if isinstance(each, Name))
    searches = tuple(_search(each) for each in nodes if isinstance(each, Application) and each.function == "SEARCH")
    return Expression(node, ids, searches)


def _walk(node: Node) -> Iterator[Node]:
    yield node
    children: tuple[Node, ...] = ()
    if isinstance(node, Negation):
        children = (node.operand,)
    elif isinstance(node, Binary):
        children = (node.left, node.right)
    elif isinstance(node, Array):
        children = node.items
    elif isinstance(node, Application):
        children = node.arguments
    for child in children:
        yield from _walk(child)


def _check(call: Application) -> None:
    if call.function in ABSENT:
        raise NotImplementedByFogbank(f"Fogbank does not implement the metric math function {call.function} yet")
    if call.function not in FUNCTIONS:
        raise MathError(f"there is no function {call.function}")
    least, most, _ = FUNCTIONS[call.function]
    if not least <= len(call.arguments) <= most:
        raise MathError(f"{call.function} takes {least} to {most} arguments, and has {len(call.arguments)}")


def _search(call: Application) -> tuple[str, str, int | None]:
    text, statistic = call.arguments[:2]
    period = call.arguments[2] if len(call.arguments) == 3 else None
    if not isinstance(text, Text) or not isinstance(statistic, Text) or not isinstance(period, Number | None):
        raise MathError("SEARCH takes two texts and a period")
    return text.value, statistic.value, None if period is None else int(period.value)


def _evaluate(node: Node, world: World) -> Value:
    if isinstance(node, Number | Text):
        return node.value
    if isinstance(node, Name):
        if node.id not in world.results:
            raise MathError(f"there is no query {node.id}")
        return world.results[node.id]
    if isinstance(node, Negation):
        return combine(operator.mul, _evaluate(node.operand, world), -1.0)
    if isinstance(node, Binary):
        return combine(_OPERATORS[node.sign], _evaluate(node.left, world), _evaluate(node.right, world))
    if isinstance(node, Array):
        return [line for item in node.items for line in _items(_evaluate(item, world))]
    function = FUNCTIONS[node.function][2]
    result = function(world, [_evaluate(argument, world) for argument in node.arguments])
    if isinstance(result, float) and math.isnan(result) and node.function == "IF":
        raise MathError("IF has nothing to give")
    return result


def _items(value: Value) -> list[Line]:
    if isinstance(value, Line):
        return [value]
    if isinstance(value, list):
        return value
    raise MathError("an array holds time series")
