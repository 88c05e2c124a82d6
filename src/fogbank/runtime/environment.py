"""One execution environment: a process that handles one event at a time through the Runtime API.

Everything here happens in callbacks of the event loop (a request came, the process ended, a timer rang): an
invocation goes on to its end whoever waits for it. The life is drawn in `model.py`.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import math
import os
import shutil
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Protocol

import msgspec

from fogbank.core.clock import Clock, complete
from fogbank.runtime import records
from fogbank.runtime.api import PREFIX, ApiRequest, BodySink, Connection, Listener, event_headers
from fogbank.runtime.forker import Forker, Order
from fogbank.runtime.freezing import Processes
from fogbank.runtime.interpreters import Choice
from fogbank.runtime.keys import Keys
from fogbank.runtime.memory import Memory
from fogbank.runtime.model import (
    MAX_RESPONSE,
    Event,
    Exit,
    FunctionVersion,
    Initialization,
    LogLine,
    Outcome,
    State,
)
from fogbank.runtime.output import OutputPipe
from fogbank.runtime.streaming import MAX_STREAMED, ResponseStream
from fogbank.runtime.variables import CREDENTIALS_PATH

TAIL = 4096
"""Bytes of log that LogType=Tail returns."""


class LogSink(Protocol):
    """Where the lines go. Must not block and must be bounded."""

    def write(self, version: FunctionVersion, stream: str, lines: list[LogLine]) -> None:
        """Take lines."""
        ...

    def room(self, version: FunctionVersion, stream: str, data: bytes) -> bool:
        """Whether a piece of output can be taken; `False` if it is to be dropped without being looked at."""
        ...


Door = Callable[[socket.socket], Awaitable[asyncio.Server]]
"""Answers as Fogbank on a socket that listens in an environment's own network."""


@dataclass(frozen=True, slots=True)
class OwnNetwork:
    """An environment has a network to itself; `door` is how Fogbank is in it, if it is."""

    door: Door | None


@dataclass(slots=True)
class _Invocation:
    """One event under way."""

    event: Event
    future: asyncio.Future[Outcome]
    began: float
    timer: asyncio.TimerHandle | None
    tail: bytearray
    init: float | None = None
    restored: records.Restored | None = None
    verdict: str | None = None
    """Why we killed the process: `timeout` or `memory`."""
    answered: bool = False
    streaming: bool = False
    """The runtime is streaming its answer."""


@dataclass(frozen=True, slots=True)
class InitFailure:
    """An init phase that failed: the error document for the caller, and what kind it is."""

    error_type: str
    payload: bytes | None
    """The runtime's own document; `None` where the process ended without one."""
    text: str = ""
    restoring: bool = False
    """Whether it was restored from a snapshot that had been initialized well."""


class Role(Enum):
    """What a process is started for."""

    SERVE = "to be initialized and to handle events"
    SNAPSHOT = "to be initialized and to be forked"
    RESTORED = "to go on from a snapshot and to handle events"


class Environment:
    """See the module. `on_free` is called when it can take the next event, `on_gone` once when it has ended."""

    max_body = MAX_RESPONSE

    def __init__(
        self,
        name: str,
        version: FunctionVersion,
        parent: Forker,
        choice: Choice,
        folder: Path,
        *,
        clock: Clock,
        sink: LogSink,
        on_free: Callable[[Environment], None],
        on_gone: Callable[[Environment], None],
        how: Initialization = Initialization.ON_DEMAND,
        role: Role = Role.SERVE,
    ) -> None:
        self.id = name
        self.version = version
        self.how = how
        self.pid = 0
        self.keys: Keys | None = None
        """Answers who asks for credentials, where they are not in the variables."""
        self.state = State.STARTING
        self.idle_since = 0.0
        self.good_until = math.inf
        """Clock seconds from when on it is to take no more events: its keys would expire meanwhile."""
        self.failure: InitFailure | None = None
        self.listener = Listener()
        self.folder = folder
        self._parent = parent
        self._choice = choice
        self._clock = clock
        self._sink = sink
        self._on_free = on_free
        self._on_gone = on_gone
        self.own_network: OwnNetwork | None = None
        self._doors: list[asyncio.Server] = []
        self._loop = asyncio.get_running_loop()
        self._output = OutputPipe(self._loop, self._printed, self._room)
        self._next: Connection | None = None
        self._invocation: _Invocation | None = None
        self._started: asyncio.Future[None] = self._loop.create_future()
        self._ended: asyncio.Future[None] = self._loop.create_future()
        self._init_began = 0.0
        self.phases: list[tuple[str, float, float]] = []
        """The phases of its start: name, and from when to when in clock seconds."""
        self._init: float | None = None
        self._restored: records.Restored | None = None
        self._restore_began = 0.0
        self._role = role
        self._processes = Processes()
        self.memory = Memory()
        self.log_stream = records.log_stream(version, clock.millis(), name)

    # -- beginning --------------------------------------------------------------------------------------------

    async def start(
        self, order: Callable[[Environment], Order], *, limit: float, phase: str, control: Sequence[int] = ()
    ) -> bool:
        """Fork the process and wait until it is initialized or restored; whether it is. If not, `failure` says why.

        `control`: the control socket that a snapshot is to have.
        """
        self._init_began = self._clock.machine_monotonic()
        began = self._clock.time()
        if self.own_network is None:
            await self.listener.open(self)
        writer = self._output.open()
        self._say(self._first_line(), f"[FOGBANK] {self._choice.note}" if self._choice.note else None)
        try:
            forked = await self._parent.fork(order(self), (writer, *control), self._gone)
            await self._connect(forked.sockets)
        except BaseException:
            if self.state is not State.ENDED:
                self._close()
                self._on_gone(self)
            raise
        finally:
            os.close(writer)
        self._restore_began = self._clock.machine_monotonic()
        if self.state is not State.ENDED:
            self.pid = forked.pid
            self.memory.watch(forked.pid, forked.first)
            self._processes.watch(forked.pid, forked.first)
        made = self._clock.time()
        self.phases.append(("environment", began, made))
        timer = self._loop.call_later(limit, self._init_too_long)
        try:
            await asyncio.shield(self._started)
        finally:
            timer.cancel()
        phase_name = "restore" if self._role is Role.RESTORED else "init"
        self.phases.append((phase_name, made, self._clock.time()))
        if self.state is State.IDLE:
            return True
        await asyncio.shield(self._ended)
        failed = self.failure or InitFailure("Runtime.ExitError", None)
        status = "timeout" if failed.error_type == "Sandbox.Timedout" else "error"
        kind = None if status == "timeout" else failed.error_type
        now, took = self._clock.millis(), self._init_time()
        if self._role is Role.RESTORED:
            self._say(records.restore_report(self.version, now, took, status, kind))
        else:
            self._say(records.init_report(self.version, now, records.Init(took, phase, status, kind, self.how)))
        return False

    def _first_line(self) -> str | None:
        now, label, arn = self._clock.millis(), self._choice.label, self._runtime_arn()
        if self._role is Role.RESTORED:
            return records.restore_start(self.version, now, label, arn)
        return records.init_start(self.version, now, label, arn, self.how)

    async def _connect(self, sockets: Sequence[int]) -> None:
        """Answer where the environment has a network of its own: as the Runtime API, then as Fogbank."""
        made = [socket.socket(fileno=fd) for fd in sockets]
        for each in made:
            each.setblocking(False)
        if self._has_ended() or not made:
            for each in made:
                each.close()
            return
        await self.listener.listen_on(made[0], self)
        for each in made[1:]:
            if self._has_ended():
                each.close()
                continue
            assert self.own_network is not None
            assert self.own_network.door is not None, "a port is opened only for somebody who answers"
            door = await self.own_network.door(each)
            self._doors.append(door)
            if self._has_ended():
                door.close()

    def _has_ended(self) -> bool:
        return self.state is State.ENDED

    def _runtime_arn(self) -> str:
        digest = records.runtime_digest(self._choice.label)
        scope = self.version.scope
        return f"arn:{scope.partition}:lambda:{scope.region}::runtime:{digest}"

    def _init_time(self) -> float:
        return self._clock.machine_monotonic() - self._init_began

    def _init_too_long(self) -> None:
        if self.state is State.STARTING and self.failure is None:
            self.failure = self._failure("Sandbox.Timedout", None)
            self._parent.end(self.id)

    def _failure(self, kind: str, payload: bytes | None, text: str = "") -> InitFailure:
        return InitFailure(kind, payload, text, self._role is Role.RESTORED)

    # -- the Runtime API ----------------------------------------------------------------------------------------

    def asked(self, connection: Connection, request: ApiRequest) -> None:
        """Dispatch one request of the process."""
        path = request.path.partition(b"?")[0]
        if path == CREDENTIALS_PATH.encode() and self.keys is not None:
            self.keys.answer(connection, request)
            return
        if not path.startswith(PREFIX):
            connection.refuse(404, "NotFound", "no such resource of the Runtime API")
            return
        route = path[len(PREFIX) :]
        if route == b"invocation/next":
            if request.method != b"GET":
                connection.refuse(405, "MethodNotAllowed", "expected GET")
                return
            self._wants_next(connection)
        elif route == b"restore/next":
            self._wants_restore(connection, request)
        elif request.method != b"POST":
            connection.refuse(405, "MethodNotAllowed", "expected POST")
        elif route in (b"init/error", b"restore/error"):
            self._init_failed(connection, request)
        else:
            self._invocation_route(connection, request, route.split(b"/"))

    def _invocation_route(self, connection: Connection, request: ApiRequest, parts: list[bytes]) -> None:
        if len(parts) != 3 or parts[0] != b"invocation" or parts[2] not in (b"response", b"error"):
            connection.refuse(404, "NotFound", "no such resource of the Runtime API")
            return
        invocation = self._invocation
        if invocation is None or invocation.event.request_id.encode() != parts[1]:
            connection.refuse(400, "InvalidRequestID", "Invalid request ID")
            return
        if invocation.answered or invocation.streaming:
            connection.refuse(403, "InvalidStateTransition", "State transition is not allowed")
            return
        if request.oversized:
            self._too_large(connection)
        elif parts[2] == b"response":
            connection.accept()
            kind, document = _trailing_error(request.headers)
            self._complete(request.body if kind is None else document, kind)
        else:
            connection.accept()
            kind = request.headers.get(_ERROR_TYPE, b"").decode("latin-1")
            self._complete(request.body or records.error_document(kind or "UnknownReason", ""), kind or "Unhandled")

    def streamed(self, connection: Connection, head: ApiRequest) -> BodySink | None:
        """A response in streaming mode begins: it goes on piece by piece if whoever asked takes it so."""
        invocation = self._invocation
        if invocation is None or invocation.event.stream is None or invocation.answered or invocation.streaming:
            return None
        path = b"%sinvocation/%s/response" % (PREFIX, invocation.event.request_id.encode())
        if head.method != b"POST" or head.path.partition(b"?")[0] != path:
            return None
        invocation.streaming = True
        kind = head.headers.get(b"content-type", b"application/octet-stream").decode("latin-1")
        invocation.event.stream.begin(kind, connection.flow)
        return _Streaming(self, invocation, invocation.event.stream)

    def complete_stream(self, invocation: _Invocation, error_type: str | None, document: bytes) -> None:
        """The runtime has streamed its answer, and says in trailers whether it failed."""
        if self._invocation is invocation and not invocation.answered:
            self._complete(document, error_type)

    def _too_large(self, connection: Connection) -> None:
        connection.refuse(
            413, "RequestEntityTooLarge", f"Exceeded maximum allowed payload size ({MAX_RESPONSE} bytes)."
        )
        message = f"Response payload size exceeded maximum allowed payload size ({MAX_RESPONSE} bytes)."
        kind = "Function.ResponseSizeTooLarge"
        self._complete(msgspec.json.encode({"errorMessage": message, "errorType": kind}), kind)

    def _wants_next(self, connection: Connection) -> None:
        invocation = self._invocation
        if invocation is not None and not invocation.answered:
            connection.refuse(403, "InvalidStateTransition", "State transition is not allowed")
            return
        self._next = connection
        if invocation is not None:
            if invocation.timer is not None:
                invocation.timer.cancel()
            self._invocation = None
        if self.state is State.STARTING:
            self._initialized()
        elif self.state is not State.BUSY:
            return
        self.state = State.IDLE
        if not self._started.done():
            self._started.set_result(None)
            return  # whoever started it has the first use of it
        self._on_free(self)

    def _initialized(self) -> None:
        took = self._init_time()
        if self._role is Role.RESTORED:
            self._restored = records.Restored(took, self._clock.machine_monotonic() - self._restore_began)
            self._say(records.restore_report(self.version, self._clock.millis(), took))
        elif self.how is not Initialization.SNAP_START:  # those have said it, in INIT_REPORT
            self._init = took

    def _wants_restore(self, connection: Connection, request: ApiRequest) -> None:
        """The init phase of SnapStart is over. A snapshot is forked from now on; anything else goes on itself."""
        if request.method != b"GET":
            connection.refuse(405, "MethodNotAllowed", "expected GET")
            return
        if self.state is not State.STARTING or self.how is not Initialization.SNAP_START:
            connection.refuse(403, "InvalidStateTransition", "State transition is not allowed")
            return
        init = records.Init(self._init_time(), how=self.how)
        self._output.drain()
        self._say(records.init_report(self.version, self._clock.millis(), init))
        if self._role is Role.SNAPSHOT:
            self.state = State.IDLE
            self._started.set_result(None)
        connection.answer(200, b"")

    def _init_failed(self, connection: Connection, request: ApiRequest) -> None:
        if self.state is not State.STARTING:
            connection.refuse(403, "InvalidStateTransition", "State transition is not allowed")
            return
        kind = request.headers.get(b"lambda-runtime-function-error-type", b"").decode("latin-1")
        self.failure = self._failure(kind or "Runtime.Unknown", request.body)
        connection.accept()
        self._loop.call_later(1.0, self._parent.end, self.id)  # it ends by itself, or it is ended

    # -- one invocation -----------------------------------------------------------------------------------------

    def invoke(self, event: Event, *, timeout: float | None = None) -> asyncio.Future[Outcome]:
        """Hand an event to an idle environment. The future is done when the function has answered, or has failed."""
        assert self._next is not None, "only an idle environment is handed an event"
        limit = self.version.timeout if timeout is None else timeout
        future: asyncio.Future[Outcome] = self._loop.create_future()
        now = self._clock.machine_monotonic()
        timer = self._loop.call_later(limit, self._too_long)
        self._invocation = _Invocation(event, future, now, timer, bytearray(), self._init, self._restored)
        self._init = self._restored = None
        self._processes.thaw()
        self.state = State.BUSY
        self._say(records.start(self.version, event, self._clock.millis()))
        connection, self._next = self._next, None
        deadline = int((self._clock.machine_time() + limit) * 1000)
        connection.answer(200, event.payload, event_headers(event, deadline))
        return future

    def _too_long(self) -> None:
        invocation = self._invocation
        if invocation is None:
            return
        invocation.verdict = invocation.verdict or "timeout"
        self._parent.end(self.id)

    def over_memory(self) -> None:
        """The watch found more memory in use than the function has."""
        invocation = self._invocation
        if invocation is not None and invocation.verdict is None:
            invocation.verdict = "memory"
        elif self.state is State.STARTING and self.failure is None:
            self.failure = self._failure("Runtime.OutOfMemory", None)
        self._parent.end(self.id)

    def _complete(self, payload: bytes, error_type: str | None) -> None:
        """The runtime answered, with a result or with an error."""
        invocation = self._invocation
        if invocation is None:
            return
        invocation.answered = True
        duration = self._clock.machine_monotonic() - invocation.began
        self._output.drain()
        self.memory.sample()
        used = records.Report(duration, self.memory.largest, invocation.init, restored=invocation.restored)
        self._finish(invocation, used, payload, error_type)

    def _finish(self, invocation: _Invocation, used: records.Report, payload: bytes, error_type: str | None) -> None:
        now = self._clock.millis()
        event = invocation.event
        self._say(records.end(self.version, event), records.report(self.version, event, used, now))
        if not invocation.future.done():
            log = bytes(invocation.tail[-TAIL:])
            error = None if error_type is None else "Unhandled"
            billed = records.billed(self.version, used)
            invocation.future.set_result(
                Outcome(payload, error, log, used.duration, error_type, billed, used.memory_used, used.init)
            )
        if event.stream is not None:
            event.stream.end()

    def freeze(self) -> None:
        """Stop its processes until the next event, if it is idle."""
        if self.state is State.IDLE:
            self._processes.freeze()

    @property
    def frozen(self) -> bool:
        """Whether its processes are stopped."""
        return self._processes.frozen

    # -- the end ------------------------------------------------------------------------------------------------

    def end(self) -> None:
        """Kill the process. `on_gone` follows."""
        if self.state is not State.ENDED:
            self._parent.end(self.id)

    @property
    def ended(self) -> asyncio.Future[None]:
        """Done when the process has gone and nothing of it is left."""
        return self._ended

    def _gone(self, exit_: Exit) -> None:
        """The process has ended, by itself or by us."""
        if self.state is State.ENDED:
            return
        self.memory.saw(exit_.resident)
        self._processes.gone()
        self._output.drain()
        starting = self.state is State.STARTING
        self.state = State.ENDED
        invocation = self._invocation
        if invocation is not None and not invocation.answered:
            self._broken(invocation, exit_)
        if starting and self.failure is None:
            self.failure = self._failure("Runtime.ExitError", None, records.exit_text(exit_))
        self._close()
        if not self._started.done():
            self._started.set_result(None)
        self._on_gone(self)

    def _broken(self, invocation: _Invocation, exit_: Exit) -> None:
        """Answer for a process that ended in the middle of an event."""
        request_id = invocation.event.request_id
        now = self._clock.millis()
        duration = self._clock.machine_monotonic() - invocation.began
        largest = self.memory.largest
        if invocation.verdict == "timeout":
            said = f"Task timed out after {records.seconds_text(self.version.timeout)}"
            self._say(f"{records.timestamp(now)} {request_id} {said}")
            kind = "Sandbox.Timedout"
            used = records.Report(
                self.version.timeout, largest, invocation.init, "timeout", restored=invocation.restored
            )
            payload = records.error_document(kind, f"RequestId: {request_id} Error: {said}")
        else:
            kind = "Runtime.OutOfMemory" if invocation.verdict == "memory" else "Runtime.ExitError"
            said = f"RequestId: {request_id} Error: {records.exit_text(exit_)}"
            self._say(said, kind)
            used = records.Report(duration, largest, invocation.init, "error", kind, invocation.restored)
            payload = records.error_document(kind, said)
        self._finish(invocation, used, payload, kind)

    def _close(self) -> None:
        """Give back every descriptor and folder."""
        self.state = State.ENDED
        invocation = self._invocation
        if invocation is not None and invocation.timer is not None:
            invocation.timer.cancel()
        self._invocation = None
        self._next = None
        self._output.close()
        self.listener.close()
        for door in self._doors:
            door.close()
        self._doors.clear()
        self.memory.close()
        self._remove_folder()

    def _remove_folder(self) -> None:
        done = self._ended
        try:
            (self.folder / "tmp").rmdir()
            self.folder.rmdir()
        except OSError:  # the function left files behind: off the loop with them
            future = self._loop.run_in_executor(None, _remove, self.folder)
            future.add_done_callback(lambda _: complete(done))
            return
        complete(done)

    # -- the log ------------------------------------------------------------------------------------------------

    def _room(self, data: bytes) -> bool:
        return self._sink.room(self.version, self.log_stream, data)

    def note(self, text: str) -> None:
        """A line of ours in the log."""
        self._say(f"[FOGBANK] {text}")

    def _printed(self, texts: list[str]) -> None:
        self._say(*texts)

    def _say(self, *texts: str | None) -> None:
        now = self._clock.millis()
        lines = [LogLine(now, text) for text in texts if text is not None]
        if not lines:
            return
        invocation = self._invocation
        if invocation is not None and invocation.event.tail:
            tail = invocation.tail
            for line in lines:
                tail += line.text.encode("utf-8", "replace") + b"\n"
            if len(tail) > 4 * TAIL:
                del tail[:-TAIL]
        self._sink.write(self.version, self.log_stream, lines)


class _Streaming:
    """Takes the body of a streamed response on behalf of its invocation."""

    def __init__(self, environment: Environment, invocation: _Invocation, stream: ResponseStream) -> None:
        self._environment = environment
        self._invocation = invocation
        self._stream = stream
        self._full = False

    def piece(self, data: bytes) -> None:
        """Pass it on, unless the limit is passed."""
        if not self._full and not self._stream.write(data):
            self._full = True

    def complete(self, connection: Connection, request: ApiRequest) -> None:
        """Answer, and end the invocation."""
        if self._full:
            message = f"Response payload size exceeded maximum allowed payload size ({MAX_STREAMED} bytes)."
            connection.refuse(413, "RequestEntityTooLarge", message)
            kind = "Function.ResponseSizeTooLarge"
            self._environment.complete_stream(self._invocation, kind, records.error_document(kind, message))
            return
        connection.accept()
        found, document = _trailing_error(request.headers)
        self._environment.complete_stream(self._invocation, found, document)


_ERROR_TYPE = b"lambda-runtime-function-error-type"
_ERROR_BODY = b"lambda-runtime-function-error-body"


def _trailing_error(headers: Mapping[bytes, bytes]) -> tuple[str | None, bytes]:
    """The kind and the document of the error that a streamed response ends with, if it does."""
    kind = headers.get(_ERROR_TYPE)
    if kind is None:
        return None, b""
    name = kind.decode("latin-1") or "Unhandled"
    try:
        document = base64.b64decode(headers.get(_ERROR_BODY, b""), validate=True)
    except binascii.Error:
        document = b""
    return name, document or records.error_document(name, "")


def _remove(folder: Path) -> None:
    with contextlib.suppress(OSError):
        shutil.rmtree(folder, onerror=_unlock)


def _unlock(function: Callable[[str], object], path: str, error: object) -> None:  # noqa: ARG001
    """A function may have taken its own permissions away."""
    with contextlib.suppress(OSError):
        Path(path).parent.chmod(0o700)
        Path(path).chmod(0o700)
        if function in (os.rmdir, os.unlink):
            function(path)
        else:
            shutil.rmtree(path, ignore_errors=True)
