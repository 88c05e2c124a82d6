"""Findings for programs: JSON, and SARIF 2.1.0 for the platforms that show it beside the code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fogbank.insight.audit.model import Finding, Rule, Severity

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "note"}
PAGE = "docs/reference/audit.md"


def document(
    findings: Sequence[Finding], lines: Mapping[str, int], origins: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """As JSON; `lines` are the lines of resources in the template, `origins` of what SAM made them."""
    counts = {severity.value: sum(f.severity is severity for f in findings) for severity in Severity}
    return {
        "counts": counts,
        "dollars_a_month": sum(f.dollars or 0.0 for f in findings),
        "findings": [
            {
                "rule": f.rule,
                "severity": f.severity.value,
                "resource": f.resource,
                "made_of": (origins or {}).get(f.resource),
                "line": lines.get(f.resource),
                "message": f.message,
                "evidence": f.evidence or None,
                "dollars_a_month": f.dollars,
                "change": f.change,
            }
            for f in findings
        ],
    }


def sarif(
    findings: Sequence[Finding], rules: Sequence[Rule], template: str, lines: Mapping[str, int], version: str
) -> dict[str, Any]:
    """As SARIF. `template` is the file's path as the repository has it."""
    known = {rule.id: rule for rule in rules}
    used = sorted({finding.rule for finding in findings} | known.keys())
    return {
        "$schema": _SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "fogbank audit",
                        "version": version,
                        "rules": [_rule(name, known.get(name)) for name in used],
                    }
                },
                "results": [_result(finding, used, template, lines) for finding in findings],
            }
        ],
    }


def _rule(name: str, rule: Rule | None) -> dict[str, Any]:
    if rule is None:
        return {"id": name}
    return {
        "id": name,
        "shortDescription": {"text": rule.title},
        "fullDescription": {"text": rule.why},
        "help": {"text": rule.fix},
        "helpUri": rule.source or PAGE,
        "defaultConfiguration": {"level": _LEVELS[rule.severity]},
    }


def _result(finding: Finding, rules: Sequence[str], template: str, lines: Mapping[str, int]) -> dict[str, Any]:
    text = f"{finding.resource}: {finding.message}"
    if finding.evidence:
        text += f" ({finding.evidence})"
    return {
        "ruleId": finding.rule,
        "ruleIndex": rules.index(finding.rule),
        "level": _LEVELS[finding.severity],
        "message": {"text": text},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": template},
                    "region": {"startLine": lines.get(finding.resource, 1)},
                },
                "logicalLocations": [{"name": finding.resource, "kind": "resource"}],
            }
        ],
        "properties": {"change": finding.change, "dollarsAMonth": finding.dollars},
    }


def reference(rules: Sequence[Rule]) -> str:
    """The reference page of the rules, which is made of them."""
    parts = [
        "# Audit rules\n",
        "Made from the rules by `python tools/audit_rules.py`. [commands.md](commands.md) has the command.\n",
        "A resource's own word: `Metadata: {Fogbank: {Audit: {Ignore: [W02]}}}` leaves a rule out for it.\n",
        "What SAM made (a rule of a function's `Events`, its alias) has the name that SAM gave it; the report says of "  # noqa: ISC004
        "which function, and the change goes to the property there that means the same.\n",
        "| rule | what | severity |",
        "| --- | --- | --- |",
        *(f"| [{rule.id}](#{_anchor(rule)}) | {rule.title} | {rule.severity} |" for rule in rules),
        "",
    ]
    for rule in rules:
        parts += [
            f"## {rule.id}: {rule.title}\n",
            f"Severity: {rule.severity}.\n",
            f"{rule.why}\n",
            f"**Change**: {rule.fix}\n",
        ]
        if rule.source:
            parts.append(f"Source: <{rule.source}>\n")
    return "\n".join(parts).rstrip() + "\n"


def _anchor(rule: Rule) -> str:
    text = f"{rule.id}: {rule.title}".lower()
    return "".join(letter for letter in text.replace(" ", "-") if letter.isalnum() or letter == "-")
