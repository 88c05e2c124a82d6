"""Whether this machine allows the sandbox, by trying it once."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from fogbank.runtime.interpreters import Interpreter
from fogbank.runtime.parent import GUEST, lay_out

_PATIENCE = 20.0
_SETTINGS = {
    "kernel.unprivileged_userns_clone": "sysctl -w kernel.unprivileged_userns_clone=1",
    "kernel.apparmor_restrict_unprivileged_userns": "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
    "user.max_user_namespaces": "sysctl -w user.max_user_namespaces=65536",
}
_FORBIDDEN = {
    "kernel.unprivileged_userns_clone": "0",
    "kernel.apparmor_restrict_unprivileged_userns": "1",
    "user.max_user_namespaces": "0",
}


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of the trial: why there can be no sandbox and what to do about it, or nothing.

    `inner` says why there can be none within a sandbox, which is where SnapStart's environments live.
    """

    problem: str | None = None
    do: str | None = None
    inner: str | None = None

    @property
    def works(self) -> bool:
        """Whether environments can be sandboxed."""
        return self.problem is None


class _Report(msgspec.Struct):
    problem: str | None
    inner: str | None = None


async def attempt(interpreter: Interpreter, folder: Path | None = None) -> Trial:
    """Make one sandbox as environments get it, run something in it, and leave it; nothing stays in `folder`."""
    with TemporaryDirectory(prefix="trial-", dir=folder) as name:
        place = Path(name)
        runtime = await asyncio.to_thread(lay_out, place)
        report = await _try(interpreter, place / "root", runtime)
    return Trial(report.problem, _advice() if report.problem or report.inner else None, report.inner)


async def _try(interpreter: Interpreter, root: Path, runtime: Path) -> _Report:
    process = await asyncio.create_subprocess_exec(
        str(interpreter.path),
        "-I",
        "-S",
        str(GUEST / "sandbox.py"),
        str(root),
        str(runtime),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        output, said = await asyncio.wait_for(process.communicate(), _PATIENCE)
    except TimeoutError:
        process.kill()
        await process.wait()
        return _Report("the trial took too long")
    try:
        return msgspec.json.decode(output, type=_Report)
    except msgspec.DecodeError:
        last = said.decode(errors="replace").strip().rpartition("\n")[2]
        return _Report(last or f"the trial ended with {process.returncode}")


def _advice() -> str:
    """What an administrator can do, by what the kernel's settings say."""
    for setting, forbidden in _FORBIDDEN.items():
        path = Path("/proc/sys", *setting.split("."))
        if path.is_file() and path.read_text().strip() == forbidden:
            return f"as root: {_SETTINGS[setting]}"
    return (
        "run Fogbank where user namespaces are allowed (in Docker: --security-opt seccomp=unconfined "
        "--security-opt systempaths=unconfined), on Linux 5.12 or newer; or choose --isolation process"
    )
