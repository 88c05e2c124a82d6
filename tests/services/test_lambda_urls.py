"""Function URLs: their configuration, the event, the response, origins, permissions and signatures."""

from __future__ import annotations

import http.client
import json
import os
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from tests.conftest import ServerProcess
from tests.services import stacks
from tests.services.environments import needs_node
from tests.services.lambda_code import ROLE, bundle, create

Aws = Callable[..., Any]
ARN = "arn:aws:lambda:us-east-1:000000000000:function:f"
EVENT = "def handler(event, context):\n    return event\n"


@pytest.fixture
def lam(aws: Aws) -> Any:
    return aws("lambda")


def visit(
    url: str, method: str = "GET", path: str = "/", body: bytes | None = None, headers: dict[str, str] | None = None
) -> tuple[http.client.HTTPResponse, bytes]:
    """A request to a function URL: to this machine, with the URL's host in the Host header."""
    where = urlsplit(url)
    with closing(http.client.HTTPConnection("127.0.0.1", where.port, timeout=30)) as connection:
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        for name, value in {"Host": where.netloc, **(headers or {})}.items():
            connection.putheader(name, value)
        if body is not None:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        with connection.getresponse() as reply:
            found = reply.read()
    return reply, found


def public(lam: Any, source: str = EVENT, *, permit: bool = True, **more: Any) -> str:
    """A function that everybody may call; its URL."""
    create(lam, source, Timeout=20)
    return share(lam, permit=permit, **more)


def share(lam: Any, *, permit: bool = True, **more: Any) -> str:
    """A URL without authentication for a function."""
    if permit:
        lam.add_permission(
            FunctionName="f",
            StatementId="url",
            Action="lambda:InvokeFunctionUrl",
            Principal="*",
            FunctionUrlAuthType="NONE",
        )
    found: str = lam.create_function_url_config(FunctionName="f", **{"AuthType": "NONE", **more})["FunctionUrl"]
    return found


# -- configuration ------------------------------------------------------------------------------------------------


def test_a_url_is_made_changed_listed_and_removed(lam: Any, server: ServerProcess) -> None:
    create(lam)
    cors = {"AllowOrigins": ["https://a.example"], "AllowMethods": ["GET"], "MaxAge": 60}
    made = lam.create_function_url_config(FunctionName="f", AuthType="AWS_IAM", Cors=cors)
    assert made["FunctionUrl"].startswith("http://")
    assert made["FunctionUrl"].endswith(f".lambda-url.us-east-1.localhost:{server.port}/")
    assert len(urlsplit(made["FunctionUrl"]).netloc.split(".")[0]) == 32
    assert (made["FunctionArn"], made["AuthType"], made["InvokeMode"]) == (ARN, "AWS_IAM", "BUFFERED")
    assert made["Cors"] == cors
    found = lam.get_function_url_config(FunctionName="f")
    assert found["FunctionUrl"] == made["FunctionUrl"]
    assert found["LastModifiedTime"] == found["CreationTime"] == made["CreationTime"]
    changed = lam.update_function_url_config(FunctionName="f", AuthType="NONE", InvokeMode="RESPONSE_STREAM")
    assert (changed["AuthType"], changed["InvokeMode"], changed["Cors"]) == ("NONE", "RESPONSE_STREAM", cors)
    assert changed["FunctionUrl"] == made["FunctionUrl"]
    assert "Cors" not in lam.update_function_url_config(FunctionName="f", Cors={})
    listed = lam.list_function_url_configs(FunctionName="f")["FunctionUrlConfigs"]
    assert [url["FunctionUrl"] for url in listed] == [made["FunctionUrl"]]
    lam.delete_function_url_config(FunctionName="f")
    assert lam.list_function_url_configs(FunctionName="f")["FunctionUrlConfigs"] == []
    assert visit(made["FunctionUrl"])[0].status == 404


def test_urls_of_aliases_are_listed_page_by_page(lam: Any) -> None:
    url = public(lam, "def handler(event, context):\n    return context.invoked_function_arn\n")
    lam.publish_version(FunctionName="f")
    for name in ("one", "two"):
        lam.create_alias(FunctionName="f", Name=name, FunctionVersion="1")
        lam.create_function_url_config(FunctionName="f", Qualifier=name, AuthType="NONE")
    pages = lam.get_paginator("list_function_url_configs").paginate(FunctionName="f", PaginationConfig={"PageSize": 1})
    found = [url["FunctionArn"] for page in pages for url in page["FunctionUrlConfigs"]]
    assert found == [ARN, f"{ARN}:one", f"{ARN}:two"]
    one = lam.get_function_url_config(FunctionName="f", Qualifier="one")["FunctionUrl"]
    assert visit(one)[0].status == 403  # the permission is of the function, not of the alias
    lam.add_permission(
        FunctionName="f",
        Qualifier="one",
        StatementId="url",
        Action="lambda:InvokeFunctionUrl",
        Principal="*",
        FunctionUrlAuthType="NONE",
    )
    assert json.loads(visit(one)[1]) == f"{ARN}:one"
    assert json.loads(visit(url)[1]) == ARN
    lam.delete_alias(FunctionName="f", Name="one")
    assert visit(one)[0].status == 404
    lam.delete_function(FunctionName="f")
    assert visit(url)[0].status == 404


def test_urls_that_cannot_be(lam: Any) -> None:
    known = lam.exceptions
    with pytest.raises(known.ResourceNotFoundException, match="Function does not exist"):
        lam.create_function_url_config(FunctionName="f", AuthType="NONE")
    create(lam)
    with pytest.raises(known.ResourceNotFoundException, match="Function does not exist"):
        lam.create_function_url_config(FunctionName="f", Qualifier="nope", AuthType="NONE")
    for call in (lam.get_function_url_config, lam.delete_function_url_config, lam.update_function_url_config):
        with pytest.raises(known.ResourceNotFoundException, match="The resource you requested does not exist"):
            call(FunctionName="f")
    with pytest.raises(known.InvalidParameterValueException, match=r"cors\.allowMethods"):
        lam.create_function_url_config(FunctionName="f", AuthType="NONE", Cors={"AllowMethods": ["FETCH"[:6]]})
    with pytest.raises(known.InvalidParameterValueException, match=r"cors\.allowOrigins"):
        lam.create_function_url_config(FunctionName="f", AuthType="NONE", Cors={"AllowOrigins": ["a.example"]})
    lam.create_function_url_config(FunctionName="f", AuthType="NONE")
    with pytest.raises(known.ResourceConflictException, match="FunctionUrlConfig exists for this Lambda function"):
        lam.create_function_url_config(FunctionName="f", AuthType="NONE")


# -- the event ----------------------------------------------------------------------------------------------------


def test_the_event_is_in_payload_format_2(lam: Any) -> None:
    url = public(lam)
    host = urlsplit(url).hostname
    assert host is not None
    reply, body = visit(
        url,
        "POST",
        "/a%20b/c?x=1&x=2&y=a%26b&z",
        b'{"k": 1}',
        {"Content-Type": "application/json", "Cookie": "one=1; two=2", "User-Agent": "tester", "X-Upper": "V"},
    )
    event = json.loads(body)
    assert reply.headers["content-type"] == "application/json"
    assert (event["version"], event["routeKey"]) == ("2.0", "$default")
    assert event["rawPath"] == "/a%20b/c"
    assert event["rawQueryString"] == "x=1&x=2&y=a%26b&z"
    assert event["queryStringParameters"] == {"x": "1,2", "y": "a&b", "z": ""}
    assert event["cookies"] == ["one=1", "two=2"]
    assert "cookie" not in event["headers"]
    assert event["headers"]["x-upper"] == "V"
    assert event["headers"]["x-forwarded-for"] == "127.0.0.1"
    assert event["headers"]["x-amzn-trace-id"].startswith("Root=1-")
    assert (event["body"], event["isBase64Encoded"]) == ('{"k": 1}', False)
    context = event["requestContext"]
    assert context["requestId"] == reply.headers["x-amzn-requestid"]
    assert context["time"].endswith(" +0000")
    assert isinstance(context["timeEpoch"], int)
    assert context["http"] == {
        "method": "POST",
        "path": "/a%20b/c",
        "protocol": "HTTP/1.1",
        "sourceIp": "127.0.0.1",
        "userAgent": "tester",
    }
    assert {name: context[name] for name in ("accountId", "apiId", "domainName", "domainPrefix", "stage")} == {
        "accountId": "anonymous",
        "apiId": host.partition(".")[0],
        "domainName": host,
        "domainPrefix": host.partition(".")[0],
        "stage": "$default",
    }
    assert "authorizer" not in context


def test_bodies_that_are_no_text_travel_in_base64(lam: Any) -> None:
    url = public(lam)
    for kind, encoded in (("application/x-www-form-urlencoded", True), ("text/plain; charset=utf-8", False)):
        event = json.loads(visit(url, "POST", "/", b"a=b", {"Content-Type": kind})[1])
        assert (event["body"], event["isBase64Encoded"]) == (("YT1i", True) if encoded else ("a=b", False))
    event = json.loads(visit(url)[1])
    assert "body" not in event
    assert "queryStringParameters" not in event
    assert "cookies" not in event
    assert event["isBase64Encoded"] is False


# -- the response -------------------------------------------------------------------------------------------------


def test_what_a_function_returns_is_the_response(lam: Any) -> None:
    source = """
RETURNS = {
    "/full": {"statusCode": 201, "headers": {"X-My": "v", "X-Number": 7}, "cookies": ["a=1", "b=2"], "body": "made"},
    "/base64": {"statusCode": 200, "body": "/wA=", "isBase64Encoded": True, "headers": {"Content-Type": "image/x"}},
    "/text": "Hello",
    "/object": {"message": "hi"},
    "/empty": {"statusCode": 204},
    "/status": {"statusCode": "none"},
    "/body": {"statusCode": 200, "body": {"a": 1}},
}
def handler(event, context):
    if event["rawPath"] == "/fail":
        raise KeyError("x")
    return RETURNS[event["rawPath"]]
"""
    url = public(lam, source)
    reply, body = visit(url, path="/full")
    assert (reply.status, body) == (201, b"made")
    assert (reply.headers["x-my"], reply.headers["x-number"]) == ("v", "7")
    assert reply.headers["content-type"] == "application/json"
    assert reply.headers.get_all("set-cookie") == ["a=1", "b=2"]
    reply, body = visit(url, path="/base64")
    assert (reply.headers["content-type"], body) == ("image/x", b"\xff\x00")
    assert visit(url, path="/text")[1] == b'"Hello"'
    reply, body = visit(url, path="/object")
    assert (reply.status, json.loads(body)) == (200, {"message": "hi"})
    assert visit(url, path="/empty")[0].status == 204
    for path in ("/fail", "/status", "/body"):
        reply, body = visit(url, path=path)
        assert (reply.status, body) == (502, b"Internal Server Error")


def test_a_throttled_function_answers_429(lam: Any) -> None:
    url = public(lam)
    lam.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=0)
    reply, body = visit(url)
    assert (reply.status, json.loads(body)["Message"]) == (429, "Rate Exceeded.")


def test_a_request_past_the_quota_is_refused(lam: Any) -> None:
    reply, _ = visit(public(lam), "POST", "/", b"x" * 6291456, {"Content-Type": "text/plain"})
    assert reply.status == 413


# -- origins --------------------------------------------------------------------------------------------------------


def test_cors_is_answered_from_the_configuration(lam: Any) -> None:
    cors = {
        "AllowOrigins": ["https://a.example"],
        "AllowMethods": ["GET", "POST"],
        "AllowHeaders": ["x-one", "x-two"],
        "ExposeHeaders": ["x-three"],
        "AllowCredentials": True,
        "MaxAge": 60,
    }
    source = """
def handler(event, context):
    method = event["requestContext"]["http"]["method"]
    return {"statusCode": 200, "headers": {"Access-Control-Allow-Origin": "mine"}, "body": method}
"""
    url = public(lam, source, Cors=cors)
    reply, body = visit(
        url, "OPTIONS", headers={"Origin": "https://a.example", "Access-Control-Request-Method": "POST"}
    )
    assert (reply.status, body) == (200, b"")
    found = {name: value for name, value in reply.headers.items() if name.startswith("access-control")}
    assert found == {
        "access-control-allow-origin": "https://a.example",
        "access-control-allow-credentials": "true",
        "access-control-allow-methods": "GET,POST",
        "access-control-allow-headers": "x-one,x-two",
        "access-control-max-age": "60",
    }
    for origin, method in (("https://b.example", "GET"), ("https://a.example", "PUT")):
        reply, _ = visit(url, "OPTIONS", headers={"Origin": origin, "Access-Control-Request-Method": method})
        assert reply.status == 200
        assert "access-control-allow-origin" not in reply.headers
    reply, body = visit(url, headers={"Origin": "https://a.example"})
    assert body == b"GET"
    assert reply.headers.get_all("access-control-allow-origin") == ["https://a.example"]
    assert reply.headers["access-control-expose-headers"] == "x-three"
    assert reply.headers["vary"] == "Origin"
    assert visit(url)[0].headers["access-control-allow-origin"] == "mine"
    assert visit(url, "OPTIONS")[1] == b"OPTIONS"


def test_without_cors_the_function_answers_for_itself(lam: Any) -> None:
    url = public(lam, "def handler(event, context):\n    return event['requestContext']['http']['method']\n")
    reply, body = visit(
        url, "OPTIONS", headers={"Origin": "https://a.example", "Access-Control-Request-Method": "POST"}
    )
    assert (body, reply.headers.get("access-control-allow-origin")) == (b'"OPTIONS"', None)


# -- who may call ---------------------------------------------------------------------------------------------------


def signed(url: str, key: str, secret: str, body: bytes = b"") -> dict[str, str]:
    """The headers of a signed GET (POST with a body) of a function URL."""
    request = AWSRequest("POST" if body else "GET", url, data=body)
    SigV4Auth(Credentials(key, secret), "lambda", "us-east-1").add_auth(request)
    return {name: value for name, value in request.headers.items() if name != "Host"}


def test_a_public_url_needs_the_permission_as_well(lam: Any) -> None:
    url = public(lam, permit=False)
    reply, body = visit(url)
    assert (reply.status, json.loads(body)) == (403, {"Message": "Forbidden"})
    assert reply.headers["x-amzn-errortype"] == "AccessDeniedException"
    for number, more in enumerate(({"FunctionUrlAuthType": "AWS_IAM"}, {"SourceAccount": "000000000000"})):
        lam.add_permission(
            FunctionName="f", StatementId=f"s{number}", Action="lambda:InvokeFunctionUrl", Principal="*", **more
        )
        assert visit(url)[0].status == 403
    lam.add_permission(FunctionName="f", StatementId="ok", Action="lambda:InvokeFunctionUrl", Principal="*")
    assert visit(url)[0].status == 200


def test_a_url_with_iam_wants_a_signature(lam: Any) -> None:
    create(lam, EVENT)
    url = lam.create_function_url_config(FunctionName="f", AuthType="AWS_IAM")["FunctionUrl"]
    reply, body = visit(url)
    assert (reply.status, json.loads(body)) == (403, {"Message": "Forbidden"})
    event = json.loads(visit(url, headers=signed(url, "test", "test"))[1])
    assert event["requestContext"]["accountId"] == "000000000000"
    caller = event["requestContext"]["authorizer"]["iam"]
    assert (caller["accessKey"], caller["accountId"]) == ("test", "000000000000")
    assert visit(url, headers=signed(url, "111122223333", "test"))[0].status == 403  # another account
    lam.add_permission(
        FunctionName="f",
        StatementId="them",
        Action="lambda:InvokeFunctionUrl",
        Principal="111122223333",
        FunctionUrlAuthType="AWS_IAM",
    )
    assert visit(url, headers=signed(url, "111122223333", "test"))[0].status == 200


@pytest.mark.slow
def test_a_verifying_server_checks_the_signature(new_server: Callable[..., ServerProcess]) -> None:
    server = new_server("--auth", "local")
    user = server.client("iam")
    user.create_user(UserName="u")
    key = user.create_access_key(UserName="u")["AccessKey"]
    server.stop()
    server = new_server("--auth", "verify", data=server.data)
    keys = {"aws_access_key_id": key["AccessKeyId"], "aws_secret_access_key": key["SecretAccessKey"]}
    lam = server.client("lambda", **keys)
    create(lam, EVENT)
    url = lam.create_function_url_config(FunctionName="f", AuthType="AWS_IAM")["FunctionUrl"]
    event = json.loads(visit(url, headers=signed(url, key["AccessKeyId"], key["SecretAccessKey"]))[1])
    caller = event["requestContext"]["authorizer"]["iam"]
    assert caller["userArn"] == "arn:aws:iam::000000000000:user/u"
    assert caller["callerId"] == caller["userId"] == user_id(event)
    reply, body = visit(url, headers=signed(url, key["AccessKeyId"], "wrong"))
    assert reply.status == 403
    assert "signature we calculated does not match" in json.loads(body)["message"]
    assert visit(url)[0].status == 403
    assert server.stop() == 0


def user_id(event: Any) -> Any:
    return event["requestContext"]["authorizer"]["iam"]["userId"]


# -- streams --------------------------------------------------------------------------------------------------------


@pytest.fixture
def streamed(lam: Any) -> str:
    """The URL of a Node.js function that streams what its path says."""
    source = """
    import fs from "node:fs/promises";
    export const handler = awslambda.streamifyResponse(async (event, output, context) => {
      if (event.rawPath === "/plain") { output.setContentType("text/csv"); output.write("a,b"); output.end(); return; }
      const metadata = { statusCode: 203, headers: { "Content-Type": "text/html" }, cookies: ["c=1"] };
      output = awslambda.HttpResponseStream.from(output, metadata);
      output.write("first ");
      if (event.rawPath === "/cut") throw new Error("in the middle");
      if (event.headers["x-gate"]) await fs.readFile(event.headers["x-gate"]);
      output.end("second");
    });
    """
    code = {"ZipFile": bundle({"app.mjs": source})}
    lam.create_function(FunctionName="f", Runtime="nodejs20.x", Handler="app.handler", Role=ROLE, Timeout=20, Code=code)
    return share(lam, InvokeMode="RESPONSE_STREAM")


@needs_node
def test_a_streamed_response_arrives_while_the_function_runs(streamed: str, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    where = urlsplit(streamed)
    connection = http.client.HTTPConnection("127.0.0.1", where.port, timeout=30)
    connection.request("GET", "/", headers={"Host": where.netloc, "X-Gate": str(gate)})
    reply = connection.getresponse()
    assert (reply.status, reply.headers["content-type"], reply.headers["set-cookie"]) == (203, "text/html", "c=1")
    assert reply.headers["transfer-encoding"] == "chunked"
    assert reply.read1(100) == b"first "
    gate.write_text("")
    assert reply.read() == b"second"
    connection.close()


@needs_node
def test_streams_without_metadata_and_streams_that_break(streamed: str) -> None:
    reply, body = visit(streamed, path="/plain")
    assert (reply.status, reply.headers["content-type"], body) == (200, "text/csv", b"a,b")
    with pytest.raises(http.client.IncompleteRead):
        visit(streamed, path="/cut")
    assert visit(streamed)[1] == b"first second"


def test_a_streaming_url_passes_on_what_does_not_stream(lam: Any) -> None:
    url = public(
        lam, "def handler(event, context):\n    return {'statusCode': 201, 'body': 'x'}\n", InvokeMode="RESPONSE_STREAM"
    )
    reply, body = visit(url)
    assert (reply.status, json.loads(body)) == (200, {"statusCode": 201, "body": "x"})


# -- templates, crashes ------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_templates_make_urls_with_their_permission(aws: Aws, lam: Any) -> None:
    template = """
Transform: AWS::Serverless-2016-10-31
Resources:
  F:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: f
      Runtime: python3.13
      Handler: index.handler
      InlineCode: |
        def handler(event, context):
            return event["rawPath"]
      FunctionUrlConfig: {AuthType: NONE, Cors: {AllowOrigins: ["*"]}, InvokeMode: BUFFERED}
Outputs:
  Url: {Value: !GetAtt FUrl.FunctionUrl}
"""
    stack = stacks.create(aws("cloudformation"), "s", template)
    assert stack["StackStatus"] == "CREATE_COMPLETE", stacks.reasons(aws("cloudformation"), "s")
    url = stack["Outputs"][0]["OutputValue"]
    assert visit(url, path="/there")[1] == b'"/there"'
    stack = stacks.update(aws("cloudformation"), "s", template.replace("AuthType: NONE", "AuthType: AWS_IAM"))
    assert stack["StackStatus"] == "UPDATE_COMPLETE"
    assert stack["Outputs"][0]["OutputValue"] == url
    assert visit(url)[0].status == 403
    assert lam.get_function_url_config(FunctionName="f")["Cors"] == {"AllowOrigins": ["*"]}
    bare = template.replace('Cors: {AllowOrigins: ["*"]}, ', "")
    assert stacks.update(aws("cloudformation"), "s", bare)["StackStatus"] == "UPDATE_COMPLETE"
    assert "Cors" not in lam.get_function_url_config(FunctionName="f")


@pytest.mark.slow
def test_a_url_survives_a_kill(new_server: Callable[..., ServerProcess]) -> None:
    server = new_server()
    lam = server.client("lambda")
    url = public(lam)
    server.kill()
    server.start()
    moved = f"http://{urlsplit(url).hostname}:{server.port}/"
    assert visit(moved)[0].status == 200
    assert server.client("lambda").get_function_url_config(FunctionName="f")["AuthType"] == "NONE"
