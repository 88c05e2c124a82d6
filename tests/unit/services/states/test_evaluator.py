"""Hostile expressions end in an error, in bounded time and memory, and the next expression is evaluated."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fogbank.services.states._evaluator import Evaluator
from fogbank.services.states._language._threads import Dice
from fogbank.services.states._language.jsonata import JsonataError, guard_with, parse_expression

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def guard() -> Iterator[Evaluator]:
    found = Evaluator()
    found.start()
    yield found
    found.stop()


@pytest.fixture(autouse=True)
def _guarded(guard: Evaluator) -> Iterator[None]:
    guard_with(guard)
    yield
    guard_with(None)


@pytest.mark.parametrize(
    "text",
    [
        "($f := function($n){$f($n+1)+1}; $f(0))",
        "[1..10000000]",
        "$pad('a', 1000000000)",
        "($f := function($a,$n){$n=0?$a:$f($append($a,$a),$n-1)}; $f([1,2,3],40))",
    ],
)
def test_what_grows_without_end_ends(text: str) -> None:
    with pytest.raises(JsonataError):
        parse_expression(text).evaluate({}, Dice("seed"))


@pytest.mark.parametrize(
    "text",
    [
        "($f := function($n){$f($n+1)}; $f(0))",
        "($f := function($s,$n){$n=0?$s:$f($s & $s,$n-1)}; $f('aaaaaaaaaa',40))",
        "$replace($pad('a',200000,'a'),'a',$pad('b',200000,'b'))",
        "$map([1..10000], function($x){$map([1..10000], function($y){$x*$y})})",
    ],
)
def test_what_takes_all_time_or_memory_is_ended_and_the_next_goes_on(text: str) -> None:
    with pytest.raises(JsonataError, match="D1012"):
        parse_expression(text).evaluate({}, Dice("seed"))
    assert parse_expression("$map([1,2], function($x){$x+1})").evaluate({}, Dice("seed")) == [2, 3]


def test_a_pattern_does_not_backtrack() -> None:
    found = parse_expression("$contains('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!', /^(a+)+$/)")
    assert found.evaluate({}, Dice("seed")) is False


@pytest.mark.parametrize("text", ["$contains($s, /(?:a{100}){100}b/)", "$s ~> /a/", "$t[/a/($)]", "$uuid()"])
def test_what_the_engine_does_not_bound_and_what_draws_is_not_evaluated_here(text: str) -> None:
    assert parse_expression(text).grows


def test_what_took_long_here_is_not_tried_here_again() -> None:
    expression = parse_expression("$count($d.**.**.**.**)")
    deep: dict[str, object] = {}
    for _ in range(200):
        deep = {"a": deep, "b": 1}
    assert not expression.grows
    with pytest.raises(JsonataError, match="D1012"):
        expression.evaluate({"d": deep}, Dice("seed"))
    assert expression.grows


def test_chance_is_the_same_in_a_replay() -> None:
    expression = parse_expression("$map([1,2], function($x){$uuid()})")
    first, second = expression.evaluate({}, Dice("seed")), expression.evaluate({}, Dice("seed"))
    assert first == second
    assert len(set(first)) == 2
    dice = Dice("seed")
    assert expression.evaluate({}, dice) != expression.evaluate({}, dice)


@pytest.mark.parametrize("text", ["$states.input.a.b[0] + 1", "$a & '..' & $b", "{'a': $string($x)}", "$sum($x.y)"])
def test_what_cannot_grow_is_evaluated_here(text: str) -> None:
    assert not parse_expression(text).grows
