"""Secrets Manager over the wire: secrets, values, versions and their labels, listings, policies, deletion."""

from __future__ import annotations

import json
import string
from collections.abc import Callable
from typing import Any

import pytest
from tests.conftest import ServerProcess
from tests.services.topics import refused

Aws = Callable[..., Any]
ONE, TWO, THREE = ("1" * 32, "2" * 32, "3" * 32)
MARKED = "You can't perform this operation on the secret because it was marked for deletion."


@pytest.fixture
def secrets(aws: Aws) -> Any:
    return aws("secretsmanager")


def test_the_life_of_a_secret(secrets: Any) -> None:
    """Made, read by name, ARN and partial ARN, changed, described, deleted for good."""
    made = secrets.create_secret(
        Name="app/db", SecretString="one", Description="d", ClientRequestToken=ONE, Tags=[{"Key": "a", "Value": "b"}]
    )
    assert made["VersionId"] == ONE
    head, suffix = made["ARN"][:-7], made["ARN"][-7:]
    assert head == "arn:aws:secretsmanager:us-east-1:000000000000:secret:app/db"
    assert suffix[0] == "-"
    assert set(suffix[1:]) <= set(string.ascii_letters + string.digits)
    for name in ("app/db", made["ARN"], head):
        found = secrets.get_secret_value(SecretId=name)
        assert (found["ARN"], found["Name"], found["SecretString"]) == (made["ARN"], "app/db", "one")
        assert (found["VersionId"], found["VersionStages"]) == (ONE, ["AWSCURRENT"])
    assert (
        secrets.update_secret(SecretId="app/db", SecretBinary=b"\x00\xff", ClientRequestToken=TWO)["VersionId"] == TWO
    )
    assert secrets.get_secret_value(SecretId="app/db")["SecretBinary"] == b"\x00\xff"
    assert secrets.get_secret_value(SecretId="app/db", VersionStage="AWSPREVIOUS")["SecretString"] == "one"
    assert secrets.get_secret_value(SecretId="app/db", VersionId=ONE)["SecretString"] == "one"
    assert "VersionId" not in secrets.update_secret(SecretId="app/db", Description="e")
    found = secrets.describe_secret(SecretId="app/db")
    assert found["VersionIdsToStages"] == {ONE: ["AWSPREVIOUS"], TWO: ["AWSCURRENT"]}
    assert (found["Description"], found["Tags"]) == ("e", [{"Key": "a", "Value": "b"}])
    assert found["LastAccessedDate"].hour == found["LastAccessedDate"].minute == 0
    assert "RotationEnabled" not in found
    deleted = secrets.delete_secret(SecretId="app/db", ForceDeleteWithoutRecovery=True)
    assert deleted["ARN"] == made["ARN"]
    with refused("ResourceNotFoundException", "Secrets Manager can't find the specified secret."):
        secrets.describe_secret(SecretId="app/db")
    assert secrets.delete_secret(SecretId="app/db", ForceDeleteWithoutRecovery=True)["Name"] == "app/db"
    assert secrets.create_secret(Name="app/db")["ARN"] != made["ARN"]


def test_a_name_that_ends_like_an_arn_is_found_all_the_same(secrets: Any) -> None:
    """Both by its partial ARN, and beside a secret whose ARN would look the same."""
    long = secrets.create_secret(Name="a-abcdef", SecretString="long")["ARN"]
    short = secrets.create_secret(Name="a", SecretString="short")["ARN"]
    assert secrets.get_secret_value(SecretId=long[:-7])["SecretString"] == "long"
    assert secrets.get_secret_value(SecretId=long)["SecretString"] == "long"
    assert secrets.get_secret_value(SecretId=short)["SecretString"] == "short"
    with refused("ResourceNotFoundException"):
        secrets.get_secret_value(SecretId=f"{short[:-6]}zzzzzz")


@pytest.mark.parametrize(
    ("request_", "code", "message"),
    [
        (
            {"Name": "a b"},
            "ValidationException",
            "Invalid name. Must be a valid name containing alphanumeric characters, or any of the following: -/_+=.@!",
        ),
        (
            {"Name": "a", "SecretString": "x", "SecretBinary": b"x"},
            "InvalidParameterException",
            "You can't specify both a binary secret value and a string secret value in the same secret.",
        ),
        (
            {"Name": "a", "ClientRequestToken": "x" * 65},
            "InvalidParameterException",
            "ClientRequestToken must be 32-64 characters long.",
        ),
        ({"Name": "a", "SecretString": "x" * 65_537}, "ValidationException", ""),
        ({"Name": "a", "SecretString": "é" * 40_000}, "ValidationException", ""),
        ({"Name": "a", "KmsKeyId": "alias/mine"}, "NotImplemented", ""),
        ({"Name": "a", "AddReplicaRegions": [{"Region": "eu-west-1"}]}, "NotImplemented", ""),
        (
            {"Name": "a", "Tags": [{"Key": "aws:x", "Value": ""}]},
            "InvalidParameterException",
            "Tag keys must not begin with the reserved prefix aws:.",
        ),
    ],
)
def test_secrets_that_are_refused(secrets: Any, request_: dict[str, Any], code: str, message: str) -> None:
    """With AWS's code, and its words where they are known."""
    with refused(code, message):
        secrets.create_secret(**request_)


def test_a_request_is_repeated_safely(secrets: Any) -> None:
    """The same token and value find what was made; another value is refused."""
    made = secrets.create_secret(Name="a", SecretString="x", ClientRequestToken=ONE)
    assert secrets.create_secret(Name="a", SecretString="x", ClientRequestToken=ONE)["ARN"] == made["ARN"]
    with refused("ResourceExistsException", "The operation failed because the secret a already exists."):
        secrets.create_secret(Name="a", SecretString="x", ClientRequestToken=TWO)
    put = {"SecretId": "a", "SecretString": "y", "ClientRequestToken": TWO}
    assert secrets.put_secret_value(**put)["VersionStages"] == ["AWSCURRENT"]
    assert secrets.put_secret_value(**put)["VersionId"] == TWO
    taken = f"You can't use ClientRequestToken {TWO} because that value is already in use for a version of secret "
    with refused("ResourceExistsException", f"{taken}{made['ARN']}."):
        secrets.put_secret_value(**put | {"SecretString": "z"})
    with refused("ResourceExistsException", f"{taken}{made['ARN']}."):
        secrets.update_secret(**put)


def test_values_that_are_not_there(secrets: Any) -> None:
    """AWS's words for each."""
    secrets.create_secret(Name="empty")
    with refused(
        "ResourceNotFoundException",
        "Secrets Manager can't find the specified secret value for staging label: AWSCURRENT",
    ):
        secrets.get_secret_value(SecretId="empty")
    secrets.put_secret_value(SecretId="empty", SecretString="x", ClientRequestToken=ONE, VersionStages=["own"])
    assert sorted(secrets.describe_secret(SecretId="empty")["VersionIdsToStages"][ONE]) == ["AWSCURRENT", "own"]
    with refused(
        "ResourceNotFoundException", f"Secrets Manager can't find the specified secret value for VersionId: {TWO}"
    ):
        secrets.get_secret_value(SecretId="empty", VersionId=TWO)
    with refused(
        "InvalidRequestException", "You provided a VersionStage that is not associated to the provided VersionId."
    ):
        secrets.get_secret_value(SecretId="empty", VersionId=ONE, VersionStage="AWSPENDING")
    with refused("InvalidRequestException", "You must provide either SecretString or SecretBinary."):
        secrets.put_secret_value(SecretId="empty")


def test_labels_move(secrets: Any) -> None:
    """As UpdateSecretVersionStage documents, with its refusals."""
    secrets.create_secret(Name="a", SecretString="1", ClientRequestToken=ONE)
    secrets.put_secret_value(SecretId="a", SecretString="2", ClientRequestToken=TWO, VersionStages=["AWSPENDING"])
    with refused(
        "InvalidParameterException",
        "The parameter RemoveFromVersionId can't be empty. Staging label AWSCURRENT is currently attached to version "
        f"{ONE}, so you must explicitly reference that version in RemoveFromVersionId.",
    ):
        secrets.update_secret_version_stage(SecretId="a", VersionStage="AWSCURRENT", MoveToVersionId=TWO)
    secrets.update_secret_version_stage(
        SecretId="a", VersionStage="AWSCURRENT", MoveToVersionId=TWO, RemoveFromVersionId=ONE
    )
    stages = secrets.describe_secret(SecretId="a")["VersionIdsToStages"]
    assert {name: sorted(labels) for name, labels in stages.items()} == {
        ONE: ["AWSPREVIOUS"],
        TWO: ["AWSCURRENT", "AWSPENDING"],
    }
    secrets.update_secret_version_stage(SecretId="a", VersionStage="AWSPENDING", RemoveFromVersionId=TWO)
    secrets.update_secret_version_stage(SecretId="a", VersionStage="AWSPREVIOUS", RemoveFromVersionId=ONE)
    with refused(
        "InvalidParameterException",
        "You can only move staging label AWSCURRENT to a different secret version. It can't be completely removed.",
    ):
        secrets.update_secret_version_stage(SecretId="a", VersionStage="AWSCURRENT", RemoveFromVersionId=TWO)
    assert [each["VersionId"] for each in secrets.list_secret_version_ids(SecretId="a")["Versions"]] == [TWO]
    first = secrets.list_secret_version_ids(SecretId="a", IncludeDeprecated=True, MaxResults=1)
    rest = secrets.list_secret_version_ids(SecretId="a", IncludeDeprecated=True, NextToken=first["NextToken"])
    assert [first["Versions"][0]["VersionId"], rest["Versions"][0]["VersionId"]] == [TWO, ONE]
    assert "VersionStages" not in rest["Versions"][0]


def test_deletion_can_be_taken_back(secrets: Any, server: ServerProcess) -> None:
    """Within its window, which the clock ends."""
    secrets.create_secret(Name="a", SecretString="x")
    when = secrets.delete_secret(SecretId="a", RecoveryWindowInDays=7)["DeletionDate"]
    for call in (secrets.get_secret_value, secrets.delete_secret, secrets.get_resource_policy):
        with refused("InvalidRequestException", MARKED):
            call(SecretId="a")
    assert secrets.describe_secret(SecretId="a")["DeletedDate"] < when
    with refused(
        "InvalidRequestException",
        "You can't create this secret because a secret with this name is already scheduled for deletion.",
    ):
        secrets.create_secret(Name="a")
    assert secrets.list_secrets()["SecretList"] == []
    assert len(secrets.list_secrets(IncludePlannedDeletion=True)["SecretList"]) == 1
    secrets.restore_secret(SecretId="a")
    assert secrets.get_secret_value(SecretId="a")["SecretString"] == "x"
    secrets.delete_secret(SecretId="a", RecoveryWindowInDays=7)
    server.post("/_fogbank/clock", {"seconds": 7 * 86_400 + 1})
    secrets.create_secret(Name="a", SecretString="y")


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (
            {"RecoveryWindowInDays": 7, "ForceDeleteWithoutRecovery": True},
            "You can't use ForceDeleteWithoutRecovery in conjunction with RecoveryWindowInDays.",
        ),
        ({"RecoveryWindowInDays": 6}, "The RecoveryWindowInDays value must be between 7 and 30 days (inclusive)."),
    ],
)
def test_deletions_that_are_refused(secrets: Any, request_: dict[str, Any], message: str) -> None:
    """InvalidParameterException."""
    with refused("InvalidParameterException", message):
        secrets.delete_secret(SecretId="a", **request_)


def names(reply: dict[str, Any]) -> list[str]:
    return [each["Name"] for each in reply["SecretList"]]


def test_secrets_are_listed_by_filters(secrets: Any) -> None:
    """Prefixes, negations, words; sorted, in pages."""
    for name, description, tag in (("app/one", "First of all", "x"), ("app/two", "second", "y"), ("Other", "", "x")):
        secrets.create_secret(Name=name, Description=description, Tags=[{"Key": tag, "Value": f"v{tag}"}])

    def found(key: str, *values: str) -> list[str]:
        return sorted(names(secrets.list_secrets(Filters=[{"Key": key, "Values": list(values)}])))

    assert found("name", "app/") == ["app/one", "app/two"]
    assert found("name", "!app/one") == ["Other", "app/two"]
    assert found("name", "other") == []
    assert found("description", "first") == ["app/one"]
    assert found("tag-key", "y") == ["app/two"]
    assert found("tag-value", "vx", "vy") == ["Other", "app/one", "app/two"]
    assert found("all", "ONE first") == ["app/one"]
    assert found("owning-service", "rds") == []
    both = [{"Key": "name", "Values": ["app"]}, {"Key": "tag-key", "Values": ["x"]}]
    assert names(secrets.list_secrets(Filters=both)) == ["app/one"]
    first = secrets.list_secrets(MaxResults=2, SortBy="name")
    assert names(first) == ["Other", "app/one"]
    assert names(secrets.list_secrets(MaxResults=2, SortBy="name", NextToken=first["NextToken"])) == ["app/two"]
    first = secrets.list_secrets(MaxResults=1)
    assert names(first) == ["Other"]
    assert names(secrets.list_secrets(NextToken=first["NextToken"])) == ["app/two", "app/one"]
    with refused("InvalidNextTokenException"):
        secrets.list_secrets(NextToken="nonsense!")


def test_values_are_read_in_batches(secrets: Any) -> None:
    """By names, with what is missing beside them, or by filters."""
    for name in ("a1", "a2", "b"):
        secrets.create_secret(Name=name, SecretString=name)
    reply = secrets.batch_get_secret_value(SecretIdList=["a1", "b", "none"])
    assert [each["SecretString"] for each in reply["SecretValues"]] == ["a1", "b"]
    assert reply["Errors"] == [
        {
            "SecretId": "none",
            "ErrorCode": "ResourceNotFoundException",
            "Message": "Secrets Manager can't find the specified secret.",
        }
    ]
    reply = secrets.batch_get_secret_value(Filters=[{"Key": "name", "Values": ["a"]}])
    assert sorted(each["Name"] for each in reply["SecretValues"]) == ["a1", "a2"]
    with refused("InvalidParameterException"):
        secrets.batch_get_secret_value(SecretIdList=["a1"], Filters=[{"Key": "name", "Values": ["a"]}])


def test_random_passwords(secrets: Any) -> None:
    """Lengths, kinds, exclusions."""
    assert len(secrets.get_random_password()["RandomPassword"]) == 32
    four = secrets.get_random_password(PasswordLength=4)["RandomPassword"]
    assert [sum(test(c) for c in four) for test in (str.isupper, str.islower, str.isdigit)] == [1, 1, 1]
    digits = secrets.get_random_password(
        PasswordLength=50, ExcludeUppercase=True, ExcludeLowercase=True, ExcludePunctuation=True, ExcludeCharacters="01"
    )["RandomPassword"]
    assert set(digits) <= set("23456789")
    with refused("InvalidParameterException", "Password length 3 is too short based on the required types."):
        secrets.get_random_password(PasswordLength=3)
    with refused("InvalidParameterException"):
        secrets.get_random_password(ExcludeCharacters=string.printable)


POLICY = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "secretsmanager:GetSecretValue", "Resource": "*"}
    ],
}


def test_resource_policies(secrets: Any) -> None:
    """Kept, answered, judged."""
    secrets.create_secret(Name="a")
    assert "ResourcePolicy" not in secrets.get_resource_policy(SecretId="a")
    text = json.dumps(POLICY)
    secrets.put_resource_policy(SecretId="a", ResourcePolicy=text)
    assert secrets.get_resource_policy(SecretId="a")["ResourcePolicy"] == text
    with refused("PublicPolicyException"):
        secrets.put_resource_policy(SecretId="a", ResourcePolicy=text, BlockPublicPolicy=True)
    with refused("MalformedPolicyDocumentException", "This resource policy contains a syntax error."):
        secrets.put_resource_policy(SecretId="a", ResourcePolicy="{}")
    found = secrets.validate_resource_policy(ResourcePolicy=text)
    assert (found["PolicyValidationPassed"], found["ValidationErrors"][0]["CheckName"]) == (False, "PUBLIC_POLICY")
    secrets.delete_resource_policy(SecretId="a")
    assert "ResourcePolicy" not in secrets.get_resource_policy(SecretId="a")


def test_tags(secrets: Any) -> None:
    """Set, replaced, removed; at most 50."""
    secrets.create_secret(Name="a")
    secrets.tag_resource(SecretId="a", Tags=[{"Key": "k", "Value": "1"}, {"Key": "l", "Value": "2"}])
    secrets.tag_resource(SecretId="a", Tags=[{"Key": "k", "Value": "3"}])
    secrets.untag_resource(SecretId="a", TagKeys=["l"])
    assert secrets.describe_secret(SecretId="a")["Tags"] == [{"Key": "k", "Value": "3"}]
    with refused("InvalidParameterException"):
        secrets.tag_resource(SecretId="a", Tags=[{"Key": str(n), "Value": ""} for n in range(50)])


def test_parameters_refer_to_secrets(aws: Aws, secrets: Any) -> None:
    """Parameter Store reads them where decryption is asked for."""
    arn = secrets.create_secret(Name="a/b", SecretString="x", ClientRequestToken=ONE)["ARN"]
    ssm, name = aws("ssm"), "/aws/reference/secretsmanager/a/b"
    found = ssm.get_parameter(Name=name, WithDecryption=True)["Parameter"]
    assert (found["Name"], found["Type"], found["Value"], found["ARN"]) == (name, "SecureString", "x", arn)
    assert json.loads(found["SourceResult"])["VersionId"] == ONE
    assert ssm.get_parameter(Name=f"{name}:{ONE}", WithDecryption=True)["Parameter"]["Value"] == "x"
    with refused("ValidationException"):
        ssm.get_parameter(Name=name)
    with refused("ParameterNotFound"):
        ssm.get_parameter(Name=f"{name}c", WithDecryption=True)


@pytest.mark.slow
def test_values_are_encrypted_on_disk_and_survive_a_kill(new_server: Callable[..., ServerProcess]) -> None:
    """What was acknowledged is there; the tables hold no word of it; without the key nothing is told."""
    server = new_server()
    secrets = server.client("secretsmanager")
    secrets.create_secret(Name="a", SecretString="a-very-telling-text")
    server.kill()
    files = [path.read_bytes() for path in server.data.glob("fogbank.db*")]
    assert files
    assert not any(b"a-very-telling-text" in data for data in files)
    key = server.data / "secrets.key"
    assert key.stat().st_mode & 0o777 == 0o600
    server.start()
    assert server.client("secretsmanager").get_secret_value(SecretId="a")["SecretString"] == "a-very-telling-text"
    assert server.stop() == 0
    key.write_bytes(bytes(32))
    server.start()
    with refused("DecryptionFailure"):
        server.client("secretsmanager").get_secret_value(SecretId="a")
