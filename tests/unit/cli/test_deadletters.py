"""Why a message is in a dead-letter queue, from what each kind of owner puts there."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fogbank.cli.deadletters import Owner, OwnerKind, explain

QUEUE = Owner(OwnerKind.QUEUE, "work", "arn:aws:sqs:us-east-1:000000000000:work", 3)
FUNCTION = Owner(OwnerKind.FUNCTION, "f", "arn:aws:lambda:us-east-1:000000000000:function:f", 3)
RULE_ARN = "arn:aws:events:us-east-1:000000000000:rule/bus/placed"


def message(body: str = "{}", *, attributes: dict[str, str] | None = None, **system: str) -> dict[str, Any]:
    """A message as ReceiveMessage gives it."""
    return {
        "MessageId": "m-1",
        "Body": body,
        "Attributes": {"SentTimestamp": "1700000000123", **system},
        "MessageAttributes": {
            name: {"StringValue": value, "DataType": "String"} for name, value in (attributes or {}).items()
        },
    }


def test_a_queues_message_was_received_too_often() -> None:
    letter = explain(message("hello", DeadLetterQueueSourceArn=QUEUE.arn), [QUEUE])
    assert letter.owner == "queue work"
    assert letter.reason == "received 3 times (maxReceiveCount) and never deleted"
    assert letter.attempts == "3"
    assert letter.sent == 1_700_000_000.123
    assert letter.again is None


def test_a_queues_message_is_known_by_the_only_owner_where_it_does_not_say() -> None:
    assert explain(message("hello"), [QUEUE]).owner == "queue work"


def test_a_rules_event_has_the_error_and_its_attempts() -> None:
    attributes = {
        "RULE_ARN": RULE_ARN,
        "TARGET_ARN": FUNCTION.arn,
        "ERROR_CODE": "NO_RESOURCE",
        "ERROR_MESSAGE": "Function not found",
        "RETRY_ATTEMPTS": "4",
    }
    letter = explain(message('{"detail": 1}', attributes=attributes), [])
    assert letter.owner == "rule placed"
    assert letter.reason == "NO_RESOURCE: Function not found"
    assert letter.attempts == "5"
    assert letter.again is not None
    assert (letter.again.arn, letter.again.body) == (FUNCTION.arn, '{"detail": 1}')


def test_a_failure_destinations_record_gives_the_event_back() -> None:
    record = {
        "requestContext": {
            "functionArn": f"{FUNCTION.arn}:$LATEST",
            "condition": "RetriesExhausted",
            "approximateInvokeCount": 3,
        },
        "requestPayload": {"order": 7},
        "responsePayload": {"errorType": "ValueError", "errorMessage": "no tea"},
    }
    letter = explain(message(json.dumps(record)), [FUNCTION])
    assert letter.owner == "function f"
    assert letter.reason == "ValueError: no tea (RetriesExhausted)"
    assert letter.attempts == "3"
    assert letter.again is not None
    assert json.loads(letter.again.body) == {"order": 7}
    assert letter.again.arn == f"{FUNCTION.arn}:$LATEST"


def test_a_functions_dead_letter_has_its_error() -> None:
    attributes = {"RequestID": "r", "ErrorCode": "200", "ErrorMessage": "no tea"}
    letter = explain(message('{"order": 7}', attributes=attributes), [FUNCTION])
    assert (letter.owner, letter.reason, letter.attempts) == ("function f", "no tea", "3")
    assert letter.again is not None
    assert letter.again.arn == FUNCTION.arn


def test_a_functions_dead_letter_goes_nowhere_if_two_functions_share_the_queue() -> None:
    other = Owner(OwnerKind.FUNCTION, "g", "arn:aws:lambda:us-east-1:000000000000:function:g", 3)
    attributes = {"RequestID": "r", "ErrorCode": "200", "ErrorMessage": "no tea"}
    letter = explain(message(attributes=attributes), [FUNCTION, other])
    assert letter.owner == "a function"
    assert letter.again is None


def test_a_message_that_says_nothing_is_not_guessed_at() -> None:
    letter = explain(message("hello"), [QUEUE, FUNCTION, Owner(OwnerKind.QUEUE, "b", "arn:b", 1)])
    assert (letter.owner, letter.attempts, letter.again) == ("unknown", "unknown", None)


_JSON = st.recursive(
    st.none() | st.integers() | st.text(), lambda inner: st.dictionaries(st.text(), inner), max_leaves=8
)


@given(
    body=st.text()
    | _JSON.map(json.dumps)
    | _JSON.map(lambda v: json.dumps({"requestContext": v, "requestPayload": v})),
    attributes=st.dictionaries(
        st.sampled_from(["RULE_ARN", "TARGET_ARN", "RETRY_ATTEMPTS", "RequestID", "ErrorCode", "ERROR_CODE"]), st.text()
    ),
)
def test_any_message_is_explained(body: str, attributes: dict[str, str]) -> None:
    """Whatever somebody put into the queue."""
    letter = explain(message(body, attributes=attributes), [QUEUE, FUNCTION])
    assert letter.message_id == "m-1"


SUBSCRIPTION = "arn:aws:sns:us-east-1:000000000000:t:1"


@pytest.mark.parametrize(
    ("endpoint", "raw"),
    [
        ("arn:aws:sqs:us-east-1:000000000000:q", False),
        ("arn:aws:lambda:us-east-1:000000000000:function:f", False),
        ("http://x.test/", False),
        ("arn:aws:sqs:us-east-1:000000000000:q", True),
    ],
)
def test_a_topics_notification_is_given_again_to_its_subscriber(endpoint: str, raw: bool) -> None:
    notification = {
        "Type": "Notification",
        "TopicArn": SUBSCRIPTION.rpartition(":")[0],
        "Message": "m",
        "UnsubscribeURL": f"http://localhost/?Action=Unsubscribe&SubscriptionArn={SUBSCRIPTION}",
    }
    body = "m" if raw else json.dumps(notification)
    why = {"RequestID": "r", "ErrorCode": "QueueDoesNotExist", "ErrorMessage": "gone"}
    owner = Owner(OwnerKind.TOPIC, "t", SUBSCRIPTION, endpoint=endpoint)
    letter = explain(message(body, attributes=why), [owner])
    assert (letter.owner, letter.reason) == ("topic t", "QueueDoesNotExist: gone")
    if raw or endpoint.startswith("http"):
        assert letter.again is None
        return
    assert letter.again is not None
    assert letter.again.arn == endpoint
    given = json.loads(letter.again.body)
    if ":lambda:" in endpoint:
        (record,) = given["Records"]
        assert (record["EventSubscriptionArn"], record["Sns"]["Message"]) == (SUBSCRIPTION, "m")
    else:
        assert given == notification
