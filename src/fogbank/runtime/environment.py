"""One execution environment: a process that handles one event at a time through the Runtime API.

Everything here happens in callbacks of the event loop (a request came, the process ended, a timer rang): an
invocation goes on to its end whoever waits for it. The life is drawn in `model.py`.
"""

from __future__ import annotations

import asyncio
import math
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from fogbank.core.clock import Clock
from fogbank.runtime import folders, records
from fogbank.runtime.api import PREFIX, ApiRequest, BodySink, Connection, Listener, event_headers
from fogbank.runtime.company import Company
from fogbank.runtime.exchange import StreamedAnswer, error_type, trailing_error
from fogbank.runtime.forker import Forker, Order
from fogbank.runtime.freezing import Processes
from fogbank.runtime.interpreters import Choice
from fogbank.runtime.invocation import Invocation
from fogbank.runtime.keys import Keys
from fogbank.runtime.memory import Memory
from fogbank.runtime.model import (
    MAX_RESPONSE,
    Event,
    Exit,
    FunctionVersion,
    InitFailure,
    Initialization,
    LogLine,
    Outcome,
    Role,
    State,
)
from fogbank.runtime.network import OwnNetwork
from fogbank.runtime.output import LogSink, OutputPipe
from fogbank.runtime.variables import CREDENTIALS_PATH


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
        make_id: Callable[[], str],
        extensions: Sequence[str] = (),
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
        self._network: OwnNetwork | None = None
        self._loop = asyncio.get_running_loop()
        self._output = OutputPipe(self._loop, self._printed, self._room)
        self._next: Connection | None = None
        self._invocation: Invocation | None = None
        self._started: asyncio.Future[None] = self._loop.create_future()
        self._ended: asyncio.Future[None] = self._loop.create_future()
        self._init_began = 0.0
        self.phases: list[tuple[str, float, float]] = []
        """The phases of its start: name, and from when to when in clock seconds."""
        self._init: float | None = None
        self._restored: records.Restored | None = None
        self.forked = 0.0
        """When its process was there, by the machine's monotonic clock."""
        self._role = role
        self._processes = Processes()
        self.memory = Memory()
        self.company = Company(self, version, extensions, clock=clock, make_id=make_id)
        self.log_stream = records.log_stream(version, clock.millis(), name)

    # -- beginning --------------------------------------------------------------------------------------------

    def live_apart(self, network: OwnNetwork) -> None:
        """Have a network of its own, from the start on."""
        self._network = network
        self.company.live_apart()

    async def start(
        self, order: Callable[[Environment], Order], *, limit: float, phase: str, control: Sequence[int] = ()
    ) -> bool:
        """Fork the process and wait until it is initialized or restored; whether it is. If not, `failure` says why.

        `control`: the control socket that a snapshot is to have.
        """
        self._init_began = self._clock.machine_monotonic()
        began = self._clock.time()
        if self._network is None:
            await self.listener.open(self, self.memory.owns)
        writer = self._output.open()
        self.say([self._first_line(), f"[FOGBANK] {self._choice.note}" if self._choice.note else None])
        try:
            forked = await self._parent.fork(order(self), (writer, *control), self._gone)
            if self._network is not None:
                await self._network.answer(forked.sockets, self.listener, self, self._has_ended)
        except BaseException:
            self.give_up()
            raise
        finally:
            os.close(writer)
        self.forked = self._clock.machine_monotonic()
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
            self.say([records.restore_report(self.version, now, took, status, kind)])
        else:
            self.say([records.init_report(self.version, now, records.Init(took, phase, status, kind, self.how))])
        return False

    def give_up(self) -> None:
        """It cannot be started: give back what it has."""
        self._parent.end(self.id)
        if self.state is not State.ENDED:
            self._close()
            self._on_gone(self)

    def _first_line(self) -> str | None:
        now, label, arn = self._clock.millis(), self._choice.label, self._runtime_arn()
        if self._role is Role.RESTORED:
            self.company.platform("platform.restoreStart", records.restore_start_record(self.version, label, arn))
            return records.restore_start(self.version, now, label, arn)
        record = records.init_start_record(self.version, label, arn, self.how)
        self.company.platform("platform.initStart", record)
        return records.init_start(self.version, now, label, arn, self.how)

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
        restoring = self._role is Role.RESTORED or kind == "Runtime.AfterRestoreError"
        return InitFailure(kind, payload, text, restoring)

    # -- the Runtime API ----------------------------------------------------------------------------------------

    def asked(self, connection: Connection, request: ApiRequest) -> None:
        """Dispatch one request of the process."""
        path = request.path.partition(b"?")[0]
        if path == CREDENTIALS_PATH.encode() and self.keys is not None:
            self.keys.answer(connection, request)
            return
        if not path.startswith(PREFIX):
            if self.company.asked(connection, request, path):
                return
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
        if invocation.answered or invocation.streaming_since is not None:
            connection.refuse(403, "InvalidStateTransition", "State transition is not allowed")
            return
        if request.oversized:
            self._too_large(connection)
        elif parts[2] == b"response":
            connection.accept()
            kind, document = trailing_error(request.headers)
            self._complete(request.body if kind is None else document, kind)
        else:
            connection.accept()
            kind = error_type(request.headers)
            self._complete(request.body or records.error_document(kind or "UnknownReason", ""), kind or "Unhandled")

    def streamed(self, connection: Connection, head: ApiRequest) -> BodySink | None:
        """A response in streaming mode begins: it goes on piece by piece if whoever asked takes it so."""
        invocation = self._invocation
        if invocation is None or invocation.event.stream is None or invocation.answered:
            return None
        if invocation.streaming_since is not None:
            return None
        path = b"%sinvocation/%s/response" % (PREFIX, invocation.event.request_id.encode())
        if head.method != b"POST" or head.path.partition(b"?")[0] != path:
            return None
        invocation.streaming_since = self._clock.machine_monotonic()
        kind = head.headers.get(b"content-type", b"application/octet-stream").decode("latin-1")
        invocation.event.stream.begin(kind, connection.flow)

        def done(kind: str | None, document: bytes) -> None:
            if self._invocation is invocation and not invocation.answered:
                self._complete(document, kind)

        return StreamedAnswer(invocation.event.stream, done)

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
        if self.state is State.STARTING:
            if self._next is None:
                self._initialized()
        elif self.state is not State.BUSY:
            return
        self._next = connection
        self.settled()

    def settled(self) -> None:
        """The runtime or an extension has nothing left to do: if nobody has, the phase is over."""
        if self._next is None or self.state not in (State.STARTING, State.BUSY) or not self.company.extensions.settled:
            return
        if self.state is State.STARTING:
            if self._init is not None:
                self._init = self._init_time()
            self._init_over(records.Init(self._init_time(), how=self.how))
        invocation = self._invocation
        if invocation is not None:
            invocation.timer.cancel()
            if invocation.result is not None:
                self._report(invocation)
            self._invocation = None
        self.state = State.IDLE
        if not self._started.done():
            self._started.set_result(None)
            return  # whoever started it has the first use of it
        self._on_free(self)

    def _initialized(self) -> None:
        took = self._init_time()
        if self._role is Role.RESTORED:
            self._restored = records.Restored(took, self._clock.machine_monotonic() - self.forked)
            self.say([records.restore_report(self.version, self._clock.millis(), took)])
            self.company.platform("platform.restoreRuntimeDone", records.restore_done_record())
            self.company.platform("platform.restoreReport", records.restore_report_record(took))
            return
        self.company.platform("platform.initRuntimeDone", records.init_done_record(records.Init(took, how=self.how)))
        if self.how is not Initialization.SNAP_START:  # those have said it, in INIT_REPORT
            self._init = took

    def _init_over(self, init: records.Init) -> None:
        """The init phase is over, well or not."""
        if self._role is not Role.RESTORED:
            self.company.platform("platform.initReport", records.init_report_record(init))
        self.company.begun()

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
        self.say([records.init_report(self.version, self._clock.millis(), init)])
        if self._role is Role.SNAPSHOT:
            self.state = State.IDLE
            self._started.set_result(None)
        connection.answer(200, b"")

    def _init_failed(self, connection: Connection, request: ApiRequest) -> None:
        if self.state is not State.STARTING:
            connection.refuse(403, "InvalidStateTransition", "State transition is not allowed")
            return
        kind = error_type(request.headers)
        self.failure = self._failure(kind or "Runtime.Unknown", request.body)
        connection.accept()
        self._loop.call_later(1.0, self._insist)  # it ends by itself, or it is ended

    def _insist(self) -> None:
        if self.state is State.STARTING:
            self._break("failure")

    # -- one invocation -----------------------------------------------------------------------------------------

    def invoke(self, event: Event, *, timeout: float | None = None) -> asyncio.Future[Outcome]:
        """Hand an event to an idle environment. The future is done when the function has answered, or has failed."""
        assert self._next is not None, "only an idle environment is handed an event"
        limit = self.version.timeout if timeout is None else timeout
        future: asyncio.Future[Outcome] = self._loop.create_future()
        now = self._clock.machine_monotonic()
        timer = self._loop.call_later(limit, self._too_long)
        self._invocation = Invocation(event, future, now, timer, self._init, self._restored)
        self._init = self._restored = None
        self._processes.thaw()
        self.state = State.BUSY
        self.say([records.start(self.version, event, self._clock.millis())])
        connection, self._next = self._next, None
        deadline = int((self._clock.machine_time() + limit) * 1000)
        company = self.company
        if company.extensions.any:
            record = {**records.start_record(self.version, event), **records.tracing(event)}
            company.platform("platform.start", record)
            company.extensions.invoke(event.request_id, event.function_arn, event.trace, deadline)
        connection.answer(200, event.payload, event_headers(event, deadline))
        return future

    def _too_long(self) -> None:
        invocation = self._invocation
        if invocation is None:
            return
        invocation.verdict = invocation.verdict or "timeout"
        self._break("timeout")

    def over_memory(self) -> None:
        """The watch found more memory in use than the function has."""
        invocation = self._invocation
        if invocation is not None and invocation.verdict is None:
            invocation.verdict = "memory"
        elif self.state is State.STARTING and self.failure is None:
            self.failure = self._failure("Runtime.OutOfMemory", None)
        self._break("failure")

    def _break(self, reason: str) -> None:
        """Something went wrong: extensions in processes of their own have time to say so, everything else has not."""
        self._break_with(reason, Exit(None, 9))

    def _break_with(self, reason: str, exit_: Exit) -> None:
        if not self.company.shut_down(reason, self.kill):
            self.kill()
            return
        invocation = self._invocation
        if invocation is not None:
            self._broken(invocation, exit_)
        self._fails()

    def _fails(self) -> None:
        """It can take no events any more, though something of it is still there."""
        if self.state is State.STARTING:
            failure = self.failure or self._failure("Runtime.ExitError", None)
            init = records.Init(self._init_time(), status="error", error_type=failure.error_type, how=self.how)
            self.company.platform("platform.initRuntimeDone", records.init_done_record(init))
            self._init_over(init)
        invocation, self._invocation = self._invocation, None
        if invocation is not None:
            invocation.timer.cancel()
        self.state = State.ENDING
        if not self._started.done():
            self._started.set_result(None)

    def runtime_ended(self, exit_: Exit) -> None:
        """The runtime's process has ended, and the supervisor says so."""
        self._output.drain()
        if self.state is State.STARTING and self.failure is None:
            self.failure = self._failure("Runtime.ExitError", None, records.exit_text(exit_))
        self._break_with("failure", exit_)

    def extension_failed(self, kind: str, text: str) -> None:
        """An extension has failed: so does the init phase, or the event under way."""
        invocation = self._invocation
        if invocation is not None:
            invocation.verdict = invocation.verdict or kind
            invocation.text = text
        elif self.state is State.STARTING and self.failure is None:
            self.failure = self._failure(kind, None, text)
        else:
            self.say([f"Error: {text}", kind])
        self._break("failure")

    def _complete(self, payload: bytes, kind: str | None) -> None:
        """The runtime answered, with a result or with an error."""
        invocation = self._invocation
        if invocation is None:
            return
        invocation.answered = True
        self._output.drain()
        invocation.result = (payload, kind)
        extensions = self.company.extensions
        if not extensions.any:
            self._report(invocation)
            return
        self._tell_done(invocation, "success" if kind is None else "error", kind)
        if extensions.settled:
            self._report(invocation)
        elif not invocation.event.tail:
            used = self._used(invocation)
            invocation.answer(used, records.billed(self.version, used))  # the caller need not wait for extensions

    def _tell_done(self, invocation: Invocation, status: str, kind: str | None) -> None:
        """Tell the extensions how the runtime handled the event."""
        done = invocation.done(self._clock.machine_monotonic(), self._clock.time(), status, kind)
        self.company.platform("platform.runtimeDone", records.done_record(invocation.event, done))

    def _report(self, invocation: Invocation) -> None:
        """The event has been handled: the lines after it, and the answer."""
        if self.company.supervised:
            self.memory.sample_all()
        else:
            self.memory.sample()
        self._finish(invocation, self._used(invocation))

    def _used(self, invocation: Invocation) -> records.Report:
        """What an event has used so far."""
        duration = self._clock.machine_monotonic() - invocation.began
        return records.Report(duration, self.memory.largest, invocation.init, restored=invocation.restored)

    def _finish(self, invocation: Invocation, used: records.Report) -> None:
        event = invocation.event
        now = self._clock.millis()
        self.say([records.end(self.version, event), records.report(self.version, event, used, now)])
        if self.company.extensions.any:
            record = {**records.report_record(self.version, event, used), **records.tracing(event)}
            self.company.platform("platform.report", record)
        invocation.answer(used, records.billed(self.version, used))
        invocation.result = None

    def freeze(self) -> None:
        """Stop its processes until the next event, if it is idle."""
        if self.state is State.IDLE:
            self._processes.freeze()

    # -- the end ------------------------------------------------------------------------------------------------

    def end(self) -> None:
        """End it: an idle one in order, so that extensions have some time. `on_gone` follows."""
        if self.state is State.IDLE:
            in_order = self.company.shut_down("spindown", self.kill)
            self.state = State.ENDING  # no event is handed to it any more
            if in_order:
                self._processes.thaw()
            else:
                self.kill()
        elif self.state is not State.ENDING:
            self.kill()

    def kill(self) -> None:
        """End it at once. `on_gone` follows."""
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
        if invocation is not None and not invocation.reported:
            self._broken(invocation, exit_)
        if starting and self.failure is None:
            self.failure = self._failure("Runtime.ExitError", None, records.exit_text(exit_))
        self._close()
        if not self._started.done():
            self._started.set_result(None)
        self._on_gone(self)

    def _broken(self, invocation: Invocation, exit_: Exit) -> None:
        """Answer for a process that ended in the middle of an event."""
        now, duration = self._clock.millis(), self._clock.machine_monotonic() - invocation.began
        broken = invocation.broken(self.version, exit_, now, duration, self.memory.largest)
        self.say(broken.said)
        if invocation.verdict != "timeout":
            self.company.fault("\n".join(broken.said))
        used = broken.used
        if not invocation.answered:
            if self.company.extensions.any:
                self._tell_done(invocation, used.status, used.error_type)
            invocation.result = (broken.payload, broken.kind)
        self._finish(invocation, used)

    def _close(self) -> None:
        """Give back every descriptor and folder."""
        self.state = State.ENDED
        invocation = self._invocation
        if invocation is not None:
            invocation.timer.cancel()
        self._invocation = None
        self._next = None
        self._output.close()
        self.listener.close()
        if self._network is not None:
            self._network.close()
        self.memory.close()
        self.company.close()
        folders.remove(self.folder, self._ended)

    # -- the log ------------------------------------------------------------------------------------------------

    def _room(self, data: bytes) -> bool:
        return self._sink.room(self.version, self.log_stream, data)

    def note(self, text: str) -> None:
        """A line of ours in the log."""
        self.say([f"[FOGBANK] {text}"])

    def _printed(self, texts: list[str]) -> None:
        self.say(texts)
        self.company.printed(texts)

    def say(self, texts: Sequence[str | None]) -> None:
        """Lines for the log, at this moment."""
        now = self._clock.millis()
        lines = [LogLine(now, text) for text in texts if text is not None]
        if not lines:
            return
        if self._invocation is not None:
            self._invocation.logged(lines)
        self._sink.write(self.version, self.log_stream, lines)
