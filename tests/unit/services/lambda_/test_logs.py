"""The log's way to CloudWatch Logs is batched, complete while it can be, and bounded always."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fogbank.core.call import ANONYMOUS, Principal, Reply, Request
from fogbank.core.clock import SystemClock
from fogbank.core.errors import ApiError
from fogbank.core.scope import Scope
from fogbank.core.trace import Trace
from fogbank.runtime import FunctionVersion, Logging, LogLine
from fogbank.services.lambda_ import _logs
from fogbank.services.lambda_._logs import LogBuffer

VERSION = FunctionVersion(
    key="k",
    scope=Scope(),
    name="f",
    version="1",
    runtime="python3.13",
    handler="a.b",
    task=Path("/t"),
    logging=Logging("/aws/lambda/f"),
)


class _MissingError(ApiError):
    code = "ResourceNotFoundException"


class _ThereError(ApiError):
    code = "ResourceAlreadyExistsException"


class Logs:
    """A cloud that has CloudWatch Logs."""

    def __init__(self) -> None:
        self.groups: set[str] = set()
        self.streams: dict[str, list[str]] = {}
        self.calls: list[str] = []

    async def call(
        self,
        scope: Scope,
        service: str,
        operation: str,
        request: Request,
        *,
        trace: Trace | None = None,
        principal: Principal = ANONYMOUS,
        request_id: str | None = None,
    ) -> Reply:
        self.calls.append(operation)
        group, stream = request["logGroupName"], request.get("logStreamName", "")
        if operation == "CreateLogGroup":
            if group in self.groups:
                raise _ThereError("")
            self.groups.add(group)
        elif operation == "CreateLogStream":
            self.streams.setdefault(stream, [])
        elif stream not in self.streams:
            raise _MissingError("")
        else:
            self.streams[stream] += [event["message"] for event in request["logEvents"]]
        return {}


def lines(*texts: str) -> list[LogLine]:
    return [LogLine(1, text) for text in texts]


async def written(*pieces: tuple[str, list[LogLine]], logs: Logs | None = None) -> Logs:
    logs = logs or Logs()
    buffer = LogBuffer(logs, SystemClock())
    await buffer.start()
    for stream, piece in pieces:
        buffer.write(VERSION, stream, piece)
    await buffer.stop()
    return logs


async def test_lines_of_a_stream_stay_together_and_end_with_a_line_end() -> None:
    logs = await written(("s1", lines("a", "b")), ("s2", lines("c")), ("s1", lines("d")))
    assert logs.streams == {"s1": ["a\n", "b\n", "d\n"], "s2": ["c\n"]}
    assert logs.calls.count("PutLogEvents") == 2


async def test_a_group_that_somebody_deleted_is_made_again() -> None:
    logs = Logs()
    buffer = LogBuffer(logs, SystemClock())
    await buffer.start()
    buffer.write(VERSION, "s", lines("a"))
    await buffer._write_all()
    logs.groups.clear()
    logs.streams.clear()
    buffer.write(VERSION, "s", lines("b"))
    await buffer.stop()
    assert logs.streams == {"s": ["b\n"]}


async def test_what_is_too_much_is_dropped_and_said(monkeypatch: Any) -> None:
    monkeypatch.setattr(_logs, "MAX_STREAM", 1_000)
    logs = await written(("s", lines(*(f"{number:050d}" for number in range(100)))))
    found = logs.streams["s"]
    assert len(found) < 20
    assert found[-1].startswith("[FOGBANK] ")
    assert "lines" in found[-1]
    assert "were dropped here" in found[-1]


async def test_when_there_is_no_room_output_need_not_be_looked_at(monkeypatch: Any) -> None:
    monkeypatch.setattr(_logs, "MAX_STREAM", 100)
    buffer = LogBuffer(Logs(), SystemClock())
    assert buffer.room(VERSION, "s", b"x\n")
    buffer.write(VERSION, "s", lines("y" * 74))
    assert not buffer.room(VERSION, "s", b"x\nz\n")


async def test_large_batches_are_cut(monkeypatch: Any) -> None:
    monkeypatch.setattr(_logs, "BATCH_EVENTS", 10)
    logs = await written(("s", lines(*(str(number) for number in range(35)))))
    assert logs.calls.count("PutLogEvents") == 4
    assert len(logs.streams["s"]) == 35


async def test_empty_lines_are_left_out() -> None:
    logs = await written(("s", lines("a", "", "b")))
    assert logs.streams == {"s": ["a\n", "b\n"]}
