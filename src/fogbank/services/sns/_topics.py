"""The topics that are published to, with their subscriptions compiled and kept.

A topic is read once; every change to it or to its subscriptions drops what was kept, after its commit and before its
caller is answered. A load that a change overtakes is used once and not kept.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from dataclasses import dataclass

from fogbank.core.errors import ApiError
from fogbank.delivery import RetryPolicy
from fogbank.services.sns import storage as rows
from fogbank.services.sns._attributes import filter_scope, redrive_target
from fogbank.services.sns._filters import Filter, compile_filter
from fogbank.services.sns._retries import MANAGED, web_policy
from fogbank.services.sns.errors import TopicDoesNotExistError
from fogbank.services.sns.model import State, Subscription, Topic, TopicKey
from fogbank.storage import Storage, Tx

_log = logging.getLogger("fogbank.sns")
MAX_KEPT = 2_000
"""Topics that are kept."""
_AT_ONCE = 1_000


@dataclass(frozen=True, slots=True)
class Subscriber:
    """A confirmed subscription, ready to be sent to."""

    subscription: Subscription
    filter: Filter | None
    policy: RetryPolicy
    dead_letter: str | None


@dataclass(frozen=True, slots=True)
class Audience:
    """A topic and who listens to it."""

    topic: Topic
    subscribers: tuple[Subscriber, ...]


class Topics:
    """Knows the topics that are published to."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._kept: OrderedDict[TopicKey, Audience] = OrderedDict()
        self._changes = 0

    async def audience(self, key: TopicKey) -> Audience:
        """A topic and who listens to it; `TopicDoesNotExistError` if there is none."""
        found = self._kept.get(key)
        if found is not None:
            return found
        changes = self._changes
        loaded = await self._storage.read(lambda tx: _load(tx, key))
        if loaded is None:
            raise TopicDoesNotExistError
        if changes == self._changes:
            if len(self._kept) >= MAX_KEPT:
                self._kept.popitem(last=False)
            self._kept[key] = loaded
        return loaded

    def changed(self, tx: Tx, key: TopicKey) -> None:
        """Drop what is kept of a topic, when the transaction that changes it is committed."""
        tx.after_commit(lambda: self._drop(key))

    def forget(self) -> None:
        """Drop everything: the tables were emptied."""
        self._changes += 1
        self._kept.clear()

    def _drop(self, key: TopicKey) -> None:
        self._changes += 1
        self._kept.pop(key, None)


async def _load(tx: Tx, key: TopicKey) -> Audience | None:
    topic = await rows.find_topic(tx, key)
    if topic is None:
        return None
    subscribers: list[Subscriber] = []
    after = ""
    while page := await rows.of_topic(tx, topic, after, _AT_ONCE):
        for subscription in page:
            if subscription.state is not State.CONFIRMED:
                continue
            try:
                subscribers.append(_compile(topic, subscription))
            except ApiError:  # one that an earlier version took must not stop the topic
                _log.exception("%s cannot be delivered to any more; set its attributes again", subscription.arn)
        after = page[-1].arn
    return Audience(topic, tuple(subscribers))


def _compile(topic: Topic, subscription: Subscription) -> Subscriber:
    attributes = subscription.attributes
    policy = MANAGED
    if subscription.protocol.is_web:
        policy = web_policy(topic.attributes.get("DeliveryPolicy", ""), attributes.get("DeliveryPolicy", "")).retries
    found = compile_filter(attributes.get("FilterPolicy", ""), filter_scope(attributes))
    return Subscriber(subscription, found, policy, redrive_target(attributes))
