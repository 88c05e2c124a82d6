"""The guides' commands, run as they stand."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.conftest import ServerProcess

from fogbank.core.clock import SystemClock
from fogbank.insight.audit import RULES

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "docs" / "guides" / "find-problems.md"
ENDS = re.compile(r"# ends with (\d+)$")
PATIENCE = 60.0


def commands(guide: Path) -> list[tuple[list[str], int]]:
    """The command lines of a guide's shell blocks, with the exit codes that they say."""
    found = []
    for block in re.findall(r"```sh\n(.*?)```", guide.read_text(encoding="utf-8"), re.DOTALL):
        for line in block.splitlines():
            ends = ENDS.search(line)
            found.append((shlex.split(line, comments=True), int(ends[1]) if ends else 0))
    return found


def wait_until(holds: Callable[[], bool]) -> None:
    """Look again and again until it holds."""
    clock, pause = SystemClock(), threading.Event()
    until = clock.monotonic() + PATIENCE
    while not holds():
        assert clock.monotonic() < until, "it took too long"
        pause.wait(0.2)


def thanked(server: ServerProcess) -> float:
    """Customers that were thanked: the last thing that happens to an order."""
    found = subprocess.run(
        [sys.executable, "-m", "fogbank", "cost", "--json", "--endpoint", server.endpoint],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    lines = json.loads(found.stdout)["lines"]
    thanks = [line for line in lines if "-Mail-" in line["resource"] and line["unit"] == "lambda.requests"]
    return float(sum(line["quantity"] for line in thanks))


def test_every_planted_problem_is_found_by_the_guides_commands(server: ServerProcess, tmp_path: Path) -> None:
    """Each command ends as the guide says; between them they find every kind of problem, and prove what is unsafe."""
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    environment = os.environ | {"FOGBANK_ENDPOINT": server.endpoint, "COLUMNS": "200"}
    outputs: dict[str, str] = {}
    for command, code in commands(GUIDE):
        program = [sys.executable, *(command[1:] if command[0] == "python" else ["-m", *command])]
        done = subprocess.run(program, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == code, f"{shlex.join(command)}: {done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        outputs[shlex.join(command)] = done.stdout
        if command[0] == "python":
            wait_until(lambda: thanked(server) >= 22)
    (audited,) = [text for line, text in outputs.items() if "--per-month 100000000" in line]
    planted = {rule.id for rule in RULES}
    assert {rule for rule in planted if f"{rule}  " not in audited} == set()
    assert {rule for rule in planted if f"| {rule} |" not in GUIDE.read_text()} == set()
    (proved,) = [text for line, text in outputs.items() if "chaos" in line and "audit" in line]
    assert "fogbank chaos: Orders orderId=o-1: cents" in proved
    assert "D04  Pay" not in proved
    assert json.loads((tmp_path / "before.json").read_text())["total"] > 0
    assert (tmp_path / "month.svg").read_text().startswith("<svg")
    (logged,) = [text for line, text in outputs.items() if line.startswith("fogbank logs")]
    assert "expected a quantity of 1 or more, got 0" in logged
