"""How long sessions last, and what role ARNs are."""

from __future__ import annotations

import pytest

from fogbank.core.ids import Ids
from fogbank.core.scope import Scope
from fogbank.services.sts.errors import InvalidValueError, StsValidationError
from fogbank.services.sts.model import (
    HOUR,
    Identity,
    RoleArn,
    carried_tags,
    new_token,
    packed_size,
    parse_role_arn,
    role_session_seconds,
    root,
    token_utilization,
    user_session_seconds,
)

USER = Identity("000000000000", "arn:aws:iam::000000000000:user/u", "AIDA")
ROLE = Identity("000000000000", "arn:aws:sts::000000000000:assumed-role/r/s", "AROA:s", is_session=True)
ROOT = root(Scope())


def test_role_arns() -> None:
    """A role's ARN has an account, a path and a name."""
    assert parse_role_arn("arn:aws:iam::123456789012:role/a/b/r") == RoleArn("123456789012", "r")
    assert parse_role_arn("arn:aws-cn:iam::123456789012:role/r") == RoleArn("123456789012", "r")
    for text in ("arn:aws:iam::123:role/r", "arn:aws:iam::123456789012:user/u", "arn:aws:iam::123456789012:role/"):
        with pytest.raises(StsValidationError, match="is invalid"):
            parse_role_arn(text)


def test_role_sessions() -> None:
    """An hour by default, the role's longest at the most, an hour when chained."""
    assert role_session_seconds(None, 3600, USER) == HOUR
    assert role_session_seconds(7200, 7200, USER) == 7200
    assert role_session_seconds(3600, 7200, ROLE) == HOUR
    with pytest.raises(StsValidationError, match="MaxSessionDuration"):
        role_session_seconds(7201, 7200, USER)
    with pytest.raises(StsValidationError, match="role chaining"):
        role_session_seconds(7200, 7200, ROLE)


def test_user_sessions() -> None:
    """12 hours by default; the root's are an hour."""
    assert user_session_seconds(None, USER) == 12 * HOUR
    assert user_session_seconds(129_600, USER) == 129_600
    assert user_session_seconds(None, ROOT) == HOUR
    assert user_session_seconds(900, ROOT) == 900
    assert ROOT.is_root
    assert not USER.is_root


def test_packed_sizes() -> None:
    """A percentage of the room; nothing where nothing was passed."""
    assert packed_size({}) is None
    assert packed_size({"Tags": [{"Key": "a", "Value": "b"}]}) == 1
    with pytest.raises(InvalidValueError, match="Duplicate tag keys"):
        packed_size({"Tags": [{"Key": "a", "Value": ""}, {"Key": "A", "Value": ""}]})
    with pytest.raises(InvalidValueError, match="must be included in the requested tags"):
        packed_size({"Tags": [{"Key": "a", "Value": ""}], "TransitiveTagKeys": ["b"]})
    with pytest.raises(StsValidationError, match="No more than 10"):
        packed_size({"PolicyArns": [{"arn": "x"}] * 11})


def test_tags_that_a_session_hands_on() -> None:
    """They come with the next role's session and cannot be set again, however they are spelt."""
    caller = {
        "Tags": [{"Key": "Team", "Value": "a"}, {"Key": "own", "Value": "b"}],
        "TransitiveTagKeys": ["Team"],
    }
    added = [{"Key": "more", "Value": "c"}]
    assert carried_tags({"Tags": added}, caller) == {
        "Tags": [{"Key": "Team", "Value": "a"}, *added],
        "TransitiveTagKeys": ["Team"],
    }
    assert carried_tags({}, {}) == {}
    with pytest.raises(InvalidValueError, match="conflicts with a transitive tag key from the calling session"):
        carried_tags({"Tags": [{"Key": "TEAM", "Value": "x"}]}, caller)


def test_tokens() -> None:
    """Long enough, and no two the same."""
    ids = Ids(seed=1)
    assert new_token(ids, 0) != new_token(ids, 0)
    assert len(new_token(ids, 4000)) == 4000
    assert token_utilization("x" * 2048) == 50
