"""HTTP tasks: a task's parameters and a connection's credentials become a request, its answer a result.

Source: https://docs.aws.amazon.com/step-functions/latest/dg/call-https-apis.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote_plus

import msgspec

from fogbank.core.http.client import HttpError, HttpReply, TooLargeError, check_url, send
from fogbank.delivery.connections import (
    RESERVED_HEADERS,
    Connections,
    ConnectionUnusableError,
    Credentials,
    merge_headers,
    with_query,
)
from fogbank.services.states._integrations import TaskError, text_of

Json = Any
TIMEOUT = 60.0
LIMIT = 262_144
"""Bytes of an answer."""
METHODS = frozenset({"GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"})
_FIELDS = frozenset(
    {
        "ApiEndpoint",
        "Method",
        "Authentication",
        "InvocationConfig",
        "Headers",
        "QueryParameters",
        "RequestBody",
        "Transform",
    }
)
_FORM = "application/x-www-form-urlencoded"
_ARRAYS = frozenset({"INDICES", "REPEAT", "COMMAS", "BRACKETS"})
_BINARY = ("application/octet-stream", "image/", "video/", "audio/")


@dataclass(slots=True)
class Exchange:
    """What went over the wire: the request as it was sent, with or without what the connection added; the answer."""

    method: str = ""
    url: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    body: str = ""
    reply: HttpReply | None = None

    @property
    def document(self) -> dict[str, dict[str, str]]:
        """`request` and `response` of TestState's inspection data."""
        shown = {
            "request": {
                "protocol": self.url.partition(":")[0],
                "method": self.method,
                "url": self.url,
                "headers": _header_text(self.headers),
                "body": self.body,
            }
        }
        if self.reply is not None:
            shown["response"] = {
                "protocol": self.url.partition(":")[0],
                "statusCode": str(self.reply.status),
                "statusMessage": self.reply.reason,
                "headers": _header_text(self.reply.headers),
                "body": self.reply.body.decode(errors="replace"),
            }
        return shown


def _header_text(headers: Iterable[tuple[str, str]]) -> str:
    return "[" + ", ".join(f"{name}: {value}" for name, value in headers) + "]"


@dataclass(frozen=True, slots=True)
class HttpCaller:
    """Makes the calls of HTTP tasks."""

    connections: Connections
    region: str
    exchange: Exchange | None = None
    """Where to note what goes over the wire, if anyone asks."""
    reveal: bool = False
    """Whether what the connection adds is noted too."""

    async def invoke(self, parameters: Json) -> str:
        """Make a call; the result's text. `TaskError` if it fails."""
        call = read(parameters)
        credentials = await self._credentials(call.connection)
        reply = await self._send(call, credentials)
        if reply.status in {401, 407} and credentials.renewable:
            credentials = await self._credentials(call.connection, renew=True)
            reply = await self._send(call, credentials)
        return result_of(reply)

    async def _credentials(self, arn: str, *, renew: bool = False) -> Credentials:
        try:
            return await self.connections.credentials(arn, renew=renew)
        except ConnectionUnusableError as error:
            raise TaskError(f"Events.ConnectionResource.{error.reason}", error.message) from None

    async def _send(self, call: HttpCall, credentials: Credentials) -> HttpReply:
        method, url, headers, body = call.request(credentials, self.region)
        exchange = self.exchange
        if exchange is not None:
            told = call.request(credentials if self.reveal else Credentials(), self.region)
            exchange.method, exchange.url, exchange.headers = told[0], told[1], tuple(told[2])
            exchange.body = told[3].decode(errors="replace")
        try:
            reply = await send(method, url, headers, body, within=TIMEOUT, limit=LIMIT)
        except TooLargeError:
            raise TaskError(
                "States.DataLimitExceeded", f"The HTTP response is over the limit of {LIMIT} bytes."
            ) from None
        except HttpError as error:
            raise TaskError("States.Http.Socket", str(error)) from None
        if exchange is not None:
            exchange.reply = reply
        return reply


@dataclass(frozen=True, slots=True)
class HttpCall:
    """A task's parameters, read."""

    method: str
    url: str
    connection: str
    headers: tuple[tuple[str, str], ...]
    query: tuple[tuple[str, str], ...]
    body: Json
    form: str | None
    """How arrays are written where the body is a form."""

    def request(self, credentials: Credentials, region: str) -> tuple[str, str, list[tuple[str, str]], bytes]:
        """Method, URL, headers and body; where both say something of one name the connection's counts."""
        agent = ("User-Agent", f"Amazon|StepFunctions|HttpInvoke|{region}")
        body, kind = self._body(credentials)
        headers = [agent, ("Range", f"bytes=0-{LIMIT}"), *self.headers]
        if kind and not any(name.lower() == "content-type" for name, _ in headers):
            headers.append(("Content-Type", kind))
        taken = {name for name, _ in credentials.query}
        query = (*(pair for pair in self.query if pair[0] not in taken), *credentials.query)
        return self.method, with_query(self.url, query), merge_headers(headers, credentials.headers), body

    def _body(self, credentials: Credentials) -> tuple[bytes, str]:
        body = self.body
        if credentials.body:
            body = {} if body is None else body
            if not isinstance(body, dict):
                raise _runtime("RequestBody must be an object, because the connection has body parameters")
            both = sorted(body.keys() & dict(credentials.body).keys())
            if both:
                raise _runtime(f"RequestBody and the connection both have these fields: {', '.join(both)}")
            body = {**body, **dict(credentials.body)}
        if body is None:
            return b"", ""
        if self.form is not None:
            if not isinstance(body, dict):
                raise _runtime("RequestBody must be an object to be URL encoded")
            return form(body, self.form).encode(), _FORM
        if isinstance(body, str):
            return body.encode(), "text/plain"
        return msgspec.json.encode(body), "application/json"


def _runtime(message: str) -> TaskError:
    return TaskError("States.Runtime", message)


def read(parameters: Json) -> HttpCall:
    """Read a task's parameters. `TaskError` (`States.Runtime`) says what is wrong with them."""
    given = parameters if isinstance(parameters, dict) else {}
    unknown = sorted(given.keys() - _FIELDS)
    if unknown:
        raise _runtime(f"These fields of an HTTP Task are not supported: {', '.join(unknown)}")
    url, method = given.get("ApiEndpoint"), given.get("Method")
    if not isinstance(url, str) or not isinstance(method, str) or method not in METHODS:
        raise _runtime("An HTTP Task requires ApiEndpoint, a URL, and Method, one of " + ", ".join(sorted(METHODS)))
    try:
        check_url(url)
    except ValueError as error:
        raise _runtime(f"ApiEndpoint is not valid: {error}") from None
    auth = given.get("Authentication") or given.get("InvocationConfig")
    connection = auth.get("ConnectionArn") if isinstance(auth, dict) else None
    if not isinstance(connection, str) or ":connection/" not in connection or not connection.startswith("arn:"):
        raise _runtime("An HTTP Task requires Authentication with the ConnectionArn of an EventBridge connection")
    headers = tuple(_pairs(given.get("Headers"), "Headers", join=True))
    for name, _ in headers:
        lower = name.lower()
        if lower in RESERVED_HEADERS or lower == "authorization" or lower.startswith(("x-amz", "x-forwarded")):
            raise _runtime(f"The header {name} cannot be set in an HTTP Task")
    query = tuple(_pairs(given.get("QueryParameters"), "QueryParameters", join=False))
    return HttpCall(method, url, connection, headers, query, given.get("RequestBody"), _form_of(given))


def _pairs(given: Json, field: str, *, join: bool) -> Iterable[tuple[str, str]]:
    """Names and values; several values of one name are joined by commas, or repeated."""
    if given is None:
        return
    if not isinstance(given, dict):
        raise _runtime(f"{field} must be an object")
    for name, value in given.items():
        values = [_plain(item) for item in (value if isinstance(value, list) else [value])]
        if join:
            yield name, ",".join(values)
        else:
            yield from ((name, item) for item in values)


def _plain(value: Json) -> str:
    return value if isinstance(value, str) else text_of(value)


def _form_of(given: Mapping[str, Json]) -> str | None:
    transform = given.get("Transform") or {}
    if not isinstance(transform, dict):
        raise _runtime("Transform must be an object")
    encoding = transform.get("RequestBodyEncoding", "NONE")
    if encoding not in {"NONE", "URL_ENCODED"}:
        raise _runtime("RequestBodyEncoding must be one of NONE, URL_ENCODED")
    options = transform.get("RequestEncodingOptions") or {}
    arrays = options.get("ArrayFormat", "INDICES") if isinstance(options, dict) else None
    if arrays not in _ARRAYS:
        raise _runtime(f"ArrayFormat must be one of {', '.join(sorted(_ARRAYS))}")
    return arrays if encoding == "URL_ENCODED" else None


def form(body: Mapping[str, Json], arrays: str) -> str:
    """A body as `application/x-www-form-urlencoded`, nested members as `a[b]=c`, arrays as they are asked for."""
    return "&".join(
        f"{quote_plus(name, safe='[]')}={quote_plus(value)}"
        for key, item in body.items()
        for name, value in _fields(key, item, arrays)
    )


def _fields(name: str, value: Json, arrays: str) -> Iterable[tuple[str, str]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _fields(f"{name}[{key}]", item, arrays)
    elif isinstance(value, list):
        if arrays == "COMMAS":
            yield name, ",".join(map(_plain, value))
            return
        for index, item in enumerate(value):
            inner = {"INDICES": f"{name}[{index}]", "BRACKETS": f"{name}[]"}.get(arrays, name)
            yield from _fields(inner, item, arrays)
    else:
        yield name, "" if value is None else _plain(value)


def result_of(reply: HttpReply) -> str:
    """A task's result; `TaskError` for a status that is no success, and for what is no text."""
    kind = reply.header("content-type").lower()
    if kind.startswith(_BINARY):
        raise _runtime(f"The HTTP response has an unsupported content type: {kind}")
    try:
        text = reply.body.decode()
    except UnicodeDecodeError:
        raise _runtime("The HTTP response is not a text") from None
    if not 200 <= reply.status < 300:
        raise TaskError(f"States.Http.StatusCode.{reply.status}", text or reply.reason)
    body: Json = text
    if "json" in kind:
        try:
            body = msgspec.json.decode(text)
        except (msgspec.DecodeError, RecursionError):
            body = text
    headers: dict[str, list[str]] = {}
    for name, value in reply.headers:
        headers.setdefault(name.lower(), []).append(value)
    return text_of({"Headers": headers, "ResponseBody": body, "StatusCode": reply.status, "StatusText": reply.reason})
