"""The Runtime API, to the letter: what it answers to requests of each kind, in each state."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.services.environments import Make, event, lines, until

from fogbank.runtime import Interpreters, Runtime

pytestmark = pytest.mark.asyncio(loop_scope="session")

BOOTSTRAP = f"""#!{Interpreters().own.path} -S
import http.client, json, os
api = os.environ["AWS_LAMBDA_RUNTIME_API"]
base = "/2018-06-01/runtime/"
connection = http.client.HTTPConnection(api)
def call(method, path, body=None, headers={{}}):
    connection.request(method, base + path, body, headers)
    reply = connection.getresponse()
    text = reply.read()
    return reply.status, reply.headers, json.loads(text)
found = {{}}
def note(name, answer):
    status, headers, body = answer
    found[name] = [status, headers["Content-Type"], body]
def status(answer):
    return answer[0]
note("post next", call("POST", "invocation/next", "{{}}"))
note("get response", call("GET", "invocation/x/response"))
note("nowhere", call("POST", "invocation/x/elsewhere", "{{}}"))
_, headers, body = call("GET", "invocation/next")
found["headers"] = sorted(name for name in headers if name.startswith("Lambda-Runtime"))
request = headers["Lambda-Runtime-Aws-Request-Id"]
note("unknown", call("POST", "invocation/00000000-0000-0000-0000-000000000000/response", "{{}}"))
note("unknown error", call("POST", "invocation/00000000-0000-0000-0000-000000000000/error", "{{}}"))
note("late init error", call("POST", "init/error", "{{}}"))
note("next too early", call("GET", "invocation/next"))
note("answer", call("POST", "invocation/" + request + "/response", json.dumps({{"event": body}})))
note("answer again", call("POST", "invocation/" + request + "/response", "{{}}"))
note("error as well", call("POST", "invocation/" + request + "/error", "{{}}"))
print(json.dumps(found), flush=True)
_, headers, body = call("GET", "invocation/next")
request = headers["Lambda-Runtime-Aws-Request-Id"]
print(json.dumps(call("POST", "invocation/" + request + "/response", "x" * 6291557)[::2]), flush=True)
call("GET", "invocation/next")
"""


@pytest.mark.slow
async def test_answers_of_the_runtime_api(runtime: Runtime, make: Make) -> None:
    version = make(BOOTSTRAP, runtime="provided.al2023", handler="x", file="bootstrap")
    (version.task / "bootstrap").chmod(0o755)
    sent = event(7, client_context='{"a": 1}', cognito_identity='{"b": 2}')
    outcome = await runtime.invoke(version, sent)
    assert json.loads(outcome.payload) == {"event": 7}
    outcome = await runtime.invoke(version, event(8))
    assert json.loads(outcome.payload) == {
        "errorType": "Function.ResponseSizeTooLarge",
        "errorMessage": "Response payload size exceeded maximum allowed payload size (6291556 bytes).",
    }
    await until(lambda: sum(line[:1] in "{[" for line in lines(runtime)) == 2)
    told, too_large = (json.loads(line) for line in lines(runtime) if line[:1] in "{[")
    assert too_large == [
        413,
        {
            "errorType": "RequestEntityTooLarge",
            "errorMessage": "Exceeded maximum allowed payload size (6291556 bytes).",
        },
    ]
    assert told.pop("headers") == [
        "Lambda-Runtime-Aws-Request-Id",
        "Lambda-Runtime-Client-Context",
        "Lambda-Runtime-Cognito-Identity",
        "Lambda-Runtime-Deadline-Ms",
        "Lambda-Runtime-Invoked-Function-Arn",
        "Lambda-Runtime-Trace-Id",
    ]
    transition = [403, "application/json", _error("InvalidStateTransition", "State transition is not allowed")]
    unknown = [400, "application/json", _error("InvalidRequestID", "Invalid request ID")]
    nowhere = "no such resource of the Runtime API"
    assert told == {
        "post next": [405, "application/json", _error("MethodNotAllowed", "expected GET")],
        "get response": [405, "application/json", _error("MethodNotAllowed", "expected POST")],
        "nowhere": [404, "application/json", _error("NotFound", nowhere)],
        "unknown": unknown,
        "unknown error": unknown,
        "late init error": transition,
        "next too early": transition,
        "answer": [202, "application/json", {"status": "OK"}],
        "answer again": transition,
        "error as well": transition,
    }


def _error(kind: str, message: str) -> dict[str, Any]:
    return {"errorType": kind, "errorMessage": message}
