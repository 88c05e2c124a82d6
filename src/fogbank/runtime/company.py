"""What lives beside the runtime in an environment: extensions, their processes, and the telemetry that they get.

External extensions are processes. Fogbank starts a supervisor (`guest/supervisor.py`) in place of the runtime then: it
starts the extensions, and the runtime when they have registered, and says what becomes of each.

    shutting down:   runtime SIGTERM, killed after 300 ms (500 ms with internal extensions alone)
                     ──▶ SHUTDOWN to the extensions ──▶ all killed 2 s after the beginning
    after a failure: the runtime is killed at once

Source: https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html, on the shutdown phase and failures.
"""

from __future__ import annotations

import asyncio
import base64
import os
import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import unquote_to_bytes

import msgspec

from fogbank.core.clock import Clock
from fogbank.runtime import logs_api, records
from fogbank.runtime.api import ApiRequest, Connection
from fogbank.runtime.extensions import Extensions
from fogbank.runtime.model import Exit, FunctionVersion, LogFormat
from fogbank.runtime.output import Splitter
from fogbank.runtime.telemetry import Stream, Subscription, Telemetry, deliver_here, message

FOLDER = "extensions"
"""Where layers have their executables: /opt/extensions."""
PATH = b"/_fogbank/supervisor/"
RUNTIME_GRACE = 0.3
INTERNAL_GRACE = 0.5
GRACE = 2.0
"""Seconds of the shutdown phase: the runtime's part with and without external extensions, and all of it."""


class _Ended(msgspec.Struct):
    who: str | None
    status: int | None = None
    signal: int | None = None


class _Failed(msgspec.Struct):
    who: str | None
    path: str
    problem: str


class Household(Protocol):
    """What the environment is told."""

    pid: int

    def say(self, texts: Sequence[str | None]) -> None:
        """Lines for the log."""
        ...

    def settled(self) -> None:
        """An extension has nothing left to do; perhaps all have."""
        ...

    def runtime_ended(self, exit_: Exit) -> None:
        """The runtime's process has ended; the supervisor goes on."""
        ...

    def extension_failed(self, kind: str, text: str) -> None:
        """An extension has failed, and the environment with it."""
        ...


def executables(layers: Path | None) -> list[str]:
    """The names of the external extensions in a function's layers."""
    if layers is None:
        return []
    try:
        return sorted(entry.name for entry in os.scandir(layers / FOLDER) if entry.is_file())
    except OSError:
        return []


class Company:
    """See the module. It is asked before the runtime is told anything, and told what the environment does."""

    def __init__(
        self,
        household: Household,
        version: FunctionVersion,
        external: Sequence[str],
        *,
        clock: Clock,
        make_id: Callable[[], str],
    ) -> None:
        self.telemetry = Telemetry(clock.millis, self._deliver)
        self.extensions = Extensions(version, self, self.telemetry, make_id, external)
        self._apart = False
        self._delivering: asyncio.Future[bool] | None = None
        self.external = external
        self.supervised = bool(external)
        self.ending = False
        self._household = household
        self._version = version
        self._clock = clock
        self._json = version.logging.format is LogFormat.JSON
        self._splitters = {name: Splitter() for name in external}
        self._orders: list[dict[str, Any]] = []
        self._supervisor: Connection | None = None
        self._runtime_alive = not external
        self._timer: asyncio.TimerHandle | None = None
        self._deadline = 0.0
        self._reason = ""
        self._kill: Callable[[], None] | None = None

    def live_apart(self) -> None:
        """The environment has a network of its own, in which only the supervisor reaches its listeners."""
        self._apart = True
        self.extensions.can_subscribe = self.supervised

    # -- telling ----------------------------------------------------------------------------------------------

    def platform(self, kind: str, record: dict[str, Any]) -> None:
        """An event of the platform."""
        self.telemetry.emit(Stream.PLATFORM, kind, record)

    def fault(self, text: str) -> None:
        """The process has ended, or was ended, before it was done with an event."""
        self.telemetry.emit(Stream.PLATFORM, logs_api.FAULT, text)

    def printed(self, texts: Sequence[str]) -> None:
        """What the function printed."""
        if self.telemetry.wanted:
            self.telemetry.lines(Stream.FUNCTION, texts, as_json=self._json)

    def begun(self) -> None:
        """The init phase is over, well or not."""
        self.extensions.begin()
        self.telemetry.begun()

    # -- requests ---------------------------------------------------------------------------------------------

    def asked(self, connection: Connection, request: ApiRequest, path: bytes) -> bool:
        """Answer a request, if it is not for the Runtime API."""
        if self.supervised and path.startswith(PATH):
            self._supervisor_route(connection, request, path[len(PATH) :])
            return True
        return self.extensions.asked(connection, request, path)

    def _supervisor_route(self, connection: Connection, request: ApiRequest, route: bytes) -> None:
        """What functions say here can only be of themselves: it is their own environment."""
        if route == b"next":
            self._supervisor = connection
            self._order(None)
            return
        try:
            if route == b"exited":
                self._exited(msgspec.json.decode(request.body, type=_Ended))
            elif route == b"failed":
                self._failed(msgspec.json.decode(request.body, type=_Failed))
            elif route == b"delivered":
                self._delivered(taken=msgspec.json.decode(request.body, type=bool))
            elif route == b"printed":
                self._extension_printed(unquote_to_bytes(request.path.partition(b"?")[2]).decode(), request.body)
        except (msgspec.DecodeError, KeyError, UnicodeDecodeError):
            connection.refuse(400, "InvalidRequest", "the supervisor never says that")
            return
        connection.accept()

    def _order(self, order: dict[str, Any] | None) -> None:
        if order is not None:
            self._orders.append(order)
        if self._orders and self._supervisor is not None:
            connection, self._supervisor = self._supervisor, None
            connection.answer(200, msgspec.json.encode(self._orders.pop(0)))

    def _exited(self, ended: _Ended) -> None:
        exit_ = Exit(ended.status, ended.signal)
        if ended.who is not None:
            self.extensions.exited(ended.who, records.extension_exit_text(exit_))
            if self.ending and not self._runtime_alive and not self.extensions.care:
                self._finish()
            return
        self._runtime_alive = False
        self.telemetry.flush()
        if self.ending:
            self._runtime_gone()
        else:
            self._household.runtime_ended(exit_)

    def _failed(self, failed: _Failed) -> None:
        if failed.who is None:
            self._runtime_alive = False
            self._household.say([f"{failed.path}: {failed.problem}"])
            self._household.runtime_ended(Exit(127, None))
            return
        text = f"fork/exec /opt/{FOLDER}/{failed.who}: {failed.problem}"
        self.extensions.not_started(failed.who, text, failed.problem)

    def _extension_printed(self, name: str, data: bytes) -> None:
        texts = self._splitters[name].feed(data)
        if texts:
            self._household.say(texts)
            self.telemetry.lines(Stream.EXTENSION, texts, as_json=self._json)

    async def _deliver(self, wanted: Subscription, batch: Sequence[bytes]) -> bool:
        return await (self._deliver_inside if self._apart else deliver_here)(wanted, batch)

    async def _deliver_inside(self, wanted: Subscription, batch: Sequence[bytes]) -> bool:
        while self._delivering is not None:
            await asyncio.wait({self._delivering})
        delivering: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._delivering = delivering
        data = base64.b64encode(message(wanted, batch)).decode()
        answers = wanted.protocol == "HTTP"
        self._order({"do": "deliver", "port": wanted.port, "data": data, "answers": answers})
        try:
            return await delivering
        finally:
            self._delivering = None

    def _delivered(self, *, taken: bool) -> None:
        if self._delivering is not None and not self._delivering.done():
            self._delivering.set_result(taken)

    # -- extensions (`extensions.Host`) -------------------------------------------------------------------------

    def extensions_registered(self) -> None:
        """See `extensions.Host`."""
        self._runtime_alive = True
        self._order({"do": "start"})

    def extensions_settled(self) -> None:
        """See `extensions.Host`."""
        if not self.ending:
            self._household.settled()

    def extension_failed(self, kind: str, text: str) -> None:
        """See `extensions.Host`."""
        if not self.ending:
            self._household.extension_failed(kind, text)

    def extension_said(self, line: str, kind: str, record: dict[str, Any]) -> None:
        """See `extensions.Host`."""
        self._household.say([records.platform_line(self._version, self._clock.millis(), kind, record, line)])
        self.platform(kind, record)

    # -- the end ----------------------------------------------------------------------------------------------

    def shut_down(self, reason: str, kill: Callable[[], None]) -> bool:
        """Begin the shutdown phase for a reason; `kill` ends the rest. `False` if there is nobody who would know."""
        if self.ending:
            return True
        if not self.extensions.any or (reason != "spindown" and not self.supervised):
            return False
        self.ending = True
        self._reason, self._kill = reason, kill
        self._deadline = self._clock.machine_monotonic() + (GRACE if self.supervised else INTERNAL_GRACE)
        self.telemetry.flush()
        loop = asyncio.get_running_loop()
        if not self.supervised:
            os.kill(self._household.pid, signal.SIGTERM)
            self._timer = loop.call_later(INTERNAL_GRACE, self._finish)
        elif not self._runtime_alive:
            self._runtime_gone()
        elif reason == "spindown":
            self._signal_runtime(signal.SIGTERM)
            self._timer = loop.call_later(RUNTIME_GRACE, self._signal_runtime, signal.SIGKILL)
        else:
            self._signal_runtime(signal.SIGKILL)
            self._timer = loop.call_later(GRACE, self._finish)
        return True

    def _signal_runtime(self, number: signal.Signals) -> None:
        self._order({"do": "signal", "who": None, "signal": int(number)})
        if number is signal.SIGKILL:
            self._wait()

    def _wait(self) -> None:
        """End everything when the phase is over."""
        if self._timer is not None:
            self._timer.cancel()
        left = max(0.0, self._deadline - self._clock.machine_monotonic())
        self._timer = asyncio.get_running_loop().call_later(left, self._finish)

    def _runtime_gone(self) -> None:
        """The runtime has ended: tell the extensions, which have the rest of the time."""
        if not self.extensions.care:
            self._finish()
            return
        left = self._deadline - self._clock.machine_monotonic()
        self.extensions.shut_down(self._reason, int((self._clock.machine_time() + left) * 1000))
        self._wait()

    def _finish(self) -> None:
        kill, self._kill = self._kill, None
        if kill is not None:
            kill()

    def close(self) -> None:
        """Everything has ended."""
        if self._timer is not None:
            self._timer.cancel()
        self._kill = None
        self.telemetry.close()
