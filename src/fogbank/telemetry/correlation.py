"""The ids by which people know an event: those that applications put into it to find everything about one order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

NAMES = ("correlation_id", "correlationId", "correlationid", "CorrelationId", "correlation-id", "x-correlation-id")
_WRAPPERS = ("metadata", "Metadata", "headers", "data")
_FOLDED = frozenset(name.lower() for name in NAMES)
_MAX_PAYLOAD = 1024 * 1024
_MAX_RECORDS = 100
"""Messages of one event that are looked at."""
_LOOKED_AT = frozenset({*NAMES, *_WRAPPERS})
_MAX = 200
"""Characters of an id that is taken."""


def correlation_ids(detail: Any) -> list[str]:
    """The correlation ids in an event's detail or a message's body: at its top, or in its metadata."""
    if not isinstance(detail, Mapping) or _LOOKED_AT.isdisjoint(detail):
        return []
    found = _named(detail)
    for wrapper in _WRAPPERS:
        inner = detail.get(wrapper)
        if isinstance(inner, Mapping):
            found += _named(inner)
    return found


def ids_of_payload(payload: bytes) -> list[str]:
    """The correlation ids in what a function is handed: of the event itself, and of the messages in it.

    A payload that does not speak of correlation is not read: this is on the path of every invocation.
    """
    if b"orrelation" not in payload or len(payload) > _MAX_PAYLOAD:
        return []
    event = _decoded(payload)
    if not isinstance(event, Mapping):
        return []
    found = correlation_ids(event) + correlation_ids(event.get("detail"))
    records = event.get("Records")
    for record in records[:_MAX_RECORDS] if isinstance(records, list) else ():
        if not isinstance(record, Mapping):
            continue
        body = record.get("body") or (record.get("Sns") or {}).get("Message")
        message = _decoded(body) if isinstance(body, str) else None
        found += correlation_ids(message)
        found += correlation_ids(message.get("detail")) if isinstance(message, Mapping) else []
    return list(dict.fromkeys(found))


def _decoded(text: bytes | str) -> Any:
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return None


def _named(document: Mapping[str, Any]) -> list[str]:
    values = [value for name, value in document.items() if name.lower() in _FOLDED]
    return [str(value) for value in values if isinstance(value, str | int) and 0 < len(str(value)) <= _MAX]
