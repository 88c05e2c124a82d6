"""Managed policies and their versions, and the tags of policies."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from fogbank.services.iam import storage
from fogbank.services.iam._api.service import (
    IamService,
    attachable,
    check_policy_arn,
    encode_document,
    lacking,
    page,
    policy_of,
    seconds,
    tag_page,
    without_tags,
)
from fogbank.services.iam._documents import check_identity_policy
from fogbank.services.iam.errors import (
    DeleteConflictError,
    EntityAlreadyExistsError,
    LimitExceededError,
    NoSuchEntityError,
)
from fogbank.services.iam.model import (
    MAX_POLICIES,
    MAX_VERSIONS,
    Entity,
    Kind,
    Policy,
    Version,
    aws_policy,
    aws_versions,
    check_managed_size,
    exact_tags_of,
    quota,
    tag_list,
    version_id,
    version_number,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from types_boto3_iam import type_defs as t

    from fogbank.core.call import Call, Reply
    from fogbank.storage import Tx


class PolicyOperations(IamService):
    """The operations on managed policies."""

    async def create_policy(self, call: Call, request: t.CreatePolicyRequestTypeDef) -> Reply:
        """Create a managed policy; its document is version v1."""
        document, name = request["PolicyDocument"], request["PolicyName"]
        check_identity_policy(document)
        check_managed_size(document)
        path, now, account = request.get("Path", "/"), self.kit.clock.millis(), call.scope.account
        policy = Policy(
            name=name,
            arn=call.scope.global_arn("iam", f"policy{path}{name}"),
            id="ANPA" + self.kit.ids.code(17),
            path=path,
            description=request.get("Description"),
            default_version=1,
            last_version=1,
            created_at=now,
            updated_at=now,
            tags=exact_tags_of(request.get("Tags", [])),
        )

        async def body(tx: Tx) -> Reply:
            if await storage.count_policies(tx, account) >= MAX_POLICIES:
                raise quota("PoliciesPerAccount", MAX_POLICIES)
            if not await storage.insert_policy(tx, account, policy, document):
                raise EntityAlreadyExistsError(
                    f"A policy called {name} already exists. Duplicate names are not allowed."
                )
            return await describe_policy(tx, account, policy) | {"Tags": tag_list(policy.tags) or None}

        return {"Policy": await self.kit.storage.transact(body)}

    async def get_policy(self, call: Call, request: t.GetPolicyRequestTypeDef) -> Reply:
        """A managed policy, without its document."""
        arn = request["PolicyArn"]
        check_policy_arn(arn)

        async def body(tx: Tx) -> Reply:
            policy = await policy_of(tx, arn)
            described = await describe_policy(tx, call.scope.account, policy)
            return described | {"Description": policy.description, "Tags": tag_list(policy.tags)}

        return {"Policy": await self.kit.storage.read(body)}

    async def list_policies(self, call: Call, request: t.ListPoliciesRequestTypeDef) -> Reply:
        """List the account's managed policies and, of AWS's, those that are attached: there is no catalogue
        here.
        """
        account, scope = call.scope.account, request.get("Scope", "All")
        prefix, usage = request.get("PathPrefix", "/"), request.get("PolicyUsageFilter")

        async def body(tx: Tx) -> list[Reply]:
            policies = [] if scope == "AWS" else await storage.list_policies(tx, account)
            if scope != "Local":
                arns = await storage.list_attached_arns(tx, account)
                policies += [policy for policy in map(aws_policy, sorted(arns)) if policy is not None]
            return [await describe_policy(tx, account, policy) for policy in policies if policy.path.startswith(prefix)]

        found = await self.kit.storage.read(body)
        if request.get("OnlyAttached") or usage == "PermissionsPolicy":
            found = [policy for policy in found if policy["AttachmentCount"]]
        if usage == "PermissionsBoundary":
            found = [policy for policy in found if policy["PermissionsBoundaryUsageCount"]]
        found.sort(key=_order)
        policies, end = page(request, found, _order)
        return {"Policies": policies, **end}

    async def delete_policy(self, call: Call, request: t.DeletePolicyRequestTypeDef) -> Reply:
        """Delete a managed policy that is attached to nothing and has but its default version."""
        account, arn = call.scope.account, request["PolicyArn"]
        check_policy_arn(arn)

        async def body(tx: Tx) -> None:
            policy = await _own_policy(tx, arn)
            attached = await storage.count_attachments(tx, account, arn)
            if attached or await storage.count_boundaries(tx, account, arn):
                raise DeleteConflictError("Cannot delete a policy attached to entities.")
            if len(await storage.list_versions(tx, policy.arn)) > 1:
                raise DeleteConflictError(
                    "This policy has more than one version. Before you delete a policy, you must delete the policy's "
                    "versions. The default version is deleted with the policy."
                )
            await storage.delete_policy(tx, arn)

        await self.kit.storage.transact(body)
        return {}

    # -- versions -----------------------------------------------------------------------------------------

    async def create_policy_version(self, call: Call, request: t.CreatePolicyVersionRequestTypeDef) -> Reply:  # noqa: ARG002
        """Add a version to a managed policy, and make it the default if asked."""
        arn, document = request["PolicyArn"], request["PolicyDocument"]
        check_policy_arn(arn)
        check_identity_policy(document)
        check_managed_size(document)
        now, default = self.kit.clock.millis(), request.get("SetAsDefault", False)

        async def body(tx: Tx) -> Version:
            policy = await storage.find_policy(tx, arn)
            if policy is None:
                raise NoSuchEntityError(f"Policy {arn} does not exist or is not attachable.")
            if len(await storage.list_versions(tx, arn)) >= MAX_VERSIONS:
                raise LimitExceededError(
                    f"A managed policy can have up to {MAX_VERSIONS} versions. Before you create a new version, you "
                    "must delete an existing version."
                )
            number = policy.last_version + 1
            version = Version(number, document, now)
            await storage.insert_version(tx, arn, version)
            changed = replace(policy, last_version=number, updated_at=now)
            await storage.update_policy(tx, replace(changed, default_version=number) if default else changed)
            return version

        version = await self.kit.storage.transact(body)
        return {"PolicyVersion": describe_version(version, is_default=default)}

    async def get_policy_version(self, call: Call, request: t.GetPolicyVersionRequestTypeDef) -> Reply:  # noqa: ARG002
        """A version of a managed policy with its document. Of AWS's own policies few are known here."""
        arn = request["PolicyArn"]
        check_policy_arn(arn)

        async def body(tx: Tx) -> Reply:
            policy, version = await _version_of(tx, arn, request["VersionId"])
            if not version.document:
                raise lacking(f"the document of this AWS managed policy ({arn})")
            shape = describe_version(version, is_default=version.number == policy.default_version)
            return shape | {"Document": encode_document(version.document)}

        return {"PolicyVersion": await self.kit.storage.read(body)}

    async def list_policy_versions(self, call: Call, request: t.ListPolicyVersionsRequestTypeDef) -> Reply:  # noqa: ARG002
        """The versions of a managed policy, newest first."""
        arn = request["PolicyArn"]
        check_policy_arn(arn)

        async def body(tx: Tx) -> list[Reply]:
            policy = await policy_of(tx, arn)
            return [
                describe_version(version, is_default=version.number == policy.default_version)
                for version in await versions_of(tx, policy)
            ]

        found = await self.kit.storage.read(body)
        numbers = {str(version["VersionId"]): index for index, version in enumerate(found)}
        versions, end = page(request, found, lambda version: f"{numbers[version['VersionId']]:04d}")
        return {"Versions": versions, **end}

    async def set_default_policy_version(
        self,
        call: Call,  # noqa: ARG002
        request: t.SetDefaultPolicyVersionRequestTypeDef,
    ) -> Reply:
        """Make a version the default."""
        arn = request["PolicyArn"]
        check_policy_arn(arn)
        now = self.kit.clock.millis()

        async def body(tx: Tx) -> None:
            policy, version = await _own_version_of(tx, arn, request["VersionId"])
            await storage.update_policy(tx, replace(policy, default_version=version.number, updated_at=now))

        await self.kit.storage.transact(body)
        return {}

    async def delete_policy_version(self, call: Call, request: t.DeletePolicyVersionRequestTypeDef) -> Reply:  # noqa: ARG002
        """Delete a version that is not the default."""
        arn = request["PolicyArn"]
        check_policy_arn(arn)

        async def body(tx: Tx) -> None:
            policy, version = await _own_version_of(tx, arn, request["VersionId"])
            if version.number == policy.default_version:
                raise DeleteConflictError("Cannot delete the default version of a policy.")
            await storage.delete_version(tx, arn, version.number)

        await self.kit.storage.transact(body)
        return {}

    async def list_entities_for_policy(self, call: Call, request: t.ListEntitiesForPolicyRequestTypeDef) -> Reply:
        """The roles, users and groups that a managed policy is attached to, or that have it as boundary."""
        account, arn = call.scope.account, request["PolicyArn"]
        check_policy_arn(arn)
        prefix, kind = request.get("PathPrefix", "/"), request.get("EntityFilter")
        boundary = request.get("PolicyUsageFilter") == "PermissionsBoundary"

        async def body(tx: Tx) -> list[Entity]:
            await attachable(tx, arn)
            listing = storage.list_bounded_by if boundary else storage.list_attached_to
            return await listing(tx, account, arn)

        found = [
            entity
            for entity in await self.kit.storage.read(body)
            if entity.path.startswith(prefix) and (kind is None or entity.kind == kind.lower())
        ]
        found.sort(key=_entity_order)
        entities, end = page(request, found, _entity_order)
        shapes: dict[Kind, list[Reply]] = {Kind.GROUP: [], Kind.USER: [], Kind.ROLE: []}
        for entity in entities:
            name = entity.kind.capitalize()
            shapes[entity.kind].append({f"{name}Name": entity.name, f"{name}Id": entity.id})
        return {
            "PolicyGroups": shapes[Kind.GROUP],
            "PolicyUsers": shapes[Kind.USER],
            "PolicyRoles": shapes[Kind.ROLE],
            **end,
        }

    # -- tags ---------------------------------------------------------------------------------------------

    async def tag_policy(self, call: Call, request: t.TagPolicyRequestTypeDef) -> Reply:  # noqa: ARG002
        """Add or replace a managed policy's tags."""
        await self._change_tags(request["PolicyArn"], lambda tags: exact_tags_of(request["Tags"], tags))
        return {}

    async def untag_policy(self, call: Call, request: t.UntagPolicyRequestTypeDef) -> Reply:  # noqa: ARG002
        """Remove tags of a managed policy."""
        await self._change_tags(request["PolicyArn"], lambda tags: without_tags(request, tags))
        return {}

    async def list_policy_tags(self, call: Call, request: t.ListPolicyTagsRequestTypeDef) -> Reply:  # noqa: ARG002
        """A managed policy's tags."""
        arn = request["PolicyArn"]
        check_policy_arn(arn)

        async def body(tx: Tx) -> Policy:
            return await policy_of(tx, arn)

        return tag_page(request, (await self.kit.storage.read(body)).tags, exact=True)

    async def _change_tags(self, arn: str, change: Callable[[dict[str, str]], dict[str, str]]) -> None:
        check_policy_arn(arn)

        async def body(tx: Tx) -> None:
            policy = await _own_policy(tx, arn)
            await storage.update_policy(tx, replace(policy, tags=change(dict(policy.tags))))

        await self.kit.storage.transact(body)


async def _own_policy(tx: Tx, arn: str) -> Policy:
    policy = await storage.find_policy(tx, arn)
    if policy is None:
        raise NoSuchEntityError(f"Policy {arn} was not found.")
    return policy


async def versions_of(tx: Tx, policy: Policy) -> list[Version]:
    """The versions of a policy, newest first."""
    if aws_policy(policy.arn) is not None:
        return aws_versions(policy)
    return await storage.list_versions(tx, policy.arn)


async def _version_of(tx: Tx, arn: str, text: str) -> tuple[Policy, Version]:
    """A policy and one of its versions. AWS tells alike that the one or the other is not there."""
    policy, number = aws_policy(arn) or await storage.find_policy(tx, arn), version_number(text)
    if policy is not None:
        for version in await versions_of(tx, policy):
            if version.number == number:
                return policy, version
    raise NoSuchEntityError(f"Policy {arn} version {text} does not exist or is not attachable.")


async def _own_version_of(tx: Tx, arn: str, text: str) -> tuple[Policy, Version]:
    """The same of the account's own policies: AWS's cannot be changed."""
    if aws_policy(arn) is not None:
        raise NoSuchEntityError(f"Policy {arn} was not found.")
    return await _version_of(tx, arn, text)


async def describe_policy(tx: Tx, account: str, policy: Policy) -> Reply:
    """What a listing tells of a policy."""
    return {
        "PolicyName": policy.name,
        "PolicyId": policy.id,
        "Arn": policy.arn,
        "Path": policy.path,
        "DefaultVersionId": version_id(policy.default_version),
        "AttachmentCount": await storage.count_attachments(tx, account, policy.arn),
        "PermissionsBoundaryUsageCount": await storage.count_boundaries(tx, account, policy.arn),
        "IsAttachable": True,
        "CreateDate": seconds(policy.created_at),
        "UpdateDate": seconds(policy.updated_at),
    }


def describe_version(version: Version, *, is_default: bool) -> Reply:
    """`PolicyVersion`, without its document."""
    return {
        "VersionId": version_id(version.number),
        "IsDefaultVersion": is_default,
        "CreateDate": seconds(version.created_at),
    }


def _order(policy: Reply) -> str:
    return f"{str(policy['PolicyName']).lower()} {policy['PolicyId']}"


def _entity_order(entity: Entity) -> str:
    return f"{entity.kind} {entity.name.lower()}"
