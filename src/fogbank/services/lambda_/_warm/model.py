"""Provisioned concurrency and SnapStart: their rules, with AWS's words. Pure functions.

    version published with SnapStart ──▶ Pending ──snapshot taken──▶ Active
                                            └──init code fails──▶ Failed

Sources: https://docs.aws.amazon.com/lambda/latest/dg/provisioned-concurrency.html and .../snapstart.html; the words of
the refusals as users of the service have reported them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from fogbank.core.errors import NotImplementedByFogbank
from fogbank.runtime import Provision
from fogbank.services.lambda_._names import LATEST
from fogbank.services.lambda_.errors import InvalidParameterValueError, ResourceConflictError, UntypedParameterError
from fogbank.services.lambda_.model import DEFAULT_EPHEMERAL, Alias, Version, modified_text

_SNAP_RUNTIME = re.compile(r"python3\.(1[2-9]|[2-9]\d)")
"""Of those that Fogbank runs. Source: the supported runtimes of the SnapStart page."""


@dataclass(frozen=True, slots=True)
class Requested:
    """A configuration: so many environments for a version or an alias. `modified` in milliseconds since the epoch."""

    qualifier: str
    count: int
    modified: int


class Allocation(StrEnum):
    """How far an allocation has come."""

    IN_PROGRESS = "IN_PROGRESS"
    READY = "READY"
    FAILED = "FAILED"


def check_snap_start(config: Mapping[str, Any]) -> None:
    """What SnapStart does not go together with."""
    if config.get("SnapStart", {}).get("ApplyOn", "None") == "None":
        return
    runtime = config["Runtime"]
    if not _SNAP_RUNTIME.fullmatch(runtime):
        raise InvalidParameterValueError(f"{runtime} is not supported for SnapStart enabled functions.")
    if config.get("EphemeralStorage", {}).get("Size", DEFAULT_EPHEMERAL) > DEFAULT_EPHEMERAL:
        raise InvalidParameterValueError(
            f"Ephemeral storage of more than {DEFAULT_EPHEMERAL} MB is not supported for SnapStart enabled functions."
        )
    if "AWS_LAMBDA_EXEC_WRAPPER" in config.get("Environment", {}):
        raise NotImplementedByFogbank("Fogbank does not take snapshots of functions with AWS_LAMBDA_EXEC_WRAPPER yet")


def check_provisioned(
    resource: Version | Alias, versions: Sequence[Version], aliases: Sequence[Alias], known: Mapping[str, Requested]
) -> None:
    """Whether a version or an alias may have provisioned concurrency of its own.

    `versions` are those that it leads to, `known` the function's configurations by qualifier.
    """
    if any(version.number == 0 for version in versions):
        raise unpublished()
    if any(version.snap_start for version in versions):
        raise InvalidParameterValueError("Provisioned Concurrency is not supported for SnapStart enabled functions.")
    if isinstance(resource, Alias):
        if resource.weights:
            raise UntypedParameterError("Alias with weights can not be used with Provisioned Concurrency")
        check_moved(resource, known)
        return
    for alias in aliases:
        if alias.name in known and resource.text in (alias.version, *alias.weights):
            raise ResourceConflictError("Version is pointed by a Provisioned Concurrency alias")


def check_moved(alias: Alias, known: Mapping[str, Requested]) -> None:
    """An alias with provisioned concurrency does not lead to a version that has its own."""
    if any(version in known for version in (alias.version, *alias.weights)):
        raise ResourceConflictError(
            "Alias can't be used for Provisioned Concurrency configuration on an already Provisioned version"
        )
    if alias.version == LATEST:
        raise unpublished()


def unpublished() -> InvalidParameterValueError:
    """$LATEST has none."""
    return InvalidParameterValueError(
        "Provisioned Concurrency Configs cannot be applied to unpublished function versions."
    )


def check_capacity(wanted: int, others: int, reserved: int | None, unreserved: int, floor: int) -> None:
    """Whether there is concurrency to provision: `others` is what the function has provisioned elsewhere.

    `unreserved` is what the account has left for this function beside them, `floor` what must stay.
    """
    if reserved is not None:
        if wanted + others > reserved:
            raise InvalidParameterValueError(
                "Requested Provisioned Concurrency should not be greater than the reservedConcurrentExecution for "
                "function"
            )
        return
    if unreserved - wanted - others < floor:
        raise UntypedParameterError(
            "Specified ConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its "
            f"minimum value of [{floor}]."
        )


def shares(alias: Alias | None, qualifier: str, count: int) -> dict[str, int]:
    """How many environments each version gets of what a qualifier has."""
    if alias is None:
        return {qualifier: count}
    found = {version: round(count * weight) for version, weight in alias.weights.items()}
    found[alias.version] = count - sum(found.values())
    return found


def together(states: Sequence[Provision]) -> Provision:
    """The state of several versions behind one alias."""
    failures = [state.failure for state in states if state.failure is not None]
    return Provision(
        sum(state.allocated for state in states),
        sum(state.available for state in states),
        failures[0] if failures else None,
    )


def render(requested: Requested, state: Provision) -> dict[str, Any]:
    """A configuration as Get shows it."""
    allocated = min(requested.count, state.allocated)
    status = Allocation.READY if allocated >= requested.count else Allocation.IN_PROGRESS
    if state.failure is not None:
        status = Allocation.FAILED
    shown: dict[str, Any] = {
        "RequestedProvisionedConcurrentExecutions": requested.count,
        "AvailableProvisionedConcurrentExecutions": min(allocated, state.available),
        "AllocatedProvisionedConcurrentExecutions": allocated,
        "Status": status.value,
        "LastModified": f"{modified_text(requested.modified)[:19]}+0000",
    }
    if state.failure is not None:
        shown["StatusReason"] = state.failure
    return shown
