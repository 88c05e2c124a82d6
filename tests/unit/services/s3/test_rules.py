"""Notifications, conditions, policies and names: pure rules."""

from __future__ import annotations

from typing import Any

import pytest

from fogbank.services.s3._conditions import Conditions
from fogbank.services.s3._notifications import Rule
from fogbank.services.s3._policies import is_public, lets_in
from fogbank.services.s3.errors import NotModifiedError, PreconditionFailedError
from fogbank.services.s3.model import ObjectVersion

VERSION = ObjectVersion(1, "k", "null", latest=True, marker=False, size=1, etag="abc", modified=10_500)


def rule(*events: str, prefix: str = "", suffix: str = "") -> Rule:
    return Rule("id", "arn", events, prefix, suffix)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (rule("s3:ObjectCreated:*"), rule("s3:ObjectCreated:Put"), True),
        (rule("s3:ObjectCreated:Put"), rule("s3:ObjectCreated:Copy"), False),
        (rule("s3:ObjectCreated:*"), rule("s3:ObjectRemoved:*"), False),
        (rule("s3:ObjectCreated:*", prefix="a/"), rule("s3:ObjectCreated:*", prefix="b/"), False),
        (rule("s3:ObjectCreated:*", prefix="a"), rule("s3:ObjectCreated:*", prefix="ab"), True),
        (rule("s3:ObjectCreated:*", suffix=".jpg"), rule("s3:ObjectCreated:*", suffix=".png"), False),
        (rule("s3:ObjectCreated:*", prefix="a", suffix=".jpg"), rule("s3:ObjectCreated:*", prefix="a"), True),
    ],
)
def test_lines_overlap(one: Rule, other: Rule, expected: bool) -> None:
    """Where one event of one key would be told by both."""
    assert one.overlaps(other) is expected
    assert other.overlaps(one) is expected


def test_what_a_line_tells() -> None:
    """Its events, of keys that its filter lets through."""
    line = rule("s3:ObjectCreated:*", "s3:ObjectRemoved:Delete", prefix="in/", suffix=".txt")
    assert line.meets("ObjectCreated:Copy", "in/a.txt")
    assert not line.meets("ObjectRemoved:DeleteMarkerCreated", "in/a.txt")
    assert not line.meets("ObjectCreated:Put", "out/a.txt")
    assert not line.meets("ObjectCreated:Put", "in/a.jpg")


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        (Conditions(match='"abc"'), None),
        (Conditions(match='"x", "abc"'), None),
        (Conditions(match='"x"'), PreconditionFailedError),
        (Conditions(match="*", unmodified_since=5), None),
        (Conditions(unmodified_since=9), PreconditionFailedError),
        (Conditions(unmodified_since=10), None),
        (Conditions(none_match="abc"), NotModifiedError),
        (Conditions(none_match='"x"', modified_since=20), None),
        (Conditions(modified_since=10), NotModifiedError),
        (Conditions(modified_since=9), None),
        (Conditions(none_match="*", source=True), PreconditionFailedError),
    ],
)
def test_conditions(conditions: Conditions, expected: type[Exception] | None) -> None:
    """ETags go before moments, which are whole seconds (RFC 9110, section 13.2.2)."""
    if expected is None:
        conditions.check(VERSION)
    else:
        with pytest.raises(expected):
            conditions.check(VERSION)


def statement(**more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Principal": "*", "Action": "s3:*", "Resource": "*", **more}


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (statement(), True),
        (statement(Principal={"AWS": "*"}), True),
        (statement(Effect="Deny"), False),
        (statement(Principal={"AWS": "arn:aws:iam::1:root"}), False),
        (statement(Condition={"StringEquals": {"aws:SourceVpce": "v"}}), False),
        (statement(Condition={"Bool": {"aws:SecureTransport": "true"}}), True),
    ],
)
def test_public_policies(made: dict[str, Any], expected: bool) -> None:
    """For everybody, and not narrowed to somebody."""
    assert is_public({"Statement": made}) is expected


def test_who_is_let_in() -> None:
    """A service, by a statement whose conditions its bucket meets; a denial wins."""
    context = {"aws:sourcearn": "arn:aws:s3:::b", "aws:sourceaccount": "1"}
    allow = statement(
        Principal={"Service": "s3.amazonaws.com"},
        Action=["sqs:SendMessage"],
        Condition={"ArnLike": {"aws:SourceArn": "arn:aws:s3:*:*:b"}, "StringEquals": {"AWS:SourceAccount": "1"}},
    )

    def let(*statements: dict[str, Any]) -> bool:
        return lets_in({"Statement": list(statements)}, "s3.amazonaws.com", "sqs:SendMessage", context)

    assert let(allow)
    assert not let()
    assert not let({**allow, "Action": "sqs:ReceiveMessage"})
    assert not let({**allow, "Condition": {"StringEquals": {"aws:SourceAccount": "2"}}})
    assert not let(allow, {**allow, "Effect": "Deny"})
