"""The pure parts of Secrets Manager: how labels move, passwords, schedules, policies."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fogbank.core.errors import ApiError
from fogbank.services.secretsmanager._passwords import random_password
from fogbank.services.secretsmanager._policies import is_public, parse_policy
from fogbank.services.secretsmanager._rules import check_rules, next_rotation
from fogbank.services.secretsmanager.model import CURRENT, DAY, PREVIOUS, Version, move, outdated, place, whole_name

LABELS = [CURRENT, PREVIOUS, "AWSPENDING", "own"]
IDS = ["a", "b", "c", "d"]
STEPS = st.lists(
    st.tuples(st.sampled_from(IDS), st.lists(st.sampled_from(LABELS), max_size=3))
    | st.tuples(st.sampled_from(LABELS), st.none() | st.sampled_from(IDS), st.none() | st.sampled_from(IDS)),
    max_size=12,
)


@given(STEPS)
def test_a_label_is_on_one_version_and_the_current_one_is_never_lost(steps: list[Any]) -> None:
    """Whatever is put and moved; when AWSCURRENT moves, AWSPREVIOUS is where it was."""
    versions = place([], Version("first", (), b"", binary=False, created=0), [CURRENT])
    for step in steps:
        before = holder(versions)
        try:
            if len(step) == 2:
                known = next((each for each in versions if each.id == step[0]), None)
                versions = place(versions, known or Version(step[0], (), b"", binary=False, created=0), step[1])
            else:
                versions = move(versions, *step)
        except ApiError:
            continue
        labels = Counter(label for each in versions for label in each.stages)
        assert max(labels.values()) == 1
        assert labels[CURRENT] == 1
        if holder(versions) != before:
            (previous,) = [each.id for each in versions if PREVIOUS in each.stages]
            assert previous == before


def holder(versions: list[Version]) -> str:
    (found,) = [each.id for each in versions if CURRENT in each.stages]
    return found


def test_versions_without_labels_are_dropped_past_a_hundred_and_a_day() -> None:
    """The hundred newest stay, and those of the last day whatever their number."""
    bare = [Version(str(number), (), b"", binary=False, created=number) for number in range(250)]
    assert {each.id for each in outdated(bare, DAY + 120)} == {str(number) for number in range(120)}
    assert outdated(bare, DAY) == []


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "PasswordLength": st.integers(1, 60),
            "ExcludeCharacters": st.text("abcABC123!?", max_size=6),
            "ExcludeNumbers": st.booleans(),
            "ExcludePunctuation": st.booleans(),
            "ExcludeUppercase": st.booleans(),
            "ExcludeLowercase": st.booleans(),
            "IncludeSpace": st.booleans(),
            "RequireEachIncludedType": st.booleans(),
        },
    ),
    st.integers(0, 2**32),
)
def test_passwords_keep_to_what_is_asked(request_: dict[str, Any], seed: int) -> None:
    """Length, exclusions, one of each kind."""
    dice = random.Random(seed)
    try:
        password = random_password(request_, dice.randrange)
    except ApiError:
        return
    assert len(password) == request_.get("PasswordLength", 32)
    assert not set(password) & set(request_.get("ExcludeCharacters", ""))
    tests = {
        "ExcludeNumbers": str.isdigit, "ExcludeUppercase": str.isupper, "ExcludeLowercase": str.islower,
        "ExcludePunctuation": lambda c: not c.isalnum() and c != " ",
    }  # fmt: skip
    for name, test in tests.items():
        if request_.get(name):
            assert not any(map(test, password))
        elif request_.get("RequireEachIncludedType", True):
            assert any(map(test, password))


NOON = 1_700_000_000_000 // DAY * DAY + DAY // 2


@pytest.mark.parametrize(
    ("rules", "days"),
    [
        ({"AutomaticallyAfterDays": 30}, 29.5),
        ({"ScheduleExpression": "rate(10 days)"}, 9.5),
        ({"ScheduleExpression": "rate(4 hours)"}, 4 / 24),
        ({"ScheduleExpression": "cron(0 18 * * ? *)", "Duration": "3h"}, 6 / 24),
    ],
)
def test_the_next_rotation(rules: dict[str, Any], days: float) -> None:
    """Days count from midnight, hours from the full hour; what was missed is not caught up with."""
    check_rules(rules)
    assert next_rotation(rules, NOON, NOON) == NOON + round(days * DAY)
    late = next_rotation(rules, NOON, NOON + 365 * DAY)
    assert late is not None
    assert late > NOON + 365 * DAY


def test_whole_names() -> None:
    """A hyphen and six characters may be a suffix."""
    assert whole_name("a-abcdef") == "a"
    assert whole_name("a/b-c-abcdef") == "a/b-c"
    assert whole_name("abcdef") is None
    assert whole_name("a-abcde") is None


STATEMENT = {"Effect": "Allow", "Principal": "*", "Action": "secretsmanager:*", "Resource": "*"}


@pytest.mark.parametrize(
    ("change", "public"),
    [
        ({}, True),
        ({"Principal": {"AWS": ["arn:aws:iam::000000000000:root", "*"]}}, True),
        ({"Principal": {"AWS": "arn:aws:iam::000000000000:root"}}, False),
        ({"Condition": {"StringEquals": {"aws:PrincipalOrgID": "o"}}}, False),
        ({"Effect": "Deny"}, False),
        ({"Principal": {"Service": "lambda.amazonaws.com"}}, False),
    ],
)
def test_who_is_everybody(change: dict[str, Any], public: bool) -> None:
    """A principal of `*` that is allowed without a condition."""
    assert is_public([{**STATEMENT, **change}]) is public


@pytest.mark.parametrize(
    "text",
    [
        "", "[]", "{}", '{"Statement":[]}', '{"Version":"1","Statement":[{}]}',
        '{"Statement":[{"Effect":"Allow","Action":"secretsmanager:*","Resource":"*"}]}',
        '{"Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:*","Resource":"*"}]}',
    ],
)  # fmt: skip
def test_policies_that_are_none(text: str) -> None:
    """MalformedPolicyDocumentException."""
    with pytest.raises(ApiError):
        parse_policy(text)
