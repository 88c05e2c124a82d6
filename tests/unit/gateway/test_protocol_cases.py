"""botocore's protocol cases, turned round for a server.

Inputs: what botocore is expected to send for some parameters is decoded; out must come the parameters.
Outputs: a result is encoded and given to botocore's own parser; out must come the result.
"""

from __future__ import annotations

import base64
import json
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import botocore.model
import pytest
from botocore.awsrequest import HeadersDict
from botocore.parsers import PROTOCOL_PARSERS, ResponseParserError
from botocore.utils import parse_timestamp

from fogbank.core.errors import ApiError
from fogbank.core.http import HttpRequest, HttpResponse
from fogbank.core.models import (
    BlobShape,
    ListShape,
    Location,
    MapShape,
    NumberShape,
    ServiceModel,
    Shape,
    StructureShape,
)
from fogbank.gateway.protocols import RestCodec, make_codec

FILES = [
    "ec2",
    "json",
    "json_1_0",
    "json_1_0-query-compatible",
    "query",
    "rest-json",
    "rest-xml",
    "smithy-rpc-v2-cbor",
    "smithy-rpc-v2-cbor-non-query-compatible",
    "smithy-rpc-v2-cbor-query-compatible",
]

COMPRESSING = ["awsJson1_0", "awsJson1_1", "awsQuery", "ec2Query", "restJson1", "restXml"]

# Cases that cannot apply to a server, each with the reason. Everything else must pass.
_COMPRESSED = "the case leaves the compressed body out, so there is nothing to decode"
_FILLED_IN = "the client fills the token in; the parameters of the case do not have it"
_EMPTY = "an empty list or map is not on the wire"
_EMPTY_PAYLOAD = "an empty structure and none look the same on the wire"
INPUTS_THAT_CANNOT_APPLY = {
    **{f"SDKAppliedContentEncoding_{name}": _COMPRESSED for name in COMPRESSING},
    **{f"SDKAppendsGzipAndIgnoresHttpProvidedEncoding_{name}": _COMPRESSED for name in COMPRESSING[:4]},
    **{f"SDKAppendedGzipAfterProvidedEncoding_{name}": _COMPRESSED for name in COMPRESSING[4:]},
    "Ec2ProtocolIdempotencyTokenAutoFill": _FILLED_IN,
    "QueryProtocolIdempotencyTokenAutoFill": _FILLED_IN,
    "QueryIdempotencyTokenAutoFill": _FILLED_IN,
    "RestJsonQueryIdempotencyTokenAutoFill": _FILLED_IN,
    "Ec2EmptyQueryLists": _EMPTY,
    "QueryEmptyQueryMaps": _EMPTY,
    "RestJsonOmitsEmptyListQueryValues": _EMPTY,
    "RestJsonHttpPrefixHeadersAreNotPresent": _EMPTY,
    "HttpPrefixHeadersAreNotPresent": _EMPTY,
    "RestJsonHttpWithEmptyStructurePayload": _EMPTY_PAYLOAD,
    "RestJsonHttpWithHeadersButNoPayload": _EMPTY_PAYLOAD,
    "RestJsonHostWithPath": "the server is not reached below a path of another host",
}
OUTPUTS_THAT_CANNOT_APPLY: dict[str, str] = {}

Case = tuple[str, dict[str, Any], dict[str, Any]]


def load(folder: Path, direction: str, file: str) -> Iterator[Case]:
    """A name, the service's description and the case, for each case of a file."""
    suites = json.loads((folder / "protocols" / direction / f"{file}.json").read_text())
    for number, suite in enumerate(suites):
        cases = suite.pop("cases")
        for index, case in enumerate(cases):
            name = case.get("id", f"{file}:{number}:{index}")
            description = {**suite, "operations": {case["given"]["name"]: case["given"]}}
            description["metadata"] = {"endpointPrefix": "made-up", **suite["metadata"]}
            yield name, description, case


def to_python(shape: Shape | None, value: Any) -> Any:
    """A value of a case's JSON in the types that services use."""
    if value is None or shape is None:
        return value
    if isinstance(shape, StructureShape) and not shape.document:
        return {k: to_python(shape.members[k].shape, v) for k, v in value.items() if k in shape.members}
    if isinstance(shape, ListShape):
        return [to_python(shape.member.shape, item) for item in value]
    if isinstance(shape, MapShape):
        return {key: to_python(shape.value.shape, item) for key, item in value.items()}
    if isinstance(shape, BlobShape):
        return value.encode() if isinstance(value, str) else value
    if isinstance(shape, NumberShape) and isinstance(value, str):
        return {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}[value]
    return value


def without_named(shape: StructureShape | None, params: dict[str, Any]) -> dict[str, Any]:
    """The parameters without what a map of query parameters repeats, or loses, of those with a member."""
    if shape is None:
        return params
    query = {name: m for name, m in shape.members.items() if m.location is Location.QUERY}
    named = {member.wire_name for member in query.values() if not isinstance(member.shape, MapShape)}
    result = dict(params)
    for name, member in query.items():
        if isinstance(member.shape, MapShape) and name in result:
            kept = {key: value for key, value in result[name].items() if key not in named}
            result[name] = kept or None
    return result


def comparable(value: Any) -> Any:
    """The same without what two equal values may differ in: NaN, which equals nothing, and absent members."""
    if isinstance(value, dict):
        return {key: comparable(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [comparable(item) for item in value]
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, float):
        if not math.isfinite(value):
            return {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}[str(value)]
        return int(value) if value.is_integer() else value
    return value


def is_the_expected_answer(answer: HttpResponse, expected: dict[str, Any]) -> bool:
    """Whether an answer is, but for space and further headers, the one that the case has.

    Some cases are right and botocore's parser is not (it has a list of those that it ignores).
    """
    headers = {name.lower(): value for name, value in answer.headers}
    for name, value in expected.get("headers", {}).items():
        if name.lower() not in {"content-type", "content-length"} and headers.get(name.lower()) != value:
            return False
    assert isinstance(answer.body, bytes)
    if answer.status != expected["status_code"]:
        return False
    return "body" not in expected or canonical(answer.body) == canonical(expected["body"].encode())


def canonical(body: bytes) -> Any:
    if body.startswith(b"<"):
        text = re.sub(r"<(RequestId|requestId|RequestID)>.*?</\1>", "", body.decode())
        text = re.sub(r' xmlns="https://example.com/"', "", text)
        text = re.sub(r"<ResponseMetadata>\s*</ResponseMetadata>", "", text)
        return ET.canonicalize(text, strip_text=True)
    return json.loads(body) if body.startswith((b"{", b"[")) else body


def as_request(case: dict[str, Any], protocol: str) -> HttpRequest:
    wire = case["serialized"]
    path, _, query = wire.get("uri", "/").partition("?")
    body = wire.get("body", "")
    raw = base64.b64decode(body) if "cbor" in protocol else body.encode()
    headers = {name.lower(): value for name, value in wire.get("headers", {}).items()}
    return HttpRequest(wire.get("method", "POST"), path, query, headers, raw)


def decode(description: dict[str, Any], case: dict[str, Any]) -> dict[str, Any]:
    model = ServiceModel("made-up", description)
    codec = make_codec(model)
    request = as_request(case, description["metadata"]["protocol"])
    name, labels = case["given"]["name"], {}
    if isinstance(codec, RestCodec):
        found = codec.match(request)
        assert found is not None, f"no route for {request.method} {request.path}"
        assert found.operation == name
        labels = dict(found.labels)
    return codec.operation(name).decode(request, labels)


@pytest.mark.parametrize("file", FILES)
def test_what_botocore_sends_is_understood(botocore_tests: Path, file: str) -> None:
    """Every input case decodes to its parameters."""
    failures = []
    for name, description, case in load(botocore_tests, "input", file):
        if name in INPUTS_THAT_CANNOT_APPLY:
            continue
        operation = ServiceModel("made-up", description).operation(case["given"]["name"])
        expected = comparable(without_named(operation.input, to_python(operation.input, case["params"])))
        try:
            actual = comparable(decode(description, case))
        except (ApiError, AssertionError) as error:
            failures.append(f"{name}: {error!r}\n  {case['serialized']}")
            continue
        if actual != expected:
            failures.append(f"{name}:\n  got  {actual}\n  want {expected}\n  {case['serialized']}")
    assert not failures, f"{len(failures)} cases\n" + "\n".join(failures)


def parsed(description: dict[str, Any], case: dict[str, Any], answer: HttpResponse) -> dict[str, Any]:
    """What botocore makes of an answer."""
    model = botocore.model.ServiceModel(description)
    operation = botocore.model.OperationModel(case["given"], model)
    protocol = description["metadata"]["protocol"]
    make_parser: Any = PROTOCOL_PARSERS[protocol]
    parser = make_parser(timestamp_parser=lambda text: parse_timestamp(text).timestamp())
    shape = operation.output_shape
    if protocol == "query" and shape is not None and shape.members:
        shape.serialization["resultWrapper"] = f"{operation.name}Result"
    response = {
        "status_code": answer.status,
        "headers": HeadersDict(dict(answer.headers)),
        "body": answer.body,
        "context": {"operation_name": operation.name},
    }
    result = parser.parse(response, shape)
    if "Error" in result:
        try:
            error_shape = model.shape_for_error_code(result["Error"]["Code"])
        except botocore.model.NoShapeFoundError:
            return dict(result)
        result.update(parser.parse(response, error_shape))
    return dict(result)


def encode(description: dict[str, Any], case: dict[str, Any]) -> HttpResponse:
    model = ServiceModel("made-up", description)
    codec = make_codec(model)
    operation = model.operation(case["given"]["name"])
    if "error" in case:
        return codec.encode_error(as_error(model, case), HttpRequest("POST", "/", headers=QUERY_MODE), "id")
    reply = to_python(operation.output, case["result"])
    return codec.operation(operation.name).encode(reply, "id")


QUERY_MODE = {"x-amzn-query-mode": "true"}


def as_error(model: ServiceModel, case: dict[str, Any]) -> ApiError:
    shape = model.error(case["errorCode"])
    kind = type("CaseError", (ApiError,), {"code": case["errorCode"], "status": case["response"]["status_code"]})
    members = {name: value for name, value in case["error"].items() if name.lower() != "message"}
    error = kind(case.get("errorMessage", ""), **to_python(shape, members) if shape else members)
    assert isinstance(error, ApiError)
    return error


@pytest.mark.parametrize("file", FILES)
def test_what_is_answered_is_understood_by_botocore(botocore_tests: Path, file: str) -> None:
    """Every output case, encoded here, is parsed to its result by botocore."""
    failures = []
    for name, description, case in load(botocore_tests, "output", file):
        if name in OUTPUTS_THAT_CANNOT_APPLY:
            continue
        model = ServiceModel("made-up", description)
        answer = encode(description, case)
        if is_the_expected_answer(answer, case["response"]):
            continue
        try:
            actual = parsed(description, case, answer)
        except ResponseParserError as error:
            failures.append(f"{name}: {error!r}\n  {case.get('result')}")
            continue
        actual.pop("ResponseMetadata", None)
        if "error" in case:
            shape: Shape | None = model.error(case["errorCode"])
            expected = {
                "Error": {"Code": case["errorCode"], "Message": case.get("errorMessage", "")},
                **to_python(shape, case["error"]),
            }
            actual["Error"] = {key: actual["Error"].get(key) or "" for key in ("Code", "Message")}
        else:
            expected = to_python(model.operation(case["given"]["name"]).output, case["result"])
        if comparable(actual) != comparable(expected):
            failures.append(f"{name}:\n  got  {actual}\n  want {expected}\n  {answer}\n  {case['response']}")
    assert not failures, f"{len(failures)} cases\n" + "\n".join(failures)


def test_no_case_is_forgotten(botocore_tests: Path) -> None:
    """All files are run, and every exception names a case that there is."""
    for direction, exceptions in (("input", INPUTS_THAT_CANNOT_APPLY), ("output", OUTPUTS_THAT_CANNOT_APPLY)):
        there = {path.stem for path in (botocore_tests / "protocols" / direction).glob("*.json")}
        assert there == set(FILES)
        names = [name for file in FILES for name, _, _ in load(botocore_tests, direction, file)]
        assert len(names) > 360
        assert set(exceptions) <= set(names)
