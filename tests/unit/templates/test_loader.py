"""Reading a template's text."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fogbank.templates.errors import TemplateError
from fogbank.templates.loader import MAX_BYTES, load, locate


def message(text: str) -> str:
    with pytest.raises(TemplateError) as caught:
        load(text)
    return caught.value.message


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("A: !Ref B", {"Ref": "B"}),
        ("A: !Ref 123", {"Ref": "123"}),
        ("A: !GetAtt B.C", {"Fn::GetAtt": ["B", "C"]}),
        ("A: !GetAtt B.Outputs.C", {"Fn::GetAtt": ["B", "Outputs.C"]}),
        ("A: !GetAtt [B, C]", {"Fn::GetAtt": ["B", "C"]}),
        ("A: !Sub '${B}-x'", {"Fn::Sub": "${B}-x"}),
        ("A: !Sub ['${B}', {B: 1}]", {"Fn::Sub": ["${B}", {"B": 1}]}),
        ("A: !Join ['-', [a, !Ref B]]", {"Fn::Join": ["-", ["a", {"Ref": "B"}]]}),
        ("A: !If [C, !Ref 'AWS::NoValue', 5]", {"Fn::If": ["C", {"Ref": "AWS::NoValue"}, 5]}),
        ("A: !Condition C", {"Condition": "C"}),
        ("A: !Equals [a, b]", {"Fn::Equals": ["a", "b"]}),
        ("A: !ImportValue x", {"Fn::ImportValue": "x"}),
        ("A: !GetAZs ''", {"Fn::GetAZs": ""}),
        ("A: !Base64\n  Fn::Sub: x", {"Fn::Base64": {"Fn::Sub": "x"}}),
        ("A: !Transform {Name: AWS::Include, Parameters: {Location: s3://b/k}}",
         {"Fn::Transform": {"Name": "AWS::Include", "Parameters": {"Location": "s3://b/k"}}}),
    ],
)  # fmt: skip
def test_short_tags_are_read_in_their_long_form(text: str, value: object) -> None:
    assert load(text) == {"A": value}


@pytest.mark.parametrize(
    ("scalar", "value"),
    [
        ("2010-09-09", "2010-09-09"),
        ("012345678901", "012345678901"),
        ("0777", "0777"),
        ("12:30", "12:30"),
        ("'30'", "30"),
        ("30", 30),
        ("-7", -7),
        ("1.5", 1.5),
        ("1e3", "1e3"),
        ("yes", True),
        ("Off", False),
        ("'yes'", "yes"),
        ("true", True),
        ("~", None),
        ("", None),
        ("|\n  true", "true"),
        ("!!str 5", "5"),
    ],
)
def test_scalars_are_read_as_yaml_1_1_without_dates_octals_and_sexagesimals(scalar: str, value: object) -> None:
    assert load(f"A: {scalar}") == {"A": value}


def test_anchors_and_merges_are_written_out() -> None:
    text = "Base: &base {a: 1, b: 2}\nA:\n  <<: *base\n  b: 3\nB: *base"
    assert load(text) == {"Base": {"a": 1, "b": 2}, "A": {"a": 1, "b": 3}, "B": {"a": 1, "b": 2}}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "Template format error: unsupported structure."),
        ("- a", "Template format error: unsupported structure."),
        ("just text", "Template format error: unsupported structure."),
        ("a: [", "Template format error: YAML not well-formed. (line 2, column 1)"),
        ('{"a": }', "Template format error: JSON not well-formed. (line 1, column 7)"),
        ('{"a": 1,}', "Template format error: JSON not well-formed. (line 1, column 9)"),
        ('{"a": NaN}', "Template format error: JSON not well-formed: NaN is not a JSON value"),
        ("a: b: c", "Template format error: YAML not well-formed. (line 1, column 5)"),
        ("a: 1\n---\nb: 2",
         "Template format error: YAML not well-formed. (line 2, column 1): expected one document"),
        ("a: !Foo b", "Template format error: YAML not well-formed. (line 1, column 4): unknown tag !Foo"),
        ("a: *b",
         ("Template format error: YAML not well-formed. (line 1, column 4): the alias *b refers to nothing, or to what "
         "contains it")),
        ("a: &a [*a]",
         ("Template format error: YAML not well-formed. (line 1, column 8): the alias *a refers to nothing, or to what "
         "contains it")),
        ("? [a]\n: b", "Template format error: YAML not well-formed. (line 1, column 3): expected a string as a key"),
        ("a:\n  <<: 5",
         "Template format error: YAML not well-formed. (line 2, column 3): expected a mapping to merge"),
    ],
)  # fmt: skip
def test_what_is_not_well_formed_is_refused_with_its_place(text: str, expected: str) -> None:
    assert message(text) == expected


def test_what_grows_without_end_is_refused() -> None:
    """Deep nesting and aliases of aliases must not exhaust the stack or the memory."""
    deep = "Template format error: expected at most 100 levels of nesting"
    assert message("a: " + "[" * 100_000) == deep
    assert message('{"a":' * 50_000 + "1" + "}" * 50_000) == deep
    assert message('{"a":' * 102 + "1" + "}" * 102) == deep
    lines = ["a: &a [x, x, x, x, x, x, x, x, x, x]"]
    for previous, name in zip("abcdefgh", "bcdefghi", strict=True):
        lines.append(f"{name}: &{name} [{', '.join([f'*{previous}'] * 10)}]")
    assert message("\n".join(lines)).endswith("expected at most 200000 values, aliases written out")
    assert message("a: " + "x" * MAX_BYTES).startswith("Template format error: expected at most 1048576 bytes")


def test_a_path_is_located_in_the_text() -> None:
    text = "Resources:\n  A:\n    Type: x\n    List:\n      - 1\n      - 2\n"
    assert str(locate(text, ("Resources", "A", "Type"))) == "line 3, column 5"
    assert str(locate(text, ("Resources", "A", "List", 1))) == "line 6, column 9"
    assert str(locate(text, ("Resources", "A", "Missing", "More"))) == "line 2, column 3"
    assert locate("a: [", ("a",)) is None
    assert str(locate('{"Resources":\n {"A": 1}}', ("Resources", "A"))) == "line 2, column 3"


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**12), 10**12) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(st.text(max_size=8), _JSON, max_size=5))
def test_json_is_read_as_it_is(value: dict[str, object]) -> None:
    assert load(json.dumps(value)) == value


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text: str) -> None:
    """Templates are outside input: nothing but a TemplateError may come of them."""
    try:
        load(text)
    except TemplateError:
        return


@given(st.text(alphabet="&*![]{}:,-?|>'\"# \n\tab<1", max_size=80))
def test_any_yaml_like_text_is_read_or_refused(text: str) -> None:
    try:
        load(text)
    except TemplateError:
        return
