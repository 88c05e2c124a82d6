"""Rules of composite alarms: the grammar of PutCompositeAlarm."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fogbank.services.cloudwatch._rules import compile_rule
from fogbank.services.cloudwatch.errors import RuleError

STATES = {"a": "ALARM", "b": "OK", "c c": "INSUFFICIENT_DATA"}


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("ALARM(a)", True), ("ALARM(b)", False), ('ALARM("a") AND OK( b )', True), ("NOT ALARM(a)", False),
        ("ALARM(b) OR ALARM(a) AND NOT OK(b)", False), ("(ALARM(b) OR ALARM(a)) AND OK(b)", True), ("TRUE", True),
        ("FALSE OR TRUE", True), ('INSUFFICIENT_DATA("c c")', True), ("INSUFFICIENT_DATA(c c)", True),
        ("ALARM(arn:aws:cloudwatch:us-east-1:000000000000:alarm:a)", True), ("ALARM(gone)", False),
        ("NOT (NOT (TRUE))", True), ("NOT NOT TRUE", True),
    ],
)  # fmt: skip
def test_a_rule_holds(text: str, holds: bool) -> None:
    """AND binds closer than OR, NOT closest; names may be quoted, or ARNs."""
    assert compile_rule(text).test(STATES) is holds


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("()", "Error in AlarmRule [Unsupported token ')' at char 1]"),
        ("ALARM(a) XOR OK(b)", "Error in AlarmRule [Unsupported token 'XOR' at char 9]"),
        ("ALARM a", "Error in AlarmRule [Unsupported token 'a' at char 6]"),
        ("ALARM(a) AND", "Error in AlarmRule [Unexpected end of rule]"),
        ("(TRUE", "Error in AlarmRule [Unexpected end of rule]"),
        ("alarm(a)", "Error in AlarmRule [Unsupported token 'alarm' at char 0]"),
        ("ALARM()", "Error in AlarmRule [Unsupported token '(' at char 5]"),
        ("(" * 200 + "TRUE" + ")" * 200, "Error in AlarmRule [The rule is nested too deeply]"),
    ],
)
def test_what_is_no_rule_is_refused(text: str, message: str) -> None:
    """With what was found, and where, as AWS was seen to say it."""
    with pytest.raises(RuleError) as caught:
        compile_rule(text)
    assert caught.value.message == message


def test_a_rule_is_bounded() -> None:
    """At most 100 alarms."""
    with pytest.raises(RuleError, match="at most 100"):
        compile_rule(" OR ".join(f"ALARM(a{n})" for n in range(101)))


rules = st.recursive(
    st.sampled_from([("TRUE", True), ("FALSE", False), ("ALARM(a)", True), ('OK("a")', False)]),
    lambda inner: st.one_of(
        inner.map(lambda x: (f"NOT ({x[0]})", not x[1])),
        st.tuples(inner, inner).map(lambda t: (f"({t[0][0]}) AND ({t[1][0]})", t[0][1] and t[1][1])),
        st.tuples(inner, inner).map(lambda t: (f"({t[0][0]}) OR ({t[1][0]})", t[0][1] or t[1][1])),
    ),
    max_leaves=10,
)


@given(rules)
def test_rules_agree_with_logic(rule: tuple[str, bool]) -> None:
    """Whatever is combined has the value that Python gives it."""
    assert compile_rule(rule[0]).test(STATES) is rule[1]


@given(st.text(alphabet='ALRMOKNTFUSED() "ab', max_size=40))
def test_any_text_is_a_rule_or_an_error(text: str) -> None:
    """The parser of outside text fails in one way only."""
    with contextlib.suppress(RuleError):
        compile_rule(text).test(STATES)
