"""Versions and aliases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from fogbank.services.states import errors
from fogbank.services.states import storage as rows
from fogbank.services.states._api.frame import PAGE, Frame, decode_position, page_of, page_size
from fogbank.services.states._api.machines import publish
from fogbank.services.states._resolve import not_there, parse
from fogbank.services.states.model import Alias, Version

if TYPE_CHECKING:
    from types_boto3_stepfunctions.type_defs import (
        CreateStateMachineAliasInputTypeDef,
        DeleteStateMachineAliasInputTypeDef,
        DeleteStateMachineVersionInputTypeDef,
        DescribeStateMachineAliasInputTypeDef,
        ListStateMachineAliasesInputTypeDef,
        ListStateMachineVersionsInputTypeDef,
        PublishStateMachineVersionInputTypeDef,
        UpdateStateMachineAliasInputTypeDef,
    )

    from fogbank.core.call import Call, Reply
    from fogbank.storage import Tx

MISSING = "Request references a resource that does not exist."


class VersionOperations(Frame):
    """The operations on versions and aliases."""

    async def publish_state_machine_version(
        self,
        call: Call,  # noqa: ARG002
        request: PublishStateMachineVersionInputTypeDef,
    ) -> Reply:
        """PublishStateMachineVersion."""
        arn = request["stateMachineArn"]
        parse(arn, "stateMachine")
        now = self.kit.clock.millis()

        async def body(tx: Tx) -> Version:
            machine = await rows.get_machine(tx, arn)
            if machine is None:
                raise not_there(arn)
            revision = await rows.get_revision(tx, machine.revision)
            wanted = request.get("revisionId")
            if wanted is not None and revision is not None and (revision.name or "INITIAL") != wanted:
                raise errors.ConflictError(
                    f"Failed to publish the State Machine version for revision {wanted}. The current State Machine "
                    f"revision is {revision.name or 'INITIAL'}."
                )
            return await publish(tx, machine, request.get("description", ""), now)

        version = await self.kit.storage.transact(body)
        self._resolver.forget()
        return {"stateMachineVersionArn": version.arn, "creationDate": version.created / 1000}

    async def list_state_machine_versions(
        self,
        call: Call,  # noqa: ARG002
        request: ListStateMachineVersionsInputTypeDef,
    ) -> Reply:
        """ListStateMachineVersions: newest first."""
        arn = request["stateMachineArn"]
        parse(arn, "stateMachine")
        limit = page_size(request)
        before = decode_position(request.get("nextToken"), int, 1 << 60)
        found = await self.kit.storage.read(lambda tx: rows.list_versions(tx, arn, before, limit + 1))
        page, token = page_of(found, limit, lambda version: version.number)
        shown = [{"stateMachineVersionArn": v.arn, "creationDate": v.created / 1000} for v in page]
        return {"stateMachineVersions": shown, "nextToken": token}

    async def delete_state_machine_version(
        self,
        call: Call,  # noqa: ARG002
        request: DeleteStateMachineVersionInputTypeDef,
    ) -> Reply:
        """DeleteStateMachineVersion: not while an alias leads to it."""
        arn = request["stateMachineVersionArn"]
        parts = parse(arn, "stateMachine")
        if len(parts) != 2 or not parts[1].isdigit():
            raise errors.ValidationError("The ARN of a version of a state machine is expected")

        async def body(tx: Tx) -> None:
            using = [alias.name for alias in await rows.list_aliases(tx, arn.rpartition(":")[0], arn, "", PAGE)]
            if using:
                raise errors.ConflictError(
                    "Version to be deleted must not be referenced by an alias. Current list of aliases referencing "
                    f"this version: [{', '.join(using)}]"
                )
            await rows.delete_version(tx, arn)

        await self.kit.storage.transact(body)
        self._resolver.forget()
        return {}

    async def create_state_machine_alias(
        self,
        call: Call,  # noqa: ARG002
        request: CreateStateMachineAliasInputTypeDef,
    ) -> Reply:
        """CreateStateMachineAlias: again with the same settings it answers as the first time."""
        routing = _routing(request["routingConfiguration"])
        machine = routing[0]["stateMachineVersionArn"].rpartition(":")[0]
        arn = f"{machine}:{request['name']}"
        now = self.kit.clock.millis()
        wanted = Alias(arn, machine, request["name"], request.get("description"), routing, now, now)

        async def body(tx: Tx) -> Alias:
            found = await rows.get_alias(tx, arn)
            if found is not None:
                if found.routing != routing or found.description != wanted.description:
                    raise errors.ConflictError(
                        f"Failed to create alias because an alias with the same name and a different routing "
                        f"configuration already exists: {arn}"
                    )
                return found
            await _need_versions(tx, routing)
            await rows.put_alias(tx, wanted)
            return wanted

        alias = await self.kit.storage.transact(body)
        self._resolver.forget()
        return {"stateMachineAliasArn": arn, "creationDate": alias.created / 1000}

    async def update_state_machine_alias(
        self,
        call: Call,  # noqa: ARG002
        request: UpdateStateMachineAliasInputTypeDef,
    ) -> Reply:
        """UpdateStateMachineAlias."""
        arn = request["stateMachineAliasArn"]
        parse(arn, "stateMachine")
        given: Mapping[str, Any] = request
        if given.get("description") is None and given.get("routingConfiguration") is None:
            raise errors.ValidationError("Either the description or the routingConfiguration must be specified")
        routing = _routing(given["routingConfiguration"]) if given.get("routingConfiguration") else None
        now = self.kit.clock.millis()

        async def body(tx: Tx) -> None:
            found = await rows.get_alias(tx, arn)
            if found is None:
                raise errors.ResourceNotFoundError(MISSING)
            if routing is not None:
                await _need_versions(tx, routing)
            description = given.get("description", found.description)
            await rows.put_alias(
                tx, replace(found, description=description, routing=routing or found.routing, updated=now)
            )

        await self.kit.storage.transact(body)
        self._resolver.forget()
        return {"updateDate": now / 1000}

    async def describe_state_machine_alias(
        self,
        call: Call,  # noqa: ARG002
        request: DescribeStateMachineAliasInputTypeDef,
    ) -> Reply:
        """DescribeStateMachineAlias."""
        arn = request["stateMachineAliasArn"]
        parse(arn, "stateMachine")
        found = await self.kit.storage.read(lambda tx: rows.get_alias(tx, arn))
        if found is None:
            raise errors.ResourceNotFoundError(MISSING)
        return {
            "stateMachineAliasArn": arn,
            "name": found.name,
            "description": found.description,
            "routingConfiguration": found.routing,
            "creationDate": found.created / 1000,
            "updateDate": found.updated / 1000,
        }

    async def delete_state_machine_alias(
        self,
        call: Call,  # noqa: ARG002
        request: DeleteStateMachineAliasInputTypeDef,
    ) -> Reply:
        """DeleteStateMachineAlias: no error if it is not there."""
        arn = request["stateMachineAliasArn"]
        parse(arn, "stateMachine")
        await self.kit.storage.transact(lambda tx: rows.delete_alias(tx, arn))
        self._resolver.forget()
        return {}

    async def list_state_machine_aliases(
        self,
        call: Call,  # noqa: ARG002
        request: ListStateMachineAliasesInputTypeDef,
    ) -> Reply:
        """ListStateMachineAliases: of a state machine, or those that lead to a version."""
        arn = request["stateMachineArn"]
        parts = parse(arn, "stateMachine")
        machine = arn.rpartition(":")[0] if len(parts) == 2 else arn
        limit = page_size(request)
        after = decode_position(request.get("nextToken"), str, "")

        async def body(tx: Tx) -> list[Alias]:
            if await rows.get_machine(tx, machine) is None:
                raise not_there(machine)
            return await rows.list_aliases(tx, machine, arn if machine != arn else "", after, limit + 1)

        found = await self.kit.storage.read(body)
        page, token = page_of(found, limit, lambda alias: alias.name)
        shown = [{"stateMachineAliasArn": alias.arn, "creationDate": alias.created / 1000} for alias in page]
        return {"stateMachineAliases": shown, "nextToken": token}


def _routing(given: Sequence[Mapping[str, Any]] | Any) -> list[dict[str, Any]]:
    routing = [dict(route) for route in given]
    arns = [route["stateMachineVersionArn"] for route in routing]
    shown = ", ".join(arns)
    if not all(arn.rpartition(":")[2].isdigit() and ":stateMachine:" in arn for arn in arns):
        raise errors.ValidationError(
            f"Routing configuration must contain state machine version ARNs. Received: [{shown}]"
        )
    if len(set(arns)) != len(arns):
        raise errors.ValidationError(
            f"Routing configuration must contain distinct state machine version ARNs. Received: [{shown}]"
        )
    if len({arn.rpartition(":")[0] for arn in arns}) != 1:
        raise errors.ValidationError(
            f"Routing configuration must contain versions of one state machine. Received: [{shown}]"
        )
    weights = [route["weight"] for route in routing]
    if sum(weights) != 100:
        raise errors.ValidationError(
            f"Sum of routing configuration weights must equal 100. Received: [{', '.join(map(str, weights))}]"
        )
    return routing


async def _need_versions(tx: Tx, routing: Sequence[Mapping[str, Any]]) -> None:
    for route in routing:
        if await rows.get_version(tx, route["stateMachineVersionArn"]) is None:
            raise errors.ResourceNotFoundError(MISSING)
