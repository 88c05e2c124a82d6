"""What a server says that was used, as values of `fogbank.insight`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from fogbank.cli.connection import Connection
from fogbank.cli.failures import Exit, Failure
from fogbank.core.scope import Scope
from fogbank.insight.resources import arn_of
from fogbank.telemetry.usage import TraceUse, UsageReport, Used

MAX_TRACES = 10_000


def read_usage(connection: Connection, *, since: float = 0.0, root: str | None = None) -> UsageReport:
    """What our account used in our region, resources by their ARNs; `root` asks for one trace.

    `Failure` if the server records nothing.
    """
    query = urlencode({"since": since, "traces": MAX_TRACES} if root is None else {"trace": root})
    document = connection.get(f"/_fogbank/usage?{query}")
    if not document.get("on"):
        raise Failure(
            Exit.MISSING,
            "the server records no telemetry, so nothing is known of what was used",
            where=connection.endpoint,
            do="start it without FOGBANK_TELEMETRY=false (or --no-telemetry)",
        )
    report = UsageReport(
        since=document["since"],
        until=document["until"],
        totals=tuple(_used(used) for used in document["totals"]),
        traces=tuple(
            TraceUse(trace["root"], trace["began"], tuple(_used(used) for used in trace["uses"]))
            for trace in document["traces"]
        ),
        unfollowed=document["unfollowed"],
    )
    return only(report, connection.region, connection.client("sts").get_caller_identity()["Account"])


def _used(given: Mapping[str, Any]) -> Used:
    scope = Scope(given["account"], given["region"])
    return Used(
        given["account"],
        given["region"],
        given["unit"],
        arn_of(given["unit"], given["resource"], scope),
        given["quantity"],
    )


def only(report: UsageReport, region: str, account: str) -> UsageReport:
    """What an account used in one region: each region has its own prices."""
    return UsageReport(
        report.since,
        report.until,
        tuple(used for used in report.totals if (used.region, used.account) == (region, account)),
        tuple(
            TraceUse(
                trace.root, trace.began, tuple(u for u in trace.uses if (u.region, u.account) == (region, account))
            )
            for trace in report.traces
        ),
        report.unfollowed,
    )
