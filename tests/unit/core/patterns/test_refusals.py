"""Patterns that EventBridge refuses, with its reasons and positions."""

from __future__ import annotations

import pytest

from fogbank.core.patterns import InvalidPatternError, compile_document, compile_pattern


def reason(text: str) -> str:
    with pytest.raises(InvalidPatternError) as caught:
        compile_pattern(text)
    return caught.value.reason


def test_the_position_of_an_empty_object() -> None:
    """As reported in https://github.com/cloud-custodian/cloud-custodian/issues/6507."""
    text = '{"source": ["aws.health"], "detail": {}}'
    assert reason(text) == (
        "Empty objects are not allowed\n"
        ' at [Source: (String)"{"source": ["aws.health"], "detail": {}}"; line: 1, column: 40]'
    )


def test_the_position_of_a_bare_value() -> None:
    """As reported for a CloudFormation stack: the string's opening quote is read, no more."""
    text = '{"source":["test.event-pattern"],"detail":{"lenderId":"LenderA"}}'
    assert reason(text) == (
        f'"lenderId" must be an object or an array\n at [Source: (String)"{text}"; line: 1, column: 56]'
    )


def test_a_position_counts_lines() -> None:
    assert reason('{\n  "a": [1],\n  "b": 5}').endswith("; line: 3, column: 9]")


def test_a_long_pattern_is_quoted_in_part() -> None:
    text = '{"a": ["' + "x" * 600 + '"], "b": {}}'
    assert f'"{text[:500]}"[truncated {len(text) - 500} chars]; line: 1' in reason(text)


REASONS = [
    ("[]", "Filter is not an object"),
    ('"x"', "Filter is not an object"),
    ("", "Filter is not an object"),
    ("{}", "Empty objects are not allowed"),
    ('{"a": []}', "Empty arrays are not allowed"),
    ('{"a": "x"}', '"a" must be an object or an array'),
    ('{"a": 5}', '"a" must be an object or an array'),
    ('{"a": null}', '"a" must be an object or an array'),
    ('{"a": [["x"]]}', "Match value must be String, number, true, false, or null"),
    ('{"a": [{}]}', "Match expression name not found"),
    ('{"a": [{"unknown": 1}]}', "Unrecognized match type unknown"),
    ('{"a": [{"Prefix": "x"}]}', "Unrecognized match type Prefix"),
    ('{"a": [{"prefix": "x", "suffix": "y"}]}', "Only one key allowed in match expression"),
    ('{"a": [{"prefix": 5}]}', "prefix match pattern must be a string"),
    ('{"a": [{"prefix": ["x"]}]}', "prefix match pattern must be a string"),
    ('{"a": [{"prefix": {}}]}', "Prefix expression name not found"),
    ('{"a": [{"prefix": {"wildcard": "x"}}]}', "Unsupported prefix pattern: wildcard"),
    ('{"a": [{"prefix": {"equals-ignore-case": 5}}]}', "equals-ignore-case match pattern must be a string"),
    ('{"a": [{"suffix": ["x"]}]}', "suffix match pattern must be a string"),
    ('{"a": [{"suffix": {"x": "x"}}]}', "Unsupported suffix pattern: x"),
    ('{"a": [{"equals-ignore-case": ["x"]}]}', "equals-ignore-case match pattern must be a string"),
    ('{"a": [{"exactly": 5}]}', "exact match pattern must be a string"),
    ('{"a": [{"wildcard": 5}]}', "wildcard match pattern must be a string"),
    ('{"a": [{"wildcard": ["x"]}]}', "wildcard match pattern must be a string"),
    ('{"a": [{"wildcard": "x**"}]}', "Consecutive wildcard characters at pos 2"),
    ('{"a": [{"wildcard": "\\\\x"}]}', "Invalid escape character at pos 1"),
    ('{"a": [{"exists": "true"}]}', "exists match pattern must be either true or false."),
    ('{"a": [{"numeric": 5}]}', "Value of numeric must be an array."),
    ('{"a": [{"numeric": [5]}]}', "Invalid member in numeric match: 5"),
    ('{"a": [{"numeric": []}]}', "Invalid member in numeric match: ]"),
    ('{"a": [{"numeric": ["=", "5"]}]}', "Value of equals must be numeric"),
    ('{"a": [{"numeric": [">", "5"]}]}', "Value of > must be numeric"),
    ('{"a": [{"numeric": ["=="]}]}', "Unrecognized numeric range operator: =="),
    ('{"a": [{"numeric": ["<", 5, ">", 3]}]}', "Too many elements in numeric expression"),
    ('{"a": [{"numeric": [">", 5, 3]}]}', "Bad value in numeric range: 3"),
    ('{"a": [{"numeric": [">", 5, ">=", 3]}]}', "Bad numeric range operator: >="),
    ('{"a": [{"numeric": [">", 5, "<", "x"]}]}', "Value of < must be numeric"),
    ('{"a": [{"numeric": [">", 5, "<", 7, 8]}]}', "Too many terms in numeric range expression"),
    ('{"a": [{"numeric": [">", 5, "<", 5]}]}', "Bottom must be less than top"),
    ('{"a": [{"numeric": [">", 5000000001]}]}', "Value must be between -5.0E9 and 5.0E9, inclusive"),
    (
        '{"a": [{"anything-but": true}]}',
        "Value of anything-but must be an array or single string/number value.",
    ),
    ('{"a": [{"anything-but": []}]}', "Inside anything but list, either all values are number or string, "),
    (
        '{"a": [{"anything-but": ["x", 5]}]}',
        "Inside anything but list, either all values are number or string, ",
    ),
    ('{"a": [{"anything-but": [null]}]}', "Inside anything but list, start|null|boolean is not supported."),
    ('{"a": [{"anything-but": {}}]}', "Anything-But expression name not found"),
    ('{"a": [{"anything-but": {"cidr": "x"}}]}', "Unsupported anything-but pattern: cidr"),
    ('{"a": [{"anything-but": {"prefix": 5}}]}', "prefix/suffix match pattern must be a string"),
    ('{"a": [{"anything-but": {"prefix": ""}}]}', "Null prefix/suffix not allowed"),
    ('{"a": [{"anything-but": {"suffix": [""]}}]}', "Null prefix/suffix not allowed"),
    ('{"a": [{"anything-but": {"wildcard": 5}}]}', "wildcard match pattern must be a string"),
    ('{"a": [{"anything-but": {"wildcard": "**"}}]}', "Consecutive wildcard characters at pos 1"),
    (
        '{"a": [{"anything-but": {"equals-ignore-case": [5]}}]}',
        "Inside anything-but/equals-ignore-case list, number|start|null|boolean is not supported.",
    ),
    ('{"a": [{"anything-but": "x", "prefix": "y"}]}', "Too many elements in numeric expression"),
    ('{"a": [{"cidr": 5}]}', "prefix match pattern must be a string"),
    ('{"a": [{"cidr": "10.0.0.0"}]}', "Malformed CIDR, one '/' required"),
    ('{"a": [{"cidr": "10.0.0.0/x"}]}', "Malformed CIDR, mask bits must be an integer"),
    ('{"a": [{"cidr": "10.0.0.0/-1"}]}', "Malformed CIDR, mask bits must not be negative"),
    ('{"a": [{"cidr": "10.0.0.0/32"}]}', "IPv4 mask bits must be < 32"),
    ('{"a": [{"cidr": "::1/128"}]}', "IPv6 mask bits must be < 128"),
    ('{"a": [{"cidr": "300.0.0.0/8"}]}', "Invalid IP address: 300.0.0.0"),
    ('{"a": [{"cidr": "example.com/8"}]}', "Nonstandard IP address: example.com"),
    ('{"$or": "x"}', '"$or" must be an object or an array'),
    ('{"$or": []}', "Empty arrays are not allowed"),
    ('{"$or": [{"a": [1]}]}', "Unrecognized match type a"),
    ('{"a": {"$or": [{"x": [1]}, {"prefix": ["y"]}]}}', "Unrecognized match type x"),
    ('{"a": [1]', "Unexpected end-of-input: expected close marker for Object"),
    ('{"a": ["x', "Unexpected end-of-input: was expecting closing quote for a string value"),
    ('{"a": [1}', "Unexpected close marker '}': expected ']' (for Array starting at"),
    ('{"a": [1 2]}', "Unexpected character ('2' (code 50)): was expecting comma to separate Array entries"),
    (
        '{"a" [1]}',
        "Unexpected character ('[' (code 91)): was expecting a colon to separate field name and value",
    ),
    ("{a: [1]}", "Unexpected character ('a' (code 97)): was expecting double-quote to start field name"),
    (
        "invalid",
        "Unrecognized token 'invalid': was expecting (JSON String, Number, Array, Object or token 'null', ",
    ),
    ('{"a": [1]} x', "Unrecognized token 'x'"),
    ('{"a": [1]} {}', "Trailing content after the pattern"),
    (
        '{"a": ["\x01"]}',
        "Illegal unquoted character ((CTRL-CHAR, code 1)): has to be escaped using backslash",
    ),
    ('{"a": ["\\x"]}', "Unrecognized character escape"),
]


@pytest.mark.parametrize(("text", "expected"), REASONS, ids=[text for text, _ in REASONS])
def test_a_pattern_is_refused_with_the_services_reason(text: str, expected: str) -> None:
    assert reason(text).startswith(expected)


def test_too_many_combinations_are_refused() -> None:
    alternatives = [{f"f{i}": [1]} for i in range(10)]
    pattern = {name: {"$or": alternatives} for name in "abc"}
    assert len(compile_document(pattern).branches) == 1000
    with pytest.raises(InvalidPatternError, match="rule combinations"):
        compile_document({**pattern, "d": {"$or": alternatives}})


def test_three_wildcards_with_two_asterisks_pass_and_four_do_not() -> None:
    """As reported in https://github.com/vals-ai/Valkyrie/pull/278."""
    stacks = [{"wildcard": f"*:stack/{name}Stack/*"} for name in ("Shared", "Web", "Bench", "Monitoring")]
    compile_document({"detail": {"stack-id": stacks[:3]}})
    with pytest.raises(InvalidPatternError, match=r"^Rule is too complex - try using fewer wildcard characters"):
        compile_document({"detail": {"stack-id": stacks}})


def test_wildcards_that_cannot_meet_are_not_counted_together() -> None:
    compile_document({"key": [{"wildcard": f"{letter}/*.png"} for letter in "abcdefghijklmnop"]})


def test_a_deep_pattern_is_refused() -> None:
    text = '{"a":' * 500 + "[1]" + "}" * 500
    assert "nesting depth" in reason(text)


def test_what_is_no_document_is_refused() -> None:
    with pytest.raises(InvalidPatternError):
        compile_document({"a": [b"bytes"]})
