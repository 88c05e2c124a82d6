"""Which operation is billed how. A test walks every operation of every service that runs and finds it here.

`free_operations.toml` lists those that cost nothing, with the page that says so.
"""

from __future__ import annotations

import tomllib
from enum import StrEnum
from functools import cache
from importlib import resources

from fogbank.insight.meter import has_rule


class Charge(StrEnum):
    """How an operation is billed."""

    REQUEST = "request"
    """By the request: metered at the door between services."""
    INSIDE = "inside"
    """For what it sets in motion: metered where that happens."""
    STANDING = "standing"
    """For what it makes, as long as that is there: found when the bill is made."""
    FREE = "free"
    NOT_METERED = "not metered"
    """AWS bills it, and Fogbank neither meters nor implements it."""
    UNKNOWN = "unknown"


_INSIDE = {
    "lambda": "Invoke InvokeAsync InvokeWithResponseStream",
    "stepfunctions": "StartExecution StartSyncExecution RedriveExecution",
    "dynamodb": (
        "BatchExecuteStatement BatchGetItem BatchWriteItem DeleteItem ExecuteStatement ExecuteTransaction GetItem "
        "PutItem Query RestoreTableFromBackup RestoreTableToPointInTime Scan TransactGetItems "
        "TransactWriteItems UpdateItem"
    ),
    "events": "StartReplay CreateApiDestination UpdateApiDestination",
    "scheduler": "CreateSchedule UpdateSchedule",
    "logs": "StartLiveTail",
}
_STANDING = {
    "lambda": "PutProvisionedConcurrencyConfig PublishVersion",
    "dynamodb": "CreateTable UpdateTable UpdateContinuousBackups CreateBackup",
    "events": "CreateArchive UpdateArchive",
    "cloudwatch": "PutMetricAlarm PutCompositeAlarm PutDashboard PutLogAlarm",
    "logs": "PutMetricFilter PutRetentionPolicy",
}


@cache
def _listed() -> dict[str, dict[str, object]]:
    text = resources.files("fogbank.insight").joinpath("free_operations.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def charge_of(service: str, operation: str) -> Charge:
    """How an operation is billed."""
    if operation in _INSIDE.get(service, "").split():
        return Charge.INSIDE
    if has_rule(service, operation):
        return Charge.REQUEST
    if operation in _STANDING.get(service, "").split():
        return Charge.STANDING
    listed = _listed().get(service, {})
    if listed.get("all") or operation in str(listed.get("free", "")).split():
        return Charge.FREE
    if operation in str(listed.get("not_metered", "")).split():
        return Charge.NOT_METERED
    return Charge.UNKNOWN


def source_of(service: str) -> str:
    """The page that says what a service bills."""
    return str(_listed().get(service, {}).get("source", ""))
