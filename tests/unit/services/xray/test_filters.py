"""Filter expressions: the guide's examples, the grammar, and what is refused."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fogbank.core.errors import NotImplementedByFogbank
from fogbank.services.xray._filters import BOOLEANS, compile_filter
from fogbank.services.xray._subjects import subject_of
from fogbank.services.xray.errors import InvalidRequestError

TRACE = "1-5759e988-bd862e3fe1be46a994272793"
ROOT: dict[str, Any] = {
    "id": "53995c3f42cd8ad8",
    "trace_id": TRACE,
    "name": "api.example.com",
    "start_time": 100.0,
    "end_time": 106.0,
    "user": "ada",
    "http": {
        "request": {
            "url": "http://api.example.com/v2/orders",
            "method": "POST",
            "user_agent": "curl",
            "client_ip": "::1",
        },
        "response": {"status": 200},
    },
    "annotations": {"account": "12345", "items": 3, "gift": True},
    "aws": {"account_id": "000000000000"},
    "subsegments": [
        {
            "id": "1" * 16,
            "name": "DynamoDB",
            "namespace": "aws",
            "start_time": 101.0,
            "end_time": 101.5,
            "throttle": True,
        },
        {"id": "2" * 16, "name": "pay.example.com", "namespace": "remote", "start_time": 102.0, "end_time": 103.0},
    ],
}
BACKEND: dict[str, Any] = {
    "id": "3" * 16,
    "trace_id": TRACE,
    "parent_id": "2" * 16,
    "name": "pay.example.com",
    "origin": "AWS::Lambda::Function",
    "start_time": 102.1,
    "end_time": 102.9,
    "fault": True,
    "cause": {"exceptions": [{"id": "4" * 16, "type": "ValueError", "message": "no such card"}]},
    "annotations": {"card": "visa"},
}
SUBJECT = subject_of([ROOT, BACKEND])
GROUPS = {"slow": "responsetime > 5", "round": 'group.name = "round"'}


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("responsetime > 5", True),
        ("duration >= 5 AND duration <= 8", True),
        ("duration > 6", False),
        ('service("api.example.com") { fault = true OR responsetime > 2.5 } AND annotation.account = "12345"', True),
        ('edge("api.example.com", "pay.example.com") { fault = true }', True),
        ('edge("pay.example.com", "api.example.com")', False),
        ('http.url BEGINSWITH "http://api.example.com/" AND http.url CONTAINS "/v2/" AND !service("gone")', True),
        ("ok !partial duration <3", False),
        ("ok !partial duration <30", True),
        ("fault", False),
        ("service() { fault }", True),
        ('service(id(name: "pay.example.com", type: "AWS::Lambda::Function")) { fault }', True),
        ('service(id(name: "pay.example.com", type: "AWS::EC2"))', False),
        ('service(id(account.id: "000000000000"))', True),
        ('service("DynamoDB") { throttle AND inferred }', True),
        ("edge(, ) { throttle }", True),
        ("annotation[items] >= 3 AND annotation[items] < 4", True),
        ("annotation.gift = true", True),
        ("annotation.gift = false", False),
        ("annotation[gift]", True),
        ("annotation[none]", False),
        ('annotation[card] BEGINSWITH "vi"', True),
        ('annotation.account != "12345"', False),
        ('user = "ada" AND http.method = "POST" AND http.status = 200', True),
        ('http.useragent ENDSWITH "url" AND http.clientip = "::1"', True),
        ('message CONTAINS "card"', True),
        ('name = "DynamoDB" AND type != "AWS::EC2"', True),
        ('group.name = "slow"', True),
        ("((ok))", True),
        ("!(ok AND root)", False),
        ("error = false or fault != false", True),
    ],
)
def test_expressions_mean_what_the_guide_says(text: str, *, matches: bool) -> None:
    """https://docs.aws.amazon.com/xray/latest/devguide/xray-console-filters.html"""
    assert compile_filter(text, GROUPS)(SUBJECT) is matches


@pytest.mark.parametrize(
    "text",
    [
        "", "responsetime", "responsetime > fast", 'responsetime > "5"', "ok AND", "AND ok", "(ok", "ok)", "sideways",
        'http.url > "x"', "http.url = 5", "http.url BEGINSWITH", "ok = maybe", "service(5)", 'service("a"', 'edge("a")',
        'service("a") { ', 'service(id(colour: "red"))', 'service(id(name "red"))', "annotation[x] <",
        "annotation.x < true", "annotation.x BEGINSWITH 5", 'group.name = "gone"', 'group.name = "round"', "#",
        '"text"', "!" * 100 + "ok", "(" * 100 + "ok" + ")" * 100,
    ],
)  # fmt: skip
def test_what_is_no_expression_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequestError, match="Invalid filter expression"):
        compile_filter(text, GROUPS)


def test_what_is_left_out_is_said_by_name() -> None:
    with pytest.raises(NotImplementedByFogbank, match="rootcause"):
        compile_filter("rootcause.fault.service = 1", {})


@given(st.text(max_size=60))
def test_any_text_is_an_expression_or_refused(text: str) -> None:
    with contextlib.suppress(InvalidRequestError, NotImplementedByFogbank):
        compile_filter(text, GROUPS)(SUBJECT)


words = st.sampled_from(
    [*sorted(BOOLEANS), "responsetime", "http.url", "annotation[a]", "service", "edge", "id", "(", ")", "{", "}", "!",
     "=", "<", "AND", "OR", '"x"', "5", ",", ":", "true", "name"]
)  # fmt: skip


@given(st.lists(words, max_size=14))
def test_any_tokens_are_an_expression_or_refused(tokens: list[str]) -> None:
    with contextlib.suppress(InvalidRequestError):
        compile_filter(" ".join(tokens), {})(SUBJECT)


flags = st.sampled_from(["ok", "fault", "error", "partial", "root"])
expressions = st.recursive(
    flags,
    lambda inner: st.one_of(
        st.builds("!({})".format, inner),
        st.builds("({}) AND ({})".format, inner, inner),
        st.builds("({}) OR ({})".format, inner, inner),
    ),
    max_leaves=8,
)


@given(expressions)
def test_not_turns_an_expression_round(text: str) -> None:
    """And an expression beside itself, in any way, is itself."""
    value = compile_filter(text, {})(SUBJECT)
    assert compile_filter(f"!({text})", {})(SUBJECT) is not value
    for form in ("({0}) AND ({0})", "({0}) OR ({0})", "({0}) ({0})"):
        assert compile_filter(form.format(text), {})(SUBJECT) is value


@given(expressions, expressions)
def test_and_binds_closer_than_or(one: str, two: str) -> None:
    value = compile_filter(f"ok OR ({one}) AND ({two})", {})(SUBJECT)
    assert value is compile_filter(f"ok OR (({one}) AND ({two}))", {})(SUBJECT)
