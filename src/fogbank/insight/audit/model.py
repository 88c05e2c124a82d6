"""What a rule is, and what it finds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fogbank.insight.audit.application import Application


class Severity(StrEnum):
    """How bad a finding is."""

    ERROR = "error"
    """It loses data or money, or cannot work."""
    WARNING = "warning"
    """It will, in circumstances that come."""
    NOTE = "note"
    """Worth knowing."""

    @property
    def rank(self) -> int:
        """The greater the worse."""
        return {Severity.NOTE: 0, Severity.WARNING: 1, Severity.ERROR: 2}[self]


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is wrong with a resource.

    `evidence` is what the run or the code showed, empty where the template alone says it. `dollars` is what it costs a
    month, `None` where that cannot be said. `change` is the change to the template, as YAML.
    """

    rule: str
    severity: Severity
    resource: str
    """The logical id in the template."""
    message: str
    change: str
    evidence: str = ""
    dollars: float | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """A kind of waste or danger. The reference page is made of these."""

    id: str
    """`W…` for waste, `D…` for danger."""
    title: str
    severity: Severity
    why: str
    fix: str
    check: Callable[[Application], Iterator[Finding]]
    source: str = ""
    """The page of AWS's documentation behind it."""

    def finding(
        self,
        resource: str,
        message: str,
        change: str,
        *,
        evidence: str = "",
        dollars: float | None = None,
        severity: Severity | None = None,
    ) -> Finding:
        """A finding of this rule."""
        return Finding(self.id, severity or self.severity, resource, message, change, evidence, dollars)
