"""Browsers: pages of other origins may talk to the server only where that is safe.

With `--auth local` any key is accepted, so a page from anywhere on the web could drive the server of whoever
looks at it. Only pages served from this machine may. With `--auth verify` a page needs a signature as any client
does, so every origin may try.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from fogbank.core.config import Auth, is_loopback
from fogbank.core.http import HttpRequest, HttpResponse

if TYPE_CHECKING:
    from fogbank.core.config import Config

_EXPOSED = (
    "etag, x-amz-request-id, x-amz-version-id, x-amzn-errortype, x-amzn-query-error, x-amzn-requestid, "
    "x-amz-function-error, x-amz-executed-version, x-amz-log-result"
)


def may_call(origin: str, config: Config) -> bool:
    """Whether a page of this origin may call the server."""
    if config.auth is Auth.VERIFY:
        return True
    try:
        host = urlsplit(origin).hostname
    except ValueError:
        return False
    return host is not None and (is_loopback(host) or host.endswith(".localhost"))


def refuse(origin: str) -> HttpResponse:
    """The answer to a page that may not call the server."""
    text = (
        f"Pages of {origin[:200]!r} may not call this server: with --auth local any key is accepted, so only pages "
        "served from this machine may.\n"
    )
    return HttpResponse(403, (("content-type", "text/plain; charset=utf-8"),), text.encode())


def preflight(request: HttpRequest) -> HttpResponse:
    """The answer to a browser that asks whether it may make a request."""
    headers = request.headers
    return HttpResponse(
        204,
        (
            ("access-control-allow-origin", headers["origin"]),
            ("access-control-allow-methods", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"),
            ("access-control-allow-headers", headers.get("access-control-request-headers", "*")),
            ("access-control-expose-headers", _EXPOSED),
            ("access-control-max-age", "3600"),
            ("vary", "origin"),
        ),
    )


def allow(response: HttpResponse, origin: str) -> HttpResponse:
    """The same answer, readable by a page of this origin."""
    response.headers = (
        *response.headers,
        ("access-control-allow-origin", origin),
        ("access-control-expose-headers", _EXPOSED),
        ("vary", "origin"),
    )
    return response
