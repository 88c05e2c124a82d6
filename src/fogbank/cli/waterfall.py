"""A trace as a tree with a bar for each span: what is in what, when it began, how long it took. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_EIGHTHS = " ▏▎▍▌▋▊▉"


@dataclass(frozen=True, slots=True)
class Row:
    """A span, what it stands under (`│  ├─ `), and its depth."""

    branch: str
    depth: int
    span: Mapping[str, Any]


def tree_of(spans: Sequence[Mapping[str, Any]]) -> list[Row]:
    """The spans in the order of a tree, children by their beginning.

    A span whose parent is not there (it is a client's own, or was not kept) stands at the top.
    """
    known = {span["id"] for span in spans}
    children: dict[str | None, list[Mapping[str, Any]]] = {}
    for span in sorted(spans, key=lambda s: (s["start"], -s["duration"])):
        parent = span["parent"] if span["parent"] in known and span["parent"] != span["id"] else None
        children.setdefault(parent, []).append(span)
    rows: list[Row] = []
    seen: set[str] = set()
    stack = [("", "", 0, span) for span in reversed(children.get(None, ()))]
    while stack:
        before, mark, depth, span = stack.pop()
        if span["id"] in seen:
            continue
        seen.add(span["id"])
        rows.append(Row(before + mark, depth, span))
        below = before + {"├─ ": "│  ", "└─ ": "   "}.get(mark, "")
        inner = children.get(span["id"], ())
        marks = ["├─ "] * (len(inner) - 1) + ["└─ "]
        stack += reversed([(below, mark, depth + 1, child) for mark, child in zip(marks, inner, strict=False)])
    return rows


def bar(start: float, duration: float, begin: float, whole: float, width: int) -> str:
    """A span's bar within `width` characters that stand for `whole` seconds from `begin`; never empty."""
    if whole <= 0:
        return "▏"
    left = min(width - 0.125, max(0.0, (start - begin) / whole * width))
    length = max(0.125, min(width - left, duration / whole * width))
    column = int(left)
    eighths = max(1, round(length * 8))
    return " " * column + "█" * (eighths // 8) + _EIGHTHS[eighths % 8].strip()


def title(span: Mapping[str, Any]) -> str:
    """What a span is, in a line."""
    where = f"{span['service']}/{span['resource']}" if span["resource"] else span["service"]
    kind, name = span["kind"], span["name"]
    match kind:
        case "api":
            return f"{name} {where}"
        case "invocation":
            return f"{where}" + (" (cold)" if span["attributes"].get("cold") else "")
        case "phase":
            return f"cold start: {name}"
        case "rule" | "schedule" | "execution":
            return f"{kind} {name}"
        case "state":
            return f"state {name}"
        case "delivery":
            number = span["attributes"].get("attempt", 1)
            return f"delivery to {where}" + (f", attempt {number}" if number > 1 else "")
        case "queue":
            receives = span["attributes"].get("receives", 1)
            return f"in queue {span['resource']}" + (f", receipt {receives}" if receives > 1 else "")
        case "wait":
            return f"waited for {where}"
        case "poll":
            return f"batch of {span['attributes'].get('size', '?')} from {where}"
        case "dead-letter":
            return f"dead letter of {where}"
    return str(name)
