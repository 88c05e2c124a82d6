"""Why a text is no JSON, in the words of AWS's parser."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fogbank.services.states._language.json_errors import why_not_json

PARSE = "com.fasterxml.jackson.core.JsonParseException: "
END = "com.fasterxml.jackson.core.io.JsonEOFException: "
VALUES = "(JSON String, Number, Array, Object or token 'null', 'true' or 'false')"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("text", "message", "column"),
    [
        ("not some json", f"{PARSE}Unrecognized token 'not': was expecting {VALUES}", 4),
        ("{'a': 1}", f"{PARSE}Unexpected character (''' (code 39)): was expecting double-quote to start field name", 3),
        ('{"a" 1}', f"{PARSE}Unexpected character ('1' (code 49)): was expecting a colon to separate field name", 7),
        ('{"a":1,}', f"{PARSE}Unexpected character ('}}' (code 125)): was expecting double-quote", 9),
        ('{"a":}', f"{PARSE}Unexpected character ('}}' (code 125)): expected a valid value {VALUES}", 7),
        ('{"a":1 "b":2}', f"{PARSE}Unexpected character ('\"' (code 34)): was expecting comma to separate Object", 9),
        ("[1 2]", f"{PARSE}Unexpected character ('2' (code 50)): was expecting comma to separate Array entries", 5),
        ("[1}", f"{PARSE}Unexpected close marker '}}': expected ']' (for Array starting at", 4),
        ('{"not": "json"', f"{END}Unexpected end-of-input: expected close marker for Object (start marker at", 15),
        ("[1,", f"{END}Unexpected end-of-input within/between Array entries", 4),
        ('{"a":', f"{END}Unexpected end-of-input within/between Object entries", 6),
        ('"abc', f"{END}Unexpected end-of-input: was expecting closing quote for a string value", 5),
        ("", "com.fasterxml.jackson.databind.exc.MismatchedInputException: No content to map due to end-of-input", 0),
        ("-", f"{PARSE}Unexpected character ('-' (code 45)): expected digit", 2),
    ],
)
def test_the_first_problem_is_told_with_its_place(text: str, message: str, column: int) -> None:
    found = str(why_not_json(text))
    assert found.startswith(message)
    assert found.endswith(f'[Source: (String)"{text}"; line: 1, column: {column}]')


def test_lines_are_counted() -> None:
    assert str(why_not_json("{\n x}")).endswith("; line: 2, column: 3]")


@given(JSON, st.sampled_from([None, 2]))
def test_what_is_json_has_no_problem(value: object, indent: int | None) -> None:
    assert why_not_json(json.dumps(value, indent=indent)) is None


@given(st.text('{}[]:,"a1tn -\\\n', max_size=12))
def test_any_text_ends(text: str) -> None:
    found = why_not_json(text)
    try:
        json.loads(text)
    except ValueError:
        return
    assert found is None
