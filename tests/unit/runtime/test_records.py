"""The platform's log lines have AWS's exact form."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from fogbank.core.scope import Scope
from fogbank.runtime import Event, FunctionVersion, LogFormat, Logging, records
from fogbank.runtime.model import Exit

ID = "8476a536-e9f4-11e8-9739-2dfe598c3fcd"
MB = 1024 * 1024
VERSION = FunctionVersion(
    key="k",
    scope=Scope(),
    name="f",
    version="$LATEST",
    runtime="python3.13",
    handler="app.handler",
    task=Path("/task"),
    logging=Logging("/aws/lambda/f"),
)
JSON = replace(VERSION, logging=Logging("/aws/lambda/f", LogFormat.JSON))
EVENT = Event(ID, b"{}", "arn:aws:lambda:us-east-1:000000000000:function:f", trace="Root=1-a-b;Parent=c;Sampled=1")


def test_start_and_end() -> None:
    assert records.start(VERSION, EVENT, 0) == f"START RequestId: {ID} Version: $LATEST"
    assert records.end(VERSION, EVENT) == f"END RequestId: {ID}"


def test_report_of_a_warm_invocation() -> None:
    used = records.Report(0.00123, 30 * MB)
    assert records.report(VERSION, EVENT, used, 0) == (
        f"REPORT RequestId: {ID}\tDuration: 1.23 ms\tBilled Duration: 2 ms\t"
        "Memory Size: 128 MB\tMax Memory Used: 30 MB\t"
    )


def test_report_of_a_cold_invocation_bills_the_init_phase() -> None:
    line = records.report(VERSION, EVENT, records.Report(0.010, MB, init=0.0205), 0)
    assert line is not None
    assert line.endswith("\tInit Duration: 20.50 ms\t")
    assert "\tBilled Duration: 31 ms\t" in line


def test_report_of_a_timeout_says_so() -> None:
    line = records.report(VERSION, EVENT, records.Report(3.0, MB, status="timeout"), 0)
    assert line is not None
    assert line.endswith("\tStatus: timeout")
    assert "Duration: 3000.00 ms\tBilled Duration: 3000 ms" in line


def test_report_of_an_error_names_it() -> None:
    used = records.Report(0.1, MB, status="error", error_type="Runtime.ExitError")
    line = records.report(VERSION, EVENT, used, 0)
    assert line is not None
    assert line.endswith("\tStatus: error\tError Type: Runtime.ExitError")


def test_a_traced_function_reports_its_trace() -> None:
    line = records.report(replace(VERSION, traced=True), EVENT, records.Report(0.1, MB), 0)
    assert line is not None
    assert line.endswith("\nXRAY TraceId: 1-a-b\tSegmentId: c\tSampled: true\t")


def test_json_format() -> None:
    start = records.start(JSON, EVENT, 1_700_000_000_123)
    assert start is not None
    assert json.loads(start) == {
        "time": "2023-11-14T22:13:20.123Z",
        "type": "platform.start",
        "record": {"requestId": ID, "functionArn": EVENT.function_arn, "version": "$LATEST"},
    }
    report = records.report(JSON, EVENT, records.Report(0.0015, 30 * MB), 0)
    assert report is not None
    assert json.loads(report)["record"] == {
        "requestId": ID,
        "metrics": {"durationMs": 1.5, "billedDurationMs": 2, "memorySizeMB": 128, "maxMemoryUsedMB": 30},
        "status": "success",
    }
    assert records.end(JSON, EVENT) is None


def test_system_level_warn_hides_the_platform() -> None:
    quiet = replace(VERSION, logging=Logging("/g", LogFormat.JSON, system_level="WARN"))
    assert records.start(quiet, EVENT, 0) is None
    assert records.report(quiet, EVENT, records.Report(0.1, MB), 0) is None


def test_log_streams_are_named_by_day_version_and_environment() -> None:
    assert records.log_stream(VERSION, 1_700_000_000_000, "0" * 32) == f"2023/11/14/[$LATEST]{'0' * 32}"


@pytest.mark.parametrize(
    ("exit_", "text"),
    [
        (Exit(1, None), "Runtime exited with error: exit status 1"),
        (Exit(0, None), "Runtime exited without providing a reason"),
        (Exit(None, 9), "Runtime exited with error: signal: killed"),
        (Exit(None, 11), "Runtime exited with error: signal: segmentation fault"),
        (Exit(None, 64), "Runtime exited with error: signal: signal 64"),
    ],
)
def test_exits_are_worded_as_aws_words_them(exit_: Exit, text: str) -> None:
    assert records.exit_text(exit_) == text


def test_an_event_keeps_everything_but_its_context() -> None:
    """Every field that an event has goes with it."""
    given = replace(EVENT, client_context="{}", cognito_identity="me", tail=True)
    assert given.with_trace("Root=x") == replace(given, trace="Root=x")
