"""The ids by which people know an event: those that applications put into it to find everything about one order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

NAMES = ("correlation_id", "correlationId", "correlationid", "CorrelationId", "correlation-id", "x-correlation-id")
_WRAPPERS = ("metadata", "Metadata", "headers", "data")
_MAX = 200
"""Characters of an id that is taken."""


def correlation_ids(detail: Any) -> list[str]:
    """The correlation ids in an event's detail or a message's body: at its top, or in its metadata."""
    if not isinstance(detail, Mapping):
        return []
    found = _named(detail)
    for wrapper in _WRAPPERS:
        inner = detail.get(wrapper)
        if isinstance(inner, Mapping):
            found += _named(inner)
    return found


def _named(document: Mapping[str, Any]) -> list[str]:
    values = [document[name] for name in NAMES if name in document]
    return [str(value) for value in values if isinstance(value, str | int) and 0 < len(str(value)) <= _MAX]
