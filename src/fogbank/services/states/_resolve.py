"""Finds what a state machine's ARN means: the machine, its current revision, a version, or an alias's choice."""

from __future__ import annotations

import re
from collections import OrderedDict
from dataclasses import dataclass

from fogbank.services.kit import Kit
from fogbank.services.states import storage as rows
from fogbank.services.states._integrations import is_known
from fogbank.services.states._language.definition import Program
from fogbank.services.states._language.loader import load
from fogbank.services.states.errors import InvalidArnError, MachineNotFoundError
from fogbank.services.states.model import Alias, Machine, Revision
from fogbank.storage import Tx

_ARN = re.compile(r"arn:[\w-]+:states:[\w-]*:\d{0,12}:(stateMachine|execution|express|activity|mapRun):(.+)", re.DOTALL)
KEPT = 1024


@dataclass(frozen=True, slots=True)
class Resolution:
    """What an ARN names: `qualified` is the version's ARN and `alias` the alias's, where it came by one."""

    machine: Machine
    revision: Revision
    qualified: str | None = None
    alias: str | None = None


def parse(arn: str, *kinds: str) -> list[str]:
    """The parts of a resource's name after its type; `InvalidArn` if it is of another type."""
    if not arn.startswith("arn:"):
        raise InvalidArnError(f"Invalid Arn: 'Invalid ARN prefix: {arn}'")
    found = _ARN.fullmatch(arn)
    if found is None or found[1] not in kinds:
        what = found[1] if found else arn
        raise InvalidArnError(f"Invalid Arn: 'Resource type not valid in this context: {what}'")
    return found[2].split(":")


def not_there(arn: str) -> MachineNotFoundError:
    """The error for a state machine that is not there."""
    return MachineNotFoundError(f"State Machine Does Not Exist: '{arn}'")


class Resolver:
    """Resolves ARNs, and keeps what it found until something of it changes."""

    def __init__(self, kit: Kit) -> None:
        self._kit = kit
        self._found: OrderedDict[str, Resolution] = OrderedDict()
        self._programs: OrderedDict[int, Program] = OrderedDict()
        self.generation = 0

    def forget(self) -> None:
        """Something was changed and committed."""
        self._found.clear()
        self.generation += 1

    def reset(self) -> None:
        """Every row was deleted."""
        self.forget()
        self._programs.clear()

    def program(self, revision: Revision) -> Program:
        """A revision's compiled definition."""
        found = self._programs.get(revision.id)
        if found is None:
            found = load(revision.definition, known=is_known)
            self._programs[revision.id] = found
            if len(self._programs) > KEPT:
                self._programs.popitem(last=False)
        return found

    def cached(self, arn: str) -> Resolution | None:
        """What an ARN names, if that is known."""
        return self._found.get(arn)

    async def resolve(self, arn: str) -> Resolution:
        """What an ARN names; an alias's choice is drawn each time."""
        known = self._found.get(arn)
        if known is not None:
            return known
        parse(arn, "stateMachine")
        generation = self.generation
        found, stable = await self._kit.storage.read(lambda tx: self._find(tx, arn))
        if stable and generation == self.generation:
            self._found[arn] = found
            if len(self._found) > KEPT:
                self._found.popitem(last=False)
        return found

    async def _find(self, tx: Tx, arn: str) -> tuple[Resolution, bool]:
        machine = await rows.get_machine(tx, arn)
        if machine is not None:
            return Resolution(machine, await self._revision(tx, arn, machine.revision)), True
        alias = await rows.get_alias(tx, arn)
        chosen = arn if alias is None else self._choose(alias)
        version = await rows.get_version(tx, chosen)
        machine = None if version is None else await rows.get_machine(tx, version.machine)
        if version is None or machine is None:
            raise not_there(arn)
        revision = await self._revision(tx, arn, version.revision)
        return Resolution(machine, revision, chosen, arn if alias is not None else None), alias is None

    def _choose(self, alias: Alias) -> str:
        dice = self._kit.ids.fraction() * 100
        for route in alias.routing:
            dice -= route["weight"]
            if dice < 0:
                return str(route["stateMachineVersionArn"])
        return str(alias.routing[-1]["stateMachineVersionArn"])

    @staticmethod
    async def _revision(tx: Tx, arn: str, number: int) -> Revision:
        revision = await rows.get_revision(tx, number)
        if revision is None:
            raise not_there(arn)
        return revision
