"""What S3 tells of its objects: to queues, functions and buses; from requests and from templates."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from tests.services.lambda_code import create as create_function
from tests.services.lambda_code import package
from tests.services.stacks import create, reasons, settle, update
from tests.services.test_s3 import LARGE, body, bucket, error, s3

__all__ = ["bucket", "s3"]

QUEUE = "arn:aws:sqs:us-east-1:000000000000:q"
FORWARD = """
import boto3, json, os
def handler(event, context):
    boto3.client("sqs").send_message(QueueUrl=os.environ["QUEUE"], MessageBody=json.dumps(event))
"""


def receive(sqs: Any, url: str) -> Any:
    """The next message of a queue, taken off it."""
    (message,) = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20)["Messages"]
    sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return json.loads(message["Body"])


def is_empty(sqs: Any, url: str) -> bool:
    return "Messages" not in sqs.receive_message(QueueUrl=url)


@pytest.fixture
def queue(aws: Callable[..., Any], bucket: str) -> str:
    """The URL of a queue that lets S3 in."""
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "s3.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": QUEUE,
        "Condition": {"ArnLike": {"aws:SourceArn": f"arn:aws:s3:::{bucket}"}},
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    url: str = aws("sqs").create_queue(QueueName="q", Attributes={"Policy": policy})["QueueUrl"]
    return url


def to_queue(*events: str, **more: Any) -> dict[str, Any]:
    return {"QueueConfigurations": [{"QueueArn": QUEUE, "Events": list(events), **more}]}


class TestQueues:
    """Notifications to a queue."""

    def test_what_happens_is_told(self, aws: Callable[..., Any], s3: Any, bucket: str, queue: str) -> None:
        """A test event first; then one record for each change of a key that the filter lets through."""
        sqs = aws("sqs")
        rules = [{"Name": "prefix", "Value": "in/"}, {"Name": "suffix", "Value": ".txt"}]
        configuration = to_queue(
            "s3:ObjectCreated:*", "s3:ObjectRemoved:Delete", Id="mine", Filter={"Key": {"FilterRules": rules}}
        )
        s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=configuration)
        hello = receive(sqs, queue)
        assert (hello["Service"], hello["Event"], hello["Bucket"]) == ("Amazon S3", "s3:TestEvent", bucket)
        s3.put_object(Bucket=bucket, Key="out/a.txt", Body=b"")
        etag = s3.put_object(Bucket=bucket, Key="in/ä b.txt", Body=LARGE)["ETag"].strip('"')
        s3.delete_object(Bucket=bucket, Key="in/ä b.txt")
        put, gone = (receive(sqs, queue)["Records"][0] for _ in range(2))
        assert {name: put[name] for name in ("eventVersion", "eventSource", "awsRegion", "eventName")} == {
            "eventVersion": "2.1",
            "eventSource": "aws:s3",
            "awsRegion": "us-east-1",
            "eventName": "ObjectCreated:Put",
        }
        assert put["s3"]["configurationId"] == "mine"
        assert put["s3"]["bucket"]["arn"] == f"arn:aws:s3:::{bucket}"
        thing = put["s3"]["object"]
        assert (thing["key"], thing["size"], thing["eTag"]) == ("in/%C3%A4+b.txt", len(LARGE), etag)
        assert (gone["eventName"], "size" in gone["s3"]["object"]) == ("ObjectRemoved:Delete", False)
        assert thing["sequencer"] < gone["s3"]["object"]["sequencer"]
        assert is_empty(sqs, queue)

    def test_the_configuration_comes_back(self, s3: Any, bucket: str, queue: str) -> None:
        """With the ids and the capitals that S3 gives it; an empty one turns everything off."""
        rules = [{"Name": "prefix", "Value": "in/"}]
        s3.put_bucket_notification_configuration(
            Bucket=bucket,
            NotificationConfiguration={
                **to_queue("s3:ObjectCreated:Put", Filter={"Key": {"FilterRules": rules}}),
                "EventBridgeConfiguration": {},
            },
        )
        found = s3.get_bucket_notification_configuration(Bucket=bucket)
        (line,) = found["QueueConfigurations"]
        assert (line["Filter"]["Key"]["FilterRules"][0]["Name"], len(line["Id"])) == ("Prefix", 36)
        assert found["EventBridgeConfiguration"] == {}
        s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={})
        assert "QueueConfigurations" not in s3.get_bucket_notification_configuration(Bucket=bucket)

    def test_destinations_are_looked_at(self, aws: Callable[..., Any], s3: Any, bucket: str, queue: str) -> None:
        """They must be there and let S3 in."""
        put = s3.put_bucket_notification_configuration
        sqs = aws("sqs")
        closed = sqs.create_queue(QueueName="closed")["QueueUrl"]
        arn = QUEUE.removesuffix("q")
        for name in ("closed", "none"):
            line = {"QueueArn": arn + name, "Events": ["s3:ObjectCreated:*"]}
            found = error(put, Bucket=bucket, NotificationConfiguration={"QueueConfigurations": [line]})
            assert found["Code"] == "InvalidArgument"
            assert found["Message"] == "Unable to validate the following destination configurations"
        for place, text in (
            ("arn:aws:sqs:eu-west-1:000000000000:q", "region is not valid"),
            (QUEUE + ".fifo", "Unable to validate"),
            ("arn:aws:sns:us-east-1:000000000000:q", "could not be parsed"),
        ):
            bad = {"QueueConfigurations": [{"QueueArn": place, "Events": ["s3:ObjectCreated:*"]}]}
            assert text in error(put, Bucket=bucket, NotificationConfiguration=bad)["Message"]
        line = {
            "LambdaFunctionArn": "arn:aws:lambda:us-east-1:000000000000:function:f",
            "Events": ["s3:ObjectCreated:*"],
        }
        configuration = {"LambdaFunctionConfigurations": [line]}
        assert error(put, Bucket=bucket, NotificationConfiguration=configuration)["Code"] == "InvalidArgument"
        put(Bucket=bucket, NotificationConfiguration=configuration, SkipDestinationValidation=True)
        assert is_empty(sqs, closed)

    @pytest.mark.parametrize(
        ("lines", "text"),
        [
            ([("s3:ObjectCreated:*", ""), ("s3:ObjectCreated:Put", "")], "cannot share a common event type"),
            ([("s3:ObjectCreated:*", "a"), ("s3:ObjectCreated:Put", "ab")], "overlapping prefixes"),
        ],
    )
    def test_lines_do_not_overlap(
        self, s3: Any, bucket: str, queue: str, lines: list[tuple[str, str]], text: str
    ) -> None:
        """No object's event is told twice."""
        configurations = [
            {
                "QueueArn": QUEUE,
                "Events": [event],
                "Filter": {"Key": {"FilterRules": [{"Name": "prefix", "Value": prefix}] if prefix else []}},
            }
            for event, prefix in lines
        ]
        found = error(
            s3.put_bucket_notification_configuration,
            Bucket=bucket,
            NotificationConfiguration={"QueueConfigurations": configurations},
        )
        assert text in found["Message"]


def test_a_bus_is_told(aws: Callable[..., Any], s3: Any, bucket: str, queue: str) -> None:
    """A rule gets Object Created and Object Deleted."""
    events, sqs = aws("events"), aws("sqs")
    pattern = {"source": ["aws.s3"], "detail": {"bucket": {"name": [bucket]}}}
    events.put_rule(Name="r", EventPattern=json.dumps(pattern))
    events.put_targets(Rule="r", Targets=[{"Id": "1", "Arn": QUEUE}])
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={"EventBridgeConfiguration": {}})
    s3.put_object(Bucket=bucket, Key="ä b", Body=b"123")
    made = receive(sqs, queue)
    assert (made["detail-type"], made["resources"]) == ("Object Created", [f"arn:aws:s3:::{bucket}"])
    detail = made["detail"]
    assert (detail["object"]["key"], detail["object"]["size"], detail["reason"]) == ("ä b", 3, "PutObject")
    s3.delete_object(Bucket=bucket, Key="ä b")
    gone = receive(sqs, queue)
    assert (gone["detail-type"], gone["detail"]["deletion-type"]) == ("Object Deleted", "Permanently Deleted")


def test_a_topic_is_told(aws: Callable[..., Any], s3: Any, bucket: str) -> None:
    """Through the topic to its queue."""
    sqs, sns = aws("sqs"), aws("sns")
    url = sqs.create_queue(QueueName="q")["QueueUrl"]
    topic = sns.create_topic(Name="t")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=QUEUE)
    put = s3.put_bucket_notification_configuration
    line = {"TopicArn": topic, "Events": ["s3:ObjectTagging:*"]}
    assert error(put, Bucket=bucket, NotificationConfiguration={"TopicConfigurations": [line]})["ArgumentName"] == topic
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "s3.amazonaws.com"},
        "Action": "sns:Publish",
        "Resource": topic,
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=policy)
    put(Bucket=bucket, NotificationConfiguration={"TopicConfigurations": [line]})
    assert json.loads(receive(sqs, url)["Message"])["Event"] == "s3:TestEvent"
    s3.put_object(Bucket=bucket, Key="k", Body=b"")
    s3.put_object_tagging(Bucket=bucket, Key="k", Tagging={"TagSet": [{"Key": "a", "Value": "b"}]})
    (record,) = json.loads(receive(sqs, url)["Message"])["Records"]
    assert record["eventName"] == "ObjectTagging:Put"


def test_unknown_events(s3: Any, bucket: str) -> None:
    """Those that nobody knows are bad, those that are not here are refused by name."""
    put = s3.put_bucket_notification_configuration
    for event, code in (("s3:Nonsense", "InvalidArgument"), ("s3:Replication:*", "NotImplemented")):
        line = {"QueueArn": QUEUE, "Events": [event]}
        assert error(put, Bucket=bucket, NotificationConfiguration={"QueueConfigurations": [line]})["Code"] == code


class TestCode:
    """Functions and layers whose code lies in a bucket."""

    def test_functions(self, aws: Callable[..., Any], s3: Any, bucket: str) -> None:
        """Made, and changed to a version of the object."""
        lam = aws("lambda")
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
        old = s3.put_object(Bucket=bucket, Key="f.zip", Body=package(app="def handler(e, c): return 1"))["VersionId"]
        new = package(app="def handler(e, c): return 2\n#" + "x" * 100)
        s3.put_object(Bucket=bucket, Key="f.zip", Body=new)
        code = {"S3Bucket": bucket, "S3Key": "f.zip"}
        assert create_function(lam, Code=code)["CodeSize"] == len(new)
        lam.get_waiter("function_active_v2").wait(FunctionName="f")
        assert json.loads(lam.invoke(FunctionName="f")["Payload"].read()) == 2
        lam.update_function_code(FunctionName="f", **code, S3ObjectVersion=old)
        lam.get_waiter("function_updated_v2").wait(FunctionName="f")
        assert json.loads(lam.invoke(FunctionName="f")["Payload"].read()) == 1

    def test_layers_and_errors(self, aws: Callable[..., Any], s3: Any, bucket: str) -> None:
        """What S3 says is told in Lambda's words."""
        lam = aws("lambda")
        s3.put_object(Bucket=bucket, Key="l.zip", Body=package(layer="x = 1"))
        made = lam.publish_layer_version(LayerName="l", Content={"S3Bucket": bucket, "S3Key": "l.zip"})
        assert made["Version"] == 1
        found = error(create_function, client=lam, Code={"S3Bucket": bucket, "S3Key": "none"})
        assert found["Code"] == "InvalidParameterValueException"
        assert found["Message"] == (
            "Error occurred while GetObject. S3 Error Code: NoSuchKey. S3 Error Message: "
            "The specified key does not exist."
        )


TEMPLATE = """
Transform: AWS::Serverless-2016-10-31
Resources:
  Queue: {Type: AWS::SQS::Queue}
  Bucket:
    Type: AWS::S3::Bucket
    Properties:
      VersioningConfiguration: {Status: Enabled}
      Tags: [{Key: a, Value: b}]
      LifecycleConfiguration:
        Rules:
          - {Id: a, Status: Enabled, Prefix: old/, ExpirationInDays: 3, NoncurrentVersionExpirationInDays: 1}
          - {Status: Enabled, TagFilters: [{Key: t, Value: v}], ObjectSizeGreaterThan: "5",
             Transitions: [{StorageClass: GLACIER, TransitionInDays: 0}]}
          - {Status: Enabled, AbortIncompleteMultipartUpload: {DaysAfterInitiation: 7}}
      MORE
  F:
    Type: AWS::Serverless::Function
    Properties:
      Handler: index.handler
      Runtime: python3.12
      InlineCode: |
        CODE
      Environment: {Variables: {QUEUE: !Ref Queue}}
      Events:
        Arrived:
          Type: S3
          Properties:
            Bucket: !Ref Bucket
            Events: s3:ObjectCreated:*
            Filter: {S3Key: {Rules: [{Name: suffix, Value: .jpg}]}}
Outputs:
  Queue: {Value: !Ref Queue}
  Bucket: {Value: !Ref Bucket}
  Arn: {Value: !GetAtt Bucket.Arn}
"""


def template(more: str = "") -> str:
    return TEMPLATE.replace("MORE", more).replace("CODE", FORWARD.strip().replace("\n", "\n        "))


@pytest.mark.slow
def test_an_application_hears_of_its_bucket(aws: Callable[..., Any], s3: Any) -> None:
    """SAM's S3 event: an object arrives, the function is invoked."""
    client, sqs = aws("cloudformation"), aws("sqs")
    stack = create(client, "app", template())
    assert stack["StackStatus"] == "CREATE_COMPLETE", reasons(client, "app")
    outputs = {found["OutputKey"]: found["OutputValue"] for found in stack["Outputs"]}
    assert outputs["Arn"] == f"arn:aws:s3:::{outputs['Bucket']}"
    tags = s3.get_bucket_tagging(Bucket=outputs["Bucket"])["TagSet"]
    assert {"Key": "a", "Value": "b"} in tags
    rules = s3.get_bucket_lifecycle_configuration(Bucket=outputs["Bucket"])["Rules"]
    assert [rule["Filter"] for rule in rules] == [
        {"Prefix": "old/"},
        {"And": {"Tags": [{"Key": "t", "Value": "v"}], "ObjectSizeGreaterThan": 5}},
        {"Prefix": ""},
    ]
    version = s3.put_object(Bucket=outputs["Bucket"], Key="cat.jpg", Body=b"miaow")["VersionId"]
    (record,) = receive(sqs, outputs["Queue"])["Records"]
    assert record["s3"]["object"]["versionId"] == version
    changed = update(client, "app", template("PublicAccessBlockConfiguration: {BlockPublicAcls: true}"))
    assert changed["StackStatus"] == "UPDATE_COMPLETE", reasons(client, "app")
    block = s3.get_public_access_block(Bucket=outputs["Bucket"])["PublicAccessBlockConfiguration"]
    assert block["BlockPublicAcls"] is True
    assert block["BlockPublicPolicy"] is False
    assert body(s3.get_object(Bucket=outputs["Bucket"], Key="cat.jpg")) == b"miaow"


def test_templates_are_refused_by_name(aws: Callable[..., Any]) -> None:
    """What a bucket of a template cannot have here is said before anything is created."""
    client = aws("cloudformation")
    text = "Resources: {B: {Type: 'AWS::S3::Bucket', Properties: {AccessControl: PublicRead}}}"
    assert "AccessControl PublicRead" in error(client.create_stack, StackName="s", TemplateBody=text)["Message"]


def test_a_bucket_and_its_policy(aws: Callable[..., Any], s3: Any) -> None:
    """Made, then gone with the stack."""
    client = aws("cloudformation")
    text = """
Resources:
  B: {Type: AWS::S3::Bucket, Properties: {BucketName: b-policy}}
  P:
    Type: AWS::S3::BucketPolicy
    Properties:
      Bucket: !Ref B
      PolicyDocument:
        Statement:
          - {Effect: Deny, Principal: "*", Action: "s3:*", Resource: !Sub "${B.Arn}/*",
             Condition: {Bool: {"aws:SecureTransport": false}}}
"""
    stack = create(client, "s", text)
    assert stack["StackStatus"] == "CREATE_COMPLETE", reasons(client, "s")
    assert "SecureTransport" in s3.get_bucket_policy(Bucket="b-policy")["Policy"]
    client.delete_stack(StackName="s")
    assert settle(client, stack["StackId"])["StackStatus"] == "DELETE_COMPLETE"
    assert s3.list_buckets()["Buckets"] == []
