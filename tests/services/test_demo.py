"""`make demo` as a newcomer runs it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

DEMO = Path(__file__).parents[2] / "examples" / "orders" / "demo.py"


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_demos_claims_hold() -> None:
    """It checks each claim that it prints, leaves nothing behind, and fits a terminal."""
    done = subprocess.run([sys.executable, str(DEMO)], capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Every claim holds" in done.stdout
    assert done.stdout.count("✓") >= 9
    assert max(len(line) for line in done.stdout.splitlines()) <= 100
