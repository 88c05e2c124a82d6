"""What ItemReader, ItemBatcher and ResultWriter ask for, compiled, and the batches of items themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from fogbank.services.states._language.failures import DATA_LIMIT, Failure
from fogbank.services.states._language.paths import Path
from fogbank.services.states._language.templates import Query, Template

Json = Any
_encode = msgspec.json.Encoder().encode
MAX_BYTES = 262_144
"""Bytes of a batch, as JSON."""


@dataclass(frozen=True, slots=True)
class Batcher:
    """ItemBatcher: a limit is a number, a path (JSONPath) or an expression (JSONata)."""

    most: int | Path | Query | None
    size: int | Path | Query | None
    given: Template | Query | None


@dataclass(frozen=True, slots=True)
class Reader:
    """ItemReader: which objects are read, and how; `most` is how many items, 0 for all."""

    lists: bool
    """Whether it lists objects (`s3:listObjectsV2`) instead of getting one."""
    config: Mapping[str, Json]
    given: Template | Query | None
    most: int | Path | Query = 0


@dataclass(frozen=True, slots=True)
class Writer:
    """ResultWriter: how results are transformed and written, and the bucket that they go to, if they do."""

    transformation: str
    lines: bool = False
    """Whether files are JSON Lines."""
    given: Template | Query | None = None

    @property
    def extension(self) -> str:
        """What the names of files end with."""
        return "jsonl" if self.lines else "json"


@dataclass(frozen=True, slots=True)
class Batch:
    """What one child execution is given: `data`, or where it is one item that one's index; and how many items."""

    data: Json
    count: int
    item: int | None = None


def batches(items: Sequence[Json], most: int | None, size: int | None, common: Json) -> list[Batch]:
    """Group items, in order: at most so many, and so many bytes with what they have in common."""
    limit = min(size or MAX_BYTES, MAX_BYTES)
    frame = len(_encode(_batch([], common)))
    found: list[Batch] = []
    current: list[Json] = []
    used = frame
    for item in items:
        length = len(_encode(item)) + 1
        if frame + length > limit:
            raise Failure(DATA_LIMIT, f"An item does not fit into a batch of {limit} bytes.")
        if current and (used + length > limit or (most is not None and len(current) >= most)):
            found.append(Batch(_batch(current, common), len(current)))
            current, used = [], frame
        current.append(item)
        used += length
    if current:
        found.append(Batch(_batch(current, common), len(current)))
    return found


def _batch(items: list[Json], common: Json) -> Json:
    return {"Items": items} if common is None else {"BatchInput": common, "Items": items}
