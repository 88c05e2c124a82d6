"""One SQL text for two engines: written as PostgreSQL has it, adapted to SQLite by a few substitutions."""

from __future__ import annotations

import re

_PLACEHOLDER = re.compile(r"\$(\d+)")
_LOCKING = re.compile(r"\s+FOR\s+UPDATE(\s+OF\s+\w+)?(\s+SKIP\s+LOCKED|\s+NOWAIT)?", re.IGNORECASE)
_TYPES = (
    (re.compile(r"\bBIGSERIAL\s+PRIMARY\s+KEY\b", re.IGNORECASE), "INTEGER PRIMARY KEY AUTOINCREMENT"),
    (re.compile(r"\b(BIGINT|BOOLEAN)\b", re.IGNORECASE), "INTEGER"),
    (re.compile(r"\bBYTEA\b", re.IGNORECASE), "BLOB"),
    (re.compile(r"\bDOUBLE\s+PRECISION\b", re.IGNORECASE), "REAL"),
    (re.compile(r"\bJSONB\b", re.IGNORECASE), "TEXT"),
)
_CREATE_TABLE = re.compile(r"(CREATE\s+TABLE\b.*\))\s*$", re.IGNORECASE | re.DOTALL)
_COMMENT = re.compile(r"--[^\n]*")


def to_sqlite(sql: str) -> str:
    """A statement as SQLite wants it: `?1` for `$1`, no row locks (there is one writer)."""
    return _PLACEHOLDER.sub(r"?\1", _LOCKING.sub("", sql))


def schema_to_sqlite(statement: str) -> str:
    """A schema statement as SQLite wants it: its own type names, and STRICT tables so that types hold."""
    for pattern, replacement in _TYPES:
        statement = pattern.sub(replacement, statement)
    return _CREATE_TABLE.sub(r"\1 STRICT", statement)


def split_statements(text: str) -> list[str]:
    """The statements of a migration file. Comments go; a semicolon ends a statement (none stands in a literal)."""
    return [part.strip() for part in _COMMENT.sub("", text).split(";") if part.strip()]
