"""What an account has, counted and in full."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fogbank.services.iam import storage
from fogbank.services.iam._api.policies import describe_policy, describe_version, versions_of
from fogbank.services.iam._api.service import (
    IamService,
    boundary_shape,
    describe_group,
    describe_profile,
    describe_role,
    describe_user,
    encode_document,
    page,
)
from fogbank.services.iam.model import (
    MAX_ACCESS_KEYS,
    MAX_ATTACHED,
    MAX_GROUPS_PER_USER,
    MAX_MANAGED_SIZE,
    MAX_POLICIES,
    MAX_TRUST_SIZE,
    MAX_VERSIONS,
    RULES,
    Entity,
    Kind,
    Policy,
    aws_policy,
    tag_list,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from types_boto3_iam import type_defs as t

    from fogbank.core.call import Call, Reply
    from fogbank.core.scope import Scope
    from fogbank.storage import Tx

_KINDS = {"User": Kind.USER, "Group": Kind.GROUP, "Role": Kind.ROLE}
_LISTS = {
    Kind.USER: "UserDetailList",
    Kind.GROUP: "GroupDetailList",
    Kind.ROLE: "RoleDetailList",
}
_COUNTED = {
    Kind.USER: "Users",
    Kind.GROUP: "Groups",
    Kind.ROLE: "Roles",
    Kind.PROFILE: "InstanceProfiles",
}
_FIXED = {
    "AccessKeysPerUserQuota": MAX_ACCESS_KEYS,
    "AccountAccessKeysPresent": 0,
    "AccountMFAEnabled": 0,
    "AccountPasswordPresent": 0,
    "AccountSigningCertificatesPresent": 0,
    "AssumeRolePolicySizeQuota": MAX_TRUST_SIZE,
    "AttachedPoliciesPerGroupQuota": MAX_ATTACHED,
    "AttachedPoliciesPerRoleQuota": MAX_ATTACHED,
    "AttachedPoliciesPerUserQuota": MAX_ATTACHED,
    "GlobalEndpointTokenVersion": 1,
    "GroupPolicySizeQuota": RULES[Kind.GROUP].inline_size,
    "GroupsPerUserQuota": MAX_GROUPS_PER_USER,
    "MFADevices": 0,
    "MFADevicesInUse": 0,
    "PoliciesQuota": MAX_POLICIES,
    "PolicySizeQuota": MAX_MANAGED_SIZE,
    "PolicyVersionsInUseQuota": 10_000,
    "RolePolicySizeQuota": RULES[Kind.ROLE].inline_size,
    "ServerCertificates": 0,
    "ServerCertificatesQuota": 20,
    "SigningCertificatesPerUserQuota": 2,
    "UserPolicySizeQuota": RULES[Kind.USER].inline_size,
    "VersionsPerPolicyQuota": MAX_VERSIONS,
}


class AccountOperations(IamService):
    """The operations that tell of the whole account."""

    async def get_account_summary(self, call: Call, request: Mapping[str, Any]) -> Reply:  # noqa: ARG002
        """How many of each there are, and the quotas."""
        account = call.scope.account

        async def body(tx: Tx) -> Reply:
            found: Reply = dict(_FIXED)
            for kind, name in _COUNTED.items():
                found[name] = await storage.count_entities(tx, account, kind)
                found[f"{name}Quota"] = RULES[kind].quota
            found["Policies"] = await storage.count_policies(tx, account)
            found["PolicyVersionsInUse"] = await storage.count_versions(tx, account)
            found["Providers"] = await storage.count_providers(tx, account)
            return found

        return {"SummaryMap": await self.kit.storage.read(body)}

    async def get_account_authorization_details(
        self, call: Call, request: t.GetAccountAuthorizationDetailsRequestTypeDef
    ) -> Reply:
        """Users, groups, roles and managed policies with all that gives them permissions, page by page."""
        wanted: set[str] = set(request.get("Filter", [])) or {*_KINDS, "LocalManagedPolicy", "AWSManagedPolicy"}
        account = call.scope.account

        async def body(tx: Tx) -> Reply:
            items: list[tuple[str, Entity | Policy]] = []
            for name, kind in _KINDS.items():
                if name in wanted:
                    items += [(_key(kind, e.name), e) for e in await storage.list_entities(tx, account, kind, "")]
            items += [(_key("y", policy.arn), policy) for policy in await _policies(tx, account, wanted)]
            items.sort(key=_order)
            found, end = page(request, items, _order)
            reply: Reply = {"UserDetailList": [], "GroupDetailList": [], "RoleDetailList": [], "Policies": []}
            for _, item in found:
                if isinstance(item, Policy):
                    reply["Policies"].append(await _policy_detail(tx, account, item))
                else:
                    reply[_LISTS[item.kind]].append(await _detail(tx, call.scope, item))
            return reply | end

        return await self.kit.storage.read(body)


def _key(kind: str, name: str) -> str:
    return f"{kind} {name.lower()}"


def _order(item: tuple[str, Entity | Policy]) -> str:
    return item[0]


async def _policies(tx: Tx, account: str, wanted: set[str]) -> list[Policy]:
    found = await storage.list_policies(tx, account) if "LocalManagedPolicy" in wanted else []
    if "AWSManagedPolicy" in wanted:
        arns = await storage.list_attached_arns(tx, account)
        found += [policy for policy in map(aws_policy, arns) if policy is not None]
    return found


async def _policy_detail(tx: Tx, account: str, policy: Policy) -> Reply:
    """A managed policy and its versions; the documents of AWS's own are not known here."""
    versions = await versions_of(tx, policy)
    return await describe_policy(tx, account, policy) | {
        "Description": policy.description,
        "PolicyVersionList": [
            describe_version(version, is_default=version.number == policy.default_version)
            | {"Document": encode_document(version.document) or None}
            for version in versions
        ],
    }


async def _detail(tx: Tx, scope: Scope, entity: Entity) -> Reply:
    account, kind, name = scope.account, entity.kind, entity.name
    inline = await storage.list_inline(tx, account, kind, name)
    shape: Reply = {
        f"{kind.capitalize()}PolicyList": [
            {"PolicyName": each, "PolicyDocument": encode_document(document)} for each, document in inline.items()
        ],
        "AttachedManagedPolicies": [
            {"PolicyName": arn.rpartition("/")[2], "PolicyArn": arn}
            for arn in await storage.list_attached(tx, account, kind, name)
        ],
    }
    if kind is Kind.GROUP:
        return describe_group(scope, entity) | shape
    shape |= {"PermissionsBoundary": boundary_shape(entity.boundary), "Tags": tag_list(entity.tags)}
    if kind is Kind.USER:
        groups = await storage.list_owners(tx, account, Kind.GROUP, name)
        return describe_user(scope, entity, full=False) | shape | {"GroupList": [group.name for group in groups]}
    profiles = await storage.list_owners(tx, account, Kind.PROFILE, name)
    shape["InstanceProfileList"] = [describe_profile(scope, profile, [entity]) for profile in profiles]
    return describe_role(scope, entity) | shape | {"RoleLastUsed": {}}
