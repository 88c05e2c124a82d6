"""Checking requests against their models, and AWS's words for what is wrong."""

from __future__ import annotations

import re
import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fogbank.core.models import (
    OperationModel,
    ServiceModel,
    StringShape,
    service_model,
    service_names,
)
from fogbank.core.validation import (
    Constraint,
    UnsupportedPatternError,
    check,
    compile_pattern,
    describe,
    java_text,
)
from fogbank.core.validation.regex import _LINEAR, translate

CATEGORIES = ("L", "M", "N", "P", "S", "Z", "C", "Lu", "Nd", "Zs")


@given(st.characters(codec="utf-8"), st.sampled_from(CATEGORIES))
def test_a_category_has_the_characters_that_unicode_gives_it(character: str, category: str) -> None:
    found = compile_pattern(rf"\p{{{category}}}").fullmatch(character)
    assert (found is not None) is unicodedata.category(character).startswith(category)


@pytest.mark.parametrize("code", [0x3FFFF, 0x40000, 0xDFFFF, 0xE0001, 0xF0000, 0x10FFFF])
def test_the_edges_of_the_planes_are_in_their_category(code: int) -> None:
    assert (compile_pattern(r"\p{C}").fullmatch(chr(code)) is not None) is (unicodedata.category(chr(code))[0] == "C")


def operation(service: str, name: str) -> OperationModel:
    return service_model(service).operation(name)


def message(service: str, name: str, request: dict[str, Any]) -> str:
    return describe(check(operation(service, name), request))


def model_of(**shapes: Any) -> OperationModel:
    """An operation `Do` whose input is the shape `In`."""
    document = {
        "metadata": {"protocol": "json", "endpointPrefix": "x"},
        "operations": {"Do": {"name": "Do", "input": {"shape": "In"}}},
        "shapes": shapes,
    }
    return ServiceModel("made-up", document).operation("Do")


def test_a_request_in_order_has_no_problems() -> None:
    request = {"QueueUrl": "http://q", "MessageBody": "x", "MessageAttributes": {"a": {"DataType": "String"}}}
    assert check(operation("sqs", "SendMessage"), request) == ()


def test_no_input_means_nothing_to_check() -> None:
    assert check(operation("lambda", "GetAccountSettings"), {}) == ()


def test_members_that_are_none_count_as_absent() -> None:
    request = {"QueueUrl": "http://q", "MessageBody": None, "DelaySeconds": None}
    (problem,) = check(operation("sqs", "SendMessage"), request)
    assert (problem.constraint, problem.path) == (Constraint.REQUIRED, ("MessageBody",))


def test_a_missing_member_is_null_without_quotes() -> None:
    assert message("dynamodb", "GetItem", {"TableName": "orders"}) == (
        "1 validation error detected: Value null at 'key' failed to satisfy constraint: Member must not be null"
    )


def test_pattern_comes_before_length() -> None:
    assert message("iam", "GetRole", {"RoleName": ""}) == (
        "2 validation errors detected: "
        "Value '' at 'roleName' failed to satisfy constraint: "
        r"Member must satisfy regular expression pattern: [\w+=,.@-]+; "
        "Value '' at 'roleName' failed to satisfy constraint: "
        "Member must have length greater than or equal to 1"
    )


def test_too_long() -> None:
    assert message("iam", "GetRole", {"RoleName": "r" * 65}) == (
        f"1 validation error detected: Value '{'r' * 65}' at 'roleName' failed to satisfy constraint: "
        "Member must have length less than or equal to 64"
    )


def test_numbers_out_of_range() -> None:
    request = {"FunctionName": "f", "Timeout": 0, "MemorySize": 1}
    assert message("lambda", "UpdateFunctionConfiguration", request) == (
        "2 validation errors detected: "
        "Value '0' at 'timeout' failed to satisfy constraint: "
        "Member must have value greater than or equal to 1; "
        "Value '1' at 'memorySize' failed to satisfy constraint: "
        "Member must have value greater than or equal to 128"
    )


@pytest.mark.parametrize(
    ("service", "name", "member", "order"),
    [
        ("dynamodb", "PutItem", "returnValues", "ALL_NEW, UPDATED_OLD, ALL_OLD, NONE, UPDATED_NEW"),
        ("dynamodb", "PutItem", "returnConsumedCapacity", "INDEXES, TOTAL, NONE"),
        (
            "kinesis",
            "GetShardIterator",
            "shardIteratorType",
            "AFTER_SEQUENCE_NUMBER, LATEST, AT_TIMESTAMP, AT_SEQUENCE_NUMBER, TRIM_HORIZON",
        ),
    ],
)
def test_enumerations_are_listed_in_aws_s_order(service: str, name: str, member: str, order: str) -> None:
    """These orders are quoted from messages of the real services."""
    member_name = member[:1].upper() + member[1:]
    assert (
        f"Value 'x' at '{member}' failed to satisfy constraint: Member must satisfy enum value set: [{order}]"
    ) in message(service, name, {member_name: "x"})


def test_paths_into_lists_of_structures_count_from_one() -> None:
    request = {"Entries": [{"Source": "a"}, {"EventBusName": "/"}]}
    (problem,) = check(operation("events", "PutEvents"), request)
    assert problem.path == ("Entries", 1, "EventBusName")
    assert problem.where == "entries.2.member.eventBusName"
    assert problem.member == "EventBusName"


def test_elements_of_simple_lists_are_reported_of_the_list() -> None:
    request = {"logGroupNamePrefix": "ok", "logGroupIdentifiers": ["fine", "not fine"]}
    text = message("logs", "DescribeLogGroups", request)
    assert text.startswith(
        "1 validation error detected: Value '[fine, not fine]' at 'logGroupIdentifiers' failed to satisfy "
        "constraint: Member must satisfy constraint: [Member must have length less than or equal to 2048, "
        "Member must have length greater than or equal to 1, Member must satisfy regular expression pattern: "
    )
    assert text.endswith("]")


def test_values_of_maps_are_reported_of_the_map() -> None:
    """Quoted by users of BatchWriteItem, for an empty list of requests."""
    assert message("dynamodb", "BatchWriteItem", {"RequestItems": {"orders": []}}) == (
        "1 validation error detected: Value '{orders=[]}' at 'requestItems' failed to satisfy constraint: "
        "Map value must satisfy constraint: [Member must have length less than or equal to 25, "
        "Member must have length greater than or equal to 1]"
    )


def test_keys_of_maps_are_reported_of_the_map() -> None:
    request = {"FunctionName": "f", "Environment": {"Variables": {"1bad": "x"}}}
    text = message("lambda", "UpdateFunctionConfiguration", request)
    assert "at 'environment.variables' failed to satisfy constraint: Map keys must satisfy constraint: [" in text


def test_sensitive_values_are_not_shown() -> None:
    op = model_of(
        In={"type": "structure", "members": {"Secret": {"shape": "Secret"}}},
        Secret={"type": "string", "max": 3, "sensitive": True},
    )
    assert describe(check(op, {"Secret": "hush!"})) == (
        "1 validation error detected: Value at 'secret' failed to satisfy constraint: "
        "Member must have length less than or equal to 3"
    )


def test_at_most_ten_problems_are_reported() -> None:
    entries = [{"EventBusName": "/"}] * 10 + [{"EventBusName": "/"}] * 5
    problems = check(operation("events", "PutEvents"), {"Entries": entries})
    assert len(problems) == 16
    assert describe(problems).startswith("10 validation errors detected: ")


def test_unions_take_one_member() -> None:
    op = model_of(
        In={"type": "structure", "members": {"U": {"shape": "U"}}},
        U={"type": "structure", "union": True, "members": {"A": {"shape": "S"}, "B": {"shape": "S"}}},
        S={"type": "string"},
    )
    assert check(op, {"U": {"A": "x"}}) == ()
    assert [p.constraint for p in check(op, {"U": {"A": "x", "B": "y"}})] == [Constraint.UNION]
    assert [p.constraint for p in check(op, {"U": {}})] == [Constraint.UNION]


def test_members_that_the_model_lacks_are_problems() -> None:
    (problem,) = check(operation("sts", "GetCallerIdentity"), {"Nonsense": 1})
    assert problem.constraint is Constraint.UNKNOWN


TYPES = st.sampled_from(["x", 1, 1.5, True, b"b", [], {}, ["x"], {"a": "x"}])
ONE_OF_EACH = model_of(
    In={
        "type": "structure",
        "members": {
            name: {"shape": name}
            for name in ("string", "integer", "double", "boolean", "blob", "timestamp", "list", "map", "In")
        },
    },
    string={"type": "string"},
    integer={"type": "integer"},
    double={"type": "double"},
    boolean={"type": "boolean"},
    blob={"type": "blob"},
    timestamp={"type": "timestamp"},
    list={"type": "list", "member": {"shape": "string"}},
    map={"type": "map", "key": {"shape": "string"}, "value": {"shape": "string"}},
)
RIGHT: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "double": (int, float),
    "boolean": (bool,),
    "blob": (bytes,),
    "timestamp": (int, float),
    "list": (list,),
    "map": (dict,),
}


@given(member=st.sampled_from(sorted(RIGHT)), value=TYPES)
def test_values_of_the_wrong_type_are_problems(member: str, value: Any) -> None:
    """Each type takes its own Python type alone; a boolean is no number."""
    right = type(value) in RIGHT[member]
    assert (check(ONE_OF_EACH, {member: value}) == ()) is right


@given(st.dictionaries(st.sampled_from([*sorted(RIGHT), "In", "Nonsense"]), TYPES | st.none()))
def test_both_passes_agree(request: dict[str, Any]) -> None:
    """What the quick pass refuses, the other can explain, and in words."""
    problems = check(ONE_OF_EACH, request)
    wrong = any(
        value is not None and (name == "Nonsense" or (name in RIGHT and type(value) not in RIGHT[name]))
        for name, value in request.items()
    )
    assert bool(problems) or not wrong
    if problems:
        assert describe(problems)


def test_recursive_structures_are_checked_to_their_depth() -> None:
    inner: dict[str, Any] = {"S": 1}
    for _ in range(20):
        inner = {"L": [inner]}
    (problem,) = check(operation("dynamodb", "PutItem"), {"TableName": "orders", "Item": {"a": inner}})
    assert problem.constraint is Constraint.TYPE
    assert problem.path.count("L") == 20


@pytest.mark.parametrize("service", sorted(service_names()))
def test_every_pattern_of_every_service_is_enforced(service: str) -> None:
    """A pattern that could not be compiled would be a constraint that is silently not enforced."""
    model = service_model(service)
    for name in model.shape_names:
        shape = model.shape(name)
        if isinstance(shape, StringShape) and shape.pattern is not None:
            compile_pattern(shape.pattern)


@pytest.mark.parametrize(
    ("pattern", "matching", "other"),
    [
        (r"[\p{L}\p{Z}\p{N}_.:/=+\-@]*", "Größe 1", "a<b"),
        (r"\p{Print}+", "abc ~", "é"),
        (r"\P{L}+", "123", "12a"),
        (r"\w+", "abc", "é"),
        (r"\d+", "12", "٣"),
        (r"[\w-_]*", "a-b_c", "a b"),
        (r".*", "abc", "a\nb"),
        (r".*", "abc", "a\u2028b"),
        (r"^[a-z]+$", "abc", "abc\n"),
        (r"[\uD800\uDC00-\uDBFF\uDFFF]+", "\U0001f600", "a"),
        (r"[\u0020-\u00FF]*", "é", "\u0100"),
        (r"[]a]+", "]a", "b"),
        (r"[^]a]+", "b", "]"),
        (r"(?i)all|[0-9]{12}", "ALL", "none"),
    ],
)
def test_patterns_are_java_s(pattern: str, matching: str, other: str) -> None:
    compiled = compile_pattern(pattern)
    assert compiled.fullmatch(matching)
    assert not compiled.fullmatch(other)


@pytest.mark.parametrize("pattern", sorted(_LINEAR))
@given(value=st.text("\t a/:$.[0]*\n\x7f", max_size=8))
def test_rewritten_patterns_match_the_same_values(pattern: str, value: str) -> None:
    """Short values only: on long ones the originals take for ever."""
    original = re.compile(translate(pattern), re.ASCII)
    assert bool(compile_pattern(pattern).fullmatch(value)) is bool(original.fullmatch(value))


@pytest.mark.parametrize("pattern", sorted(_LINEAR))
@pytest.mark.parametrize("unit", [" ", "/", "a ", "a/"])
def test_rewritten_patterns_do_not_stop_the_server(pattern: str, unit: str) -> None:
    assert compile_pattern(pattern).fullmatch(unit * 20_000 + "\n") is None


@pytest.mark.parametrize("pattern", [r"[a-z&&[^b]]", r"[a[bc]]", r"\Qx\E", r"\p{Klingon}", r"[\P{L}]", "(", r"\h"])
def test_patterns_that_are_not_understood_are_refused(pattern: str) -> None:
    with pytest.raises(UnsupportedPatternError):
        compile_pattern(pattern)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "true"),
        (None, "null"),
        (["a", 1, False], "[a, 1, false]"),
        ({"k": ["v"]}, "{k=[v]}"),
        (b"abc", "java.nio.HeapByteBuffer[pos=0 lim=3 cap=3]"),
        (1.5, "1.5"),
    ],
)
def test_values_are_quoted_as_java_writes_them(value: Any, text: str) -> None:
    assert java_text(value) == text


def test_structures_are_quoted_without_what_is_sensitive() -> None:
    request = {"TableName": "orders", "KeySchema": [{"AttributeName": "pk", "KeyType": "X"}]}
    assert "Value 'X' at 'keySchema.1.member.keyType'" in message("dynamodb", "CreateTable", request)
    shape = service_model("dynamodb").shape("KeySchemaElement")
    assert java_text({"AttributeName": "pk", "KeyType": "HASH"}, shape) == (
        "KeySchemaElement(attributeName=pk, keyType=HASH)"
    )
