"""The Extensions API: who has registered, what each waits for, and what it is told.

    external:  started ──register──▶ registered ──next──▶ ready ──event──▶ running ──next──▶ ready …
    internal:              register──▶ registered ──next──▶ …            (threads of the runtime's process)
    either:    ──init/error, exit/error, exit──▶ failed

The environment asks `ready` (nobody has anything left to do) and tells events; it is told by its `Host` methods.
Source: https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from typing import Any, Protocol

import msgspec

from fogbank.runtime import logs_api
from fogbank.runtime.api import ApiRequest, Connection
from fogbank.runtime.model import FunctionVersion
from fogbank.runtime.telemetry import PATH, SubscriptionError, Telemetry, read_subscription

PREFIX = b"/2020-01-01/extension/"
MAX_EXTENSIONS = 10
_NAME = b"lambda-extension-name"
_IDENTIFIER = b"lambda-extension-identifier"
_ERROR_TYPE = b"lambda-extension-function-error-type"
_FEATURES = b"lambda-extension-accept-feature"
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_OK = b'"OK"'


class Wish(StrEnum):
    """What an extension may want to be told of."""

    INVOKE = "INVOKE"
    SHUTDOWN = "SHUTDOWN"


class Progress(Enum):
    """How far an extension has come; the value is what the log calls it."""

    STARTED = "Started"
    REGISTERED = "Registered"
    READY = "Ready"
    RUNNING = "Running"
    INIT_ERROR = "InitError"
    EXIT_ERROR = "ExitError"
    LAUNCH_ERROR = "LaunchError"
    EXITED = "Exited"


_GONE = frozenset({Progress.INIT_ERROR, Progress.EXIT_ERROR, Progress.LAUNCH_ERROR, Progress.EXITED})


class Fault(Enum):
    """What an extension is refused with: status, kind, message."""

    NO_NAME = 400, "Extension.MissingHeader", "Lambda-Extension-Name header not provided"
    BAD_REQUEST = 400, "InvalidRequestFormat", "the body is not a registration"
    BAD_EVENT = 400, "Extension.InvalidEventType", "expected the events INVOKE and SHUTDOWN"
    NO_SHUTDOWN = 400, "ShutdownEventNotSupportedForInternalExtension", "SHUTDOWN event not supported"
    NO_ERROR_TYPE = 400, "Extension.MissingHeader", "Lambda-Extension-Function-Error-Type not found"
    NO_IDENTIFIER = 403, "Extension.MissingExtensionIdentifier", "Missing Lambda-Extension-Identifier header"
    BAD_IDENTIFIER = 403, "Extension.InvalidExtensionIdentifier", "Invalid Lambda-Extension-Identifier"
    UNKNOWN = 403, "Extension.UnknownExtensionIdentifier", "Unknown extension"
    KNOWN = 403, "Extension.AlreadyRegistered", "Extension with this name already registered"
    CLOSED = 403, "Extension.RegistrationClosed", "Extension registration closed already"
    TOO_MANY = 403, "Extension.TooManyExtensions", f"Extension limit ({MAX_EXTENSIONS}) reached"
    BAD_STATE = 403, "Extension.InvalidExtensionState", "State transition is not allowed"
    SUBSCRIPTIONS_CLOSED = 403, "Telemetry.SubscriptionClosed", "Telemetry API subscription is closed already"
    UNREACHABLE = (
        400,
        "Telemetry.NotSupported",
        "Fogbank does not reach listeners of internal extensions in networks of their own (--egress off)",
    )
    LOGS_CLOSED = 403, "Logs.SubscriptionClosed", "Logs API subscription is closed already"
    BAD_METHOD = 405, "MethodNotAllowed", "the method is not that of this resource"
    NO_RESOURCE = 404, "NotFound", "no such resource of the Extensions API"


class Host(Protocol):
    """What the environment is told."""

    def extensions_registered(self) -> None:
        """Every external extension has registered: the runtime may begin."""
        ...

    def extensions_settled(self) -> None:
        """An extension has nothing left to do."""
        ...

    def extension_failed(self, kind: str, text: str) -> None:
        """An extension reported an error, or its process has ended."""
        ...

    def extension_said(self, line: str, kind: str, record: dict[str, Any]) -> None:
        """A line of the log, and the same as an event of the platform."""
        ...


class _Registration(msgspec.Struct):
    events: list[str] = []


_registration = msgspec.json.Decoder(_Registration).decode


@dataclass(slots=True)
class Extension:
    """One extension. `waiting` is its unanswered question for the next event."""

    name: str
    external: bool
    identifier: str = ""
    wishes: tuple[Wish, ...] = ()
    progress: Progress = Progress.STARTED
    waiting: Connection | None = None
    error: str | None = None
    alive: bool = True


@dataclass(slots=True)
class Extensions:
    """The extensions of one environment. `external` are the names of the executables that are started first."""

    version: FunctionVersion
    host: Host
    telemetry: Telemetry
    make_id: Callable[[], str]
    external: Iterable[str] = ()
    can_subscribe: bool = True
    """Whether telemetry reaches a listener of theirs."""
    open: bool = True
    """Whether extensions can still register: until the init phase is over."""
    _known: dict[str, Extension] = field(default_factory=dict)
    _by_id: dict[str, Extension] = field(default_factory=dict)
    _farewell: bytes | None = None

    def __post_init__(self) -> None:
        self._known = {name: Extension(name, True) for name in self.external}

    # -- questions --------------------------------------------------------------------------------------------

    @property
    def any(self) -> bool:
        """Whether there are any."""
        return bool(self._known)

    @property
    def settled(self) -> bool:
        """Whether every one that has registered waits for the next event."""
        return all(extension.progress is Progress.READY for extension in self._known.values() if extension.identifier)

    @property
    def care(self) -> bool:
        """Whether an external one that is alive wants to know when the environment ends."""
        return any(
            extension.external and extension.alive and Wish.SHUTDOWN in extension.wishes
            for extension in self._known.values()
        )

    # -- events -----------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """The init phase is over, well or not: nobody registers any more, and the log says how far each came."""
        self.open = False
        for extension in self._known.values():
            self._tell_state(extension)

    def invoke(self, request_id: str, arn: str, trace: str, deadline: int) -> None:
        """An event has been handed to the runtime."""
        document = {
            "eventType": Wish.INVOKE.value,
            "deadlineMs": deadline,
            "requestId": request_id,
            "invokedFunctionArn": arn,
            "tracing": {"type": "X-Amzn-Trace-Id", "value": trace},
        }
        self._send(Wish.INVOKE, msgspec.json.encode(document))

    def shut_down(self, reason: str, deadline: int) -> None:
        """The environment ends: `spindown`, `timeout` or `failure`."""
        document = {"eventType": Wish.SHUTDOWN.value, "shutdownReason": reason, "deadlineMs": deadline}
        self._farewell = msgspec.json.encode(document)
        self._send(Wish.SHUTDOWN, self._farewell)

    def _send(self, wish: Wish, body: bytes) -> None:
        for extension in self._known.values():
            if wish in extension.wishes and extension.waiting is not None:
                self._tell(extension, body)

    def _tell(self, extension: Extension, body: bytes) -> None:
        connection, extension.waiting = extension.waiting, None
        extension.progress = Progress.RUNNING
        if connection is not None:
            connection.answer(200, body, b"Lambda-Extension-Event-Identifier: %s\r\n" % self.make_id().encode())

    def exited(self, name: str, text: str) -> None:
        """The process of an external extension has ended: `exit status 1`, `signal: killed`."""
        extension = self._known[name]
        extension.alive = False
        extension.waiting = None
        if extension.progress is Progress.INIT_ERROR:
            self.host.extension_failed("Extension.InitError", text)
        elif extension.progress is Progress.EXIT_ERROR:
            self.host.extension_failed("Extension.ExitError", text)
        elif extension.progress is not Progress.LAUNCH_ERROR:
            if extension.progress not in (Progress.STARTED, Progress.REGISTERED):
                extension.progress = Progress.EXITED
            self.host.extension_failed("Extension.Crash", text)

    def not_started(self, name: str, text: str, problem: str) -> None:
        """An executable could not be started."""
        extension = self._known[name]
        extension.alive = False
        extension.progress = Progress.LAUNCH_ERROR
        extension.error = "".join(word.title() for word in problem.split())
        self.host.extension_failed("Extension.LaunchError", text)

    def _tell_state(self, extension: Extension) -> None:
        events = [wish.value for wish in extension.wishes]
        state = extension.progress.value
        line = f"EXTENSION\tName: {extension.name}\tState: {state}\tEvents: [{', '.join(events)}]"
        record: dict[str, Any] = {"name": extension.name, "state": state, "events": events}
        if extension.error:
            line += f"\tError Type: {extension.error}"
            record["errorType"] = extension.error
        self.host.extension_said(line, "platform.extension", record)

    # -- requests ---------------------------------------------------------------------------------------------

    def asked(self, connection: Connection, request: ApiRequest, path: bytes) -> bool:
        """Answer a request; `False` if it is for none of the APIs that are here."""
        path = path.rstrip(b"/")
        if path == PATH:
            self._subscribe(connection, request)
        elif path == logs_api.PATH:
            self._subscribe(connection, request, logs=True)
        elif path.startswith(PREFIX):
            self._extension_route(connection, request, path[len(PREFIX) :])
        else:
            return False
        return True

    def _extension_route(self, connection: Connection, request: ApiRequest, route: bytes) -> None:
        methods = {b"register": b"POST", b"event/next": b"GET", b"init/error": b"POST", b"exit/error": b"POST"}
        if route not in methods:
            _refuse(connection, Fault.NO_RESOURCE)
        elif request.method != methods[route]:
            _refuse(connection, Fault.BAD_METHOD)
        elif route == b"register":
            self._register(connection, request)
        elif route == b"event/next":
            self._next(connection, request)
        else:
            state = Progress.INIT_ERROR if route == b"init/error" else Progress.EXIT_ERROR
            self._error(connection, request, state)

    def _register(self, connection: Connection, request: ApiRequest) -> None:
        name = request.headers.get(_NAME, b"").decode("utf-8", "replace")
        known = self._known.get(name)
        try:
            events = _registration(request.body or b"{}").events
        except (msgspec.DecodeError, RecursionError):
            _refuse(connection, Fault.BAD_REQUEST)
            return
        fault = self._registration_fault(name, known, events)
        if fault is not None:
            _refuse(connection, fault)
            return
        extension = known or Extension(name, False)
        extension.identifier = self.make_id()
        extension.wishes = tuple(dict.fromkeys(Wish(event) for event in events))
        extension.progress = Progress.REGISTERED
        self._known[name] = self._by_id[extension.identifier] = extension
        answer = {
            "functionName": self.version.name,
            "functionVersion": self.version.version,
            "handler": self.version.handler,
        }
        features = request.headers.get(_FEATURES, b"").lower().split(b",")
        if b"accountid" in [feature.strip() for feature in features]:
            answer["accountId"] = self.version.scope.account
        header = b"Lambda-Extension-Identifier: %s\r\n" % extension.identifier.encode()
        connection.answer(200, msgspec.json.encode(answer), header)
        if extension.external and all(other.identifier for other in self._known.values() if other.external):
            self.host.extensions_registered()

    def _registration_fault(self, name: str, known: Extension | None, events: list[str]) -> Fault | None:
        if not name:
            return Fault.NO_NAME
        if any(event not in list(Wish) for event in events):
            return Fault.BAD_EVENT
        if known is not None and known.identifier:
            return Fault.KNOWN
        if not self.open:
            return Fault.CLOSED
        if known is None and Wish.SHUTDOWN in events:
            return Fault.NO_SHUTDOWN
        if len(self._by_id) >= MAX_EXTENSIONS:
            return Fault.TOO_MANY
        return None

    def _next(self, connection: Connection, request: ApiRequest) -> None:
        extension = self._who(connection, request)
        if extension is None:
            return
        if extension.waiting is not None and extension.waiting.closed:
            extension.waiting = None
        if extension.waiting is not None or extension.progress in _GONE:
            _refuse(connection, Fault.BAD_STATE)
            return
        extension.waiting = connection
        extension.progress = Progress.READY
        if self._farewell is not None and Wish.SHUTDOWN in extension.wishes:
            self._tell(extension, self._farewell)  # it was still busy when the environment began to end
            return
        self.host.extensions_settled()

    def _error(self, connection: Connection, request: ApiRequest, progress: Progress) -> None:
        extension = self._who(connection, request)
        if extension is None:
            return
        kind = request.headers.get(_ERROR_TYPE, b"").decode("utf-8", "replace")
        if not kind:
            _refuse(connection, Fault.NO_ERROR_TYPE)
        elif extension.progress in _GONE or (progress is Progress.INIT_ERROR and not self.open):
            _refuse(connection, Fault.BAD_STATE)
        else:
            extension.progress = progress
            extension.error = kind
            connection.accept()
            if not extension.external:
                self.host.extension_failed(f"Extension.{progress.value}", kind)

    def _subscribe(self, connection: Connection, request: ApiRequest, *, logs: bool = False) -> None:
        if request.method != b"PUT":
            _refuse(connection, Fault.BAD_METHOD)
            return
        extension = self._who(connection, request)
        if extension is None:
            return
        if not self.open or not self.can_subscribe:
            closed = Fault.LOGS_CLOSED if logs else Fault.SUBSCRIPTIONS_CLOSED
            _refuse(connection, Fault.UNREACHABLE if self.open else closed)
            return
        try:
            wanted = read_subscription(request.body, logs=logs)
            self.telemetry.subscribe(extension.name, wanted)
        except SubscriptionError as error:
            kind = "Logs.ValidationError" if logs else "ValidationError"
            connection.answer(400, msgspec.json.encode({"errorType": kind, "errorMessage": str(error)}))
            return
        record = {"name": extension.name, "state": "Subscribed", "types": wanted.names}
        shown = ", ".join(name.title() for name in wanted.names)
        line = f"{'LOGS' if logs else 'TELEMETRY'}\tName: {extension.name}\tState: Subscribed\tTypes: [{shown}]"
        connection.answer(200, _OK)
        self.host.extension_said(line, logs_api.SUBSCRIBED if logs else "platform.telemetrySubscription", record)

    def _who(self, connection: Connection, request: ApiRequest) -> Extension | None:
        """The extension that asks; otherwise it has been refused."""
        identifier = request.headers.get(_IDENTIFIER)
        if identifier is None:
            _refuse(connection, Fault.NO_IDENTIFIER)
            return None
        text = identifier.decode("latin-1")
        found = self._by_id.get(text)
        if found is None:
            _refuse(connection, Fault.UNKNOWN if _UUID.fullmatch(text) else Fault.BAD_IDENTIFIER)
        return found


def _refuse(connection: Connection, fault: Fault) -> None:
    connection.refuse(*fault.value)
