"""Fixtures that every suite shares.

`cloud` is an assembled cloud in this process, in virtual time. `server` is a real server process on a free port,
shared by the tests of a worker and emptied before each; `aws("sqs")` makes an ordinary boto3 client of it.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import boto3
import pytest
import pytest_asyncio
from botocore.config import Config as BotoConfig
from hypothesis import settings

from fogbank.cloud import LocalCloud
from fogbank.core.clock import VirtualClock
from fogbank.core.config import Config, Isolation
from fogbank.core.ids import Ids
from fogbank.storage import SqliteStorage

# No deadline: a timing is never an assertion. In CI the same examples at every run; elsewhere new ones each time.
settings.register_profile("local", deadline=None, print_blob=True)
settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
settings.register_profile("fast", deadline=None, print_blob=True, max_examples=25)  # make test-fast asks for it
settings.load_profile("ci" if os.environ.get("CI") else "local")


def pytest_addoption(parser: pytest.Parser) -> None:
    """How hard the crash test of workflows tries; `make crash` asks for more."""
    parser.addoption(
        "--isolation",
        choices=list(Isolation),
        default=Isolation.PROCESS,
        help="how the shared servers and runtimes keep functions apart; suites about isolation choose for themselves",
    )
    parser.addoption("--kills", type=int, default=6, help="times that the server is killed under workflows")


def pytest_configure(config: pytest.Config) -> None:
    """Servers get it from their environment, unless a test says otherwise.

    `process` is a little quicker, and its functions see the files of the tests that look into them.
    """
    ServerProcess.isolation = config.getoption("--isolation")


READY = re.compile(r"ready on (http://\S+)")


@dataclass
class ServerProcess:
    """A `fogbank start` of our own."""

    isolation: ClassVar[str] = Isolation.PROCESS
    data: Path
    port: int = 0
    flags: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[str] | None = None
    endpoint: str = ""

    def start(self) -> ServerProcess:
        """Start, and wait for the line that says it is ready."""
        command = [sys.executable, "-m", "fogbank", "start", "--port", str(self.port), "--data", str(self.data)]
        self.log = (self.data.parent / f"{self.data.name}.log").open("a")
        self.process = subprocess.Popen(
            [*command, *self.flags],
            stdout=subprocess.PIPE,
            stderr=self.log,
            text=True,
            env=os.environ | {"FOGBANK_ISOLATION": self.isolation} | self.environment,
        )
        assert self.process.stdout is not None
        for line in self.process.stdout:
            found = READY.search(line)
            if found:
                self.endpoint = found[1]
                self.port = int(self.endpoint.rpartition(":")[2])
                return self
        self.process.wait()
        raise RuntimeError(f"the server did not start: {Path(self.log.name).read_text()[-3000:]}")

    def kill(self) -> None:
        """kill -9, as a crash does."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        return self._end(signal.SIGTERM)

    def _end(self, how: int) -> int:
        if self.process is None:
            return 0
        if self.process.poll() is None:
            self.process.send_signal(how)
        code = self.process.wait(timeout=60)
        if self.process.stdout is not None:
            self.process.stdout.close()
        self.log.close()
        self.process = None
        return code

    def post(self, path: str, document: Any = None) -> Any:
        """POST to one of the server's own paths."""
        body = json.dumps(document or {}).encode()
        request = urllib.request.Request(self.endpoint + path, data=body, method="POST")
        with urllib.request.urlopen(request, timeout=30) as reply:
            return json.loads(reply.read() or b"{}")

    def client(self, service: str, **options: Any) -> Any:
        """A boto3 client of this server."""
        options.setdefault("region_name", "us-east-1")
        options.setdefault("aws_access_key_id", "test")
        options.setdefault("aws_secret_access_key", "test")
        options.setdefault(
            "config", BotoConfig(retries={"max_attempts": 0, "mode": "standard"}, read_timeout=90, connect_timeout=10)
        )
        return boto3.client(service, endpoint_url=self.endpoint, **options)  # type: ignore[call-overload]


@pytest.fixture(scope="session")
def server_process() -> Iterator[ServerProcess]:
    """The worker's own server."""
    with tempfile.TemporaryDirectory(prefix="fogbank-test-") as folder:
        server = ServerProcess(Path(folder) / "data").start()
        yield server
        code = server.stop()
        assert code == 0, f"the server ended with {code}"


@pytest.fixture
def server(server_process: ServerProcess) -> ServerProcess:
    """The worker's server, emptied."""
    server_process.post("/_fogbank/reset")
    return server_process


@pytest.fixture
def aws(server: ServerProcess) -> Callable[..., Any]:
    """Makes boto3 clients: `aws("sqs")`."""
    return server.client


@pytest.fixture
def new_server(tmp_path: Path) -> Iterator[Callable[..., ServerProcess]]:
    """Makes servers of one test's own, which it may kill and start again."""
    servers: list[ServerProcess] = []

    def make(*flags: str, data: Path | None = None, environment: dict[str, str] | None = None) -> ServerProcess:
        server = ServerProcess(data or tmp_path / "data", flags=flags, environment=environment or {})
        servers.append(server)
        return server.start()

    yield make
    for server in servers:
        server.kill()


@pytest.fixture
def clock() -> VirtualClock:
    """Time that moves only by `await clock.advance(seconds)`."""
    return VirtualClock()


@pytest_asyncio.fixture
async def cloud(tmp_path: Path, clock: VirtualClock) -> AsyncIterator[LocalCloud]:
    """A whole cloud in this process, in virtual time, with seeded ids."""
    config = Config(data=tmp_path / "data", port=0)
    storage = SqliteStorage(config.data, clock, inline_commit=True)
    cloud = LocalCloud(config, clock, Ids(seed=1), storage)
    await cloud.start()
    yield cloud
    await cloud.stop()
