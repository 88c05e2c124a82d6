"""Function URLs: the event that a request becomes, and the response that an answer becomes. Pure functions.

Sources: https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html and urls-configuration.html; which bodies are
text was verified on AWS by rmlasseter (ministack pull request 766): text, JSON, XML and JavaScript, and nothing else.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote_plus

import msgspec

from fogbank.core.http import HttpRequest
from fogbank.services.lambda_._names import FunctionRef
from fogbank.services.lambda_.errors import InvalidParameterValueError

HOST = re.compile(r"([a-z0-9]{32})\.lambda-url\.([a-z0-9-]+)\..+")
METADATA = "application/vnd.awslambda.http-integration-response"
"""The content type of a stream that begins with the metadata of an HTTP response."""
DELIMITER = b"\0" * 8
MAX_METADATA = 1024 * 1024
_TEXT = re.compile(r"text/.*|application/(json|xml|javascript)", re.IGNORECASE)
_METHODS = frozenset({"GET", "PUT", "HEAD", "POST", "PATCH", "DELETE", "*"})
_ORIGIN = re.compile(r"https?://[^\s/]+")
_CORS = "access-control-"
Headers = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class FunctionUrl:
    """A function's URL. `function` has the alias as its qualifier, or none; moments are in milliseconds."""

    id: str
    function: FunctionRef
    auth: str
    mode: str
    cors: Mapping[str, Any] | None
    created: int
    modified: int

    def render(self, address: str) -> dict[str, Any]:
        """FunctionUrlConfig."""
        shown: dict[str, Any] = {
            "FunctionUrl": address,
            "FunctionArn": self.function.qualified_arn,
            "AuthType": self.auth,
            "CreationTime": moment(self.created),
            "LastModifiedTime": moment(self.modified),
            "InvokeMode": self.mode,
        }
        if self.cors is not None:
            shown["Cors"] = dict(self.cors)
        return shown


@dataclass(frozen=True, slots=True)
class Caller:
    """Who signed a request to a URL of type AWS_IAM."""

    access_key: str
    account: str
    arn: str
    user_id: str


class MalformedAnswerError(ValueError):
    """A function's answer that no HTTP response can be made of."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP response."""

    status: int
    headers: Headers
    body: bytes = b""


def moment(millis: int) -> str:
    """`2023-11-14T22:13:20.123000Z`."""
    return f"{datetime.fromtimestamp(millis / 1000, UTC):%Y-%m-%dT%H:%M:%S.%f}Z"


def check_cors(cors: Mapping[str, Any] | None) -> None:
    """What the model does not rule out: methods and origins that there cannot be."""
    if cors is None:
        return
    for method in cors.get("AllowMethods", ()):
        if method not in _METHODS:
            raise InvalidParameterValueError(
                f"Value '{method}' at 'cors.allowMethods' is not valid: expected one of {', '.join(sorted(_METHODS))}"
            )
    for origin in cors.get("AllowOrigins", ()):
        if origin != "*" and not _ORIGIN.fullmatch(origin):
            raise InvalidParameterValueError(
                f"Value '{origin}' at 'cors.allowOrigins' is not valid: expected * or an origin such as "
                "https://www.example.com"
            )


# -- the event --------------------------------------------------------------------------------------------------


def event(
    request: HttpRequest, host: str, caller: Caller | None, *, request_id: str, trace: str, now: float, port: str
) -> dict[str, Any]:
    """The event of a request, in payload format 2.0."""
    url_id = host.partition(".")[0]
    headers = dict(request.headers)
    cookies = [part.strip() for part in headers.pop("cookie", "").split(";") if part.strip()]
    forwarded = headers.get("x-forwarded-for")
    headers["x-forwarded-for"] = f"{forwarded}, {request.client}" if forwarded else request.client
    headers["x-forwarded-proto"] = "http"
    headers["x-forwarded-port"] = port
    headers["x-amzn-trace-id"] = trace
    shown: dict[str, Any] = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": request.path,
        "rawQueryString": request.query,
    }
    if cookies:
        shown["cookies"] = cookies
    shown["headers"] = headers
    if request.query:
        shown["queryStringParameters"] = _query(request.query)
    shown["requestContext"] = {
        "accountId": "anonymous" if caller is None else caller.account,
        "apiId": url_id,
        **({} if caller is None else {"authorizer": {"iam": _iam(caller)}}),
        "domainName": host,
        "domainPrefix": url_id,
        "http": {
            "method": request.method,
            "path": request.path,
            "protocol": f"HTTP/{request.version}",
            "sourceIp": request.client,
            "userAgent": headers.get("user-agent", ""),
        },
        "requestId": request_id,
        "routeKey": "$default",
        "stage": "$default",
        "time": f"{datetime.fromtimestamp(now, UTC):%d/%b/%Y:%H:%M:%S} +0000",
        "timeEpoch": int(now * 1000),
    }
    text = _body_text(request)
    if text is not None:
        shown["body"] = text
    elif request.body:
        shown["body"] = base64.b64encode(request.body).decode()
    shown["isBase64Encoded"] = text is None and bool(request.body)
    return shown


def _iam(caller: Caller) -> dict[str, Any]:
    return {
        "accessKey": caller.access_key,
        "accountId": caller.account,
        "callerId": caller.user_id,
        "cognitoIdentity": None,
        "principalOrgId": None,
        "userArn": caller.arn,
        "userId": caller.user_id,
    }


def _query(query: str) -> dict[str, str]:
    """The parameters; values of one name are joined by commas."""
    found: dict[str, str] = {}
    for part in query.split("&"):
        if part:
            name, _, value = part.partition("=")
            key, text = unquote_plus(name), unquote_plus(value)
            found[key] = f"{found[key]},{text}" if key in found else text
    return found


def _body_text(request: HttpRequest) -> str | None:
    """The body as text; `None` if there is none, or it is one of those that travel in base64."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip()
    if not request.body or not _TEXT.fullmatch(kind):
        return None
    try:
        return request.body.decode()
    except UnicodeDecodeError:
        return None


# -- the response -----------------------------------------------------------------------------------------------


def answer(payload: bytes) -> Answer:
    """The response that a function's answer means. `MalformedAnswerError` if it means none."""
    try:
        document = msgspec.json.decode(payload)
    except msgspec.DecodeError:
        document = None
    if not isinstance(document, dict) or document.get("statusCode") is None:
        return Answer(200, [("content-type", "application/json")], payload)
    status, headers = _head(document)
    body = document.get("body")
    if body is None:
        data = b""
    elif not isinstance(body, str):
        raise MalformedAnswerError("the body is not text")
    elif document.get("isBase64Encoded"):
        try:
            data = base64.b64decode(body, validate=True)
        except binascii.Error:
            raise MalformedAnswerError("the body is not base64") from None
    else:
        data = body.encode("utf-8", "replace")
    return Answer(status, headers, data)


def metadata(prelude: bytes) -> Answer:
    """The head of a response whose stream began with this prelude. `MalformedAnswerError` if it is none."""
    try:
        document = msgspec.json.decode(prelude)
    except msgspec.DecodeError:
        document = None
    if not isinstance(document, dict):
        raise MalformedAnswerError("the metadata is not a JSON object")
    status, headers = _head({"statusCode": 200, **document}, default="application/octet-stream")
    return Answer(status, headers)


def _head(document: Mapping[str, Any], default: str = "application/json") -> tuple[int, Headers]:
    status = document["statusCode"]
    if isinstance(status, str) and status.isascii() and status.isdigit():
        status = int(status)
    if isinstance(status, bool) or not isinstance(status, int) or not 100 <= status <= 599:
        raise MalformedAnswerError(f"the status {status!r} is none")
    given = document.get("headers") or {}
    cookies = document.get("cookies") or []
    if not isinstance(given, dict) or not isinstance(cookies, list):
        raise MalformedAnswerError("headers and cookies are not an object and a list")
    headers = [(name.lower(), _value(value)) for name, value in given.items() if value is not None]
    headers += [("set-cookie", _value(cookie)) for cookie in cookies]
    if not any(name == "content-type" for name, _ in headers):
        headers.append(("content-type", default))
    return status, headers


def _value(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    raise MalformedAnswerError("a header is not text")


# -- origins ----------------------------------------------------------------------------------------------------


def is_preflight(request: HttpRequest) -> bool:
    """Whether a browser asks what it may send."""
    return (
        request.method == "OPTIONS"
        and "origin" in request.headers
        and "access-control-request-method" in request.headers
    )


def preflight(cors: Mapping[str, Any], request: HttpRequest) -> Headers:
    """What a browser is told that it may send; nothing if its origin or method is not allowed."""
    found = _allowed(cors, request.headers["origin"])
    methods = cors.get("AllowMethods", ())
    wanted = request.headers["access-control-request-method"]
    if not found or ("*" not in methods and wanted not in methods):
        return []
    for name, key in (("allow-methods", "AllowMethods"), ("allow-headers", "AllowHeaders")):
        if cors.get(key):
            found.append((_CORS + name, ",".join(cors[key])))
    if cors.get("MaxAge") is not None:
        found.append((f"{_CORS}max-age", str(cors["MaxAge"])))
    return found


def with_cors(cors: Mapping[str, Any] | None, request: HttpRequest, headers: Headers) -> Headers:
    """A response's headers with those of the configuration, which stand in place of the function's own."""
    if cors is None or "origin" not in request.headers:
        return headers
    added = _allowed(cors, request.headers["origin"])
    if added and cors.get("ExposeHeaders"):
        added.append((f"{_CORS}expose-headers", ",".join(cors["ExposeHeaders"])))
    names = {name for name, _ in added}
    return [*(pair for pair in headers if pair[0] not in names), *added]


def _allowed(cors: Mapping[str, Any], origin: str) -> Headers:
    origins: Sequence[str] = cors.get("AllowOrigins", ())
    if "*" in origins:
        found = [(f"{_CORS}allow-origin", origin if cors.get("AllowCredentials") else "*")]
    elif origin in origins:
        found = [(f"{_CORS}allow-origin", origin)]
    else:
        return []
    if cors.get("AllowCredentials"):
        found.append((f"{_CORS}allow-credentials", "true"))
    found.append(("vary", "Origin"))
    return found
