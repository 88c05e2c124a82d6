"""JSON that a person gives: as text, `@file`, or `-` for standard input."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from fogbank.cli.failures import Exit, Failure


def read_text(given: str) -> tuple[str, str]:
    """The text that was given, and where it came from."""
    if given == "-":
        return sys.stdin.read(), "standard input"
    if not given.startswith("@"):
        return given, "the command line"
    path = Path(given[1:])
    try:
        return path.read_text(encoding="utf-8"), str(path)
    except FileNotFoundError:
        raise Failure(Exit.INVALID, f"there is no file {path}", do="check the path after the @") from None
    except (OSError, UnicodeDecodeError) as error:
        raise Failure(Exit.INVALID, f"{path} cannot be read as text: {error}", where=str(path)) from None


def read_json(given: str, *, what: str) -> tuple[Any, str]:
    """The value of the JSON that was given, and its text; `Failure` names line and column."""
    text, where = read_text(given)
    try:
        return json.loads(text), text
    except json.JSONDecodeError as error:
        raise Failure(
            Exit.INVALID,
            f"the {what} is not JSON: {error.msg}",
            where=f"{where}, line {error.lineno}, column {error.colno}",
            do='give JSON as text, @file or - for standard input; quote it for the shell: \'{"key": "value"}\'',
        ) from None
