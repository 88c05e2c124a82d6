"""The client's side of the order system: a checkout that publishes orders, and questions about what became of them.

Everything here is plain boto3. Against AWS it would be the same, without the endpoint and the keys.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from clients import Client

SKUS = {"tea": 450, "cup": 1200, "pot": 3900, "tin": 800}
"""What the shop sells, in cents."""


@dataclass(frozen=True, slots=True)
class Order:
    """An order as the checkout makes it."""

    order_id: str
    lines: tuple[tuple[str, int], ...]
    card: str = "ok"

    def detail(self) -> dict[str, Any]:
        """The event's detail. `placedAt` is now, in milliseconds."""
        return {
            "orderId": self.order_id,
            "idempotencyKey": f"checkout-{self.order_id}",
            "lines": [{"sku": sku, "quantity": quantity, "cents": SKUS[sku]} for sku, quantity in self.lines],
            "card": self.card,
            "placedAt": time.time_ns() // 1_000_000,
        }


def make_orders(prefix: str, count: int, dice: random.Random) -> list[Order]:
    """`count` ordinary orders."""
    return [
        Order(f"{prefix}-{number:03}", tuple((sku, dice.randint(1, 3)) for sku in dice.sample(list(SKUS), 2)))
        for number in range(1, count + 1)
    ]


@dataclass(slots=True)
class Shop(Client):
    """A checkout, connected to a deployed order system by the stack's outputs."""

    accepted: list[str] = field(default_factory=list)
    """The order of every event that the bus acknowledged; an order published twice is there twice."""
    refused: list[Order] = field(default_factory=list)
    """The orders whose events got no acknowledgement."""

    def publish(self, orders: Iterable[Order], *, each: float, after: Callable[[], None] = lambda: None) -> None:
        """Publish orders one by one, one in `each` seconds; call `after` when one was sent."""
        events = self.client("events")
        due = time.monotonic()
        for order in orders:
            due += each
            entry = {
                "EventBusName": self.outputs["OrderBusName"],
                "Source": "shop.checkout",
                "DetailType": "Order Placed",
                "Detail": json.dumps(order.detail()),
            }
            try:
                reply = events.put_events(Entries=[entry])
            except (BotoCoreError, ClientError):
                self.refused.append(order)
            else:
                if reply["FailedEntryCount"]:
                    self.refused.append(order)
                else:
                    self.accepted.append(order.order_id)
            after()
            time.sleep(max(0.0, due - time.monotonic()))

    def orders(self, prefix: str) -> dict[str, dict[str, Any]]:
        """What the order system knows of the orders whose ids begin with `prefix`."""
        pages = (
            self.client("dynamodb")
            .get_paginator("scan")
            .paginate(
                TableName=self.outputs["OrdersTableName"],
                ConsistentRead=True,
                FilterExpression="begins_with(orderId, :prefix)",
                ExpressionAttributeValues={":prefix": {"S": prefix}},
            )
        )
        items = [plain(item) for page in pages for item in page["Items"]]
        return {item["orderId"]: item for item in items}

    def in_progress(self) -> float:
        """Seconds until Powertools gives up on the handlers that were cut off; 0 if there are none."""
        pages = (
            self.client("dynamodb")
            .get_paginator("scan")
            .paginate(
                TableName=self.outputs["IdempotencyTableName"],
                ConsistentRead=True,
                FilterExpression="#status = :status",
                ExpressionAttributeNames={"#status": "status"},
                ExpressionAttributeValues={":status": {"S": "INPROGRESS"}},
            )
        )
        ends = [plain(item)["in_progress_expiration"] for page in pages for item in page["Items"]]
        return max(0.0, max(ends, default=0) / 1000 - time.time())

    def dead_letters(self, queue: str) -> list[dict[str, Any]]:
        """What lies in a dead-letter queue; it stays there."""
        reply = self.client("sqs").receive_message(
            QueueUrl=self.outputs[queue],
            MaxNumberOfMessages=10,
            VisibilityTimeout=0,
            MessageSystemAttributeNames=["All"],
            MessageAttributeNames=["All"],
        )
        return list(reply.get("Messages", []))

    def call(self, function: str, event: Mapping[str, Any]) -> dict[str, Any]:
        """Call a function, and wait for its answer."""
        reply = self.client("lambda").invoke(FunctionName=self.outputs[function], Payload=json.dumps(event))
        return dict(json.loads(reply["Payload"].read()))

    def log(self, function: str, text: str) -> list[str]:
        """The lines of a function's log that contain a text."""
        pages = (
            self.client("logs")
            .get_paginator("filter_log_events")
            .paginate(logGroupName=f"/aws/lambda/{self.outputs[function]}", filterPattern=f'"{text}"')
        )
        return [event["message"] for page in pages for event in page["events"]]


def plain(item: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """A DynamoDB item of strings and numbers as plain values."""
    return {name: int(value["N"]) if "N" in value else value.get("S") for name, value in item.items()}


def latencies(orders: Mapping[str, Mapping[str, Any]], ids: Iterable[str]) -> list[int]:
    """Milliseconds from publishing to handling, ascending."""
    known = [orders[order_id] for order_id in ids if order_id in orders]
    return sorted(order["confirmedAt"] - order["placedAt"] for order in known)


def percentile(ascending: Sequence[int], percent: int) -> int:
    """The value that `percent` of the values do not exceed (nearest rank)."""
    return ascending[max(0, -(-len(ascending) * percent // 100) - 1)] if ascending else 0
