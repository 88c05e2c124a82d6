"""A template engine whose templates say how each resource behaves.

    {"A": {"needs": ["B"], "properties": {…}, "fail": ["create"], "hold": ["update"]}}

Operations named in `fail` fail; those in `hold` wait until they are let go.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import Any

from fogbank.core.errors import ApiError
from fogbank.core.scope import Scope
from fogbank.services.cloudformation.engine import (
    Comparison,
    Declared,
    OutputValue,
    ParameterInput,
    ParameterValue,
    Prepared,
    Replacement,
    StackIdentity,
    Standing,
    Step,
    Summary,
)


class RefusedError(ApiError):
    """A resource's operation fails as it was told to."""

    code = "InvalidRequest"


class ScriptedDeployment:
    """Implements `Deployment`."""

    def __init__(self, script: Mapping[str, Any]) -> None:
        self._script = script
        self._resources = {
            name: Declared(name, "T", frozenset(entry.get("needs", ())), bool(entry.get("retain")), False, False, None)
            for name, entry in script.items()
        }

    @property
    def resources(self) -> Mapping[str, Declared]:
        return self._resources

    async def properties(self, logical_id: str, standing: Mapping[str, Standing]) -> dict[str, Any]:
        return dict(self._script[logical_id].get("properties", {}))

    async def preview(self, logical_id: str, standing: Mapping[str, Standing]) -> dict[str, Any]:
        return await self.properties(logical_id, standing)

    async def outputs(self, standing: Mapping[str, Standing]) -> list[OutputValue]:
        return []

    def preview_outputs(self, standing: Mapping[str, Standing]) -> list[OutputValue]:
        return []

    def causes(self, logical_id: str, name: str) -> list[tuple[str, str]]:
        return []


class ScriptedEngine:
    """Implements `TemplateEngine`. `log` has every operation begun, `there` what stands and with which properties."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.there: dict[str, dict[str, Any]] = {}
        self.fail: set[str] = set()
        self.gates: dict[str, asyncio.Event] = {}
        self.at_once = 0
        self.most_at_once = 0

    def hold(self, operation: str) -> asyncio.Event:
        """Have an operation (`create A`) wait for the event."""
        self.gates[operation] = asyncio.Event()
        return self.gates[operation]

    async def close(self) -> None:
        """Nothing runs beside."""

    def answered(self, token: str, body: str) -> None:
        """Nobody waits for answers."""

    def awaits(self, step: Step) -> str:
        return step.token

    async def summarize(self, scope: Scope, body: str) -> Summary:
        raise NotImplementedError

    async def prepare(
        self,
        stack: StackIdentity,
        body: str,
        parameters: Sequence[ParameterInput],
        previous: Mapping[str, str] | None,
        *,
        expand: bool = True,
    ) -> Prepared:
        return Prepared(body, (), None, (), (), (), ())

    async def open(
        self, stack: StackIdentity, processed: str, parameters: Sequence[ParameterValue]
    ) -> ScriptedDeployment:
        return ScriptedDeployment(json.loads(processed))

    async def fetch(self, scope: Scope, url: str) -> str:
        raise NotImplementedError

    def name(
        self, stack: StackIdentity, logical_id: str, type_name: str, properties: Mapping[str, Any], code: str
    ) -> tuple[str | None, bool]:
        return f"{logical_id}-{code}", False

    def with_name(self, type_name: str, properties: Mapping[str, Any], name: str | None) -> dict[str, Any]:
        return {**properties, "Name": name}

    def compare(self, type_name: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> Comparison:
        if before == after:
            return Comparison(Replacement.NONE)
        key = before.get("key") != after.get("key")
        return Comparison(Replacement.REPLACE if key else Replacement.IN_PLACE)

    async def exists(self, step: Step) -> bool:
        return False

    async def create(self, step: Step) -> Standing:
        await self._operate("create", step)
        self.there[step.name or ""] = dict(step.properties)
        return Standing(step.name or "", {})

    async def update(self, step: Step) -> Standing:
        await self._operate("update", step)
        self.there[step.physical_id or ""] = dict(step.properties)
        return Standing(step.physical_id or "", {})

    async def delete(self, step: Step) -> None:
        await self._operate("delete", step)
        self.there.pop(step.name or "", None)

    async def _operate(self, verb: str, step: Step) -> None:
        operation = f"{verb} {step.logical_id}"
        self.log.append(operation)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            gate = self.gates.get(operation)
            if gate is not None:
                await gate.wait()
            else:
                await asyncio.sleep(0)
        finally:
            self.at_once -= 1
        if operation in self.fail:
            raise RefusedError(f"{operation} was refused")
