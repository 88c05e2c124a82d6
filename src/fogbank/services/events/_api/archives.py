"""Archives: what a bus keeps of its events.

As in AWS an archive is fed by a managed rule of the bus, `Events-Archive-NAME`, that leaves replayed events out.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from fogbank.services.events import storage as rows
from fogbank.services.events._api.operations import Operations, Page, refuse_parameters
from fogbank.services.events._api.rules import check_pattern
from fogbank.services.events._targets import ARCHIVE_ARN
from fogbank.services.events.errors import (
    ResourceAlreadyExistsError,
    ResourceNotFoundError,
    ValidationError,
)
from fogbank.services.events.model import Archive, BusKey, Rule, RuleState, Target

if TYPE_CHECKING:
    from collections.abc import Mapping

    from types_boto3_events.type_defs import (
        CreateArchiveRequestTypeDef,
        DeleteArchiveRequestTypeDef,
        DescribeArchiveRequestTypeDef,
        ListArchivesRequestTypeDef,
        UpdateArchiveRequestTypeDef,
    )

    from fogbank.core.call import Call, Reply
    from fogbank.core.scope import Scope
    from fogbank.storage import Tx

_NOT_YET = ("KmsKeyIdentifier",)
_MANAGER = "prod.vhs.events.aws.internal"
_STATE = "ENABLED"


class ArchiveOperations(Operations):
    """Create, describe, list, update and delete archives."""

    async def create_archive(self, call: Call, request: CreateArchiveRequestTypeDef) -> Reply:
        """Begin to keep a bus's events."""
        refuse_parameters(call, _NOT_YET, request)
        bus = _source(request["EventSourceArn"])
        pattern = request.get("EventPattern") or None
        if pattern:
            check_pattern(pattern)
        now = self._clock.millis()
        archive = Archive(
            call.scope, request["ArchiveName"], bus.name, 0, request.get("Description"), pattern,
            request.get("RetentionDays", 0), now,
        )  # fmt: skip

        async def body(tx: Tx) -> None:
            await self._require_bus(tx, bus)
            if await rows.get_archive(tx, call.scope, archive.name) is not None:
                raise ResourceAlreadyExistsError(f"Archive {archive.name} already exists.")
            await self._put_archive(tx, archive, bus)

        await self._storage.transact(body)
        return {"ArchiveArn": archive.arn, "State": _STATE, "CreationTime": now / 1000}

    async def describe_archive(self, call: Call, request: DescribeArchiveRequestTypeDef) -> Reply:
        """Describe one archive, with its size."""

        async def body(tx: Tx) -> dict[str, Any]:
            archive = await self._archive(tx, call.scope, request["ArchiveName"])
            return _document(archive) | {
                "ArchiveArn": archive.arn,
                "Description": archive.description,
                "EventPattern": archive.pattern,
            }

        return await self._storage.read(body)

    async def list_archives(self, call: Call, request: ListArchivesRequestTypeDef) -> Reply:
        """List archives by one of: a prefix of the name, the bus, the state."""
        _check_filters(request)
        page = Page(request.get("NextToken"), request.get("Limit"), request.get("NamePrefix"))

        async def body(tx: Tx) -> Reply:
            if "EventSourceArn" in request:
                await self._require_bus(tx, _source(request["EventSourceArn"]))
            found = await rows.list_archives(tx, call.scope, start=page.start, limit=page.limit + 1)
            archives, token = page.cut(found, [archive.name for archive in found])
            documents = [_document(archive) for archive in archives]
            return {"Archives": [d for d in documents if _fits(d, request)], "NextToken": token}

        return await self._storage.read(body)

    async def update_archive(self, call: Call, request: UpdateArchiveRequestTypeDef) -> Reply:
        """Change what an archive keeps from now on, and for how long."""
        refuse_parameters(call, _NOT_YET, request)
        pattern = request.get("EventPattern") or None
        if pattern:
            check_pattern(pattern)

        async def body(tx: Tx) -> Archive:
            archive = await self._archive(tx, call.scope, request["ArchiveName"])
            changed = replace(
                archive,
                description=request.get("Description", archive.description),
                pattern=pattern if "EventPattern" in request else archive.pattern,
                retention_days=request.get("RetentionDays", archive.retention_days),
            )
            await self._put_archive(tx, changed, BusKey(call.scope.account, call.scope.region, archive.bus))
            return changed

        archive = await self._storage.transact(body)
        return {"ArchiveArn": archive.arn, "State": _STATE, "CreationTime": archive.created / 1000}

    async def delete_archive(self, call: Call, request: DeleteArchiveRequestTypeDef) -> Reply:
        """Delete an archive, what is in it, and its rule."""

        async def body(tx: Tx) -> None:
            archive = await self._archive(tx, call.scope, request["ArchiveName"])
            await rows.delete_target(tx, archive.rule, archive.name)
            await rows.delete_rule(tx, archive.rule)
            await rows.delete_archive(tx, archive)
            self._router.changed(tx, BusKey(call.scope.account, call.scope.region, archive.bus))

        await self._storage.transact(body)
        return {}

    async def _archive(self, tx: Tx, scope: Scope, name: str) -> Archive:
        archive = await rows.get_archive(tx, scope, name)
        if archive is None:
            raise ResourceNotFoundError(f"Archive {name} does not exist.")
        return archive

    async def _put_archive(self, tx: Tx, archive: Archive, bus: BusKey) -> None:
        """Write an archive together with its rule."""
        rule = Rule(
            0, bus, archive.rule_name, _rule_pattern(archive.pattern), None, RuleState.ENABLED, None, None, _MANAGER,
            bus.account, {}, archive.created,
        )  # fmt: skip
        rule_id = await rows.put_rule(tx, rule, None)
        await rows.put_target(tx, rule_id, _rule_target(archive))
        await rows.put_archive(tx, replace(archive, rule=rule_id))
        self._router.changed(tx, bus)


def _rule_pattern(pattern: str | None) -> str:
    """The archive's pattern, which replayed events do not match."""
    document = json.loads(pattern) if pattern else {}
    return json.dumps({**document, "replay-name": [{"exists": False}]}, separators=(",", ":"))


def _rule_target(archive: Archive) -> Target:
    template = (
        f'{{"archive-arn": "{archive.arn}","event": <aws.events.event.json>,'
        '"ingestion-time": <aws.events.event.ingestion-time>}'
    )
    settings = {"InputTransformer": {"InputPathsMap": {}, "InputTemplate": template}}
    return Target(archive.name, ARCHIVE_ARN.format(region=archive.scope.region), settings)


def _source(text: str) -> BusKey:
    """The bus that an archive is made of."""
    parts = text.split(":", 5)
    if len(parts) != 6 or not parts[5].startswith("event-bus/"):
        raise ValidationError("Parameter EventSourceArn is not valid. Reason: Must contain an event bus ARN.")
    return BusKey(parts[4], parts[3], parts[5].removeprefix("event-bus/"))


def _check_filters(request: Mapping[str, Any]) -> None:
    if sum(name in request for name in ("NamePrefix", "EventSourceArn", "State")) > 1:
        raise ValidationError(
            "At most one filter is allowed for ListArchives. Use either : State, EventSourceArn, or NamePrefix."
        )


def _fits(document: Mapping[str, Any], request: Mapping[str, Any]) -> bool:
    return all(request.get(name) in {None, document[name]} for name in ("EventSourceArn", "State") if name in request)


def _document(archive: Archive) -> dict[str, Any]:
    return {
        "ArchiveName": archive.name,
        "EventSourceArn": archive.scope.arn("events", f"event-bus/{archive.bus}"),
        "State": _STATE,
        "RetentionDays": archive.retention_days,
        "SizeBytes": archive.size_bytes,
        "EventCount": archive.event_count,
        "CreationTime": archive.created / 1000,
    }
