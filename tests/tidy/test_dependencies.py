"""Every dependency has its line: what for, and what else was considered."""

from __future__ import annotations

import re
import tomllib

import pytest
from tests.tidy.source import ROOT

pytestmark = pytest.mark.xdist_group("tidy")  # one worker, so that every file is parsed once


def test_every_dependency_is_explained() -> None:
    """docs/dependencies.md names each that pyproject.toml asks for."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    page = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8").lower()
    wanted = [
        *project["dependencies"],
        *(each for extra in project["optional-dependencies"].values() for each in extra),
    ]
    names = {re.split(r"[\[<>=~! ]", each)[0].lower() for each in wanted}
    assert len(names) > 10
    missing = sorted(name for name in names if name not in page)
    assert not missing, f"docs/dependencies.md says nothing of {missing}"
