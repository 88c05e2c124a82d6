"""The Logs API, which the Telemetry API supersedes: older extensions ask it for the same streams, in simpler records.

Source: https://docs.aws.amazon.com/lambda/latest/dg/runtimes-logs-api.html
"""

from __future__ import annotations

from typing import Any

PATH = b"/2020-08-15/logs"
SCHEMAS = ("2020-08-15", "2021-03-18")
"""The schemas; the first is what a subscription has that names none, the second has `platform.runtimeDone`."""
FAULT = "platform.fault"
SUBSCRIBED = "platform.logsSubscription"
_OWN = frozenset({FAULT, SUBSCRIBED})
_ALIKE = frozenset({"platform.extension", "platform.logsDropped", *_OWN})
_STATUS = {"error": "failure"}

Event = tuple[str, Any]
"""An event's type and record."""


def in_telemetry(kind: str) -> bool:
    """Whether the Telemetry API knows such events; those that it does not know are this one's own."""
    return kind not in _OWN


def in_logs(kind: str, record: Any, schema: str) -> list[Event]:
    """What the Logs API tells of an event of the Telemetry API; nothing, if that is none of its own."""
    match kind:
        case "platform.start":
            return [(kind, {"requestId": record["requestId"], "version": record["version"]})]
        case "platform.runtimeDone" if schema == SCHEMAS[1]:
            status = record["status"]
            return [(kind, {"requestId": record["requestId"], "status": _STATUS.get(status, status)})]
        case "platform.report":
            shown = {name: record[name] for name in ("requestId", "metrics", "tracing") if name in record}
            return [("platform.end", {"requestId": record["requestId"]}), (kind, shown)]
    return [(kind, record)] if kind in _ALIKE or not kind.startswith("platform.") else []
