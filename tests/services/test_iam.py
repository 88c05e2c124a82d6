"""IAM over the wire, as boto3 and infrastructure tools see it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.config import Config as BotoConfig
from botocore.exceptions import ClientError

TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
ALLOW = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
MANAGED = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"


@pytest.fixture
def iam(aws: Callable[..., Any]) -> Any:
    """A client that leaves it to the server to refuse bad requests."""
    return aws("iam", config=BotoConfig(parameter_validation=False, retries={"max_attempts": 0}))


@pytest.fixture
def role(iam: Any) -> str:
    iam.create_role(RoleName="r", AssumeRolePolicyDocument=json.dumps(TRUST))
    return "r"


def error(call: Callable[..., Any], **arguments: Any) -> tuple[int, str, str]:
    """The status, code and text of the error that a call is answered with."""
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    reply = caught.value.response
    return reply["ResponseMetadata"]["HTTPStatusCode"], reply["Error"]["Code"], reply["Error"]["Message"]


def policy(iam: Any, name: str = "p", **arguments: Any) -> str:
    reply = iam.create_policy(PolicyName=name, PolicyDocument=json.dumps(ALLOW), **arguments)
    return str(reply["Policy"]["Arn"])


class TestRoles:
    """Roles."""

    def test_life(self, iam: Any) -> None:
        """A role is created, told with its trust policy, changed and deleted."""
        made = iam.create_role(
            RoleName="r",
            Path="/app/",
            AssumeRolePolicyDocument=json.dumps(TRUST),
            Description="d",
            MaxSessionDuration=7200,
            Tags=[{"Key": "a", "Value": "1"}],
        )["Role"]
        assert made["Arn"] == "arn:aws:iam::000000000000:role/app/r"
        assert made["RoleId"].startswith("AROA")
        assert len(made["RoleId"]) == 21
        assert made["AssumeRolePolicyDocument"] == TRUST
        told = {"Description": "d", "MaxSessionDuration": 7200, "RoleLastUsed": {}}
        assert not told.keys() & made.keys()
        assert iam.get_role(RoleName="r")["Role"] == made | told
        iam.update_role(RoleName="r", Description="still")
        assert iam.get_role(RoleName="r")["Role"]["MaxSessionDuration"] == 7200
        iam.update_role(RoleName="r", Description="e", MaxSessionDuration=3600)
        found = iam.get_role(RoleName="r")["Role"]
        assert (found["Description"], found["MaxSessionDuration"]) == ("e", 3600)
        (listed,) = iam.list_roles(PathPrefix="/app/")["Roles"]
        assert "Tags" not in listed
        assert iam.list_roles(PathPrefix="/other/")["Roles"] == []
        iam.delete_role(RoleName="r")
        assert error(iam.get_role, RoleName="r") == (
            404,
            "NoSuchEntity",
            "The role with name r cannot be found.",
        )

    def test_names_are_unique_without_regard_to_case(self, iam: Any, role: str) -> None:
        """`R` is taken where `r` is there."""
        again = error(iam.create_role, RoleName="R", AssumeRolePolicyDocument=json.dumps(TRUST))
        assert again == (409, "EntityAlreadyExists", "Role with name R already exists.")

    def test_the_model_is_kept_to(self, iam: Any) -> None:
        """Names and durations have the lengths, patterns and ranges of the model."""
        status, code, text = error(iam.create_role, RoleName="a b", AssumeRolePolicyDocument=json.dumps(TRUST))
        assert (status, code) == (400, "ValidationError")
        assert text == (
            "The specified value for roleName is invalid. It must contain only alphanumeric characters and/or the "
            "following: +=,.@_-"
        )
        assert error(iam.get_role)[1] == "ValidationError"

    def test_trust_policies(self, iam: Any, role: str) -> None:
        """A trust policy is checked when it is stored, and replaced."""
        changed = json.loads(json.dumps(TRUST).replace("lambda", "events"))
        iam.update_assume_role_policy(RoleName="r", PolicyDocument=json.dumps(changed))
        assert iam.get_role(RoleName="r")["Role"]["AssumeRolePolicyDocument"] == changed
        bad = error(iam.update_assume_role_policy, RoleName="r", PolicyDocument="{")
        assert bad == (400, "MalformedPolicyDocument", "This policy contains invalid Json")
        bad = error(iam.update_assume_role_policy, RoleName="r", PolicyDocument=json.dumps(ALLOW))
        assert bad[1:] == ("MalformedPolicyDocument", "Has prohibited field Resource")

    def test_what_belongs_to_a_role_keeps_it(self, iam: Any, role: str) -> None:
        """A role is deleted only when nothing belongs to it any more."""
        iam.put_role_policy(RoleName="r", PolicyName="p", PolicyDocument=json.dumps(ALLOW))
        iam.attach_role_policy(RoleName="r", PolicyArn=MANAGED)
        iam.create_instance_profile(InstanceProfileName="i")
        iam.add_role_to_instance_profile(InstanceProfileName="i", RoleName="r")
        conflict = "DeleteConflict"
        assert error(iam.delete_role, RoleName="r") == (
            409,
            conflict,
            "Cannot delete entity, must remove roles from instance profile first.",
        )
        iam.remove_role_from_instance_profile(InstanceProfileName="i", RoleName="r")
        must_detach = "Cannot delete entity, must detach all policies first."
        assert error(iam.delete_role, RoleName="r")[1:] == (conflict, must_detach)
        iam.detach_role_policy(RoleName="r", PolicyArn=MANAGED)
        must_delete = "Cannot delete entity, must delete policies first."
        assert error(iam.delete_role, RoleName="r")[1:] == (conflict, must_delete)
        iam.delete_role_policy(RoleName="r", PolicyName="p")
        iam.delete_role(RoleName="r")

    def test_tags_and_boundary(self, iam: Any, role: str) -> None:
        """Tags are added and removed; a boundary is a policy that exists."""
        iam.tag_role(RoleName="r", Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}])
        iam.untag_role(RoleName="r", TagKeys=["a"])
        assert iam.list_role_tags(RoleName="r")["Tags"] == [{"Key": "b", "Value": "2"}]
        twice = error(iam.tag_role, RoleName="r", Tags=[{"Key": "k", "Value": ""}, {"Key": "K", "Value": ""}])
        assert twice[1:] == (
            "InvalidInput",
            "Duplicate tag keys found. Please note that Tag keys are case insensitive.",
        )
        arn = policy(iam)
        iam.put_role_permissions_boundary(RoleName="r", PermissionsBoundary=arn)
        assert iam.get_role(RoleName="r")["Role"]["PermissionsBoundary"]["PermissionsBoundaryArn"] == arn
        assert error(iam.delete_policy, PolicyArn=arn)[1] == "DeleteConflict"
        iam.delete_role_permissions_boundary(RoleName="r")
        iam.delete_policy(PolicyArn=arn)

    def test_pages(self, iam: Any) -> None:
        """Listings go on by a marker."""
        for i in range(5):
            iam.create_role(RoleName=f"r{i}", AssumeRolePolicyDocument=json.dumps(TRUST))
        pages = list(iam.get_paginator("list_roles").paginate(PaginationConfig={"PageSize": 2}))
        assert [page["IsTruncated"] for page in pages] == [True, True, False]
        assert [role["RoleName"] for page in pages for role in page["Roles"]] == [f"r{i}" for i in range(5)]

    def test_regions_share_them(self, aws: Callable[..., Any], iam: Any, role: str) -> None:
        """An account's IAM is in no region; another account does not see it."""
        assert aws("iam", region_name="eu-west-1").get_role(RoleName="r")
        assert aws("iam", aws_access_key_id="111111111111").list_roles()["Roles"] == []


class TestInlinePolicies:
    """Inline policies."""

    def test_life(self, iam: Any, role: str) -> None:
        """A document comes back as it was given."""
        document = json.dumps(ALLOW | {"Id": "ünïcode & <tags>"}, ensure_ascii=False)
        iam.put_role_policy(RoleName="r", PolicyName="p", PolicyDocument=document)
        assert iam.get_role_policy(RoleName="r", PolicyName="p")["PolicyDocument"] == json.loads(document)
        assert iam.list_role_policies(RoleName="r")["PolicyNames"] == ["p"]
        iam.delete_role_policy(RoleName="r", PolicyName="p")
        assert error(iam.get_role_policy, RoleName="r", PolicyName="p") == (
            404,
            "NoSuchEntity",
            "The role policy with name p cannot be found.",
        )

    def test_size(self, iam: Any, role: str) -> None:
        """The inline policies of a role have 10,240 characters together, white space not counted."""
        statement = {"Effect": "Allow", "Action": "s3:*", "Resource": "arn:aws:s3:::" + "x" * 9000}
        document = {"Version": "2012-10-17", "Statement": [statement]}
        iam.put_role_policy(RoleName="r", PolicyName="a", PolicyDocument=json.dumps(document, indent=4000))
        over = error(iam.put_role_policy, RoleName="r", PolicyName="b", PolicyDocument=json.dumps(document))
        assert over == (409, "LimitExceeded", "Maximum policy size of 10240 bytes exceeded for role r")


class TestManagedPolicies:
    """Managed policies."""

    def test_life(self, iam: Any) -> None:
        """A policy has versions, of which one is the default."""
        arn = policy(iam, Path="/app/", Description="d")
        assert arn == "arn:aws:iam::000000000000:policy/app/p"
        found = iam.get_policy(PolicyArn=arn)["Policy"]
        assert (found["DefaultVersionId"], found["AttachmentCount"], found["Description"]) == ("v1", 0, "d")
        second = json.dumps(ALLOW).replace("s3", "sqs")
        made = iam.create_policy_version(PolicyArn=arn, PolicyDocument=second, SetAsDefault=True)
        assert made["PolicyVersion"]["VersionId"] == "v2"
        version = iam.get_policy_version(PolicyArn=arn, VersionId="v2")["PolicyVersion"]
        assert version["Document"] == json.loads(second)
        assert version["IsDefaultVersion"]
        listed = iam.list_policy_versions(PolicyArn=arn)["Versions"]
        assert [(each["VersionId"], each["IsDefaultVersion"]) for each in listed] == [("v2", True), ("v1", False)]
        more = error(iam.delete_policy, PolicyArn=arn)
        assert more[1] == "DeleteConflict"
        assert more[2].startswith("This policy has more than one version.")
        assert error(iam.delete_policy_version, PolicyArn=arn, VersionId="v2")[1:] == (
            "DeleteConflict",
            "Cannot delete the default version of a policy.",
        )
        iam.delete_policy_version(PolicyArn=arn, VersionId="v1")
        iam.delete_policy(PolicyArn=arn)
        assert error(iam.get_policy, PolicyArn=arn) == (404, "NoSuchEntity", f"Policy {arn} was not found.")

    def test_five_versions(self, iam: Any) -> None:
        """A sixth version must wait until one is deleted; numbers are not used again."""
        arn = policy(iam)
        for _ in range(4):
            iam.create_policy_version(PolicyArn=arn, PolicyDocument=json.dumps(ALLOW))
        over = error(iam.create_policy_version, PolicyArn=arn, PolicyDocument=json.dumps(ALLOW))
        assert over[:2] == (409, "LimitExceeded")
        iam.delete_policy_version(PolicyArn=arn, VersionId="v5")
        made = iam.create_policy_version(PolicyArn=arn, PolicyDocument=json.dumps(ALLOW))
        assert made["PolicyVersion"]["VersionId"] == "v6"

    def test_names(self, iam: Any) -> None:
        """A name is unique in the account, whatever its path."""
        policy(iam)
        again = error(iam.create_policy, PolicyName="P", Path="/x/", PolicyDocument=json.dumps(ALLOW))
        assert again == (
            409,
            "EntityAlreadyExists",
            "A policy called P already exists. Duplicate names are not allowed.",
        )

    def test_attachments(self, iam: Any, role: str) -> None:
        """Policies of the account and AWS's own are attached, listed both ways, and detached."""
        arn = policy(iam)
        for each in (arn, MANAGED, arn):
            iam.attach_role_policy(RoleName="r", PolicyArn=each)
        attached = iam.list_attached_role_policies(RoleName="r")["AttachedPolicies"]
        assert attached == [
            {"PolicyName": "AWSLambdaBasicExecutionRole", "PolicyArn": MANAGED},
            {"PolicyName": "p", "PolicyArn": arn},
        ]
        (entity,) = iam.list_entities_for_policy(PolicyArn=arn)["PolicyRoles"]
        assert entity["RoleName"] == "r"
        assert iam.get_policy(PolicyArn=arn)["Policy"]["AttachmentCount"] == 1
        assert [p["PolicyName"] for p in iam.list_policies(Scope="Local")["Policies"]] == ["p"]
        assert [p["Arn"] for p in iam.list_policies(Scope="AWS")["Policies"]] == [MANAGED]
        assert error(iam.delete_policy, PolicyArn=arn)[1:] == (
            "DeleteConflict",
            "Cannot delete a policy attached to entities.",
        )
        iam.detach_role_policy(RoleName="r", PolicyArn=arn)
        assert error(iam.detach_role_policy, RoleName="r", PolicyArn=arn) == (
            404,
            "NoSuchEntity",
            f"Policy {arn} was not found.",
        )
        missing = "arn:aws:iam::000000000000:policy/none"
        assert error(iam.attach_role_policy, RoleName="r", PolicyArn=missing) == (
            404,
            "NoSuchEntity",
            f"Policy {missing} does not exist or is not attachable.",
        )
        assert error(iam.attach_role_policy, RoleName="r", PolicyArn="not an arn at all!!!!")[1] == "ValidationError"

    def test_ten_attachments(self, iam: Any, role: str) -> None:
        """A role has ten managed policies at the most."""
        for i in range(10):
            iam.attach_role_policy(RoleName="r", PolicyArn=f"arn:aws:iam::aws:policy/P{i}")
        over = error(iam.attach_role_policy, RoleName="r", PolicyArn="arn:aws:iam::aws:policy/More")
        assert over == (409, "LimitExceeded", "Cannot exceed quota for PoliciesPerRole: 10")

    def test_size(self, iam: Any) -> None:
        """A managed policy has 6,144 characters at the most."""
        statement = {"Effect": "Allow", "Action": "s3:*", "Resource": "arn:aws:s3:::" + "x" * 6100}
        document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        over = error(iam.create_policy, PolicyName="p", PolicyDocument=document)
        assert over == (409, "LimitExceeded", "Cannot exceed quota for PolicySize: 6144")

    def test_most_documents_of_aws_are_not_known(self, iam: Any) -> None:
        """Saying so beats inventing one."""
        unknown = "arn:aws:iam::aws:policy/ReadOnlyAccess"
        assert iam.get_policy(PolicyArn=unknown)["Policy"]["PolicyName"] == "ReadOnlyAccess"
        assert error(iam.get_policy_version, PolicyArn=unknown, VersionId="v1")[0] == 501


class TestUsersAndGroups:
    """Users, groups, access keys."""

    def test_users(self, iam: Any) -> None:
        """A user is created, renamed with what belongs to it, and deleted."""
        made = iam.create_user(UserName="u", Tags=[{"Key": "a", "Value": "1"}])["User"]
        assert made["Arn"] == "arn:aws:iam::000000000000:user/u"
        assert made["UserId"].startswith("AIDA")
        iam.put_user_policy(UserName="u", PolicyName="p", PolicyDocument=json.dumps(ALLOW))
        iam.create_group(GroupName="g")
        iam.add_user_to_group(GroupName="g", UserName="u")
        iam.update_user(UserName="u", NewUserName="v", NewPath="/x/")
        assert iam.get_user(UserName="v")["User"]["Arn"] == "arn:aws:iam::000000000000:user/x/v"
        assert iam.list_user_policies(UserName="v")["PolicyNames"] == ["p"]
        assert iam.list_groups_for_user(UserName="v")["Groups"][0]["GroupName"] == "g"
        assert error(iam.delete_user, UserName="v")[1] == "DeleteConflict"
        iam.delete_user_policy(UserName="v", PolicyName="p")
        iam.remove_user_from_group(GroupName="g", UserName="v")
        iam.delete_user(UserName="v")
        assert error(iam.get_user, UserName="v")[2] == "The user with name v cannot be found."

    def test_groups(self, iam: Any) -> None:
        """A group has users and policies, and keeps neither when it is deleted."""
        iam.create_group(GroupName="g")
        iam.create_user(UserName="u")
        iam.add_user_to_group(GroupName="g", UserName="u")
        group = iam.get_group(GroupName="g")
        assert [user["UserName"] for user in group["Users"]] == ["u"]
        assert error(iam.delete_group, GroupName="g") == (
            409,
            "DeleteConflict",
            "Cannot delete entity, must remove users from group first.",
        )
        iam.remove_user_from_group(GroupName="g", UserName="u")
        iam.attach_group_policy(GroupName="g", PolicyArn=MANAGED)
        assert error(iam.delete_group, GroupName="g")[1] == "DeleteConflict"
        iam.detach_group_policy(GroupName="g", PolicyArn=MANAGED)
        iam.delete_group(GroupName="g")
        assert error(iam.get_group, GroupName="g")[2] == "The group with name g cannot be found."

    def test_access_keys(self, iam: Any) -> None:
        """A user has two keys at the most; a secret is told once."""
        iam.create_user(UserName="u")
        key = iam.create_access_key(UserName="u")["AccessKey"]
        assert key["AccessKeyId"].startswith("AKIA")
        assert len(key["SecretAccessKey"]) == 40
        iam.create_access_key(UserName="u")
        over = error(iam.create_access_key, UserName="u")
        assert over == (409, "LimitExceeded", "Cannot exceed quota for AccessKeysPerUser: 2")
        iam.update_access_key(UserName="u", AccessKeyId=key["AccessKeyId"], Status="Inactive")
        listed = iam.list_access_keys(UserName="u")["AccessKeyMetadata"]
        assert {each["Status"] for each in listed} == {"Active", "Inactive"}
        assert all("SecretAccessKey" not in each for each in listed)
        assert iam.get_access_key_last_used(AccessKeyId=key["AccessKeyId"])["UserName"] == "u"
        for each in listed:
            iam.delete_access_key(UserName="u", AccessKeyId=each["AccessKeyId"])
        missing = error(iam.delete_access_key, UserName="u", AccessKeyId=key["AccessKeyId"])
        assert missing[2] == f"The Access Key with id {key['AccessKeyId']} cannot be found."

    def test_whoever_signs_is_meant_where_none_is_named(self, iam: Any, aws: Callable[..., Any]) -> None:
        """The user whose key signs, and the root for a key that no user has."""
        assert iam.get_user()["User"]["Arn"] == "arn:aws:iam::000000000000:root"
        assert error(iam.list_access_keys)[1:] == (
            "ValidationError",
            "Must specify userName when calling with non-User credentials",
        )
        iam.create_user(UserName="u")
        key = iam.create_access_key(UserName="u")["AccessKey"]
        own = aws("iam", aws_access_key_id=key["AccessKeyId"], aws_secret_access_key=key["SecretAccessKey"])
        assert own.get_user()["User"]["UserName"] == "u"
        assert own.list_access_keys()["AccessKeyMetadata"][0]["AccessKeyId"] == key["AccessKeyId"]


class TestInstanceProfiles:
    """Instance profiles."""

    def test_life(self, iam: Any, role: str) -> None:
        """A profile has one role."""
        iam.create_instance_profile(InstanceProfileName="i", Tags=[{"Key": "a", "Value": "1"}])
        iam.add_role_to_instance_profile(InstanceProfileName="i", RoleName="r")
        profile = iam.get_instance_profile(InstanceProfileName="i")["InstanceProfile"]
        assert profile["Roles"][0]["RoleName"] == "r"
        assert profile["InstanceProfileId"].startswith("AIPA")
        (listed,) = iam.list_instance_profiles_for_role(RoleName="r")["InstanceProfiles"]
        assert listed["InstanceProfileName"] == "i"
        assert len(iam.list_instance_profiles()["InstanceProfiles"]) == 1
        second = error(iam.add_role_to_instance_profile, InstanceProfileName="i", RoleName="r")
        assert second == (
            409,
            "LimitExceeded",
            "Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1",
        )
        assert error(iam.delete_instance_profile, InstanceProfileName="i")[1] == "DeleteConflict"
        iam.remove_role_from_instance_profile(InstanceProfileName="i", RoleName="r")
        iam.delete_instance_profile(InstanceProfileName="i")
        assert error(iam.get_instance_profile, InstanceProfileName="i")[2] == "Instance Profile i cannot be found."


def test_what_is_left_out_says_so(iam: Any) -> None:
    """Simulation is not implemented, and is refused by name."""
    with pytest.raises(ClientError, match="SimulateCustomPolicy"):
        iam.simulate_custom_policy(PolicyInputList=[json.dumps(ALLOW)], ActionNames=["s3:GetObject"])


class TestAccount:
    """What is told of the whole account."""

    def test_details_page_by_page(self, iam: Any, role: str) -> None:
        """Each user, group, role and policy comes once, whatever the size of the pages."""
        arn = policy(iam)
        for index in range(3):
            iam.create_user(UserName=f"u{index}")
        iam.create_group(GroupName="g")
        iam.add_user_to_group(GroupName="g", UserName="u0")
        iam.attach_role_policy(RoleName=role, PolicyArn=MANAGED)
        paginator = iam.get_paginator("get_account_authorization_details")
        pages = list(paginator.paginate(PaginationConfig={"PageSize": 2}))
        assert [page["IsTruncated"] for page in pages] == [True, True, True, False]
        users = [user for page in pages for user in page["UserDetailList"]]
        assert [(user["UserName"], user["GroupList"]) for user in users] == [("u0", ["g"]), ("u1", []), ("u2", [])]
        policies = [each for page in pages for each in page["Policies"]]
        assert {each["Arn"]: each["AttachmentCount"] for each in policies} == {arn: 0, MANAGED: 1}
        (own,) = [each for each in policies if each["Arn"] == arn]
        assert [version["Document"] for version in own["PolicyVersionList"]] == [ALLOW]

    def test_an_alias_is_one_accounts(self, iam: Any, aws: Callable[..., Any]) -> None:
        """No two accounts have one alias; one that was given up can be taken."""
        other = aws("iam", aws_access_key_id="111111111111")
        iam.create_account_alias(AccountAlias="fog")
        taken = error(other.create_account_alias, AccountAlias="fog")
        assert taken == (409, "EntityAlreadyExists", "The account alias fog already exists.")
        iam.delete_account_alias(AccountAlias="fog")
        other.create_account_alias(AccountAlias="fog")
        assert iam.list_account_aliases()["AccountAliases"] == []
        assert other.list_account_aliases()["AccountAliases"] == ["fog"]
