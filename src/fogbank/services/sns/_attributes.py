"""The attributes of topics and subscriptions: which there are, what they may be, how they are shown.

Sources: CreateTopic, SetTopicAttributes, Subscribe and SetSubscriptionAttributes in the service model.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from fogbank.core.arn import Arn, MalformedArnError
from fogbank.core.errors import NotImplementedByFogbank
from fogbank.services.sns._filters import Scope, check_scope, compile_filter
from fogbank.services.sns._policy import check_policy, policy_of
from fogbank.services.sns._retries import (
    check_subscription_policy,
    check_topic_policy,
    effective,
    shown,
    topic_policy,
)
from fogbank.services.sns.errors import InvalidParameterError
from fogbank.services.sns.model import LARGEST_MESSAGE, MAXIMUM_MESSAGE, Counts, Protocol, Subscription, Topic

_FEEDBACK = re.compile(
    r"(HTTP|Firehose|Lambda|Application|SQS)(SuccessFeedbackRoleArn|SuccessFeedbackSampleRate|FailureFeedbackRoleArn)"
)
_FIFO_ONLY = frozenset({"ContentBasedDeduplication", "FifoThroughputScope", "ArchivePolicy"})
_KNOWN = frozenset(
    {
        "DeliveryPolicy", "DisplayName", "FifoTopic", "KmsMasterKeyId", "MaximumMessageSize", "Policy",
        "SignatureVersion", "TracingConfig", *_FIFO_ONLY,
    }
)  # fmt: skip
_SMALLEST_MAXIMUM = 1024
_MAX_DISPLAY_NAME = 100


# -- topics ---------------------------------------------------------------------------------------------------------


def check_topic_attributes(given: Mapping[str, str], *, fifo: bool) -> dict[str, str]:
    """What CreateTopic sets; empty values set nothing."""
    found = {}
    for name, value in given.items():
        if name != "FifoTopic" and value != "":
            found[name] = check_topic_attribute(name, value, fifo=fifo)
    return found


def fifo_wanted(given: Mapping[str, str]) -> bool:
    """Whether CreateTopic asks for a FIFO topic."""
    return _boolean("FifoTopic", given["FifoTopic"]) == "true" if "FifoTopic" in given else False


def check_topic_attribute(name: str, value: str, *, fifo: bool) -> str:
    """One attribute of a topic; its value as it is kept."""
    if _FEEDBACK.fullmatch(name):
        raise NotImplementedByFogbank(f"Fogbank does not implement delivery status logs of topics yet ({name})")
    if name not in _KNOWN:
        raise InvalidParameterError("AttributeName")
    if name in _FIFO_ONLY and not fifo:
        raise InvalidParameterError(f"{name} is only applicable to FIFO topics" if name == "ArchivePolicy" else name)
    match name:
        case "ArchivePolicy":
            raise NotImplementedByFogbank("Fogbank does not implement the archive of FIFO topics yet (ArchivePolicy)")
        case "FifoTopic":
            raise InvalidParameterError("AttributeName")
        case "ContentBasedDeduplication":
            return _boolean(name, value)
        case "FifoThroughputScope":
            return _one_of(name, value, ("Topic", "MessageGroup"))
        case "SignatureVersion":
            return _one_of(name, value, ("1", "2"))
        case "TracingConfig":
            if fifo and value == "Active":
                raise InvalidParameterError("TracingConfig: Active is only supported on standard topics")
            return _one_of(name, value, ("PassThrough", "Active"))
        case "MaximumMessageSize":
            return _size(value)
        case "DisplayName":
            if len(value) > _MAX_DISPLAY_NAME:
                raise InvalidParameterError("DisplayName")
            return value
        case "Policy":
            return check_policy(value)
        case "DeliveryPolicy":
            return check_topic_policy(value)
    return value


def _boolean(name: str, value: str) -> str:
    if value.lower() not in ("true", "false"):
        raise InvalidParameterError(f"{name} Reason: {name}: Invalid value [{value}]. Must be true or false.")
    return value.lower()


def _one_of(name: str, value: str, allowed: tuple[str, ...]) -> str:
    if value not in allowed:
        raise InvalidParameterError(f"{name} Reason: Invalid value [{value}]. Must be one of {', '.join(allowed)}")
    return value


def _size(value: str) -> str:
    if not (value.isascii() and value.isdecimal() and _SMALLEST_MAXIMUM <= int(value) <= LARGEST_MESSAGE):
        raise InvalidParameterError(
            f"MaximumMessageSize Reason: must be an integer between {_SMALLEST_MAXIMUM} and {LARGEST_MESSAGE}"
        )
    return value


def allows_large(attributes: Mapping[str, str]) -> bool:
    """Whether a topic's messages may pass 256 KiB, which bounds its subscriptions."""
    return int(attributes.get("MaximumMessageSize", MAXIMUM_MESSAGE)) > MAXIMUM_MESSAGE


def topic_attributes(topic: Topic, counts: Counts) -> dict[str, str]:
    """All attributes of a topic, as they are answered."""
    found = {
        "TopicArn": topic.arn,
        "Owner": topic.key.account,
        "Policy": policy_of(topic),
        "EffectiveDeliveryPolicy": shown(topic_policy(topic.attributes.get("DeliveryPolicy", ""))),
        "DisplayName": "",
        "SubscriptionsConfirmed": str(counts.confirmed),
        "SubscriptionsPending": str(counts.pending),
        "SubscriptionsDeleted": str(topic.deleted),
    }
    if topic.fifo:
        found |= {"FifoTopic": "true", "ContentBasedDeduplication": "false", "FifoThroughputScope": "Topic"}
    return found | {name: value for name, value in topic.attributes.items() if value}


# -- subscriptions --------------------------------------------------------------------------------------------------


def check_subscription_attributes(topic: Topic, protocol: Protocol, given: Mapping[str, str]) -> dict[str, str]:
    """What Subscribe sets."""
    found: dict[str, str] = {}
    for name, value in given.items():
        set_subscription_attribute(found, topic, protocol, name, value)
    _check_filter(found)
    return found


def set_subscription_attribute(
    attributes: dict[str, str], topic: Topic, protocol: Protocol, name: str, value: str
) -> None:
    """Put one attribute among those of a subscription. How filter and scope go together is checked by the caller."""
    match name:
        case "RawMessageDelivery":
            if value.lower() not in ("true", "false"):
                raise InvalidParameterError(f"RawMessageDelivery: Invalid value [{value}]. Must be true or false.")
            if protocol is Protocol.LAMBDA and value.lower() == "true":
                raise InvalidParameterError(
                    f"Attributes Reason: Delivery protocol [{protocol}] does not support raw message delivery."
                )
            attributes[name] = value.lower()
        case "FilterPolicyScope":
            attributes[name] = check_scope(value)
        case "FilterPolicy":
            attributes[name] = value
        case "RedrivePolicy":
            attributes[name] = check_redrive(topic, value)
        case "DeliveryPolicy":
            if not protocol.is_web:
                raise InvalidParameterError(f"Delivery policies are for HTTP/S subscriptions, not for {protocol}")
            attributes[name] = check_subscription_policy(value) if value else ""
        case "SubscriptionRoleArn":
            raise InvalidParameterError(f"SubscriptionRoleArn is not valid for the protocol {protocol}")
        case "ReplayPolicy":
            raise NotImplementedByFogbank("Fogbank does not implement the archive of FIFO topics yet (ReplayPolicy)")
        case _:
            raise InvalidParameterError("AttributeName")


def changed_subscription(topic: Topic, subscription: Subscription, name: str, value: str) -> dict[str, str]:
    """A subscription's attributes after SetSubscriptionAttributes; an empty value takes one away."""
    attributes = dict(subscription.attributes)
    if value == "" and name in ("FilterPolicy", "RedrivePolicy", "DeliveryPolicy"):
        attributes.pop(name, None)
        return attributes
    set_subscription_attribute(attributes, topic, subscription.protocol, name, value)
    _check_filter(attributes)
    return attributes


def _check_filter(attributes: Mapping[str, str]) -> None:
    compile_filter(attributes.get("FilterPolicy", ""), filter_scope(attributes))


def filter_scope(attributes: Mapping[str, str]) -> Scope:
    """What a subscription's filter policy looks at."""
    return Scope(attributes.get("FilterPolicyScope", Scope.ATTRIBUTES))


def check_redrive(topic: Topic, text: str) -> str:
    """A RedrivePolicy: a queue of the topic's account and region."""
    try:
        document = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise InvalidParameterError("RedrivePolicy: failed to parse JSON.")
    target = document.get("deadLetterTargetArn")
    try:
        arn = Arn.parse(target) if isinstance(target, str) else None
    except MalformedArnError:
        arn = None
    if arn is None or arn.service != "sqs" or set(document) - {"deadLetterTargetArn"}:
        raise InvalidParameterError("RedrivePolicy: deadLetterTargetArn is an invalid arn")
    if arn.scope != topic.key.scope:
        raise InvalidParameterError(
            "RedrivePolicy: deadLetterTargetArn must be a queue of the same account and region as the subscription"
        )
    if arn.resource.endswith(".fifo") and not topic.fifo:
        raise InvalidParameterError("RedrivePolicy: must use a standard queue as DLQ for a standard topic")
    return text


def redrive_target(attributes: Mapping[str, str]) -> str | None:
    """The dead-letter queue's ARN."""
    text = attributes.get("RedrivePolicy")
    return str(msgspec.json.decode(text)["deadLetterTargetArn"]) if text else None


def subscription_attributes(topic: Topic, subscription: Subscription) -> dict[str, str]:
    """All attributes of a subscription, as they are answered."""
    found = {
        "SubscriptionArn": subscription.arn,
        "TopicArn": subscription.topic_arn,
        "Protocol": subscription.protocol.value,
        "Endpoint": subscription.endpoint,
        "Owner": subscription.owner,
        "PendingConfirmation": str(subscription.pending).lower(),
        "ConfirmationWasAuthenticated": str(subscription.authenticated).lower(),
        "RawMessageDelivery": "false",
        "SubscriptionPrincipal": subscription.principal,
    }
    if subscription.protocol.is_web:
        policy = effective(
            topic.attributes.get("DeliveryPolicy", ""), subscription.attributes.get("DeliveryPolicy", "")
        )
        found["EffectiveDeliveryPolicy"] = shown(policy)
    found |= {name: value for name, value in subscription.attributes.items() if value}
    if "FilterPolicy" in found:
        found.setdefault("FilterPolicyScope", Scope.ATTRIBUTES)
    return found
