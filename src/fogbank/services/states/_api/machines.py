"""State machines: create, change, describe, list, delete, validate; and tags."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec

from fogbank.services.states import errors
from fogbank.services.states import storage as rows
from fogbank.services.states._api.frame import (
    Frame,
    check_name,
    check_tags,
    decode_position,
    page_of,
    page_size,
    refuse_keys,
    tags_of,
)
from fogbank.services.states._integrations import is_known
from fogbank.services.states._language._map_runs import map_state
from fogbank.services.states._language._warnings import warnings
from fogbank.services.states._language.definition import Problem
from fogbank.services.states._language.loader import InvalidDefinitionError, load, parse_document
from fogbank.services.states._language.references import variable_references
from fogbank.services.states._resolve import not_there, parse
from fogbank.services.states.model import Machine, Revision, Version

if TYPE_CHECKING:
    from types_boto3_stepfunctions.type_defs import (
        CreateStateMachineInputTypeDef,
        DeleteStateMachineInputTypeDef,
        DescribeStateMachineForExecutionInputTypeDef,
        DescribeStateMachineInputTypeDef,
        ListStateMachinesInputTypeDef,
        ListTagsForResourceInputTypeDef,
        TagResourceInputTypeDef,
        UntagResourceInputTypeDef,
        UpdateStateMachineInputTypeDef,
        ValidateStateMachineDefinitionInputTypeDef,
    )

    from fogbank.core.call import Call, Reply
    from fogbank.storage import Tx


class MachineOperations(Frame):
    """The operations on state machines."""

    async def create_state_machine(self, call: Call, request: CreateStateMachineInputTypeDef) -> Reply:
        """CreateStateMachine: again with the same definition, role and type it answers as the first time."""
        given: Mapping[str, Any] = request
        check_name(given["name"])
        refuse_keys(given, call.operation)
        kind = given.get("type", "STANDARD")
        check_definition(given["definition"], kind)
        _check_role(given["roleArn"])
        settings = _settings(given, {})
        arn = call.scope.arn("states", f"stateMachine:{given['name']}")
        if given.get("versionDescription") is not None and not given.get("publish"):
            raise errors.ValidationError("Version description can only be set when publish is true")
        tags = tags_of(given.get("tags", ()))
        now = self.kit.clock.millis()

        async def body(tx: Tx) -> Reply:
            found = await rows.get_machine(tx, arn)
            if found is not None:
                return await self._again(tx, found, given, kind, settings)
            revision = Revision(0, arn, None, given["definition"], given["roleArn"], settings, now)
            number = await rows.add_revision(tx, revision)
            machine = Machine(arn, call.scope, given["name"], kind, number, 1, tags, now)
            await rows.put_machine(tx, machine)
            reply: Reply = {"stateMachineArn": arn, "creationDate": now / 1000}
            if given.get("publish"):
                version = await publish(tx, machine, given.get("versionDescription", ""), now)
                reply["stateMachineVersionArn"] = version.arn
            return reply

        reply = await self.kit.storage.transact(body)
        self._resolver.forget()
        return reply

    @staticmethod
    async def _again(tx: Tx, found: Machine, given: Mapping[str, Any], kind: str, settings: dict[str, Any]) -> Reply:
        revision = await rows.get_revision(tx, found.revision)
        same = (
            revision is not None
            and revision.definition == given["definition"]
            and found.kind == kind
            and revision.role == given["roleArn"]
            and revision.settings == settings
        )
        if not same:
            raise errors.MachineExistsError(f"State Machine Already Exists: '{found.arn}'")
        reply: Reply = {"stateMachineArn": found.arn, "creationDate": found.created / 1000}
        if given.get("publish"):
            version = await publish(tx, found, given.get("versionDescription", ""), found.created)
            reply["stateMachineVersionArn"] = version.arn
        return reply

    async def update_state_machine(self, call: Call, request: UpdateStateMachineInputTypeDef) -> Reply:
        """UpdateStateMachine: executions under way go on by the definition that they began with."""
        given: Mapping[str, Any] = request
        refuse_keys(given, call.operation)
        arn = given["stateMachineArn"]
        parse(arn, "stateMachine")
        wanted = ("definition", "roleArn", "loggingConfiguration", "tracingConfiguration", "encryptionConfiguration")
        if not any(given.get(name) is not None for name in wanted):
            raise errors.MissingParameterError(
                "Either the definition, the role ARN, the LoggingConfiguration, or the TracingConfiguration must be "
                "specified"
            )
        now = self.kit.clock.millis()

        async def body(tx: Tx) -> Reply:
            machine = await rows.get_machine(tx, arn)
            before = None if machine is None else await rows.get_revision(tx, machine.revision)
            if machine is None or before is None:
                raise not_there(arn)
            if given.get("definition") is not None:
                check_definition(given["definition"], machine.kind)
            after = replace(
                before,
                definition=given.get("definition", before.definition),
                role=given.get("roleArn", before.role),
                settings=_settings(given, before.settings),
            )
            if after != before:
                after = replace(after, name=self.kit.ids.uuid(), created=now)
                machine = replace(machine, revision=await rows.add_revision(tx, after))
                await rows.put_machine(tx, machine)
            reply: Reply = {"updateDate": now / 1000, "revisionId": after.name}
            if given.get("publish"):
                version = await publish(tx, machine, given.get("versionDescription", ""), now)
                reply["stateMachineVersionArn"] = version.arn
            return reply

        reply = await self.kit.storage.transact(body)
        self._resolver.forget()
        return reply

    async def delete_state_machine(self, call: Call, request: DeleteStateMachineInputTypeDef) -> Reply:  # noqa: ARG002
        """DeleteStateMachine: no error if it is not there."""
        arn = request["stateMachineArn"]
        if len(parse(arn, "stateMachine")) != 1:
            raise errors.ValidationError("The ARN of a state machine is expected, without a version or alias")
        await self.kit.storage.transact(lambda tx: rows.delete_machine(tx, arn))
        self._resolver.forget()
        return {}

    async def describe_state_machine(self, call: Call, request: DescribeStateMachineInputTypeDef) -> Reply:  # noqa: ARG002
        """DescribeStateMachine, or one of its versions."""
        arn = request["stateMachineArn"]
        found = await self._resolver.resolve(arn)
        reply = _shown(found.machine, found.revision)
        reply |= {"stateMachineArn": found.qualified or arn, "status": "ACTIVE", "type": found.machine.kind}
        reply["creationDate"] = found.machine.created / 1000
        if found.qualified is not None:
            version = await self.kit.storage.read(lambda tx: rows.get_version(tx, found.qualified or ""))
            if version is not None:
                reply["creationDate"] = version.created / 1000
                reply["description"] = version.description or None
        if request.get("includedData") == "METADATA_ONLY":
            reply.pop("definition")
        return reply

    async def describe_state_machine_for_execution(
        self,
        call: Call,
        request: DescribeStateMachineForExecutionInputTypeDef,
    ) -> Reply:
        """DescribeStateMachineForExecution: the definition that an execution runs by."""
        arn = request["executionArn"]
        parse(arn, "execution")

        async def body(tx: Tx) -> tuple[Any, Revision | None]:
            record = await rows.get_execution(tx, arn)
            return record, None if record is None else await rows.get_revision(tx, record.revision)

        record, revision = await self.kit.storage.read(body)
        if record is None or revision is None:
            raise errors.ExecutionNotFoundError(f"Execution Does Not Exist: '{arn}'")
        name = record.machine.rpartition(":")[2]
        reply = _shown(Machine(record.machine, call.scope, name, "STANDARD", 0, 0, {}, 0), revision)
        reply |= {"stateMachineArn": record.machine, "updateDate": revision.created / 1000}
        state = map_state(self._resolver.program(revision), record.machine) if record.map_run is not None else None
        if state is not None:
            inner = state.document.get("ItemProcessor", state.document.get("Iterator"))
            reply |= {"definition": msgspec.json.encode(inner).decode(), "mapRunArn": record.map_run}
            reply |= {"label": name.partition("/")[2], "name": name}
        if request.get("includedData") == "METADATA_ONLY":
            reply.pop("definition")
        return reply

    async def list_state_machines(self, call: Call, request: ListStateMachinesInputTypeDef) -> Reply:
        """ListStateMachines."""
        limit = page_size(request)
        after = decode_position(request.get("nextToken"), str, "")
        found = await self.kit.storage.read(lambda tx: rows.list_machines(tx, call.scope, after, limit + 1))
        page, token = page_of(found, limit, lambda machine: machine.arn)
        shown = [
            {"stateMachineArn": m.arn, "name": m.name, "type": m.kind, "creationDate": m.created / 1000} for m in page
        ]
        return {"stateMachines": shown, "nextToken": token}

    async def validate_state_machine_definition(
        self,
        call: Call,  # noqa: ARG002
        request: ValidateStateMachineDefinitionInputTypeDef,
    ) -> Reply:
        """ValidateStateMachineDefinition: every problem of a definition."""
        text = request["definition"]
        problems: list[Problem] = []
        try:
            load(text, express=request.get("type") == "EXPRESS", known=is_known)
        except InvalidDefinitionError as error:
            problems = error.problems
        result = "FAIL" if problems else "OK"
        if request.get("severity") == "WARNING":
            problems = [*problems, *_warnings(text)]
        most = request.get("maxResults") or 100
        shown = [
            {"severity": p.severity, "code": p.code, "message": p.message, "location": p.location} for p in problems
        ]
        return {"result": result, "diagnostics": shown[:most], "truncated": len(shown) > most}

    # -- tags

    async def tag_resource(self, call: Call, request: TagResourceInputTypeDef) -> Reply:
        """TagResource: of a state machine or an activity."""
        added = {tag.get("key", ""): tag.get("value", "") for tag in request["tags"]}
        return await self._retag(call, request["resourceArn"], lambda tags: tags | added)

    async def untag_resource(self, call: Call, request: UntagResourceInputTypeDef) -> Reply:
        """UntagResource."""
        gone = set(request["tagKeys"])
        return await self._retag(
            call, request["resourceArn"], lambda tags: {k: v for k, v in tags.items() if k not in gone}
        )

    async def list_tags_for_resource(self, call: Call, request: ListTagsForResourceInputTypeDef) -> Reply:  # noqa: ARG002
        """ListTagsForResource."""
        arn = request["resourceArn"]
        parse(arn, "stateMachine", "activity")

        async def body(tx: Tx) -> dict[str, str] | None:
            found = await rows.get_machine(tx, arn) or await rows.get_activity(tx, arn)
            return None if found is None else found.tags

        tags = await self.kit.storage.read(body)
        if tags is None:
            raise errors.ResourceNotFoundError(f"Resource not found: '{arn}'")
        return {"tags": [{"key": key, "value": value} for key, value in tags.items()]}

    async def _retag(self, call: Call, arn: str, change: Any) -> Reply:
        parse(arn, "stateMachine", "activity")

        async def body(tx: Tx) -> None:
            machine = await rows.get_machine(tx, arn)
            activity = await rows.get_activity(tx, arn)
            found = machine or activity
            if found is None:
                raise errors.ResourceNotFoundError(f"Resource not found: '{arn}'")
            tags = change(found.tags)
            check_tags(tags)
            if machine is not None:
                await rows.put_machine(tx, replace(machine, tags=tags))
            elif activity is not None:
                await rows.put_activity(tx, call.scope, replace(activity, tags=tags))

        await self.kit.storage.transact(body)
        self._resolver.forget()
        return {}


def _warnings(text: str) -> list[Problem]:
    try:
        return list(warnings(parse_document(text)))
    except InvalidDefinitionError:  # no JSON, which is an error already
        return []


def check_definition(text: str, kind: str) -> None:
    """Refuse a definition that is no program, with all of its problems."""
    try:
        load(text, express=kind == "EXPRESS", known=is_known)
    except InvalidDefinitionError as error:
        raise errors.InvalidDefinitionError(f"Invalid State Machine Definition: '{error}'") from None


async def publish(tx: Tx, machine: Machine, description: str, now: int) -> Version:
    """Publish the current revision, unless the last version is of it."""
    last = await rows.list_versions(tx, machine.arn, 1 << 60, 1)
    if last and last[0].revision == machine.revision:
        return last[0]
    number = machine.next_version
    version = Version(f"{machine.arn}:{number}", machine.arn, number, machine.revision, description, now)
    await rows.put_version(tx, version)
    await rows.put_machine(tx, replace(machine, next_version=number + 1))
    return version


def _check_role(role: str) -> None:
    if not role.startswith("arn:"):
        raise errors.InvalidArnError(f"Invalid Arn: 'Invalid ARN prefix: {role}'")


def _settings(given: Mapping[str, Any], before: dict[str, Any]) -> dict[str, Any]:
    settings = dict(before)
    logging = given.get("loggingConfiguration")
    if logging is not None or "logging" not in settings:
        settings["logging"] = {"level": "OFF", "includeExecutionData": False, **(logging or {})}
        destinations = settings["logging"].get("destinations", [])
        on = settings["logging"]["level"] != "OFF"
        arns = [d.get("cloudWatchLogsLogGroup", {}).get("logGroupArn") for d in destinations]
        if len(destinations) > 1 or (on and len(destinations) != 1):
            raise errors.InvalidLoggingError("Invalid Logging Configuration: Must specify exactly one Log Destination.")
        if any(not arn or ":log-group:" not in arn for arn in arns):
            raise errors.InvalidLoggingError("Invalid Logging Configuration: Log Destination is not a log group.")
    tracing = given.get("tracingConfiguration")
    if tracing is not None or "tracing" not in settings:
        settings["tracing"] = {"enabled": bool((tracing or {}).get("enabled", False))}
    return settings


def _shown(machine: Machine, revision: Revision) -> Reply:
    references = variable_references(msgspec.json.decode(revision.definition))
    return {
        "name": machine.name,
        "definition": revision.definition,
        "roleArn": revision.role,
        "loggingConfiguration": revision.settings["logging"],
        "tracingConfiguration": revision.settings["tracing"],
        "encryptionConfiguration": {"type": "AWS_OWNED_KEY"},
        "revisionId": revision.name,
        "variableReferences": references or None,
    }
