"""The coverage page says what is there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent


@pytest.mark.slow
def test_the_coverage_page_is_current() -> None:
    """An operation or a row that is added or removed is on the page: `make coverage` writes it."""
    command = [sys.executable, str(ROOT / "tools" / "coverage.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
