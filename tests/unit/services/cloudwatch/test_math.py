"""Metric math: operators, functions, searches; what is refused."""

from __future__ import annotations

import contextlib
import math
import operator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fogbank.core.errors import NotImplementedByFogbank
from fogbank.services.cloudwatch._math import Line, MathError, World, compile_expression, parse_search

A = Line("a", {0: 1.0, 60: 2.0, 120: 4.0}, 60)
B = Line("b", {0: 10.0, 120: 0.0}, 60)
EMPTY = Line("c", {}, 60)
WORLD = World(0, 240, 60, {"a": A, "b": B, "c": EMPTY}, [("a", A), ("b", B), ("c", EMPTY)])


def evaluate(text: str, world: World = WORLD) -> list[float]:
    """The values of an expression that gives one series."""
    line = compile_expression(text).evaluate(world)
    assert isinstance(line, Line)
    return list(line.values.values())


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("a", [1, 2, 4]), ("a * 2 + 1", [3, 5, 9]), ("-a ^ 2", [-1, -4, -16]), ("2 ^ -a", [0.5, 0.25, 0.0625]),
        ("a + b", [11, 4]), ("a / b", [0.1]), ("(a - 1) / a", [0, 0.5, 0.75]), ("1 - a / 4", [0.75, 0.5, 0]),
        ("a > 1", [0, 1, 1]), ("a >= 2 AND a < 4", [0, 1, 0]), ("a == 1 || a == 4", [1, 0, 1]),
        ("IF(a > 1, a, 0)", [0, 2, 4]), ("IF(a > 1, a)", [2, 4]), ("IF(1, a, b)", [1, 2, 4]), ("IF(b, a, 7)", [1, 7]),
        ("a / SUM(a)", [1 / 7, 2 / 7, 4 / 7]), ("a - AVG(a) + MAX(a) * MIN(a)", [8 / 3, 11 / 3, 17 / 3]),
        ("SUM([a, b])", [11, 2, 4]), ("AVG(METRICS())", [5.5, 2, 2]), ("SUM(METRICS('b'))", [10, 0]),
        ("TIME_SERIES(METRIC_COUNT(METRICS()))", [3, 3, 3, 3]), ("TIME_SERIES(DATAPOINT_COUNT(b))", [2, 2, 2, 2]),
        ("FILL(b, 0)", [10, 0, 0, 0]), ("FILL(b, REPEAT)", [10, 10, 0, 0]), ("FILL(b, LINEAR)", [10, 5, 0]),
        ("FILL(b, a)", [10, 2, 0]),
        ("DIFF(a)", [1, 2]), ("RATE(a)", [1 / 60, 2 / 60]), ("DIFF_TIME(b)", [120]), ("RUNNING_SUM(a)", [1, 3, 7]),
        ("ABS(0 - a)", [1, 2, 4]), ("CEIL(a / 3)", [1, 1, 2]), ("FLOOR(a / 3)", [0, 0, 1]),
        ("LOG10(a * 10 - a * 9)", [0, math.log10(2), math.log10(4)]),
        ("LOG(b)", [math.log(10)]), ("a * PERIOD(a)", [60, 120, 240]), ("STDDEV([a, b])", [4.5, 0, 2]),
        ("FIRST(SORT([a, b], MAX, DESC))", [10, 0]), ("LAST(SORT([a, b], AVG, ASC))", [10, 0]),
        ("FIRST(SLICE([a, b], 1))", [10, 0]), ("MINUTE(a)", [0, 1, 2]), ("EPOCH(a)", [0, 60, 120]), ("DAY(a)", [4] * 3),
        ("HOUR(a) + DATE(a) + MONTH(a) + YEAR(a)", [1972] * 3), ("1e1 * .5 * a", [5, 10, 20]),
    ],
)  # fmt: skip
def test_an_expression_has_its_value(text: str, values: list[float]) -> None:
    """Operators bind as in arithmetic; series meet where both have a value; a division by zero leaves none."""
    assert evaluate(text) == pytest.approx(values)


def test_arrays_stay_arrays() -> None:
    """What is done to an array is done to each of its series."""
    lines = compile_expression("FILL(REMOVE_EMPTY(METRICS()), 0) * 2").evaluate(WORLD)
    assert isinstance(lines, list)
    assert [(line.label, sum(line.values.values())) for line in lines] == [("a", 14), ("b", 20)]
    assert compile_expression("SORT([a, b], SUM, DESC, 1)").evaluate(WORLD) == [B]


@pytest.mark.parametrize(
    "text",
    ["", "a +", "(a", "a b", "NOPE(a)", "SUM()", "SUM(a, b)", "a + 'x'", "5", "SUM(a)", "FILL(a, NEVER)", "[a", "a $ b",
     "METRICS() + METRICS()", "SORT([a], MEDIAN, ASC)", "SEARCH(a, 'Sum')", "FIRST(SLICE([a], 5))", "'text'",
     "-" * 100 + "a", "(" * 100 + "a" + ")" * 100],
)  # fmt: skip
def test_what_is_no_expression_is_refused(text: str) -> None:
    """In the grammar or in the types: an error, never a value."""
    with pytest.raises(MathError):
        compile_expression(text).evaluate(WORLD)


@pytest.mark.parametrize("text", ["ANOMALY_DETECTION_BAND(a, 2)", "SELECT AVG(x) FROM y", "LAMBDA('f')"])
def test_what_fogbank_lacks_is_refused_by_name(text: str) -> None:
    """No function that answers for nothing."""
    with pytest.raises(NotImplementedByFogbank, match=r"ANOMALY_DETECTION_BAND|Metrics Insights|LAMBDA"):
        compile_expression(text)


def test_an_expression_tells_what_it_needs() -> None:
    """Its ids, and its searches."""
    expression = compile_expression("a + b * SUM(SEARCH('{N} x', 'Sum', 60))")
    assert expression.ids == {"a", "b"}
    assert expression.searches == (("{N} x", "Sum", 60),)


numbers = st.floats(-1e6, 1e6, allow_nan=False).map(lambda x: round(x, 3))
trees = st.recursive(
    numbers.filter(lambda x: x >= 0).map(lambda x: (f"{x:.3f}", float(f"{x:.3f}"))),
    lambda children: st.tuples(st.sampled_from("+-*"), children, children).map(
        lambda t: (
            f"({t[1][0]} {t[0]} {t[2][0]})",
            {"+": operator.add, "-": operator.sub, "*": operator.mul}[t[0]](t[1][1], t[2][1]),
        )
    ),
    max_leaves=12,
)


@given(trees)
def test_arithmetic_agrees_with_python(tree: tuple[str, float]) -> None:
    """Whatever is written in parentheses has the value that Python gives it."""
    text, value = tree
    if math.isfinite(value):
        assert evaluate(f"a * 0 + {text}") == pytest.approx([value] * 3, rel=1e-9, abs=1e-6)


@given(st.text(alphabet="abSUM()[],+-*/^<>=&|'\" 0123.ANDORIF", max_size=40))
def test_any_text_is_an_expression_or_an_error(text: str) -> None:
    """The parser of outside text fails in one way only."""
    with contextlib.suppress(MathError, NotImplementedByFogbank):
        compile_expression(text).evaluate(WORLD)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("{AWS/Lambda,FunctionName}", True), ("{AWS/Lambda}", False), ("{AWS/SQS,FunctionName}", False),
        ('{AWS/Lambda,FunctionName} MetricName="Errors"', True),
        ('{AWS/Lambda,FunctionName} MetricName="Error"', False),
        ("{AWS/Lambda,FunctionName} Errors", True), ("order handler", True), ("OrderHandler", True), ("hand", False),
        ("FunctionName=(other OR handler)", True), ("FunctionName=other", False), ("NOT other", True),
        ("Errors AND NOT (order OR other)", False), (":FunctionName", True), ("lambda AND errors", True), ("", True),
    ],
)  # fmt: skip
def test_a_search_finds_what_it_means(text: str, found: bool) -> None:
    """Schemas are exact, unquoted terms are words of a name, quoted ones all of it."""
    dimensions = {"FunctionName": "orderHandler-1"}
    assert parse_search(text).matches("AWS/Lambda", "Errors", dimensions) is found


@given(st.text(alphabet='{}(),=:"abORNTAD ', max_size=40))
def test_any_text_is_a_search_or_an_error(text: str) -> None:
    """The same of the language within."""
    with contextlib.suppress(MathError):
        parse_search(text).matches("n", "m", {"d": "v"})
