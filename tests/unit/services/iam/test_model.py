"""IAM's values: tags, sizes, AWS's own policies."""

from __future__ import annotations

import pytest

from fogbank.core.credentials import LONG_TERM, TEMPORARY, account_of_access_key, new_access_key, new_secret_key
from fogbank.core.ids import Ids
from fogbank.services.iam.errors import InvalidInputError, LimitExceededError
from fogbank.services.iam.model import Kind, aws_policy, check_inline_size, policy_size, tags_of, version_number


@pytest.mark.parametrize("account", ["000000000000", "123456789012", "999999999999"])
@pytest.mark.parametrize("prefix", [LONG_TERM, TEMPORARY])
def test_an_access_key_carries_its_account(account: str, prefix: str) -> None:
    """As AWS's own ids do."""
    ids = Ids(seed=1)
    keys = {new_access_key(prefix, account, ids) for _ in range(50)}
    assert len(keys) == 50
    assert {len(key) for key in keys} == {20}
    assert {account_of_access_key(key) for key in keys} == {account}
    assert len(new_secret_key(ids)) == 40


@pytest.mark.parametrize("key", ["", "test", "123456789012", "AKIA1111111111111111", "AKIAIOSFODNN7EXAMPL"])
def test_what_is_no_access_key_carries_none(key: str) -> None:
    """Other keys are taken in local mode, but say nothing of an account."""
    assert account_of_access_key(key) is None


def test_policies_of_aws_are_known_by_their_form() -> None:
    """Name and path come from the ARN, and the id is always the same."""
    policy = aws_policy("arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole")
    assert policy is not None
    assert (policy.name, policy.path) == ("AWSLambdaBasicExecutionRole", "/service-role/")
    assert policy.id.startswith("ANPA")
    assert len(policy.id) == 21
    assert policy == aws_policy(policy.arn)
    assert aws_policy("arn:aws:iam::000000000000:policy/p") is None
    assert aws_policy("arn:aws:iam::aws:policy/") is None


def test_tags() -> None:
    """Keys are the same without regard to case; 50 at the most."""
    assert tags_of([{"Key": "B", "Value": "2"}], {"a": "1", "b": "0"}) == {"a": "1", "B": "2"}
    with pytest.raises(InvalidInputError):
        tags_of([{"Key": "aws:x", "Value": ""}])
    with pytest.raises(LimitExceededError):
        tags_of([{"Key": f"k{i}", "Value": ""} for i in range(51)])


def test_sizes_leave_white_space_out() -> None:
    """As quotas do."""
    assert policy_size(' { "a" : \n 1 } ') == 7
    check_inline_size(Kind.USER, "u", ["x " * 2048])
    with pytest.raises(LimitExceededError, match="Maximum policy size of 2048 bytes exceeded for user u"):
        check_inline_size(Kind.USER, "u", ["x" * 2000, "x" * 49])


def test_version_numbers() -> None:
    """`v3` is 3; what no version is called is 0."""
    assert [version_number(text) for text in ("v3", "v12", "v1.x", "x")] == [3, 12, 0, 0]
