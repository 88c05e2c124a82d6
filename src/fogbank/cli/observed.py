"""What a run showed of a stack's resources, by their logical ids: read from the server's usage and logs."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fogbank.cli.connection import Connection
from fogbank.cli.failures import Exit, Failure
from fogbank.cli.resolving import resources
from fogbank.cli.used import read_usage
from fogbank.insight.audit.evidence import Evidence, FunctionRun
from fogbank.insight.prices import PriceBook
from fogbank.insight.resources import name_of

MAX_REPORTS = 5_000
"""REPORT lines of one function that are read."""
_OWN_GROUP = "/aws/lambda/"
_REPORT = re.compile(
    r"Duration: (?P<duration>[\d.]+) ms\s+Billed Duration: (?P<billed>\d+) ms\s+Memory Size: (?P<memory>\d+) MB"
    r"\s+Max Memory Used: (?P<used>\d+) MB(?:\s+Init Duration: (?P<init>[\d.]+) ms)?"
)


def observe(
    connection: Connection, stack: str, book: PriceBook, *, per_month: float | None, chaos: Path | None
) -> Evidence:
    """What the server saw of a stack."""
    physical = {
        resource["LogicalResourceId"]: (resource["ResourceType"], resource.get("PhysicalResourceId", ""))
        for _, resource in resources(connection, stack)
    }
    by_name = {(_family(kind), name_of_physical(value)): logical for logical, (kind, value) in physical.items()}
    report = read_usage(connection)
    sums: dict[str, dict[str, float]] = {}
    for used in report.totals:
        unit = sums.setdefault(used.unit, {})
        family, name = _named(used.resource)
        logical = by_name.get((family, name), name)
        unit[logical] = unit.get(logical, 0.0) + used.quantity
    hours = (report.until - report.since) / 3600
    published = sum(t.uses[0].quantity for t in report.traces if t.uses and t.uses[0].unit == "events.custom")
    matches = {name: int(count) for name, count in sums.get("observed.matches", {}).items()}
    rules = [logical for logical, (kind, _) in physical.items() if kind == "AWS::Events::Rule"]
    counted = _matched(connection)
    for rule in rules:
        if name_of_physical(physical[rule][1]) in counted:
            matches.setdefault(rule, 1)  # spans are left out under pressure; the metric is not
    return Evidence(
        hours=hours,
        scale=per_month / published if per_month and published else 0.0,
        functions=_functions(connection, physical),
        matches={rule: matches.get(rule, 0) for rule in rules} if matches or sums.get("events.custom") else {},
        events=sums.get("events.custom", {}),
        large={name: int(count) for name, count in sums.get("observed.large-payloads", {}).items()},
        logged=sums.get("logs.ingested-gb", {}),
        repeats={} if chaos is None else read_repeats(chaos),
        book=book,
    )


def _family(kind: str) -> str:
    """The service of a resource type, as ARNs name it: two resources of one service share no name."""
    service = kind.split("::")[1].lower()
    return "states" if service == "stepfunctions" else service


def _named(resource: str) -> tuple[str, str]:
    """The service and the name of what was used; a function's own log group is the function's."""
    name = name_of_physical(resource)
    family = resource.split(":")[2] if resource.startswith("arn:") else ""
    if family == "logs" and name.startswith(_OWN_GROUP):
        return "lambda", name.removeprefix(_OWN_GROUP)
    return family, name


def _matched(connection: Connection) -> set[str]:
    """The names of the rules that matched anything, as their metrics have it."""
    pages = connection.client("cloudwatch").get_paginator("list_metrics")
    return {
        dimension["Value"]
        for page in pages.paginate(Namespace="AWS/Events", MetricName="MatchedEvents")
        for metric in page["Metrics"]
        for dimension in metric["Dimensions"]
        if dimension["Name"] == "RuleName"
    }


def name_of_physical(value: str) -> str:
    """The bare name of an ARN, a URL, or `bus|rule`, as CloudFormation calls a rule of a bus."""
    if "://" in value:
        return value.rpartition("/")[2]
    return name_of(value).rpartition("|")[2].rpartition("/")[2] if ":rule/" in value or "|" in value else name_of(value)


def _functions(connection: Connection, physical: Mapping[str, tuple[str, str]]) -> dict[str, FunctionRun]:
    found = {}
    for logical, (kind, name) in physical.items():
        if kind == "AWS::Lambda::Function":
            config = connection.client("lambda").get_function_configuration(FunctionName=name)
            group = config.get("LoggingConfig", {}).get("LogGroup") or f"/aws/lambda/{name}"
            run = function_run(reports(connection, group))
            if run is not None:
                found[logical] = run
    return found


def reports(connection: Connection, group: str) -> list[str]:
    """The REPORT lines of a function's log, as text or JSON."""
    logs = connection.client("logs")
    lines: list[str] = []
    pages = logs.get_paginator("filter_log_events").paginate(
        logGroupName=group, filterPattern='?"REPORT RequestId" ?"platform.report"'
    )
    try:
        for page in pages:
            lines += [event["message"] for event in page["events"]]
            if len(lines) >= MAX_REPORTS:
                break
    except logs.exceptions.ResourceNotFoundException:
        return []
    return lines


def function_run(lines: Sequence[str]) -> FunctionRun | None:
    """What REPORT lines say of a function; `None` if there are none."""
    found = [values for line in lines if (values := _values(line)) is not None]
    if not found:
        return None
    return FunctionRun(
        invocations=len(found),
        memory=int(found[-1]["memory"]),
        used=max(int(values["used"]) for values in found),
        durations=sorted(float(values["billed"]) for values in found),
        inits=sorted(float(values["init"]) for values in found if values["init"]),
    )


def _values(line: str) -> Mapping[str, Any] | None:
    """What a REPORT line says; `None` if it is none."""
    if not line.startswith("{"):
        match = _REPORT.search(line)
        return None if match is None else match.groupdict()
    try:
        metrics = json.loads(line)["record"]["metrics"]
        return {
            "billed": metrics["billedDurationMs"],
            "memory": metrics["memorySizeMB"],
            "used": metrics["maxMemoryUsedMB"],
            "init": metrics.get("initDurationMs"),
        }
    except (ValueError, LookupError, TypeError):
        return None


def read_repeats(path: Path) -> dict[str, Sequence[str]]:
    """What a saved report of `fogbank chaos` says of each function."""
    try:
        document: Any = json.loads(path.read_text(encoding="utf-8"))
        return {
            function["name"]: [str(difference["what"]) for difference in function["differences"]]
            for function in document["functions"]
            if function["tested"]
        }
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Failure(
            Exit.INVALID, f"this is no report of fogbank chaos: {error!r}", where=str(path),
            do="make one with: fogbank chaos --save FILE",
        ) from None  # fmt: skip
