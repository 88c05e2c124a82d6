"""The interpreter of a version is found where version managers keep it, and asked for what it really is."""

from __future__ import annotations

from pathlib import Path

import pytest

from fogbank.runtime.interpreters import Interpreters
from fogbank.runtime.model import RuntimeUnavailableError


@pytest.fixture(autouse=True)
def _nothing_on_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")


def install(folder: Path, name: str, says: str) -> Path:
    """An executable that answers every question with `says`."""
    place = folder / "bin"
    place.mkdir(parents=True, exist_ok=True)
    (place / name).write_text(f"#!/bin/sh\necho '{says}'\n")
    (place / name).chmod(0o755)
    return place / name


async def test_the_node_of_a_version_is_found_among_several(tmp_path: Path) -> None:
    for version in ("18.20.4", "20.11.1", "22.3.0"):
        install(tmp_path / version, "node", version)
    found = Interpreters(search=(f"{tmp_path}/*/bin",))
    choice = await found.choose("nodejs20.x")
    assert choice.interpreter is not None
    assert (choice.interpreter.version, choice.note) == ("20.11.1", None)
    assert choice.label == "nodejs:20.v11"


async def test_the_nearest_node_runs_what_is_not_here_and_says_so(tmp_path: Path) -> None:
    for version in ("16.0.0", "22.3.0"):
        install(tmp_path / version, "node", version)
    choice = await Interpreters(search=(f"{tmp_path}/*/bin",)).choose("nodejs24.x")
    assert choice.interpreter is not None
    assert choice.interpreter.version == "22.3.0"
    assert choice.note == "Node.js 24 is not on this machine; this function runs on 22.3.0"


async def test_no_node_at_all_says_what_to_install(tmp_path: Path) -> None:
    install(tmp_path / "broken", "node", "what?")
    with pytest.raises(RuntimeUnavailableError, match=r"install Node\.js 22"):
        await Interpreters(search=(f"{tmp_path}/*/bin",)).choose("nodejs22.x")


async def test_a_name_that_lies_is_not_believed(tmp_path: Path) -> None:
    """Version managers put scripts under the names of every version."""
    install(tmp_path / "shims", "python3.13", "3.12.1")
    real = install(tmp_path / "real", "python3.13", "3.13.2")
    choice = await Interpreters(search=(f"{tmp_path}/shims/bin", f"{tmp_path}/real/bin")).choose("python3.13")
    assert choice.interpreter is not None
    assert choice.interpreter.path == real.resolve()


@pytest.mark.parametrize("runtime", ["java21", "dotnet8", "ruby3.4"])
async def test_what_cannot_run_is_refused_by_name(runtime: str) -> None:
    with pytest.raises(RuntimeUnavailableError, match=runtime):
        await Interpreters(search=()).choose(runtime)
