"""Properties: the compiled matcher against a naive one, the index against trying every rule, and fuzz."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from fogbank.core.patterns import InvalidPatternError, RuleIndex, compile_document, compile_pattern

names = st.sampled_from(["a", "b", "c", "a.b"])
texts = st.sampled_from(["", "x", "xy", "xyx", "X", "true", "5", "10.0.0.1"])
scalars = st.one_of(texts, st.sampled_from([0, 1, 5, 5.0, -1.5, True, False, None]))

conditions = st.one_of(
    scalars,
    st.builds(lambda t: {"prefix": t}, texts),
    st.builds(lambda t: {"suffix": t}, texts),
    st.builds(lambda t: {"equals-ignore-case": t}, texts),
    st.builds(lambda t: {"anything-but": t}, texts),
    st.builds(lambda v: {"anything-but": v}, st.lists(texts, min_size=1, max_size=2)),
    st.builds(lambda v: {"anything-but": v}, st.lists(st.sampled_from([0, 1, 5]), min_size=1, max_size=2)),
    st.builds(lambda t: {"anything-but": {"prefix": t}}, texts.filter(bool)),
    st.builds(lambda b: {"exists": b}, st.booleans()),
    st.builds(lambda op, n: {"numeric": [op, n]}, st.sampled_from(["=", "<", "<=", ">", ">="]), st.integers(-2, 6)),
    st.builds(lambda t: {"wildcard": t}, st.sampled_from(["*", "x*", "*x", "x*x", "*y*"])),
)
values = st.lists(conditions, min_size=1, max_size=3)
patterns = st.recursive(
    st.dictionaries(names, values, min_size=1, max_size=2),
    lambda inner: st.dictionaries(names, st.one_of(values, inner), min_size=1, max_size=3),
    max_leaves=6,
)
events = st.recursive(
    st.dictionaries(names, scalars, max_size=3),
    lambda inner: st.dictionaries(
        names, st.one_of(scalars, inner, st.lists(st.one_of(scalars, inner), max_size=3)), max_size=3
    ),
    max_leaves=8,
)
Leaf = tuple[str, Any, dict[int, int]]


def leaves(node: Any, path: str, where: dict[int, int], pending: dict[int, int]) -> Iterator[Leaf]:
    """Every scalar: its joined name, its value, and the elements of arrays whose objects it lies in."""
    if isinstance(node, dict):
        where = where | pending
        for name, value in node.items():
            yield from leaves(value, f"{path}.{name}" if path else name, where, {})
    elif isinstance(node, list):
        for index, element in enumerate(node):
            yield from leaves(element, path, where, pending | {id(node): index})
    else:
        yield path, node, where


def accepts(condition: Any, value: Any) -> bool:
    """One condition and one scalar, as the user guide says it."""
    if not isinstance(condition, dict):
        if isinstance(condition, bool) or condition is None or isinstance(value, bool) or value is None:
            return condition is value
        return isinstance(condition, str) == isinstance(value, str) and condition == value
    (operator, operand), *_ = condition.items()
    is_text = isinstance(value, str)
    match operator:
        case "prefix":
            return is_text and value.startswith(operand)
        case "suffix":
            return is_text and value.endswith(operand)
        case "equals-ignore-case":
            return is_text and value.lower() == operand.lower()
        case "wildcard":
            return is_text and re.fullmatch(re.escape(operand).replace("\\*", ".*"), value, re.DOTALL) is not None
        case "exists":
            return bool(operand)
        case "numeric":
            compare = {"=": "__eq__", "<": "__lt__", "<=": "__le__", ">": "__gt__", ">=": "__ge__"}[operand[0]]
            is_number = isinstance(value, int | float) and not isinstance(value, bool)
            return is_number and getattr(float(value), compare)(float(operand[1]))
        case _:
            refused = operand if isinstance(operand, list) else [operand]
            return not any(accepts(one, value) for one in refused)


def flatten(pattern: dict[str, Any], path: str = "") -> dict[str, list[Any]]:
    fields: dict[str, list[Any]] = {}
    for name, value in pattern.items():
        joined = f"{path}.{name}" if path else name
        fields |= flatten(value, joined) if isinstance(value, dict) else {joined: value}
    return fields


def naive(pattern: dict[str, Any], event: dict[str, Any]) -> bool:
    """Choose a leaf for each field so that no two are in different elements of one array."""
    found = list(leaves(event, "", {}, {}))
    present = {path for path, _, _ in found}
    choices: list[list[dict[int, int]]] = []
    for path, conditions_ in flatten(pattern).items():
        if path not in present:
            if {"exists": False} in conditions_:
                continue
            return False
        others = [c for c in conditions_ if c != {"exists": False}]
        fitting = [where for p, v, where in found if p == path and any(accepts(c, v) for c in others)]
        choices.append(fitting)

    def consistent(index: int, so_far: dict[int, int]) -> bool:
        if index == len(choices):
            return True
        return any(
            all(so_far.get(array, element) == element for array, element in where.items())
            and consistent(index + 1, so_far | where)
            for where in choices[index]
        )

    return consistent(0, {})


def _one_spelling(event: Any) -> bool:
    """Whether each name of the event reads in one way only: else the two differ on array consistency."""
    if isinstance(event, dict):
        heads = [name.partition(".")[0] for name in event]
        return len(set(heads)) == len(heads) and all(_one_spelling(value) for value in event.values())
    return not isinstance(event, list) or all(_one_spelling(element) for element in event)


@pytest.mark.slow
@settings(max_examples=600)
@given(patterns, events.filter(_one_spelling))
def test_the_matcher_agrees_with_the_naive_one(pattern: dict[str, Any], event: dict[str, Any]) -> None:
    assert compile_document(pattern).matches(event) == naive(pattern, event)


@given(st.lists(patterns, max_size=12), events)
def test_the_index_finds_what_trying_every_rule_finds(rules: list[dict[str, Any]], event: dict[str, Any]) -> None:
    compiled = [(number, compile_document(rule)) for number, rule in enumerate(rules)]
    assert sorted(RuleIndex(compiled).matching(event)) == [n for n, p in compiled if p.matches(event)]


@given(
    st.lists(st.tuples(st.sampled_from("ABC"), st.sampled_from("xyz")), max_size=30),
    st.sampled_from(["A", "B", "D", ["A", "B"], None, 5]),
    st.sampled_from(["x", "y", ["z"], {"k": 1}]),
)
def test_the_index_sorts_rules_by_what_tells_them_apart(rules: list[tuple[str, str]], source: Any, state: Any) -> None:
    compiled = [
        (number, compile_document({"source": [s], "detail": {"state": [d]}})) for number, (s, d) in enumerate(rules)
    ]
    event = {"source": source, "detail": {"state": state}}
    assert sorted(RuleIndex(compiled).matching(event)) == [n for n, p in compiled if p.matches(event)]


@pytest.mark.slow
@given(st.lists(patterns, min_size=2, max_size=4), patterns, events)
def test_or_is_the_disjunction_of_its_branches(
    alternatives: list[dict[str, Any]], rest: dict[str, Any], event: dict[str, Any]
) -> None:
    both = {f"r{name}": value for name, value in rest.items()}
    event = event | {f"r{name}": value for name, value in event.items()}
    document = both | {"$or": alternatives}
    expected = any(compile_document(both | one).matches(event) for one in alternatives)
    assert compile_document(document).matches(event) == expected


def _outcome(text: str) -> object:
    try:
        return compile_pattern(text)
    except InvalidPatternError as error:
        return error.reason


@given(st.text(max_size=60))
def test_any_text_is_compiled_or_refused_with_a_reason(text: str) -> None:
    assert _outcome(text)


@given(
    st.text(alphabet='{}[]",:ab$or01.-*\\ \nprefixnumericanything-butexistscidr', max_size=80),
    st.integers(0, 40),
)
def test_a_damaged_pattern_is_compiled_or_refused(noise: str, at: int) -> None:
    text = '{"a": [{"prefix": "x"}, {"numeric": [">", 1]}], "$or": [{"b": [1]}, {"c": [2]}]}'
    for damaged in (text[:at] + noise + text[at:], text[:at] + noise, noise + text[at:]):
        assert _outcome(damaged)


@given(patterns)
def test_a_compiled_pattern_takes_its_document_as_json(pattern: dict[str, Any]) -> None:
    text = json.dumps(pattern)
    assert compile_pattern(text).branches == compile_document(pattern).branches
