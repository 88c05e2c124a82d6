"""Dashboards: put, get, list, delete. They belong to the account in all regions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fogbank.core.paging import encode_token
from fogbank.services.cloudwatch import storage
from fogbank.services.cloudwatch._api.frame import CloudWatchService, position_of, tags_of
from fogbank.services.cloudwatch._dashboards import check_body, check_name
from fogbank.services.cloudwatch.errors import DashboardNotFoundError, InvalidValueError

if TYPE_CHECKING:
    from types_boto3_cloudwatch import type_defs as t

    from fogbank.core.call import Call, Reply
    from fogbank.storage import Tx

_PAGE = 1000
_MAX_DELETED = 100


class DashboardOperations(CloudWatchService):
    """The operations on dashboards."""

    async def put_dashboard(self, call: Call, request: t.PutDashboardInputTypeDef) -> Reply:
        """Create a dashboard, or replace its body."""
        name, body = request["DashboardName"], request["DashboardBody"]
        check_name(name)
        check_body(body)
        tags = tags_of(request)
        now = self.kit.clock.millis()

        async def put(tx: Tx) -> None:
            before = await storage.get_dashboard(tx, call.scope.account, name)
            kept = tags if before is None else before[2]
            await storage.put_dashboard(tx, call.scope.account, name, body=body, now=now, tags=kept)

        await self.kit.storage.transact(put)
        return {"DashboardValidationMessages": []}

    async def get_dashboard(self, call: Call, request: t.GetDashboardInputTypeDef) -> Reply:
        """One dashboard."""
        name = request["DashboardName"]
        found = await self.kit.storage.read(lambda tx: storage.get_dashboard(tx, call.scope.account, name))
        if found is None:
            raise DashboardNotFoundError(f"Dashboard {name} does not exist")
        return {
            "DashboardArn": call.scope.global_arn("cloudwatch", f"dashboard/{name}"),
            "DashboardBody": found[0],
            "DashboardName": name,
        }

    async def list_dashboards(self, call: Call, request: t.ListDashboardsInputTypeDef) -> Reply:
        """List dashboards by name."""
        prefix = request.get("DashboardNamePrefix", "")
        after = position_of(request.get("NextToken"), str, old_words=True) or ""

        async def body(tx: Tx) -> list[tuple[str, int, int]]:
            found: list[tuple[str, int, int]] = []
            place = after
            while len(found) <= _PAGE:
                batch = await storage.list_dashboards(tx, call.scope.account, after=place, limit=_PAGE)
                found += [entry for entry in batch if entry[0].startswith(prefix)]
                if len(batch) < _PAGE:
                    break
                place = batch[-1][0]
            return found

        found = await self.kit.storage.read(body)
        page = found[:_PAGE]
        return {
            "DashboardEntries": [
                {
                    "DashboardName": name,
                    "DashboardArn": call.scope.global_arn("cloudwatch", f"dashboard/{name}"),
                    "LastModified": modified / 1000,
                    "Size": size,
                }
                for name, modified, size in page
            ],
            "NextToken": encode_token(page[-1][0]) if len(found) > _PAGE else None,
        }

    async def delete_dashboards(self, call: Call, request: t.DeleteDashboardsInputTypeDef) -> Reply:
        """Delete dashboards: all, or none if one is not there."""
        names = request["DashboardNames"]
        if len(names) > _MAX_DELETED:
            raise InvalidValueError(f"The collection DashboardNames must not have a size greater than {_MAX_DELETED}.")

        async def body(tx: Tx) -> None:
            missing = [n for n in names if await storage.get_dashboard(tx, call.scope.account, n) is None]
            if missing:
                raise DashboardNotFoundError(f"The specified dashboard does not exist. [{', '.join(missing)}]")
            for name in names:
                await storage.delete_dashboard(tx, call.scope.account, name)

        await self.kit.storage.transact(body)
        return {}
