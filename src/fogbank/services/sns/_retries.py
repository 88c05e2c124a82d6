"""How often a delivery is tried: SNS's own plan for queues and functions, a delivery policy for web servers.

Source: https://docs.aws.amazon.com/sns/latest/dg/sns-message-delivery-retries.html. The page shows the four backoff
functions as curves only: `linear` is a line, `arithmetic` and `geometric` grow by steps of the named kind,
`exponential` multiplies by one factor.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import msgspec

from fogbank.delivery import RetryPolicy
from fogbank.delivery.message import DAY
from fogbank.services.sns.errors import InvalidParameterError

MANAGED = RetryPolicy(
    max_retries=100_015,
    max_age=23 * DAY + 3600,
    delays=(0.0, 0.0, 0.0, 1.0, 1.0, *(round(20.0 ** (step / 9), 3) for step in range(10)), 20.0),
)
"""Queues and functions: 3 at once, 2 after a second each, 10 from 1 to 20 seconds, 100,000 every 20 seconds."""

_RETRY = {
    "minDelayTarget": 20,
    "maxDelayTarget": 20,
    "numRetries": 3,
    "numMaxDelayRetries": 0,
    "numNoDelayRetries": 0,
    "numMinDelayRetries": 0,
    "backoffFunction": "linear",
}
_CONTENT_TYPE = "text/plain; charset=UTF-8"
MAX_RETRIES = 100
MAX_SECONDS = 3600
_TOPIC = frozenset(
    {
        "defaultHealthyRetryPolicy", "defaultSicklyRetryPolicy", "defaultThrottlePolicy", "defaultRequestPolicy",
        "disableSubscriptionOverrides",
    }
)  # fmt: skip
_SUBSCRIPTION = frozenset({"healthyRetryPolicy", "sicklyRetryPolicy", "throttlePolicy", "requestPolicy", "guaranteed"})
_CONTENT_TYPES = frozenset(
    {
        "application/atom+xml", "application/json", "application/octet-stream", "application/soap+xml",
        "application/x-www-form-urlencoded", "application/xhtml+xml", "application/xml", "text/css", "text/csv",
        "text/html", "text/plain", "text/xml",
    }
)  # fmt: skip


def _fraction_arithmetic(step: int, steps: int) -> float:
    return step * (step + 1) / (steps * (steps + 1))


def _fraction_geometric(step: int, steps: int) -> float:
    return (2.0**step - 1) / (2.0**steps - 1)


_CURVES: dict[str, Callable[[int, int], float]] = {
    "linear": lambda step, steps: step / steps,
    "arithmetic": _fraction_arithmetic,
    "geometric": _fraction_geometric,
}


@dataclass(frozen=True, slots=True)
class WebPolicy:
    """How a web server is called: when again, how often a second at most (0: no bound), and as what."""

    retries: RetryPolicy
    rate: int
    content_type: str


@lru_cache(maxsize=1000)
def web_policy(topic: str, subscription: str) -> WebPolicy:
    """The policy in force, from the texts of the topic's and the subscription's (empty: none)."""
    policy = effective(topic, subscription)
    throttle = policy.get("throttlePolicy") or {}
    return WebPolicy(
        _retry_policy(policy["healthyRetryPolicy"]),
        throttle.get("maxReceivesPerSecond") or 0,
        policy["requestPolicy"]["headerContentType"],
    )


def effective(topic: str, subscription: str) -> dict[str, Any]:
    """A subscription's delivery policy: its own over the topic's over the defaults."""
    http = topic_policy(topic)["http"]
    own: Mapping[str, Any] = msgspec.json.decode(subscription) if subscription else {}
    if http["disableSubscriptionOverrides"]:
        own = {}
    return {
        "healthyRetryPolicy": {**http["defaultHealthyRetryPolicy"], **(own.get("healthyRetryPolicy") or {})},
        "sicklyRetryPolicy": own.get("sicklyRetryPolicy"),
        "throttlePolicy": own.get("throttlePolicy") or http.get("defaultThrottlePolicy"),
        "requestPolicy": {**http["defaultRequestPolicy"], **(own.get("requestPolicy") or {})},
        "guaranteed": False,
    }


def topic_policy(text: str) -> dict[str, Any]:
    """A topic's delivery policy with what it leaves out."""
    given: dict[str, Any] = (msgspec.json.decode(text).get("http") or {}) if text else {}
    http = {
        "defaultHealthyRetryPolicy": {**_RETRY, **(given.get("defaultHealthyRetryPolicy") or {})},
        "disableSubscriptionOverrides": given.get("disableSubscriptionOverrides", False),
    }
    if given.get("defaultThrottlePolicy"):
        http["defaultThrottlePolicy"] = given["defaultThrottlePolicy"]
    http["defaultRequestPolicy"] = {"headerContentType": _CONTENT_TYPE, **(given.get("defaultRequestPolicy") or {})}
    return {"http": http}


def shown(policy: Mapping[str, Any]) -> str:
    """A policy as attributes hold it."""
    return json.dumps(policy, separators=(",", ":"))


def _retry_policy(settings: Mapping[str, Any]) -> RetryPolicy:
    delays = _delays(settings)
    return RetryPolicy(max_retries=len(delays), max_age=2 * DAY, delays=tuple(delays) or ())


def _delays(settings: Mapping[str, Any]) -> list[float]:
    low, high = float(settings["minDelayTarget"]), float(settings["maxDelayTarget"])
    first, few, last = (settings[f"num{name}Retries"] for name in ("NoDelay", "MinDelay", "MaxDelay"))
    between = settings["numRetries"] - first - few - last
    delays = [0.0] * first + [low] * few
    for step in range(1, between + 1):
        if settings["backoffFunction"] == "exponential":
            delays.append(low * (high / low) ** (step / between))
        else:
            delays.append(low + (high - low) * _CURVES[settings["backoffFunction"]](step, between))
    return delays + [high] * last


# -- checks ---------------------------------------------------------------------------------------------------------


def check_topic_policy(text: str) -> str:
    """A topic's DeliveryPolicy."""
    document = _parse(text)
    http = document.get("http")
    if not isinstance(http, dict) or set(document) - {"http"}:
        raise _refused("a topic's policy has the member http")
    _known(http, _TOPIC, "http")
    if not isinstance(http.get("disableSubscriptionOverrides", False), bool):
        raise _refused("http.disableSubscriptionOverrides must be a boolean")
    _check_parts(http, lambda name: f"default{name[:1].upper()}{name[1:]}")
    return text


def check_subscription_policy(text: str) -> str:
    """A subscription's DeliveryPolicy."""
    document = _parse(text)
    _known(document, _SUBSCRIPTION, "the policy")
    if document.get("guaranteed"):
        raise _refused("guaranteed must be false")
    _check_parts(document, lambda name: name)
    return text


def _parse(text: str) -> dict[str, Any]:
    try:
        document = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise _refused("JSON failed to parse")
    return document


def _known(document: Mapping[str, Any], names: frozenset[str], where: str) -> None:
    for name in document:
        if name not in names:
            raise _refused(f"{where} has no member {name}")


def _check_parts(document: Mapping[str, Any], name_of: Callable[[str], str]) -> None:
    for part in ("healthyRetryPolicy", "sicklyRetryPolicy"):
        settings = document.get(name_of(part))
        if settings is not None:
            _check_retry(settings, name_of(part))
    throttle = document.get(name_of("throttlePolicy"))
    if throttle is not None:
        rate = throttle.get("maxReceivesPerSecond") if isinstance(throttle, dict) else None
        if rate is None or not _whole(rate) or rate < 1:
            raise _refused("throttlePolicy.maxReceivesPerSecond must be an integer greater than or equal to 1")
    request = document.get(name_of("requestPolicy"))
    if request is not None:
        kind = request.get("headerContentType") if isinstance(request, dict) else None
        if not isinstance(kind, str) or kind.partition(";")[0].strip().lower() not in _CONTENT_TYPES:
            raise _refused("requestPolicy.headerContentType is not a supported content type")


def _check_retry(settings: Any, where: str) -> None:
    if not isinstance(settings, dict):
        raise _refused(f"{where} must be an object")
    _known(settings, frozenset(_RETRY), where)
    found = {**_RETRY, **settings}
    for name, value in found.items():
        if name != "backoffFunction" and (not _whole(value) or value < 0):
            raise _refused(f"{where}.{name} must be an integer greater than or equal to 0")
    if found["backoffFunction"] not in (*_CURVES, "exponential"):
        raise _refused(f"{where}.backoffFunction must be one of arithmetic, exponential, geometric, linear")
    low, high = found["minDelayTarget"], found["maxDelayTarget"]
    if found["numRetries"] > MAX_RETRIES:
        raise _refused(f"{where}.numRetries must be less than or equal to {MAX_RETRIES}")
    if low < 1:
        raise _refused(f"{where}.minDelayTarget must be greater than or equal to 1")
    if high > MAX_SECONDS:
        raise _refused(f"{where}.maxDelayTarget must be less than or equal to {MAX_SECONDS}")
    if low > high:
        raise _refused(f"{where}.maxDelayTarget must be greater than or equal to minDelayTarget")
    if found["numNoDelayRetries"] + found["numMinDelayRetries"] + found["numMaxDelayRetries"] > found["numRetries"]:
        raise _refused(f"{where}.numRetries must be greater than or equal to the sum of the retries of its phases")
    if sum(_delays(found)) > MAX_SECONDS:
        raise _refused(f"{where}: the delays must not be more than {MAX_SECONDS} seconds together")


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _refused(reason: str) -> InvalidParameterError:
    return InvalidParameterError(f"DeliveryPolicy: {reason}")
