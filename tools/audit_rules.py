"""Writes docs/reference/audit.md: the rules of `fogbank audit`, from the rules.

python tools/audit_rules.py         write the page
"""

from __future__ import annotations

from pathlib import Path

from fogbank.insight.audit import RULES
from fogbank.insight.audit.report import reference

PAGE = Path(__file__).resolve().parent.parent / "docs" / "reference" / "audit.md"

if __name__ == "__main__":
    PAGE.write_text(reference(RULES), encoding="utf-8")
