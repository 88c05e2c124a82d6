"""Listings against a direct reference: every page, in order, nothing twice and nothing left out."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from hypothesis import example, given
from hypothesis import strategies as st

from fogbank.services.s3._listing import Page, Start, after_prefix, collect

KEYS = st.lists(st.text(alphabet="ab/é\U0010ffff", max_size=5).filter(bool), max_size=25, unique=True)


def reference(keys: Sequence[str], prefix: str, delimiter: str) -> list[str]:
    """Keys and common prefixes in the order of their bytes."""
    found: list[str] = []
    for key in sorted(keys, key=lambda text: text.encode()):
        if key.startswith(prefix):
            at = key.find(delimiter, len(prefix)) if delimiter else -1
            entry = key if at < 0 else key[: at + len(delimiter)]
            if entry not in found[-1:]:
                found.append(entry)
    return found


def page_of(keys: Sequence[str], prefix: str, delimiter: str, after: str, limit: int, reads: list[int]) -> Page[str]:
    ordered = sorted(keys, key=lambda text: text.encode())

    async def fetch(start: Start, count: int) -> Sequence[str]:
        reads.append(count)
        return [key for key in ordered if key > start.key or (start.inclusive and key == start.key)][:count]

    return asyncio.run(
        collect(
            fetch,
            lambda key: key,
            prefix=prefix,
            delimiter=delimiter,
            start=Start(after, inclusive=not after),
            limit=limit,
        )
    )


@given(KEYS, st.sampled_from(["", "a", "a/", "/"]), st.sampled_from(["", "/", "a/"]), st.integers(1, 4))
@example(["a/b", "a0"], "", "/", 1)
def test_pages_put_together_are_the_listing(keys: list[str], prefix: str, delimiter: str, limit: int) -> None:
    """However small the pages, and whether they end with a key or with a common prefix."""
    found: list[str] = []
    after = ""
    while True:
        page = page_of(keys, prefix, delimiter, after, limit, [])
        found += sorted(page.entries + page.prefixes, key=lambda text: text.encode())
        assert page.count <= limit
        if not page.truncated:
            break
        assert page.count == limit
        after = page.last
    assert found == reference(keys, prefix, delimiter)


@given(KEYS, st.sampled_from(["", "/"]), st.text(alphabet="ab/", max_size=3))
def test_a_marker_is_passed(keys: list[str], delimiter: str, marker: str) -> None:
    """What a caller gives as a marker need not be a key."""
    page = page_of(keys, "", "", marker, 1000, [])
    assert page.entries == [key for key in sorted(keys, key=lambda text: text.encode()) if key > marker or not marker]


def test_a_folder_costs_one_look() -> None:
    """What is rolled up is leapt over, not read."""
    reads: list[int] = []
    keys = [f"a/{number:05}" for number in range(20_000)] + ["b"]
    page = page_of(keys, "", "/", "", 2, reads)
    assert (page.prefixes, page.entries) == (["a/"], ["b"])
    assert sum(reads) < 10


@given(st.text(max_size=6))
def test_what_follows_a_prefix(prefix: str) -> None:
    """It is behind every text that begins so."""
    following = after_prefix(prefix)
    if following is not None:
        assert (prefix + "\U0010ffff" * 3).encode("utf-8", "surrogatepass") < following.encode("utf-8", "surrogatepass")
        assert not following.startswith(prefix)
