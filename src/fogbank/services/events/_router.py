"""From an event to the messages that bring it to targets: the rules of each bus, compiled and kept.

A bus's rules are read once and compiled; every change to them drops what was compiled, after its commit and before
its caller is answered. A load that a change overtakes is used once and not kept.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from fogbank.core.errors import ApiError
from fogbank.core.patterns import InvalidPatternError, Pattern, RuleIndex, compile_pattern
from fogbank.core.trace import Trace
from fogbank.delivery import Message
from fogbank.services.events import storage as rows
from fogbank.services.events._inputs import Occurrence
from fogbank.services.events._targets import FORWARD, CompiledTarget, compile_target, is_archive
from fogbank.services.events.model import Archive, BusKey, Rule, Target
from fogbank.storage import Storage, Tx

_log = logging.getLogger("fogbank.events")

MAX_KEPT = 2_000
"""Buses whose rules are kept compiled."""
_DAY = 86_400_000

encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class CompiledRule:
    """A rule's targets, ready to be sent to. `retention` (ms) is set where the rule is an archive's; 0: for ever."""

    id: int
    arn: str
    name: str
    targets: tuple[CompiledTarget, ...]
    retention: int | None = None


Matched = Callable[[CompiledRule, Mapping[str, Any], Trace], Trace]
"""Is told of a match (rule, event, its context), and gives the context for what follows from it."""


@dataclass(frozen=True, slots=True)
class CompiledBus:
    """A bus's rules that match events and have targets."""

    key: BusKey
    index: RuleIndex[int]
    rules: Mapping[int, CompiledRule]
    patterns: tuple[Pattern, ...] = ()
    heard: dict[str, bool] = field(default_factory=dict)
    """By source: whether any rule could match an event of it."""

    def hears(self, source: str) -> bool:
        """Whether any rule could match an event of a source. Only services ask, so there are few of them."""
        found = self.heard.get(source)
        if found is None:
            found = self.heard[source] = any(pattern.allows("source", source) for pattern in self.patterns)
        return found


@dataclass(slots=True)
class Accepted:
    """An event that a bus has taken, and what follows from it."""

    messages: list[Message]
    archived: list[tuple[int, int, int | None, bytes]]
    """Archive rule, event time, expiry (ms), and the event."""


class Router:
    """Knows the compiled rules of every bus."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._kept: OrderedDict[BusKey, CompiledBus | None] = OrderedDict()
        self._changes = 0

    async def bus(self, key: BusKey) -> CompiledBus | None:
        """The rules of a bus; `None` if there is no such bus."""
        try:
            return self._kept[key]
        except KeyError:
            pass
        changes = self._changes
        compiled = await self._storage.read(lambda tx: self._load(tx, key))
        if changes == self._changes:
            if len(self._kept) >= MAX_KEPT:
                self._kept.popitem(last=False)
            self._kept[key] = compiled
        return compiled

    def hears(self, key: BusKey, source: str) -> bool:
        """Whether an event of a source may interest a rule of a bus; a bus that is not kept may."""
        bus = self._kept.get(key, _UNKNOWN)
        return bus is _UNKNOWN or (bus is not None and bus.hears(source))

    def changed(self, tx: Tx, key: BusKey) -> None:
        """Drop what is kept of a bus, when the transaction that changes it is committed."""
        tx.after_commit(lambda: self._drop(key))

    def forget(self) -> None:
        """Drop everything: the tables were emptied."""
        self._changes += 1
        self._kept.clear()

    def _drop(self, key: BusKey) -> None:
        self._changes += 1
        self._kept.pop(key, None)

    async def _load(self, tx: Tx, key: BusKey) -> CompiledBus | None:
        if not await rows.bus_exists(tx, key):
            return None
        rules = await rows.rules_of(tx, key)
        targets = await rows.targets_of(tx, key)
        archives = {archive.rule: archive for archive in await rows.archives_of(tx, key)}
        return compile_bus(key, rules, targets, archives)


def compile_bus(
    key: BusKey, rules: Iterable[Rule], targets: Mapping[int, list[Target]], archives: Mapping[int, Archive]
) -> CompiledBus:
    """Compile the rules of a bus: those that are enabled, have a pattern, and have somewhere to send to."""
    compiled: dict[int, CompiledRule] = {}
    patterns = []
    for rule in rules:
        if not (rule.enabled and rule.pattern and rule.id in targets):
            continue
        try:
            pattern = compile_pattern(rule.pattern)
            compiled[rule.id] = compile_rule(rule, targets[rule.id], archives.get(rule.id))
        except (ApiError, InvalidPatternError):  # one that an earlier version took must not stop the whole bus
            _log.exception("%s cannot be matched any more; put it again", rule.arn)
            continue
        patterns.append((rule.id, pattern))
    return CompiledBus(key, RuleIndex(patterns), compiled, tuple(pattern for _, pattern in patterns))


_UNKNOWN = CompiledBus(BusKey("", "", ""), RuleIndex([]), {})
"""Stands for a bus whose rules were not read yet."""


def compile_rule(rule: Rule, targets: Iterable[Target], archive: Archive | None = None) -> CompiledRule:
    """Compile the targets of one rule."""
    return CompiledRule(
        rule.id,
        rule.arn,
        rule.name,
        tuple(compile_target(rule, target) for target in targets if not is_archive(target.arn)),
        None if archive is None else archive.retention_days * _DAY,
    )


def route(
    bus: CompiledBus,
    event: dict[str, Any],
    payload: bytes,
    trace: Trace,
    *,
    ingested: str,
    now: int,
    event_time: int,
    only: frozenset[str] = frozenset(),
    forwarded: bool = False,
    matched: Matched | None = None,
) -> Accepted:
    """What follows from an event on a bus.

    `only` are the ARNs of the rules that a replay is meant for (empty: all). A `forwarded` event came from another
    bus and does not go to a third ("EventBridge can't route events received from a sender event bus to a third
    event bus", eb-bus-to-bus.html): so circles end. `matched` is told of every match, and gives the context for what
    follows from it.
    """
    accepted = Accepted([], [])
    for rule_id in bus.index.matching(event):
        rule = bus.rules[rule_id]
        if only and rule.arn not in only:
            continue
        if rule.retention is not None:
            expires = now + rule.retention if rule.retention else None
            accepted.archived.append((rule.id, event_time, expires, payload))
        context = trace if matched is None else matched(rule, event, trace)
        accepted.messages += send(bus.key, rule, event, payload, context, ingested, forwarded=forwarded)
    return accepted


def send(
    key: BusKey,
    rule: CompiledRule,
    event: dict[str, Any],
    payload: bytes,
    trace: Trace,
    ingested: str,
    *,
    forwarded: bool = False,
) -> list[Message]:
    """The messages that bring an event to one rule's targets."""
    occurrence = Occurrence(event, payload, ingested, rule.arn, rule.name)
    scope = key.scope
    return [
        target.message(occurrence, scope, trace)
        for target in rule.targets
        if not (forwarded and target.route == FORWARD)
    ]
