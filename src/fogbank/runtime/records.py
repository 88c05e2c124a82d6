"""The platform's own log lines, in AWS's exact form. Pure functions.

Sources: https://docs.aws.amazon.com/lambda/latest/dg/python-logging.html,
https://docs.aws.amazon.com/lambda/latest/dg/telemetry-schema-reference.html for the JSON form.
"""

from __future__ import annotations

import hashlib
import math
import signal
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec

from fogbank.runtime.model import Event, Exit, FunctionVersion, Initialization, LogFormat


@dataclass(frozen=True, slots=True)
class Report:
    """What an invocation used: seconds and bytes, all of them measured."""

    duration: float
    memory_used: int
    init: float | None = None
    status: str = "success"
    error_type: str | None = None
    restored: Restored | None = None


@dataclass(frozen=True, slots=True)
class Restored:
    """How long an environment took to be restored, in seconds: in all, and the part that is billed."""

    duration: float
    billed: float


@dataclass(frozen=True, slots=True)
class Done:
    """How the runtime handled an event. Moments are wall time; `latency` and `response` make up the `duration`."""

    began: float
    latency: float
    response: float
    duration: float
    produced: int
    status: str = "success"
    error_type: str | None = None

    @property
    def answering(self) -> float:
        """When the answer began."""
        return self.began + self.latency


Record = dict[str, Any]


def timestamp(millis: int) -> str:
    """Milliseconds since the epoch as `2023-11-14T22:13:20.000Z`."""
    moment = datetime.fromtimestamp(millis // 1000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{millis % 1000:03d}Z"


def log_stream(version: FunctionVersion, millis: int, name: str) -> str:
    """`YYYY/MM/DD/[$LATEST]<32 hex>`."""
    return f"{datetime.fromtimestamp(millis / 1000, UTC):%Y/%m/%d}/[{version.version}]{name}"


def runtime_digest(label: str) -> str:
    """What stands in for the identity of AWS's runtime image: a digest of the interpreter's version."""
    return hashlib.sha256(label.encode()).hexdigest()


def as_line(millis: int, kind: str, record: Record) -> str:
    """An event of the platform as a line of a log in JSON."""
    return msgspec.json.encode({"time": timestamp(millis), "type": kind, "record": record}).decode()


def platform_line(version: FunctionVersion, millis: int, kind: str, record: Record, text: str) -> str | None:
    """An event of the platform in either form; `None` if the configuration hides it."""
    if not _is_json(version):
        return text
    return None if _quiet(version) else as_line(millis, kind, record)


def _is_json(version: FunctionVersion) -> bool:
    return version.logging.format is LogFormat.JSON


def _quiet(version: FunctionVersion) -> bool:
    """Whether the configuration hides what the platform says at level INFO."""
    return version.logging.system_level == "WARN"


def init_start(
    version: FunctionVersion, millis: int, found: str, arn: str, how: Initialization = Initialization.ON_DEMAND
) -> str | None:
    """The first line of a fresh environment."""
    if not _is_json(version):
        return f"INIT_START Runtime Version: {found}\tRuntime Version ARN: {arn}"
    if _quiet(version):
        return None
    return as_line(millis, "platform.initStart", init_start_record(version, found, arn, how))


def init_start_record(version: FunctionVersion, found: str, arn: str, how: Initialization) -> Record:
    """The record of `platform.initStart`."""
    return {"initializationType": how.value, "phase": "init", **_of(version, found, arn)}


def restore_start_record(version: FunctionVersion, found: str, arn: str) -> Record:
    """The record of `platform.restoreStart`."""
    return _of(version, found, arn)


def _of(version: FunctionVersion, found: str, arn: str) -> Record:
    return {
        "runtimeVersion": found,
        "runtimeVersionArn": arn,
        "functionName": version.name,
        "functionVersion": version.version,
    }


@dataclass(frozen=True, slots=True)
class Init:
    """An init phase that is over: `phase` is `init`, or `invoke` where it was repeated for an event."""

    duration: float
    phase: str = "init"
    status: str = "success"
    error_type: str | None = None
    how: Initialization = Initialization.ON_DEMAND


def init_report(version: FunctionVersion, millis: int, init: Init) -> str | None:
    """The line of an init phase that failed, or that was for a snapshot."""
    if _is_json(version):
        if init.status == "success" and _quiet(version):
            return None
        return as_line(millis, "platform.initReport", init_report_record(init))
    line = f"INIT_REPORT Init Duration: {init.duration * 1000:.2f} ms"
    if init.status == "success":
        return line
    line += f"\tPhase: {init.phase}\tStatus: {init.status}"
    return f"{line}\tError Type: {init.error_type}" if init.error_type else line


def init_report_record(init: Init) -> Record:
    """The record of `platform.initReport`."""
    return {**init_done_record(init), "metrics": _duration(init.duration)}


def init_done_record(init: Init) -> Record:
    """The record of `platform.initRuntimeDone`."""
    record: Record = {"initializationType": init.how.value, "status": init.status, "phase": init.phase}
    return _with_error(record, init.error_type)


def _duration(seconds: float) -> Record:
    return {"durationMs": round(seconds * 1000, 3)}


def _with_error(record: Record, error_type: str | None) -> Record:
    return {**record, "errorType": error_type} if error_type else record


def restore_start(version: FunctionVersion, millis: int, found: str, arn: str) -> str | None:
    """The first line of an environment that is restored from a snapshot."""
    if not _is_json(version):
        return f"RESTORE_START Runtime Version: {found}\tRuntime Version ARN: {arn}"
    if _quiet(version):
        return None
    return as_line(millis, "platform.restoreStart", restore_start_record(version, found, arn))


def restore_report(
    version: FunctionVersion, millis: int, duration: float, status: str = "success", error_type: str | None = None
) -> str | None:
    """The line after the restore."""
    if not _is_json(version):
        line = f"RESTORE_REPORT Restore Duration: {duration * 1000:.2f} ms"
        if status == "success":
            return line
        line += f"\tStatus: {status}"
        return f"{line}\tError Type: {error_type}" if error_type else line
    if status == "success" and _quiet(version):
        return None
    return as_line(millis, "platform.restoreReport", restore_report_record(duration, status, error_type))


def restore_done_record(status: str = "success", error_type: str | None = None) -> Record:
    """The record of `platform.restoreRuntimeDone`."""
    return _with_error({"status": status}, error_type)


def restore_report_record(duration: float, status: str = "success", error_type: str | None = None) -> Record:
    """The record of `platform.restoreReport`."""
    return {**restore_done_record(status, error_type), "metrics": _duration(duration)}


def start(version: FunctionVersion, event: Event, millis: int) -> str | None:
    """The line before an invocation's own."""
    if not _is_json(version):
        return f"START RequestId: {event.request_id} Version: {version.version}"
    if _quiet(version):
        return None
    return as_line(millis, "platform.start", start_record(version, event))


def start_record(version: FunctionVersion, event: Event) -> Record:
    """The record of `platform.start`."""
    return {"requestId": event.request_id, "functionArn": event.function_arn, "version": version.version}


def tracing(event: Event) -> Record:
    """What the Telemetry API's records say of the trace that an event belongs to."""
    if not event.trace:
        return {}
    return {"tracing": {"spanId": _field(event.trace, "Parent"), "type": "X-Amzn-Trace-Id", "value": event.trace}}


def done_record(event: Event, done: Done) -> Record:
    """The record of `platform.runtimeDone`."""
    record: Record = {"requestId": event.request_id, "status": done.status}
    spans = (("responseLatency", done.began, done.latency), ("responseDuration", done.answering, done.response))
    return {
        **_with_error(record, done.error_type),
        **tracing(event),
        "spans": [
            {"name": name, "start": timestamp(int(start * 1000)), **_duration(seconds)}
            for name, start, seconds in spans
        ],
        "metrics": {**_duration(done.duration), "producedBytes": done.produced},
    }


def end(version: FunctionVersion, event: Event) -> str | None:
    """The line after an invocation's own; the JSON format has none."""
    return None if _is_json(version) else f"END RequestId: {event.request_id}"


def billed(version: FunctionVersion, used: Report) -> int:
    """Whole milliseconds, the init phase among them (as billed since August 2025)."""
    total = version.timeout if used.status == "timeout" else used.duration
    total += used.init or 0.0
    if used.restored is not None:
        total += used.restored.billed
    return max(1, math.ceil(total * 1000))


def report(version: FunctionVersion, event: Event, used: Report, millis: int) -> str | None:
    """The line that tells what an invocation used."""
    if _is_json(version):
        return None if _quiet(version) else as_line(millis, "platform.report", report_record(version, event, used))
    line = (
        f"REPORT RequestId: {event.request_id}\tDuration: {used.duration * 1000:.2f} ms"
        f"\tBilled Duration: {billed(version, used)} ms\tMemory Size: {version.memory} MB"
        f"\tMax Memory Used: {_memory(version, used)} MB\t"
    )
    if used.init is not None:
        line += f"Init Duration: {used.init * 1000:.2f} ms\t"
    if used.restored is not None:
        billed_restore = math.ceil(used.restored.billed * 1000)
        line += f"Restore Duration: {used.restored.duration * 1000:.2f} ms\t"
        line += f"Billed Restore Duration: {billed_restore} ms\t"
    if used.status != "success":
        line += f"Status: {used.status}"
        if used.error_type:
            line += f"\tError Type: {used.error_type}"
    if version.traced and _field(event.trace, "Sampled") == "1":
        root, parent = _field(event.trace, "Root"), _field(event.trace, "Parent")
        line += f"\nXRAY TraceId: {root}\tSegmentId: {parent}\tSampled: true\t"
    return line


def _memory(version: FunctionVersion, used: Report) -> int:
    return min(max(1, math.ceil(used.memory_used / (1024 * 1024))), version.memory)


def report_record(version: FunctionVersion, event: Event, used: Report) -> Record:
    """The record of `platform.report`."""
    metrics: Record = {
        **_duration(used.duration),
        "billedDurationMs": billed(version, used),
        "memorySizeMB": version.memory,
        "maxMemoryUsedMB": _memory(version, used),
    }
    if used.init is not None:
        metrics["initDurationMs"] = round(used.init * 1000, 3)
    if used.restored is not None:
        metrics["restoreDurationMs"] = round(used.restored.duration * 1000, 3)
        metrics["billedRestoreDurationMs"] = math.ceil(used.restored.billed * 1000)
    return _with_error({"requestId": event.request_id, "metrics": metrics, "status": used.status}, used.error_type)


def _field(header: str, name: str) -> str:
    for part in header.split(";"):
        key, _, value = part.partition("=")
        if key == name:
            return value
    return ""


def seconds_text(seconds: float) -> str:
    """`3.00 seconds`."""
    return f"{seconds:.2f} seconds"


def exit_text(exit_: Exit) -> str:
    """How AWS words the end of a runtime process."""
    if exit_.signal is not None:
        return f"Runtime exited with error: signal: {signal_name(exit_.signal)}"
    if exit_.status:
        return f"Runtime exited with error: exit status {exit_.status}"
    return "Runtime exited without providing a reason"


_SIGNALS = {
    signal.SIGKILL: "killed",
    signal.SIGSEGV: "segmentation fault",
    signal.SIGABRT: "aborted",
    signal.SIGTERM: "terminated",
    signal.SIGBUS: "bus error",
    signal.SIGFPE: "floating point exception",
    signal.SIGILL: "illegal instruction",
    signal.SIGINT: "interrupt",
    signal.SIGPIPE: "broken pipe",
    signal.SIGHUP: "hangup",
    signal.SIGTRAP: "trace/breakpoint trap",
}
"""Go's names of signals, which AWS's messages use; those that dump core say so in Go as well."""


def extension_exit_text(exit_: Exit) -> str:
    """How AWS words the end of an extension's process."""
    if exit_.signal is not None:
        return f"signal: {signal_name(exit_.signal)}"
    return f"exit status {exit_.status}" if exit_.status else "exit code 0"


def signal_name(number: int) -> str:
    """A signal as Go names it."""
    try:
        name = _SIGNALS.get(signal.Signals(number))
    except ValueError:
        name = None
    return name or f"signal {number}"


def error_document(error_type: str, message: str) -> bytes:
    """The payload that stands in for a function's answer when the platform itself ends an invocation."""
    return msgspec.json.encode({"errorType": error_type, "errorMessage": message})
