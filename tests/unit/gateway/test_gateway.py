"""What the gateway answers: errors in every protocol's form, its own pages, browsers, packed bodies."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import zlib
from collections.abc import AsyncIterator, Mapping
from typing import Any, Protocol
from xml.etree import ElementTree as ET

import pytest
from botocore.eventstream import EventStreamBuffer
from botocore.exceptions import ClientError

from fogbank.core.errors import ApiError, NotImplementedByFogbank
from fogbank.core.http import HttpRequest, HttpResponse


class Rig(Protocol):
    cloud: Any
    config: Any

    def client(self, service: str, **options: Any) -> Any: ...

    def handle(self, request: HttpRequest) -> HttpResponse: ...


class NoSuchQueueError(ApiError):
    code = "QueueDoesNotExist"
    query_code = "AWS.SimpleQueueService.NonExistentQueue"


class NoSuchEntityError(ApiError):
    code = "NoSuchEntityException"
    status = 404


class ConditionFailedError(ApiError):
    code = "ConditionalCheckFailedException"


class NotFoundError(ApiError):
    code = "ResourceNotFoundException"
    status = 404


def signed(service: str, **headers: str) -> dict[str, str]:
    """The headers of a request that is for a service."""
    authorization = (
        f"AWS4-HMAC-SHA256 Credential=test/20231114/eu-west-1/{service}/aws4_request, SignedHeaders=host, Signature=00"
    )
    return {"authorization": authorization, "host": "127.0.0.1:4566"} | {
        name.replace("_", "-"): value for name, value in headers.items()
    }


def json_request(target: str, body: bytes = b"{}", **headers: str) -> HttpRequest:
    service = {"AmazonSQS": "sqs", "DynamoDB_20120810": "dynamodb"}.get(target.partition(".")[0], "events")
    found = signed(service, x_amz_target=target, content_type="application/x-amz-json-1.0", **headers)
    return HttpRequest("POST", "/", headers=found, body=body)


def form(body: bytes, service: str = "iam") -> HttpRequest:
    return HttpRequest(
        "POST", "/", headers=signed(service, content_type="application/x-www-form-urlencoded"), body=body
    )


def document(answer: HttpResponse) -> dict[str, Any]:
    assert isinstance(answer.body, bytes)
    found: dict[str, Any] = json.loads(answer.body)
    return found


def header(answer: HttpResponse, name: str) -> str | None:
    return {key.lower(): value for key, value in answer.headers}.get(name)


def failure(call: Any, **params: Any) -> dict[str, Any]:
    with pytest.raises(ClientError) as caught:
        call(**params)
    response: Any = caught.value.response
    return dict(response)


# Errors, as boto3 sees them


def test_sqs_errors_carry_the_code_of_the_query_protocol(rig: Rig) -> None:
    """boto3 raises that code, and its exception class is found by the other."""
    rig.cloud.error = NoSuchQueueError("The specified queue does not exist.")
    client = rig.client("sqs")
    with pytest.raises(client.exceptions.QueueDoesNotExist) as caught:
        client.send_message(QueueUrl="http://q", MessageBody="x")
    error = caught.value.response["Error"]
    assert error["Code"] == "AWS.SimpleQueueService.NonExistentQueue"
    assert error["QueryErrorCode"] == "QueueDoesNotExist"
    assert error["Message"] == "The specified queue does not exist."
    assert error["Type"] == "Sender"


def test_query_errors_have_the_model_s_code_and_status(rig: Rig) -> None:
    rig.cloud.error = NoSuchEntityError("The role with name x cannot be found.")
    client = rig.client("iam")
    with pytest.raises(client.exceptions.NoSuchEntityException) as caught:
        client.get_role(RoleName="x")
    assert caught.value.response["Error"]["Code"] == "NoSuchEntity"
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 404


def test_error_shapes_keep_their_members(rig: Rig) -> None:
    rig.cloud.error = ConditionFailedError("The conditional request failed", Item={"pk": {"S": "a"}})
    found = failure(rig.client("dynamodb").put_item, TableName="orders", Item={"pk": {"S": "a"}})
    assert found["Error"]["Code"] == "ConditionalCheckFailedException"
    assert found["Item"] == {"pk": {"S": "a"}}


def test_rest_errors_have_their_type_in_a_header(rig: Rig) -> None:
    """And Lambda's say whose fault they are."""
    rig.cloud.error = NotFoundError("Function not found: f")
    found = failure(rig.client("lambda").get_function, FunctionName="f")
    assert (found["Error"]["Code"], found["Error"]["Message"]) == (
        "ResourceNotFoundException",
        "Function not found: f",
    )
    assert found["Type"] == "User"
    assert found["ResponseMetadata"]["HTTPHeaders"]["x-amzn-errortype"] == "ResourceNotFoundException"


def test_cbor_errors(rig: Rig) -> None:
    rig.cloud.error = NotFoundError("no such dashboard")
    found = failure(rig.client("cloudwatch").get_dashboard, DashboardName="d")
    assert found["Error"]["Message"] == "no such dashboard"


def test_what_is_not_implemented_says_so(rig: Rig) -> None:
    rig.cloud.error = NotImplementedByFogbank("sqs.AddPermission is not implemented")
    found = failure(rig.client("sqs").add_permission, QueueUrl="q", Label="l", AWSAccountIds=["1"], Actions=["*"])
    assert (found["Error"]["Code"], found["ResponseMetadata"]["HTTPStatusCode"]) == ("NotImplemented", 501)


@pytest.mark.parametrize("service", ["sqs", "lambda", "iam", "cloudwatch", "s3"])
def test_a_defect_is_answered_without_its_details(rig: Rig, caplog: pytest.LogCaptureFixture, service: str) -> None:
    rig.cloud.error = ZeroDivisionError("secret details")
    client = rig.client(service)
    calls = {
        "sqs": "list_queues",
        "lambda": "list_functions",
        "iam": "list_roles",
        "cloudwatch": "list_metrics",
        "s3": "list_buckets",
    }
    found = failure(getattr(client, calls[service]))
    assert (found["Error"]["Code"], found["ResponseMetadata"]["HTTPStatusCode"]) == ("InternalFailure", 500)
    assert "secret" not in found["Error"]["Message"]
    assert "secret details" in caplog.text


def test_validation_is_worded_by_the_model(rig: Rig) -> None:
    found = failure(rig.client("dynamodb").describe_table, TableName="")
    assert found["Error"]["Code"] == "ValidationException"
    assert found["Error"]["Message"].startswith("1 validation error detected: Value '' at 'tableName' failed to")


# Errors, on the wire


def test_dynamodb_s_answers_have_a_checksum(rig: Rig) -> None:
    rig.cloud.reply = {"TableNames": ["a"]}
    good = rig.handle(json_request("DynamoDB_20120810.ListTables"))
    bad = rig.handle(json_request("DynamoDB_20120810.ListTables", b"{"))
    for answer in (good, bad):
        assert isinstance(answer.body, bytes)
        assert header(answer, "x-amz-crc32") == str(zlib.crc32(answer.body))


def test_the_namespace_of_an_error_is_the_service_s(rig: Rig) -> None:
    rig.cloud.error = NotFoundError("no table")
    answer = rig.handle(json_request("DynamoDB_20120810.ListTables"))
    assert document(answer) == {
        "__type": "com.amazonaws.dynamodb.v20120810#ResourceNotFoundException",
        "message": "no table",
    }


def test_every_answer_has_a_request_id(rig: Rig) -> None:
    answers = [
        rig.handle(json_request("AmazonSQS.ListQueues")),
        rig.handle(json_request("AmazonSQS.Nonsense")),
        rig.handle(form(b"Action=ListRoles&Version=2010-05-08")),
        rig.handle(form(b"Action=Nonsense&Version=2010-05-08")),
        rig.handle(HttpRequest("GET", "/2015-03-31/functions", headers=signed("lambda"))),
        rig.handle(HttpRequest("GET", "/nonsense", headers=signed("lambda"))),
    ]
    found = [header(answer, "x-amzn-requestid") for answer in answers]
    assert None not in found
    assert len(set(found)) == len(found)
    s3 = rig.handle(HttpRequest("GET", "/", headers=signed("s3")))
    assert header(s3, "x-amz-request-id")


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b'"x"',
        b"3",
        b'{"QueueUrl": "\xff"}',
        b'{"a":' * 5000 + b"1" + b"}" * 5000,
        b'{"QueueUrl": 3}',
        b'{"QueueUrl": ["x"]}',
        b'{"QueueUrl": {"x": 1}}',
        b'{"DelaySeconds": "3"}',
        b'{"DelaySeconds": true}',
        b'{"DelaySeconds": 1.5}',
        b'{"DelaySeconds": 99999999999999999999}',
        b'{"MessageAttributes": []}',
        b'{"MessageAttributes": {"a": "x"}}',
        b'{"MessageAttributes": {"a": {"BinaryValue": "%%%%"}}}',
        b'{"MessageAttributes": {"a": {"BinaryValue": "abc"}}}',
        b'{"MessageAttributes": {"a": {"BinaryValue": 3}}}',
        b'{"QueueUrl": "x"} trailing',
        b"\x00",
    ],
)
def test_malformed_json_is_a_serialization_error(rig: Rig, body: bytes) -> None:
    answer = rig.handle(json_request("AmazonSQS.SendMessage", body))
    assert answer.status == 400
    assert document(answer)["__type"].endswith("#SerializationException")
    assert rig.cloud.calls == []


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"QueueUrl": 3}', "NUMBER_VALUE cannot be converted to String"),
        (b'{"QueueUrl": true}', "TRUE_VALUE cannot be converted to String"),
        (b'{"QueueUrl": false}', "FALSE_VALUE cannot be converted to String"),
        (b'{"QueueUrl": {}}', "Start of structure or map found where not expected."),
        (b'{"QueueUrl": []}', "Unrecognized collection type class java.lang.String"),
        (b'{"DelaySeconds": "x"}', "STRING_VALUE cannot be converted to Integer"),
        (b'{"MessageAttributes": {"a": {"StringListValues": "x"}}}', "Unexpected field type"),
    ],
)
def test_wrong_types_are_worded_as_aws_does(rig: Rig, body: bytes, message: str) -> None:
    assert document(rig.handle(json_request("AmazonSQS.SendMessage", body)))["message"] == message


def test_nulls_and_unknown_members_are_dropped(rig: Rig) -> None:
    rig.handle(json_request("AmazonSQS.ListQueues", b'{"QueueNamePrefix": null, "Nonsense": [1], "MaxResults": 3}'))
    assert rig.cloud.calls[-1][3] == {"MaxResults": 3}


def test_members_that_are_none_are_left_out(rig: Rig) -> None:
    rig.cloud.reply = {"QueueUrls": ["a"], "NextToken": None}
    assert document(rig.handle(json_request("AmazonSQS.ListQueues"))) == {"QueueUrls": ["a"]}


@pytest.mark.parametrize(
    ("target", "code"),
    [("AmazonSQS.Nonsense", "#UnknownOperationException"), ("Nonsense.X", "UnknownOperationException")],
)
def test_unknown_operations_are_named(rig: Rig, target: str, code: str) -> None:
    answer = rig.handle(json_request(target))
    assert answer.status == 400
    assert document(answer)["__type"].endswith(code)
    assert target.rpartition(".")[2] in document(answer)["message"]


def test_an_unknown_service_is_named(rig: Rig) -> None:
    answer = rig.handle(form(b"Action=DescribeInstances&Version=2016-11-15", "ec2"))
    assert answer.status == 501
    assert isinstance(answer.body, bytes)
    root = ET.fromstring(answer.body)
    assert b"'ec2'" in answer.body
    assert root.tag.endswith("ErrorResponse")
    answer = rig.handle(HttpRequest("GET", "/v1/thing", headers=signed("bedrock")))
    assert (answer.status, header(answer, "x-amzn-errortype")) == (501, "NotImplemented")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"Action=Nonsense", b"InvalidAction"),
        (b"", b"MissingAction"),
        (b"Action=ListRoles&MaxItems=x", b"MalformedInput"),
        (b"Action=ListRoles&MaxItems=1&MaxItems.x=2", b"ValidationException"),
        (b"Action=TagRole&RoleName=r&Tags.member.x.Key=a", b"MalformedInput"),
        (b"Action=TagRole&RoleName=r&Tags=x", b"MalformedInput"),
        (b"Action=GetRole&RoleName.x=r", b"MalformedInput"),
        (b"Action=GetRole&RoleName=%ff", b"MalformedInput"),
        (b"Action=GetRole&RoleName=\xff", b"MalformedInput"),
        (b"Action=GetRole&" + b".".join([b"a"] * 100) + b"=r", b"MalformedInput"),
        (b"Action=GetRole" + b"&a=b" * 20_001, b"MalformedInput"),
    ],
)
def test_malformed_forms_are_refused(rig: Rig, body: bytes, code: bytes) -> None:
    answer = rig.handle(form(body))
    if code == b"ValidationException":
        assert answer.status == 200  # the value counts, what is below it is unknown
        return
    assert answer.status == 400
    assert isinstance(answer.body, bytes)
    assert b"<Code>" + code in answer.body
    ET.fromstring(answer.body)


@pytest.mark.parametrize(
    "body",
    [
        b"<",
        b"<a></b>",
        b"not xml",
        b"<a>&unknown;</a>",
        b"\xff\xfe",
        b'<!DOCTYPE a [<!ENTITY x "y">]><Tagging>&x;</Tagging>',
        b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><Tagging/>',
        b"<a>" * 5000 + b"</a>" * 5000,
        b'<?xml version="1.0" encoding="nonsense"?><a/>',
    ],
)
def test_malformed_xml_is_refused(rig: Rig, body: bytes) -> None:
    answer = rig.handle(HttpRequest("PUT", "/bucket", "tagging", signed("s3"), body))
    assert answer.status == 400
    assert isinstance(answer.body, bytes)
    assert ET.fromstring(answer.body).findtext("Code") == "MalformedXML"


@pytest.mark.parametrize(
    "body",
    [b"", b"\xff", b"\xa1", b"\x9f", b"\x81" * 5000, b"\x01", b"\xa1\x01\x02", b"\x1b" + b"\xff" * 8, b"\xf8\x01"],
)
def test_malformed_cbor_is_refused(rig: Rig, body: bytes) -> None:
    headers = signed("monitoring", smithy_protocol="rpc-v2-cbor", content_type="application/cbor")
    path = "/service/GraniteServiceVersion20100801/operation/GetDashboard"
    answer = rig.handle(HttpRequest("POST", path, headers=headers, body=body))
    assert answer.status == 400
    assert header(answer, "smithy-protocol") == "rpc-v2-cbor"


def test_a_path_that_is_not_utf_8_is_refused(rig: Rig) -> None:
    answer = rig.handle(HttpRequest("GET", "/2015-03-31/functions/%ff", headers=signed("lambda")))
    assert (answer.status, header(answer, "x-amzn-errortype")) == (400, "SerializationException")


def test_a_path_that_means_nothing_is_not_found(rig: Rig) -> None:
    answer = rig.handle(HttpRequest("GET", "/2015-03-31/nonsense", headers=signed("lambda")))
    assert (answer.status, header(answer, "x-amzn-errortype")) == (404, "UnknownOperationException")


# Finding the service without a signature


def test_unsigned_requests_are_recognised_by_what_they_have(rig: Rig) -> None:
    """By target, by host, by the version of a form, by a path that only one service has."""
    plain = {"host": "127.0.0.1:4566"}
    rig.handle(HttpRequest("POST", "/", headers={**plain, "x-amz-target": "AWSEvents.ListRules"}, body=b"{}"))
    rig.handle(HttpRequest("GET", "/2015-03-31/functions", headers={"host": "lambda.eu-west-1.localhost:4566"}))
    rig.handle(HttpRequest("GET", "/2015-03-31/functions/f", headers=plain))
    headers = {**plain, "content-type": "application/x-www-form-urlencoded"}
    rig.handle(HttpRequest("POST", "/", headers=headers, body=b"Action=GetCallerIdentity&Version=2011-06-15"))
    rig.handle(HttpRequest("GET", "/", "Action=GetCallerIdentity&Version=2011-06-15", plain))
    assert [call[1] for call in rig.cloud.calls] == ["events", "lambda", "lambda", "sts", "sts"]
    assert rig.cloud.calls[0][0].account == "000000000000"


def test_a_request_that_says_nothing_is_refused(rig: Rig) -> None:
    answer = rig.handle(HttpRequest("POST", "/thing", headers={"host": "127.0.0.1"}, body=b"x"))
    assert (answer.status, header(answer, "x-amzn-errortype")) == (403, "MissingAuthenticationToken")


def test_services_with_one_signing_name_are_told_apart(rig: Rig) -> None:
    rig.client("dynamodbstreams").list_streams()
    rig.client("dynamodb").list_tables()
    rig.client("apigateway").get_rest_apis()
    rig.client("apigatewayv2").get_apis()
    assert [call[1] for call in rig.cloud.calls] == ["dynamodbstreams", "dynamodb", "apigateway", "apigatewayv2"]


def test_a_host_prefix_makes_no_difference(rig: Rig) -> None:
    """boto3 puts `sync-` before the host of StartSyncExecution."""
    rig.cloud.reply = {"executionArn": "a", "startDate": 1, "stopDate": 2, "status": "SUCCEEDED"}
    rig.client("stepfunctions", endpoint_url="http://localhost:4566").start_sync_execution(
        stateMachineArn="arn:aws:states:eu-west-1:111111111111:stateMachine:m"
    )
    assert rig.cloud.calls[-1][2] == "StartSyncExecution"


def test_buckets_in_the_host_are_moved_to_the_path(rig: Rig) -> None:
    for host in (
        "box.s3.eu-west-1.amazonaws.com",
        "box.s3.amazonaws.com",
        "box.s3.localhost:4566",
        "box.localhost:4566",
    ):
        rig.handle(HttpRequest("GET", "/k/e", headers=signed("s3") | {"host": host}))
        assert rig.cloud.calls[-1][3] == {"Bucket": "box", "Key": "k/e"}
    rig.handle(HttpRequest("GET", "/box/k", headers=signed("s3") | {"host": "localhost:4566"}))
    assert rig.cloud.calls[-1][3] == {"Bucket": "box", "Key": "k"}


def test_the_trace_goes_on(rig: Rig) -> None:
    trace = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"
    rig.handle(json_request("AmazonSQS.ListQueues", x_amzn_trace_id=trace))
    assert rig.cloud.trace.header == trace
    rig.handle(json_request("AmazonSQS.ListQueues", x_amzn_trace_id="rubbish"))
    assert rig.cloud.trace is None


# Packed bodies


def test_gzip_bodies_are_unpacked(rig: Rig) -> None:
    rig.handle(json_request("AmazonSQS.ListQueues", gzip.compress(b'{"MaxResults": 3}'), content_encoding="gzip"))
    assert rig.cloud.calls[-1][3] == {"MaxResults": 3}


@pytest.mark.parametrize("body", [b"rubbish", gzip.compress(b"{}", mtime=0)[:-4]], ids=["rubbish", "cut short"])
def test_gzip_bodies_that_are_none_are_refused(rig: Rig, body: bytes) -> None:
    answer = rig.handle(json_request("AmazonSQS.ListQueues", body, content_encoding="gzip"))
    assert answer.status == 400
    assert "SerializationException" in document(answer)["__type"]


def test_a_gzip_body_that_unpacks_past_the_limit_is_refused(rig: Rig) -> None:
    test_gzip_bodies_that_are_none_are_refused(rig, gzip.compress(bytes(rig.config.max_body + 1), compresslevel=1))


def test_a_body_must_have_the_md5_that_is_sent(rig: Rig) -> None:
    body = b'{"MaxResults": 3}'
    good = base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()
    assert rig.handle(json_request("AmazonSQS.ListQueues", body, content_md5=good)).status == 200
    for wrong, code in ((base64.b64encode(b"0" * 16).decode(), "BadDigest"), ("rubbish", "InvalidDigest")):
        answer = rig.handle(json_request("AmazonSQS.ListQueues", body, content_md5=wrong))
        assert (answer.status, document(answer)["__type"]) == (400, code)


# Bodies that go on


async def test_lambda_s_response_stream_is_read_by_boto3(rig: Rig) -> None:
    async def events() -> AsyncIterator[Mapping[str, Any]]:
        yield {"PayloadChunk": {"Payload": b"hello "}}
        yield {"PayloadChunk": {"Payload": b"world"}}
        yield {"InvokeComplete": {"LogResult": "bG9n"}}

    rig.cloud.reply = {"StatusCode": 200, "ExecutedVersion": "$LATEST", "EventStream": events()}
    answer = rig.handle(
        HttpRequest(
            "POST", "/2021-11-15/functions/f/response-streaming-invocations", headers=signed("lambda"), body=b"{}"
        )
    )
    assert header(answer, "content-type") == "application/vnd.amazon.eventstream"
    assert header(answer, "x-amz-executed-version") == "$LATEST"
    assert not isinstance(answer.body, bytes)
    data = b"".join([piece async for piece in answer.body])
    assert parse_events(data) == [
        (
            {":event-type": "PayloadChunk", ":message-type": "event", ":content-type": "application/octet-stream"},
            b"hello ",
        ),
        (
            {":event-type": "PayloadChunk", ":message-type": "event", ":content-type": "application/octet-stream"},
            b"world",
        ),
        (
            {":event-type": "InvokeComplete", ":message-type": "event", ":content-type": "application/json"},
            b'{"LogResult":"bG9n"}',
        ),
    ]


async def test_an_error_in_a_stream_is_its_last_message(rig: Rig) -> None:
    class TailTimeoutError(ApiError):
        code = "SessionTimeoutException"

    async def events(error: ApiError) -> AsyncIterator[Mapping[str, Any]]:
        yield {"sessionStart": {"requestId": "r", "sessionId": "s"}}
        raise error

    target = "Logs_20140328.StartLiveTail"
    arn = "arn:aws:logs:eu-west-1:1:log-group:g"
    for error, headers in (
        (TailTimeoutError("too long"), {":exception-type": "SessionTimeoutException", ":message-type": "exception"}),
        (
            NotFoundError("gone"),
            {":message-type": "error", ":error-code": "ResourceNotFoundException", ":error-message": "gone"},
        ),
    ):
        rig.cloud.reply = {"responseStream": events(error)}
        answer = rig.handle(json_request(target, json.dumps({"logGroupIdentifiers": [arn]}).encode()))
        assert not isinstance(answer.body, bytes), answer
        found = parse_events(b"".join([piece async for piece in answer.body]))
        assert [headers.get(":event-type") for headers, _ in found[:2]] == ["initial-response", "sessionStart"]
        assert headers.items() <= found[2][0].items()


def parse_events(data: bytes) -> list[tuple[dict[str, Any], bytes]]:
    """The events, as botocore reads them; it checks every checksum."""
    buffer: Any = EventStreamBuffer()
    buffer.add_data(data)
    return [(message.headers, message.payload) for message in buffer]


# The server's own pages


def test_health_is_told_in_both_forms(rig: Rig) -> None:
    ours = document(rig.handle(HttpRequest("GET", "/_fogbank/health")))
    assert ours["services"] == {"sqs": "running"}
    assert ours["status"] == "ok"
    theirs = document(rig.handle(HttpRequest("GET", "/_localstack/health")))
    assert theirs["services"] == {"sqs": "running"}


def test_reset_and_clock(rig: Rig) -> None:
    assert rig.handle(HttpRequest("POST", "/_fogbank/reset")).status == 200
    assert rig.cloud.resets == 1
    answer = rig.handle(HttpRequest("POST", "/_fogbank/clock", body=b'{"seconds": 3600}'))
    assert (answer.status, document(answer)) == (200, {"time": 3600.0})
    assert document(rig.handle(HttpRequest("GET", "/_fogbank/clock"))) == {"time": 1.5}


@pytest.mark.parametrize(
    "body",
    [b"", b"{}", b"[]", b"x", b'{"seconds": -1}', b'{"seconds": "1"}', b'{"seconds": true}', b'{"seconds": 1e300}'],
)
def test_the_clock_moves_forward_by_a_number_only(rig: Rig, body: bytes) -> None:
    assert rig.handle(HttpRequest("POST", "/_fogbank/clock", body=body)).status == 400
    assert rig.cloud.advanced == 0


def test_reset_and_clock_are_refused_when_signatures_are_verified(strict: Rig) -> None:
    for path in ("/_fogbank/reset", "/_fogbank/clock"):
        assert strict.handle(HttpRequest("POST", path, body=b'{"seconds": 1}')).status == 403
    assert (strict.cloud.resets, strict.cloud.advanced) == (0, 0)
    assert strict.handle(HttpRequest("GET", "/_fogbank/health")).status == 200


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/_fogbank/reset", 405),
        ("DELETE", "/_fogbank/health", 405),
        ("GET", "/_fogbank/nonsense", 404),
        ("PUT", "/_x", 404),
    ],
)
def test_what_is_not_there_is_told(rig: Rig, method: str, path: str, status: int) -> None:
    assert rig.handle(HttpRequest(method, path)).status == status


def test_a_person_who_looks_is_told_what_this_is(rig: Rig) -> None:
    answer = rig.handle(HttpRequest("GET", "/", headers={"host": "localhost:4566"}))
    assert answer.status == 200
    assert isinstance(answer.body, bytes)
    assert b"Fogbank" in answer.body


# Browsers


@pytest.mark.parametrize(
    "origin", ["http://localhost:3000", "https://127.0.0.1", "http://[::1]:8080", "http://app.localhost"]
)
def test_pages_of_this_machine_may_call(rig: Rig, origin: str) -> None:
    asked = {
        "origin": origin,
        "access-control-request-method": "POST",
        "access-control-request-headers": "x-amz-target",
    }
    answer = rig.handle(HttpRequest("OPTIONS", "/", headers=asked))
    assert (answer.status, header(answer, "access-control-allow-origin")) == (204, origin)
    assert header(answer, "access-control-allow-headers") == "x-amz-target"
    answer = rig.handle(json_request("AmazonSQS.ListQueues", origin=origin))
    assert (answer.status, header(answer, "access-control-allow-origin")) == (200, origin)
    assert header(rig.handle(HttpRequest("GET", "/_fogbank/health", headers={"origin": origin})), "vary") == "origin"


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://localhost.evil.example", "http://[", "file://"]
)
def test_pages_of_other_machines_may_not(rig: Rig, origin: str) -> None:
    """Any key is accepted, so any page on the web could otherwise empty the queues of whoever looks at it."""
    asked = {"origin": origin, "access-control-request-method": "POST"}
    assert rig.handle(HttpRequest("OPTIONS", "/", headers=asked)).status == 403
    assert rig.handle(json_request("AmazonSQS.ListQueues", origin=origin)).status == 403
    assert rig.handle(HttpRequest("POST", "/_fogbank/reset", headers={"origin": origin})).status == 403
    assert (rig.cloud.calls, rig.cloud.resets) == ([], 0)


def test_every_page_may_try_when_signatures_are_verified(strict: Rig) -> None:
    asked = {"origin": "https://shop.example", "access-control-request-method": "POST"}
    assert strict.handle(HttpRequest("OPTIONS", "/", headers=asked)).status == 204
