"""The examples' demos as a newcomer runs them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize(("name", "claims"), [("orders", 9), ("travel-saga", 9), ("fan-out", 5), ("warm-up", 3)])
def test_the_demos_claims_hold(name: str, claims: int) -> None:
    """It checks each claim that it prints, leaves nothing behind, and fits a terminal."""
    done = subprocess.run(
        [sys.executable, str(EXAMPLES), name], capture_output=True, text=True, timeout=280, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Every claim holds" in done.stdout
    assert done.stdout.count("✓") >= claims
    assert max(len(line) for line in done.stdout.splitlines()) <= 100
