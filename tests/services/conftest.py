"""A runtime without a server around it, for suites that look at execution environments themselves."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from tests.services.environments import IDS, Lines, Make, version_of

from fogbank.core.clock import SystemClock
from fogbank.core.config import Config, Egress, Isolation
from fogbank.runtime import FunctionVersion, Runtime, StartError


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def shared_runtime(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Runtime]:
    """One runtime for each worker: its prepared parent is started once. Functions see the machine, and tests theirs."""
    config = Config(
        data=tmp_path_factory.mktemp("shared"),
        max_environments=8,
        stop_timeout=2.0,
        isolation=Isolation(request.config.getoption("--isolation")),
    )
    runtime = Runtime(config, SystemClock(), IDS, init_timeout=5.0)
    await runtime.start()
    yield runtime
    await runtime.stop()


@pytest_asyncio.fixture(loop_scope="session")
async def runtime(shared_runtime: Runtime) -> AsyncIterator[Runtime]:
    """The worker's runtime, without environments. Its tests run in the session's event loop."""
    shared_runtime.sink = Lines()
    yield shared_runtime
    await shared_runtime.reset()
    assert shared_runtime.alive == 0


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def shared_sandbox(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Runtime]:
    config = Config(
        data=tmp_path_factory.mktemp("sandboxed"),
        max_environments=8,
        stop_timeout=2.0,
        isolation=Isolation.SANDBOX,
        egress=Egress.OFF,
    )
    runtime = Runtime(config, SystemClock(), IDS, init_timeout=5.0)
    with contextlib.suppress(StartError):  # the tests that use it are not run where the kernel does not allow it
        await runtime.start()
    yield runtime
    if runtime.running:
        await runtime.stop()


@pytest_asyncio.fixture(loop_scope="session")
async def sandbox(shared_sandbox: Runtime) -> AsyncIterator[Runtime]:
    """A runtime whose environments are sandboxed and have no way out; without environments."""
    shared_sandbox.sink = Lines()
    yield shared_sandbox
    await shared_sandbox.reset()
    assert shared_sandbox.alive == 0


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Makes function versions out of source text."""

    def make(source: str, **more: Any) -> FunctionVersion:
        return version_of(tmp_path, source, **more)

    return make
