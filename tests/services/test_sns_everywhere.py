"""Topics as the targets of other services, in templates, and in state machines."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from tests.services.lambda_code import ROLE, RUNTIME, package
from tests.services.stacks import create, reasons, settle, update
from tests.services.topics import bodies, queue, refused, subscribe, topic

Aws = Callable[..., Any]
STACK = """
Resources:
  Topic:
    Type: AWS::SNS::Topic
    Properties:
      DisplayName: DISPLAY
      Tags: [{Key: a, Value: DISPLAY}]
      Subscription: [{Protocol: sqs, Endpoint: !GetAtt Queue.Arn}]
  Fifo: {Type: AWS::SNS::Topic, Properties: {FifoTopic: true, ContentBasedDeduplication: true}}
  Queue: {Type: AWS::SQS::Queue}
  Other: {Type: AWS::SQS::Queue}
  Subscription:
    Type: AWS::SNS::Subscription
    Properties:
      TopicArn: !Ref Topic
      Protocol: sqs
      Endpoint: !GetAtt Other.Arn
      RawMessageDelivery: true
      FilterPolicy: {kind: [DISPLAY]}
      RedrivePolicy: {deadLetterTargetArn: !GetAtt Queue.Arn}
  Policy:
    Type: AWS::SNS::TopicPolicy
    Properties:
      Topics: [!Ref Topic]
      PolicyDocument:
        Statement: [{Effect: Allow, Principal: '*', Action: 'sns:Publish', Resource: !Ref Topic, Sid: DISPLAY}]
  Inline:
    Type: AWS::SNS::TopicInlinePolicy
    Properties:
      TopicArn: !Ref Fifo
      PolicyDocument: {Statement: [{Effect: Allow, Principal: '*', Action: 'sns:Publish', Resource: !Ref Fifo}]}
Outputs:
  Arn: {Value: !Ref Topic}
  Name: {Value: !GetAtt Topic.TopicName}
  Fifo: {Value: !GetAtt Fifo.TopicArn}
  Subscription: {Value: !Ref Subscription}
  Queue: {Value: !Ref Queue}
  Other: {Value: !Ref Other}
"""
SAM = """
Transform: AWS::Serverless-2016-10-31
Resources:
  Topic: {Type: AWS::SNS::Topic}
  Function:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: RUNTIME
      Handler: index.handler
      InlineCode: |
        import boto3, os
        def handler(event, context):
            (record,) = event["Records"]
            source = record.get("EventSource") or record["eventSource"]
            boto3.client("sqs", endpoint_url=os.environ["AWS_ENDPOINT_URL"]).send_message(
                QueueUrl=os.environ["QUEUE"], MessageBody=source)
      Environment: {Variables: {QUEUE: !Ref Out}}
      Policies: [{SQSSendMessagePolicy: {QueueName: !GetAtt Out.QueueName}}]
      Events:
        Direct: {Type: SNS, Properties: {Topic: !Ref Topic, FilterPolicy: {to: [function]}}}
        Queued: {Type: SNS, Properties: {Topic: !Ref Topic, SqsSubscription: true, FilterPolicy: {to: [queue]}}}
  Out: {Type: AWS::SQS::Queue}
Outputs:
  Topic: {Value: !Ref Topic}
  Out: {Value: !Ref Out}
"""


def outputs(stack: dict[str, Any]) -> dict[str, str]:
    return {each["OutputKey"]: each["OutputValue"] for each in stack["Outputs"]}


def test_topics_in_templates(aws: Aws) -> None:
    """Every type is created, changed and deleted; `Ref` and attributes are what AWS's page says."""
    stacks, sns, sqs = aws("cloudformation"), aws("sns"), aws("sqs")
    stack = create(stacks, "s", STACK.replace("DISPLAY", "one"))
    assert stack["StackStatus"] == "CREATE_COMPLETE", reasons(stacks, "s")
    found = outputs(stack)
    assert found["Arn"].startswith("arn:aws:sns:us-east-1:000000000000:s-Topic-")
    assert found["Arn"].endswith(f":{found['Name']}")
    assert found["Fifo"].endswith(".fifo")
    kinds = {"kind": {"DataType": "String", "StringValue": "one"}}
    sns.publish(TopicArn=found["Arn"], Message="m", MessageAttributes=kinds)
    assert bodies(sqs, found["Other"]) == ["m"]
    assert [json.loads(body)["Message"] for body in bodies(sqs, found["Queue"])] == ["m"]
    assert '"Sid":"one"' in sns.get_topic_attributes(TopicArn=found["Arn"])["Attributes"]["Policy"]
    tags = {tag["Key"]: tag["Value"] for tag in sns.list_tags_for_resource(ResourceArn=found["Arn"])["Tags"]}
    assert (tags["a"], tags["aws:cloudformation:stack-name"]) == ("one", "s")

    changed = STACK.replace("DISPLAY", "two").replace(
        "      Subscription: [{Protocol: sqs, Endpoint: !GetAtt Queue.Arn}]\n", ""
    )
    changed = changed.replace("      RawMessageDelivery: true\n", "")
    stack = update(stacks, "s", changed)
    assert stack["StackStatus"] == "UPDATE_COMPLETE", reasons(stacks, "s")
    assert outputs(stack)["Arn"] == found["Arn"]
    attributes = sns.get_topic_attributes(TopicArn=found["Arn"])["Attributes"]
    assert (attributes["DisplayName"], attributes["SubscriptionsConfirmed"]) == ("two", "1")
    assert '"Sid":"two"' in attributes["Policy"]
    subscription = sns.get_subscription_attributes(SubscriptionArn=found["Subscription"])["Attributes"]
    assert (subscription["RawMessageDelivery"], subscription["FilterPolicy"]) == ("false", '{"kind":["two"]}')

    stacks.delete_stack(StackName=stack["StackId"])
    assert settle(stacks, stack["StackId"])["StackStatus"] == "DELETE_COMPLETE"
    assert sns.list_topics()["Topics"] == []
    assert sns.list_subscriptions()["Subscriptions"] == []


def test_a_stack_tells_its_topics_what_happens(aws: Aws, heard: tuple[str, Callable[[], Any]]) -> None:
    """NotificationARNs: each event, as lines; shown with the stack, and known to its template."""
    target, following = heard
    stacks = aws("cloudformation")
    text = "Resources: {Q: {Type: 'AWS::SQS::Queue'}}\nOutputs: {T: {Value: !Select [0, !Ref 'AWS::NotificationARNs']}}"
    stack = create(stacks, "s", text, NotificationARNs=[target])
    assert stack["NotificationARNs"] == [target]
    assert outputs(stack) == {"T": target}
    told = [dict(line.split("=", 1) for line in following()["Body"].splitlines()) for _ in range(5)]
    assert [(each["LogicalResourceId"], each["ResourceStatus"]) for each in told] == [
        ("'s'", "'CREATE_IN_PROGRESS'"),
        ("'Q'", "'CREATE_IN_PROGRESS'"),
        ("'Q'", "'CREATE_IN_PROGRESS'"),
        ("'Q'", "'CREATE_COMPLETE'"),
        ("'s'", "'CREATE_COMPLETE'"),
    ]
    assert told[0]["StackId"] == f"'{stack['StackId']}'"
    assert update(stacks, "s", text.partition("\n")[0], NotificationARNs=[])["NotificationARNs"] == []
    with refused("ValidationError"):
        create(stacks, "x", text, NotificationARNs=["arn:aws:sqs:us-east-1:000000000000:q"])


def test_what_templates_of_topics_lack_is_refused_by_name(aws: Aws) -> None:
    """Before anything is created."""
    stacks = aws("cloudformation")
    text = "Resources: {T: {Type: 'AWS::SNS::Topic', Properties: {DataProtectionPolicy: {}}}}"
    with refused("ValidationError"):
        create(stacks, "s", text)


@pytest.mark.slow
def test_sam_functions_listen_to_topics(aws: Aws) -> None:
    """Events of the type SNS, directly and through a queue."""
    stacks, sns, sqs = aws("cloudformation"), aws("sns"), aws("sqs")
    stack = create(stacks, "s", SAM.replace("RUNTIME", RUNTIME))
    assert stack["StackStatus"] == "CREATE_COMPLETE", reasons(stacks, "s")
    found = outputs(stack)
    for to, source in (("function", "aws:sns"), ("queue", "aws:sqs")):
        attributes = {"to": {"DataType": "String", "StringValue": to}}
        sns.publish(TopicArn=found["Topic"], Message="m", MessageAttributes=attributes)
        (message,) = sqs.receive_message(QueueUrl=found["Out"], WaitTimeSeconds=20)["Messages"]
        assert message["Body"] == source
        sqs.delete_message(QueueUrl=found["Out"], ReceiptHandle=message["ReceiptHandle"])


@pytest.fixture
def heard(aws: Aws) -> tuple[str, Callable[[], Any]]:
    """A topic's ARN, and what its queue gets next (raw)."""
    sns, sqs = aws("sns"), aws("sqs")
    url, arn = queue(sqs)
    target = topic(sns)
    subscribe(sns, target, arn, RawMessageDelivery="true")

    def next_message() -> Any:
        reply = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20, MessageAttributeNames=["All"])
        (message,) = reply["Messages"]
        sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return message

    return target, next_message


def test_a_rule_publishes(aws: Aws, heard: tuple[str, Callable[[], Any]]) -> None:
    """An event becomes a message, as it is or as the transformer makes it."""
    target, following = heard
    events = aws("events")
    events.put_rule(Name="r", EventPattern='{"source":["s"]}')
    events.put_targets(Rule="r", Targets=[{"Id": "t", "Arn": target}])
    events.put_events(Entries=[{"Source": "s", "DetailType": "d", "Detail": '{"a":1}'}])
    assert json.loads(following()["Body"])["detail"] == {"a": 1}


def test_a_schedule_publishes(server: Any, heard: tuple[str, Callable[[], Any]]) -> None:
    """To a topic, as its templated target and as a universal one."""
    target, following = heard
    scheduler = server.client("scheduler")
    role = "arn:aws:iam::000000000000:role/scheduler"
    universal = json.dumps({"TopicArn": target, "Message": "universal"})
    for name, arn, given in (("a", target, "m"), ("b", "arn:aws:scheduler:::aws-sdk:sns:publish", universal)):
        scheduler.create_schedule(
            Name=name, ScheduleExpression="rate(1 minute)", FlexibleTimeWindow={"Mode": "OFF"},
            Target={"Arn": arn, "RoleArn": role, "Input": given},
        )  # fmt: skip
    server.post("/_fogbank/clock", {"seconds": 61})
    assert {following()["Body"], following()["Body"]} == {"m", "universal"}


def test_an_alarm_publishes(server: Any, heard: tuple[str, Callable[[], Any]]) -> None:
    """SetAlarmState calls the action: AWS's message."""
    target, following = heard
    watch = server.client("cloudwatch")
    watch.put_metric_alarm(
        AlarmName="a", Namespace="N", MetricName="m", Statistic="Sum", Period=60, EvaluationPeriods=1, Threshold=1,
        ComparisonOperator="GreaterThanThreshold", AlarmActions=[target],
    )  # fmt: skip
    watch.set_alarm_state(AlarmName="a", StateValue="ALARM", StateReason="why")
    document = json.loads(following()["Body"])
    assert (document["AlarmName"], document["NewStateValue"], document["NewStateReason"]) == ("a", "ALARM", "why")
    actions: list[Any] = []
    while not actions:
        actions = watch.describe_alarm_history(AlarmName="a", HistoryItemType="Action")["AlarmHistoryItems"]
    assert actions[0]["HistorySummary"] == f"Successfully executed action {target}"


@pytest.mark.slow
def test_functions_publish_what_becomes_of_them(aws: Aws, heard: tuple[str, Callable[[], Any]]) -> None:
    """Destinations of asynchronous invocations, and the dead-letter configuration."""
    target, following = heard
    functions = aws("lambda")
    code = package(app="def handler(event, context):\n    return {'ok': event['n'] // event['d']}\n")
    functions.create_function(
        FunctionName="f", Runtime=RUNTIME, Role=ROLE, Handler="app.handler", Code={"ZipFile": code}, Timeout=30,
        DeadLetterConfig={"TargetArn": target},
    )  # fmt: skip
    functions.put_function_event_invoke_config(
        FunctionName="f", MaximumRetryAttempts=0, DestinationConfig={"OnSuccess": {"Destination": target}}
    )
    functions.invoke(FunctionName="f", InvocationType="Event", Payload=b'{"n":4,"d":2}')
    document = json.loads(following()["Body"])
    assert (document["requestContext"]["condition"], document["responsePayload"]) == ("Success", {"ok": 2})
    functions.invoke(FunctionName="f", InvocationType="Event", Payload=b'{"n":4,"d":0}')
    letter = following()
    assert json.loads(letter["Body"]) == {"n": 4, "d": 0}
    assert letter["MessageAttributes"]["ErrorCode"]["StringValue"] == "200"


def test_state_machines_publish(aws: Aws, heard: tuple[str, Callable[[], Any]]) -> None:
    """Request and response, waiting for the token that the message carries, and through the SDK integration."""
    target, following = heard
    states = aws("stepfunctions")
    parameters = {"TopicArn": target, "Message": {"token.$": "$$.Task.Token", "input.$": "$"}}
    waiting = {"Type": "Task", "Resource": "arn:aws:states:::sns:publish.waitForTaskToken", "Parameters": parameters}
    own = {
        "TopicArn": target,
        "Message": "done",
        "MessageAttributes": {"a": {"DataType": "String", "StringValue": "v"}},
    }
    simple = {"Type": "Task", "Resource": "arn:aws:states:::sns:publish", "Parameters": own, "ResultPath": "$.sent"}
    tags = {"Type": "Task", "Resource": "arn:aws:states:::aws-sdk:sns:getTopicAttributes",
            "Parameters": {"TopicArn": target}, "ResultPath": "$.topic"}  # fmt: skip
    definition = {
        "StartAt": "A",
        "States": {"A": {**waiting, "Next": "B"}, "B": {**simple, "Next": "C"}, "C": {**tags, "End": True}},
    }
    machine = states.create_state_machine(name="m", definition=json.dumps(definition), roleArn=ROLE)["stateMachineArn"]
    execution = states.start_execution(stateMachineArn=machine, input='{"n":1}')["executionArn"]
    asked = json.loads(following()["Body"])
    assert asked["input"] == {"n": 1}
    states.send_task_success(taskToken=asked["token"], output='{"answer":2}')
    last = following()
    assert (last["Body"], last["MessageAttributes"]["a"]["StringValue"]) == ("done", "v")
    while (found := states.describe_execution(executionArn=execution))["status"] == "RUNNING":
        pass
    output = json.loads(found["output"])
    assert output["topic"]["Attributes"]["TopicArn"] == target
    assert set(output["sent"]) >= {"MessageId", "SdkHttpMetadata", "SdkResponseMetadata"}
