"""Service-linked roles. No service uses them here, so that they can be deleted at any time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fogbank.services.iam import storage
from fogbank.services.iam._api.service import (
    IamService,
    describe_role,
    entity_of,
    role_extras,
)
from fogbank.services.iam._linked import is_linked, linked_role, name_taken
from fogbank.services.iam.errors import NoSuchEntityError
from fogbank.services.iam.model import DEFAULT_MAX_SESSION, RULES, Entity, Kind, missing, quota

if TYPE_CHECKING:
    from types_boto3_iam import type_defs as t

    from fogbank.core.call import Call, Reply
    from fogbank.storage import Tx


class LinkedRoleOperations(IamService):
    """The operations on service-linked roles."""

    async def create_service_linked_role(self, call: Call, request: t.CreateServiceLinkedRoleRequestTypeDef) -> Reply:
        """Make the role of a service, with the policy that AWS gives it."""
        account, made = call.scope.account, linked_role(request["AWSServiceName"], request.get("CustomSuffix"))
        role = Entity(
            kind=Kind.ROLE,
            name=made.name,
            id=self.new_id(Kind.ROLE),
            path=made.path,
            created_at=self.kit.clock.millis(),
            description=request.get("Description"),
            trust_policy=made.trust_policy,
            max_session=DEFAULT_MAX_SESSION,
            boundary=None,
            tags={},
        )

        async def body(tx: Tx) -> None:
            rules = RULES[Kind.ROLE]
            if await storage.count_entities(tx, account, Kind.ROLE) >= rules.quota:
                raise quota(rules.quota_name, rules.quota)
            if not await storage.insert_entity(tx, account, role):
                raise name_taken(made.name)
            await storage.attach(tx, account, Kind.ROLE, made.name, made.policy_arn)

        await self.kit.storage.transact(body)
        return {"Role": describe_role(call.scope, role) | role_extras(role)}

    async def delete_service_linked_role(self, call: Call, request: t.DeleteServiceLinkedRoleRequestTypeDef) -> Reply:
        """Delete a service-linked role; the task that AWS would need for it is over at once."""
        account, name = call.scope.account, request["RoleName"]
        token = self.kit.ids.uuid()

        async def body(tx: Tx) -> str:
            role = await entity_of(tx, account, Kind.ROLE, name)
            if not is_linked(role):
                raise missing(Kind.ROLE, name)
            for arn in await storage.list_attached(tx, account, Kind.ROLE, name):
                await storage.detach(tx, account, Kind.ROLE, name, arn)
            await storage.delete_entity(tx, account, Kind.ROLE, name)
            task = f"task{role.path}{role.name}/{token}"
            await storage.insert_deletion(tx, account, task)
            return task

        return {"DeletionTaskId": await self.kit.storage.transact(body)}

    async def get_service_linked_role_deletion_status(
        self, call: Call, request: t.GetServiceLinkedRoleDeletionStatusRequestTypeDef
    ) -> Reply:
        """How a deletion went: well."""
        task = request["DeletionTaskId"]

        async def body(tx: Tx) -> bool:
            return await storage.has_deletion(tx, call.scope.account, task)

        if not await self.kit.storage.read(body):
            raise NoSuchEntityError(f"The deletion task with id {task} cannot be found.")
        return {"Status": "SUCCEEDED"}
