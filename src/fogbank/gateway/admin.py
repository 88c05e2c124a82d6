"""The server's own paths: health, reset, the clock.

GET  /_fogbank/health       what runs
GET  /_localstack/health    the same in LocalStack's form, which many tools wait for
POST /_fogbank/reset        empty everything                        (only with --auth local)
POST /_fogbank/clock        {"seconds": 3600} moves time forward    (only with --auth local)
GET  /_fogbank/clock        what time it is
POST /_fogbank/trials       run a function once with another memory size  (only with --auth local)
POST /_fogbank/chaos        disturb how events come to functions      (only with --auth local)
GET  /_fogbank/usage        what was used, in the units that AWS bills; ?since= (clock seconds) &traces= (how many),
                            or ?trace= (one of them)              (only with --auth local)
GET  /_fogbank/traces       traces; /_fogbank/traces/ID one of them, /_fogbank/map the service graph: see `traces.py`
GET  /_fogbank/metrics      what is counted, as Prometheus reads it   (only with --auth local)
GET  /_fogbank/<service>/…  a file that a reply pointed to (a function's code)
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol
from urllib.parse import parse_qsl

import msgspec

from fogbank import __version__
from fogbank.core.config import Auth, Config
from fogbank.core.downloads import Downloads, Uploads
from fogbank.core.errors import ApiError
from fogbank.core.http import HttpRequest, HttpResponse
from fogbank.gateway.answers import answer, problem
from fogbank.gateway.traces import TRACE_PATHS, TracePages
from fogbank.telemetry.prometheus import CONTENT_TYPE

FARTHEST = 100 * 366 * 86_400.0
"""Seconds that the clock may be moved at once: a hundred years."""


MAX_TRACES = 10_000
"""Traces of one answer of `/_fogbank/usage`."""


class Admin(Protocol):
    """What the server does for its own paths."""

    def health(self) -> Mapping[str, Any]:
        """What runs: at least `services`, a mapping of names to states."""
        ...

    async def reset(self) -> None:
        """Empty everything."""
        ...

    async def advance(self, seconds: float) -> float:
        """Move the clock forward; the time that it is then."""
        ...

    async def usage(self, since: float, traces: int, root: str | None) -> Mapping[str, Any]:
        """What was used since a moment (clock seconds), with the newest traces one by one, or with that of `root`."""
        ...

    async def metrics(self) -> str:
        """What is counted, as Prometheus reads it."""
        ...

    async def trial(self, document: Mapping[str, Any]) -> Mapping[str, Any]:
        """Run a function once with another memory size, or end what that left; `ValueError` says what is wrong."""
        ...

    async def chaos(self, document: Mapping[str, Any]) -> Mapping[str, Any]:
        """Disturb how events come to an account's functions; `ValueError` says what is wrong."""
        ...


class AdminPages:
    """Answers the server's own paths."""

    def __init__(
        self, admin: Admin, config: Config, downloads: Downloads | None = None, traces: TracePages | None = None
    ) -> None:
        self._traces = traces
        self._admin = admin
        self._downloads = downloads
        self._local = config.auth is Auth.LOCAL

    async def handle(self, request: HttpRequest) -> HttpResponse:
        """Answer a request whose path begins with `/_`."""
        match request.method, request.path.rstrip("/"):
            case (("GET" | "HEAD"), "/_fogbank/health"):
                return answer(200, {"status": "ok", "version": __version__, **self._admin.health()})
            case (("GET" | "HEAD"), "/_localstack/health"):
                return answer(200, self._localstack_health())
            case "POST", "/_fogbank/reset" if self._local:
                await self._admin.reset()
                return answer(200, {"status": "ok"})
            case "POST", "/_fogbank/clock" if self._local:
                return await self._advance(request)
            case "GET", "/_fogbank/clock":
                return answer(200, {"time": self._admin.health().get("time")})
            case "GET", "/_fogbank/metrics" if self._local:
                text = await self._admin.metrics()
                return HttpResponse(200, (("content-type", CONTENT_TYPE),), text.encode())
            case "GET", "/_fogbank/usage" if self._local:
                return await self._usage(request)
            case "POST", "/_fogbank/trials" if self._local:
                return await self._local_only(request, self._admin.trial)
            case "POST", "/_fogbank/chaos" if self._local:
                return await self._local_only(request, self._admin.chaos)
            case "POST", "/_fogbank/reset" | "/_fogbank/clock" | "/_fogbank/trials" | "/_fogbank/chaos":
                return problem(403, f"POST {request.path} is allowed with --auth local only")
            case _, "/_fogbank/health" | "/_localstack/health" | "/_fogbank/reset" | "/_fogbank/clock":
                return problem(405, f"{request.method} is not allowed here")
            case "GET", path if self._traces is not None and self._local and path.startswith(TRACE_PATHS):
                return await self._traces.handle(path, request.query)
            case "GET", path:
                return await self._download(path)
            case "PUT", path:
                return await self._upload(path, request.body)
            case _:
                return problem(404, f"there is nothing at {request.path[:300]}; try GET /_fogbank/health")

    async def _download(self, path: str) -> HttpResponse:
        found = None if self._downloads is None else await self._downloads.download(path)
        if found is None:
            return problem(404, f"there is nothing at {path[:300]}; try GET /_fogbank/health")
        return HttpResponse(200, (("content-type", "application/octet-stream"),), found)

    async def _upload(self, path: str, data: bytes) -> HttpResponse:
        taken = isinstance(self._downloads, Uploads) and await self._downloads.upload(path, data)
        if not taken:
            return problem(404, f"nothing is waited for at {path[:300]}")
        return HttpResponse(200, (), b"")

    def _localstack_health(self) -> dict[str, Any]:
        services = self._admin.health()["services"]
        return {"services": dict(services), "edition": "fogbank", "version": __version__}

    async def _local_only(
        self, request: HttpRequest, act: Callable[[Mapping[str, Any]], Awaitable[Mapping[str, Any]]]
    ) -> HttpResponse:
        try:
            document = msgspec.json.decode(request.body or b"{}", type=dict[str, Any])
            return answer(200, await act(document))
        except (msgspec.DecodeError, msgspec.ValidationError, ValueError) as error:
            return problem(400, str(error))
        except ApiError as error:
            return problem(error.status, f"{error.code}: {error.message}")

    async def _usage(self, request: HttpRequest) -> HttpResponse:
        given = dict(parse_qsl(request.query))
        try:
            since, traces = float(given.get("since", 0)), int(given.get("traces", 1000))
        except ValueError:
            return problem(400, f"expected numbers for since and traces, got {given}")
        if not (math.isfinite(since) and 0 <= traces <= MAX_TRACES):
            return problem(400, f"expected at most {MAX_TRACES} traces, got {traces}")
        return answer(200, await self._admin.usage(since, traces, given.get("trace")))

    async def _advance(self, request: HttpRequest) -> HttpResponse:
        try:
            document = msgspec.json.decode(request.body or b"{}")
        except (msgspec.DecodeError, RecursionError) as error:
            return problem(400, f"expected a JSON document, {error}")
        seconds = document.get("seconds") if isinstance(document, dict) else None
        if isinstance(seconds, bool) or not isinstance(seconds, int | float):
            return problem(400, 'expected {"seconds": a number}')
        if not math.isfinite(seconds) or not 0 <= seconds <= FARTHEST:
            return problem(400, f"the clock moves forward by 0 to {FARTHEST:.0f} seconds, got {seconds}")
        return answer(200, {"time": await self._admin.advance(float(seconds))})


WELCOME = f"""Fogbank {__version__} is running.

This is an AWS endpoint: point boto3 at it with endpoint_url=, the AWS CLI with --endpoint-url or
AWS_ENDPOINT_URL. `fogbank env` prints the exports. GET /_fogbank/health says what runs.
"""
