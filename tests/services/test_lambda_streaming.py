"""Responses that are streamed: through the Runtime API, InvokeWithResponseStream, and the limits on the way."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.services.environments import PYTHON, needs_node
from tests.services.lambda_code import ROLE, bundle, create

pytestmark = pytest.mark.slow

Aws = Callable[..., Any]

BOOTSTRAP = f"""#!{PYTHON}
# A custom runtime that streams what the event says: pieces of text, files to wait for, an error in the trailers.
import base64, http.client, json, os
api = os.environ["AWS_LAMBDA_RUNTIME_API"]
while True:
    connection = http.client.HTTPConnection(api)
    connection.request("GET", "/2018-06-01/runtime/invocation/next")
    reply = connection.getresponse()
    event = json.loads(reply.read())
    path = "/2018-06-01/runtime/invocation/" + reply.headers["Lambda-Runtime-Aws-Request-Id"] + "/response"
    connection.putrequest("POST", path)
    connection.putheader("Lambda-Runtime-Function-Response-Mode", "streaming")
    connection.putheader("Transfer-Encoding", "chunked")
    connection.putheader("Content-Type", event.get("type", "text/plain"))
    connection.putheader("Trailer", "Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body")
    connection.endheaders()
    for piece in event["pieces"]:
        if piece.startswith("wait:"):
            open(piece[5:]).read()
            continue
        if piece == "exit":
            os._exit(7)
        if piece.startswith("large:"):
            piece = "x" * int(piece[6:])
        connection.send(b"%x\\r\\n%s\\r\\n" % (len(piece.encode()), piece.encode()))
    trailers = b""
    if "error" in event:
        body = base64.b64encode(json.dumps({{"errorMessage": "no", "errorType": event["error"]}}).encode())
        trailers = b"Lambda-Runtime-Function-Error-Type: %s\\r\\nLambda-Runtime-Function-Error-Body: %s\\r\\n" % (
            event["error"].encode(), body)
    connection.send(b"0\\r\\n" + trailers + b"\\r\\n")
    print("status", connection.getresponse().status, flush=True)
    connection.close()
"""


@pytest.fixture
def lam(aws: Aws) -> Any:
    return aws("lambda")


def custom(lam: Any, **more: Any) -> None:
    """A function with the runtime above."""
    lam.create_function(
        **{
            "FunctionName": "f",
            "Runtime": "provided.al2023",
            "Handler": "x",
            "Role": ROLE,
            "Timeout": 20,
            "Code": {"ZipFile": bundle({"bootstrap": BOOTSTRAP})},
            **more,
        }
    )


def node(lam: Any, source: str) -> None:
    """A Node.js function of one ES module."""
    code = {"ZipFile": bundle({"app.mjs": source})}
    lam.create_function(FunctionName="f", Runtime="nodejs20.x", Handler="app.handler", Role=ROLE, Timeout=20, Code=code)


def stream(lam: Any, document: Any = None, **more: Any) -> Iterator[dict[str, Any]]:
    """The events of a streamed invocation, as they come."""
    reply = lam.invoke_with_response_stream(FunctionName="f", Payload=json.dumps(document), **more)
    assert reply["StatusCode"] == 200
    assert reply["ExecutedVersion"] == "$LATEST"
    return iter(reply["EventStream"])


def text(events: Iterator[dict[str, Any]]) -> tuple[str, dict[str, Any]]:
    """The payload put together, and how it ended."""
    pieces, complete = [], {}
    for event in events:
        if "PayloadChunk" in event:
            pieces.append(event["PayloadChunk"]["Payload"])
        else:
            complete = event["InvokeComplete"]
    return b"".join(pieces).decode(), complete


def test_pieces_arrive_while_the_function_still_runs(lam: Any, tmp_path: Path) -> None:
    custom(lam)
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    events = stream(lam, {"pieces": ["one", f"wait:{gate}", "two"]}, LogType="Tail")
    assert next(events)["PayloadChunk"]["Payload"] == b"one"
    gate.write_text("")  # only now can the function go on
    rest, complete = text(events)
    assert rest == "two"
    assert "ErrorCode" not in complete
    assert "REPORT RequestId" in base64.b64decode(complete["LogResult"]).decode()


def test_an_error_in_the_trailers_ends_the_stream(lam: Any) -> None:
    custom(lam)
    found, complete = text(stream(lam, {"pieces": ["half"], "error": "Mine.Broke"}))
    assert found == "half"
    assert complete["ErrorCode"] == "Mine.Broke"
    assert json.loads(complete["ErrorDetails"]) == {"errorMessage": "no", "errorType": "Mine.Broke"}


def test_a_runtime_that_exits_in_the_middle(lam: Any) -> None:
    custom(lam)
    found, complete = text(stream(lam, {"pieces": ["half", "exit"]}))
    assert found == "half"
    assert complete["ErrorCode"] == "Runtime.ExitError"
    assert "exit status 7" in complete["ErrorDetails"]
    assert text(stream(lam, {"pieces": ["again"]}))[0] == "again"


def test_invoke_reads_a_streamed_response_whole(lam: Any) -> None:
    custom(lam)
    reply = lam.invoke(FunctionName="f", Payload=json.dumps({"pieces": ['"one', ' two"']}))
    assert reply["Payload"].read() == b'"one two"'
    reply = lam.invoke(FunctionName="f", Payload=json.dumps({"pieces": ["half"], "error": "Mine"}))
    assert reply["FunctionError"] == "Unhandled"
    assert json.loads(reply["Payload"].read())["errorType"] == "Mine"
    reply = lam.invoke(FunctionName="f", Payload=json.dumps({"pieces": ["large:6291557"]}))
    found = json.loads(reply["Payload"].read())
    assert found["errorType"] == "Function.ResponseSizeTooLarge"
    assert found["errorMessage"] == "Response payload size exceeded maximum allowed payload size (6291556 bytes)."


def test_a_response_larger_than_invoke_allows_is_streamed(lam: Any) -> None:
    custom(lam)
    found, complete = text(stream(lam, {"pieces": ["large:3200000"] * 2}))
    assert len(found) == 6_400_000
    assert complete == {}


def test_a_function_that_does_not_stream_is_one_piece(lam: Any) -> None:
    create(lam, "def handler(event, context):\n    if event: raise KeyError('x')\n    return {'a': 1}\n")
    assert text(stream(lam)) == ('{"a": 1}', {})
    found, complete = text(stream(lam, 1))
    assert found == ""
    assert complete["ErrorCode"] == "Unhandled"
    assert json.loads(complete["ErrorDetails"])["errorType"] == "KeyError"


def test_what_cannot_be_invoked_is_no_stream(lam: Any) -> None:
    with pytest.raises(lam.exceptions.ResourceNotFoundException, match="Function not found"):
        stream(lam)
    create(lam)
    with pytest.raises(lam.exceptions.InvalidRequestContentException):
        lam.invoke_with_response_stream(FunctionName="f", Payload=b"{")
    with pytest.raises(lam.exceptions.RequestTooLargeException, match="byte payload is too large for the Requ"):
        lam.invoke_with_response_stream(FunctionName="f", Payload=b"1" * 6291457)
    lam.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=0)
    with pytest.raises(lam.exceptions.TooManyRequestsException, match="Rate Exceeded"):
        stream(lam)
    reply = lam.invoke_with_response_stream(FunctionName="f", InvocationType="DryRun")
    assert reply["ResponseMetadata"]["HTTPStatusCode"] == 204
    reply["EventStream"].close()


@needs_node
def test_node_streams_with_the_metadata_of_a_response(lam: Any) -> None:
    node(
        lam,
        """
        export const handler = awslambda.streamifyResponse(async (event, output, context) => {
          if (event === "early") throw new TypeError("no");
          const metadata = { statusCode: 201, headers: { "X-A": "b" } };
          output = awslambda.HttpResponseStream.from(output, metadata);
          output.write("one");
          if (event === "late") throw new RangeError("after");
          output.write(Buffer.from(" two"));
          output.end(" " + context.awsRequestId.length);
        });
        """,
    )
    found, complete = text(stream(lam, 1))
    assert found == '{"statusCode":201,"headers":{"X-A":"b"}}' + "\0" * 8 + "one two 36"
    assert complete == {}
    found, complete = text(stream(lam, "early"))
    assert (found, complete["ErrorCode"]) == ("", "Unhandled")
    assert json.loads(complete["ErrorDetails"])["errorType"] == "TypeError"
    found, complete = text(stream(lam, "late"))
    assert found.endswith("one")
    assert complete["ErrorCode"] == "RangeError"
    assert json.loads(complete["ErrorDetails"])["errorMessage"] == "after"
    assert text(stream(lam, 1))[1] == {}


@needs_node
def test_node_pipes_into_the_stream(lam: Any) -> None:
    node(
        lam,
        """
        import { pipeline } from "node:stream/promises";
        import { Readable } from "node:stream";
        export const handler = awslambda.streamifyResponse(async (event, output) => {
          output.setContentType("text/plain");
          await pipeline(Readable.from(["a".repeat(100000), "b"]), output);
        });
        """,
    )
    found, complete = text(stream(lam, 1))
    assert (len(found), found[-2:], complete) == (100_001, "ab", {})
