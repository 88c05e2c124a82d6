"""botocore's own test data: it is in its source distribution only, which is fetched once into `.cache/`."""

from __future__ import annotations

import fcntl
import subprocess
import sys
import tarfile
from pathlib import Path

import botocore
import pytest

CACHE = Path(__file__).resolve().parents[3] / ".cache"


@pytest.fixture(scope="session")
def botocore_tests() -> Path:
    """The folder `tests/unit` of the installed botocore's source distribution."""
    name = f"botocore-{botocore.__version__}"
    folder = CACHE / name
    CACHE.mkdir(exist_ok=True)
    with (CACHE / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # workers fetch one after the other, so all but the first find it
        if not (folder / "tests" / "unit").exists():
            _fetch(name)
    return folder / "tests" / "unit"


def _fetch(name: str) -> None:
    requirement = f"botocore=={botocore.__version__}"
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:"]
    subprocess.run([*command, "--dest", str(CACHE), requirement], check=True)
    with tarfile.open(CACHE / f"{name}.tar.gz") as archive:
        wanted = (f"{name}/tests/unit/protocols/", f"{name}/tests/unit/auth/")
        members = [member for member in archive.getmembers() if member.name.startswith(wanted)]
        archive.extractall(CACHE, members=members, filter="data")
