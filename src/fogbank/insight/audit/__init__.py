"""Audit: what an application wastes and where it is in danger, by rules over its template, its code and its run.

| file | idea |
| --- | --- |
| `model.py` | `Rule`, `Finding`, `Severity` |
| `application.py` | `Application`: the template's resources and how they are wired |
| `evidence.py` | `Evidence`: what a run showed of each resource |
| `code.py` | what a function's source says: its imports, its effects, whether it guards against repetition |
| `waste_rules.py`, `function_rules.py`, `danger_rules.py` | the rules |
| `report.py` | findings as text, JSON and SARIF |

Everything here is a pure function over values; `fogbank.cli.audit` reads templates, code and server.
"""

from collections.abc import Iterable

from fogbank.insight.audit.application import Application
from fogbank.insight.audit.danger_rules import DANGER
from fogbank.insight.audit.function_rules import FUNCTIONS
from fogbank.insight.audit.model import Finding, Rule, Severity
from fogbank.insight.audit.waste_rules import WASTE

RULES: tuple[Rule, ...] = tuple(sorted((*WASTE, *FUNCTIONS, *DANGER), key=lambda rule: rule.id))
"""Every rule, by its id."""


def audit(application: Application, rules: Iterable[Rule] = RULES) -> list[Finding]:
    """What the rules find, worst first; what a resource's Metadata says to ignore is left out."""
    found = [
        finding
        for rule in rules
        for finding in rule.check(application)
        if rule.id not in application.ignored(finding.resource)
    ]
    return sorted(found, key=lambda f: (-f.severity.rank, -(f.dollars or 0.0), f.rule, f.resource))


__all__ = ["RULES", "Application", "Finding", "Rule", "Severity", "audit"]
