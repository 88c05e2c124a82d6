"""AWS::IAM: roles, users, groups, policies, instance profiles, access keys.

Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/AWS_IAM.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from fogbank.core.call import Reply
from fogbank.core.errors import ApiError
from fogbank.services.cloudformation.engine import Standing
from fogbank.templates.resources.resource_type import Name, ResourceType, Work, json_text, tag_list

_MISSING = frozenset({"NoSuchEntityException"})
_TAKEN = frozenset({"EntityAlreadyExistsException"})


@dataclass(frozen=True, slots=True)
class Holder:
    """What holds policies: a role, a user or a group. The API's operations are named after the kind."""

    kind: str

    @property
    def key(self) -> str:
        """The request member that names it."""
        return f"{self.kind}Name"

    async def bring_inline(self, work: Work, name: str, before: Iterable[Any], after: Iterable[Any]) -> None:
        """Bring the inline policies, which are lists of PolicyName and PolicyDocument, to what they shall be."""
        wanted = {policy["PolicyName"]: policy for policy in after}
        had = {policy["PolicyName"]: policy for policy in before}
        for policy_name, policy in wanted.items():
            if had.get(policy_name) != policy:
                await self.put(work, name, policy_name, policy["PolicyDocument"])
        for policy_name in had:
            if policy_name not in wanted:
                await self.take_away(work, name, policy_name)

    async def put(self, work: Work, name: str, policy_name: str, document: Any) -> None:
        """Give it an inline policy."""
        request = {self.key: name, "PolicyName": policy_name, "PolicyDocument": json_text(document)}
        await work.call(f"Put{self.kind}Policy", request)

    async def take_away(self, work: Work, name: str, policy_name: str) -> None:
        """Take an inline policy away; one that is not there is away."""
        await lenient(work, f"Delete{self.kind}Policy", {self.key: name, "PolicyName": policy_name})

    async def bring_attached(self, work: Work, name: str, before: Iterable[str], after: Iterable[str]) -> None:
        """Bring the attached managed policies to what they shall be. Attaching is safe to repeat."""
        wanted = list(after)
        had = list(before)
        for arn in wanted:
            if arn not in had:
                await work.call(f"Attach{self.kind}Policy", {self.key: name, "PolicyArn": arn})
        for arn in had:
            if arn not in wanted:
                await self.detach(work, name, arn)

    async def detach(self, work: Work, name: str, arn: str) -> None:
        """Detach a managed policy; one that is not attached is detached."""
        await lenient(work, f"Detach{self.kind}Policy", {self.key: name, "PolicyArn": arn})


ROLE, USER, GROUP = Holder("Role"), Holder("User"), Holder("Group")


async def lenient(work: Work, operation: str, request: Mapping[str, Any]) -> None:
    """Make a call that takes something away; what is not there is away."""
    try:
        await work.call(operation, request)
    except ApiError as error:
        if error.code not in _MISSING:
            raise


class _Principal(ResourceType):
    """What roles, users and groups have in common."""

    service = "iam"
    missing = _MISSING
    taken = _TAKEN
    holder: ClassVar[Holder]

    async def bring_policies(self, work: Work) -> None:
        """Inline and attached policies as the properties say."""
        before, after = work.previous, work.properties
        await self.holder.bring_inline(work, work.name, before.get("Policies", ()), after.get("Policies", ()))
        await self.holder.bring_attached(
            work, work.name, before.get("ManagedPolicyArns", ()), after.get("ManagedPolicyArns", ())
        )

    async def bring_boundary(self, work: Work) -> None:
        """The permissions boundary as the properties say."""
        if not work.previous or not work.changed("PermissionsBoundary"):
            return
        boundary = work.properties.get("PermissionsBoundary")
        key = {self.holder.key: work.name}
        if boundary is None:
            await work.call(f"Delete{self.holder.kind}PermissionsBoundary", key)
        else:
            await work.call(f"Put{self.holder.kind}PermissionsBoundary", {**key, "PermissionsBoundary": boundary})

    async def bring_tags(self, work: Work) -> None:
        """The tags as the properties say."""
        tags, removed = work.tag_changes()
        key = {self.holder.key: work.name}
        if tags:
            await work.call(f"Tag{self.holder.kind}", {**key, "Tags": tag_list(tags)})
        if removed:
            await work.call(f"Untag{self.holder.kind}", {**key, "TagKeys": removed})

    async def read(self, work: Work) -> Reply:
        return await work.call(f"Get{self.holder.kind}", {self.holder.key: work.name})

    async def standing(self, work: Work) -> Standing:
        """What `Ref` and `Fn::GetAtt` give."""
        entity = (await self.read(work))[self.holder.kind]
        known = {"Arn": entity["Arn"], "RoleId": entity.get("RoleId")}
        return Standing(work.name, {key: known[key] for key in self.attributes or ()})

    async def remove(self, work: Work) -> None:
        for policy in work.properties.get("Policies", ()):
            await self.holder.take_away(work, work.name, policy["PolicyName"])
        for arn in work.properties.get("ManagedPolicyArns", ()):
            await self.holder.detach(work, work.name, arn)
        await work.call(f"Delete{self.holder.kind}", {self.holder.key: work.name})


class Role(_Principal):
    """A role; `Ref` gives its name."""

    type = "AWS::IAM::Role"
    name = Name("RoleName", 64)
    attributes = ("Arn", "RoleId")
    holder = ROLE

    async def make(self, work: Work) -> Standing:
        request = {
            "RoleName": work.name,
            "AssumeRolePolicyDocument": json_text(work.properties["AssumeRolePolicyDocument"]),
            **work.take("Path", "Description", "MaxSessionDuration", "PermissionsBoundary"),
            "Tags": tag_list(work.tags()),
        }
        await work.call("CreateRole", request)
        await self.bring_policies(work)
        return await self.standing(work)

    async def update(self, work: Work) -> Standing:
        if work.changed("AssumeRolePolicyDocument"):
            document = json_text(work.properties["AssumeRolePolicyDocument"])
            await work.call("UpdateAssumeRolePolicy", {"RoleName": work.name, "PolicyDocument": document})
        if work.changed("Description", "MaxSessionDuration"):
            settings = {
                "Description": work.properties.get("Description", ""),
                "MaxSessionDuration": work.properties.get("MaxSessionDuration", 3600),
            }
            await work.call("UpdateRole", {"RoleName": work.name, **settings})
        await self.bring_boundary(work)
        await self.bring_policies(work)
        await self.bring_tags(work)
        return await self.standing(work)


class User(_Principal):
    """A user; `Ref` gives its name."""

    type = "AWS::IAM::User"
    name = Name("UserName", 64)
    attributes = ("Arn",)
    lacking = frozenset({"LoginProfile"})
    holder = USER

    async def make(self, work: Work) -> Standing:
        request = {
            "UserName": work.name,
            **work.take("Path", "PermissionsBoundary"),
            "Tags": tag_list(work.tags()),
        }
        await work.call("CreateUser", request)
        return await self._bring(work)

    async def update(self, work: Work) -> Standing:
        await self.bring_boundary(work)
        await self.bring_tags(work)
        return await self._bring(work)

    async def _bring(self, work: Work) -> Standing:
        await self.bring_policies(work)
        before, after = work.previous.get("Groups", ()), work.properties.get("Groups", ())
        for group in after:
            if group not in before:
                await work.call("AddUserToGroup", {"GroupName": group, "UserName": work.name})
        for group in before:
            if group not in after:
                await lenient(work, "RemoveUserFromGroup", {"GroupName": group, "UserName": work.name})
        return await self.standing(work)

    async def remove(self, work: Work) -> None:
        for group in work.properties.get("Groups", ()):
            await lenient(work, "RemoveUserFromGroup", {"GroupName": group, "UserName": work.name})
        await super().remove(work)


class Group(_Principal):
    """A group; `Ref` gives its name."""

    type = "AWS::IAM::Group"
    name = Name("GroupName", 128)
    attributes = ("Arn",)
    holder = GROUP

    async def make(self, work: Work) -> Standing:
        await work.call("CreateGroup", {"GroupName": work.name, **work.take("Path")})
        return await self.update(work)

    async def update(self, work: Work) -> Standing:
        if work.previous and work.changed("Path"):
            path = work.properties.get("Path", "/")
            await work.call("UpdateGroup", {"GroupName": work.name, "NewPath": path})
        await self.bring_policies(work)
        return await self.standing(work)


_HOLDERS = (("Roles", ROLE), ("Users", USER), ("Groups", GROUP))


class Policy(ResourceType):
    """An inline policy of roles, users and groups; `Ref` gives an id that was made up."""

    type = "AWS::IAM::Policy"
    service = "iam"
    attributes = ("Id",)
    missing = _MISSING

    async def make(self, work: Work) -> Standing:
        identifier = work.physical_id or f"{work.step.stack.name[:4]}-{work.properties['PolicyName'][:4]}-" + (
            work.step.token.replace("-", "")[:12].upper()
        )
        return await self._bring(work, identifier)

    async def update(self, work: Work) -> Standing:
        return await self._bring(work, work.physical_id)

    @staticmethod
    async def _bring(work: Work, identifier: str) -> Standing:
        policy_name, document = work.properties["PolicyName"], work.properties["PolicyDocument"]
        renamed = bool(work.previous) and work.previous["PolicyName"] != policy_name
        for members, holder in _HOLDERS:
            after = work.properties.get(members, ())
            for name in after:
                await holder.put(work, name, policy_name, document)
            for name in work.previous.get(members, ()):
                if renamed or name not in after:
                    await holder.take_away(work, name, work.previous["PolicyName"])
        return Standing(identifier, {"Id": identifier})

    async def remove(self, work: Work) -> None:
        for members, holder in _HOLDERS:
            for name in work.properties.get(members, ()):
                await holder.take_away(work, name, work.properties["PolicyName"])


class _InlinePolicy(ResourceType):
    """One inline policy of one role, user or group."""

    service = "iam"
    attributes = ()
    missing = _MISSING
    holder: ClassVar[Holder]

    async def make(self, work: Work) -> Standing:
        name, policy_name = work.properties[self.holder.key], work.properties["PolicyName"]
        document = work.properties.get("PolicyDocument", {"Version": "2012-10-17", "Statement": []})
        await self.holder.put(work, name, policy_name, document)
        return Standing(f"{policy_name}|{name}", {})

    async def update(self, work: Work) -> Standing:
        return await self.make(work)

    async def remove(self, work: Work) -> None:
        await self.holder.take_away(work, work.properties[self.holder.key], work.properties["PolicyName"])


class RolePolicy(_InlinePolicy):
    """An inline policy of a role."""

    type = "AWS::IAM::RolePolicy"
    holder = ROLE


class UserPolicy(_InlinePolicy):
    """An inline policy of a user."""

    type = "AWS::IAM::UserPolicy"
    holder = USER


class GroupPolicy(_InlinePolicy):
    """An inline policy of a group."""

    type = "AWS::IAM::GroupPolicy"
    holder = GROUP


class ManagedPolicy(ResourceType):
    """A managed policy; `Ref` gives its ARN."""

    type = "AWS::IAM::ManagedPolicy"
    service = "iam"
    name = Name("ManagedPolicyName", 128)
    attributes = ("PolicyArn", "PolicyId", "DefaultVersionId", "AttachmentCount", "IsAttachable", "CreateDate",
                  "UpdateDate", "PermissionsBoundaryUsageCount")  # fmt: skip
    missing = _MISSING
    taken = _TAKEN

    async def make(self, work: Work) -> Standing:
        request = {
            "PolicyName": work.name,
            "PolicyDocument": json_text(work.properties["PolicyDocument"]),
            **work.take("Path", "Description"),
        }
        await work.call("CreatePolicy", request)
        return await self._bring(work)

    def _arn(self, work: Work) -> str:
        path = work.properties.get("Path", "/")
        return work.scope.global_arn("iam", f"policy{path}{work.name}")

    async def update(self, work: Work) -> Standing:
        if work.changed("PolicyDocument"):
            arn = self._arn(work)
            versions = (await work.call("ListPolicyVersions", {"PolicyArn": arn}))["Versions"]
            if len(versions) >= 5:  # IAM keeps five: the oldest that is not the default makes room
                oldest = [v for v in versions if not v["IsDefaultVersion"]][-1]
                await work.call("DeletePolicyVersion", {"PolicyArn": arn, "VersionId": oldest["VersionId"]})
            document = json_text(work.properties["PolicyDocument"])
            request = {"PolicyArn": arn, "PolicyDocument": document, "SetAsDefault": True}
            await work.call("CreatePolicyVersion", request)
        return await self._bring(work)

    async def _bring(self, work: Work) -> Standing:
        arn = self._arn(work)
        for members, holder in _HOLDERS:
            before, after = work.previous.get(members, ()), work.properties.get(members, ())
            for name in after:
                if name not in before:
                    await holder.bring_attached(work, name, (), (arn,))
            for name in before:
                if name not in after:
                    await holder.detach(work, name, arn)
        policy = (await self.read(work))["Policy"]
        shown = {name: policy.get(name) for name in self.attributes or ()} | {"PolicyArn": arn}
        return Standing(arn, {name: value for name, value in shown.items() if value is not None})

    async def read(self, work: Work) -> Reply:
        return await work.call("GetPolicy", {"PolicyArn": self._arn(work)})

    async def remove(self, work: Work) -> None:
        arn = self._arn(work)
        for members, holder in _HOLDERS:
            for name in work.properties.get(members, ()):
                await holder.detach(work, name, arn)
        for version in (await work.call("ListPolicyVersions", {"PolicyArn": arn}))["Versions"]:
            if not version["IsDefaultVersion"]:
                await work.call("DeletePolicyVersion", {"PolicyArn": arn, "VersionId": version["VersionId"]})
        await work.call("DeletePolicy", {"PolicyArn": arn})


class InstanceProfile(ResourceType):
    """An instance profile; `Ref` gives its name."""

    type = "AWS::IAM::InstanceProfile"
    service = "iam"
    name = Name("InstanceProfileName", 128)
    attributes = ("Arn",)
    missing = _MISSING
    taken = _TAKEN

    async def make(self, work: Work) -> Standing:
        await work.call("CreateInstanceProfile", {"InstanceProfileName": work.name, **work.take("Path")})
        return await self.update(work)

    async def update(self, work: Work) -> Standing:
        profile = (await self.read(work))["InstanceProfile"]
        have = {role["RoleName"] for role in profile.get("Roles", ())}
        want = set(work.properties.get("Roles", ()))
        for role in have - want:
            await work.call("RemoveRoleFromInstanceProfile", {"InstanceProfileName": work.name, "RoleName": role})
        for role in want - have:
            await work.call("AddRoleToInstanceProfile", {"InstanceProfileName": work.name, "RoleName": role})
        return Standing(work.name, {"Arn": profile["Arn"]})

    async def read(self, work: Work) -> Reply:
        return await work.call("GetInstanceProfile", {"InstanceProfileName": work.name})

    async def remove(self, work: Work) -> None:
        for role in work.properties.get("Roles", ()):
            request = {"InstanceProfileName": work.name, "RoleName": role}
            await lenient(work, "RemoveRoleFromInstanceProfile", request)
        await work.call("DeleteInstanceProfile", {"InstanceProfileName": work.name})


class AccessKey(ResourceType):
    """An access key; `Ref` gives its id.

    A key whose secret a crash swallowed cannot be told from the user's others, so it stays until the user goes.
    """

    type = "AWS::IAM::AccessKey"
    service = "iam"
    attributes = ("SecretAccessKey",)
    missing = _MISSING

    async def make(self, work: Work) -> Standing:
        user = work.properties["UserName"]
        key = (await work.call("CreateAccessKey", {"UserName": user}))["AccessKey"]
        await self._set_status(work, key["AccessKeyId"])
        return Standing(key["AccessKeyId"], {"SecretAccessKey": key["SecretAccessKey"]})

    @staticmethod
    async def _set_status(work: Work, key_id: str) -> None:
        status = work.properties.get("Status", "Active")
        if status != work.previous.get("Status", "Active"):
            user = work.properties["UserName"]
            await work.call("UpdateAccessKey", {"UserName": user, "AccessKeyId": key_id, "Status": status})

    async def update(self, work: Work) -> Standing:
        await self._set_status(work, work.physical_id)
        return Standing(work.physical_id, work.attributes)

    async def remove(self, work: Work) -> None:
        if work.physical_id:
            request = {"UserName": work.properties["UserName"], "AccessKeyId": work.physical_id}
            await work.call("DeleteAccessKey", request)


class UserToGroupAddition(ResourceType):
    """Users put into a group."""

    type = "AWS::IAM::UserToGroupAddition"
    service = "iam"
    attributes = ("Id",)
    missing = _MISSING

    async def make(self, work: Work) -> Standing:
        identifier = work.physical_id or f"{work.step.stack.name}-{work.step.logical_id}-{work.step.token[:12]}"
        group, users = work.properties["GroupName"], work.properties["Users"]
        same = work.previous.get("GroupName") == group
        for user in users:
            await work.call("AddUserToGroup", {"GroupName": group, "UserName": user})
        for user in work.previous.get("Users", ()):
            if not same or user not in users:
                request = {"GroupName": work.previous["GroupName"], "UserName": user}
                await lenient(work, "RemoveUserFromGroup", request)
        return Standing(identifier, {"Id": identifier})

    async def update(self, work: Work) -> Standing:
        return await self.make(work)

    async def remove(self, work: Work) -> None:
        for user in work.properties["Users"]:
            request = {"GroupName": work.properties["GroupName"], "UserName": user}
            await lenient(work, "RemoveUserFromGroup", request)


TYPES = (
    Role, User, Group, Policy, RolePolicy, UserPolicy, GroupPolicy, ManagedPolicy, InstanceProfile, AccessKey,
    UserToGroupAddition,
)  # fmt: skip
