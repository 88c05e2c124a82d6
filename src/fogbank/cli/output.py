"""Printing: tables and lines for people, JSON for programs.

Every command builds one document and hands it to `Output`: with `--json` it is printed as it is, else the command's
own view of it is. What goes on meanwhile is told on standard error, so that standard output holds the result alone.
"""

from __future__ import annotations

import json
import sys
from base64 import b64encode
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

_UNFOLDED = 10_000


class Output:
    """Where a command prints. `json` chooses the form."""

    def __init__(self, *, json: bool) -> None:
        self.json = json
        self.console = _console(terminal=sys.stdout.isatty(), stderr=False)
        self._progress = _console(terminal=sys.stderr.isatty(), stderr=True)

    def document(self, value: Any) -> None:
        """A result for programs, on one line."""
        print(json.dumps(value, default=_plain), flush=True)  # noqa: T201 - this is where the command prints

    def line(self, text: str, style: str | None = None) -> None:
        """A line of the result for people; nothing in it is markup."""
        self.console.print(Text(text, style=style or ""))

    def progress(self, text: str, style: str | None = "dim") -> None:
        """What is being done; silent with `--json`."""
        if not self.json:
            self._progress.print(Text(text, style=style or ""))

    def pairs(self, rows: Iterable[tuple[str, str, str]]) -> None:
        """Names with values that are made to be copied: never folded. A note that does not fit is left out."""
        listed = list(rows)
        width = max((len(name) for name, _, _ in listed), default=0)
        for name, value, note in listed:
            line = Text.assemble((name.ljust(width), "dim"), "  ", value)
            if note and line.cell_len + len(note) + 2 <= self.console.width:
                line.append(f"  {note}", style="dim")
            self.console.print(line, soft_wrap=True)

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[Any]], *, title: str | None = None) -> None:
        """Rows under headings; long values are folded, never cut."""
        table = Table(
            title=title, title_justify="left", title_style="bold", box=None, pad_edge=False, padding=(0, 2, 0, 0)
        )
        for name in columns:
            table.add_column(name, overflow="fold", header_style="dim")
        for row in rows:
            table.add_row(*(value if isinstance(value, Text) else Text(_cell(value)) for value in row))
        self.console.print(table)


def _console(*, terminal: bool, stderr: bool) -> Console:
    """As wide as the terminal; where there is none, as wide as the text: what a program reads is never folded."""
    return Console(highlight=False, stderr=stderr, width=None if terminal else _UNFOLDED)


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, datetime):
        return value.astimezone().strftime("%Y-%m-%d %H:%M:%S")
    return str(value)


def _plain(value: Any) -> Any:
    """What JSON has no form for: times in ISO 8601, bytes in base64."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, bytes | bytearray):
        return b64encode(value).decode()
    if isinstance(value, set | frozenset):
        return sorted(value)
    return str(value)
