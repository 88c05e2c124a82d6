"""Queues, receipt handles, groups, permissions."""

from __future__ import annotations

import base64
import json
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fogbank.services.sqs import _policy as policy
from fogbank.services.sqs._attributes import Redrive
from fogbank.services.sqs._receipts import Receipt, read_receipt, write_receipt
from fogbank.services.sqs.errors import InvalidParameterValueError, MissingParameterError, OverLimitError
from fogbank.services.sqs.model import (
    Counts,
    Message,
    Queue,
    QueueKey,
    Selection,
    deduplication_key,
    is_spent,
    received_shape,
    sequence_number,
)

KEY = QueueKey("000000000000", "eu-west-1", "q")


def queue(name: str = "q", **kept: str) -> Queue:
    return Queue(3, 7, KEY._replace(name=name), kept, {}, 1_700_000_000_500, 1_700_000_001_500)


receipts = st.builds(
    Receipt,
    st.integers(1, 2**63 - 1),
    st.integers(1, 2**63 - 1),
    st.integers(1, 2**32 - 1),
    st.uuids().map(str),
)


@given(receipts)
def test_receipt_handles_are_read_back(receipt: Receipt) -> None:
    """A handle is printable text and says what was written."""
    handle = write_receipt(receipt)
    assert handle.startswith("AQEB")
    assert read_receipt(handle) == receipt


@given(receipts, st.integers(0, 200), st.integers(0, 255))
def test_a_changed_handle_is_none(receipt: Receipt, place: int, change: int) -> None:
    """The checksum finds a changed byte."""
    raw = bytearray(base64.b64decode(write_receipt(receipt)))
    place %= len(raw)
    if raw[place] == change:
        return
    raw[place] = change
    assert read_receipt(base64.b64encode(bytes(raw)).decode()) is None


@given(st.text())
def test_other_text_is_no_handle(text: str) -> None:
    """Nothing that is not a handle is taken for one, and nothing raises."""
    assert read_receipt(text) is None


def test_a_queues_attributes_are_complete() -> None:
    """Everything that GetQueueAttributes names, with times in seconds."""
    found = queue(DelaySeconds="5").attributes(Counts(1, 2, 3))
    assert found["QueueArn"] == "arn:aws:sqs:eu-west-1:000000000000:q"
    assert (found["CreatedTimestamp"], found["LastModifiedTimestamp"]) == ("1700000000", "1700000001")
    assert found["ApproximateNumberOfMessages"] == "1"
    assert found["ApproximateNumberOfMessagesNotVisible"] == "2"
    assert found["ApproximateNumberOfMessagesDelayed"] == "3"
    assert found["DelaySeconds"] == "5"
    assert "ApproximateNumberOfMessages" not in queue().attributes(None)


def test_arns_follow_the_partition() -> None:
    """China has its own."""
    assert QueueKey("000000000000", "cn-north-1", "q").arn == "arn:aws-cn:sqs:cn-north-1:000000000000:q"


def test_a_message_is_spent_when_it_was_received_often_enough() -> None:
    """The receive after the last that is allowed moves it."""
    assert not is_spent(5, None)
    assert not is_spent(2, Redrive("arn", 3))
    assert is_spent(3, Redrive("arn", 3))


def test_deduplication_ids_are_told_apart_by_scope() -> None:
    """With the scope messageGroup the same id in two groups is two ids."""
    by_queue, by_group = queue("q.fifo"), queue("q.fifo", DeduplicationScope="messageGroup")
    assert deduplication_key(by_queue, "d", "a") == deduplication_key(by_queue, "d", "b")
    assert deduplication_key(by_group, "d", "a") != deduplication_key(by_group, "d", "b")


@given(st.integers(1, 2**55), st.integers(1, 2**55))
def test_sequence_numbers_grow_and_have_20_digits(one: int, other: int) -> None:
    """Their order as text is that of the sequences."""
    assert len(sequence_number(one)) == 20
    assert (one < other) == (sequence_number(one) < sequence_number(other))


MESSAGE = Message(5, str(UUID(int=9)), "body", "md5", 2, 1000, 1500, None, None, None, None, None, None)


def test_a_consumer_sees_what_it_asked_for() -> None:
    """Without names there is neither kind of attribute."""
    assert set(received_shape(queue(), MESSAGE, Selection())) == {"MessageId", "ReceiptHandle", "MD5OfBody", "Body"}
    everything = received_shape(queue(), MESSAGE, Selection(("All",), ("All",)))
    assert everything["Attributes"] == {
        "SenderId": "000000000000",
        "ApproximateFirstReceiveTimestamp": "1500",
        "ApproximateReceiveCount": "2",
        "SentTimestamp": "1000",
    }
    assert "MessageAttributes" not in everything
    one = received_shape(queue(), MESSAGE, Selection(("SentTimestamp", "MessageGroupId")))
    assert one["Attributes"] == {"SentTimestamp": "1000"}


def test_fifo_messages_show_group_number_and_deduplication_id() -> None:
    """And a dead-letter queue shows where its messages came from."""
    message = MESSAGE._replace(group="g", deduplication="d", source="arn:aws:sqs:x", trace="Root=1")
    found = received_shape(queue("q.fifo"), message, Selection(("All",)))["Attributes"]
    assert found["SequenceNumber"] == sequence_number(5)
    assert (found["MessageGroupId"], found["MessageDeduplicationId"]) == ("g", "d")
    assert (found["DeadLetterQueueSourceArn"], found["AWSTraceHeader"]) == ("arn:aws:sqs:x", "Root=1")


def test_permissions_become_statements_of_the_policy() -> None:
    """In AWS's form; one account or action stands alone, several in a list."""
    first = policy.add_permission(queue(), "label", ["111122223333"], ["SendMessage"])
    assert json.loads(first) == {
        "Version": "2008-10-17",
        "Id": "arn:aws:sqs:eu-west-1:000000000000:q/SQSDefaultPolicy",
        "Statement": [
            {
                "Sid": "label",
                "Effect": "Allow",
                "Principal": {"AWS": "arn:aws:iam::111122223333:root"},
                "Action": "SQS:SendMessage",
                "Resource": "arn:aws:sqs:eu-west-1:000000000000:q",
            }
        ],
    }
    second = policy.add_permission(queue(Policy=first), "two", ["111122223333", "444455556666"], ["*", "GetQueueUrl"])
    assert [statement["Sid"] for statement in json.loads(second)["Statement"]] == ["label", "two"]
    assert json.loads(second)["Statement"][1]["Action"] == ["SQS:*", "SQS:GetQueueUrl"]
    left = policy.remove_permission(queue(Policy=second), "label")
    assert [statement["Sid"] for statement in json.loads(left)["Statement"]] == ["two"]
    assert policy.remove_permission(queue(Policy=left), "two") == ""


def test_labels_are_unique_and_must_exist() -> None:
    """Adding one twice and removing an unknown one are refused."""
    kept = policy.add_permission(queue(), "label", ["111122223333"], ["SendMessage"])
    with pytest.raises(
        InvalidParameterValueError, match=r"Value label for parameter Label is invalid\. Reason: Already exists\."
    ):
        policy.add_permission(queue(Policy=kept), "label", ["111122223333"], ["SendMessage"])
    for holder in (queue(), queue(Policy=kept)):
        with pytest.raises(InvalidParameterValueError, match="can't find label"):
            policy.remove_permission(holder, "other")


@pytest.mark.parametrize(
    ("label", "accounts", "actions", "error", "message"),
    [
        ("l", ["111122223333"], [], MissingParameterError, "The request must contain the parameter Actions."),
        ("l", [], ["SendMessage"], MissingParameterError, "The request must contain the parameter PrincipalId."),
        (
            "l",
            ["*"],
            ["SendMessage"],
            InvalidParameterValueError,
            "Value [*] for parameter PrincipalId is invalid. Reason: Unable to verify.",
        ),
        (
            "l",
            ["111122223333"],
            ["CreateQueue"],
            InvalidParameterValueError,
            (
                "Value SQS:CreateQueue for parameter ActionName is invalid. "
                "Reason: Only the queue owner is allowed to invoke this action."
            ),
        ),
        (
            "l",
            ["111122223333"],
            ["ChangeMessageVisibilityBatch"],
            InvalidParameterValueError,
            (
                "Value SQS:ChangeMessageVisibilityBatch for parameter ActionName is invalid. "
                "Reason: Please refer to the appropriate WSDL for a list of valid actions."
            ),
        ),
        ("l", ["111122223333"], ["SendMessage"] * 8, OverLimitError, "8 Actions were found, maximum allowed is 7."),
    ],
)
def test_permissions_that_break_a_rule_are_refused(
    label: str, accounts: list[str], actions: list[str], error: type[Exception], message: str
) -> None:
    """Each rule has its message."""
    with pytest.raises(error) as caught:
        policy.check_permission(label, accounts, actions)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    "tags", [{"": "v"}, {"k" * 129: "v"}, {"k": "v" * 257}, {"aws:x": "v"}, {"AWS:x": "v"}, {"k!": "v"}, {"k": "<"}]
)
def test_tags_that_break_a_rule_are_refused(tags: dict[str, str]) -> None:
    """Lengths, the reserved prefix and the characters."""
    with pytest.raises(InvalidParameterValueError):
        policy.check_tags(tags)


def test_other_tags_are_fine() -> None:
    """Letters of any script, and an empty value."""
    policy.check_tags({"Größe": "", "a b_.:/=+-@": "ü", "k" * 128: "v" * 256})
