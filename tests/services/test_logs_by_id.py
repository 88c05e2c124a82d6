"""`fogbank logs` by trace, request and correlation id, by level and function; Powertools Logger unmodified."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from tests.conftest import ServerProcess
from tests.services.lambda_code import create, with_powertools

from fogbank.cli.app import main
from fogbank.cli.failures import Exit

pytestmark = pytest.mark.slow
PLAIN = """
import logging

def handler(event, context):
    print("plain", event["n"])
    logging.getLogger().error("broken %s", event["n"])
"""
POWERTOOLS = """
from aws_lambda_powertools import Logger

logger = Logger(service="orders")

@logger.inject_lambda_context(correlation_id_path="correlation_id")
def handler(event, context):
    logger.info("taken", extra={"n": event["n"]})
    logger.warning("late")
"""


@dataclass(frozen=True)
class Printed:
    """What a command left."""

    code: int
    out: str

    @property
    def lines(self) -> list[dict[str, Any]]:
        """The JSON documents that it printed, one a line."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def messages(self) -> list[str]:
        """Their texts."""
        return [line["message"].strip() for line in self.lines]


Fogbank = Callable[..., Printed]


@pytest.fixture
def fogbank(server: ServerProcess, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Fogbank:
    """Runs commands against the server."""
    monkeypatch.setenv("FOGBANK_ENDPOINT", server.endpoint)
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments: str) -> Printed:
        capsys.readouterr()
        with pytest.raises(SystemExit) as left:
            main(arguments)
        return Printed(int(left.value.code or 0), capsys.readouterr().out)

    return run


def until(fogbank: Fogbank, count: int, text: str, *arguments: str) -> Printed:
    """What a command prints once `count` of its lines have a text: a log is written a moment after the answer."""
    for _ in range(300):
        printed = fogbank(*arguments)
        if printed.out.count(text) >= count:
            return printed
    raise AssertionError(printed.out)


def invoke(server: ServerProcess, name: str, **payload: Any) -> str:
    """Invoke a function; the request's id."""
    reply = server.client("lambda").invoke(FunctionName=name, Payload=json.dumps(payload))
    assert "FunctionError" not in reply, reply["Payload"].read()
    found: str = reply["ResponseMetadata"]["RequestId"]
    return found


def test_plain_lines_are_found_by_the_ids_of_their_event(fogbank: Fogbank, server: ServerProcess) -> None:
    """A print has no id in it; it is found by request, trace and correlation id all the same."""
    lam = server.client("lambda")
    create(lam, PLAIN, "one")
    create(lam, PLAIN, "two")
    first = invoke(server, "one", n=1, headers={"X-Correlation-Id": "abc"})
    invoke(server, "one", n=2, correlation_id="other")
    invoke(server, "two", n=3, correlation_id="abc")
    printed = until(fogbank, 2, "REPORT", "logs", "--correlation-id", "abc", "--json")
    assert [text for text in printed.messages if text.startswith("plain")] == ["plain 1", "plain 3"]
    assert {line["group"] for line in printed.lines} == {"/aws/lambda/one", "/aws/lambda/two"}
    (line,) = [each for each in printed.lines if each["message"].startswith("plain 1")]
    assert (line["requestId"], line["correlationIds"]) == (first, ["abc"])
    by_trace = fogbank("logs", "--trace", line["traceId"], "--json")
    assert "plain 1" in by_trace.messages
    by_request = fogbank("logs", "--request-id", first, "--json")
    assert by_request.messages[1].startswith("START RequestId")
    assert "plain 2" not in by_request.messages
    of_one = fogbank("logs", "two", "--correlation-id", "abc", "--json")
    assert [text for text in of_one.messages if text.startswith("plain")] == ["plain 3"]
    errors = fogbank("logs", "one", "--level", "error", "--json")
    assert [text.rpartition("\t")[2] for text in errors.messages] == ["broken 1", "broken 2"]
    assert errors.lines[0]["requestId"] == first
    assert fogbank("logs", "one", "--until", "5m").out == ""
    assert fogbank("logs").code == Exit.USAGE
    assert fogbank("logs", "--trace", "1-0-0", "--request-id", "x").code == Exit.USAGE


def test_powertools_logger_works_unmodified(fogbank: Fogbank, server: ServerProcess) -> None:
    """JSON lines with the request's, the trace's and the event's ids; found by each, and by level and pattern."""
    create(server.client("lambda"), name="f", Code={"ZipFile": with_powertools(POWERTOOLS)}, Timeout=30)
    request = invoke(server, "f", n=1, correlation_id="abc")
    invoke(server, "f", n=2, correlation_id="other")
    printed = until(fogbank, 1, "late", "logs", "--correlation-id", "abc", "--json")
    documents = [json.loads(text) for text in printed.messages if text.startswith("{")]
    assert [(each["message"], each["level"]) for each in documents] == [("taken", "INFO"), ("late", "WARNING")]
    assert {each["function_request_id"] for each in documents} == {request}
    assert {each["correlation_id"] for each in documents} == {"abc"}
    assert {each["xray_trace_id"] for each in documents} == {printed.lines[0]["traceId"]}
    warnings = until(fogbank, 2, "late", "logs", "f", "--level", "WARN", "--json")
    assert [json.loads(text)["message"] for text in warnings.messages] == ["late", "late"]
    found = fogbank("logs", "f", "--filter", '{ $.correlation_id = "other" && $.n = 2 }', "--json")
    assert [json.loads(text)["message"] for text in found.messages] == ["taken"]
