"""How traces and the service graph are shown."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fogbank.cli.drawing import columns_of, mermaid, rate, svg
from fogbank.cli.failures import Failure
from fogbank.cli.traces import parse_duration, seconds
from fogbank.cli.waterfall import bar, tree_of


def span(name: str, parent: str | None, start: float = 0.0, duration: float = 1.0) -> dict[str, Any]:
    return {"id": name, "parent": parent, "start": start, "duration": duration}


def test_a_tree_shows_what_is_in_what() -> None:
    """Children by when they began; what has lost its parent stands at the top."""
    spans = [span("c", "a", 2), span("d", "b", 1.5), span("a", "gone"), span("b", "a", 1), span("e", None, 9)]
    assert [row.branch + row.span["id"] for row in tree_of(spans)] == ["a", "├─ b", "│  └─ d", "└─ c", "e"]


ids = st.sampled_from("abcdefgh")


@given(st.lists(st.tuples(ids, ids), max_size=12))
def test_whatever_the_parents_a_span_is_shown_at_most_once(pairs: list[tuple[str, str]]) -> None:
    """Circles and repetitions end."""
    shown = [row.span["id"] for row in tree_of([span(name, parent) for name, parent in pairs])]
    assert len(shown) == len(set(shown))


@given(st.floats(0, 100), st.floats(0, 100), st.floats(0, 100), st.integers(1, 80))
def test_a_bar_fits_its_width_and_is_never_empty(start: float, duration: float, whole: float, width: int) -> None:
    drawn = bar(start, duration, 0.0, whole, width)
    assert drawn.strip()
    assert len(drawn) <= width + 1


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.00085, "850 µs"), (0.0123, "12.3 ms"), (4.56, "4.56 s"), (90, "1 min 30 s"), (12_000, "3 h 20 min"),
     (3 * 86_400 + 7200, "3 d 2 h")],
)  # fmt: skip
def test_durations_read_well(value: float, text: str) -> None:
    assert seconds(value) == text


def test_a_duration_is_given_with_its_unit() -> None:
    assert [parse_duration(text) for text in ("250ms", "1.5s", "2m", "3")] == [0.25, 1.5, 120.0, 3.0]
    with pytest.raises(Failure, match="expected a time"):
        parse_duration("soon")


def numbers(calls: int = 3, faults: int = 0) -> dict[str, Any]:
    return {
        "calls": calls,
        "rate": calls / 60,
        "errors": 0,
        "throttles": 0,
        "faults": faults,
        "p95": 0.03,
        "mean": 0.02,
    }


GRAPH = {
    "nodes": [
        {"name": "client", "client": True, **numbers()},
        {"name": "events/default", "client": False, **numbers()},
        {"name": "lambda/<take>", "client": False, **numbers(faults=1)},
    ],
    "edges": [
        {"source": "client", "target": "events/default", **numbers()},
        {"source": "events/default", "target": "lambda/<take>", **numbers(faults=1)},
        {"source": "lambda/<take>", "target": "events/default", **numbers()},
    ],
}


def test_mermaid_names_every_node_and_edge() -> None:
    """And marks what failed."""
    text = mermaid(GRAPH)
    assert text.startswith("flowchart LR\n")
    assert 'n1 -->|"3 calls, 3.0/min, 1 failed, p95 30.0 ms"| n2' in text
    assert "class n2 failed" in text


def test_the_drawing_is_well_formed_though_the_graph_has_a_circle() -> None:
    """Names are escaped."""
    root = ET.fromstring(svg(GRAPH))
    assert root.tag.endswith("svg")
    assert "<take>" in "".join(root.itertext())
    assert sorted(name for column in columns_of(GRAPH) for name in column) == sorted(n["name"] for n in GRAPH["nodes"])


def test_rates_read_well() -> None:
    assert (rate(12.34), rate(0.05)) == ("12.3/s", "3.0/min")
