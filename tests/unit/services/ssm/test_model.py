"""Names, selectors, paths, tiers and labels of parameters."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fogbank.core.scope import Scope
from fogbank.services.ssm import _matching
from fogbank.services.ssm._matching import check_allowed
from fogbank.services.ssm.errors import (
    InvalidPatternError,
    InvalidRequestError,
    LabelLimitError,
    PatternMismatchError,
    SsmError,
    VersionLimitError,
)
from fogbank.services.ssm.model import (
    Selector,
    Tier,
    Type,
    Version,
    check_new_name,
    choose_tier,
    is_below,
    is_label,
    move_labels,
    next_version,
    parse_selector,
    version_to_drop,
)

SEGMENTS = st.text(alphabet="abcXYZ019._-", min_size=1, max_size=6).filter(
    lambda text: not text.lower().startswith(("aws", "ssm"))
)
NAMES = SEGMENTS | st.lists(SEGMENTS, min_size=1, max_size=15).map(lambda parts: "/" + "/".join(parts))
VERSION = Version(1, Type.STRING, "v", None, None, None, None, Tier.STANDARD, "text", (), 0, "me")


@given(NAMES, st.sampled_from(["", ":1", ":99", ":live", ":a.b-c_d"]))
def test_selectors_are_taken_apart(name: str, selector: str) -> None:
    """Every good name is taken, with a version, a label or neither."""
    check_new_name(name, Scope())
    parsed = parse_selector(name + selector)
    assert parsed == Selector(name, selector)
    assert (parsed.version is not None) is selector[1:].isdigit()


@given(st.text(max_size=20))
def test_any_name_is_taken_or_refused(text: str) -> None:
    """No other error comes out."""
    for check in (lambda: check_new_name(text, Scope()), lambda: parse_selector(text)):
        try:
            check()
        except SsmError:
            continue


@given(st.lists(SEGMENTS, min_size=1, max_size=5), st.integers(0, 5))
def test_a_name_is_below_each_of_its_ancestors(parts: list[str], depth: int) -> None:
    """Recursively below all of them, directly only below the last."""
    name = "/" + "/".join(parts)
    ancestor = "".join(f"/{part}" for part in parts[: min(depth, len(parts) - 1)])
    assert is_below(name, ancestor, recursive=True)
    assert is_below(name, ancestor, recursive=False) is (depth >= len(parts) - 1)
    assert not is_below(name, name, recursive=True)


@pytest.mark.parametrize(
    ("asked", "size", "current", "tier"),
    [
        (None, 10, None, Tier.STANDARD),
        (None, 10, Tier.ADVANCED, Tier.ADVANCED),
        ("Advanced", 8192, Tier.STANDARD, Tier.ADVANCED),
        ("Intelligent-Tiering", 4096, None, Tier.STANDARD),
        ("Intelligent-Tiering", 4097, None, Tier.ADVANCED),
        ("Intelligent-Tiering", 10, Tier.ADVANCED, Tier.ADVANCED),
    ],
)
def test_tiers(asked: str | None, size: int, current: Tier | None, tier: Tier) -> None:
    """What is asked for, what the size needs, what it was before."""
    assert choose_tier(asked, size, current) is tier


def test_a_version_keeps_what_is_left_out() -> None:
    """Type, tier, description and pattern stay; labels do not move by themselves."""
    first = next_version(None, {"Value": "a", "Type": "String", "Description": "d", "AllowedPattern": "a"}, None)
    second = next_version(replace(first, labels=["live"]), {"Value": "b"}, None)
    assert (second.number, second.type, second.description, second.allowed_pattern) == (2, Type.STRING, "d", "a")
    assert second.labels == ()
    with pytest.raises(InvalidRequestError, match="parameter type is required"):
        next_version(None, {"Value": "a"}, None)


def test_room_for_a_version() -> None:
    """The oldest goes, unless it has a label."""
    versions = [replace(VERSION, number=number) for number in range(5, 105)]
    assert version_to_drop("p", versions[:99]) is None
    assert version_to_drop("p", versions) == 5
    with pytest.raises(VersionLimitError, match="Version 5, the oldest version"):
        version_to_drop("p", [replace(versions[0], labels=["x"]), *versions[1:]])


@given(st.lists(st.sampled_from("abcdef"), max_size=6), st.integers(1, 3), st.lists(st.sampled_from("abcdef")))
def test_a_label_is_on_one_version(first: list[str], number: int, labels: list[str]) -> None:
    """Wherever it was before."""
    versions = [replace(VERSION, number=n, labels=[] if n > 1 else sorted(set(first))) for n in (1, 2, 3)]
    changed = {version.number: version for version in move_labels(versions, number, labels)}
    after = [changed.get(version.number, version) for version in versions]
    every = [label for version in after for label in version.labels]
    assert len(every) == len(set(every))
    assert set(labels) <= set(after[number - 1].labels)
    assert set(every) == set(first) | set(labels)


def test_ten_labels() -> None:
    """An eleventh is refused."""
    full = replace(VERSION, labels=[f"l{i}" for i in range(10)])
    with pytest.raises(LabelLimitError):
        move_labels([full], 1, ["more"])


@pytest.mark.parametrize(
    ("label", "good"),
    [("live", True), (".x", True), ("_", True), ("9a", False), ("aws", False), ("Ssm1", False), ("a b", False),
     ("x" * 100, True), ("x" * 101, False), ("", False)],
)  # fmt: skip
def test_labels(label: str, good: bool) -> None:
    """Letters, digits, dots, dashes, underscores; not a digit first."""
    assert is_label(label) is good


async def test_a_pattern_that_takes_for_ever_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """It runs in a process of its own, which is ended; the event loop goes on meanwhile."""
    monkeypatch.setattr(_matching, "TIMEOUT", 0.2)
    beats = 0

    async def beat() -> None:
        nonlocal beats
        while True:
            await asyncio.sleep(0)
            beats += 1

    heart = asyncio.create_task(beat())
    with pytest.raises(InvalidPatternError):
        await check_allowed("(a+)+b", "a" * 60)
    heart.cancel()
    assert beats > 100


async def test_allowed_patterns() -> None:
    """The whole value matches, whichever way it is tried."""
    await check_allowed("[a-z]{3}", "abc")
    await check_allowed("([a-z]+-)+[a-z]+", "ab-cd-ef")
    for pattern in ("[a-z]{2}", "([a-z]+-)+"):
        with pytest.raises(PatternMismatchError):
            await check_allowed(pattern, "ab-cd-ef")
    with pytest.raises(InvalidPatternError):
        await check_allowed("(", "x")
