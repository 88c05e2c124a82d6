"""Queue attributes: ranges, defaults, policies, comparison."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fogbank.services.sqs import _attributes as attributes
from fogbank.services.sqs.errors import (
    InvalidAttributeNameError,
    InvalidAttributeValueError,
    InvalidParameterValueError,
    SqsError,
    TwoEncryptionsError,
)

ARN = "arn:aws:sqs:us-east-1:000000000000:dead"


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("DelaySeconds", 0, 900),
        ("MaximumMessageSize", 1024, 1_048_576),
        ("MessageRetentionPeriod", 60, 1_209_600),
        ("ReceiveMessageWaitTimeSeconds", 0, 20),
        ("VisibilityTimeout", 0, 43_200),
        ("KmsDataKeyReusePeriodSeconds", 60, 86_400),
    ],
)
def test_numbers_have_the_documented_ranges(name: str, low: int, high: int) -> None:
    """Both ends are in, what lies beyond is out, and so is what is no whole number."""
    for good in (low, high):
        assert attributes.check_attributes({name: str(good)}, fifo=False) == {name: str(good)}
    for bad in (str(low - 1), str(high + 1), "x", "1.5", " 60", "²", "9" * 5000):
        with pytest.raises(InvalidAttributeValueError) as caught:
            attributes.check_attributes({name: bad}, fifo=False)
        assert caught.value.message == f"Invalid value for the parameter {name}."


@pytest.mark.parametrize(
    "name",
    [
        "Foo",
        "All",
        "",
        "QueueArn",
        "CreatedTimestamp",
        "ApproximateNumberOfMessages",
        "FifoQueue",
        "ContentBasedDeduplication",
    ],
)
def test_unknown_and_read_only_names_are_refused(name: str) -> None:
    """What cannot be set is unknown, and so is what only FIFO queues have."""
    with pytest.raises(InvalidAttributeNameError) as caught:
        attributes.check_attributes({name: "true"}, fifo=False)
    assert caught.value.message == f"Unknown Attribute {name}."


def test_fifo_attributes_take_their_values_only() -> None:
    """Scope and limit are enumerations; the limit by group needs the scope by group."""
    good = {
        "ContentBasedDeduplication": "true",
        "DeduplicationScope": "messageGroup",
        "FifoThroughputLimit": "perMessageGroupId",
    }
    assert attributes.check_attributes(good, fifo=True) == good
    assert attributes.merge({}, good) == good
    for name, bad in (
        ("DeduplicationScope", "group"),
        ("FifoThroughputLimit", "x"),
        ("ContentBasedDeduplication", "1"),
    ):
        with pytest.raises(InvalidAttributeValueError):
            attributes.check_attributes({name: bad}, fifo=True)
    with pytest.raises(InvalidAttributeValueError):
        attributes.merge({}, {"FifoThroughputLimit": "perMessageGroupId"})


def test_fifo_queue_is_true_or_absent() -> None:
    """AWS knows no `FifoQueue=false`."""
    assert attributes.fifo_wanted({"FifoQueue": "true"})
    assert not attributes.fifo_wanted({})
    with pytest.raises(InvalidAttributeNameError, match=r"^Unknown Attribute FifoQueue\.$"):
        attributes.fifo_wanted({"FifoQueue": "false"})
    with pytest.raises(InvalidAttributeValueError):
        attributes.fifo_wanted({"FifoQueue": "yes"})


@pytest.mark.parametrize("name", ["q", "Q_1-x", "x" * 80])
def test_good_names(name: str) -> None:
    """Alphanumerics, hyphens and underscores, 80 characters; a FIFO queue's with its suffix within them."""
    attributes.check_queue_name(name, fifo=False)
    attributes.check_queue_name(f"{name[:75]}.fifo", fifo=True)


@pytest.mark.parametrize(
    ("name", "fifo"),
    [
        ("", False),
        ("a.b", False),
        ("a.fifo", False),
        ("x" * 81, False),
        ("a b", False),
        ("q", True),
        (".fifo", True),
        (f"{'x' * 76}.fifo", True),
        ("a\n", False),
        ("a.fifo\n", True),
    ],
)
def test_bad_names(name: str, fifo: bool) -> None:
    """A standard queue has no suffix, a FIFO queue must have it."""
    with pytest.raises(InvalidParameterValueError):
        attributes.check_queue_name(name, fifo=fifo)


def test_defaults_are_those_of_the_documentation() -> None:
    """What is not given has its default; encryption by SQS is on."""
    assert attributes.effective({}, fifo=False) == {
        "VisibilityTimeout": "30",
        "MaximumMessageSize": "1048576",
        "MessageRetentionPeriod": "345600",
        "DelaySeconds": "0",
        "ReceiveMessageWaitTimeSeconds": "0",
        "SqsManagedSseEnabled": "true",
    }
    fifo = attributes.effective({}, fifo=True)
    assert (fifo["FifoQueue"], fifo["ContentBasedDeduplication"]) == ("true", "false")
    assert (fifo["DeduplicationScope"], fifo["FifoThroughputLimit"]) == ("queue", "perQueue")


def test_one_kind_of_encryption_replaces_the_other() -> None:
    """A KMS key turns encryption by SQS off, and the other way round; both at once are refused."""
    kept = attributes.merge({}, attributes.check_attributes({"KmsMasterKeyId": "alias/aws/sqs"}, fifo=False))
    found = attributes.effective(kept, fifo=False)
    assert (found["KmsMasterKeyId"], found["SqsManagedSseEnabled"]) == ("alias/aws/sqs", "false")
    assert found["KmsDataKeyReusePeriodSeconds"] == "300"
    again = attributes.effective(attributes.merge(kept, {"SqsManagedSseEnabled": "true"}), fifo=False)
    assert "KmsMasterKeyId" not in again
    assert again["SqsManagedSseEnabled"] == "true"
    assert "KmsDataKeyReusePeriodSeconds" not in again
    without = attributes.effective(attributes.merge(kept, {"KmsMasterKeyId": ""}), fifo=False)
    assert "KmsMasterKeyId" not in without
    assert (without["SqsManagedSseEnabled"], "KmsDataKeyReusePeriodSeconds" in without) == ("false", False)
    with pytest.raises(TwoEncryptionsError, match="one type of server-side encryption"):
        attributes.check_attributes({"KmsMasterKeyId": "k", "SqsManagedSseEnabled": "true"}, fifo=False)


@given(st.integers(1, 1000), st.booleans())
def test_a_redrive_policy_is_kept_in_one_form(count: int, as_text: bool) -> None:
    """The count may come as text; it is kept as a number, without blanks."""
    text = json.dumps({"maxReceiveCount": str(count) if as_text else count, "deadLetterTargetArn": ARN})
    kept = attributes.check_attributes({"RedrivePolicy": text}, fifo=False)["RedrivePolicy"]
    assert kept == f'{{"deadLetterTargetArn":"{ARN}","maxReceiveCount":{count}}}'
    assert attributes.parse_redrive(kept) == attributes.Redrive(ARN, count)


@pytest.mark.parametrize(
    ("policy", "reason"),
    [
        ("no json", "Redrive policy is not a valid JSON map."),
        ("[]", "Redrive policy is not a valid JSON map."),
        ("{}", "Redrive policy does not contain mandatory attribute: deadLetterTargetArn."),
        ('{"maxReceiveCount":5}', "Redrive policy does not contain mandatory attribute: deadLetterTargetArn."),
        (f'{{"deadLetterTargetArn":"{ARN}"}}', "Redrive policy does not contain mandatory attribute: maxReceiveCount."),
        (
            f'{{"deadLetterTargetArn":"{ARN}","maxReceiveCount":0}}',
            "Invalid value for maxReceiveCount: 0, valid values are from 1 to 1000 both inclusive.",
        ),
        (
            f'{{"deadLetterTargetArn":"{ARN}","maxReceiveCount":"1001"}}',
            "Invalid value for maxReceiveCount: 1001, valid values are from 1 to 1000 both inclusive.",
        ),
        (
            f'{{"deadLetterTargetArn":"{ARN}","maxReceiveCount":1,"x":1}}',
            "Redrive policy contains unknown attribute: x.",
        ),
        ('{"deadLetterTargetArn":"dead","maxReceiveCount":1}', "Invalid value for deadLetterTargetArn."),
        ('{"deadLetterTargetArn":7,"maxReceiveCount":1}', "Invalid value for deadLetterTargetArn."),
        (
            '{"deadLetterTargetArn":"arn:aws:sns:us-east-1:0:t","maxReceiveCount":1}',
            "Invalid value for deadLetterTargetArn.",
        ),
    ],
)
def test_redrive_policies_that_break_a_rule_are_refused(policy: str, reason: str) -> None:
    """The value is quoted, the reason named."""
    with pytest.raises(InvalidParameterValueError) as caught:
        attributes.check_attributes({"RedrivePolicy": policy}, fifo=False)
    assert caught.value.message == f"Value {policy} for parameter RedrivePolicy is invalid. Reason: {reason}"


def test_redrive_allow_policies_say_who_may_use_a_queue() -> None:
    """All, none, or up to ten by name."""
    for text, allowed in (
        ('{"redrivePermission":"allowAll"}', True),
        ('{"redrivePermission":"denyAll"}', False),
        (f'{{"redrivePermission":"byQueue","sourceQueueArns":["{ARN}"]}}', True),
        ('{"redrivePermission":"byQueue","sourceQueueArns":["arn:aws:sqs:us-east-1:000000000000:other"]}', False),
    ):
        kept = attributes.check_attributes({"RedriveAllowPolicy": text}, fifo=False)["RedriveAllowPolicy"]
        assert kept == text
        assert attributes.parse_redrive_allow(kept).allows(ARN) is allowed


@pytest.mark.parametrize(
    "policy",
    [
        "x",
        "[]",
        "{}",
        '{"redrivePermission":"some"}',
        '{"redrivePermission":7}',
        '{"redrivePermission":"allowAll","sourceQueueArns":[]}',
        '{"redrivePermission":"byQueue"}',
        '{"redrivePermission":"byQueue","sourceQueueArns":[]}',
        '{"redrivePermission":"byQueue","sourceQueueArns":[1]}',
        '{"redrivePermission":"byQueue","sourceQueueArns":["x"]}',
        json.dumps({"redrivePermission": "byQueue", "sourceQueueArns": [f"{ARN}{i}" for i in range(11)]}),
        '{"redrivePermission":"allowAll","other":1}',
    ],
)
def test_redrive_allow_policies_that_break_a_rule_are_refused(policy: str) -> None:
    """Whatever is wrong, the policy is not kept."""
    with pytest.raises(
        InvalidParameterValueError, match=r"^Value .* for parameter RedriveAllowPolicy is invalid\. Reason: "
    ):
        attributes.check_attributes({"RedriveAllowPolicy": policy}, fifo=False)


@given(st.text())
def test_no_text_crashes_the_readers_of_policies(text: str) -> None:
    """Every text is a policy or is refused as one."""
    for name in ("RedrivePolicy", "RedriveAllowPolicy", "Policy"):
        try:
            attributes.check_attributes({name: text}, fifo=False)
        except SqsError:
            continue


def test_an_empty_string_takes_a_policy_away() -> None:
    """SetQueueAttributes with "" removes what can be removed."""
    kept = {"RedrivePolicy": "x", "Policy": "y", "DelaySeconds": "5"}
    changes = attributes.check_attributes({"RedrivePolicy": "", "Policy": ""}, fifo=False)
    assert attributes.merge(kept, changes) == {"DelaySeconds": "5"}


def test_a_second_create_compares_what_it_names() -> None:
    """Defaults count as values; what is not named is not compared."""
    kept = {"DelaySeconds": "5"}
    assert attributes.first_difference(kept, {}, fifo=False) is None
    assert attributes.first_difference(kept, {"DelaySeconds": "5", "VisibilityTimeout": "30"}, fifo=False) is None
    assert attributes.first_difference(kept, {"DelaySeconds": "6"}, fifo=False) == "DelaySeconds"
    assert attributes.first_difference(kept, {"VisibilityTimeout": "31"}, fifo=False) == "VisibilityTimeout"
    assert attributes.first_difference(kept, {"RedrivePolicy": "x"}, fifo=False) == "RedrivePolicy"


@pytest.mark.parametrize("policy", ["x", "[]", "{}", '{"Statement":"x"}'])
def test_a_policy_must_be_a_document_with_statements(policy: str) -> None:
    """Anything else is an invalid value."""
    with pytest.raises(InvalidAttributeValueError, match="Invalid value for the parameter Policy"):
        attributes.check_attributes({"Policy": policy}, fifo=False)
