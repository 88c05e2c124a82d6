"""How time and memory grow with the items of a Map: `python -m benchmarks.growth [--out docs/growth.svg]`.

A distributed Map over 100 to 100,000 items, each one Pass state, on Fogbank. An expression makes the items, and the
results are counted, so that no limit of a payload is in the way.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.load import Step
from benchmarks.peers import FOGBANK, Running, start
from benchmarks.wire import Connection
from benchmarks.workflows import make_machine, start_to_end

COUNTS = (100, 300, 1_000, 3_000, 10_000, 30_000, 100_000)
WIDTH, HEIGHT, MARGIN = 640, 360, 56
PATIENCE = 600.0
"""Seconds that a Map may take."""
LOOK = 0.02
"""Seconds between two looks at the server's memory."""


@dataclass(frozen=True, slots=True)
class Point:
    """One Map: seconds from its start to its seen end, of processor time, and bytes that memory grew by at the most."""

    count: int
    seconds: float
    cpu: float
    memory: int


def machine_of(server: Running) -> str:
    """A state machine whose Map has as many items as the input says."""
    states = {
        "Map": {
            "Type": "Map",
            "QueryLanguage": "JSONata",
            "Items": "{% [1..$states.input] %}",
            "ItemProcessor": {
                "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "EXPRESS"},
                "StartAt": "P",
                "States": {"P": {"Type": "Pass", "End": True}},
            },
            "Output": "{% $count($states.result) %}",
            "End": True,
        }
    }
    return make_machine(server, states)


def measure(server: Running, machine: str, count: int) -> Point:
    """Run one Map."""
    before, cpu, begun = server.memory(), server.cpu(), time.perf_counter()
    peak, done = before, threading.Event()

    def watch() -> None:
        nonlocal peak
        while not done.wait(LOOK):
            peak = max(peak, server.memory())

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        asyncio.run(_once(server, start_to_end(server, machine, str(count), PATIENCE)))
        elapsed = time.perf_counter() - begun
    finally:
        done.set()
        watcher.join()
    return Point(count, elapsed, server.cpu() - cpu, max(peak, server.memory()) - before)


async def _once(server: Running, step: Step) -> None:
    connection = await Connection.open(server.endpoint)
    await step(connection, 0)
    connection.close()


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, print the table, draw the plot."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.growth", description=__doc__)
    parser.add_argument("--out", type=Path, help="an SVG file")
    parser.add_argument("--most", type=int, default=COUNTS[-1], help="items of the largest Map")
    options = parser.parse_args(argv)
    points = []
    print("| items | ms | CPU, ms | memory, MB |\n| ---: | ---: | ---: | ---: |")
    for count in COUNTS:
        if count > options.most:
            break
        with start(FOGBANK) as server:  # each on a fresh server: what the one before left behind is not its
            machine = machine_of(server)
            measure(server, machine, 10)
            point = measure(server, machine, count)
        points.append(point)
        cells = (f"{count:,}", f"{point.seconds * 1000:,.0f}", f"{point.cpu * 1000:,.0f}", f"{point.memory / 1e6:,.1f}")
        print("| " + " | ".join(cells) + " |", flush=True)
    if options.out:
        options.out.write_text(plot(points))


def plot(points: Sequence[Point]) -> str:
    """Both on logarithmic axes: milliseconds of processor time, and megabytes."""
    series = (
        ("CPU, ms", "#0b6e99", [(point.count, max(1.0, point.cpu * 1000)) for point in points]),
        ("memory, MB", "#b4550a", [(point.count, max(0.1, point.memory / 1e6)) for point in points]),
    )
    low = min(value for _, _, line in series for _, value in line)
    high = max(value for _, _, line in series for _, value in line)
    bottom, top = math.floor(math.log10(low)), math.ceil(math.log10(high))
    left, right = math.log10(points[0].count), math.log10(points[-1].count)

    def x(count: float) -> float:
        return MARGIN + (math.log10(count) - left) / (right - left) * (WIDTH - 2 * MARGIN)

    def y(value: float) -> float:
        return HEIGHT - MARGIN - (math.log10(value) - bottom) / (top - bottom) * (HEIGHT - 2 * MARGIN)

    box = f'viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {box}>',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        f'<text x="{WIDTH / 2}" y="24" text-anchor="middle" font-size="14">A Map of Pass states, by its items</text>',
    ]
    for power in range(bottom, top + 1):
        at = y(10**power)
        parts += [
            f'<line x1="{MARGIN}" x2="{WIDTH - MARGIN}" y1="{at:.1f}" y2="{at:.1f}" stroke="#ddd"/>',
            f'<text x="{MARGIN - 6}" y="{at + 4:.1f}" text-anchor="end">{10.0**power:,g}</text>',
        ]
    for point in points:
        parts.append(
            f'<text x="{x(point.count):.1f}" y="{HEIGHT - MARGIN + 18}" text-anchor="middle">{point.count:,}</text>'
        )
    for number, (name, color, line) in enumerate(series):
        path = " ".join(f"{x(count):.1f},{y(value):.1f}" for count, value in line)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{color}" stroke-width="2"/>')
        parts += [f'<circle cx="{x(count):.1f}" cy="{y(value):.1f}" r="3" fill="{color}"/>' for count, value in line]
        parts.append(f'<text x="{MARGIN + 12}" y="{MARGIN + 6 + 18 * number}" fill="{color}">{name}</text>')
    return "\n".join([*parts, "</svg>", ""])


if __name__ == "__main__":
    main()
