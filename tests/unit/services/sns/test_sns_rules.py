"""The pure parts of SNS: envelopes, delivery policies, filter policies."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fogbank.core.errors import ApiError
from fogbank.services.sns._envelopes import Stamp, function_event, notification, notification_of
from fogbank.services.sns._filters import Scope, Verdict, compile_filter
from fogbank.services.sns._messages import Attribute, Publication, check_publication
from fogbank.services.sns._retries import MANAGED, check_subscription_policy, check_topic_policy, web_policy
from fogbank.services.sns.errors import SnsError
from fogbank.services.sns.model import Protocol, State, Subscription, Topic, TopicKey

TOPIC = Topic(1, TopicKey("000000000000", "us-east-1", "t"), {}, {}, 0)
ONE = Subscription(
    f"{TOPIC.arn}:1", 1, TOPIC.arn, Protocol.SQS, "arn:aws:sqs:us-east-1:000000000000:q", "000000000000", {}, "p",
    State.CONFIRMED, True, "", None,
)  # fmt: skip
STAMP = Stamp("id", "2012-03-29T05:12:16.901Z", "http://localhost", "1", "http://localhost/c.pem")
TEXTS = st.text(st.characters(codec="utf-8"))


@given(TEXTS, st.none() | TEXTS, st.dictionaries(TEXTS, TEXTS, max_size=3))
def test_a_notification_is_json_whatever_was_published(body: str, subject: str | None, given_: dict[str, str]) -> None:
    """What receivers parse is what was published; a function's event tells the same."""
    attributes = {name: Attribute("String", text, None) for name, text in given_.items()}
    publication = Publication(body, subject, attributes, None, None, 0)
    document = json.loads(notification(TOPIC, publication, STAMP, ONE, body, "s"))
    assert (document["Message"], document.get("Subject")) == (body, subject)
    assert {name: each["Value"] for name, each in document.get("MessageAttributes", {}).items()} == given_
    event = function_event(TOPIC, publication, STAMP, ONE, body, "s")
    assert json.loads(notification_of(event)) == document


@given(
    st.dictionaries(st.sampled_from(["Message", "Subject", "MessageStructure", "MessageGroupId"]), TEXTS, min_size=1)
)
def test_whatever_is_published_is_taken_or_refused(request_: dict[str, str]) -> None:
    """No text makes the checks fail in another way."""
    with contextlib.suppress(SnsError):
        check_publication(TOPIC, {"Message": "m", **request_})


POLICY = {"numRetries": 6, "numNoDelayRetries": 1, "numMinDelayRetries": 1, "numMaxDelayRetries": 1}


@pytest.mark.parametrize(
    ("curve", "between"),
    [
        ("linear", [20.0, 30.0, 40.0]),
        ("arithmetic", [15.0, 25.0, 40.0]),
        ("geometric", [10 + 30 / 7, 10 + 90 / 7, 40.0]),
        ("exponential", [10 * 4 ** (1 / 3), 10 * 4 ** (2 / 3), 40.0]),
    ],
)
def test_delays_follow_the_curve(curve: str, between: list[float]) -> None:
    """No delay, the least, from the least to the greatest, the greatest."""
    settings = {**POLICY, "minDelayTarget": 10, "maxDelayTarget": 40, "backoffFunction": curve}
    text = json.dumps({"healthyRetryPolicy": settings})
    assert check_subscription_policy(text) == text
    assert web_policy("", text).retries.delays == pytest.approx((0.0, 10.0, *between, 40.0))


@given(
    st.integers(0, 100),
    st.integers(0, 5),
    st.integers(1, 30),
    st.integers(1, 30),
    st.sampled_from(["linear", "geometric"]),
)
def test_no_delay_is_out_of_its_bounds(retries: int, first: int, low: int, high: int, curve: str) -> None:
    """Whatever policy is taken has as many delays as retries, none beyond the greatest."""
    settings = {
        "numRetries": retries, "numNoDelayRetries": first, "minDelayTarget": low, "maxDelayTarget": high,
        "backoffFunction": curve,
    }  # fmt: skip
    text = json.dumps({"healthyRetryPolicy": settings})
    try:
        check_subscription_policy(text)
    except ApiError:
        assert low > high or first > retries or retries * high > 3600
        return
    policy = web_policy("", text).retries
    assert (policy.max_retries, len(policy.delays)) == (retries, retries)
    assert all(delay == 0 or low <= delay <= high + 1e-9 for delay in policy.delays)


def test_a_topic_can_forbid_policies_of_its_subscriptions() -> None:
    """disableSubscriptionOverrides."""
    topic = json.dumps({"http": {"defaultHealthyRetryPolicy": {"numRetries": 1}, "disableSubscriptionOverrides": True}})
    own = json.dumps({"healthyRetryPolicy": {"numRetries": 9}, "requestPolicy": {"headerContentType": "text/html"}})
    policy = web_policy(check_topic_policy(topic), check_subscription_policy(own))
    assert (policy.retries.max_retries, policy.content_type) == (1, "text/plain; charset=UTF-8")


@pytest.mark.parametrize(
    "text",
    [
        "[]", "{", '{"healthyRetryPolicy":1}', '{"healthyRetryPolicy":{"numRetries":-1}}', '{"unknown":1}',
        '{"healthyRetryPolicy":{"minDelayTarget":0}}', '{"healthyRetryPolicy":{"maxDelayTarget":3601}}',
        '{"healthyRetryPolicy":{"backoffFunction":"x"}}', '{"throttlePolicy":{"maxReceivesPerSecond":0}}',
        '{"requestPolicy":{"headerContentType":"x/y"}}', '{"guaranteed":true}',
    ],
)  # fmt: skip
def test_policies_that_are_refused(text: str) -> None:
    """Each with what was expected."""
    with pytest.raises(ApiError, match="Invalid parameter: DeliveryPolicy: "):
        check_subscription_policy(text)


def test_queues_and_functions_are_tried_for_23_days() -> None:
    """3 at once, 2 after a second, 10 up to 20 seconds, then every 20 seconds: 100,015 in all."""
    delays = [MANAGED.delay(retry, 0.5) for retry in range(1, 18)]
    assert delays[:5] == [0, 0, 0, 1, 1]
    assert delays[5:15] == sorted(delays[5:15])
    assert (delays[14], delays[16], MANAGED.max_retries) == (20, 20, 100_015)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-2000, 2000) | st.text(max_size=5),
    lambda child: st.lists(child, max_size=3) | st.dictionaries(st.text(max_size=5), child, max_size=3),
    max_leaves=8,
)


@given(JSON, st.sampled_from(list(Scope)))
def test_whatever_stands_for_a_policy_is_taken_or_refused(document: Any, scope: Scope) -> None:
    """And what is taken judges every message."""
    try:
        judge = compile_filter(json.dumps(document), scope)
    except SnsError:
        return
    if judge is not None:
        assert isinstance(judge({"a": Attribute("String.Array", "[1]", None)}, '{"a":[{"b":1}]}'), Verdict)
