"""Tags of alarms and dashboards."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from fogbank.core.arn import Arn, MalformedArnError
from fogbank.core.errors import NotImplementedByFogbank
from fogbank.services.cloudwatch import storage
from fogbank.services.cloudwatch._alarms import MAX_TAGS
from fogbank.services.cloudwatch._api.frame import CloudWatchService, tags_of
from fogbank.services.cloudwatch.errors import InvalidValueError, ResourceNotFoundError

if TYPE_CHECKING:
    from types_boto3_cloudwatch import type_defs as t

    from fogbank.core.call import Call, Reply
    from fogbank.storage import Tx

Tags = Mapping[str, str]
_ABSENT = ("insight-rule", "metric-stream", "alarm-mute-rule", "dataset")


class TagOperations(CloudWatchService):
    """The operations on tags."""

    async def tag_resource(self, call: Call, request: t.TagResourceInputTypeDef) -> Reply:
        """Add tags, or replace those with the same keys."""
        added = tags_of(request)
        for key in () if call.principal.service else added:
            if key.lower().startswith("aws:"):
                raise InvalidValueError(f"The value {key} for parameter Tags is invalid: the prefix aws: is reserved.")

        def change(tags: Tags) -> Tags:
            merged = {**tags, **added}
            if len(merged) > MAX_TAGS:
                raise InvalidValueError(f"A resource can have no more than {MAX_TAGS} tags.")
            return merged

        await self._change(call, request["ResourceARN"], change)
        return {}

    async def untag_resource(self, call: Call, request: t.UntagResourceInputTypeDef) -> Reply:
        """Remove tags by their keys."""
        gone = set(request["TagKeys"])
        await self._change(call, request["ResourceARN"], lambda tags: {k: v for k, v in tags.items() if k not in gone})
        return {}

    async def list_tags_for_resource(self, call: Call, request: t.ListTagsForResourceInputTypeDef) -> Reply:
        """The tags of an alarm or a dashboard."""
        found: list[Tags] = []

        def keep(tags: Tags) -> None:
            found.append(tags)

        await self._change(call, request["ResourceARN"], keep)
        return {"Tags": [{"Key": key, "Value": value} for key, value in found[0].items()]}

    async def _change(self, call: Call, text: str, change: Callable[[Tags], Tags | None]) -> None:
        """Store what `change` makes of the tags of an ARN's resource; nothing, if it gives `None`."""
        try:
            arn = Arn.parse(text)
        except MalformedArnError:
            raise InvalidValueError(f"{text} is not a valid ARN") from None
        now = self.kit.clock.millis()

        async def body(tx: Tx) -> None:
            if arn.resource.startswith("alarm:"):
                alarm = await storage.get_alarm(tx, arn.scope, arn.resource.removeprefix("alarm:"))
                if alarm is None or arn.scope != call.scope:
                    raise _missing(text)
                tags = change(alarm.tags)
                if tags is not None:
                    await storage.set_tags(tx, replace(alarm, tags=tags))
            elif arn.resource.startswith("dashboard/"):
                await self._change_dashboard(tx, call, arn.resource.removeprefix("dashboard/"), text, change, now)
            elif arn.resource.startswith(_ABSENT):
                raise NotImplementedByFogbank(f"Fogbank does not have what {text} names yet")
            else:
                raise InvalidValueError(f"{text} is not a valid ARN")

        await self.kit.storage.transact(body)

    @staticmethod
    async def _change_dashboard(
        tx: Tx, call: Call, name: str, text: str, change: Callable[[Tags], Tags | None], now: int
    ) -> None:
        found = await storage.get_dashboard(tx, call.scope.account, name)
        if found is None:
            raise _missing(text)
        tags = change(found[2])
        if tags is not None:
            await storage.put_dashboard(tx, call.scope.account, name, body=found[0], now=now, tags=tags)


def _missing(text: str) -> ResourceNotFoundError:
    return ResourceNotFoundError(f"Unknown resource: {text}", ResourceType="cloudwatch", ResourceId=text)
