"""The interpreters on this machine, and which of them runs a function.

A `Runtime` such as `python3.13` or `nodejs22.x` gets the interpreter of that version, or else the nearest there is;
`provided.*` needs none. What was chosen instead is said in the function's
log. Every candidate is asked for its version, since names lie (version managers put scripts under them).
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from fogbank.runtime.model import RuntimeUnavailableError

OLDEST_PYTHON = 9
NEWEST_PYTHON = 14
_PYTHON = re.compile(r"python3\.(\d+)")
_NODE = re.compile(r"nodejs(\d+)\.x")
_ASK_PYTHON = "import sys; print('%d.%d.%d' % sys.version_info[:3])"
_PLACES = (
    "/usr/bin",
    "/usr/local/bin",
    "/opt/homebrew/bin",
    "~/.pyenv/versions/*/bin",
    "~/.local/share/uv/python/*/bin",
    "~/.asdf/installs/python/*/bin",
    "~/.local/share/mise/installs/python/*/bin",
    "~/.nvm/versions/node/*/bin",
    "~/.local/share/fnm/node-versions/*/installation/bin",
    "~/.volta/tools/image/node/*/bin",
    "~/.asdf/installs/nodejs/*/bin",
    "~/.local/share/mise/installs/node/*/bin",
)


@dataclass(frozen=True, slots=True)
class Interpreter:
    """An interpreter that answered: where it is, and its version (`3.11.7`, `20.20.2`)."""

    language: str
    path: Path
    version: str

    @property
    def minor(self) -> str:
        """`3.11` of a Python, `20` of a Node.js."""
        parts = self.version.split(".")
        return ".".join(parts[:2]) if self.language == "python" else parts[0]

    @property
    def title(self) -> str:
        """As a person writes it: `python3.11`, `node 20`."""
        return f"python{self.minor}" if self.language == "python" else f"node {self.minor}"

    @property
    def label(self) -> str:
        """As INIT_START names it: `python:3.11.v7`, `nodejs:20.v20`."""
        parts = self.version.split(".")
        if self.language == "python":
            return f"python:{parts[0]}.{parts[1]}.v{parts[2]}"
        return f"nodejs:{parts[0]}.v{parts[1]}"


@dataclass(frozen=True, slots=True)
class Choice:
    """What runs a function: an interpreter, or `None` where the code brings its own executable.

    `note` says in what it differs from what was asked for.
    """

    interpreter: Interpreter | None
    note: str | None = None

    @property
    def label(self) -> str:
        """The version that INIT_START names."""
        return self.interpreter.label if self.interpreter else "provided:al2023.v1"


class Interpreters:
    """Finds interpreters when they are first needed, and remembers them."""

    def __init__(self, *, search: tuple[str, ...] = _PLACES) -> None:
        self._search = search
        self._choices: dict[str, Choice] = {}
        self._lock = asyncio.Lock()

    @cached_property
    def own(self) -> Interpreter:
        """The interpreter that Fogbank itself runs on, outside of any virtual environment."""
        base = getattr(sys, "_base_executable", None) or sys.executable
        return Interpreter("python", Path(base).resolve(), "{}.{}.{}".format(*sys.version_info[:3]))

    async def choose(self, runtime: str) -> Choice:
        """What runs functions of `runtime`; `RuntimeUnavailableError` says what to install."""
        known = self._choices.get(runtime)
        if known is not None:
            return known
        async with self._lock:
            if runtime not in self._choices:
                self._choices[runtime] = await self._find(runtime)
            return self._choices[runtime]

    async def _find(self, runtime: str) -> Choice:
        if runtime.startswith("provided"):
            return Choice(None)
        if match := _PYTHON.fullmatch(runtime):
            return await self._python(int(match[1]))
        if match := _NODE.fullmatch(runtime):
            return await self._node(match[1])
        raise RuntimeUnavailableError(f"Fogbank cannot run {runtime} functions yet")

    async def _python(self, minor: int) -> Choice:
        found: dict[int, Interpreter] = {sys.version_info.minor: self.own}
        wanted = sorted(range(OLDEST_PYTHON, NEWEST_PYTHON + 1), key=lambda n: (abs(n - minor), -n))
        for near in wanted:
            if near not in found:
                interpreter = await self._first(f"python3.{near}", _ASK_PYTHON, f"3.{near}.")
                if interpreter is not None:
                    found[near] = interpreter
            if near in found:
                chosen = found[near]
                break
        else:
            chosen = self.own
        if int(chosen.minor.split(".")[1]) == minor:
            return Choice(chosen)
        return Choice(
            chosen,
            f"python3.{minor} is not on this machine; this function runs on {chosen.title} ({chosen.version})",
        )

    async def _node(self, major: str) -> Choice:
        """The `node` of that version, wherever version managers keep it; else the nearest there is."""
        found: list[Interpreter] = []
        for path in [*self._candidates(f"node{major}"), *self._candidates("node")]:
            node = await _interpreter(path, "node", "-e", "console.log(process.versions.node)")
            if node is not None and node.minor == major:
                return Choice(node)
            if node is not None:
                found.append(node)
        if not found:
            raise RuntimeUnavailableError(
                f"nodejs{major}.x functions need Node.js, and no `node` was found; install Node.js {major} "
                "and put it on the PATH of `fogbank start`"
            )
        near = min(found, key=lambda node: (abs(int(node.minor) - int(major)), -int(node.minor)))
        return Choice(near, f"Node.js {major} is not on this machine; this function runs on {near.version}")

    async def _first(self, name: str, question: str, prefix: str) -> Interpreter | None:
        """The first Python of that name that answers with a version that begins with `prefix`."""
        for path in self._candidates(name):
            found = await _interpreter(path, "python", "-I", "-c", question)
            if found is not None and found.version.startswith(prefix):
                return Interpreter("python", path.resolve(), found.version)
        return None

    def _candidates(self, name: str) -> list[Path]:
        found = []
        on_path = shutil.which(name)
        if on_path:
            found.append(Path(on_path))
        for place in self._search:
            pattern = os.path.expanduser(place)  # noqa: PTH111 - a pattern, not yet a path
            folders = Path("/").glob(pattern.lstrip("/")) if "*" in pattern else [Path(pattern)]
            found += [folder / name for folder in sorted(folders, reverse=True) if (folder / name).is_file()]
        return list(dict.fromkeys(found))


async def _interpreter(path: Path, language: str, *question: str) -> Interpreter | None:
    """What an executable says it is, if it says so."""
    version = await _ask(path, *question)
    return Interpreter(language, path, version) if re.fullmatch(r"\d+\.\d+\.\d+", version) else None


async def _ask(path: Path, *arguments: str) -> str:
    try:
        process = await asyncio.create_subprocess_exec(
            str(path),
            *arguments,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
    except OSError:
        return ""
    try:
        output, _ = await asyncio.wait_for(process.communicate(), 10)
    except TimeoutError:
        process.kill()
        await process.wait()
        return ""
    return output.decode(errors="replace").strip() if process.returncode == 0 else ""
