"""The outbox's rows. A row is there from the sender's commit until the message has arrived or is exhausted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import msgspec

from fogbank.core.scope import Scope
from fogbank.core.trace import Trace
from fogbank.delivery.message import Message, RetryPolicy
from fogbank.storage import Tx

INSERT = """
INSERT INTO outbox (route, target, payload, envelope, attempts, enqueued, due, leased_until)
VALUES ($1, $2, $3, $4, 0, $5, $6, $7) RETURNING id
"""
DELETE = "DELETE FROM outbox WHERE id = $1"
POSTPONE = "UPDATE outbox SET attempts = $2, due = $3, leased_until = 0, error = $4 WHERE id = $1"
RENEW = "UPDATE outbox SET leased_until = $2 WHERE id = $1"
CLAIM = """
UPDATE outbox SET leased_until = $2 WHERE id IN (
    SELECT id FROM outbox WHERE route = $4 AND due <= $1 AND leased_until <= $1
    ORDER BY due LIMIT $3 FOR UPDATE SKIP LOCKED
) RETURNING id, route, target, payload, envelope, attempts, enqueued
"""
NEXT_DUE = "SELECT due FROM outbox WHERE route = $1 AND leased_until = 0 ORDER BY due LIMIT 1"
RELEASE_ALL = "UPDATE outbox SET leased_until = 0 WHERE leased_until > 0"


class Claimed(NamedTuple):
    """A row that this node may attempt now."""

    id: int
    message: Message
    attempts: int
    enqueued: int


class _Envelope(msgspec.Struct, omit_defaults=True, array_like=True):
    """All of a message but its route, target and payload, as one compact JSON array."""

    source: str
    account: str
    region: str
    trace: tuple[str, str, bool | None]
    parameters: Mapping[str, Any]
    policy: tuple[int, float, float, float, tuple[float, ...]]
    dead_letter: str | None
    dead_letter_attributes: Mapping[str, str]
    origin: str = ""


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(_Envelope).decode


async def insert(tx: Tx, message: Message, *, now: int, leased_until: int) -> int:
    """Add a message; its id."""
    policy = message.policy
    envelope = _Envelope(
        message.source,
        message.scope.account,
        message.scope.region,
        (message.trace.root, message.trace.parent, message.trace.sampled),
        message.parameters,
        (policy.max_retries, policy.max_age, policy.first, policy.ceiling, policy.delays),
        message.dead_letter,
        message.dead_letter_attributes,
        message.trace.origin,
    )
    due = now + int(message.delay * 1000)
    row = await tx.fetch_one(
        INSERT, message.route, message.target, message.payload, _encode(envelope), now, due, leased_until
    )
    assert row is not None, "INSERT … RETURNING gives a row"
    return int(row[0])


async def claim(tx: Tx, route: str, *, now: int, leased_until: int, limit: int) -> list[Claimed]:
    """Take up to `limit` rows of a route that are due and that nobody is at work on."""
    rows = await tx.fetch(CLAIM, now, leased_until, limit, route)
    return [_claimed(*row) for row in rows]


async def delete(tx: Tx, ids: Iterable[int]) -> None:
    """Remove rows that are settled."""
    await tx.execute_many(DELETE, [(key,) for key in ids])


async def postpone(tx: Tx, key: int, *, attempts: int, due: int, error: str) -> None:
    """Put a failed message back until it is due again."""
    await tx.execute(POSTPONE, key, attempts, due, error)


async def renew(tx: Tx, ids: Iterable[int], leased_until: int) -> None:
    """Keep the leases of what is under way."""
    await tx.execute_many(RENEW, [(key, leased_until) for key in ids])


async def next_due(tx: Tx, route: str) -> int | None:
    """When the next row of a route that nobody holds falls due, in milliseconds."""
    row = await tx.fetch_one(NEXT_DUE, route)
    return None if row is None else int(row[0])


async def release_all(tx: Tx) -> None:
    """Let go of every lease: what an earlier run of the only node held is free again."""
    await tx.execute(RELEASE_ALL)


def _claimed(
    key: int, route: str, target: str, payload: bytes, envelope: bytes, attempts: int, enqueued: int
) -> Claimed:
    e = _decode(envelope)
    message = Message(
        target=target,
        payload=payload,
        scope=Scope(e.account, e.region),
        trace=Trace(*e.trace, e.origin),
        route=route,
        source=e.source,
        parameters=e.parameters,
        policy=RetryPolicy(*e.policy),
        dead_letter=e.dead_letter,
        dead_letter_attributes=e.dead_letter_attributes,
    )
    return Claimed(key, message, attempts, enqueued)
