"""`make bench`: every workload on every peer, rounds interleaved, medians and ratios.

python -m benchmarks.run [--rounds N] [--seconds S] [--only TEXT] [--peers Fogbank,MiniStack] [--json FILE]
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import uvloop
from botocore.exceptions import BotoCoreError, ClientError

from benchmarks import cold, workflows, workloads
from benchmarks.load import Figures, Step, run
from benchmarks.peers import FOGBANK, PEERS, UNSEEN, Peer, Running, start
from benchmarks.wire import Connection, RequestError
from benchmarks.workloads import Workload

FAILURES = (RequestError, ClientError, BotoCoreError, ConnectionError, TimeoutError)
SNAP_START = "cold start with SnapStart, 1 s of init"
IDLE = "private memory of idle environments"
SEEING = "cost of seeing"
SEEN = ("SendMessage, 16 connections", "PutEvents through 1 of 20 rules", "warm invoke, 16 connections")
"""The workloads that are measured with and without telemetry."""
SEEN_ROUNDS = 9
"""Pairs of fresh servers, at least: two processes of one program differ by more than telemetry costs."""
Results = dict[str, dict[str, list[Figures]]]


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, and print the tables."""
    options = _options(argv)
    by_name = {peer.name: peer for peer in PEERS}
    peers = [by_name[name] for name in options.peers.split(",")]
    results: Results = {}
    latencies: dict[str, dict[str, list[float]]] = {"cold start": {}, "queue to handler": {}}
    with contextlib.ExitStack() as stack:
        servers = [stack.enter_context(start(peer)) for peer in peers]
        print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
        idle = {server.peer.name: server.memory() for server in servers}
        for workload in (*workloads.WORKLOADS, *workflows.WORKLOADS):
            if options.only in workload.name:
                results[workload.name] = _measure(servers, workload, options)
        for name, measure in (("cold start", _cold), ("queue to handler", _queue)):
            if options.only in name:
                latencies[name] = _latencies(servers, measure)
        own = [server for server in servers if server.peer is FOGBANK]
        if options.only in SNAP_START:
            latencies[SNAP_START] = _latencies(own, cold.snap_start)
        weights = [cold.idle_memory(server) for server in own if options.only in IDLE]
        if own and (not options.only or options.only in SEEING):
            _print_seeing(_seeing(options))
        waits = _waiting(servers) if options.only in WAITING else {}
        _print_rates(results, peers)
        _print_latencies(results, latencies, peers)
        _print_cloud(weights)
        print("\n| | " + " | ".join(p.name for p in peers) + " |\n| --- |" + " ---: |" * len(peers))
        print("| ready after, ms | " + " | ".join(f"{s.ready_after * 1000:,.0f}" for s in servers) + " |")
        print("| idle memory, MB | " + " | ".join(f"{idle[s.peer.name] / 1e6:,.0f}" for s in servers) + " |")
        print("| memory after the run, MB | " + " | ".join(f"{s.memory() / 1e6:,.0f}" for s in servers) + " |")
        _print_waiting(waits, peers)
    if options.json:
        _write(options.json, results, latencies)


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3.0, help="length of a round")
    parser.add_argument("--only", default="", help="workloads whose name contains this")
    parser.add_argument("--peers", default=",".join(peer.name for peer in PEERS))
    parser.add_argument("--json", type=Path, help="write all figures to this file")
    return parser.parse_args(argv)


def _measure(servers: Sequence[Running], workload: Workload, options: argparse.Namespace) -> dict[str, list[Figures]]:
    """Rounds of one workload, the peers taking turns so that a drift of the machine meets all of them."""
    steps: dict[str, Step] = {}
    found: dict[str, list[Figures]] = {}
    for server in servers:
        name = server.peer.name
        if name == "Moto" and not workload.in_moto:
            continue
        try:
            steps[name] = workload.prepare(server)
        except FAILURES as error:
            print(f"{name} cannot do {workload.name!r}: {error}", file=sys.stderr)
    for _ in range(min(options.rounds, workload.rounds or options.rounds)):
        for server in servers:
            step = steps.get(server.peer.name)
            if step is None:
                continue
            job = run(server, step, connections=workload.connections, seconds=options.seconds, units=workload.units)
            try:
                figures = uvloop.run(job)
            except FAILURES as error:
                print(f"{server.peer.name} failed in {workload.name!r}: {error}", file=sys.stderr)
                del steps[server.peer.name]
                continue
            found.setdefault(server.peer.name, []).append(figures)
    return found


def _cold(server: Running) -> list[float]:
    """First invocations of fresh functions, one after another."""
    step = workloads.cold_start(server)

    async def measure() -> list[float]:
        connection = await Connection.open(server.endpoint)
        found = []
        for number in range(workloads.COLD_FUNCTIONS):
            before = time.perf_counter()
            await step(connection, number)
            found.append(time.perf_counter() - before)
        connection.close()
        return found

    return asyncio.run(measure())


def _queue(server: Running) -> list[float]:
    return workloads.queue_to_handler(server, 100)


def _latencies(servers: Sequence[Running], measure: Callable[[Running], list[float]]) -> dict[str, list[float]]:
    found = {}
    for server in servers:
        if server.peer.name == "Moto":  # it runs functions in Docker only
            continue
        try:
            found[server.peer.name] = measure(server)
        except FAILURES as error:
            print(f"{server.peer.name} cannot: {error}", file=sys.stderr)
    return found


WAITING = "executions that wait for a callback"
COUNTS = {FOGBANK.name: 10_000}
"""Executions that wait at once; of the peers, which have a thread for each, fewer."""


def _waiting(servers: Sequence[Running]) -> dict[str, workflows.Waiting]:
    found = {}
    for server in servers:
        try:
            found[server.peer.name] = workflows.waiting(server, COUNTS.get(server.peer.name, 500))
        except FAILURES as error:
            print(f"{server.peer.name} cannot have {WAITING}: {error}", file=sys.stderr)
    return found


def _print_waiting(waits: dict[str, workflows.Waiting], peers: Sequence[Peer]) -> None:
    if not waits:
        return
    found = [waits.get(peer.name) for peer in peers]
    print(f"\n| {WAITING} | " + " | ".join(p.name for p in peers) + " |\n| --- |" + " ---: |" * len(peers))
    for title in workflows.Waiting.TITLES:
        print(f"| {title} | " + " | ".join("–" if wait is None else wait.cells()[title] for wait in found) + " |")


def _median(figures: Sequence[Figures] | None, value: Callable[[Figures], float]) -> float | None:
    return statistics.median(value(f) for f in figures) if figures else None


def _print_rates(results: Results, peers: Sequence[Peer]) -> None:
    for title, value in (
        ("a second of server CPU", lambda f: f.per_cpu),
        ("a second", lambda f: f.rate),
    ):
        others = [peer for peer in peers if peer is not FOGBANK]
        print(
            f"\n| {title} | "
            + " | ".join(p.name for p in peers)
            + " | "
            + " | ".join(f"× {p.name}" for p in others)
            + " |"
        )
        print("| --- |" + " ---: |" * (len(peers) + len(others)))
        for name, by_peer in results.items():
            medians = {peer.name: _median(by_peer.get(peer.name), value) for peer in peers}
            ours = medians.get(FOGBANK.name)
            cells = [_number(medians[peer.name]) for peer in peers]
            for other in others:
                theirs = medians[other.name]
                cells.append(f"{ours / theirs:.1f}" if ours and theirs else "–")
            print(f"| {name} | " + " | ".join(cells) + " |")


def _print_latencies(results: Results, latencies: dict[str, dict[str, list[float]]], peers: Sequence[Peer]) -> None:
    print("\n| p50 / p99, ms | " + " | ".join(p.name for p in peers) + " |")
    print("| --- |" + " ---: |" * len(peers))
    for name, by_peer in results.items():
        cells = []
        for peer in peers:
            merged = [t for f in by_peer.get(peer.name, []) for t in f.latencies]
            cells.append(_pair(merged))
        print(f"| {name} | " + " | ".join(cells) + " |")
    for name, seconds in latencies.items():
        print(f"| {name} | " + " | ".join(_pair(seconds.get(p.name, [])) for p in peers) + " |")


def _seeing(options: argparse.Namespace) -> list[tuple[Workload, dict[str, list[Figures]]]]:
    """Each workload with telemetry and without, on pairs of servers that are started for it."""
    chosen = [workload for workload in workloads.WORKLOADS if workload.name in SEEN]
    once = argparse.Namespace(**{**vars(options), "rounds": 1})
    found: dict[str, dict[str, list[Figures]]] = {workload.name: {} for workload in chosen}
    for _ in range(max(options.rounds, SEEN_ROUNDS)):
        with start(FOGBANK) as seen, start(UNSEEN) as unseen:
            for workload in chosen:
                for name, figures in _measure([seen, unseen], workload, once).items():
                    found[workload.name].setdefault(name, []).extend(figures)
    return [(workload, found[workload.name]) for workload in chosen]


def _print_seeing(results: Sequence[tuple[Workload, dict[str, list[Figures]]]]) -> None:
    """Requests a second of the server's processor with telemetry, without, and the share that it takes.

    The share is the median of those of the pairs of rounds.
    """
    print(f"\n| {SEEING}, a second of server CPU | with | without | share |\n| --- | ---: | ---: | ---: |")
    for workload, by_peer in results:
        rounds = [by_peer.get(name, []) for name in (FOGBANK.name, UNSEEN.name)]
        on, off = (_median(each, lambda f: f.per_cpu) for each in rounds)
        shares = [1 - seen.per_cpu / unseen.per_cpu for seen, unseen in zip(*rounds, strict=False) if unseen.per_cpu]
        share = f"{statistics.median(shares) * 100:.0f}%" if shares else "–"
        print(f"| {workload.name} | {_number(on)} | {_number(off)} | {share} |")


def _print_cloud(weights: Sequence[float]) -> None:
    print("\n| AWS's cold starts, as its users publish them | p50 / p99, ms |\n| --- | ---: |")
    for name, p50, p99 in cold.CLOUD:
        print(f"| {name} | {p50} / {p99} |")
    for weight in weights:
        print(f"\n{IDLE}: {weight / 1e6:.2f} MB each, of {cold.IDLE:,}")


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:,.0f}"


def _pair(seconds: Sequence[float]) -> str:
    if not seconds:
        return "–"
    ordered = sorted(seconds)
    p50, p99 = ordered[len(ordered) // 2], ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]
    return f"{p50 * 1000:.2f} / {p99 * 1000:.2f}"


def _write(path: Path, results: Results, latencies: dict[str, dict[str, list[float]]]) -> None:
    document = {
        "rates": {
            name: {
                peer: [
                    {"rate": f.rate, "per_cpu": f.per_cpu, "p50": f.percentile(0.5), "p99": f.percentile(0.99)}
                    for f in rounds
                ]
                for peer, rounds in by_peer.items()
            }
            for name, by_peer in results.items()
        },
        "latencies": latencies,
    }
    path.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
