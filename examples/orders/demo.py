"""The order system, from its template to a kill -9 and back. Run it with `make demo`.

It checks every claim that it prints, and ends with 1 if one does not hold.
"""

from __future__ import annotations

import json
import random
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from server import CommandError, Server
from shop import Order, Shop, latencies, make_orders, percentile
from story import PATIENCE, Claims, act, command, deploy, progress, say, start, tell, until

HERE = Path(__file__).parent
ORDERS = 50
REPEATS = 20
SECOND_WAVE = 60
STALLED = 0.6
"""Seconds without progress, after which what is left waits for a later moment of the server's clock."""
SLOW = 10_000
"""Milliseconds: an order that took longer was delayed. The poison's first retry comes after 60,000."""

BAD_ORDER = Order("A-bad-order", (("tea", 0),))
"""Its function always fails: nobody can pack no tea."""
BAD_PAYMENT = Order("A-bad-card", (("pot", 1),), card="declined")
"""It is confirmed, and its payment always fails."""

PACE = 0.05
"""Seconds between two orders of the first wave."""


@contextmanager
def publishing(shop: Shop, orders: list[Order], *, each: float) -> Iterator[None]:
    """Publish orders beside a block."""
    publisher = threading.Thread(target=shop.publish, args=(orders,), kwargs={"each": each})
    publisher.start()
    yield
    publisher.join()


def settle(
    shop: Shop,
    prefix: str,
    goals: dict[str, int],
    update: Callable[[dict[str, int]], None],
    *,
    server: Server | None = None,
) -> bool:
    """Wait until the orders have come as far as `goals`; whether they did.

    Where nothing moves any more, what is left waits for a later moment: a retry, or a message that was being worked on
    when the server was killed. With `server` its clock is then moved to that moment, once the handlers that were cut
    off have run out of their own, real time.
    """
    deadline = time.monotonic() + PATIENCE
    last: dict[str, int] = {}
    moved = time.monotonic()
    while time.monotonic() < deadline:
        seen = count(shop.orders(prefix))
        update({name: seen[name] for name in goals})
        if all(seen[name] >= goal for name, goal in goals.items()):
            return True
        if seen != last:
            last, moved = seen, time.monotonic()
        elif server is not None and time.monotonic() - moved > STALLED:
            time.sleep(shop.in_progress())
            server.advance(61)
            say("clock + 61 s: what the kill interrupted is delivered again")
            moved = time.monotonic()
        time.sleep(0.05)
    return False


def count(orders: dict[str, dict[str, Any]]) -> dict[str, int]:
    """How far orders have come."""
    return {
        "confirmed": sum("confirmedAt" in order for order in orders.values()),
        "paid": sum("paidAt" in order for order in orders.values()),
        "duplicates": sum(order.get("duplicates", 0) for order in orders.values()),
    }


# -- the story ------------------------------------------------------------------------------------------------------


def story(server: Server, claims: Claims) -> None:
    """All of it."""
    act(1, "One command is the cloud, another deploys a SAM template to it")
    start(server)
    shop = Shop(server.endpoint, deploy(server, HERE / "template.yaml", "orders"))
    first_wave(shop, server, claims)
    second_wave(shop, server, claims)


def first_wave(shop: Shop, server: Server, claims: Claims) -> None:
    """Fifty orders, some more than once, and two that can never succeed."""
    act(2, f"{ORDERS} orders, {REPEATS} of their events again, and two poison messages among them")
    dice = random.Random(7)
    orders = make_orders("A", ORDERS, dice)
    first_order(shop, orders[0])
    stream = with_repeats(orders, dice)
    goals = {"confirmed": ORDERS + 1, "paid": ORDERS}
    with publishing(shop, stream, each=PACE), progress("publishing and handling", goals) as update:
        settle(shop, "A-", goals, update)
    at_once = count(shop.orders("A-"))
    tries = Tries(shop)
    say(
        "What failed is tried again later. Lambda waits 1 minute, then 2, before it repeats an event; SQS hides a "
        "received message for 30 s. Fogbank's clock can be moved forward, so nobody has to wait:"
    )
    move(server, 61, lambda: tries.order() >= 2 and tries.payment() >= 2, tries)
    move(server, 121, lambda: bool(shop.dead_letters("OrderDeadLettersUrl")) and tries.payment() >= 3, tries)
    move(server, 31, lambda: bool(shop.dead_letters("PaymentDeadLettersUrl")), tries)
    until(lambda: count(shop.orders("A-"))["duplicates"] >= REPEATS)
    judge_first_wave(shop, claims, stream, at_once)


def with_repeats(orders: list[Order], dice: random.Random) -> list[Order]:
    """The stream of events, without the first order's, which was sent: 10 come twice, 5 three times, poison early."""
    chosen = dice.sample(orders, 15)
    stream = orders[1:]
    for order in chosen + chosen[:5]:
        earliest = stream.index(order) + 1 if order in stream else 0
        stream.insert(dice.randint(earliest, len(stream)), order)
    stream.insert(8, BAD_ORDER)
    stream.insert(12, BAD_PAYMENT)
    return stream


def first_order(shop: Shop, order: Order) -> None:
    """One order alone: its function is started for it."""
    shop.publish([order], each=0)
    if not until(lambda: count(shop.orders("A-"))["paid"] == 1):
        raise CommandError(f"the first order was not handled in {PATIENCE:.0f} s")
    took = latencies(shop.orders("A-"), [order.order_id])[0]
    say(f"the first order: confirmed {took} ms after it was published, the function's cold start included")


@dataclass(frozen=True, slots=True)
class Tries:
    """How often the poison messages were tried, by the functions' logs."""

    shop: Shop

    def order(self) -> int:
        """Failures of the function on the bad order."""
        return len([line for line in self.shop.log("HandleOrderName", BAD_ORDER.order_id) if "ValueError" in line])

    def payment(self) -> int:
        """Failures of the function on the bad payment."""
        return len(self.shop.log("TakePaymentsName", BAD_PAYMENT.order_id))

    def __str__(self) -> str:
        ends = [
            ", dead letter" if self.shop.dead_letters(queue) else ""
            for queue in ("OrderDeadLettersUrl", "PaymentDeadLettersUrl")
        ]
        return f"bad order tried {self.order()}×{ends[0]} · bad payment {self.payment()}×{ends[1]}"


def move(server: Server, seconds: int, arrived: Callable[[], bool], tries: Tries) -> None:
    """Move the clock, and wait until what that wakes has happened."""
    server.advance(seconds)
    until(arrived)
    say(f"clock +{seconds:>3} s: {tries}")


def judge_first_wave(shop: Shop, claims: Claims, stream: list[Order], at_once: dict[str, int]) -> None:
    """What became of the first wave."""
    orders = shop.orders("A-")
    good = [order for order_id, order in orders.items() if order_id != BAD_PAYMENT.order_id]
    once = sum(order["confirmations"] == 1 for order in good)
    charged = sum(order.get("charges") == 1 for order in good)
    claims.add(
        "each order was confirmed exactly once, and charged exactly once",
        f"{len(good)} orders: {once} confirmed once, {charged} charged once",
        holds=len(good) == once == charged == ORDERS,
    )
    duplicates = sum(order.get("duplicates", 0) for order in good)
    again = shop.call("HandleOrderName", {"detail": make_orders("A", 1, random.Random(7))[0].detail()})
    claims.add(
        "what came again was answered as a duplicate",
        f"{duplicates} of {REPEATS} repeated events; A-001 called once more: {again.get('confirmation')}, "
        f"duplicate: {json.dumps(again.get('duplicate'))}",
        holds=duplicates == REPEATS and again.get("duplicate") is True,
    )
    judge_poison(shop, claims)
    behind = latencies(orders, [order.order_id for order in stream[stream.index(BAD_ORDER) + 1 :]])
    early = at_once["confirmed"] == ORDERS + 1 and at_once["paid"] == ORDERS
    claims.add(
        "nothing behind the poison was delayed",
        f"the slowest order behind it took {behind[-1]} ms; all were done before its second attempt",
        holds=early and behind[-1] < SLOW,
    )
    took = latencies(orders, orders.keys() - {"A-001"})
    p50, p99 = percentile(took, 50), percentile(took, 99)
    claims.add("from publishing to handling", f"p50 {p50} ms, p99 {p99} ms, over {len(took)} orders", holds=p99 < SLOW)
    sweeps = shop.log("SweepOrdersName", "sweep")
    unpaid = json.loads(sweeps[-1])["sweep"]["unpaid"] if sweeps else None
    claims.add(
        "the schedule fired once a minute, as the clock moved",
        f"{len(sweeps)} sweeps; the last one found unpaid: {', '.join(unpaid or ['none'])}",
        holds=len(sweeps) >= 3 and unpaid == [BAD_PAYMENT.order_id],
    )
    claims.show("What became of them")


def judge_poison(shop: Shop, claims: Claims) -> None:
    """Each poison message must lie in its dead-letter queue, with its reason and its attempts."""
    letters = shop.dead_letters("OrderDeadLettersUrl")
    record = json.loads(letters[0]["Body"]) if letters else {}
    condition = record.get("requestContext", {}).get("condition")
    attempts = record.get("requestContext", {}).get("approximateInvokeCount")
    reason = record.get("responsePayload", {}).get("errorMessage", "")
    claims.add(
        "the bad order is in its dead-letter queue, with reason and attempts",
        f"{condition} after {attempts} attempts: {reason}",
        holds=len(letters) == 1 and attempts == 3 and condition == "RetriesExhausted" and BAD_ORDER.order_id in reason,
    )
    letters = shop.dead_letters("PaymentDeadLettersUrl")
    lines = shop.log("TakePaymentsName", letters[0]["MessageId"]) if letters else []
    reason = json.loads(lines[-1])["message"] if lines else ""
    claims.add(
        "the bad payment is in its dead-letter queue, with reason and attempts",
        f"received {len(lines)} times (maxReceiveCount 3): {reason}",
        holds=len(letters) == 1 and len(lines) == 3 and BAD_PAYMENT.order_id in letters[0]["Body"],
    )


def second_wave(shop: Shop, server: Server, claims: Claims) -> None:
    """A wave in whose middle the server is killed."""
    act(3, f"{SECOND_WAVE} more orders, and in the middle of them: kill -9")
    orders = make_orders("B", SECOND_WAVE, random.Random(11))
    shop.accepted.clear()
    killed: list[int] = []

    def kill_in_the_middle() -> None:
        if not killed and len(shop.accepted) == SECOND_WAVE // 2:
            killed.append(len(shop.accepted))
            server.kill()

    pid = server.process.pid if server.process else 0
    shop.publish(orders, each=0.01, after=kill_in_the_middle)
    command(f"kill -9 {pid}")
    say(f"{killed[0]} events had been accepted; the {len(shop.refused)} that came after found nobody")
    command(f"fogbank start --port {server.port} --data {server.data}")
    took = server.start()
    say(f"ready again after {took * 1000:.0f} ms; the shop now sends what nobody accepted, and goes on")
    again, shop.refused = shop.refused, []
    goals = {"confirmed": SECOND_WAVE, "paid": SECOND_WAVE}
    with publishing(shop, again, each=0.01), progress("publishing and handling", goals) as update:
        done = settle(shop, "B-", goals, update, server=server)
    found = shop.orders("B-")
    lost = [order_id for order_id in set(shop.accepted) if "confirmedAt" not in found.get(order_id, {})]
    unpaid = sorted(found.keys() - {key for key, order in found.items() if order.get("charges") == 1})
    repeated = sum(order["confirmations"] > 1 for order in found.values())
    claims.add(
        "every event that was accepted was handled",
        f"{len(shop.accepted)} accepted, {len(found)} orders confirmed, {len(lost)} lost",
        holds=done and not lost and len(found) == SECOND_WAVE and len(shop.accepted) == SECOND_WAVE,
    )
    claims.add(
        "none was charged twice, and all were charged",
        f"{len(found) - len(unpaid)} orders charged exactly once; {repeated} had been cut off half-way and went on",
        holds=not unpaid and len(found) == SECOND_WAVE,
    )
    claims.show("What the kill cost")


NEXT_STEPS = (
    ("run it; then edit a file below examples/orders/src, and see it redeployed", "up examples/orders/template.yaml"),
    ("in another terminal: place an order", "publish --bus OrderBus --entries @examples/orders/order.json"),
    ("call a function, and see its log", "invoke SweepOrders --log"),
    ("what failed, and why; then: dlq peek, dlq redrive", "dlq list"),
    ("what is deployed", "stacks orders"),
)

if __name__ == "__main__":
    sys.exit(tell(story, NEXT_STEPS, "The whole of it, step by step: docs/tutorial.md"))
