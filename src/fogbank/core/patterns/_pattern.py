"""A compiled pattern."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from fogbank.core.patterns._errors import InvalidPatternError
from fogbank.core.patterns._grammar import Branch, parse
from fogbank.core.patterns._matching import compile_branch, plain
from fogbank.core.patterns._values import Test

_CACHED = 1024
"""Compiled patterns that are kept, by their text."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """An event pattern: what `EventPattern` and the `Pattern` of an event filter hold."""

    text: str
    branches: tuple[Branch, ...] = field(repr=False)
    tests: tuple[Test, ...] = field(repr=False)

    def matches(self, event: dict[str, Any]) -> bool:
        """Whether an event (as decoded from JSON) matches."""
        return self.matches_plain(plain(event))

    def allows(self, name: str, value: str) -> bool:
        """Whether an event with this text in a field at its top could match, whatever its other fields are."""
        return any(
            name not in branch or compile_branch({name: branch[name]})({name: value}) for branch in self.branches
        )

    def matches_plain(self, event: dict[str, Any]) -> bool:
        """The same for an event that has been through `plain`, when many patterns look at one event."""
        return any(test(event) for test in self.tests)


@lru_cache(maxsize=_CACHED)
def compile_pattern(text: str) -> Pattern:
    """Compile a pattern from its JSON text; `InvalidPatternError` with EventBridge's reason if it is none."""
    branches = parse(text)
    return Pattern(text, tuple(branches), tuple(compile_branch(branch) for branch in branches))


def compile_document(document: object) -> Pattern:
    """Compile a pattern that is already a decoded document (as a `FilterPolicy` or a template's value)."""
    try:
        return compile_pattern(json.dumps(document, ensure_ascii=False, separators=(",", ":")))
    except (TypeError, ValueError, RecursionError) as error:
        if isinstance(error, InvalidPatternError):
            raise
        raise InvalidPatternError(f"The pattern is not a JSON document: {error}") from None
