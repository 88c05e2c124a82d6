"""Connections and API destinations over the wire, against an endpoint on this machine."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.conftest import ServerProcess
from tests.services.endpoint import Endpoint, endpoint
from tests.services.test_states import ROLE, refused

Aws = Callable[..., Any]
BASIC = {"BasicAuthParameters": {"Username": "u", "Password": "secret-1"}}


@pytest.fixture(name="target")
def _target() -> Iterator[Endpoint]:
    with endpoint() as found:
        yield found


@pytest.fixture
def events(aws: Aws) -> Any:
    return aws("events")


def connect(events: Any, kind: str = "BASIC", auth: dict[str, Any] | None = None, name: str = "c") -> str:
    made = events.create_connection(Name=name, AuthorizationType=kind, AuthParameters=auth or BASIC)
    return str(made["ConnectionArn"])


def oauth(target: Endpoint) -> dict[str, Any]:
    return {
        "OAuthParameters": {
            "ClientParameters": {"ClientID": "id", "ClientSecret": "secret-2"},
            "AuthorizationEndpoint": f"{target.url}/token",
            "HttpMethod": "POST",
            "OAuthHttpParameters": {"BodyParameters": [{"Key": "audience", "Value": "a", "IsValueSecret": False}]},
        }
    }


def destination(events: Any, connection: str, url: str, **more: Any) -> str:
    made = events.create_api_destination(
        Name="d", ConnectionArn=connection, InvocationEndpoint=url, HttpMethod=more.pop("method", "POST"), **more
    )
    return str(made["ApiDestinationArn"])


def rule(events: Any, arn: str, **settings: Any) -> None:
    events.put_rule(Name="r", EventPattern='{"source":["s"]}')
    events.put_targets(Rule="r", Targets=[{"Id": "t", "Arn": arn, "RoleArn": ROLE, **settings}])


def put(events: Any, **detail: Any) -> None:
    events.put_events(Entries=[{"Source": "s", "DetailType": "t", "Detail": json.dumps(detail)}])


def test_a_connection_keeps_its_secrets_to_itself(events: Any) -> None:
    extra = {
        "HeaderParameters": [{"Key": "X-A", "Value": "secret-3", "IsValueSecret": True}],
        "QueryStringParameters": [{"Key": "q", "Value": "open", "IsValueSecret": False}],
    }
    arn = connect(events, auth={**BASIC, "InvocationHttpParameters": extra})
    told = events.describe_connection(Name="c")
    assert "secret-" not in json.dumps(told["AuthParameters"])
    assert (told["ConnectionState"], told["ConnectionArn"]) == ("AUTHORIZED", arn)
    assert told["AuthParameters"]["BasicAuthParameters"] == {"Username": "u"}
    assert told["AuthParameters"]["InvocationHttpParameters"] == {
        "HeaderParameters": [{"Key": "X-A", "IsValueSecret": True}],
        "QueryStringParameters": [{"Key": "q", "Value": "open", "IsValueSecret": False}],
    }
    events.update_connection(
        Name="c",
        AuthorizationType="API_KEY",
        AuthParameters={"ApiKeyAuthParameters": {"ApiKeyName": "k", "ApiKeyValue": "v"}},
    )
    told = events.describe_connection(Name="c")
    assert told["AuthorizationType"] == "API_KEY"
    assert "BasicAuthParameters" not in told["AuthParameters"]
    assert events.deauthorize_connection(Name="c")["ConnectionState"] == "DEAUTHORIZED"
    assert [c["Name"] for c in events.list_connections(ConnectionState="DEAUTHORIZED")["Connections"]] == ["c"]
    assert events.delete_connection(Name="c")["ConnectionState"] == "DELETING"
    assert refused(events.describe_connection, Name="c")[0] == "ResourceNotFoundException"


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        ({"AuthorizationType": "API_KEY", "AuthParameters": BASIC}, "ValidationException"),
        ({"AuthorizationType": "BASIC", "AuthParameters": {}}, "ValidationException"),
        ({"AuthorizationType": "BASIC", "AuthParameters": BASIC, "Name": "taken"}, "ResourceAlreadyExistsException"),
        ({"AuthorizationType": "BASIC", "AuthParameters": BASIC, "KmsKeyIdentifier": "k"}, "NotImplemented"),
    ],
)
def test_connections_that_are_not_in_order(events: Any, request_: dict[str, Any], code: str) -> None:
    connect(events, name="taken")
    assert refused(events.create_connection, **{"Name": "c", **request_})[0] == code


@pytest.mark.slow
def test_an_event_arrives_with_credentials_headers_query_and_path(events: Any, target: Endpoint) -> None:
    extra = {
        "HeaderParameters": [{"Key": "X-Both", "Value": "connection"}],
        "QueryStringParameters": [{"Key": "q", "Value": "1 2"}],
        "BodyParameters": [{"Key": "more", "Value": "m"}],
    }
    connection = connect(events, auth={**BASIC, "InvocationHttpParameters": extra})
    arn = destination(events, connection, f"{target.url}/orders/*/x")
    http = {
        "PathParameterValues": ["$.detail.id"],
        "HeaderParameters": {"X-Both": "target", "X-Kind": "$.detail-type", "Host": "evil"},
        "QueryStringParameters": {"z": "9"},
    }
    rule(events, arn, HttpParameters=http, InputPath="$.detail")
    put(events, id="a/b")
    sent = target.next()
    assert (sent.method, sent.path) == ("POST", "/orders/a%2Fb/x?z=9&q=1+2")
    assert sent.document == {"id": "a/b", "more": "m"}
    wanted = {
        "authorization": "Basic dTpzZWNyZXQtMQ==",
        "content-type": "application/json; charset=utf-8",
        "user-agent": "Amazon/EventBridge/ApiDestinations",
        "x-both": "connection",
        "x-kind": "t",
        "host": target.url.removeprefix("http://"),
    }
    assert wanted.items() <= sent.headers.items()


@pytest.mark.slow
def test_a_token_is_fetched_once_and_anew_when_it_is_refused(events: Any, target: Endpoint) -> None:
    target.answer(200, {"access_token": "first", "expires_in": 3600})
    connection = connect(events, "OAUTH_CLIENT_CREDENTIALS", oauth(target))
    asked = target.next()
    assert asked.path == "/token"
    assert asked.headers["authorization"] == "Basic aWQ6c2VjcmV0LTI="
    assert asked.body == "grant_type=client_credentials&audience=a"
    while events.describe_connection(Name="c")["ConnectionState"] == "AUTHORIZING":
        pass
    rule(events, destination(events, connection, f"{target.url}/d"))
    put(events)
    assert target.next().headers["authorization"] == "Bearer first"
    target.answer(401)
    target.answer(200, {"access_token": "second"})
    put(events)
    assert [target.next().path for _ in range(3)] == ["/d", "/token", "/d"]


def test_without_a_token_a_connection_is_deauthorized(events: Any, target: Endpoint) -> None:
    target.answer(403, {"error": "no"})
    connect(events, "OAUTH_CLIENT_CREDENTIALS", oauth(target))
    told = events.describe_connection(Name="c")
    while told["ConnectionState"] == "AUTHORIZING":
        told = events.describe_connection(Name="c")
    assert told["ConnectionState"] == "DEAUTHORIZED"
    assert "403" in told["StateReason"]


@pytest.mark.slow
def test_a_refusal_is_final_and_a_fault_is_tried_again(events: Any, aws: Aws, target: Endpoint) -> None:
    url = aws("sqs").create_queue(QueueName="dead")["QueueUrl"]
    dead = {"DeadLetterConfig": {"Arn": "arn:aws:sqs:us-east-1:000000000000:dead"}}
    rule(events, destination(events, connect(events), target.url), **dead)
    target.answer(503)
    target.answer(429, None, Retry_After="0")
    target.answer(200)
    put(events, n=1)
    bodies = [target.next().document["detail"] for _ in range(3)]
    assert bodies == [{"n": 1}] * 3
    target.answer(404)
    put(events, n=2)
    target.next()
    (message,) = aws("sqs").receive_message(QueueUrl=url, WaitTimeSeconds=10, MessageAttributeNames=["All"])["Messages"]
    attributes = {name: value["StringValue"] for name, value in message["MessageAttributes"].items()}
    assert (attributes["ERROR_CODE"], attributes["RETRY_ATTEMPTS"]) == ("SDK_CLIENT_ERROR", "0")
    assert "404" in attributes["ERROR_MESSAGE"]


def test_the_life_of_an_api_destination(events: Any, target: Endpoint) -> None:
    connection = connect(events)
    arn = destination(events, connection, target.url, InvocationRateLimitPerSecond=5)
    told = events.describe_api_destination(Name="d")
    assert (told["ApiDestinationArn"], told["ApiDestinationState"]) == (arn, "ACTIVE")
    assert (told["InvocationRateLimitPerSecond"], told["HttpMethod"]) == (5, "POST")
    events.update_api_destination(Name="d", HttpMethod="PUT")
    events.deauthorize_connection(Name="c")
    (listed,) = events.list_api_destinations(ConnectionArn=connection)["ApiDestinations"]
    assert (listed["HttpMethod"], listed["ApiDestinationState"]) == ("PUT", "INACTIVE")
    plain = {"Name": "e", "ConnectionArn": connection, "HttpMethod": "POST"}
    code, message = refused(events.create_api_destination, InvocationEndpoint="http://example.com", **plain)
    assert (code, "https://" in message) == ("ValidationException", True)
    gone = connection[:-1] + "x"
    code, _ = refused(events.create_api_destination, InvocationEndpoint=target.url, **plain | {"ConnectionArn": gone})
    assert code == "ResourceNotFoundException"
    events.delete_api_destination(Name="d")
    assert refused(events.describe_api_destination, Name="d")[0] == "ResourceNotFoundException"


@pytest.mark.slow
def test_connections_and_what_they_are_to_deliver_survive_kill_9(
    new_server: Callable[..., ServerProcess], target: Endpoint
) -> None:
    server = new_server()
    events = server.client("events")
    rule(events, destination(events, connect(events), target.url))
    target.answer(503)
    put(events, n=1)
    target.next()
    server.kill()
    server.start()
    assert target.next().headers["authorization"].startswith("Basic ")
