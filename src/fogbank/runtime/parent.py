"""The prepared parent, seen from Fogbank: a process that forks execution environments on request.

See `guest/zygote.py` for the other end and for the wire between them.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import socket
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from fogbank.runtime.forker import Forker
from fogbank.runtime.interpreters import Interpreter
from fogbank.runtime.model import StartError

GUEST = Path(__file__).parent / "guest"
OFFERED = ("boto3", "botocore", "s3transfer", "jmespath", "dateutil", "urllib3", "six", "snapshot_restore_py")
"""What AWS's Python runtimes offer beside the standard library."""
PRELOADED = ("boto3", "botocore.session", "botocore.client", "botocore.httpsession", "botocore.handlers")
_READY_TIMEOUT = 30.0


def lay_out(folder: Path) -> Path:
    """Fill the runtime's folder (what AWS has at /var/runtime): our client and the offered packages, nothing else.

    Returns the folder that functions see. The packages are links to those that Fogbank itself was installed with.
    """
    seen = folder / "python"
    seen.mkdir(parents=True, exist_ok=True)
    (folder / "parent").mkdir(exist_ok=True)
    for name in ("main.py", "zygote.py", "child.py", "snapshot.py", "sandbox.py", "compiled.py"):
        _copy(GUEST / name, folder / "parent" / name)
    (folder / "root").mkdir(exist_ok=True)
    (folder / "node").mkdir(exist_ok=True)
    _copy(GUEST / "bootstrap.mjs", folder / "node" / "bootstrap.mjs")
    _copy(GUEST / "bootstrap.py", seen / "bootstrap.py")
    for place in (seen, folder / "node"):
        _copy(GUEST / "supervisor.py", place / "supervisor.py")
        place.chmod(0o755)  # the sandbox's user is another than ours
    for name in OFFERED:
        spec = find_spec(name)
        if spec is None or spec.origin is None:
            continue
        origin = Path(spec.origin)
        source = origin.parent if origin.name == "__init__.py" else origin
        _link(source, seen / source.name)
    return seen


def _copy(source: Path, target: Path) -> None:
    text = source.read_bytes()
    if not target.is_file() or target.read_bytes() != text:
        temporary = target.with_suffix(f".{os.getpid()}.new")
        temporary.write_bytes(text)
        temporary.chmod(0o644)
        temporary.replace(target)


def _link(source: Path, target: Path) -> None:
    if target.is_symlink() and target.readlink() == source:
        return
    if target.is_symlink() or target.is_file():
        target.unlink()
    elif target.is_dir():
        shutil.rmtree(target)
    target.symlink_to(source)


class PreparedParent(Forker):
    """The prepared parent of an interpreter: a process of its own, which never ran anything of a user's.

    `sandboxed`: it sees a small root instead of the machine's, and so does all that it forks.
    """

    def __init__(self, interpreter: Interpreter, folder: Path, *, sandboxed: bool = False) -> None:
        super().__init__()
        self.lacking: str | None = None
        """Why it cannot import what functions are offered, if it cannot."""
        self._sandboxed = sandboxed
        self.interpreter = interpreter
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    async def start(self) -> str | None:
        """Start it and wait until it can fork. Returns what it could not import, if anything."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ready = self.listen(ours)
        try:
            self._process = await asyncio.to_thread(self._spawn, theirs.fileno())
        except OSError:
            self.lose()  # whoever waits for it is told
        finally:
            theirs.close()
        try:
            return await asyncio.wait_for(ready, _READY_TIMEOUT)
        except StartError:
            await self.stop()
            raise
        except TimeoutError:
            await self.stop()
            raise StartError(f"the prepared parent of {self.interpreter.title} did not become ready") from None

    def _spawn(self, control: int) -> subprocess.Popen[bytes]:
        environ = {"PATH": os.defpath, "LANG": "C.UTF-8", "HOME": str(self._folder)}
        flags = ["-X", "utf8", "-I", "-S"]
        if self.interpreter.version.split(".")[:2] != [str(n) for n in sys.version_info[:2]]:
            # another version must not write its compiled files beside those of our own environment
            flags += ["-X", f"pycache_prefix={self._folder / 'pycache'}"]
        sandbox = None
        if self._sandboxed:
            sandbox = {"root": str(self._folder / "root"), "hidden": [str(self._folder.parent)]}
        return subprocess.Popen(  # noqa: S603 - the interpreter that was chosen, our own program
            [
                str(self.interpreter.path),
                *flags,
                str(self._folder / "parent" / "main.py"),
                str(control),
                str(self._folder / "python"),
                json.dumps(sandbox),
                *PRELOADED,
            ],
            pass_fds=(control,),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            env=environ,
            cwd="/",
            start_new_session=True,
        )

    async def stop(self) -> None:
        """End it and every environment, and wait until they have gone."""
        self.lose()
        process, self._process = self._process, None
        if process is None:
            return
        try:
            await asyncio.to_thread(process.wait, 5)
        except subprocess.TimeoutExpired:
            process.kill()
            await asyncio.to_thread(process.wait)
