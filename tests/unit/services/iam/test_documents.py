"""The policy grammar: what is taken, and AWS's words for what is not."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fogbank.services.iam._documents import check_identity_policy, check_trust_policy
from fogbank.services.iam.errors import MalformedPolicyError

STATEMENT: dict[str, Any] = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}
TRUST: dict[str, Any] = {
    "Effect": "Allow",
    "Principal": {"Service": "lambda.amazonaws.com"},
    "Action": "sts:AssumeRole",
}


def document(*statements: Any, **more: Any) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements), **more})


@pytest.mark.parametrize(
    "statement",
    [
        STATEMENT,
        {"Sid": "A1", "Effect": "Deny", "NotAction": ["*"], "NotResource": ["arn:aws:s3:::b/*"]},
        STATEMENT | {"Resource": ["arn:aws:sqs:us-east-1:000000000000:q", "arn:aws:s3:::*", "arn:*:s3:*:*:*"]},
        STATEMENT | {"Condition": {"StringEquals": {"aws:RequestedRegion": ["us-east-1"]}}},
        STATEMENT | {"Action": ["logs:*", "execute-api:Invoke"]},
    ],
)
def test_policies_that_are_taken(statement: dict[str, Any]) -> None:
    """A statement alone, or in a list."""
    check_identity_policy(document(statement))
    check_identity_policy(json.dumps({"Version": "2012-10-17", "Id": "x", "Statement": statement}))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "Syntax errors in policy."),
        ("[]", "Syntax errors in policy."),
        ('{"Version": "2012-10-17"}', "Syntax errors in policy."),
        (document(), "Syntax errors in policy."),
        (document("x"), "Syntax errors in policy."),
        (document(STATEMENT, Other=1), "Syntax errors in policy."),
        (document(STATEMENT, Version="2013-10-17"), "Syntax errors in policy."),
        (
            document(STATEMENT, Version="2008-10-17"),
            "Policy document must be version 2012-10-17 or greater.",
        ),
        (json.dumps({"Statement": STATEMENT}), "Policy document must be version 2012-10-17 or greater."),
        (document(STATEMENT | {"Effect": "allow"}), "The policy failed legacy parsing"),
        (document(STATEMENT | {"Extra": 1}), "Syntax errors in policy."),
        (document(STATEMENT | {"NotAction": "*"}), "Syntax errors in policy."),
        (document(STATEMENT | {"Action": 7}), "Syntax errors in policy."),
        (document(STATEMENT | {"Condition": "x"}), "Syntax errors in policy."),
        (document(STATEMENT | {"Principal": "*"}), "Policy document should not specify a principal."),
        (document({"Effect": "Allow", "Resource": "*"}), "Policy statement must contain actions."),
        (document(STATEMENT | {"Action": []}), "Policy statement must contain actions."),
        (document({"Effect": "Allow", "Action": "*"}), "Policy statement must contain resources."),
        (
            document(STATEMENT | {"Action": "GetObject"}),
            "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.",
        ),
        (document(STATEMENT | {"Action": "a b:Get"}), "Vendor a b is not valid"),
        (document(STATEMENT | {"Action": "s3:Get:x"}), "Actions/Condition can contain only one colon."),
        (document(STATEMENT | {"Resource": "bucket"}), 'Resource bucket must be in ARN format or "*".'),
        (
            document(STATEMENT | {"Resource": "arn:oops:s3:::b"}),
            'Partition "oops" is not valid for resource "arn:oops:s3:::b".',
        ),
        (document(STATEMENT | {"Resource": "arn:aws:sqs::q"}), "The policy failed legacy parsing"),
        (document(STATEMENT | {"Resource": "arn:aws:::x:y"}), "The policy failed legacy parsing"),
        (
            document(STATEMENT | {"Resource": "x:oops"}),
            'Partition "oops" is not valid for resource "arn:oops:*:*:*:*".',
        ),
        (
            document(STATEMENT | {"Resource": "arn:aws"}),
            "Resource vendor must be fully qualified and cannot contain regexes.",
        ),
        (
            document(STATEMENT | {"Resource": "arn:aws:s3:eu-west-1::b"}),
            "Resource arn:aws:s3:eu-west-1::b can not contain region information.",
        ),
        (
            document(STATEMENT | {"Resource": "arn:aws:iam:eu-west-1:000000000000:role/r"}),
            "IAM resource arn:aws:iam:eu-west-1:000000000000:role/r cannot contain region information.",
        ),
        (
            document(STATEMENT | {"Resource": "arn:aws:iam::000000000000:thing/r"}),
            (
                'IAM resource path must either be "*", root, or start with user/, federated-user/, role/, group/, '
                "instance-profile/, mfa/, server-certificate/, policy/, sms-mfa/, saml-provider/, oidc-provider/, "
                "report/, access-report/."
            ),
        ),
        (document(STATEMENT, Id=[]), "Syntax errors in policy."),
        (document(STATEMENT | {"Condition": {"Near": {"a": "b"}}}), "Syntax errors in policy."),
        (document(STATEMENT | {"Condition": {"Bool": {"a": {}}}}), "Syntax errors in policy."),
        # of several faults, the first in IAM's order
        (document(STATEMENT | {"Resource": "x", "Action": "y"}), 'Resource x must be in ARN format or "*".'),
        (document({"Effect": "Allow", "Action": "y"}), "Policy statement must contain resources."),
        (document({"Effect": "allow"}), "The policy failed legacy parsing"),
        (
            json.dumps({"Statement": STATEMENT | {"Effect": "allow"}}),
            "Policy document must be version 2012-10-17 or greater.",
        ),
        (
            document(STATEMENT | {"Sid": "a"}, {"Sid": "a", "Effect": "Deny"}),
            "Statement IDs (SID) in a single policy must be unique.",
        ),
        (
            document(STATEMENT | {"Sid": "a"}, STATEMENT | {"Sid": "a"}),
            "Statement IDs (SID) in a single policy must be unique.",
        ),
    ],
)
def test_policies_that_are_refused(text: str, message: str) -> None:
    """The first thing that is wrong is told."""
    with pytest.raises(MalformedPolicyError) as caught:
        check_identity_policy(text)
    assert caught.value.message == message


@pytest.mark.parametrize("date", ["2024-02-03T04:05:06Z", "2024-1", "1700000000", "-5", "20240203T04:05+01", "${d}"])
def test_dates_that_are_taken(date: str) -> None:
    """Dates as in ISO 8601, and seconds since the epoch."""
    check_identity_policy(document(STATEMENT | {"Condition": {"DateLessThanIfExists": {"aws:CurrentTime": [date]}}}))


@pytest.mark.parametrize(
    "date", ["", "soon", "2024-13", "2024-02-03T04:05:06.1234567890Z", "2024-02-03T04+1", str(1 << 63)]
)
def test_dates_that_are_refused(date: str) -> None:
    """No such month, more digits than nanoseconds, half an hour's offset, past what 64 bits hold."""
    with pytest.raises(MalformedPolicyError, match="The policy failed legacy parsing"):
        check_identity_policy(document(STATEMENT | {"Condition": {"DateGreaterThan": {"aws:CurrentTime": date}}}))


@pytest.mark.parametrize(
    "condition",
    [
        {},
        {"Near": {}},
        {"Bool": {"a": []}},
        {"ForAnyValue:StringLikeIfExists": {"a": ["b", "c"]}},
        {"Null": {"a": True}},
    ],
)
def test_conditions_that_are_taken(condition: dict[str, Any]) -> None:
    """Known operators with texts, numbers and booleans; any operator without keys."""
    check_identity_policy(document(STATEMENT | {"Condition": condition}))


@pytest.mark.parametrize(
    "resource",
    [
        "arn:aws:sqs",
        "arn:aws:s3:eu-west-1:000000000000:accesspoint/a",
        "arn:aws:iam::*:user/${aws:username}",
        "arn:aws:iam::000000000000:ro*",
        "arn:aws:iam::000000000000:root",
        "arn:aws:ec2:region:account-id:instance/*",
    ],
)
def test_resources_that_are_taken(resource: str) -> None:
    """ARNs in full, cut short after the service, or with wildcards."""
    check_identity_policy(document(STATEMENT | {"Resource": resource}))


def test_sids_are_alphanumeric() -> None:
    """No blanks, no dashes."""
    with pytest.raises(MalformedPolicyError, match=r"must be alpha-numeric\."):
        check_identity_policy(document(STATEMENT | {"Sid": "a b"}))


@pytest.mark.parametrize(
    "principal",
    [
        "*",
        {"AWS": "*"},
        {"AWS": ["123456789012", "arn:aws:iam::123456789012:root"]},
        {"AWS": "arn:aws:iam::123456789012:role/path/name"},
        {"Service": ["lambda.amazonaws.com", "states.us-east-1.amazonaws.com", "ec2.amazonaws.com.cn"]},
        {"Federated": "cognito-identity.amazonaws.com"},
    ],
)
def test_principals_that_are_taken(principal: Any) -> None:
    """Accounts, roles, users, services, identity providers."""
    check_trust_policy(document(TRUST | {"Principal": principal}))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "This policy contains invalid Json"),
        ('{"Version": "2012-10-17"}', "Missing required field Statement"),
        (document(TRUST | {"Resource": "*"}), "Has prohibited field Resource"),
        (document({"Effect": "Allow", "Action": "sts:AssumeRole"}), "Missing required field Principal"),
        (document({"Effect": "Allow", "Principal": "*"}), "Missing required field Action"),
        (
            document(TRUST | {"Action": "s3:GetObject"}),
            "AssumeRole policy may only specify STS AssumeRole actions.",
        ),
        (
            document(TRUST | {"Principal": {"Service": "lambda"}}),
            'Invalid principal in policy: "SERVICE":"lambda"',
        ),
        (document(TRUST | {"Principal": {"AWS": "me"}}), 'Invalid principal in policy: "AWS":"me"'),
        (document(TRUST | {"Principal": {"Person": "me"}}), "Invalid principal in policy"),
        (document(TRUST | {"Principal": []}), "Invalid principal in policy"),
    ],
)
def test_trust_policies_that_are_refused(text: str, message: str) -> None:
    """Who may assume a role is said with principals and actions of STS."""
    with pytest.raises(MalformedPolicyError) as caught:
        check_trust_policy(text)
    assert caught.value.message == message


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
FIELDS = st.sampled_from(
    ["Effect", "Action", "NotAction", "Resource", "NotResource", "Principal", "Sid", "Condition", "Other"]
)
VALUES = st.sampled_from(["Allow", "*", "s3:Get*", "sts:AssumeRole", "arn:aws:s3:::b"]) | JSON
STATEMENTS = st.dictionaries(FIELDS, VALUES, max_size=6)


@given(st.text() | JSON.map(json.dumps) | st.lists(STATEMENTS | JSON, max_size=3).map(lambda s: document(*s)))
def test_whatever_comes_is_taken_or_refused(text: str) -> None:
    """No other error comes out."""
    for check in (check_identity_policy, check_trust_policy):
        try:
            check(text)
        except MalformedPolicyError:
            continue
