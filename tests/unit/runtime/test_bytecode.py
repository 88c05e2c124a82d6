"""What was compiled is kept for as many packages as is reasonable."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fogbank.core.ids import Ids
from fogbank.runtime import bytecode
from fogbank.runtime.bytecode import Bytecode


def test_the_oldest_packages_go_and_so_does_what_was_never_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bytecode, "_KEPT", 2)
    for age, name in enumerate(("new", "old", "older")):
        (tmp_path / name / "var").mkdir(parents=True)
        mark = tmp_path / f"{name}-1.compiled"
        mark.touch()
        os.utime(mark, (1_000_000 - age, 1_000_000 - age))
    (tmp_path / "unfinished").mkdir()

    def spawn(_: object) -> object:
        raise AssertionError("nothing is to be compiled")

    Bytecode(tmp_path, Ids(), spawn).sweep()  # type: ignore[arg-type]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new", "new-1.compiled", "old", "old-1.compiled"]
