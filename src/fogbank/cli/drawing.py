"""The service graph as text, as Mermaid and as SVG. Pure functions over what `/_fogbank/map` answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from fogbank.cli.traces import seconds

Graph = Mapping[str, Any]
_FONT = 'font-family="sans-serif" font-size="11"'
_ARROW_HEAD = (
    '<defs><marker id="a" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
    '<path d="M0 0L8 4L0 8z" fill="#555"/></marker></defs>'
)
_COLUMN, _ROW, _BOX, _TALL, _MARGIN = 260, 90, 190, 52, 30


def failed(numbers: Mapping[str, Any]) -> int:
    """How many of the calls failed."""
    return int(numbers["errors"] + numbers["throttles"] + numbers["faults"])


def rate(value: float) -> str:
    """Calls a second, or a minute where they are few."""
    return f"{value:.1f}/s" if value >= 1 else f"{value * 60:.1f}/min"


def label(numbers: Mapping[str, Any]) -> str:
    """`12 calls, 0.2/min, 1 failed, p95 30 ms`."""
    calls = f"{numbers['calls']} call{'s' if numbers['calls'] != 1 else ''}"
    wrong = f", {failed(numbers)} failed" if failed(numbers) else ""
    return f"{calls}, {rate(numbers['rate'])}{wrong}, p95 {seconds(numbers['p95'])}"


def mermaid(graph: Graph) -> str:
    """A Mermaid flowchart: what failed is red."""
    ids = {node["name"]: f"n{number}" for number, node in enumerate(graph["nodes"])}
    lines = ["flowchart LR"]
    for node in graph["nodes"]:
        name = node["name"].replace('"', "#quot;")
        shape = f'(["{name}"])' if node["client"] else f'["{name}"]'
        lines.append(f"    {ids[node['name']]}{shape}")
    lines += [f'    {ids[edge["source"]]} -->|"{label(edge)}"| {ids[edge["target"]]}' for edge in graph["edges"]]
    bad = [ids[node["name"]] for node in graph["nodes"] if failed(node)]
    if bad:
        lines += ["    classDef failed stroke:#c1121f,stroke-width:2px", f"    class {','.join(bad)} failed"]
    return "\n".join(lines) + "\n"


def columns_of(graph: Graph) -> list[list[str]]:
    """The nodes in columns: each stands right of what calls it. What goes round in a circle ends somewhere."""
    depth = {node["name"]: 0 for node in graph["nodes"]}
    edges = [(edge["source"], edge["target"]) for edge in graph["edges"]]
    for _ in range(len(depth)):
        moved = False
        for source, target in edges:
            if source != target and depth[target] <= depth[source] < len(depth) - 1:
                depth[target] = depth[source] + 1
                moved = True
        if not moved:
            break
    found: dict[int, list[str]] = {}
    for name, column in depth.items():
        found.setdefault(column, []).append(name)
    return [sorted(found[column]) for column in sorted(found)]


def svg(graph: Graph) -> str:
    """A drawing: boxes in columns, from what calls to what is called."""
    columns = columns_of(graph)
    places = {name: (x, y) for x, column in enumerate(columns) for y, name in enumerate(column)}
    numbers = {node["name"]: node for node in graph["nodes"]}
    width = _MARGIN * 2 + max(len(columns), 1) * _COLUMN - (_COLUMN - _BOX)
    height = _MARGIN * 2 + max((len(column) for column in columns), default=1) * _ROW
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" {_FONT}>',
        _ARROW_HEAD,
        f'<rect width="{width}" height="{height}" fill="white"/>',
    ]
    parts += [_arrow(edge, places) for edge in graph["edges"] if edge["source"] != edge["target"]]
    parts += [_box(name, places[name], numbers[name]) for name in places]
    return "\n".join([*parts, "</svg>\n"])


def _corner(place: tuple[int, int]) -> tuple[int, int]:
    return _MARGIN + place[0] * _COLUMN, _MARGIN + place[1] * _ROW


def _arrow(edge: Mapping[str, Any], places: Mapping[str, tuple[int, int]]) -> str:
    x1, y1 = _corner(places[edge["source"]])
    x2, y2 = _corner(places[edge["target"]])
    x1, y1, y2 = x1 + _BOX, y1 + _TALL // 2, y2 + _TALL // 2
    middle = (x1 + x2) // 2
    colour = "#c1121f" if failed(edge) else "#555"
    return (
        f"<g><title>{escape(edge['source'])} → {escape(edge['target'])}: {escape(label(edge))}</title>"
        f'<path d="M{x1} {y1}C{middle} {y1} {middle} {y2} {x2} {y2}" fill="none" stroke="{colour}" '
        f'stroke-width="1.5" marker-end="url(#a)"/></g>'
    )


def _box(name: str, place: tuple[int, int], numbers: Mapping[str, Any]) -> str:
    x, y = _corner(place)
    colour = "#c1121f" if failed(numbers) else "#2a6f97"
    service, _, resource = name.partition("/")
    lines = [resource or service, service if resource else ""]
    if not numbers["client"]:
        wrong = f"  {failed(numbers)} failed" if failed(numbers) else ""
        lines.append(f"{rate(numbers['rate'])}  p95 {seconds(numbers['p95'])}{wrong}")
    shown = "".join(
        f'<text x="{x + 8}" y="{y + 16 + 14 * number}">{escape(line[:30])}</text>' for number, line in enumerate(lines)
    )
    return (
        f'<g><rect x="{x}" y="{y}" width="{_BOX}" height="{_TALL}" rx="6" fill="white" stroke="{colour}" '
        f'stroke-width="1.5"/>{shown}</g>'
    )


def rows_of(graph: Graph) -> list[Sequence[Any]]:
    """The edges as the rows of a table."""
    return [
        (
            edge["source"],
            edge["target"],
            edge["calls"],
            rate(edge["rate"]),
            failed(edge) or "",
            seconds(edge["mean"]),
            seconds(edge["p95"]),
        )
        for edge in graph["edges"]
    ]
