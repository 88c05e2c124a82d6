"""STS over the wire."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.config import Config as BotoConfig
from botocore.exceptions import ClientError

TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}],
    }
)
ROLE = "arn:aws:iam::000000000000:role/app/r"
LOOSE = BotoConfig(parameter_validation=False, retries={"max_attempts": 0})


@pytest.fixture
def sts(aws: Callable[..., Any]) -> Any:
    """A client that leaves it to the server to refuse bad requests."""
    return aws("sts", config=LOOSE)


@pytest.fixture
def role(aws: Callable[..., Any]) -> Any:
    made = aws("iam").create_role(RoleName="r", Path="/app/", AssumeRolePolicyDocument=TRUST, MaxSessionDuration=7200)
    return made["Role"]


def error(call: Callable[..., Any], **arguments: Any) -> tuple[int, str, str]:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    reply = caught.value.response
    return reply["ResponseMetadata"]["HTTPStatusCode"], reply["Error"]["Code"], reply["Error"]["Message"]


def signed_with(aws: Callable[..., Any], credentials: Any) -> Any:
    """An STS client that uses temporary credentials."""
    return aws(
        "sts",
        aws_access_key_id=credentials["AccessKeyId"],
        aws_secret_access_key=credentials["SecretAccessKey"],
        aws_session_token=credentials["SessionToken"],
    )


def lasts(credentials: Any) -> float:
    left: timedelta = credentials["Expiration"] - datetime.now(UTC)
    return left.total_seconds()


def test_a_key_that_no_user_has_is_the_root(sts: Any, aws: Callable[..., Any]) -> None:
    """Local mode accepts any key; 12 digits are the account."""
    identity = sts.get_caller_identity()
    identity.pop("ResponseMetadata")
    assert identity == {
        "UserId": "000000000000",
        "Account": "000000000000",
        "Arn": "arn:aws:iam::000000000000:root",
    }
    other = aws("sts", aws_access_key_id="123456789012").get_caller_identity()
    assert other["Arn"] == "arn:aws:iam::123456789012:root"


def test_a_users_key_is_the_user(aws: Callable[..., Any]) -> None:
    """STS asks IAM whose the key is."""
    iam = aws("iam")
    user = iam.create_user(UserName="u")["User"]
    key = iam.create_access_key(UserName="u")["AccessKey"]
    sts = aws("sts", aws_access_key_id=key["AccessKeyId"], aws_secret_access_key=key["SecretAccessKey"])
    identity = sts.get_caller_identity()
    assert (identity["Arn"], identity["UserId"]) == (user["Arn"], user["UserId"])
    assert sts.get_access_key_info(AccessKeyId=key["AccessKeyId"])["Account"] == "000000000000"
    own = sts.get_session_token(DurationSeconds=900)["Credentials"]
    assert own["AccessKeyId"].startswith("ASIA")
    assert 880 < lasts(own) <= 900
    session = signed_with(aws, own)
    assert session.get_caller_identity()["Arn"] == user["Arn"]
    assert error(session.get_session_token) == (
        403,
        "AccessDenied",
        "Cannot call GetSessionToken with session credentials",
    )


def test_assume_role(sts: Any, role: Any, aws: Callable[..., Any]) -> None:
    """A role's session has its own identity and lasts an hour."""
    reply = sts.assume_role(RoleArn=ROLE, RoleSessionName="me", SourceIdentity="someone")
    arn = "arn:aws:sts::000000000000:assumed-role/r/me"
    assert reply["AssumedRoleUser"] == {"AssumedRoleId": f"{role['RoleId']}:me", "Arn": arn}
    assert reply["SourceIdentity"] == "someone"
    assert 3580 < lasts(reply["Credentials"]) <= 3600
    session = signed_with(aws, reply["Credentials"])
    assert session.get_caller_identity()["Arn"] == arn
    chained = error(session.assume_role, RoleArn=ROLE, RoleSessionName="two", DurationSeconds=3601)
    assert chained[2] == (
        "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining."
    )


def test_assume_role_of_another_account(sts: Any, aws: Callable[..., Any]) -> None:
    """The session belongs to the role's account."""
    aws("iam", aws_access_key_id="111111111111").create_role(RoleName="r", AssumeRolePolicyDocument=TRUST)
    reply = sts.assume_role(RoleArn="arn:aws:iam::111111111111:role/r", RoleSessionName="me")
    assert signed_with(aws, reply["Credentials"]).get_caller_identity()["Account"] == "111111111111"


def test_assume_role_refusals(sts: Any, role: Any) -> None:
    """A role that is not there is denied; durations and names are checked."""
    missing = "arn:aws:iam::000000000000:role/none"
    assert error(sts.assume_role, RoleArn=missing, RoleSessionName="me") == (
        403,
        "AccessDenied",
        "User: arn:aws:iam::000000000000:root is not authorized to perform: sts:AssumeRole on resource: " + missing,
    )
    wrong_path = error(sts.assume_role, RoleArn=ROLE.replace("/app", ""), RoleSessionName="me")
    assert wrong_path[1] == "AccessDenied"
    assert error(sts.assume_role, RoleArn=ROLE, RoleSessionName="me", DurationSeconds=7201) == (
        400,
        "ValidationError",
        "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
    )
    bad = error(sts.assume_role, RoleArn=ROLE, RoleSessionName="a b")
    assert bad[1] == "ValidationError"
    assert "roleSessionName" in bad[2]
    assert error(sts.assume_role, RoleArn="arn:aws:s3:::bucket-and-more", RoleSessionName="me")[2] == (
        "arn:aws:s3:::bucket-and-more is invalid"
    )
    assert error(sts.assume_role, RoleArn=ROLE, RoleSessionName="me", Policy="{")[1] == "MalformedPolicyDocument"
    assert error(sts.assume_role, RoleArn=ROLE, RoleSessionName="me", SerialNumber="arn:aws:x")[0] == 501


def test_session_policies_have_a_size(sts: Any, role: Any) -> None:
    """What they take of the room for them is told as a percentage."""
    policy = json.dumps({"Version": "2012-10-17", "Statement": []})
    reply = sts.assume_role(RoleArn=ROLE, RoleSessionName="me", Policy=policy)
    assert 1 <= reply["PackedPolicySize"] <= 100
    large = json.dumps({"Version": "2012-10-17", "Statement": [], "Id": "x" * 2100})
    assert error(sts.assume_role, RoleArn=ROLE, RoleSessionName="me", Policy=large)[1] == "PackedPolicyTooLarge"


def test_federation(sts: Any, aws: Callable[..., Any]) -> None:
    """A federated user has a name that the caller vouches for."""
    reply = sts.get_federation_token(Name="Bob", DurationSeconds=900)
    arn = "arn:aws:sts::000000000000:federated-user/Bob"
    assert reply["FederatedUser"] == {"FederatedUserId": "000000000000:Bob", "Arn": arn}
    session = signed_with(aws, reply["Credentials"])
    assert session.get_caller_identity()["Arn"] == arn
    assert error(session.get_federation_token, Name="Eve")[1] == "AccessDenied"


def test_the_roots_sessions_last_an_hour(sts: Any) -> None:
    """Longer ones are cut, as documented."""
    assert 3580 < lasts(sts.get_session_token(DurationSeconds=7200)["Credentials"]) <= 3600
    assert error(sts.get_session_token, DurationSeconds=899)[1] == "ValidationError"


def test_tokens_have_at_least_the_size_that_was_asked(sts: Any) -> None:
    """For who must prepare for larger tokens."""
    token = sts.get_session_token(MinimumSessionTokenSize=3000)["Credentials"]["SessionToken"]
    assert len(token) >= 3000


def test_what_cannot_be_answered_is_refused(sts: Any) -> None:
    """Encoded messages are not ours, web identities cannot be verified."""
    message = error(sts.decode_authorization_message, EncodedMessage="abc")
    assert message[1] == "InvalidAuthorizationMessageException"
    with pytest.raises(ClientError, match="AssumeRoleWithWebIdentity"):
        sts.assume_role_with_web_identity(RoleArn=ROLE, RoleSessionName="me", WebIdentityToken="abcd")
    assert error(sts.get_access_key_info, AccessKeyId="AKIA1111111111111111")[1] == "ValidationError"


@pytest.mark.slow
def test_sessions_survive_a_crash(new_server: Callable[..., Any]) -> None:
    """Temporary credentials are rows: after kill -9 they are known."""
    server = new_server()
    credentials = server.client("sts").get_federation_token(Name="Bob")["Credentials"]
    server.kill()
    server.start()
    session = server.client(
        "sts",
        aws_access_key_id=credentials["AccessKeyId"],
        aws_secret_access_key=credentials["SecretAccessKey"],
        aws_session_token=credentials["SessionToken"],
    )
    assert session.get_caller_identity()["Arn"].endswith("federated-user/Bob")


@pytest.mark.slow
def test_a_verifying_server_knows_users_and_sessions(new_server: Callable[..., Any]) -> None:
    """Keys that were made in local mode are what a server with --auth verify accepts, and nothing else."""
    server = new_server()
    iam = server.client("iam")
    iam.create_user(UserName="u")
    key, spare = (iam.create_access_key(UserName="u")["AccessKey"] for _ in range(2))
    server.stop()
    server = new_server("--auth", "verify", data=server.data)

    def sts(key: Any, **changes: Any) -> Any:
        settings = {
            "aws_access_key_id": key["AccessKeyId"],
            "aws_secret_access_key": key["SecretAccessKey"],
            "aws_session_token": key.get("SessionToken"),
        }
        return server.client("sts", **settings | changes)

    assert sts(key).get_caller_identity()["Arn"] == "arn:aws:iam::000000000000:user/u"
    assert error(sts(key, aws_secret_access_key="wrong").get_caller_identity)[1] == "SignatureDoesNotMatch"
    assert error(server.client("sts").get_caller_identity)[1] == "InvalidClientTokenId"
    session = sts(key).get_session_token()["Credentials"]
    assert sts(session).get_caller_identity()["Arn"] == "arn:aws:iam::000000000000:user/u"
    assert error(sts(session, aws_session_token="other").get_caller_identity)[1] == "InvalidClientTokenId"
    server.client(
        "iam", aws_access_key_id=key["AccessKeyId"], aws_secret_access_key=key["SecretAccessKey"]
    ).update_access_key(UserName="u", AccessKeyId=spare["AccessKeyId"], Status="Inactive")
    assert error(sts(spare).get_caller_identity)[1] == "InvalidClientTokenId"
