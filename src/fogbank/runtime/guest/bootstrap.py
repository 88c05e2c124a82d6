"""The runtime client of Python functions: the Lambda Runtime API over one kept-alive connection.

Forked from the prepared parent (`start`), or run as a program of its own behind a wrapper script (`main`). What a
function sees of it is what AWS's client shows: the error documents, the form of log lines, the context object.
Runs on Python 3.9 and later, standard library only.

Sources: https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html, .../python-context.html,
.../python-logging.html, and the behaviour of AWS's own `awslambdaric`.
"""

# ruff: noqa: PTH100, PTH109, PTH110, PTH118, PTH120, PTH123 - paths stay strings here: what a function sees of this module should be little
# ruff: noqa: BLE001 - whatever user code raises is reported

from __future__ import annotations

import decimal
import importlib
import io
import json
import logging
import math
import os
import re
import site
import socket
import struct
import sys
import time
import traceback
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

_HERE = "/bootstrap.py"
_INDENT = "\u00a0"
_FRAME = struct.Struct(">IIQ")
_TEXT_FRAME = 0xA55A0003
_JSON_FRAME = 0xA55A0002
_PRELOADED = (
    "argparse",
    "base64",
    "collections.abc",
    "concurrent.futures.thread",
    "copy",
    "datetime",
    "functools",
    "hashlib",
    "hmac",
    "http.client",
    "inspect",
    "random",
    "ssl",
    "threading",
    "typing",
    "urllib.request",
    "uuid",
)
_ASCII_RUNTIMES = ("3.9", "3.10", "3.11")


def preload() -> None:
    """Import in the prepared parent what nearly every function and boto3 need later."""
    for name in _PRELOADED:
        importlib.import_module(name)


class RuntimeFault(Exception):  # noqa: N818 - AWS's word for it
    """What the runtime itself finds wrong: `Runtime.HandlerNotFound` and its kin."""

    def __init__(self, kind: str, message: str, trace: list[str] | None = None) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.trace = trace


class Connection:
    """The Runtime API. An answer goes out in one segment together with the question for the next event."""

    def __init__(self, address: str) -> None:
        host, _, port = address.rpartition(":")
        self.host = address
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)  # a name would have to be looked up
        self.socket.connect((host, int(port)))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""
        self.asked = False
        self.question = (
            f"GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: {address}\r\n"
            f"User-Agent: aws-lambda-python/{sys.version.split()[0]}-fogbank\r\n\r\n"
        ).encode()

    def next(self) -> tuple[dict[str, str], bytes]:
        """The next event: its headers (lower case) and its body."""
        if not self.asked:
            self.socket.sendall(self.question)
        self.asked = False
        status, headers, body = self.read()
        if status != 200:
            raise RuntimeError(f"the Runtime API answered {status} to next: {body[:200]!r}")
        return headers, body

    def restore(self) -> None:
        """Say that the init phase is over, and wait until an environment is to go on from there."""
        self.socket.sendall(self.question.replace(b"invocation/next", b"restore/next", 1))
        status, _, body = self.read()
        if status != 200:
            raise RuntimeError(f"the Runtime API answered {status} to restore/next: {body[:200]!r}")

    def post(
        self,
        path: str,
        body: bytes,
        content_type: str,
        headers: Iterable[tuple[str, str]] = (),
        *,
        ask: bool = True,
    ) -> None:
        """Send a result or an error, and ask for the next event with it."""
        head = (
            f"POST /2018-06-01/runtime/{path} HTTP/1.1\r\nHost: {self.host}\r\n"
            f"Content-Type: {content_type}\r\nContent-Length: {len(body)}\r\n"
        )
        for name, value in headers:
            head += f"{name}: {value}\r\n"
        data = head.encode() + b"\r\n" + body
        self.socket.sendall(data + self.question if ask else data)
        self.asked = ask
        status, _, _ = self.read()
        if status != 202:
            write_text(f"LAMBDA_RUNTIME Failed to post handler success response. Http response code: {status}.\n")

    def read(self) -> tuple[int, dict[str, str], bytes]:
        """One response: status, headers, body."""
        buffer = self.buffer
        while True:
            end = buffer.find(b"\r\n\r\n")
            if end >= 0:
                break
            buffer += self.receive(65536)
        lines = buffer[:end].decode("latin-1").split("\r\n")
        headers = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        end += 4
        size = int(headers.get("content-length", 0))
        body = buffer[end : end + size]
        if len(body) < size:
            parts = [body]
            missing = size - len(body)
            while missing:
                part = self.receive(min(missing, 1 << 20))
                parts.append(part)
                missing -= len(part)
            body = b"".join(parts)
            self.buffer = b""
        else:
            self.buffer = buffer[end + size :]
        return int(lines[0].split(" ", 2)[1]), headers, body

    def receive(self, size: int) -> bytes:
        data = self.socket.recv(size)
        if not data:
            os._exit(0)  # Fogbank closed the environment
        return data


# -- output ---------------------------------------------------------------------------------------------------


def write_all(data: bytes) -> None:
    while data:
        data = data[os.write(1, data) :]


def write_text(text: str) -> None:
    """A record of several lines that stays one log event."""
    sys.stdout.flush()
    data = text.encode("utf-8", "surrogateescape")
    kind = _JSON_FRAME if Settings.json else _TEXT_FRAME
    write_all(_FRAME.pack(kind, len(data), int(time.time() * 1e6)) + data)


def open_output() -> None:
    for number, name in ((1, "stdout"), (2, "stderr")):
        raw = io.FileIO(number, "w", closefd=False)
        stream = io.TextIOWrapper(
            io.BufferedWriter(raw, 8192), encoding="utf-8", errors="backslashreplace", line_buffering=True
        )
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
    sys.stdin = open(os.devnull)  # noqa: SIM115 - for as long as the process lives


class Settings:
    """What the function's logging configuration says."""

    json = False
    request_id: str | None = None


class RecordHandler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        try:
            write_text(self.format(record))
        except Exception:
            self.handleError(record)


def stamp_record(record: logging.LogRecord) -> bool:
    record.aws_request_id = Settings.request_id or ""
    return True


class JsonFormatter(logging.Formatter):
    """The fields of AWS's JSON log format for Python."""

    known = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "aws_request_id", "taskName"}

    def format(self, record: logging.LogRecord) -> str:
        plain = record.msg if isinstance(record.msg, dict) and not record.args else record.getMessage()
        entry: dict[str, Any] = {
            "timestamp": self.formatTime(record, "%Y-%m-%dT%H:%M:%SZ"),
            "level": record.levelname,
            "message": plain,
            "logger": record.name,
        }
        if record.exc_info:
            kind, value, trace = record.exc_info
            entry["stackTrace"] = traceback.format_tb(trace)
            entry["errorType"] = kind.__name__ if kind else None
            entry["errorMessage"] = str(value)
            entry["location"] = f"{record.pathname}:{record.funcName}:{record.lineno}"
        entry["requestId"] = getattr(record, "aws_request_id", None) or None
        for name, value in vars(record).items():
            if name not in self.known and name not in entry:
                entry[name] = value
        kept = {name: value for name, value in entry.items() if value is not None}
        return json.dumps(kept, default=str, ensure_ascii=False) + "\n"


def set_up_logging() -> None:
    level = os.environ.get("AWS_LAMBDA_LOG_LEVEL", "").upper()
    level = {"TRACE": "DEBUG", "WARN": "WARNING", "FATAL": "CRITICAL"}.get(level, level)
    Settings.json = os.environ.get("AWS_LAMBDA_LOG_FORMAT", "").upper() == "JSON"
    logging.Formatter.converter = time.gmtime
    handler = RecordHandler()
    handler.addFilter(stamp_record)
    if Settings.json:
        handler.setFormatter(JsonFormatter())
    else:
        form = "[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t%(message)s\n"
        handler.setFormatter(logging.Formatter(form, "%Y-%m-%dT%H:%M:%S"))
    root = logging.getLogger()
    root.addHandler(handler)
    if level in ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"):
        root.setLevel(level)


def log_error(document: dict[str, Any]) -> None:
    """Write an error as AWS's client does: one event, indented with no-break spaces."""
    if Settings.json:
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        write_text(json.dumps({"timestamp": now, "level": "ERROR", **document}, ensure_ascii=False) + "\n")
        return
    title = "[ERROR]"
    if document["errorType"]:
        title += " " + document["errorType"]
    if document["errorMessage"]:
        title += (": " if document["errorType"] else " ") + document["errorMessage"]
    lines = [title, "Traceback (most recent call last):"]
    for entry in document["stackTrace"]:
        for line in entry.splitlines():
            bare = line.lstrip(" ")
            lines.append(_INDENT * (len(line) - len(bare)) + bare)
    write_text("\n".join(lines))


# -- the context ------------------------------------------------------------------------------------------------


class CognitoIdentity:
    __slots__ = ("cognito_identity_id", "cognito_identity_pool_id")

    def __init__(self, values: dict[str, Any]) -> None:
        self.cognito_identity_id = values.get("cognitoIdentityId")
        self.cognito_identity_pool_id = values.get("cognitoIdentityPoolId")

    def __repr__(self) -> str:
        return (
            f"CognitoIdentity([cognito_identity_id={self.cognito_identity_id},"
            f"cognito_identity_pool_id={self.cognito_identity_pool_id}])"
        )


class Client:
    __slots__ = ("app_package_name", "app_title", "app_version_code", "app_version_name", "installation_id")

    def __init__(self, values: dict[str, Any]) -> None:
        for name in self.__slots__:
            setattr(self, name, values.get(name))


class ClientContext:
    __slots__ = ("client", "custom", "env")

    def __init__(self, values: dict[str, Any]) -> None:
        self.custom = values.get("custom")
        self.env = values.get("env")
        client = values.get("client")
        self.client = Client(client) if client is not None else None


class LambdaContext:
    """What a handler is told about its invocation."""

    def __init__(self, headers: dict[str, str]) -> None:
        environ = os.environ
        self.aws_request_id = headers.get("lambda-runtime-aws-request-id")
        self.log_group_name = environ.get("AWS_LAMBDA_LOG_GROUP_NAME")
        self.log_stream_name = environ.get("AWS_LAMBDA_LOG_STREAM_NAME")
        self.function_name = environ.get("AWS_LAMBDA_FUNCTION_NAME")
        self.memory_limit_in_mb = environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE")
        self.function_version = environ.get("AWS_LAMBDA_FUNCTION_VERSION")
        self.invoked_function_arn = headers.get("lambda-runtime-invoked-function-arn")
        self.tenant_id = headers.get("lambda-runtime-aws-tenant-id")
        client = read_header(headers, "lambda-runtime-client-context", "Client Context")
        identity = read_header(headers, "lambda-runtime-cognito-identity", "Cognito Identity")
        self.client_context = ClientContext(client) if client is not None else None
        self.identity = CognitoIdentity(identity or {})
        self._epoch_deadline_time_in_ms = int(headers.get("lambda-runtime-deadline-ms") or 0)

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until the function is stopped, never below 0."""
        return max(0, self._epoch_deadline_time_in_ms - int(time.time() * 1000))

    def log(self, message: object) -> None:
        write_text(str(message))

    def __repr__(self) -> str:
        names = (
            "aws_request_id",
            "log_group_name",
            "log_stream_name",
            "function_name",
            "memory_limit_in_mb",
            "function_version",
            "invoked_function_arn",
            "client_context",
            "identity",
            "tenant_id",
        )
        return "LambdaContext([{}])".format(",".join(f"{name}={getattr(self, name)}" for name in names))


def read_header(headers: dict[str, str], name: str, title: str) -> dict[str, Any] | None:
    text = headers.get(name)
    if not text:
        return None
    try:
        value = json.loads(text.encode("latin-1"))
    except ValueError as error:
        raise RuntimeFault("Runtime.LambdaContextUnmarshalError", f"Unable to parse {title} JSON: {error}") from error
    return value if isinstance(value, dict) else {}


# -- JSON -------------------------------------------------------------------------------------------------------


class Encoder:
    """JSON as AWS's client writes it: decimals keep their digits, bytes are text; ASCII only before Python 3.12."""

    def __init__(self) -> None:
        runtime = os.environ.get("AWS_EXECUTION_ENV", "").rpartition("python")[2]
        self.mark: str | None = None
        self.encode_plain = json.JSONEncoder(ensure_ascii=runtime in _ASCII_RUNTIMES, default=self.other).encode

    def other(self, value: object) -> Any:
        if isinstance(value, decimal.Decimal):
            if value.is_nan():
                return math.nan
            if self.mark is None:
                self.mark = os.urandom(8).hex()
            return f"{self.mark}:{value}"
        if isinstance(value, bytes):
            return value.decode("utf-8")
        raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")

    def encode(self, value: object) -> str:
        text = self.encode_plain(value)
        if self.mark is not None and self.mark in text:
            text = re.sub(f'"{self.mark}:([^"]*)"', r"\1", text)
        return text


# -- the loop ---------------------------------------------------------------------------------------------------


def load_handler(name: str) -> Any:
    """Import the module and find the function; a `RuntimeFault` with AWS's words if that fails."""
    module_name, dot, function_name = name.rpartition(".")
    if not dot:
        raise RuntimeFault(
            "Runtime.MalformedHandlerName",
            f"Bad handler '{name}': not enough values to unpack (expected 2, got 1)",
        )
    if module_name.split(".")[0] in sys.builtin_module_names:
        raise RuntimeFault(
            "Runtime.BuiltInModuleConflict", f"Cannot use built-in module {module_name} as a handler module"
        )
    try:
        module = importlib.import_module(module_name.replace("/", "."))
    except ImportError as error:
        raise RuntimeFault("Runtime.ImportModuleError", f"Unable to import module '{module_name}': {error}") from error
    except SyntaxError as error:
        trace = [f'  File "{as_deployed(error.filename or "")}" Line {error.lineno}\n    {error.text}']
        raise RuntimeFault(
            "Runtime.UserCodeSyntaxError", f"Syntax error in module '{module_name}': {error}", trace
        ) from error
    try:
        return getattr(module, function_name)
    except AttributeError:
        raise RuntimeFault(
            "Runtime.HandlerNotFound", f"Handler '{function_name}' missing on module '{module_name}'"
        ) from None


def as_deployed(path: str) -> str:
    """A path as traces show it: on Lambda the function's files are in /var/task, wherever they are here."""
    root = os.environ.get("LAMBDA_TASK_ROOT", "").rstrip("/")
    return f"/var/task{path[len(root) :]}" if root and path.startswith(f"{root}/") else path


def describe(error: BaseException, request_id: str = "") -> dict[str, Any]:
    """The error document of an exception, without the runtime's own frames."""
    if isinstance(error, RuntimeFault):
        return document(error.message, error.kind, error.trace or [], request_id)
    # bare tuples, as AWS's client takes them: with column marks the newer interpreters would draw carets
    found = traceback.extract_tb(error.__traceback__)
    frames = [(as_deployed(f.filename), f.lineno or 0, f.name, f.line) for f in found]
    while frames and frames[0][0].endswith(_HERE):
        del frames[0]
    return document(str(error), type(error).__name__, traceback.format_list(frames), request_id)


def document(message: str, kind: str, trace: list[str], request_id: str) -> dict[str, Any]:
    return {"errorMessage": message, "errorType": kind, "requestId": request_id, "stackTrace": trace}


def fault_header(error: BaseException) -> str:
    """The cause of an error for tracing, as the Runtime API's X-Ray header carries it."""
    frames = [
        {"label": frame.name, "path": as_deployed(frame.filename), "line": frame.lineno}
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.endswith(_HERE)
    ]
    cause = {
        "working_directory": os.getcwd(),
        "exceptions": [{"message": str(error)[:1000], "type": type(error).__name__, "stack": frames[-50:]}],
        "paths": sorted({str(frame["path"]) for frame in frames}),
    }
    return json.dumps(cause)


def serve(handler: Any, connection: Connection) -> None:
    """Handle one event after another, for ever."""
    encoder = Encoder()
    environ = os.environ
    flush_out, flush_err = sys.stdout.flush, sys.stderr.flush
    while True:
        headers, body = connection.next()
        request_id = headers["lambda-runtime-aws-request-id"]
        Settings.request_id = request_id
        trace = headers.get("lambda-runtime-trace-id")
        if trace:
            environ["_X_AMZN_TRACE_ID"] = trace
        elif "_X_AMZN_TRACE_ID" in environ:
            del environ["_X_AMZN_TRACE_ID"]
        try:
            context = LambdaContext(headers)
            event = read_event(body)
            result = handler(event, context)
            data, content_type = write_result(result, encoder)
        except Exception as error:
            found = describe(error, request_id)
            log_error(found)
            sys.stdout.flush()
            sys.stderr.flush()
            connection.post(
                f"invocation/{request_id}/error",
                json.dumps(found, ensure_ascii=False).encode("utf-8", "backslashreplace"),
                "application/vnd.aws.lambda.error+json",
                (
                    ("Lambda-Runtime-Function-Error-Type", ascii_header(found["errorType"])),
                    ("Lambda-Runtime-Function-XRay-Error-Cause", ascii_header(fault_header(error))),
                ),
            )
            continue
        flush_out()
        flush_err()
        if sys.stdout.flush is not flush_out:
            sys.stdout.flush()
        connection.post(f"invocation/{request_id}/response", data, content_type)


def ascii_header(text: str) -> str:
    return text.encode("ascii", "backslashreplace").decode().replace("\r", " ").replace("\n", " ")[:8000]


def read_event(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError as error:
        raise RuntimeFault("Runtime.UnmarshalError", f"Unable to unmarshal input: {error}") from error


def write_result(result: object, encoder: Encoder) -> tuple[bytes, str]:
    if isinstance(result, bytes):
        return result, "application/unknown"
    try:
        return encoder.encode(result).encode(), "application/json"
    except Exception as error:
        raise RuntimeFault("Runtime.MarshalError", f"Unable to marshal response: {error}") from error


def forget_offered(offered: Sequence[str], path: Sequence[str]) -> None:
    """Unload the offered packages if the function brings any of them itself: it must get its own."""
    for folder in path:
        for name in offered:
            place = os.path.join(folder, name)
            if os.path.exists(place) or os.path.exists(place + ".py"):
                for module in [m for m in sys.modules if m.partition(".")[0] in offered]:
                    del sys.modules[module]
                return


def report(connection: Connection, path: str, error: BaseException, kind: str | None = None) -> None:
    """Say that a phase has failed, in the log and to the Runtime API."""
    found = describe(error)
    log_error(found)
    sys.stdout.flush()
    sys.stderr.flush()
    connection.post(
        path,
        json.dumps(found).encode(),
        "application/vnd.aws.lambda.error+json",
        (("Lambda-Runtime-Function-Error-Type", ascii_header(kind or found["errorType"])),),
        ask=False,
    )


def start(
    path: list[str], offered: Sequence[str], pause: Callable[[Any, Connection], Connection] | None = None
) -> None:
    """Be an execution environment: load the handler, then serve. `path` are the function's own import folders.

    `pause` is what ends the init phase with SnapStart; it is given this module and the connection.
    """
    parent = vars(sys.modules["__main__"])
    if parent is not globals():  # what `import __main__` finds of the prepared parent is no business of the function
        for name in [name for name in parent if not name.startswith("__")]:
            del parent[name]
    runtime_folder = sys.path[0]
    extra = [entry for entry in os.environ.get("PYTHONPATH", "").split(":") if entry and entry != runtime_folder]
    forget_offered(offered, path + extra)
    sys.path[:0] = [entry for entry in path + extra if entry not in sys.path]
    sys.argv = [os.path.join(runtime_folder, "bootstrap.py")]
    open_output()
    set_up_logging()
    connection = Connection(os.environ["AWS_LAMBDA_RUNTIME_API"])
    try:
        handler = load_handler(os.environ["_HANDLER"])
    except Exception as error:
        report(connection, "init/error", error)
        sys.exit(1)
    if pause is not None:
        connection = pause(sys.modules[__name__], connection)
    serve(handler, connection)


def main() -> None:
    """A program of its own, behind AWS_LAMBDA_EXEC_WRAPPER."""
    site.setquit()
    site.setcopyright()
    site.sethelper()
    folder = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [entry for entry in sys.path if entry not in ("", folder)]
    sys.path.insert(0, folder)
    layer = "/python/lib/python{}.{}/site-packages".format(*sys.version_info[:2])
    opt = os.environ.get("FOGBANK_OPT", "/opt")
    start([os.environ["LAMBDA_TASK_ROOT"], opt + layer, opt + "/python"], ())


if __name__ == "__main__":
    main()
