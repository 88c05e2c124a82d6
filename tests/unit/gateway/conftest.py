"""The gateway before a stub, and botocore's own test data.

That data is in botocore's source distribution only, which is fetched once into `.cache/`.
"""

from __future__ import annotations

import asyncio
import fcntl
import io
import subprocess
import sys
import tarfile
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

import boto3
import boto3.session
import botocore
import pytest
from botocore.awsrequest import AWSResponse
from botocore.config import Config as BotoConfig

from fogbank.core.call import ANONYMOUS, Principal
from fogbank.core.clock import VirtualClock
from fogbank.core.config import Auth, Config
from fogbank.core.credentials import Credentials
from fogbank.core.errors import ValidationError
from fogbank.core.http import HttpRequest, HttpResponse
from fogbank.core.ids import Ids
from fogbank.core.models import service_model
from fogbank.core.scope import Scope
from fogbank.core.trace import Trace
from fogbank.core.validation import check, describe
from fogbank.gateway import Gateway

CACHE = Path(__file__).resolve().parents[3] / ".cache"


@pytest.fixture(scope="session")
def botocore_tests() -> Path:
    """The folder `tests/unit` of the installed botocore's source distribution."""
    name = f"botocore-{botocore.__version__}"
    folder = CACHE / name
    CACHE.mkdir(exist_ok=True)
    with (CACHE / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # workers fetch one after the other, so all but the first find it
        if not (folder / "tests" / "unit").exists():
            _fetch(name)
    return folder / "tests" / "unit"


def _fetch(name: str) -> None:
    requirement = f"botocore=={botocore.__version__}"
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:"]
    subprocess.run([*command, "--dest", str(CACHE), requirement], check=True)
    with tarfile.open(CACHE / f"{name}.tar.gz") as archive:
        wanted = (f"{name}/tests/unit/protocols/", f"{name}/tests/unit/auth/")
        members = [member for member in archive.getmembers() if member.name.startswith(wanted)]
        archive.extractall(CACHE, members=members, filter="data")


SESSION: Any = boto3.session.Session()
"""One for all clients, as it keeps what it has loaded."""


class StubCloud:
    """Stands in for the cloud: remembers the call, checks it as the cloud does, gives the reply it was told."""

    def __init__(self) -> None:
        self.reply: dict[str, Any] = {}
        self.error: Exception | None = None
        self.calls: list[tuple[Scope, str, str, dict[str, Any]]] = []
        self.principal = ANONYMOUS
        self.trace: Trace | None = None
        self.keys: dict[str, Credentials] = {}
        self.resets = 0
        self.advanced = 0.0

    async def call(
        self,
        scope: Scope,
        service: str,
        operation: str,
        request: Any,
        *,
        trace: Trace | None = None,
        principal: Principal = ANONYMOUS,
        request_id: str | None = None,
    ) -> dict[str, Any]:
        problems = check(service_model(service).operation(operation), request)
        if problems:
            raise ValidationError(describe(problems))
        assert request_id is not None
        self.calls.append((scope, service, operation, request))
        self.principal = principal
        self.trace = trace
        if self.error is not None:
            raise self.error
        return self.reply

    async def find_credentials(self, access_key: str) -> Credentials | None:
        return self.keys.get(access_key)

    async def metrics(self) -> str:
        return ""

    async def chaos(self, document: Mapping[str, Any]) -> dict[str, Any]:
        return dict(document)

    async def trial(self, document: Mapping[str, Any]) -> dict[str, Any]:
        if "function" not in document:
            raise ValueError("expected a function")
        return {"memory": document["memory"]}

    async def usage(self, since: float, traces: int, root: str | None) -> dict[str, Any]:
        return {"on": True, "since": since, "traces": traces}

    def health(self) -> dict[str, Any]:
        return {"services": {"sqs": "running"}, "time": 1.5}

    async def reset(self) -> None:
        self.resets += 1

    async def advance(self, seconds: float) -> float:
        self.advanced += seconds
        return self.advanced


class GatewayRig:
    """A gateway before a stub, and boto3 clients whose requests go straight to it."""

    def __init__(self, config: Config | None = None) -> None:
        self.cloud = StubCloud()
        self.clock = VirtualClock()
        self.config = config or Config()
        self.gateway = Gateway(self.cloud, self.config, self.clock, Ids(1), credentials=self.cloud, admin=self.cloud)

    def handle(self, request: HttpRequest) -> HttpResponse:
        """The gateway's answer. Nothing in a stubbed call waits, so the coroutine ends at once."""
        coroutine = self.gateway.handle(request)
        try:
            coroutine.send(None)
        except StopIteration as done:
            return cast("HttpResponse", done.value)
        raise RuntimeError("the gateway waited for something")

    def client(self, service: str, **options: Any) -> Any:
        """A boto3 client. Its requests are sent to `handle`, its answers come from there."""
        options.setdefault("aws_access_key_id", "111111111111")
        options.setdefault("aws_secret_access_key", "secret")
        options.setdefault("region_name", "eu-west-1")
        settings = BotoConfig(retries={"max_attempts": 0}, parameter_validation=False)
        options.setdefault("config", settings)
        options.setdefault("endpoint_url", "http://127.0.0.1:4566")
        client = SESSION.client(service, **options)
        client.meta.events.register_last("before-send", self._send)
        return client

    def _send(self, request: Any, **_: Any) -> AWSResponse:
        url = urlsplit(request.url)
        headers = {
            name.lower(): value.decode("latin-1") if isinstance(value, bytes) else str(value)
            for name, value in request.headers.items()
        }
        headers.setdefault("host", url.netloc)
        body = request.body
        if body is None:
            body = b""
        elif not isinstance(body, bytes):
            body = body.encode() if isinstance(body, str) else body.read()
        answer = self.handle(HttpRequest(request.method, url.path or "/", url.query, headers, body, "127.0.0.1"))
        lowered: Any = Headers((name.lower(), value) for name, value in answer.headers)
        return AWSResponse(request.url, answer.status, lowered, RawBody(answer))


class Headers(dict[str, str]):
    """Headers as botocore's parsers take them, whatever their case."""

    def get(self, key: str, default: Any = None) -> Any:
        return super().get(key.lower(), default)

    def __getitem__(self, key: str) -> str:
        return super().__getitem__(key.lower())

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and super().__contains__(key.lower())


class RawBody(io.BytesIO):
    """A body as urllib3 gives it; one that comes in pieces is read to its end."""

    def __init__(self, answer: HttpResponse) -> None:
        body = answer.body
        super().__init__(body if isinstance(body, bytes) else asyncio.run(self._joined(body)))

    @staticmethod
    async def _joined(pieces: AsyncIterator[bytes]) -> bytes:
        return b"".join([piece async for piece in pieces])

    def stream(self, amt: int = 65536, **_: Any) -> Iterator[bytes]:
        while piece := self.read(amt):
            yield piece


@pytest.fixture
def rig() -> GatewayRig:
    """A gateway that believes every key."""
    return GatewayRig()


@pytest.fixture
def strict() -> GatewayRig:
    """A gateway that verifies signatures."""
    return GatewayRig(Config(auth=Auth.VERIFY))
