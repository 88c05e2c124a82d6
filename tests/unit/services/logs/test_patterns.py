"""Filter patterns: what each form matches, what is refused, and that no pattern or message breaks the
matcher.
"""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fogbank.services.logs._patterns import InvalidPattern, compile_pattern
from fogbank.services.logs._patterns.regex import Regex, compile_regex

APACHE = (
    '127.0.0.1 - frank [10/Oct/2000:13:25:15 -0700] "GET /apache_pb.gif HTTP/1.0" 200 1534',
    '127.0.0.1 - frank [10/Oct/2000:13:35:22 -0700] "GET /apache_pb.gif HTTP/1.0" 500 5324',
    '127.0.0.1 - frank [10/Oct/2000:13:50:35 -0700] "GET /apache_pb.gif HTTP/1.0" 200 4355',
)


def matches(pattern: str, message: str) -> bool:
    compiled = compile_pattern(pattern)
    assert (compiled.extract(message) is not None) is compiled.matches(message)
    return compiled.matches(message)


@pytest.mark.parametrize(
    ("pattern", "hit", "miss"),
    [
        ("ERROR", "[ERROR 400] BAD REQUEST", "[error 400] BAD REQUEST"),
        ("ERROR ARGUMENTS", "[ERROR 419] MISSING ARGUMENTS", "[ERROR 400] BAD REQUEST"),
        ("?ERROR ?ARGUMENTS", "[INFO] INVALID ARGUMENTS PROVIDED", "[INFO] fine"),
        ('"INTERNAL SERVER ERROR"', "[ERROR 500] INTERNAL SERVER ERROR", "INTERNAL ERROR"),
        ("ERROR -ARGUMENTS", "[ERROR 400] BAD REQUEST", "[ERROR 420] INVALID ARGUMENTS"),
        ('-"[DEBUG]"', "anything", "x [DEBUG] y"),
        ('"[ERROR]" Exception', "[ERROR] InvalidQueryException", "[ERROR] Terminating"),
        (r'"say \"hi\""', 'they say "hi"', "they say hi"),
        ("%AUTHORIZED%", "[ERROR 401] UNAUTHORIZED REQUEST", "[ERROR 401] Unauthorized"),
        ("%^[hc]at%", "cat food", "the cat"),
        ("%[hc]at$%", "the hat", "hat stand"),
        (r"%\d{3} \x28ok\x29%", "got 200 (ok)", "got 20 (ok)"),
    ],
)
def test_terms(pattern: str, hit: str, miss: str) -> None:
    """Terms are case-sensitive parts of the message; `-` excludes, `?` makes optional, quotes keep a phrase
    whole.
    """
    assert matches(pattern, hit)
    assert not matches(pattern, miss)


@pytest.mark.parametrize("message", ["x", "", "two words"])
@pytest.mark.parametrize("pattern", ["", " ", '" "'])
def test_everything(pattern: str, message: str) -> None:
    """The empty pattern and the quoted blank match every event."""
    assert matches(pattern, message)


def test_optional_terms_beside_others_have_no_effect() -> None:
    """`?ERROR ?ARGUMENTS REQUEST` is the same as `REQUEST`, as documented."""
    assert matches("?ERROR ?ARGUMENTS REQUEST", "[INFO] REQUEST FAILED")
    assert not matches("?ERROR ?ARGUMENTS REQUEST", "[ERROR] INVALID ARGUMENTS")


@pytest.mark.parametrize(
    ("pattern", "extracted"),
    [
        (
            "[ip, identity, user_id, timestamp, request, status_code, size]",
            {"$ip": "127.0.0.1", "$identity": "-", "$user_id": "frank", "$timestamp": "10/Oct/2000:13:25:15 -0700",
             "$request": "GET /apache_pb.gif HTTP/1.0", "$status_code": "200", "$size": "1534"},
        ),
        (
            "[..., size]",
            {"$1": "127.0.0.1", "$2": "-", "$3": "frank", "$4": "10/Oct/2000:13:25:15 -0700",
             "$5": "GET /apache_pb.gif HTTP/1.0", "$6": "200", "$size": "1534"},
        ),
        (
            "[]",
            {"$1": "127.0.0.1", "$2": "-", "$3": "frank", "$4": "10/Oct/2000:13:25:15 -0700",
             "$5": "GET /apache_pb.gif HTTP/1.0", "$6": "200", "$7": "1534"},
        ),
        (
            "[..., request=*.gif*, status_code=2*,]",
            {"$1": "127.0.0.1", "$2": "-", "$3": "frank", "$4": "10/Oct/2000:13:25:15 -0700",
             "$request": "GET /apache_pb.gif HTTP/1.0", "$status_code": "200", "$7": "1534"},
        ),
    ],
)  # fmt: skip
def test_fields_are_extracted_by_name_or_number(pattern: str, extracted: dict[str, str]) -> None:
    """The examples of TestMetricFilter's documentation."""
    assert compile_pattern(pattern).extract(APACHE[0]) == extracted


@pytest.mark.parametrize(
    ("pattern", "numbers"),
    [
        ("[..., status_code=200, size]", [0, 2]),
        ("[..., status_code != 200, size]", [1]),
        ("[..., size > 4000]", [1, 2]),
        ("[..., size >= 1534 && size <= 4355]", [0, 2]),
        ("[..., status_code = 404 || status_code = 500, size]", [1]),
        ("[ip=%^127\\.%, ...]", [0, 1, 2]),
        ("[ip, identity, user_id, timestamp, request, status_code]", [0, 1, 2]),
        ("[ip, identity, user_id, timestamp, request, status_code, size, more]", []),
        ('[..., request="GET /apache_pb.gif HTTP/1.0", status, size]', [0, 1, 2]),
        ("[w1=127.0.0.1]", []),
        ("[w1=127.0.0.1, w2]", [0, 1, 2]),
        ("[w1!=127.0.0.1 && w1!=10.0.0.1, w2]", []),
        ("[ip, ..., status=5*, size]", [1]),
    ],
)
def test_fields_with_conditions(pattern: str, numbers: list[int]) -> None:
    """Conditions compare numbers, wildcards and expressions; a last field takes the rest of the message."""
    assert [i for i, message in enumerate(APACHE) if matches(pattern, message)] == numbers


DOCUMENT = {
    "eventType": "UpdateTrail",
    "sourceIPAddress": "111.111.111.111",
    "arrayKey": ["value", "another value"],
    "objectList": [{"name": "a", "id": 1}, {"name": "b", "id": 2}],
    "SomeObject": None,
    "cluster.name": "c",
    "emptyString": "",
    "someInt": 123,
    "someFloat": 12.34,
    "someFloat2": 12.0,
    "ThisFlag": True,
    "nested": {"a": {"b-c": "d"}},
    "big": 1e3,
    "quoted": 'say "hi"',
}


@pytest.mark.parametrize(
    "condition",
    [
        '$.eventType = "UpdateTrail"',
        "$.eventType = UpdateTrail",
        "$.sourceIPAddress != 123.123.*",
        '$.arrayKey[0] = "value"',
        "$.objectList[1].id = 2",
        "$.eventType = %Trail%",
        "$.arrayKey[*] = %val.{2}%",
        '$.arrayKey[*] = "another*"',
        r"$.* = %111\.111\.111\.1[0-9]{1,2}%",
        "$.['cluster.name'] = \"c\"",
        "$['eventType'] = UpdateTrail",
        "$.SomeObject IS NULL",
        "$.ThisFlag IS TRUE",
        "$.SomeOtherObject NOT EXISTS",
        "$.nested.x.y NOT EXISTS",
        '$.nested.a.b-c = "d"',
        "$.big = 1e+3",
        "$.big >= 1000",
        '$.quoted = "say \\"hi\\""',
        '($.someInt = 1 || $.someInt = 123) && $.eventType = "Up*"',
        '$.eventType = "UpdateTrail" || $.someInt = 1 && $.someInt = 2',
        # recorded from TestMetricFilter by the json_filter project, 2018
        '$.sourceIPAddress = "111.111.111.111"',
        "$.sourceIPAddress != 111*111",
        '$.sourceIPAddress = "*"',
        '$.emptyString = "*"',
        '$.sourceIPAddress = "*.111.111.111"',
        '$.sourceIPAddress = "111*"',
        '$.sourceIPAddress != "*222"',
        '$.someInt = "123"',
        '$.someInt != "123.0"',
        "$.someInt = 123.0",
        "$.someInt = *",
        '$.someInt = "12*"',
        "$.someInt = *3",
        "$.someInt != 3*",
        '$.someFloat2 != "12"',
        "$.someFloat2 = 12",
        '$.someFloat = "12.*"',
        "$.someFloat = *.34",
        '$.someFloat != "4*1"',
        "$.someFloat <       100.0",
    ],
)
def test_conditions_on_json_that_hold(condition: str) -> None:
    """Documented and recorded matches."""
    assert matches("{ " + condition + " }", json.dumps(DOCUMENT))
    assert matches("{" + condition + "}", json.dumps(DOCUMENT, indent=2))


@pytest.mark.parametrize(
    "condition",
    [
        '$.eventType = "updatetrail"',
        "$.ThisFlag IS FALSE",
        "$.ThisFlag IS NULL",
        "$.SomeObject NOT EXISTS",
        "$.objectList[2].id = 2",
        "$.objectList[1].number = 2",
        '$.ThisFlag[0] = "value"',
        '$.arrayKey = "value"',
        '$.arrayKey != "value"',
        '$.notThere = "x"',
        '$.notThere != "x"',
        "$.nested > 1",
        "$.eventType > 123",
        "$.sourceIPAddress <= 123",
        '$.sourceIPAddress = "11*1"',
        '$.sourceIPAddress = "*111.111.111"',
        '($.eventType = "UpdateTrail" || $.someInt = 1) && $.someInt = 2',
        '($.someInt = 2 && $.eventType = "x") || $.arrayKey[1] = "GET"',
    ],
)
def test_conditions_on_json_that_do_not_hold(condition: str) -> None:
    """Documented and recorded misses: also that what is not there is neither equal nor unequal."""
    assert not matches("{ " + condition + " }", json.dumps(DOCUMENT))


@pytest.mark.parametrize("message", ["", "plain", "{", '{"a": NaN}', "[" * 5000, '"a"', "7", "null"])
def test_what_is_no_json_document_matches_no_json_pattern(message: str) -> None:
    """Neither a comparison nor an absence holds of a message that is not JSON."""
    assert not matches("{ $.a NOT EXISTS }", message)
    assert not matches("{ $.a != 1 }", message)


def test_json_patterns_extract_what_they_select() -> None:
    """Selected strings and numbers, as they were written."""
    pattern = compile_pattern('{ $.someFloat2 = * && $.eventType = "*" }')
    assert pattern.extract(json.dumps(DOCUMENT)) == {"$.someFloat2": "12.0", "$.eventType": "UpdateTrail"}


@pytest.mark.parametrize(
    ("pattern", "detail"),
    [
        ("?Status: timeout", "Invalid character(s) in term ':'"),
        ("!(a)", "Invalid character(s) in term '!('"),
        ("a,b", "Invalid character(s) in term ','"),
        ('""', "Invalid character(s) in term '\"\"'"),
        ("%a!%", "Invalid character(s) in term '!'"),
        ("%a(b)%", "Invalid character(s) in term '('"),
        ('{ $."sc-status" = 5* }', "Invalid character(s) in term '$.\"'"),
        ('{ $.m = "a", $.p = "b" }', "Invalid character(s) in term ','"),
        ('{ $.a >= "someString" }', "Invalid character(s) in term '\"someString\"'"),
        ("{ $.a < someString }", "Invalid character(s) in term '\"someString\"'"),
        ('{ $.a > "123" }', "Invalid character(s) in term '\"123\"'"),
        ("{ $.a = %x% && $.b = %y% && $.c = %z% }", ""),
        ("{ $.*.* = 1 }", ""),
        ("{ $.a.* = 1 || $.b.* = 1 || $.c.* = 1 || $.d.* = 1 }", ""),
        ("{ $.a EXISTS }", ""),
        ("{ $.a IS NOT NULL }", ""),
        ("{ $.a }", ""),
        ("{ }", ""),
        ("{ $.a = 1", ""),
        ("[a, b", ""),
        ("[..., a, ...]", ""),
        ("[a=x || b=x]", ""),
        ("{" + "(" * 500 + "$.a = 1" + ")" * 500 + "}", ""),
        ("%a**%", ""),
        ("%[a%", ""),
        ("%a{3,1}%", ""),
        ("%a{9999}%", ""),
        ("%%", ""),
    ],
)
def test_refused(pattern: str, detail: str) -> None:
    """What is no pattern is refused; where AWS names the characters, so do we (recorded in public issues)."""
    with pytest.raises(InvalidPattern) as caught:
        compile_pattern(pattern)
    assert caught.value.detail.startswith(detail)


@given(
    st.text(max_size=40) | st.from_regex(r"[{\[%][ $.\w=<>&|()*?\"%,!-]{0,40}[}\]%]?", fullmatch=True),
    st.text(),
)
@example("{ $.a = %a% }", "{}")
def test_any_text_compiles_or_is_refused_and_then_matches_or_not(pattern: str, message: str) -> None:
    """No other error comes out, whatever goes in."""
    try:
        compiled = compile_pattern(pattern)
    except InvalidPattern:
        return
    assert (compiled.extract(message) is not None) is compiled.matches(message)


_ATOMS = st.sampled_from(["a", "b", ".", "[ab]", "[^a]", r"\d", r"\W", r"\.", "1", " "])
_REPEATS = st.sampled_from(["", "", "", "?", "*", "+", "{2}", "{1,}", "{,2}", "{0,3}"])
_ALTERNATIVES = st.builds(
    lambda start, items, end: start + "".join(a + r for a, r in items) + end,
    st.sampled_from(["", "^"]),
    st.lists(st.tuples(_ATOMS, _REPEATS), min_size=1, max_size=6),
    st.sampled_from(["", "$"]),
)


@given(st.lists(_ALTERNATIVES, min_size=1, max_size=3), st.text(alphabet="ab1. \né", max_size=12))
def test_both_engines_of_regular_expressions_agree(alternatives: list[str], text: str) -> None:
    """The simulation, used where `re` could take too long, finds exactly what `re` finds."""
    source = "|".join(alternatives)
    native = compile_regex(source)
    simulated = Regex(native.alternatives, native.native, degree=10_000)
    text = text or "b"  # a power of no length is no bound
    assert simulated.search(text * 2) is (native.native.search(text * 2) is not None)


def test_a_hostile_expression_takes_one_pass() -> None:
    """`.*.*.*x` over a long message without an x: `re` would need the cube of its length."""
    regex = compile_regex(".*.*.*.*x$")
    assert regex.search("a" * 20_000) is False
    assert regex.search("a" * 20_000 + "x") is True
