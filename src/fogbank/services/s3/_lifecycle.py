"""Lifecycle rules: what becomes of versions and uploads as they grow old. Pure.

Ages count in days and end at midnight UTC: an object expires on the first midnight after its days are over.
Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/intro-lifecycle-rules.html
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from email.utils import formatdate
from enum import StrEnum
from typing import Any
from urllib.parse import quote

from fogbank.services.s3._attributes import ARCHIVED
from fogbank.services.s3.errors import InvalidArgumentError, InvalidRequestError, MalformedXmlError
from fogbank.services.s3.model import ObjectVersion, Upload

SETTING = "lifecycle"
SIZES = "TransitionDefaultMinimumObjectSize"
DAY = 86_400
MAX_RULES = 1000
_ACTIONS = (
    "Expiration",
    "Transitions",
    "NoncurrentVersionTransitions",
    "NoncurrentVersionExpiration",
    "AbortIncompleteMultipartUpload",
)
_INFREQUENT = 30
"""Days that an object stays where it is before it may move to a class for infrequent access."""
_SMALLEST = 128 * 1024
"""Bytes below which no object changes its class, unless its rule names a size."""
_COLDER = (
    "STANDARD", "REDUCED_REDUNDANCY", "STANDARD_IA", "INTELLIGENT_TIERING", "ONEZONE_IA", "GLACIER_IR", "GLACIER",
    "DEEP_ARCHIVE",
)  # fmt: skip
"""Classes from warm to cold; transitions lead down only."""


class Fate(StrEnum):
    """What becomes of a version."""

    EXPIRE = "expire"
    """The current version goes: for good, or below a delete marker."""
    REMOVE = "remove"
    """This version, or delete marker, goes for good."""
    MOVE = "move"
    """It changes its storage class."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """A version and its fate; `storage_class` is where it moves to."""

    version: ObjectVersion
    fate: Fate
    storage_class: str = ""


def midnight_after(millis: int, days: int) -> int:
    """The midnight, in seconds, at which something of this age in days is over."""
    return math.ceil((millis / 1000 + days * DAY) / DAY) * DAY


class Rule:
    """One enabled rule."""

    def __init__(self, document: Mapping[str, Any], *, varies: bool = False) -> None:
        self.id: str = document["ID"]
        chosen = document.get("Filter") or {}
        parts = chosen.get("And") or chosen
        tags = [*parts.get("Tags", ()), *([chosen["Tag"]] if chosen.get("Tag") else ())]
        self._prefix: str = parts.get("Prefix") or document.get("Prefix") or ""
        self._tags = {tag["Key"]: tag["Value"] for tag in tags}
        self._more: int | None = parts.get("ObjectSizeGreaterThan")
        self._less: int | None = parts.get("ObjectSizeLessThan")
        self._document = document
        self._varies = varies

    def meets(self, version: ObjectVersion) -> bool:
        """Whether the rule is about a version."""
        tags = version.attributes.tags
        return (
            version.key.startswith(self._prefix)
            and all(tags.get(key) == value for key, value in self._tags.items())
            and (self._more is None or version.size > self._more)
            and (self._less is None or version.size < self._less)
        )

    def expires(self, version: ObjectVersion) -> int | None:
        """The moment, in seconds, at which a current version expires."""
        given = self._document.get("Expiration") or {}
        if given.get("Days") is not None:
            return midnight_after(version.modified, given["Days"])
        return int(given["Date"]) if given.get("Date") is not None else None

    def clears(self, marker: ObjectVersion, now: int) -> bool:
        """Whether a delete marker that hides nothing is to go."""
        given = self._document.get("Expiration") or {}
        if given.get("ExpiredObjectDeleteMarker"):
            return True
        days = given.get("Days")
        return days is not None and midnight_after(marker.modified, days) <= now

    def removes(self, since: int, newer: int, now: int) -> bool:
        """Whether a version that is noncurrent `since` then, with so many newer noncurrent ones, is to go."""
        given = self._document.get("NoncurrentVersionExpiration") or {}
        days = given.get("NoncurrentDays")
        return (
            days is not None and newer >= given.get("NewerNoncurrentVersions", 0) and midnight_after(since, days) <= now
        )

    def moves(self, version: ObjectVersion, now: int) -> Iterator[str]:
        """The classes that a current version is to have moved to by now."""
        for given in self._document.get("Transitions") or ():
            moment = (
                given["Date"]
                if given.get("Date") is not None
                else midnight_after(version.modified, given.get("Days", 0))
            )
            if moment <= now and self._is_movable(version, given["StorageClass"]):
                yield given["StorageClass"]

    def moves_noncurrent(self, version: ObjectVersion, since: int, newer: int, now: int) -> Iterator[str]:
        """The same of a noncurrent version."""
        for given in self._document.get("NoncurrentVersionTransitions") or ():
            over = midnight_after(since, given.get("NoncurrentDays", 0)) <= now
            if (
                over
                and newer >= given.get("NewerNoncurrentVersions", 0)
                and self._is_movable(version, given["StorageClass"])
            ):
                yield given["StorageClass"]

    def _is_movable(self, version: ObjectVersion, target: str) -> bool:
        """Small objects stay where they are, unless the rule, or the configuration for archives, says otherwise."""
        sized = self._more is not None or self._less is not None
        return sized or version.size >= _SMALLEST or (self._varies and target in ARCHIVED)

    def aborts(self, upload: Upload, now: int) -> bool:
        """Whether an upload was under way for too long."""
        days = (self._document.get("AbortIncompleteMultipartUpload") or {}).get("DaysAfterInitiation")
        return (
            days is not None and upload.key.startswith(self._prefix) and midnight_after(upload.initiated, days) <= now
        )


def rules_of(configuration: Mapping[str, Any]) -> list[Rule]:
    """The rules that are enabled."""
    varies = configuration.get(SIZES) == "varies_by_storage_class"
    return [Rule(document, varies=varies) for document in configuration["Rules"] if document["Status"] == "Enabled"]


def verdicts(rules: Sequence[Rule], versions: Sequence[ObjectVersion], now: int) -> Iterator[Verdict]:
    """What becomes of the versions of one key, the newest first, at a moment in seconds."""
    newer = 0
    for place, version in enumerate(versions):
        meeting = [rule for rule in rules if rule.meets(version)]
        if version.latest:
            found = _of_current(meeting, version, now, alone=len(versions) == 1)
        else:
            found = _of_noncurrent(meeting, version, versions[place - 1].modified, newer, now)
            newer += 1
        if found is not None:
            yield found


def _of_current(rules: Sequence[Rule], version: ObjectVersion, now: int, *, alone: bool) -> Verdict | None:
    if version.marker:
        clear = alone and any(rule.clears(version, now) for rule in rules)
        return Verdict(version, Fate.REMOVE) if clear else None
    if any((moment := rule.expires(version)) is not None and moment <= now for rule in rules):
        return Verdict(version, Fate.EXPIRE)
    return _moved(version, [target for rule in rules for target in rule.moves(version, now)])


def _of_noncurrent(rules: Sequence[Rule], version: ObjectVersion, since: int, newer: int, now: int) -> Verdict | None:
    if any(rule.removes(since, newer, now) for rule in rules):
        return Verdict(version, Fate.REMOVE)
    if version.marker:
        return None
    return _moved(version, [target for rule in rules for target in rule.moves_noncurrent(version, since, newer, now)])


def _moved(version: ObjectVersion, targets: Sequence[str]) -> Verdict | None:
    coldest = max(targets, key=_COLDER.index, default="")
    if not coldest or _COLDER.index(coldest) <= _COLDER.index(version.attributes.storage_class):
        return None
    return Verdict(version, Fate.MOVE, coldest)


def expiration(rules: Sequence[Rule], version: ObjectVersion) -> str | None:
    """The `x-amz-expiration` of a current version: when it goes first, and by which rule."""
    moments = [(rule.expires(version), rule) for rule in rules if rule.meets(version)]
    known = [(moment, rule) for moment, rule in moments if moment is not None]
    if not known:
        return None
    moment, rule = min(known, key=lambda pair: pair[0])
    return f'expiry-date="{formatdate(moment, usegmt=True)}", rule-id="{quote(rule.id)}"'


# -- checking ---------------------------------------------------------------------------------------------


def read_rules(rules: Sequence[Mapping[str, Any]], new_id: Any) -> list[dict[str, Any]]:
    """The rules of a request, each with an id, if S3 would take them."""
    if not 1 <= len(rules) <= MAX_RULES:
        raise MalformedXmlError
    found = [{**rule, "ID": rule.get("ID") or new_id()} for rule in rules]
    ids = [rule["ID"] for rule in found]
    if len(set(ids)) < len(ids):
        raise InvalidArgumentError("Rule ID must be unique. Found same ID for more than one rule")
    for rule in found:
        _check_rule(rule)
    return found


def _check_rule(rule: Mapping[str, Any]) -> None:
    if len(rule["ID"]) > 255:
        raise InvalidArgumentError("ID length should not exceed allowed limit of 255")
    chosen = rule.get("Filter")
    if (chosen is None) == (rule.get("Prefix") is None):
        raise MalformedXmlError
    if chosen is not None and len([name for name in chosen if chosen[name] is not None]) > 1:
        raise MalformedXmlError
    if not any(rule.get(name) for name in _ACTIONS):
        raise InvalidRequestError("At least one action needs to be specified in a rule")
    expiration = rule.get("Expiration")
    if expiration is not None:
        _check_expiration(expiration)
    for given in rule.get("Transitions") or ():
        _check_moment(given, "Transition", smallest=0)
        days, target = given.get("Days"), given["StorageClass"]
        if days is not None and days < _INFREQUENT and target in {"STANDARD_IA", "ONEZONE_IA"}:
            raise InvalidArgumentError(
                f"'Days' in Transition action must be greater than or equal to {_INFREQUENT} for storageClass "
                f"'{target}'"
            )
    noncurrent = rule.get("NoncurrentVersionExpiration") or {}
    if noncurrent and noncurrent.get("NoncurrentDays", 0) < 1:
        raise InvalidArgumentError("'NoncurrentDays' for NoncurrentVersionExpiration action must be a positive integer")
    _check_abort(rule, chosen or {})


def _check_expiration(given: Mapping[str, Any]) -> None:
    named = [name for name in ("Days", "Date", "ExpiredObjectDeleteMarker") if given.get(name) is not None]
    if len(named) != 1:
        raise MalformedXmlError
    if named[0] != "ExpiredObjectDeleteMarker":
        _check_moment(given, "Expiration", smallest=1)


def _check_moment(given: Mapping[str, Any], action: str, *, smallest: int) -> None:
    if given.get("Days") is not None and given["Days"] < smallest:
        kind = "a positive integer" if smallest else "nonnegative"
        raise InvalidArgumentError(f"'Days' for {action} action must be {kind}")
    if given.get("Date") is not None and given["Date"] % DAY:
        raise InvalidArgumentError("'Date' must be at midnight GMT")


def _check_abort(rule: Mapping[str, Any], chosen: Mapping[str, Any]) -> None:
    given = rule.get("AbortIncompleteMultipartUpload")
    if given is None:
        return
    parts = chosen.get("And") or {}
    if chosen.get("Tag") or parts.get("Tags"):
        raise InvalidRequestError("AbortIncompleteMultipartUpload cannot be specified with Tags.")
    if given.get("DaysAfterInitiation", 0) < 1:
        raise InvalidArgumentError(
            "'DaysAfterInitiation' for AbortIncompleteMultipartUpload action must be a positive integer"
        )
