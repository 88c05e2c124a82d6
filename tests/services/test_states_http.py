"""HTTP tasks over the wire, against an endpoint on this machine."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.config import Config as BotoConfig
from tests.services.endpoint import Endpoint, endpoint
from tests.services.test_events_destinations import connect
from tests.services.test_states import ROLE, Aws, machine, run


@pytest.fixture(name="target")
def _target() -> Iterator[Endpoint]:
    with endpoint() as found:
        yield found


@pytest.fixture
def states(aws: Aws) -> Any:
    return aws("stepfunctions")


def http(target: Endpoint, connection: str, **more: Any) -> dict[str, Any]:
    parameters = {
        "ApiEndpoint": f"{target.url}/v1",
        "Method": "POST",
        "Authentication": {"ConnectionArn": connection},
        **more,
    }
    return {"Type": "Task", "Resource": "arn:aws:states:::http:invoke", "Parameters": parameters, "End": True}


def test_a_call_and_its_answer(states: Any, aws: Aws, target: Endpoint) -> None:
    auth = {"ApiKeyAuthParameters": {"ApiKeyName": "X-Key", "ApiKeyValue": "v"}}
    connection = connect(aws("events"), "API_KEY", auth)
    target.answer(201, {"id": 7}, X_More="m")
    task = http(
        target, connection, **{"RequestBody.$": "$", "QueryParameters": {"a": ["1", "2"]}, "Headers": {"H": "h"}}
    )
    result = json.loads(run(states, machine(states, {"T": task}), {"n": 1})["output"])
    assert (result["StatusCode"], result["StatusText"], result["ResponseBody"]) == (201, "Created", {"id": 7})
    assert result["Headers"]["x-more"] == ["m"]
    sent = target.next()
    assert (sent.method, sent.path, sent.document) == ("POST", "/v1?a=1&a=2", {"n": 1})
    wanted = {
        "x-key": "v",
        "h": "h",
        "content-type": "application/json",
        "user-agent": "Amazon|StepFunctions|HttpInvoke|us-east-1",
        "range": "bytes=0-262144",
    }
    assert wanted.items() <= sent.headers.items()


def test_a_status_is_an_error_that_retriers_name(states: Any, aws: Aws, target: Endpoint) -> None:
    task = http(target, connect(aws("events")))
    task["Catch"] = [{"ErrorEquals": ["States.Http.StatusCode.404"], "Next": "Gone"}]
    target.answer(404, {"no": "such"})
    body = {"T": task, "Gone": {"Type": "Pass", "End": True}}
    assert json.loads(run(states, machine(states, body))["output"]) == {
        "Error": "States.Http.StatusCode.404",
        "Cause": '{"no": "such"}',
    }


def test_a_body_as_a_form(states: Any, aws: Aws, target: Endpoint) -> None:
    encoding = {"RequestBodyEncoding": "URL_ENCODED", "RequestEncodingOptions": {"ArrayFormat": "BRACKETS"}}
    body = {"a": ["x", "y z"], "b": {"c": True}}
    task = http(target, connect(aws("events")), RequestBody=body, Transform=encoding)
    run(states, machine(states, {"T": task}))
    sent = target.next()
    assert sent.body == "a[]=x&a[]=y+z&b[c]=true"
    assert sent.headers["content-type"] == "application/x-www-form-urlencoded"


@pytest.mark.parametrize(
    ("more", "error"),
    [
        ({"Headers": {"Host": "evil"}}, "States.Runtime"),
        ({"ApiEndpoint": "http://example.com/"}, "States.Runtime"),
        ({"ApiEndpoint": "http://127.0.0.1:1/"}, "States.Http.Socket"),
        ({"Transform": {"RequestBodyEncoding": "XML"}}, "States.Runtime"),
        (
            {"Authentication": {"ConnectionArn": "arn:aws:events:us-east-1:000000000000:connection/x/y"}},
            "Events.ConnectionResource.ResourceNotFound",
        ),
    ],
)
def test_calls_that_cannot_be_made(states: Any, aws: Aws, target: Endpoint, more: dict[str, Any], error: str) -> None:
    task = http(target, connect(aws("events")), **more)
    assert run(states, machine(states, {"T": task}))["error"] == error


def test_a_tried_state_shows_its_request_and_hides_what_the_connection_added(aws: Aws, target: Endpoint) -> None:
    states = aws("stepfunctions", config=BotoConfig(inject_host_prefix=False))
    definition = json.dumps(http(target, connect(aws("events"))))
    asked = {"definition": definition, "roleArn": ROLE, "inspectionLevel": "TRACE"}
    told = states.test_state(**asked)["inspectionData"]
    assert (told["request"]["method"], told["request"]["url"]) == ("POST", f"{target.url}/v1")
    assert "Authorization" not in told["request"]["headers"]
    assert (told["response"]["statusCode"], told["response"]["body"]) == ("200", "{}")
    told = states.test_state(**asked, revealSecrets=True)["inspectionData"]
    assert "Authorization: Basic" in told["request"]["headers"]
