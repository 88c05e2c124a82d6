"""Functions that are called seldom, with and without a rule that keeps them warm.

Run it with `python examples warm-up`. It checks every claim that it prints.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import boto3
from server import Server
from story import Claims, act, deploy, say, start, tell, until

HERE = Path(__file__).parent
ROUNDS = 3
PAUSE = 900
"""Seconds between two waves of events, by the server's clock: longer than an idle environment is kept."""
EVERY = 300
"""Seconds between two warm-ups: what the rule says."""
WARMED = 4
"""Environments that the rule keeps: its targets."""
CALLS = ("Catalog", "Search", "Checkout", "Checkout")
"""What a wave calls, all at once."""
HOLD = 1.0
"""Seconds that a warm-up keeps an environment busy of which the rule wants two."""


class Taken(NamedTuple):
    """An event: the seconds that it took, and whether an environment was started for it."""

    seconds: float
    cold: bool


class Shop:
    """The deployed functions, and clients for them."""

    def __init__(self, endpoint: str, outputs: dict[str, str]) -> None:
        self.names = {name: outputs[f"{name}Name"] for name in set(CALLS)}
        session = boto3.Session(aws_access_key_id="demo", aws_secret_access_key="demo", region_name="us-east-1")
        self._clients = [session.client("lambda", endpoint_url=endpoint) for _ in CALLS]
        self._logs = session.client("logs", endpoint_url=endpoint)

    def wave(self) -> list[Taken]:
        """Call each function once, and one of them twice, all at once."""

        def call(client: Any, function: str) -> Taken:
            begun = time.monotonic()
            reply = client.invoke(FunctionName=self.names[function], Payload=b"{}")
            answer = json.loads(reply["Payload"].read())
            return Taken(time.monotonic() - begun, answer["cold"])

        with ThreadPoolExecutor(len(CALLS)) as callers:
            return list(callers.map(call, self._clients, CALLS))

    def warmed(self) -> int:
        """How many warm-ups the logs tell of."""
        found = 0
        for name in self.names.values():
            try:
                pages = self._logs.get_paginator("filter_log_events").paginate(
                    logGroupName=f"/aws/lambda/{name}", filterPattern='"kept warm"'
                )
                found += sum(len(page["events"]) for page in pages)
            except self._logs.exceptions.ResourceNotFoundException:
                continue  # it has not run yet
        return found


def story(server: Server, claims: Claims) -> None:
    """All of it."""
    act(1, f"{len(CALLS)} events at once, every {PAUSE // 60} minutes")
    start(server)
    shop = Shop(server.endpoint, deploy(server, HERE / "template.yaml", "warm-up", "--parameter", "Warming=DISABLED"))
    before: list[Taken] = []
    for _ in range(ROUNDS):
        server.advance(PAUSE)
        before += shop.wave()
    cold = sum(one.cold for one in before)
    claims.add(
        "each function's first event waits for an environment",
        f"{cold} of {len(before)} events were cold",
        holds=cold >= ROUNDS * len(set(CALLS)),
    )
    act(2, f"The same with the rule: a warm-up every {EVERY // 60} minutes")
    deploy(server, HERE / "template.yaml", "warm-up", "--parameter", "Warming=ENABLED")
    after: list[Taken] = []
    for _ in range(ROUNDS):
        for _ in range(PAUSE // EVERY):
            seen = shop.warmed()
            server.advance(EVERY)
            until(lambda seen=seen: shop.warmed() >= seen + WARMED)
        time.sleep(HOLD + 0.2)  # some are still held
        after += shop.wave()
    cold = sum(one.cold for one in after)
    claims.add("no event waits", f"{cold} of {len(after)} were cold", holds=cold == 0)
    compare(before, after, claims)


def compare(before: list[Taken], after: list[Taken], claims: Claims) -> None:
    """What it was good for."""
    one, other = (statistics.median(taken.seconds for taken in wave) * 1000 for wave in (before, after))
    slowest = [f"{max(wave).seconds:.2f} s" for wave in (before, after)]
    say(f"median {one:.0f} ms before, {other:.0f} ms after; slowest {' and '.join(slowest)}")
    claims.add("the median falls by more than half", f"{one:.0f} ms to {other:.0f} ms", holds=other < one / 2)
    claims.show("Kept warm")


NEXT_STEPS = (
    ("run it, and look at the rule's invocations", "up examples/warm-up/template.yaml"),
    ("or see what SnapStart and provisioned concurrency would do", "cold-starts examples/warm-up/template.yaml"),
)

if __name__ == "__main__":
    sys.exit(tell(story, NEXT_STEPS, "When this helps, and when not: examples/warm-up/README.md"))
