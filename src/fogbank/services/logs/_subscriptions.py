"""What a subscription filter sends: the matching events of a batch, compressed, to a function.

    {"awslogs": {"data": base64(gzip(json))}}
    json = {"messageType": "DATA_MESSAGE", "owner", "logGroup", "logStream", "subscriptionFilters",
    "logEvents"}

Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/SubscriptionFilters.html
"""

from __future__ import annotations

import base64
import gzip
from typing import TYPE_CHECKING

import msgspec

from fogbank.delivery import Message, RetryPolicy
from fogbank.services.logs import storage
from fogbank.services.logs._patterns import compile_pattern
from fogbank.services.logs.model import Event, event_id

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fogbank.core.call import Call
    from fogbank.delivery import Delivery
    from fogbank.storage import Tx

MAX_PAYLOAD = 1_000_000
"""Bytes that an asynchronous invocation takes (1 MB, less what wraps it)."""
_POLICY = RetryPolicy(max_age=86_400.0)
"""Delivery is tried for up to 24 hours, as documented."""


async def enqueue_subscribed(
    tx: Tx, delivery: Delivery, call: Call, *, group: str, group_id: int, stream: str, events: Sequence[Event]
) -> None:
    """Send each subscription of the group the events that match its pattern, in the transaction that stores
    them.
    """
    for name, pattern, _, destination in await storage.list_subscriptions(tx, group_id):
        compiled = compile_pattern(pattern)
        matching = [event for event in events if compiled.matches(event.message)]
        for payload in payloads(call.scope.account, group, stream, name, matching):
            await delivery.enqueue(
                tx,
                Message(
                    target=destination,
                    payload=payload,
                    scope=call.scope,
                    trace=call.trace,
                    source="logs.amazonaws.com",
                    policy=_POLICY,
                ),
            )


def payloads(account: str, group: str, stream: str, name: str, events: Sequence[Event]) -> list[bytes]:
    """The payloads for these events: one, or more where one would be too large."""
    if not events:
        return []
    document = {
        "messageType": "DATA_MESSAGE",
        "owner": account,
        "logGroup": group,
        "logStream": stream,
        "subscriptionFilters": [name],
        "logEvents": [{"id": event_id(e), "timestamp": e.timestamp, "message": e.message} for e in events],
    }
    data = base64.b64encode(gzip.compress(msgspec.json.encode(document), mtime=0)).decode()
    payload = msgspec.json.encode({"awslogs": {"data": data}})
    if len(payload) <= MAX_PAYLOAD or len(events) == 1:
        return [payload]
    half = len(events) // 2
    return payloads(account, group, stream, name, events[:half]) + payloads(account, group, stream, name, events[half:])
