"""Task integrations: parameters become an API call, its reply a result, its error a name and a cause.

Sources: https://docs.aws.amazon.com/step-functions/latest/dg/integrate-optimized.html,
https://docs.aws.amazon.com/step-functions/latest/dg/supported-services-awssdk.html
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

import msgspec

from fogbank.core.call import Cloud, Principal
from fogbank.core.errors import ApiError
from fogbank.core.ids import Ids
from fogbank.core.models import (
    BlobShape,
    ListShape,
    MapShape,
    Shape,
    StringShape,
    StructureShape,
    TimestampShape,
    UnknownOperationNameError,
    UnknownServiceError,
    service_model,
)
from fogbank.core.scope import Scope
from fogbank.core.trace import Trace

Json = Any
MAX_RESULT = 262_144
"""Bytes of a task's result."""
PRINCIPAL = Principal(service="states.amazonaws.com")


@dataclass(frozen=True, slots=True)
class Names:
    """How a service is called: by botocore, as the prefix of error names, and in the causes of errors."""

    service: str
    prefix: str
    title: str = ""
    fallback: str = ""


OPTIMIZED: Mapping[str, Names] = {
    "lambda": Names("lambda", "Lambda", "AWSLambda", "AWSLambdaException"),
    "sqs": Names("sqs", "SQS", "AmazonSQS", "AmazonSQSException"),
    "sns": Names("sns", "SNS", "AmazonSNS", "AmazonSNSException"),
    "events": Names("events", "EventBridge", "AmazonEventBridge", "AmazonEventBridgeException"),
    "dynamodb": Names("dynamodb", "DynamoDB", "AmazonDynamoDBv2", "AmazonDynamoDBException"),
    "s3": Names("s3", "S3", "Amazon S3", "AmazonS3Exception"),
    "states": Names("stepfunctions", "StepFunctions", "AWSStepFunctions", "AWSStepFunctionsException"),
}
SDK: Mapping[str, Names] = {
    "cloudformation": Names("cloudformation", "CloudFormation"),
    "cloudwatch": Names("cloudwatch", "CloudWatch"),
    "cloudwatchlogs": Names("logs", "CloudWatchLogs"),
    "dynamodb": Names("dynamodb", "DynamoDb"),
    "dynamodbstreams": Names("dynamodbstreams", "DynamoDbStreams"),
    "eventbridge": Names("events", "EventBridge"),
    "iam": Names("iam", "Iam"),
    "kms": Names("kms", "Kms"),
    "lambda": Names("lambda", "Lambda"),
    "s3": Names("s3", "S3"),
    "scheduler": Names("scheduler", "Scheduler"),
    "secretsmanager": Names("secretsmanager", "SecretsManager"),
    "sfn": Names("stepfunctions", "Sfn"),
    "sns": Names("sns", "Sns"),
    "sqs": Names("sqs", "Sqs"),
    "ssm": Names("ssm", "Ssm"),
    "sts": Names("sts", "Sts"),
    "xray": Names("xray", "XRay"),
}


_JOINABLE = frozenset(
    {
        *("sqs:sendMessage", "sns:publish", "events:putEvents", "states:startExecution"),
        *("dynamodb:putItem", "dynamodb:updateItem", "dynamodb:deleteItem"),
        *("aws-sdk:sqs:sendMessage", "aws-sdk:sqs:sendMessageBatch", "aws-sdk:sqs:deleteMessage"),
        *("aws-sdk:dynamodb:putItem", "aws-sdk:dynamodb:updateItem", "aws-sdk:dynamodb:deleteItem"),
        *("aws-sdk:dynamodb:transactWriteItems", "aws-sdk:dynamodb:batchWriteItem"),
        *("aws-sdk:eventbridge:putEvents", "aws-sdk:sfn:startExecution", "aws-sdk:sns:publish"),
    }
)


def is_joinable(resource: str) -> bool:
    """Whether all that a task's call does is rows of one transaction: it can then be part of another."""
    return resource.partition(".")[0] in _JOINABLE


_JSON_BLOBS = frozenset({"Blob", "Body"})
"""Shapes of bytes whose value is JSON, a text in quotation marks: a function's payload, an object."""


class TaskError(Exception):
    """A task failed."""

    def __init__(self, error: str | None, cause: str | None) -> None:
        super().__init__(error, cause)
        self.error = error
        self.cause = cause


def is_known(service: str, operation: str) -> bool:
    """Whether an SDK integration names an operation. Services whose model is not here are taken on trust."""
    names = SDK.get(service)
    if names is None:
        return True
    try:
        service_model(names.service).operation(operation[0].upper() + operation[1:])
    except UnknownServiceError:
        return True
    except UnknownOperationNameError:
        return False
    return True


def text_of(value: Json) -> str:
    """A value as JSON text."""
    return msgspec.json.encode(value).decode()


class HttpInvoker(Protocol):
    """Makes the calls of HTTP tasks."""

    async def invoke(self, parameters: Json) -> str:
        """Make a call; the result's text. `TaskError` if it fails."""
        ...


@dataclass(frozen=True, slots=True)
class Caller:
    """Makes the API calls of one execution's tasks."""

    cloud: Cloud
    ids: Ids
    scope: Scope
    trace: Trace
    http: HttpInvoker
    """Who makes the calls of HTTP tasks."""
    origin: tuple[str, ...] = ()
    """The ARNs of the state machine and the execution: events that it puts name them."""

    async def function(self, arn: str, text: str) -> str:
        """Invoke a function; its result's text."""
        request = {"FunctionName": arn, "Payload": text.encode()}
        names = OPTIMIZED["lambda"]
        try:
            reply = await self.cloud.call(
                self.scope, "lambda", "Invoke", request, trace=self.trace, principal=PRINCIPAL
            )
        except ApiError as error:
            raise optimized_error(names, error, self.ids.uuid()) from None
        return self._payload(reply, compact=False)

    @staticmethod
    def _payload(reply: Mapping[str, Any], *, compact: bool) -> str:
        payload = bytes(reply.get("Payload") or b"null").decode(errors="replace")
        if not reply.get("FunctionError"):
            return payload
        try:
            document = msgspec.json.decode(payload)
        except msgspec.DecodeError:
            document = {}
        kind = document.get("errorType") if isinstance(document, dict) else None
        if isinstance(document, dict) and "errorType" not in document:
            kind = "Lambda.Unknown" if "errorMessage" not in document else "Exception"
        raise TaskError(kind or "Lambda.Unknown", text_of(document) if compact and document else payload)

    async def optimized(self, family: str, operation: str, parameters: Json) -> str:
        """An optimized integration's call; the reply as a result's text."""
        names = OPTIMIZED[family]
        name = operation[0].upper() + operation[1:]
        model = service_model(names.service).operation(name)
        given = dict(parameters) if isinstance(parameters, dict) else {}
        request_id = self.ids.uuid()
        request = to_request(model.input, given)
        if family == "events":
            self._add_origin(request)
        try:
            reply = await self.cloud.call(
                self.scope,
                names.service,
                name,
                request,
                trace=self.trace,
                principal=PRINCIPAL,
                request_id=request_id,
            )
        except ApiError as error:
            raise optimized_error(names, error, request_id) from None
        if family == "lambda":
            return self._invoked(reply, given, request_id)
        result = from_reply(model.output, reply, millis=True)
        if family == "events" and reply.get("FailedEntryCount"):
            raise TaskError("EventBridge.FailedEntry", text_of(result))
        return text_of(dict(sorted({**result, **_metadata(request_id, len(text_of(result)))}.items())))

    def _add_origin(self, request: dict[str, Any]) -> None:
        for entry in request.get("Entries", ()):
            if isinstance(entry, dict):
                entry["Resources"] = [*entry.get("Resources", ()), *self.origin]

    def _invoked(self, reply: Mapping[str, Any], given: Mapping[str, Any], request_id: str) -> str:
        result: dict[str, Any] = {"StatusCode": reply.get("StatusCode", 200)}
        if given.get("InvocationType") in {None, "RequestResponse"}:
            text = self._payload(reply, compact=True)
            try:
                result["Payload"] = msgspec.json.decode(text)
            except msgspec.DecodeError:
                result["Payload"] = text
            result["ExecutedVersion"] = reply.get("ExecutedVersion", "$LATEST")
        result |= _metadata(request_id, len(text_of(result)))
        return text_of(dict(sorted(result.items())))

    async def sdk(self, service: str, operation: str, parameters: Json) -> str:
        """An SDK integration's call."""
        names = SDK.get(service)
        if names is None:
            raise TaskError(
                "States.Runtime", f"Fogbank does not have the service {service} ({operation} was called by a task)"
            )
        name = operation[0].upper() + operation[1:]
        request_id = self.ids.uuid()
        try:
            model = service_model(names.service).operation(name)
        except (UnknownServiceError, UnknownOperationNameError):
            raise TaskError("States.Runtime", f"Fogbank does not know the operation {service}:{operation}") from None
        request = to_request(model.input, parameters if isinstance(parameters, dict) else {})
        if (names.service, name) == ("s3", "PutObject"):  # what the SDK for Java adds to an object that is a text
            request = {"ContentType": "text/plain; charset=UTF-8", "ChecksumAlgorithm": "CRC32"} | request
        try:
            reply = await self.cloud.call(
                self.scope,
                names.service,
                name,
                request,
                trace=self.trace,
                principal=PRINCIPAL,
                request_id=request_id,
            )
        except ApiError as error:
            raise sdk_error(names, error, request_id) from None
        if isinstance(reply.get("Body"), AsyncIterator):
            reply = {**reply, "Body": await _beginning(reply["Body"])}
        return text_of(from_reply(model.output, reply, millis=False))


async def _beginning(body: AsyncIterator[bytes]) -> bytes:
    """The bytes of an object, or of a large one so many that they are too many for a result."""
    found = bytearray()
    async for piece in body:
        found += piece
        if len(found) > MAX_RESULT:
            break
    return bytes(found)


def _metadata(request_id: str, length: int) -> dict[str, Any]:
    headers = {
        "Connection": "keep-alive",
        "Content-Length": str(length),
        "Content-Type": "application/x-amz-json-1.0",
        "x-amzn-RequestId": request_id,
    }
    return {
        "SdkHttpMetadata": {
            "AllHttpHeaders": {name: [value] for name, value in headers.items()},
            "HttpHeaders": headers,
            "HttpStatusCode": 200,
        },
        "SdkResponseMetadata": {"RequestId": request_id},
    }


# -- errors -----------------------------------------------------------------------------------------------


def _modelled(service: str, code: str) -> tuple[str, str] | None:
    """The shape's name and the wire's code of an error that the service's model has."""
    shape = service_model(service).error(code)
    if shape is None:
        return None
    return shape.name, shape.error.code or shape.name


def extended_id(request_id: str) -> str:
    """The second id of a request that S3 gives."""
    return base64.b64encode(hashlib.sha512(request_id.encode()).digest()[:56]).decode()


def _exception(name: str) -> str:
    return name if name.endswith("Exception") else f"{name}Exception"


def optimized_error(names: Names, error: ApiError, request_id: str) -> TaskError:
    """`DynamoDB.ResourceNotFoundException`, and the cause that the first SDK for Java words."""
    modelled = _modelled(names.service, error.code)
    name = names.fallback if modelled is None else _exception(modelled[0])
    code = error.query_code or (error.code if modelled is None else modelled[1])
    message = error.message
    if names.service == "lambda" and message.startswith("Function not found: ") and message.count(":") == 7:
        message += ":$LATEST"
    ids = f"Request ID: {request_id}"
    if names.service == "s3":
        ids += f"; S3 Extended Request ID: {extended_id(request_id)}"
    cause = f"{message} (Service: {names.title}; Status Code: {error.status}; Error Code: {code}; {ids}; Proxy: null)"
    return TaskError(f"{names.prefix}.{name}", cause)


def sdk_error(names: Names, error: ApiError, request_id: str) -> TaskError:
    """`DynamoDb.DynamoDbException`, and the cause that the second SDK for Java words."""
    modelled = _modelled(names.service, error.code)
    name = f"{names.prefix}Exception" if modelled is None else _exception(modelled[0])
    ids = f"Request ID: {request_id}"
    if names.service == "s3":
        ids += f", Extended Request ID: {extended_id(request_id)}"
    cause = f"{error.message} (Service: {names.prefix}, Status Code: {error.status}, {ids})"
    return TaskError(f"{names.prefix}.{name}", cause)


# -- values -----------------------------------------------------------------------------------------------


def to_request(shape: StructureShape | None, given: Mapping[str, Json]) -> dict[str, Any]:
    """A task's parameters as a request: members by their Java names, JSON where a text is wanted.

    `TaskError` if a value cannot be what its member wants.
    """
    if shape is None:
        return {}
    try:
        found = _structure(shape, given)
    except (ValueError, OverflowError) as error:
        cause = f"The Parameters '{text_of(given)}' could not be used to start the Task: [{error}]"
        raise TaskError("States.Runtime", cause) from None
    return found if isinstance(found, dict) else {}


def _structure(shape: StructureShape, given: Mapping[str, Json]) -> Json:
    known = {name.lower(): name for name in shape.members}
    out: dict[str, Any] = {}
    for name, value in given.items():
        member = name if name in shape.members else known.get(name.lower())
        if value is None:
            continue
        if member is None:
            out[name] = value
        else:
            out[member] = _given(shape.members[member].shape, value)
    return out


def _given(shape: Shape, value: Json) -> Json:
    if isinstance(shape, StructureShape):
        return _structure(shape, value) if isinstance(value, dict) else value
    if isinstance(shape, ListShape) and isinstance(value, list):
        return [_given(shape.member.shape, item) for item in value]
    if isinstance(shape, MapShape) and isinstance(value, dict):
        return {name: _given(shape.value.shape, item) for name, item in value.items()}
    if isinstance(shape, StringShape) and not isinstance(value, str):
        return text_of(value)
    if isinstance(shape, BlobShape):
        as_text = isinstance(value, str) and shape.name not in _JSON_BLOBS
        return value.encode() if as_text else text_of(value).encode()
    if isinstance(shape, TimestampShape) and isinstance(value, str):
        return datetime.fromisoformat(value).timestamp()
    return value


def from_reply(shape: StructureShape | None, reply: Mapping[str, Any], *, millis: bool) -> dict[str, Any]:
    """A reply as a result: members begin with a capital, times are texts (or milliseconds)."""
    if shape is None:
        return {}
    out = {}
    for name, value in reply.items():
        if value is None:
            continue
        member = shape.members.get(name)
        out[name[0].upper() + name[1:]] = value if member is None else _taken(member.shape, value, millis=millis)
    return out


def _taken(shape: Shape, value: Any, *, millis: bool) -> Json:
    if isinstance(shape, StructureShape):
        return from_reply(shape, value, millis=millis)
    if isinstance(shape, ListShape):
        return [_taken(shape.member.shape, item, millis=millis) for item in value]
    if isinstance(shape, MapShape):
        return {name: _taken(shape.value.shape, item, millis=millis) for name, item in value.items()}
    if isinstance(shape, BlobShape):
        return bytes(value).decode(errors="replace") if isinstance(value, bytes | bytearray | memoryview) else value
    if isinstance(shape, TimestampShape):
        return int(value * 1000) if millis else shown_time(value)
    return value


def shown_time(seconds: float) -> str:
    """A moment as the SDK writes it."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
