"""The rows of SNS: one function for each question that the API asks."""

# ruff: noqa: S608 - statements are put together from constants of this file

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from fogbank.services.sns.model import Counts, Protocol, State, Subscription, Topic, TopicKey
from fogbank.storage import Row, Tx

_TOPIC = "id, account, region, name, attributes, tags, deleted"
FIND_TOPIC = f"SELECT {_TOPIC} FROM sns_topics WHERE account = $1 AND region = $2 AND name = $3"
LIST_TOPICS = """
SELECT name FROM sns_topics WHERE account = $1 AND region = $2 AND name > $3 ORDER BY name LIMIT $4
"""
INSERT_TOPIC = """
INSERT INTO sns_topics (account, region, name, attributes, tags, deleted, sequence)
VALUES ($1, $2, $3, $4, $5, 0, 0)
"""
SET_ATTRIBUTES = "UPDATE sns_topics SET attributes = $2 WHERE id = $1"
SET_TAGS = "UPDATE sns_topics SET tags = $2 WHERE id = $1"
COUNT_DELETED = "UPDATE sns_topics SET deleted = deleted + 1 WHERE id = $1"
NEXT_SEQUENCE = "UPDATE sns_topics SET sequence = sequence + 1 WHERE id = $1 RETURNING sequence"
DELETE_TOPIC = "DELETE FROM sns_topics WHERE id = $1"

_SUBSCRIPTION = (
    "arn, topic, topic_arn, protocol, endpoint, account, attributes, principal, state, authenticated, token, "
    "expires_at, guarded"
)
FIND_SUBSCRIPTION = f"SELECT {_SUBSCRIPTION} FROM sns_subscriptions WHERE arn = $1"
FIND_TOKEN = f"SELECT {_SUBSCRIPTION} FROM sns_subscriptions WHERE token = $1"
FIND_ENDPOINT = f"""
SELECT {_SUBSCRIPTION} FROM sns_subscriptions WHERE topic = $1 AND protocol = $2 AND endpoint = $3
"""
OF_TOPIC = (
    f"SELECT {_SUBSCRIPTION} FROM sns_subscriptions WHERE topic = $1 AND arn > $2 AND state < 2 ORDER BY arn LIMIT $3"
)
OF_OWNER = f"""
SELECT {_SUBSCRIPTION} FROM sns_subscriptions WHERE account = $1 AND region = $2 AND arn > $3 AND state < 2
ORDER BY arn LIMIT $4
"""
COUNT_OF_TOPIC = "SELECT COUNT(*), COALESCE(SUM(state), 0) FROM sns_subscriptions WHERE topic = $1 AND state < 2"
PUT_SUBSCRIPTION = """
INSERT INTO sns_subscriptions (arn, topic, topic_arn, protocol, endpoint, account, region, attributes, principal,
    state, authenticated, token, expires_at, guarded)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
ON CONFLICT (arn) DO UPDATE SET attributes = excluded.attributes, state = excluded.state,
    authenticated = excluded.authenticated, token = excluded.token, expires_at = excluded.expires_at,
    guarded = excluded.guarded
"""
DELETE_SUBSCRIPTION = "DELETE FROM sns_subscriptions WHERE arn = $1"
DELETE_OF_TOPIC = "DELETE FROM sns_subscriptions WHERE topic = $1"
EXPIRED = f"""
SELECT {_SUBSCRIPTION} FROM sns_subscriptions WHERE expires_at IS NOT NULL AND expires_at <= $1
ORDER BY expires_at LIMIT $2
"""
NEXT_EXPIRY = """
SELECT expires_at FROM sns_subscriptions WHERE expires_at IS NOT NULL ORDER BY expires_at LIMIT 1
"""

FIND_DUPLICATE = """
SELECT message_id, sequence FROM sns_deduplications WHERE topic = $1 AND key = $2 AND expires_at > $3
"""
REMEMBER = """
INSERT INTO sns_deduplications (topic, key, expires_at, message_id, sequence) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (topic, key) DO UPDATE SET expires_at = excluded.expires_at, message_id = excluded.message_id,
    sequence = excluded.sequence
"""
FORGET_EXPIRED = """
DELETE FROM sns_deduplications WHERE (topic, key) IN
    (SELECT topic, key FROM sns_deduplications WHERE expires_at <= $1 LIMIT $2)
"""
FORGET_OF_TOPIC = "DELETE FROM sns_deduplications WHERE topic = $1"
NEXT_FORGETTING = "SELECT expires_at FROM sns_deduplications WHERE expires_at > 0 ORDER BY expires_at LIMIT 1"

FIND_KEY = "SELECT private_key, certificate FROM sns_signing WHERE id = 1"
PUT_KEY = """
INSERT INTO sns_signing (id, private_key, certificate) VALUES (1, $1, $2) ON CONFLICT (id) DO NOTHING
"""

_decode = msgspec.json.Decoder(dict[str, str]).decode


def _json(value: Mapping[str, str]) -> str:
    return msgspec.json.encode(value).decode()


def _topic(row: Row) -> Topic:
    key, account, region, name, attributes, tags, deleted = row
    return Topic(key, TopicKey(account, region, name), _decode(attributes), _decode(tags), deleted)


def _subscription(row: Row) -> Subscription:
    arn, topic, topic_arn, protocol, endpoint, owner, attributes, principal, state, authenticated = row[:10]
    token, expires, guarded = row[10:]
    return Subscription(
        arn,
        topic,
        topic_arn,
        Protocol(protocol),
        endpoint,
        owner,
        _decode(attributes),
        principal,
        State(state),
        bool(authenticated),
        token,
        expires,
        bool(guarded),
    )


# -- topics ---------------------------------------------------------------------------------------------------------


async def find_topic(tx: Tx, key: TopicKey) -> Topic | None:
    """A topic by its key."""
    row = await tx.fetch_one(FIND_TOPIC, *key)
    return None if row is None else _topic(row)


async def list_topics(tx: Tx, account: str, region: str, after: str, limit: int) -> list[str]:
    """The names of an account's topics that come after one."""
    return [row[0] for row in await tx.fetch(LIST_TOPICS, account, region, after, limit)]


async def insert_topic(tx: Tx, key: TopicKey, attributes: Mapping[str, str], tags: Mapping[str, str]) -> None:
    """Add a topic."""
    await tx.execute(INSERT_TOPIC, *key, _json(attributes), _json(tags))


async def set_attributes(tx: Tx, topic: Topic, attributes: Mapping[str, str]) -> None:
    """Store what is set of a topic."""
    await tx.execute(SET_ATTRIBUTES, topic.id, _json(attributes))


async def set_tags(tx: Tx, topic: Topic, tags: Mapping[str, str]) -> None:
    """Store a topic's tags."""
    await tx.execute(SET_TAGS, topic.id, _json(tags))


async def delete_topic(tx: Tx, topic: Topic) -> None:
    """Remove a topic, its subscriptions, and what it remembers."""
    await tx.execute(DELETE_OF_TOPIC, topic.id)
    await tx.execute(FORGET_OF_TOPIC, topic.id)
    await tx.execute(DELETE_TOPIC, topic.id)


async def next_sequence(tx: Tx, topic: Topic) -> int | None:
    """The number of a FIFO topic's next message; `None` if the topic is gone."""
    row = await tx.fetch_one(NEXT_SEQUENCE, topic.id)
    return None if row is None else int(row[0])


# -- subscriptions --------------------------------------------------------------------------------------------------


async def find_subscription(tx: Tx, arn: str) -> Subscription | None:
    """A subscription by its ARN."""
    row = await tx.fetch_one(FIND_SUBSCRIPTION, arn)
    return None if row is None else _subscription(row)


async def find_token(tx: Tx, token: str) -> Subscription | None:
    """The subscription that a token confirms."""
    row = await tx.fetch_one(FIND_TOKEN, token)
    return None if row is None else _subscription(row)


async def find_endpoint(tx: Tx, topic: Topic, protocol: str, endpoint: str) -> Subscription | None:
    """A topic's subscription of an endpoint."""
    row = await tx.fetch_one(FIND_ENDPOINT, topic.id, protocol, endpoint)
    return None if row is None else _subscription(row)


async def of_topic(tx: Tx, topic: Topic, after: str, limit: int) -> list[Subscription]:
    """A topic's subscriptions that come after one."""
    return [_subscription(row) for row in await tx.fetch(OF_TOPIC, topic.id, after, limit)]


async def of_owner(tx: Tx, account: str, region: str, after: str, limit: int) -> list[Subscription]:
    """An account's subscriptions that come after one."""
    return [_subscription(row) for row in await tx.fetch(OF_OWNER, account, region, after, limit)]


async def count(tx: Tx, topic: Topic) -> Counts:
    """How many subscriptions a topic has."""
    row = await tx.fetch_one(COUNT_OF_TOPIC, topic.id)
    assert row is not None, "COUNT gives a row"
    return Counts(int(row[0]) - int(row[1]), int(row[1]))


async def put_subscription(tx: Tx, subscription: Subscription, region: str) -> None:
    """Add or change a subscription."""
    s = subscription
    await tx.execute(
        PUT_SUBSCRIPTION,
        *(s.arn, s.topic, s.topic_arn, s.protocol.value, s.endpoint, s.owner, region, _json(s.attributes), s.principal),
        *(s.state.value, int(s.authenticated), s.token, s.expires, int(s.guarded)),
    )


async def delete_subscription(tx: Tx, subscription: Subscription) -> None:
    """Remove a subscription."""
    await tx.execute(DELETE_SUBSCRIPTION, subscription.arn)


async def count_deleted(tx: Tx, subscription: Subscription) -> None:
    """Add one to what a topic has lost."""
    await tx.execute(COUNT_DELETED, subscription.topic)


async def expired(tx: Tx, now: int, limit: int) -> list[Subscription]:
    """Subscriptions that were not confirmed in time."""
    return [_subscription(row) for row in await tx.fetch(EXPIRED, now, limit)]


async def next_expiry(tx: Tx) -> int | None:
    """When the next pending subscription is given up."""
    row = await tx.fetch_one(NEXT_EXPIRY)
    return None if row is None else int(row[0])


# -- FIFO topics ----------------------------------------------------------------------------------------------------


async def find_duplicate(tx: Tx, topic: Topic, key: str, now: int) -> tuple[str, int] | None:
    """The id and number of a message that was published under a deduplication id."""
    row = await tx.fetch_one(FIND_DUPLICATE, topic.id, key, now)
    return None if row is None else (row[0], int(row[1]))


async def remember(tx: Tx, topic: Topic, key: str, expires: int, message_id: str, sequence: int) -> None:
    """Remember a deduplication id."""
    await tx.execute(REMEMBER, topic.id, key, expires, message_id, sequence)


async def forget_expired(tx: Tx, now: int, limit: int) -> int:
    """Forget deduplication ids; how many."""
    return await tx.execute(FORGET_EXPIRED, now, limit)


async def next_forgetting(tx: Tx) -> int | None:
    """When the next deduplication id is to be forgotten."""
    row = await tx.fetch_one(NEXT_FORGETTING)
    return None if row is None else int(row[0])


# -- the key --------------------------------------------------------------------------------------------------------


async def find_key(tx: Tx) -> tuple[bytes, bytes] | None:
    """The key that messages are signed with (PKCS #8, DER), and its certificate (PEM)."""
    row = await tx.fetch_one(FIND_KEY)
    return None if row is None else (bytes(row[0]), bytes(row[1]))


async def put_key(tx: Tx, private: bytes, certificate: bytes) -> None:
    """Keep the key, unless there is one."""
    await tx.execute(PUT_KEY, private, certificate)
