"""Who makes a request: boto3 signs, the gateway verifies, in every family of services."""

from __future__ import annotations

import datetime as dt
from typing import Any, Protocol
from urllib.parse import SplitResult, urlsplit

import botocore.auth
import pytest
from botocore.auth import S3SigV4QueryAuth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotoCredentials
from botocore.exceptions import ClientError

from fogbank.core.credentials import Credentials, new_access_key
from fogbank.core.http import HttpRequest
from fogbank.core.ids import Ids

KEY = "AKIAFOGBANKEXAMPLE00"
SECRET = "fog/bank+secret"


class Rig(Protocol):
    cloud: Any
    clock: Any

    def client(self, service: str, **options: Any) -> Any: ...

    def handle(self, request: HttpRequest) -> Any: ...


@pytest.fixture
def signer(strict: Rig, monkeypatch: pytest.MonkeyPatch) -> Rig:
    """The verifying gateway, one key that it knows, and botocore's clock set to the gateway's."""
    strict.cloud.keys[KEY] = Credentials(KEY, SECRET, "222222222222", "arn:aws:iam::222222222222:user/u", "AIDA")

    def now(remove_tzinfo: bool = True) -> dt.datetime:
        moment = dt.datetime.fromtimestamp(strict.clock.time(), dt.UTC)
        return moment.replace(tzinfo=None) if remove_tzinfo else moment

    monkeypatch.setattr(botocore.auth, "get_current_datetime", now)
    return strict


def client(rig: Rig, service: str, **options: Any) -> Any:
    options.setdefault("aws_access_key_id", KEY)
    options.setdefault("aws_secret_access_key", SECRET)
    return rig.client(service, **options)


CALLS = {
    "sqs": ("send_message", {"QueueUrl": "http://q", "MessageBody": "x"}),
    "dynamodb": ("list_tables", {}),
    "lambda": ("get_function", {"FunctionName": "arn:aws:lambda:eu-west-1:222222222222:function:f"}),
    "iam": ("list_roles", {"PathPrefix": "/a(b)/"}),
    "sts": ("get_caller_identity", {}),
    "s3": ("get_object", {"Bucket": "b", "Key": "a/../b c/ü+~"}),
    "cloudwatch": ("list_metrics", {}),
    "scheduler": ("list_schedules", {"NamePrefix": "a.b_c"}),
}


def call(rig: Rig, service: str, **options: Any) -> Any:
    name, params = CALLS[service]
    return getattr(client(rig, service, **options), name)(**params)


def refusal(rig: Rig, service: str, **options: Any) -> tuple[str, int, str]:
    with pytest.raises(ClientError) as caught:
        call(rig, service, **options)
    response: Any = caught.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Message"]


@pytest.mark.parametrize("service", sorted(CALLS))
def test_what_boto3_signs_is_accepted(signer: Rig, service: str) -> None:
    """The account is the key's owner's."""
    call(signer, service)
    scope, called, _, _ = signer.cloud.calls[-1]
    assert (scope.account, called) == ("222222222222", service)
    assert signer.cloud.principal.access_key == KEY


@pytest.mark.parametrize(
    ("service", "code", "status"),
    [
        ("sqs", "InvalidSignatureException", 400),
        ("dynamodb", "InvalidSignatureException", 400),
        ("lambda", "InvalidSignatureException", 403),
        ("iam", "SignatureDoesNotMatch", 403),
        ("s3", "SignatureDoesNotMatch", 403),
    ],
)
def test_a_wrong_secret_is_refused(signer: Rig, service: str, code: str, status: int) -> None:
    found = refusal(signer, service, aws_secret_access_key="wrong")
    assert found[:2] == (code, status)
    assert found[2].startswith("The request signature we calculated does not match")
    assert signer.cloud.calls == []


@pytest.mark.parametrize(
    ("service", "code", "status"),
    [
        ("sqs", "UnrecognizedClientException", 400),
        ("dynamodb", "UnrecognizedClientException", 400),
        ("lambda", "UnrecognizedClientException", 403),
        ("iam", "InvalidClientTokenId", 403),
        ("s3", "InvalidAccessKeyId", 403),
    ],
)
def test_an_unknown_key_is_refused(signer: Rig, service: str, code: str, status: int) -> None:
    assert refusal(signer, service, aws_access_key_id="AKIAUNKNOWN")[:2] == (code, status)


@pytest.mark.parametrize(
    ("service", "code"),
    [
        ("dynamodb", "InvalidSignatureException"),
        ("iam", "SignatureDoesNotMatch"),
        ("s3", "RequestTimeTooSkewed"),
    ],
)
@pytest.mark.parametrize("skew", [-16 * 60, 16 * 60])
def test_a_clock_that_is_off_is_refused(
    signer: Rig, monkeypatch: pytest.MonkeyPatch, service: str, code: str, skew: int
) -> None:
    """More than 15 minutes, either way; less is fine."""
    real = botocore.auth.get_current_datetime  # type: ignore[attr-defined]

    def off(seconds: float) -> Any:
        return lambda remove_tzinfo=True: real(remove_tzinfo) + dt.timedelta(seconds=seconds)

    monkeypatch.setattr(botocore.auth, "get_current_datetime", off(skew))
    assert refusal(signer, service)[0] == code
    monkeypatch.setattr(botocore.auth, "get_current_datetime", off(skew * 14 / 16))
    call(signer, service)


def test_an_unsigned_request_is_refused(signer: Rig) -> None:
    headers = {"x-amz-target": "DynamoDB_20120810.ListTables", "content-type": "application/x-amz-json-1.0"}
    answer = signer.handle(HttpRequest("POST", "/", headers=headers, body=b"{}"))
    assert (answer.status, b"MissingAuthenticationToken" in answer.body) == (400, True)


def test_an_operation_that_needs_no_signature_is_let_through(signer: Rig) -> None:
    headers = {"content-type": "application/x-www-form-urlencoded", "host": "sts.amazonaws.com"}
    body = b"Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=arn:aws:iam::1:role/role-name"
    body += b"&RoleSessionName=me&WebIdentityToken=token"
    assert signer.handle(HttpRequest("POST", "/", headers=headers, body=body)).status == 200


def test_another_service_s_signature_is_refused(signer: Rig) -> None:
    """A request signed for one service cannot be sent to another."""
    headers = {
        "authorization": f"AWS4-HMAC-SHA256 Credential={KEY}/20231114/eu-west-1/sqs/aws4_request, "
        "SignedHeaders=host, Signature=00",
        "x-amz-date": "20231114T221320Z",
        "x-amz-target": "DynamoDB_20120810.ListTables",
    }
    answer = signer.handle(HttpRequest("POST", "/", headers=headers, body=b"{}"))
    assert (answer.status, b"correct service: 'dynamodb'" in answer.body) == (400, True)


def temporary(rig: Rig, expires: float) -> dict[str, str]:
    """The options of a client with temporary credentials."""
    key = new_access_key("ASIA", "333333333333", Ids(1))
    rig.cloud.keys[key] = Credentials(key, SECRET, "333333333333", "arn", "id", "the-token", expires)
    return {"aws_access_key_id": key, "aws_session_token": "the-token"}


@pytest.mark.parametrize("service", ["dynamodb", "iam", "s3"])
def test_temporary_credentials_need_their_token(signer: Rig, service: str) -> None:
    options = temporary(signer, signer.clock.time() + 60)
    call(signer, service, **options)
    wrong = {"dynamodb": "UnrecognizedClientException", "iam": "InvalidClientTokenId", "s3": "InvalidToken"}
    assert refusal(signer, service, **options | {"aws_session_token": "other"})[0] == wrong[service]
    assert refusal(signer, service, aws_access_key_id=options["aws_access_key_id"])[0] == wrong[service]
    assert refusal(signer, service, aws_session_token="not-mine")[0] == wrong[service]


@pytest.mark.parametrize(
    ("service", "code"), [("dynamodb", "ExpiredTokenException"), ("iam", "ExpiredToken"), ("s3", "ExpiredToken")]
)
def test_expired_credentials_are_refused(signer: Rig, service: str, code: str) -> None:
    assert refusal(signer, service, **temporary(signer, signer.clock.time()))[0] == code


async def test_a_presigned_url_works_until_it_expires(signer: Rig) -> None:
    """S3 leaves the body out of the signature; STS does not. Both say in their own way that it is too late."""
    for auth, service, host, query, late in (
        (S3SigV4QueryAuth, "s3", "b.s3.localhost", "", b"<Code>AccessDenied</Code><Message>Request has expired"),
        (
            SigV4QueryAuth,
            "sts",
            "sts.localhost",
            "Action=GetCallerIdentity&Version=2011-06-15",
            b"SignatureDoesNotMatch",
        ),
    ):
        request = AWSRequest("GET", f"http://{host}/key%20a?{query}" if service == "s3" else f"http://{host}/?{query}")
        auth(BotoCredentials(KEY, SECRET), service, "eu-west-1", expires=60).add_auth(request)
        url: SplitResult = urlsplit(str(request.url))

        def get(url: SplitResult = url) -> Any:
            return signer.handle(HttpRequest("GET", url.path, url.query, {"host": url.netloc}))

        assert get().status == 200
        assert get(url._replace(query=url.query.replace("eu-west-1", "eu-west-2"))).status == 403
        await signer.clock.advance(59)
        assert get().status == 200
        await signer.clock.advance(2)
        answer = get()
        assert (answer.status, late in answer.body) == (403, True)


# With --auth local


def test_a_key_of_twelve_digits_is_the_account(rig: Rig) -> None:
    call(rig, "sqs", aws_access_key_id="123456789012")
    scope = rig.cloud.calls[-1][0]
    assert (scope.account, scope.region) == ("123456789012", "eu-west-1")


def test_a_key_that_carries_an_account_is_of_that_account(rig: Rig) -> None:
    call(rig, "sqs", aws_access_key_id=new_access_key("AKIA", "444455556666", Ids(7)))
    assert rig.cloud.calls[-1][0].account == "444455556666"


@pytest.mark.parametrize("key", ["test", "AKIAIOSFODNN7EXAMPLE", "12345678901", "１２３４５６７８９０１２"])
def test_any_other_key_is_of_the_default_account(rig: Rig, key: str) -> None:
    headers = {
        "authorization": f"AWS4-HMAC-SHA256 Credential={key}/20231114/eu-west-1/sqs/aws4_request, "
        "SignedHeaders=host, Signature=00",
        "x-amz-target": "AmazonSQS.ListQueues",
    }
    rig.handle(HttpRequest("POST", "/", headers=headers, body=b"{}"))
    account = rig.cloud.calls[-1][0].account
    assert len(account) == 12
    assert account.isascii()
    if not key.startswith("AKIA"):
        assert account == "000000000000"


def test_a_region_that_can_be_none_is_not_believed(rig: Rig) -> None:
    headers = {
        "authorization": "AWS4-HMAC-SHA256 Credential=test/20231114/../sqs/aws4_request, "
        "SignedHeaders=host, Signature=00",
        "x-amz-target": "AmazonSQS.ListQueues",
    }
    rig.handle(HttpRequest("POST", "/", headers=headers, body=b"{}"))
    assert rig.cloud.calls[-1][0].region == "us-east-1"
