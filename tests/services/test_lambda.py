"""Functions, versions, aliases, policies and tags through boto3."""

from __future__ import annotations

import base64
import hashlib
import json
import urllib.request
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.services.lambda_code import ECHO, ROLE, RUNTIME, create, package

Aws = Callable[..., Any]
ARN = "arn:aws:lambda:us-east-1:000000000000:function:f"


@pytest.fixture
def lam(aws: Aws) -> Any:
    return aws("lambda")


def refused(code: str, call: Callable[..., Any], **request: Any) -> str:
    """The message with which a call is refused."""
    with pytest.raises(ClientError) as raised:
        call(**request)
    error = raised.value.response["Error"]
    assert error["Code"] == code, error
    message: str = error["Message"]
    return message


def invoke(client: Any, name: str = "f", payload: Any = None, **more: Any) -> Any:
    reply = client.invoke(FunctionName=name, Payload=json.dumps(payload), **more)
    return json.loads(reply["Payload"].read() or b"null")


# -- create, read, list, delete -----------------------------------------------------------------------------------


def test_a_function_is_created_pending_and_is_active_at_once(lam: Any) -> None:
    code = package(app=ECHO)
    made = create(lam, Code={"ZipFile": code}, Description="d", Environment={"Variables": {"AA": "1"}}, Tags={"t": "v"})
    assert made["ResponseMetadata"]["HTTPStatusCode"] == 201
    assert (made["State"], made["StateReasonCode"]) == ("Pending", "Creating")
    lam.get_waiter("function_active_v2").wait(FunctionName="f")
    found = lam.get_function(FunctionName="f")
    assert found["Tags"] == {"t": "v"}
    config = found["Configuration"]
    expected = {
        "FunctionName": "f",
        "FunctionArn": ARN,
        "Runtime": RUNTIME,
        "Role": ROLE,
        "Handler": "app.handler",
        "CodeSize": len(code),
        "CodeSha256": base64.b64encode(hashlib.sha256(code).digest()).decode(),
        "Description": "d",
        "Timeout": 3,
        "MemorySize": 128,
        "Version": "$LATEST",
        "Environment": {"Variables": {"AA": "1"}},
        "TracingConfig": {"Mode": "PassThrough"},
        "State": "Active",
        "LastUpdateStatus": "Successful",
        "PackageType": "Zip",
        "Architectures": ["x86_64"],
        "EphemeralStorage": {"Size": 512},
        "SnapStart": {"ApplyOn": "None", "OptimizationStatus": "Off"},
        "LoggingConfig": {"LogFormat": "Text", "LogGroup": "/aws/lambda/f"},
    }
    assert {name: config[name] for name in expected} == expected


def test_a_name_is_taken_once(lam: Any) -> None:
    create(lam)
    assert refused("ResourceConflictException", lambda: create(lam)) == "Function already exist: f"


def test_what_is_not_there(lam: Any) -> None:
    for call in (lam.get_function, lam.invoke, lam.delete_function, lam.get_function_configuration):
        assert refused("ResourceNotFoundException", call, FunctionName="f") == f"Function not found: {ARN}"
    create(lam)
    message = refused("ResourceNotFoundException", lam.invoke, FunctionName="f", Qualifier="7")
    assert message == f"Function not found: {ARN}:7"


def test_every_function_has_its_place_in_the_listing(lam: Any) -> None:
    for number in range(7):
        create(lam, name=f"f{number}")
    pages = lam.get_paginator("list_functions").paginate(PaginationConfig={"PageSize": 3})
    found = [function for page in pages for function in page["Functions"]]
    assert [function["FunctionName"] for function in found] == [f"f{number}" for number in range(7)]
    assert "State" not in found[0]


def test_regions_and_accounts_are_apart(aws: Aws, lam: Any) -> None:
    create(lam)
    assert aws("lambda", region_name="eu-west-1").list_functions()["Functions"] == []
    assert aws("lambda", aws_access_key_id="123456789012").list_functions()["Functions"] == []


@pytest.mark.slow
def test_a_deleted_function_is_gone_with_its_versions(lam: Any) -> None:
    create(lam, Publish=True)
    lam.create_alias(FunctionName="f", Name="live", FunctionVersion="1")
    lam.delete_function(FunctionName="f")
    refused("ResourceNotFoundException", lam.get_function, FunctionName="f")
    create(lam)
    assert lam.list_aliases(FunctionName="f")["Aliases"] == []
    assert len(lam.list_versions_by_function(FunctionName="f")["Versions"]) == 1


# -- bad input ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "code", "message"),
    [
        (
            {"Runtime": "python9.9"},
            "InvalidParameterValueException",
            "Value python9.9 at 'runtime' failed to satisfy constraint: Member must satisfy enum value set: [",
        ),
        ({"Runtime": "python3.6"}, "InvalidParameterValueException", "The runtime parameter of python3.6 is no longer"),
        ({"Role": "role"}, "ValidationException", "1 validation error detected: Value 'role' at 'role' failed"),
        ({"MemorySize": 20_000}, "ValidationException", "1 validation error detected: Value '20000' at 'memorySize'"),
        ({"Timeout": 901}, "ValidationException", "1 validation error detected: Value '901' at 'timeout' failed"),
        (
            {"FunctionName": "f" * 65},
            "InvalidParameterValueException",
            "1 validation error detected: Value '" + "f" * 65,
        ),
        ({"Code": {}}, "InvalidParameterValueException", "Please provide a source for function code."),
        ({"Code": {"ZipFile": b"no"}}, "InvalidParameterValueException", "Could not unzip uploaded file."),
        (
            {"Environment": {"Variables": {"AWS_REGION": "x"}}},
            "InvalidParameterValueException",
            (
                "Lambda was unable to configure your environment variables because the environment variables you have "
                "provided contains reserved keys that are currently not supported for modification. "
                "Reserved keys used in this request: AWS_REGION"
            ),
        ),
        (
            {"Environment": {"Variables": {"AA": "x" * 4096}}},
            "InvalidParameterValueException",
            (
                "Lambda was unable to configure your environment variables because the environment variables you have "
                "provided exceeded the 4KB limit. String measured: "
            ),
        ),
        ({"Layers": [ARN.replace("function:f", "layer:l:1")]}, "InvalidParameterValueException", "Layer version "),
        ({"DeadLetterConfig": {"TargetArn": "arn:aws:s3:::b"}}, "InvalidParameterValueException", "The provided dead"),
        (
            {"Code": {"S3Bucket": "fogbank-local", "S3Key": "relative"}},
            "InvalidParameterValueException",
            "expected the",
        ),
    ],
)
def test_what_a_function_cannot_be(lam: Any, change: dict[str, Any], code: str, message: str) -> None:
    assert refused(code, lambda: create(lam, **change)).startswith(message)
    assert lam.list_functions()["Functions"] == []


def test_runtime_and_handler_are_needed(lam: Any) -> None:
    message = refused(
        "InvalidParameterValueException",
        lam.create_function,
        FunctionName="f",
        Role=ROLE,
        Code={"ZipFile": package(app=ECHO)},
    )
    assert message == "Runtime and Handler are mandatory parameters for functions created with deployment packages."


@pytest.mark.parametrize(
    "change",
    [
        {"Runtime": "java21"},
        {"PackageType": "Image", "Code": {"ImageUri": "x"}},
        {
            "FileSystemConfigs": [
                {
                    "Arn": "arn:aws:elasticfilesystem:us-east-1:000000000000:access-point/fsap-" + "0" * 17,
                    "LocalMountPath": "/mnt/x",
                }
            ]
        },
    ],
)
def test_what_fogbank_lacks_is_refused_by_name(lam: Any, change: dict[str, Any]) -> None:
    with pytest.raises(ClientError, match="Fogbank"):
        create(lam, **change)


def test_features_that_come_later_are_read_as_absent(lam: Any) -> None:
    create(lam, Publish=True)
    assert lam.list_function_url_configs(FunctionName="f")["FunctionUrlConfigs"] == []
    assert "CodeSigningConfigArn" not in lam.get_function_code_signing_config(FunctionName="f")


# -- code ---------------------------------------------------------------------------------------------------------


def test_code_from_a_local_folder(lam: Any, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("import helper\ndef handler(event, context):\n    return helper.value\n")
    (tmp_path / "helper.py").write_text("value = 1\n")
    place = {"S3Bucket": "fogbank-local", "S3Key": str(tmp_path)}
    create(lam, Code=place)
    assert invoke(lam) == 1
    (tmp_path / "helper.py").write_text("value = 2\n")
    assert invoke(lam) == 1
    lam.update_function_code(FunctionName="f", **place)
    assert invoke(lam) == 2


def test_new_code_is_what_the_next_event_runs(lam: Any) -> None:
    made = create(lam)
    assert invoke(lam, payload=1) == 1
    code = package(app="def handler(event, context):\n    return 'new'\n")
    dry = lam.update_function_code(FunctionName="f", ZipFile=code, DryRun=True)
    assert dry["CodeSha256"] != made["CodeSha256"]
    assert invoke(lam, payload=1) == 1
    updated = lam.update_function_code(
        FunctionName="f", ZipFile=code, RevisionId=lam.get_function(FunctionName="f")["Configuration"]["RevisionId"]
    )
    assert updated["LastUpdateStatus"] == "InProgress"
    assert invoke(lam, payload=1) == "new"
    lam.get_waiter("function_updated_v2").wait(FunctionName="f")


def test_an_update_of_an_old_revision_is_refused(lam: Any) -> None:
    create(lam)
    message = refused(
        "PreconditionFailedException",
        lam.update_function_code,
        FunctionName="f",
        ZipFile=package(app=""),
        RevisionId="old",
    )
    assert message.startswith("The Revision Id provided does not match the latest Revision Id.")


def test_new_settings_are_what_the_next_event_runs_with(lam: Any) -> None:
    source = "import os\ndef handler(event, context):\n    return os.environ.get('AA'), context.memory_limit_in_mb\n"
    create(lam, source, Environment={"Variables": {"AA": "1"}})
    assert invoke(lam) == ["1", "128"]
    lam.update_function_configuration(FunctionName="f", Environment={"Variables": {}}, MemorySize=256, Timeout=10)
    assert invoke(lam) == [None, "256"]
    config = lam.get_function_configuration(FunctionName="f")
    assert config["Timeout"] == 10
    assert config["Environment"] == {"Variables": {}}


def test_the_code_can_be_downloaded(lam: Any, tmp_path: Path) -> None:
    create(lam)
    location = lam.get_function(FunctionName="f")["Code"]["Location"]
    with urllib.request.urlopen(location) as reply:
        (tmp_path / "code.zip").write_bytes(reply.read())
    with zipfile.ZipFile(tmp_path / "code.zip") as archive:
        assert archive.read("app.py").decode() == ECHO


# -- versions and aliases -----------------------------------------------------------------------------------------


def test_a_version_keeps_code_and_settings(lam: Any) -> None:
    source = "def handler(event, context):\n    return 'one', context.function_version, context.invoked_function_arn\n"
    create(lam, source)
    first = lam.publish_version(FunctionName="f", Description="first")
    assert (first["Version"], first["FunctionArn"], first["Description"]) == ("1", f"{ARN}:1", "first")
    lam.get_waiter("published_version_active").wait(FunctionName="f", Qualifier="1")
    assert lam.publish_version(FunctionName="f")["Version"] == "1"
    second = lam.update_function_code(FunctionName="f", ZipFile=package(app=source.replace("one", "two")), Publish=True)
    assert second["Version"] == "2"
    assert invoke(lam, Qualifier="1") == ["one", "1", f"{ARN}:1"]
    assert invoke(lam, "f:2") == ["two", "2", f"{ARN}:2"]
    assert invoke(lam) == ["two", "$LATEST", ARN]
    listed = lam.list_versions_by_function(FunctionName="f")["Versions"]
    assert [version["Version"] for version in listed] == ["$LATEST", "1", "2"]
    lam.delete_function(FunctionName="f", Qualifier="2")
    lam.update_function_configuration(FunctionName="f", Timeout=9)
    assert lam.publish_version(FunctionName="f")["Version"] == "3"


def test_publishing_checks_what_it_publishes(lam: Any) -> None:
    create(lam)
    message = refused("InvalidParameterValueException", lam.publish_version, FunctionName="f", CodeSha256="x")
    assert message.startswith("CodeSHA256 (x) is different from current CodeSHA256 in $LATEST (")
    refused("PreconditionFailedException", lam.publish_version, FunctionName="f", RevisionId="x")


def test_an_alias_leads_to_its_version(lam: Any) -> None:
    create(lam, "def handler(event, context):\n    return context.function_version, context.invoked_function_arn\n")
    lam.publish_version(FunctionName="f")
    made = lam.create_alias(FunctionName="f", Name="live", FunctionVersion="1", Description="d")
    assert made["AliasArn"] == f"{ARN}:live"
    assert invoke(lam, Qualifier="live") == ["1", f"{ARN}:live"]
    lam.update_function_configuration(FunctionName="f", Timeout=9)
    lam.publish_version(FunctionName="f")
    lam.update_alias(FunctionName="f", Name="live", FunctionVersion="2")
    assert invoke(lam, f"{ARN}:live") == ["2", f"{ARN}:live"]
    assert lam.invoke(FunctionName="f", Qualifier="live")["ExecutedVersion"] == "2"
    assert [alias["Name"] for alias in lam.list_aliases(FunctionName="f", FunctionVersion="2")["Aliases"]] == ["live"]
    assert "live" in refused("ResourceConflictException", lam.delete_function, FunctionName="f", Qualifier="2")
    lam.delete_alias(FunctionName="f", Name="live")
    message = refused("ResourceNotFoundException", lam.get_alias, FunctionName="f", Name="live")
    assert message == f"Cannot find alias arn: {ARN}:live"


def test_an_alias_with_weights_serves_both_versions(lam: Any) -> None:
    create(lam, "def handler(event, context):\n    return context.function_version\n", Publish=True)
    lam.update_function_configuration(FunctionName="f", Timeout=9)
    lam.publish_version(FunctionName="f")
    routing = {"AdditionalVersionWeights": {"2": 0.5}}
    lam.create_alias(FunctionName="f", Name="live", FunctionVersion="1", RoutingConfig=routing)
    assert {invoke(lam, "f:live") for _ in range(60)} == {"1", "2"}


@pytest.mark.parametrize(
    ("request_", "code", "message"),
    [
        ({"FunctionVersion": "9"}, "ResourceNotFoundException", f"Function not found: {ARN}:9"),
        (
            {"FunctionVersion": "$LATEST", "RoutingConfig": {"AdditionalVersionWeights": {"1": 0.5}}},
            "InvalidParameterValueException",
            "$LATEST is not supported for an alias pointing to more than 1 version",
        ),
        (
            {"FunctionVersion": "1", "RoutingConfig": {"AdditionalVersionWeights": {"1": 0.5}}},
            "InvalidParameterValueException",
            "Invalid function version 1. Function version 1 is already included in routing configuration.",
        ),
    ],
)
def test_aliases_that_cannot_be(lam: Any, request_: dict[str, Any], code: str, message: str) -> None:
    create(lam, Publish=True)
    assert refused(code, lam.create_alias, FunctionName="f", Name="a", **request_) == message


def test_an_alias_name_is_taken_once(lam: Any) -> None:
    create(lam, Publish=True)
    lam.create_alias(FunctionName="f", Name="a", FunctionVersion="1")
    message = refused("ResourceConflictException", lam.create_alias, FunctionName="f", Name="a", FunctionVersion="1")
    assert message == f"Alias already exists: {ARN}:a"


# -- policies, tags, concurrency, account ---------------------------------------------------------------------------


def test_a_policy_is_built_of_statements(lam: Any) -> None:
    create(lam)
    reply = lam.add_permission(
        FunctionName="f",
        StatementId="s1",
        Action="lambda:InvokeFunction",
        Principal="events.amazonaws.com",
        SourceArn="arn:aws:events:us-east-1:000000000000:rule/r",
        SourceAccount="000000000000",
    )
    statement = {
        "Sid": "s1",
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "lambda:InvokeFunction",
        "Resource": ARN,
        "Condition": {
            "StringEquals": {"AWS:SourceAccount": "000000000000"},
            "ArnLike": {"AWS:SourceArn": "arn:aws:events:us-east-1:000000000000:rule/r"},
        },
    }
    assert json.loads(reply["Statement"]) == statement
    lam.add_permission(FunctionName="f", StatementId="s2", Action="lambda:*", Principal="123456789012")
    policy = json.loads(lam.get_policy(FunctionName="f")["Policy"])
    assert (policy["Version"], policy["Id"]) == ("2012-10-17", "default")
    assert policy["Statement"][0] == statement
    assert policy["Statement"][1]["Principal"] == {"AWS": "arn:aws:iam::123456789012:root"}
    message = refused(
        "ResourceConflictException",
        lam.add_permission,
        FunctionName="f",
        StatementId="s1",
        Action="lambda:*",
        Principal="123456789012",
    )
    assert message == (
        "The statement id (s1) provided already exists. "
        "Please provide a new statement id, or remove the existing statement."
    )
    lam.remove_permission(FunctionName="f", StatementId="s1")
    message = refused("ResourceNotFoundException", lam.remove_permission, FunctionName="f", StatementId="s1")
    assert message == "Statement s1 is not found in resource policy."
    lam.remove_permission(FunctionName="f", StatementId="s2")
    message = refused("ResourceNotFoundException", lam.get_policy, FunctionName="f")
    assert message == "The resource you requested does not exist."


def test_tags(lam: Any) -> None:
    create(lam, Tags={"a": "1"})
    lam.tag_resource(Resource=ARN, Tags={"b": "2"})
    lam.untag_resource(Resource=ARN, TagKeys=["a"])
    assert lam.list_tags(Resource=ARN)["Tags"] == {"b": "2"}
    too_many = {f"k{number}": "v" for number in range(50)}
    refused("InvalidParameterValueException", lam.tag_resource, Resource=ARN, Tags=too_many)
    refused("InvalidParameterValueException", lam.tag_resource, Resource=f"{ARN}:1", Tags={"c": "3"})
    refused("ResourceNotFoundException", lam.list_tags, Resource=f"{ARN}x")


def test_the_account(lam: Any) -> None:
    create(lam)
    lam.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=100)
    found = lam.get_account_settings()
    assert found["AccountLimit"]["ConcurrentExecutions"] == 1000
    assert found["AccountLimit"]["UnreservedConcurrentExecutions"] == 900
    assert found["AccountUsage"]["FunctionCount"] == 1
    assert lam.get_function(FunctionName="f")["Concurrency"] == {"ReservedConcurrentExecutions": 100}


def test_a_hundred_executions_stay_unreserved(lam: Any) -> None:
    create(lam)
    message = refused(
        "InvalidParameterValueException",
        lam.put_function_concurrency,
        FunctionName="f",
        ReservedConcurrentExecutions=901,
    )
    assert message == (
        "Specified ReservedConcurrentExecutions for function decreases account's "
        "UnreservedConcurrentExecution below its minimum value of [100]."
    )


# -- layers ---------------------------------------------------------------------------------------------------------


def test_a_layer_is_what_its_functions_import(lam: Any) -> None:
    made = lam.publish_layer_version(
        LayerName="l",
        Content={"ZipFile": package(**{"python/shared": "value = 'layer'\n"})},
        CompatibleRuntimes=[RUNTIME],
    )
    arn = "arn:aws:lambda:us-east-1:000000000000:layer:l:1"
    assert (made["LayerVersionArn"], made["Version"]) == (arn, 1)
    create(lam, "import shared\ndef handler(event, context):\n    return shared.value\n", Layers=[arn])
    assert invoke(lam) == "layer"
    lam.delete_layer_version(LayerName="l", VersionNumber=1)
    refused("ResourceNotFoundException", lam.get_layer_version, LayerName="l", VersionNumber=1)
    assert invoke(lam) == "layer"
    assert lam.get_function_configuration(FunctionName="f")["Layers"][0]["Arn"] == arn


def test_layers_are_listed(lam: Any) -> None:
    for name, runtime in (("a", "python3.12"), ("a", "python3.13"), ("b", "nodejs22.x")):
        lam.publish_layer_version(LayerName=name, Content={"ZipFile": package(x="")}, CompatibleRuntimes=[runtime])
    listed = lam.list_layers()["Layers"]
    assert [(layer["LayerName"], layer["LatestMatchingVersion"]["Version"]) for layer in listed] == [("a", 2), ("b", 1)]
    assert [v["Version"] for v in lam.list_layer_versions(LayerName="a")["LayerVersions"]] == [2, 1]
    assert len(lam.list_layers(CompatibleRuntime="nodejs22.x")["Layers"]) == 1


def test_who_may_use_a_layer(lam: Any) -> None:
    lam.publish_layer_version(LayerName="l", Content={"ZipFile": package(x="")})
    lam.add_layer_version_permission(
        LayerName="l", VersionNumber=1, StatementId="s", Action="lambda:GetLayerVersion", Principal="*"
    )
    policy = json.loads(lam.get_layer_version_policy(LayerName="l", VersionNumber=1)["Policy"])
    assert policy["Statement"][0]["Principal"] == "*"
    lam.remove_layer_version_permission(LayerName="l", VersionNumber=1, StatementId="s")
    refused("ResourceNotFoundException", lam.get_layer_version_policy, LayerName="l", VersionNumber=1)
