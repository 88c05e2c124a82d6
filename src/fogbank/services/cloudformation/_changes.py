"""What a deployment would change: the lines of a change set, and whether there is anything to do at all."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fogbank.services.cloudformation._aim import aim
from fogbank.services.cloudformation.engine import (
    KNOWN_AFTER_APPLY,
    Comparison,
    Declared,
    Deployment,
    PropertyChange,
    Replacement,
    StackIdentity,
    TemplateEngine,
)
from fogbank.services.cloudformation.model import Resource, Stack


@dataclass(frozen=True, slots=True)
class Changes:
    """The changes in the API's shape; `outputs` says whether the stack's outputs change as well."""

    lines: tuple[Mapping[str, Any], ...]
    outputs: bool

    @property
    def any(self) -> bool:
        """Whether there is something to do."""
        return bool(self.lines) or self.outputs


async def preview(
    engine: TemplateEngine,
    identity: StackIdentity,
    deployment: Deployment,
    stack: Stack | None,
    rows: Mapping[str, Resource],
) -> Changes:
    """Compare what stands with what the deployment wants, as far as it can be known before."""
    standing = {name: row.standing.standing for name, row in rows.items() if row.standing is not None}
    lines: list[Mapping[str, Any]] = []
    for logical_id in _ordered(deployment.resources):
        declared = deployment.resources[logical_id]
        row = rows.get(logical_id)
        if row is None or row.standing is None:
            line = _line("Add", declared.logical_id, declared.type)
            wanted = await deployment.preview(logical_id, standing)
            line["ResourceChange"] |= {"Replacement": "True", "AfterContext": _context(wanted)}
            lines.append(line)
            continue
        properties = await deployment.preview(logical_id, standing)
        _, comparison = aim(engine, identity, declared, properties, row.standing, "XXXXXXXXXXXX")
        metadata = row.metadata != declared.metadata
        if comparison.replacement is Replacement.REPLACE:
            del standing[logical_id]
        if comparison.replacement is not Replacement.NONE or metadata:
            line = _modification(deployment, row, comparison, metadata=metadata)
            line["ResourceChange"] |= {
                "BeforeContext": _context(row.standing.properties), "AfterContext": _context(properties),
            }  # fmt: skip
            lines.append(line)
    for logical_id, row in rows.items():
        if logical_id not in deployment.resources and row.standing is not None:
            line = _line("Remove", logical_id, row.type, row.physical_id)
            line["ResourceChange"]["PolicyAction"] = "Retain" if row.retain_on_delete else "Delete"
            line["ResourceChange"]["BeforeContext"] = _context(row.standing.properties)
            lines.append(line)
    lines.sort(key=lambda line: str(line["ResourceChange"]["LogicalResourceId"]))
    before = stack.outputs if stack is not None else ()
    return Changes(tuple(lines), tuple(deployment.preview_outputs(standing)) != before)


def _ordered(resources: Mapping[str, Declared]) -> list[str]:
    """Logical ids, each after all that it needs (the engine has refused cycles)."""
    ordered: dict[str, None] = {}

    def add(name: str) -> None:
        pending = [name]
        while pending:
            current = pending[-1]
            missing = [need for need in sorted(resources[current].needs) if need in resources and need not in ordered]
            if missing:
                pending.extend(missing)
            else:
                ordered[pending.pop()] = None

    for name in resources:
        add(name)
    return list(ordered)


def _line(action: str, logical_id: str, type_name: str, physical_id: str | None = None) -> dict[str, Any]:
    return {
        "Type": "Resource",
        "ResourceChange": {
            "Action": action,
            "LogicalResourceId": logical_id,
            "PhysicalResourceId": physical_id,
            "ResourceType": type_name,
            "Scope": [],
            "Details": [],
        },
    }


def _modification(deployment: Deployment, row: Resource, comparison: Comparison, *, metadata: bool) -> dict[str, Any]:
    line = _line("Modify", row.logical_id, row.type, row.physical_id)
    change = line["ResourceChange"]
    recreating = [each for each in comparison.changes if each.recreates]
    if comparison.replacement is not Replacement.REPLACE:
        change["Replacement"] = "False"
    elif recreating and all(_unknown(each.after) for each in recreating):
        change["Replacement"] = "Conditional"
    else:
        change["Replacement"] = "True"
    if change["Replacement"] != "False":
        change["PolicyAction"] = "ReplaceAndRetain" if row.retain_on_replace else "ReplaceAndDelete"
    for each in comparison.changes:
        change["Details"].extend(_details(deployment, row.logical_id, each))
    if comparison.changes:
        change["Scope"].append("Tags" if all(c.name == "Tags" for c in comparison.changes) else "Properties")
    if metadata:
        change["Scope"].append("Metadata")
        target = {"Attribute": "Metadata", "RequiresRecreation": "Never"}
        change["Details"].append({"Target": target, "Evaluation": "Static", "ChangeSource": "DirectModification"})
    return line


def _details(deployment: Deployment, logical_id: str, change: PropertyChange) -> list[Mapping[str, Any]]:
    dynamic = _unknown(change.after)
    recreation = "Never" if not change.recreates else "Conditionally" if dynamic else "Always"
    attribute = "Tags" if change.name == "Tags" else "Properties"
    target = {
        "Attribute": attribute,
        "Name": change.name,
        "RequiresRecreation": recreation,
        "Path": change.path,
        "BeforeValue": _text(change.before),
        "AfterValue": _text(change.after),
        "AttributeChangeType": "Add" if change.before is None else "Remove" if change.after is None else "Modify",
    }
    evaluation = "Dynamic" if dynamic else "Static"
    causes = deployment.causes(logical_id, change.name) or [("DirectModification", "")]
    details: list[Mapping[str, Any]] = [
        {"Target": target, "Evaluation": evaluation, "ChangeSource": source, "CausingEntity": entity or None}
        for source, entity in causes
    ]
    if any(source == "ParameterReference" for source, _ in causes):  # the template's own text may have changed as well
        details.append({"Target": target, "Evaluation": "Dynamic", "ChangeSource": "DirectModification"})
    return details


def _context(properties: Mapping[str, Any]) -> str:
    """Properties as a change set shows them before and after."""
    return json.dumps({"Properties": dict(properties)}, separators=(",", ":"), ensure_ascii=False)


def _unknown(value: Any) -> bool:
    return KNOWN_AFTER_APPLY in json.dumps(value)


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
