"""The template engine, against a cloud that records."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from tests.unit.templates.recording import RecordingCloud

from fogbank.core.clock import SystemClock
from fogbank.core.errors import ApiError
from fogbank.core.scope import Scope
from fogbank.services.cloudformation.engine import (
    KNOWN_AFTER_APPLY,
    DeploymentError,
    ParameterInput,
    Prepared,
    Replacement,
    StackIdentity,
    Standing,
)
from fogbank.templates.engine import Engine

STACK = StackIdentity(Scope("123456789012", "eu-west-1"), "arn:stack", "s", {"team": "shop"})


@pytest.fixture
def recorder() -> RecordingCloud:
    return RecordingCloud(ListExports={"Exports": [{"Name": "exp", "Value": "v"}]})


@pytest_asyncio.fixture
async def engine(recorder: RecordingCloud) -> AsyncIterator[Engine]:
    engine = Engine(recorder, SystemClock())
    yield engine
    await engine.close()


async def prepare(engine: Engine, text: str, **values: str) -> Prepared:
    given = [ParameterInput(name, value) for name, value in values.items()]
    return await engine.prepare(STACK, text, given, None)


async def test_unknown_types_are_all_named_at_once(engine: Engine) -> None:
    text = "Resources: {A: {Type: 'AWS::SQS::Quue'}, B: {Type: 'AWS::EC2::VPC'}, C: {Type: 'AWS::SQS::Queue'}}"
    with pytest.raises(ApiError) as caught:
        await prepare(engine, text)
    assert caught.value.message == (
        "Template format error: Unrecognized resource types: [AWS::EC2::VPC, AWS::SQS::Quue]. Fogbank does not "
        "implement AWS::EC2::VPC yet"
    )


async def test_a_type_that_fogbank_lacks_does_no_harm_where_its_condition_is_false(engine: Engine) -> None:
    text = """
Parameters: {Stage: {Type: String, Default: dev}}
Conditions: {Prod: !Equals [!Ref Stage, prod]}
Resources:
  Q: {Type: AWS::SQS::Queue, DependsOn: V}
  V: {Type: AWS::EC2::VPC, Condition: Prod}
"""
    assert (await prepare(engine, text)).types == ("AWS::SQS::Queue",)
    with pytest.raises(ApiError, match="AWS::EC2::VPC"):
        await prepare(engine, text, Stage="prod")


async def test_a_reference_to_a_resource_whose_condition_is_false_is_unresolved(engine: Engine) -> None:
    text = """
Conditions: {Never: !Equals [a, b]}
Resources:
  Q: {Type: AWS::SQS::Queue, Condition: Never}
  P: {Type: AWS::SSM::Parameter, Properties: {Type: String, Value: !Ref Q}}
"""
    with pytest.raises(ApiError) as caught:
        await prepare(engine, text)
    assert caught.value.message == (
        "Template format error: Unresolved resource dependencies [Q] in the Resources block of the template"
    )
    await prepare(engine, text.replace("!Ref Q", "!If [Never, !Ref Q, none]"))


async def test_cycles_are_named(engine: Engine) -> None:
    text = """
Resources:
  A: {Type: AWS::SQS::Queue, Properties: {QueueName: !Sub '${B}-x'}}
  B: {Type: AWS::SQS::Queue, DependsOn: A}
"""
    with pytest.raises(ApiError) as caught:
        await prepare(engine, text)
    assert caught.value.message == "Circular dependency between resources: [A, B]"


async def test_attributes_that_a_type_lacks_are_refused(engine: Engine) -> None:
    text = "Resources: {Q: {Type: 'AWS::SQS::Queue'}}\nOutputs: {O: {Value: !GetAtt Q.Size}}"
    with pytest.raises(ApiError) as caught:
        await prepare(engine, text)
    expected = "[Error] /Outputs/O/Value/Fn::GetAtt: Resource type AWS::SQS::Queue does not support attribute {Size}."
    assert caught.value.message == expected


@pytest.mark.parametrize(
    ("properties", "capability"),
    [("{AssumeRolePolicyDocument: {}}", "CAPABILITY_IAM"),
     ("{AssumeRolePolicyDocument: {}, RoleName: x}", "CAPABILITY_NAMED_IAM")],
)  # fmt: skip
async def test_capabilities_are_found(engine: Engine, properties: str, capability: str) -> None:
    prepared = await prepare(engine, f"Resources: {{R: {{Type: 'AWS::IAM::Role', Properties: {properties}}}}}")
    assert prepared.capabilities == (capability,)


async def test_rules_hold_or_the_template_is_refused(engine: Engine) -> None:
    text = """
Parameters: {Stage: {Type: String}, Size: {Type: String, Default: small}}
Rules:
  Big:
    RuleCondition: !Equals [!Ref Stage, prod]
    Assertions:
      - Assert: !Contains [[large, huge], !Ref Size]
        AssertDescription: production must be large
Resources: {Q: {Type: AWS::SQS::Queue}}
"""
    await prepare(engine, text, Stage="dev")
    await prepare(engine, text, Stage="prod", Size="huge")
    with pytest.raises(ApiError, match="production must be large"):
        await prepare(engine, text, Stage="prod")


async def test_parameters_of_systems_manager_are_fetched(engine: Engine, recorder: RecordingCloud) -> None:
    text = """
Parameters: {P: {Type: 'AWS::SSM::Parameter::Value<String>', Default: /a/b}}
Resources: {Q: {Type: AWS::SQS::Queue, Properties: {QueueName: !Ref P}}}
"""
    recorder.answers["GetParameters"] = {"Parameters": [{"Name": "/a/b", "Value": "stored"}]}
    prepared = await prepare(engine, text)
    assert prepared.parameters[0].resolved == "stored"
    deployment = await engine.open(STACK, prepared.processed, prepared.parameters)
    assert (await deployment.properties("Q", {}))["QueueName"] == "stored"
    recorder.answers["GetParameters"] = {"InvalidParameters": ["/a/b"]}
    with pytest.raises(ApiError) as caught:
        await prepare(engine, text)
    assert caught.value.message == "Unable to fetch parameters [/a/b] from parameter store for this account."


async def test_imports_are_looked_up(engine: Engine) -> None:
    text = "Resources: {P: {Type: 'AWS::SSM::Parameter', Properties: {Type: String, Value: !ImportValue NAME}}}"
    prepared = await prepare(engine, text.replace("NAME", "exp"))
    assert prepared.imports == ("exp",)
    with pytest.raises(DeploymentError) as caught:
        await prepare(engine, text.replace("NAME", "other"))
    assert caught.value.message == "No export named other found."


async def opened(engine: Engine, text: str) -> Any:
    prepared = await prepare(engine, text)
    return await engine.open(STACK, prepared.processed, prepared.parameters)


QUEUES = """
Resources:
  D: {Type: AWS::SQS::Queue}
  Q:
    Type: AWS::SQS::Queue
    DeletionPolicy: Retain
    Properties:
      DelaySeconds: '5'
      Tags: [{Key: own, Value: 1}]
      RedrivePolicy: {deadLetterTargetArn: !GetAtt D.Arn, maxReceiveCount: 3}
Outputs:
  Url: {Value: !Ref Q, Export: {Name: !Sub '${AWS::StackName}-url'}}
"""


async def test_a_deployment_tells_order_and_properties(engine: Engine) -> None:
    deployment = await opened(engine, QUEUES)
    assert deployment.resources["Q"].needs == {"D"}
    assert deployment.resources["Q"].retain_on_delete
    standing = {"D": Standing("url", {"Arn": "arn:d"}), "Q": Standing("q-url", {})}
    properties = await deployment.properties("Q", standing)
    assert properties["DelaySeconds"] == 5
    assert properties["RedrivePolicy"]["deadLetterTargetArn"] == "arn:d"
    assert properties["Tags"] == [{"Key": "team", "Value": "shop"}, {"Key": "own", "Value": "1"}]
    (output,) = await deployment.outputs(standing)
    assert (output.value, output.export) == ("q-url", "s-url")


async def test_a_preview_says_what_will_be_known_later(engine: Engine) -> None:
    deployment = await opened(engine, QUEUES)
    properties = await deployment.preview("Q", {})
    assert properties["RedrivePolicy"]["deadLetterTargetArn"] == KNOWN_AFTER_APPLY
    assert deployment.causes("Q", "RedrivePolicy") == [("ResourceAttribute", "D.Arn")]


async def test_properties_that_do_not_fit_fail_their_resource(engine: Engine) -> None:
    deployment = await opened(engine, "Resources: {Q: {Type: 'AWS::SQS::Queue', Properties: {Delay: 1}}}")
    with pytest.raises(ApiError, match=r"#: extraneous key \[Delay\] is not permitted"):
        await deployment.properties("Q", {})


async def test_properties_that_fogbank_lacks_are_named_before_anything_is_created(engine: Engine) -> None:
    text = "Resources: {G: {Type: 'AWS::Logs::LogGroup', Properties: {FieldIndexPolicies: []}}}"
    with pytest.raises(ApiError, match=r"does not implement FieldIndexPolicies \(AWS::Logs::LogGroup, resource G\)"):
        await prepare(engine, text)


async def test_what_a_service_lacks_is_named_before_anything_is_created() -> None:
    engine = Engine(RecordingCloud(), SystemClock(), implements=lambda service, _: service != "lambda")
    function = "Code: {ZipFile: x}, Handler: a.b, Runtime: python3.12, Role: r"
    text = "Resources: {F: {Type: 'AWS::Lambda::Function', Properties: {%s, RecursiveLoop: %s}}}"
    await prepare(engine, text % (function, "Terminate"))  # what holds anyway
    with pytest.raises(ApiError, match=r"does not implement RecursiveLoop \(AWS::Lambda::Function, resource F\)"):
        await prepare(engine, text % (function, "Allow"))
    url = "Resources: {U: {Type: 'AWS::Lambda::Url', Properties: {TargetFunctionArn: f, AuthType: NONE}}}"
    with pytest.raises(ApiError, match=r"Fogbank does not implement AWS::Lambda::Url yet"):
        await prepare(engine, url)


async def test_aliases_may_be_moved_all_at_once_and_not_little_by_little(engine: Engine) -> None:
    text = """
Parameters: {How: {Type: String, Default: LambdaAllAtOnce}}
Resources:
  A: {Type: AWS::CodeDeploy::Application, Properties: {ComputePlatform: Lambda}}
  G:
    Type: AWS::CodeDeploy::DeploymentGroup
    Properties: {ApplicationName: !Ref A, ServiceRoleArn: r, DeploymentConfigName: !Sub 'CodeDeployDefault.${How}'}
"""
    await prepare(engine, text)
    with pytest.raises(ApiError, match=r"does not implement deployments by CodeDeployDefault\.LambdaCanary10"):
        await prepare(engine, text.replace("LambdaAllAtOnce", "LambdaCanary10Percent5Minutes"))


async def test_dynamic_references_are_resolved(engine: Engine, recorder: RecordingCloud) -> None:
    text = "Resources: {Q: {Type: 'AWS::SQS::Queue', Properties: {QueueName: 'x-{{resolve:SERVICE:/name:2}}'}}}"
    recorder.answers["GetParameter"] = {"Parameter": {"Name": "/name", "Type": "String", "Value": "found"}}
    deployment = await opened(engine, text.replace("SERVICE", "ssm"))
    assert (await deployment.properties("Q", {}))["QueueName"] == "x-found"
    assert recorder.request("GetParameter") == {"Name": "/name:2"}
    deployment = await opened(engine, text.replace("SERVICE", "ssm-secure"))
    with pytest.raises(ApiError, match="dynamic references to ssm-secure"):
        await deployment.properties("Q", {})


ARN = "arn:aws:secretsmanager:us-east-1:000000000000:secret:s-abcdef"


@pytest.mark.parametrize(
    ("reference", "request_", "found"),
    [
        ("s", {"SecretId": "s"}, '{"user":"me","port":5}'),
        ("s:SecretString:user", {"SecretId": "s"}, "me"),
        (f"{ARN}:SecretString:port", {"SecretId": ARN}, "5"),
        (f"{ARN}:SecretString:user:AWSPREVIOUS", {"SecretId": ARN, "VersionStage": "AWSPREVIOUS"}, "me"),
        ("s:SecretString:user::" + "1" * 32, {"SecretId": "s", "VersionId": "1" * 32}, "me"),
    ],
)
async def test_secrets_are_resolved(
    engine: Engine, recorder: RecordingCloud, reference: str, request_: dict[str, str], found: str
) -> None:
    text = json.dumps(
        {"Resources": {"P": {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": "REF"}}}}
    )
    recorder.answers["GetSecretValue"] = {"SecretString": '{"user":"me","port":5}'}
    deployment = await opened(engine, text.replace("REF", f"{{{{resolve:secretsmanager:{reference}}}}}"))
    assert (await deployment.properties("P", {}))["Value"] == found
    assert recorder.request("GetSecretValue") == request_


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("s:SecretString:none", "Could not find a value associated with JSONKey in SecretString"),
        ("s:SecretBinary", "Incorrect format is used"),
        ("s:SecretString:a:AWSCURRENT:" + "1" * 32, "Incorrect format is used"),
    ],
)
async def test_references_to_secrets_that_are_refused(
    engine: Engine, recorder: RecordingCloud, reference: str, message: str
) -> None:
    text = "Resources: {Q: {Type: 'AWS::SQS::Queue', Properties: {QueueName: '{{resolve:secretsmanager:REF}}'}}}"
    recorder.answers["GetSecretValue"] = {"SecretString": "{}"}
    deployment = await opened(engine, text.replace("REF", reference))
    with pytest.raises(ApiError, match=message):
        await deployment.properties("Q", {})


def test_names_are_made_in_cloudformations_form() -> None:
    engine = Engine(RecordingCloud(), SystemClock())
    code = "ABCDEFGHIJKL"
    assert engine.name(STACK, "Queue", "AWS::SQS::Queue", {}, code) == ("s-Queue-ABCDEFGHIJKL", False)
    assert engine.name(STACK, "Queue", "AWS::SQS::Queue", {"QueueName": "q"}, code) == ("q", True)
    fifo, _ = engine.name(STACK, "Q", "AWS::SQS::Queue", {"FifoQueue": True}, code)
    assert fifo == "s-Q-ABCDEFGHIJKL.fifo"
    long = StackIdentity(STACK.scope, "arn", "a" * 100)
    name, _ = engine.name(long, "B" * 100, "AWS::Lambda::Function", {}, code)
    assert name is not None
    assert len(name) == 64
    assert name == f"{'a' * 25}-{'B' * 25}-{code}"
    assert engine.name(STACK, "P", "AWS::SQS::QueuePolicy", {}, code) == (None, False)


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ({"DelaySeconds": 1}, {"DelaySeconds": 1}, Replacement.NONE),
        ({"DelaySeconds": 1}, {"DelaySeconds": 2}, Replacement.IN_PLACE),
        ({"DelaySeconds": 1}, {}, Replacement.IN_PLACE),
        ({"QueueName": "a"}, {"QueueName": "b"}, Replacement.REPLACE),
        ({}, {"FifoQueue": True}, Replacement.REPLACE),
    ],
)
def test_changes_are_made_in_place_or_by_replacement(
    before: dict[str, Any], after: dict[str, Any], expected: Replacement
) -> None:
    engine = Engine(RecordingCloud(), SystemClock())
    assert engine.compare("AWS::SQS::Queue", before, after).replacement is expected


@pytest.mark.slow
async def test_sam_is_translated_in_a_process_of_its_own(engine: Engine) -> None:
    text = """
Transform: AWS::Serverless-2016-10-31
Globals: {Function: {Runtime: python3.11, Timeout: 7}}
Resources:
  Hello:
    Type: AWS::Serverless::Function
    Properties: {Handler: app.handler, CodeUri: {Bucket: fogbank-local, Key: /some/where}}
"""
    prepared = await prepare(engine, text)
    processed = json.loads(prepared.processed)
    function = processed["Resources"]["Hello"]["Properties"]
    assert function["Code"] == {"S3Bucket": "fogbank-local", "S3Key": "/some/where"}
    assert (function["Timeout"], function["Runtime"]) == (7, "python3.11")
    assert set(prepared.capabilities) == {"CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"}
    with pytest.raises(DeploymentError) as caught:
        await prepare(engine, text.replace("{Bucket: fogbank-local, Key: /some/where}", "./src"))
    assert caught.value.message == (
        "Transform AWS::Serverless-2016-10-31 failed with: Invalid Serverless Application Specification document. "
        "Number of errors found: 1. Resource with id [Hello] is invalid. 'CodeUri' is not a valid S3 Uri of the form "
        "'s3://bucket/key' with optional versionId query parameter."
    )


async def test_language_extensions_are_needed_for_their_functions(engine: Engine) -> None:
    text = "Resources: {P: {Type: AWS::SSM::Parameter, Properties: {Type: String, Value: !Length [a, b]}}}"
    with pytest.raises(ApiError, match="Fn::Length is not supported without the AWS::LanguageExtensions transform"):
        await engine.prepare(STACK, text, [], None, expand=False)
    prepared = await prepare(engine, "Transform: AWS::LanguageExtensions\n" + text)
    deployment = await engine.open(STACK, prepared.processed, prepared.parameters)
    assert (await deployment.properties("P", {}))["Value"] == "2"


@pytest.mark.parametrize(
    "url",
    ["s3://fogbank-local{}", "https://fogbank-local.s3.amazonaws.com{}", "https://s3.amazonaws.com/fogbank-local{}"],
)
async def test_templates_are_read_from_local_files(engine: Engine, tmp_path: Path, url: str) -> None:
    path = tmp_path / "t.yaml"
    path.write_text("A: 1")
    assert await engine.fetch(STACK.scope, url.format(path)) == "A: 1"
    with pytest.raises(ApiError, match="cannot be read"):
        await engine.fetch(STACK.scope, url.format(path) + "x")
    with pytest.raises(ApiError, match="only with --auth local"):
        await Engine(RecordingCloud(), SystemClock(), local_files=False).fetch(STACK.scope, url.format(path))


async def test_templates_are_read_from_s3(engine: Engine, recorder: RecordingCloud) -> None:
    recorder.answers["GetObject"] = {"Body": b"A: 2"}
    assert await engine.fetch(STACK.scope, "https://b.s3.eu-west-1.amazonaws.com/k/t.yaml") == "A: 2"
    assert recorder.request("GetObject") == {"Bucket": "b", "Key": "k/t.yaml"}
