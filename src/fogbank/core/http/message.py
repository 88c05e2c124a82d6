"""What a handler is given and what it gives back."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus

Headers = Sequence[tuple[str, str]]
Body = bytes | AsyncIterator[bytes]


@dataclass(slots=True)
class HttpRequest:
    """One request, its body read whole.

    `path` and `query` are as they came, still percent-encoded, the query without its question mark. Header
    names are lower case; a header that came more than once has its values joined by commas. `client` is the
    peer's address, empty on a unix socket. Not frozen: building a frozen value costs a microsecond more.
    """

    method: str
    path: str
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    client: str = ""
    keep_alive: bool = True
    version: str = "1.1"


@dataclass(slots=True)
class HttpResponse:
    """One answer. A body of bytes is sent with its length.

    An asynchronous iterator is sent in chunks as they come, or as they are if `headers` has a
    `content-length`; it is closed in any case. Otherwise `content-length`, and always `date`, `connection`
    and `transfer-encoding`, are the server's business. `close` ends the connection after the answer.
    """

    status: int = 200
    headers: Headers = ()
    body: Body = b""
    close: bool = False


class CutError(Exception):
    """A body's iterator says that it will not be whole: the connection is cut, so that nobody takes it for that."""


def _reason(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"


_STATUS_LINES = {status: f"HTTP/1.1 {status} {_reason(status)}\r\n" for status in range(100, 600)}
_LENGTH_NAMES = frozenset({"content-length", "Content-Length"})
_BODILESS = frozenset({*range(100, 200), 204, 304})


def carries_body(status: int, method: str) -> bool:
    """Whether an answer of this status to this method has a body (RFC 9110, section 6.4)."""
    return method != "HEAD" and status not in _BODILESS


def has_length(response: HttpResponse) -> bool:
    """Whether the handler itself says how long the body is."""
    return any(name.lower() == "content-length" for name, _ in response.headers)


def head_of(response: HttpResponse, framing: str, date: str, *, length: bool = False) -> bytes:
    """The status line and headers. `framing` and `date` are whole header lines.

    The handler's own `content-length` is left out unless `length`: that of a body of bytes is its length and
    no other. A value with a line break in it would forge further headers; its breaks become spaces.
    """
    lines = [_STATUS_LINES[response.status], date, framing]
    for name, value in response.headers:
        if not length and name in _LENGTH_NAMES:
            continue
        if "\n" in value or "\r" in value:
            value = value.replace("\r", " ").replace("\n", " ")
        lines.append(f"{name}: {value}\r\n")
    lines.append("\r\n")
    text = "".join(lines)
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return text.encode("utf-8")
