"""Choice rules, intrinsic functions and programs against direct references."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from tests.unit.services.states.machines import started

from fogbank.services.states._language._threads import Dice
from fogbank.services.states._language.choice import compile_rule
from fogbank.services.states._language.intrinsics import parse_intrinsic

NUMBERS = st.integers(-9, 9) | st.floats(-9, 9).map(lambda number: round(number, 1))
SCALARS = st.none() | st.booleans() | NUMBERS | st.text("ab*", max_size=2)
MOMENTS = st.sampled_from(
    ["2020-01-01T00:00:00Z", "2020-01-01T01:00:00+01:00", "2021-06-01T00:00:00.5Z", "2020-13-01T00:00:00Z"]
)
DATA = st.fixed_dictionaries({}, optional=dict.fromkeys("abc", SCALARS | MOMENTS))
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("xy", min_size=1, max_size=1), inner),
    max_leaves=6,
)

KINDS = {"String": (str,), "Numeric": (int, float), "Boolean": (bool,), "Timestamp": (str,)}
RELATIONS: dict[str, Callable[[Any, Any], Any]] = {
    "Equals": lambda a, b: a == b,
    "LessThan": lambda a, b: a < b,
    "GreaterThan": lambda a, b: a > b,
    "LessThanEquals": lambda a, b: a <= b,
    "GreaterThanEquals": lambda a, b: a >= b,
}


class Frame:
    """A state under way, as far as rules and functions see it."""

    source = Dice("seed")
    variables: dict[str, Any] = {}  # noqa: RUF012 - a test's frame

    def context(self) -> Any:
        return {}

    def describe(self) -> str:
        return "In S."


def moment(text: Any) -> float | None:
    try:
        return datetime.fromisoformat(text).timestamp() if isinstance(text, str) and "T" in text else None
    except ValueError:
        return None


def is_of(kind: str, value: Any) -> bool:
    if kind == "Timestamp":
        return moment(value) is not None
    return isinstance(value, KINDS[kind]) and (kind == "Boolean" or not isinstance(value, bool))


@st.composite
def comparisons(draw: Any) -> dict[str, Any]:
    kind = draw(st.sampled_from(sorted(KINDS)))
    relation = "Equals" if kind == "Boolean" else draw(st.sampled_from(sorted(RELATIONS)))
    literals = {
        "String": st.text("ab*", max_size=2),
        "Numeric": st.integers(-9, 9),
        "Boolean": st.booleans(),
        "Timestamp": MOMENTS.filter(lambda text: moment(text) is not None),
    }
    return {"Variable": f"$.{draw(st.sampled_from('abc'))}", f"{kind}{relation}": draw(literals[kind])}


@st.composite
def kinds(draw: Any) -> dict[str, Any]:
    name = draw(st.sampled_from(["IsNull", "IsNumeric", "IsString", "IsBoolean", "IsTimestamp", "IsPresent"]))
    return {"Variable": f"$.{draw(st.sampled_from('abc'))}", name: draw(st.booleans())}


RULES = st.recursive(
    comparisons() | kinds(),
    lambda inner: (
        st.builds(lambda rule: {"Not": rule}, inner)
        | st.builds(
            lambda name, rules: {name: rules}, st.sampled_from(["And", "Or"]), st.lists(inner, min_size=1, max_size=3)
        )
    ),
    max_leaves=6,
)


class AbsentError(Exception):
    """A rule looks at what is not there."""


def holds(rule: dict[str, Any], data: dict[str, Any]) -> bool:
    """Whether a rule holds, told directly from the language's specification."""
    if "Not" in rule:
        return not holds(rule["Not"], data)
    if "And" in rule:
        return all(holds(part, data) for part in rule["And"])
    if "Or" in rule:
        return any(holds(part, data) for part in rule["Or"])
    name = rule["Variable"][2:]
    operator, wanted = next((key, value) for key, value in rule.items() if key != "Variable")
    if operator == "IsPresent":
        return (name in data) is wanted
    if name not in data:
        raise AbsentError
    value = data[name]
    if operator.startswith("Is"):
        tests = {"IsNull": value is None}
        tests |= {f"Is{kind}": is_of(kind, value) for kind in KINDS}
        return tests[operator] is wanted
    kind = next(kind for kind in KINDS if operator.startswith(kind))
    if not is_of(kind, value):
        return False
    relation = RELATIONS[operator.removeprefix(kind)]
    return bool(relation(moment(value), moment(wanted)) if kind == "Timestamp" else relation(value, wanted))


@given(RULES, DATA)
def test_rules_hold_as_the_specification_says(rule: dict[str, Any], data: dict[str, Any]) -> None:
    states = {
        "C": {"Type": "Choice", "Choices": [{**rule, "Next": "Yes"}], "Default": "No"},
        "Yes": {"Type": "Pass", "Result": True, "End": True},
        "No": {"Type": "Pass", "Result": False, "End": True},
    }
    execution = started(states, json.dumps(data))
    try:
        expected = holds(rule, data)
    except AbsentError:
        assert execution.error == "States.Runtime"
        return
    assert execution.output == json.dumps(expected)
    assert compile_rule(rule)(Frame(), data) is expected


def call(text: str, *arguments: Any) -> Any:
    """An intrinsic function of arguments at `$.a`, `$.b` …"""
    values = dict(zip("abc", arguments, strict=False))
    return parse_intrinsic(text).evaluate(lambda path: path.find(values), Dice("seed"))


@given(st.lists(JSON, max_size=8), st.integers(1, 4))
def test_partitions_together_are_the_array(items: list[Any], size: int) -> None:
    found = call("States.ArrayPartition($.a, $.b)", items, size)
    assert [item for part in found for item in part] == items
    assert all(len(part) == size for part in found[:-1])


@given(st.lists(JSON, max_size=8), JSON)
def test_arrays_are_asked(items: list[Any], item: Any) -> None:
    texts = [json.dumps(entry, sort_keys=True) for entry in items]
    assert call("States.ArrayLength($.a)", items) == len(items)
    unique = call("States.ArrayUnique($.a)", items)
    assert len({json.dumps(entry, sort_keys=True) for entry in unique}) == len(unique) <= len(set(texts))
    if items:
        assert call("States.ArrayContains($.a, $.b)", items, items[0]) is True
        assert call("States.ArrayGetItem($.a, $.b)", items, len(items) - 1) == items[-1]


@given(st.integers(-50, 50), st.integers(-50, 50), st.integers(1, 7))
def test_a_range_holds_its_last_item(first: int, last: int, step: int) -> None:
    assert call("States.ArrayRange($.a, $.b, $.c)", first, last, step) == list(range(first, last + 1, step))


@given(st.text(max_size=30))
def test_texts_are_encoded_hashed_and_decoded(text: str) -> None:
    encoded = base64.b64encode(text.encode()).decode()
    assert call("States.Base64Encode($.a)", text) == encoded
    assert call("States.Base64Decode($.a)", encoded) == text
    for name in ("MD5", "SHA-1", "SHA-256", "SHA-384", "SHA-512"):
        wanted = hashlib.new(name.replace("-", ""), text.encode(), usedforsecurity=False).hexdigest()
        assert call(f"States.Hash($.a, '{name}')", text) == wanted


@given(JSON)
def test_what_is_written_as_a_text_reads_back(value: Any) -> None:
    assert call("States.StringToJson($.a)", call("States.JsonToString($.a)", value)) == value


@given(st.dictionaries(st.text("xyz", max_size=1), JSON), st.dictionaries(st.text("xyz", max_size=1), JSON))
def test_merged_objects_have_the_second_ones_values(first: dict[str, Any], second: dict[str, Any]) -> None:
    assert call("States.JsonMerge($.a, $.b, false)", first, second) == {**first, **second}


@given(st.integers(-(10**6), 10**6), st.integers(-(10**6), 10**6))
def test_sums(left: int, right: int) -> None:
    assert call("States.MathAdd($.a, $.b)", left, right) == left + right


@given(st.lists(st.text("ab", min_size=1, max_size=3), min_size=1, max_size=5))
def test_a_split_text_is_its_parts(parts: list[str]) -> None:
    assert call("States.StringSplit($.a, ',')", ",".join(parts)) == parts
    assert call("States.Format('{}-{}', $.a, $.b)", parts[0], parts[-1]) == f"{parts[0]}-{parts[-1]}"


@st.composite
def steps(draw: Any) -> dict[str, Any]:
    """A Pass state's fields, over inputs that have the members `a` and `b`."""
    step: dict[str, Any] = {}
    if draw(st.booleans()):
        step["Result"] = draw(JSON)
    if draw(st.booleans()):
        step["ResultPath"] = draw(st.sampled_from(["$.a", "$.b", "$.c.d", None]))
    else:
        step["ResultPath"] = "$.c"
    return step


def passed(step: dict[str, Any], data: dict[str, Any]) -> dict[str, Any]:
    """What a Pass state gives, told directly."""
    result = step.get("Result", data)
    place = step["ResultPath"]
    if place is None:
        return data
    names = place[2:].split(".")
    output = dict(data)
    inner = output
    for name in names[:-1]:
        before = inner.get(name)
        inner[name] = dict(before) if isinstance(before, dict) else {}
        inner = inner[name]
    inner[names[-1]] = result
    return output


@given(st.lists(steps(), min_size=1, max_size=6), JSON, JSON)
def test_a_chain_of_states_gives_what_its_steps_give(chain: list[dict[str, Any]], first: Any, second: Any) -> None:
    data = {"a": first, "b": second}
    expected = data
    for step in chain:
        if step["ResultPath"] == "$.c.d" and not isinstance(expected.get("c", {}), dict):
            step["ResultPath"] = "$.b"
        expected = passed(step, expected)
    states = {
        f"S{index}": {
            "Type": "Pass",
            **step,
            **({"Next": f"S{index + 1}"} if index + 1 < len(chain) else {"End": True}),
        }
        for index, step in enumerate(chain)
    }
    assert json.loads(started(states, json.dumps(data)).output or "") == json.loads(json.dumps(expected))
