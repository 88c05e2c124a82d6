"""What went wrong, where, and what to do about it; and the exit codes that say so to programs.

Failure        a command could not do what was asked: ends it with one of the exit codes
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any


class Exit(IntEnum):
    """What the exit codes mean; `docs/reference/commands.md` has the table."""

    DONE = 0
    FAILED = 1
    """It was tried and failed: a function's error, a deployment that was rolled back."""
    USAGE = 2
    """The command line or a setting is wrong; nothing was tried."""
    UNREACHABLE = 3
    """No server answers at the endpoint."""
    NOT_FOUND = 4
    """The stack, function, queue or log group that was named is not there."""
    INVALID = 5
    """A template, payload or file is wrong; nothing was changed."""
    IN_USE = 6
    """The port or the data folder belongs to another process."""
    MISSING = 7
    """This machine lacks something: a runtime, a tool, a package."""
    DEFECT = 70
    """A fault of Fogbank's own."""
    INTERRUPTED = 130
    """Ctrl-C."""


class Failure(Exception):  # noqa: N818 - reads as what it is
    """`what` is wrong, `where` (a file and line, an address, a resource), and what to `do`."""

    def __init__(self, code: Exit, what: str, *, where: str | None = None, do: str | None = None) -> None:
        super().__init__(what)
        self.code = code
        self.what = what
        self.where = where
        self.do = do

    def document(self) -> dict[str, Any]:
        """The same for programs."""
        parts = {"what": self.what, "where": self.where, "do": self.do, "exit": int(self.code), "kind": self.code.name}
        return {"error": {name: part for name, part in parts.items() if part is not None}}

    def lines(self) -> list[str]:
        """The same for people."""
        found = [f"error: {self.what}"]
        if self.where:
            found.append(f"where: {self.where}")
        if self.do:
            found.append(f"do:    {self.do}")
        return found
