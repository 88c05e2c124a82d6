"""Topics and subscriptions.

    Subscribe ──▶ pending ──ConfirmSubscription──▶ confirmed ──Unsubscribe──▶ gone
        │            └── two days without an answer ─────────────────────────▶ gone
        └── a queue or function of the caller's own account: confirmed at once

An endpoint that ends its subscription by the link in a notification is told how to restore it: for two days more the
row is there as `ENDED`, and nobody sees it.

A message that is published goes to each confirmed subscription whose filter policy it matches. What follows from a
publication (deduplication, numbering, the messages in the outbox) is one transaction with it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import NamedTuple

from fogbank.core.arn import Arn, MalformedArnError
from fogbank.core.scope import Scope, partition_of
from fogbank.services.sns.errors import InvalidParameterError

MAXIMUM_MESSAGE = 262_144
"""Bytes of a message with its attributes, where the topic does not say otherwise."""
LARGEST_MESSAGE = 1_048_576
MAXIMUM_ENTRIES = 10
"""Messages in one PublishBatch."""
DEDUPLICATION_INTERVAL = 5 * 60 * 1000
"""Milliseconds in which a FIFO topic delivers a deduplication id once."""
CONFIRMATION_LIFETIME = 2 * 86_400 * 1000
"""Milliseconds for which a confirmation token is valid."""
PAGE = 100
"""Topics or subscriptions in one answer."""
MAXIMUM_TAGS = 50
MAXIMUM_SUBSCRIPTIONS_LARGE = 100
"""Subscriptions of a topic whose messages may pass 256 KiB."""
MAXIMUM_FILTERS = 200
"""Filter policies of one topic."""
FIRST_SEQUENCE = 10_000_000_000_000_000_000
"""What the numbers of a FIFO topic's messages begin at."""

_NAME = re.compile(r"[A-Za-z0-9_-]{1,256}")
_FIFO_NAME = re.compile(r"[A-Za-z0-9_-]{1,251}\.fifo")


class Protocol(StrEnum):
    """How a subscription's endpoint is reached."""

    SQS = "sqs"
    LAMBDA = "lambda"
    HTTP = "http"
    HTTPS = "https"

    @property
    def is_web(self) -> bool:
        """Whether the endpoint is a URL."""
        return self in (Protocol.HTTP, Protocol.HTTPS)


class State(IntEnum):
    """Where a subscription is in its life."""

    CONFIRMED = 0
    PENDING = 1
    ENDED = 2


LACKING = frozenset({"application", "email", "email-json", "firehose", "sms"})
"""Protocols that AWS has and Fogbank has nobody to deliver to by."""


class TopicKey(NamedTuple):
    """Which topic."""

    account: str
    region: str
    name: str

    @property
    def scope(self) -> Scope:
        """The topic's account and region."""
        return Scope(self.account, self.region)

    @property
    def arn(self) -> str:
        """The topic's ARN."""
        return f"arn:{partition_of(self.region)}:sns:{self.region}:{self.account}:{self.name}"


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic. `attributes` are those that were set; `deleted` counts subscriptions that are gone."""

    id: int
    key: TopicKey
    attributes: Mapping[str, str]
    tags: Mapping[str, str]
    deleted: int

    @property
    def arn(self) -> str:
        """The topic's ARN."""
        return self.key.arn

    @property
    def fifo(self) -> bool:
        """Whether it keeps order and delivers once."""
        return self.key.name.endswith(".fifo")

    @property
    def deduplicates_by_content(self) -> bool:
        """Whether a message's body stands in for a deduplication id."""
        return self.attributes.get("ContentBasedDeduplication") == "true"

    @property
    def groups_deduplicate_apart(self) -> bool:
        """Whether one deduplication id may come once in each message group."""
        return self.attributes.get("FifoThroughputScope") == "MessageGroup"

    @property
    def maximum_message(self) -> int:
        """Bytes that a message with its attributes may have."""
        return int(self.attributes.get("MaximumMessageSize", MAXIMUM_MESSAGE))

    @property
    def signature_version(self) -> str:
        """`1` is SHA-1, `2` SHA-256."""
        return self.attributes.get("SignatureVersion", "1")


@dataclass(frozen=True, slots=True)
class Subscription:
    """A subscription. `token` is what confirms it, `owner` the account that made it."""

    arn: str
    topic: int
    topic_arn: str
    protocol: Protocol
    endpoint: str
    owner: str
    attributes: Mapping[str, str]
    principal: str
    state: State
    authenticated: bool
    token: str
    expires: int | None
    """When one that is not confirmed is given up (ms)."""
    guarded: bool = False
    """Whether only its owner or the topic's may end it (AuthenticateOnUnsubscribe)."""

    @property
    def pending(self) -> bool:
        """Whether it waits to be confirmed."""
        return self.state is State.PENDING

    @property
    def raw(self) -> bool:
        """Whether the endpoint gets the message alone."""
        return self.attributes.get("RawMessageDelivery") == "true"


class Counts(NamedTuple):
    """A topic's subscriptions."""

    confirmed: int
    pending: int


def check_name(name: str, *, fifo: bool) -> str:
    """A new topic's name."""
    if fifo:
        if not _FIFO_NAME.fullmatch(name):
            raise InvalidParameterError(
                "Fifo Topic names must end with .fifo and must be made up of only uppercase and lowercase ASCII "
                "letters, numbers, underscores, and hyphens, and must be between 1 and 256 characters long."
            )
    elif not _NAME.fullmatch(name):
        raise InvalidParameterError("Topic Name")
    return name


def topic_key(arn: str, scope: Scope, parameter: str = "TopicArn") -> TopicKey:
    """The topic that an ARN names; it must be one of the caller's region."""
    parsed = parse_arn(arn, parameter)
    if parsed.service != "sns" or parsed.region != scope.region or ":" in parsed.resource or "/" in parsed.resource:
        raise InvalidParameterError(parameter)
    return TopicKey(parsed.account, parsed.region, parsed.resource)


def parse_arn(text: str, parameter: str) -> Arn:
    """An ARN, with SNS's words for what is none."""
    try:
        return Arn.parse(text)
    except MalformedArnError:
        count = len(text.split(":"))
        if count < 6:
            raise InvalidParameterError(
                f"{parameter} Reason: An ARN must have at least 6 elements, not {count}"
            ) from None
        raise InvalidParameterError(parameter) from None


def check_subscription_arn(arn: str, parameter: str = "SubscriptionArn") -> str:
    """A subscription's ARN: a topic's, and an id."""
    parsed = parse_arn(arn, parameter)
    if parsed.service != "sns" or parsed.resource.count(":") != 1:
        raise InvalidParameterError(
            f"{parameter} Reason: An ARN must have at least 7 elements, not {arn.count(':') + 1}"
        )
    return arn


def sequence_number(number: int) -> str:
    """A message's place in a FIFO topic, as 20 digits."""
    return str(FIRST_SEQUENCE + number)
