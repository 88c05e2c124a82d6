"""HTTP tasks: what parameters and credentials become a request, without a network."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fogbank.core.http.client import HttpReply
from fogbank.delivery.connections import Credentials
from fogbank.services.states._http_tasks import form, read, result_of
from fogbank.services.states._integrations import TaskError

ARN = "arn:aws:events:us-east-1:000000000000:connection/c/1"


def parameters(**more: Any) -> dict[str, Any]:
    fixed = {"ApiEndpoint": "https://example.com/a?b=c", "Method": "POST", "InvocationConfig": {"ConnectionArn": ARN}}
    return fixed | more


def test_the_connections_parameters_count_where_both_have_one() -> None:
    call = read(parameters(Headers={"X-A": "task", "X-B": "task"}, QueryParameters={"q": "task", "r": "task"}))
    credentials = Credentials((("x-a", "connection"),), (("q", "connection"),), ())
    _, url, headers, _ = call.request(credentials, "us-east-1")
    assert url == "https://example.com/a?b=c&r=task&q=connection"
    assert [value for name, value in headers if name.lower() == "x-a"] == ["connection"]
    assert ("X-B", "task") in headers


def test_body_fields_that_both_have_are_an_error() -> None:
    call = read(parameters(RequestBody={"a": 1}))
    with pytest.raises(TaskError) as caught:
        call.request(Credentials(body=(("a", "2"),)), "us-east-1")
    assert caught.value.error == "States.Runtime"
    *_, body = call.request(Credentials(body=(("b", "2"),)), "us-east-1")
    assert body == b'{"a":1,"b":"2"}'


@pytest.mark.parametrize(
    ("arrays", "text"),
    [
        ("INDICES", "a[0]=1&a[1]=2"),
        ("REPEAT", "a=1&a=2"),
        ("COMMAS", "a=1%2C2"),
        ("BRACKETS", "a[]=1&a[]=2"),
    ],
)
def test_arrays_of_a_form(arrays: str, text: str) -> None:
    assert form({"a": [1, 2]}, arrays) == text


@given(st.dictionaries(st.text(min_size=1), st.text(min_size=1)))
def test_a_flat_form_reads_back(body: dict[str, str]) -> None:
    assert dict(parse_qsl(form(body, "INDICES"), keep_blank_values=True)) == body


@pytest.mark.parametrize(
    "more",
    [
        {"Method": "TRACE"},
        {"ApiEndpoint": "ftp://example.com"},
        {"ApiEndpoint": "https://user:password@example.com"},
        {"InvocationConfig": {}},
        {"Headers": {"Authorization": "x"}},
        {"Headers": {"X-Amzn-Trace-Id": "x"}},
        {"Headers": []},
        {"Unknown": 1},
        {"Transform": {"RequestEncodingOptions": {"ArrayFormat": "X"}}},
    ],
)
def test_parameters_that_are_not_in_order(more: dict[str, Any]) -> None:
    with pytest.raises(TaskError) as caught:
        read(parameters(**more))
    assert caught.value.error == "States.Runtime"


def reply(status: int, kind: str, body: bytes) -> HttpReply:
    return HttpReply(status, "OK", (("Content-Type", kind),), body)


def test_an_answer_is_decoded_where_it_says_that_it_is_json() -> None:
    assert '"ResponseBody":{"a":1}' in result_of(reply(200, "application/json; charset=utf-8", b'{"a":1}'))
    assert '"ResponseBody":"{\\"a\\":1}"' in result_of(reply(200, "text/plain", b'{"a":1}'))


@pytest.mark.parametrize(
    ("status", "kind", "body", "error"),
    [
        (200, "image/png", b"", "States.Runtime"),
        (200, "text/plain", b"\xff", "States.Runtime"),
        (302, "text/plain", b"", "States.Http.StatusCode.302"),
        (500, "application/json", b"{}", "States.Http.StatusCode.500"),
    ],
)
def test_answers_that_are_errors(status: int, kind: str, body: bytes, error: str) -> None:
    with pytest.raises(TaskError) as caught:
        result_of(reply(status, kind, body))
    assert caught.value.error == error
