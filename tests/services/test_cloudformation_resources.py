"""Every resource type of the table: created, changed and deleted in the real services."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.services.stacks import create, reasons, settle, update

Aws = Callable[..., Any]
TRUST = """
        Version: '2012-10-17'
        Statement:
          - Effect: Allow
            Principal: {Service: [lambda.amazonaws.com, scheduler.amazonaws.com]}
            Action: sts:AssumeRole
"""
ALL = """
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties:
      Description: DESCRIPTION
      AssumeRolePolicyDocument:TRUST
      ManagedPolicyArns: [!Ref Managed]
      Policies:
        - PolicyName: inline
          PolicyDocument: {Statement: [{Effect: Allow, Action: 'sqs:*', Resource: '*'}]}
  Managed:
    Type: AWS::IAM::ManagedPolicy
    Properties:
      PolicyDocument:
        Version: '2012-10-17'
        Statement: [{Effect: Allow, Action: 'ACTION:*', Resource: '*'}]
  Policy:
    Type: AWS::IAM::Policy
    Properties:
      PolicyName: own
      Roles: [!Ref Role]
      Groups: [!Ref Group]
      PolicyDocument:
        Version: '2012-10-17'
        Statement: [{Effect: Allow, Action: 'ACTION:*', Resource: '*'}]
  RolePolicy:
    Type: AWS::IAM::RolePolicy
    Properties:
      PolicyName: apart
      RoleName: !Ref Role
      PolicyDocument:
        Version: '2012-10-17'
        Statement: [{Effect: Allow, Action: 'ACTION:*', Resource: '*'}]
  Group: {Type: AWS::IAM::Group}
  User: {Type: AWS::IAM::User, Properties: {Groups: [!Ref Group], Tags: [{Key: a, Value: DESCRIPTION}]}}
  Key: {Type: AWS::IAM::AccessKey, Properties: {UserName: !Ref User, Status: STATUS}}
  Profile: {Type: AWS::IAM::InstanceProfile, Properties: {Roles: [!Ref Role]}}
  Bus:
    Type: AWS::Events::EventBus
    Properties: {Name: shop, Description: DESCRIPTION}
  BusPolicy:
    Type: AWS::Events::EventBusPolicy
    Properties:
      EventBusName: !Ref Bus
      StatementId: others
      Statement: {Effect: Allow, Principal: {AWS: !Sub 'arn:aws:iam::${AWS::AccountId}:root'}, Action: events:PutEvents,
                  Resource: !GetAtt Bus.Arn}
  Rule:
    Type: AWS::Events::Rule
    Properties:
      EventBusName: !Ref Bus
      Description: DESCRIPTION
      EventPattern: {source: [shop], detail: {total: [{numeric: ['>', NUMBER]}]}}
      Targets:
        - Arn: !GetAtt Queue.Arn
          Id: TARGET
          DeadLetterConfig: {Arn: !GetAtt Dead.Arn}
          RetryPolicy: {MaximumRetryAttempts: NUMBER}
  Dead: {Type: AWS::SQS::Queue}
  Queue:
    Type: AWS::SQS::Queue
    Properties:
      VisibilityTimeout: 60
      DelaySeconds: NUMBER
      RedrivePolicy: {deadLetterTargetArn: !GetAtt Dead.Arn, maxReceiveCount: 3}
  Fifo: {Type: AWS::SQS::Queue, Properties: {FifoQueue: true, ContentBasedDeduplication: true}}
  QueuePolicy:
    Type: AWS::SQS::QueuePolicy
    Properties:
      Queues: [!Ref Queue]
      PolicyDocument:
        Statement: [{Effect: Allow, Principal: {Service: events.amazonaws.com}, Action: 'sqs:SendMessage',
                     Resource: !GetAtt Queue.Arn, Sid: TARGET}]
  Schedules: {Type: AWS::Scheduler::ScheduleGroup}
  Schedule:
    Type: AWS::Scheduler::Schedule
    Properties:
      GroupName: !Ref Schedules
      ScheduleExpression: rate(NUMBER hours)
      FlexibleTimeWindow: {Mode: 'OFF'}
      StartDate: '2030-01-01T00:00:00Z'
      Target: {Arn: !GetAtt Queue.Arn, RoleArn: !GetAtt Role.Arn, Input: '{}'}
  Table:
    Type: AWS::DynamoDB::Table
    Properties:
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{AttributeName: id, AttributeType: S}, {AttributeName: other, AttributeType: S}]
      KeySchema: [{AttributeName: id, KeyType: HASH}]
      TimeToLiveSpecification: {AttributeName: expires, Enabled: true}
      GlobalSecondaryIndexes:
        - {IndexName: INDEX, KeySchema: [{AttributeName: other, KeyType: HASH}], Projection: {ProjectionType: ALL}}
      StreamSpecification: {StreamViewType: NEW_AND_OLD_IMAGES}
      Tags: [{Key: a, Value: DESCRIPTION}]
  Group2: {Type: AWS::Logs::LogGroup, Properties: {RetentionInDays: DAYS, Tags: [{Key: a, Value: b}]}}
  Stream: {Type: AWS::Logs::LogStream, Properties: {LogGroupName: !Ref Group2}}
  LogPolicy:
    Type: AWS::Logs::ResourcePolicy
    Properties:
      PolicyName: events
      PolicyDocument: !Sub '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":
        "events.amazonaws.com"},"Action":"logs:PutLogEvents","Resource":"${Group2.Arn}","Sid":"TARGET"}]}'
  Parameter: {Type: AWS::SSM::Parameter, Properties: {Type: String, Value: !Ref Queue, Description: DESCRIPTION}}
  Handle: {Type: AWS::CloudFormation::WaitConditionHandle}
  Function:
    Type: AWS::Lambda::Function
    Properties:
      Runtime: python3.11
      Handler: index.handler
      Role: !GetAtt Role.Arn
      Timeout: 6
      Description: DESCRIPTION
      Environment: {Variables: {NUMBER_OF: NUMBER}}
      ReservedConcurrentExecutions: 5
      Code: {ZipFile: "import os, cfnresponse\\ndef handler(event, context): return os.environ['NUMBER_OF']"}
  Version: {Type: AWS::Lambda::Version, Properties: {FunctionName: !Ref Function}}
  Alias:
    Type: AWS::Lambda::Alias
    Properties: {FunctionName: !Ref Function, Name: live, FunctionVersion: !GetAtt Version.Version,
                 Description: DESCRIPTION}
  Permission:
    Type: AWS::Lambda::Permission
    Properties:
      {FunctionName: !Ref Function, Action: 'lambda:InvokeFunction', Principal: events.amazonaws.com,
       SourceArn: !GetAtt Rule.Arn}
  Mapping:
    Type: AWS::Lambda::EventSourceMapping
    Properties: {FunctionName: !Ref Alias, EventSourceArn: !GetAtt Queue.Arn, BatchSize: NUMBER,
                 FunctionResponseTypes: [ReportBatchItemFailures]}
  InvokeConfig:
    Type: AWS::Lambda::EventInvokeConfig
    Properties: {FunctionName: !Ref Function, Qualifier: $LATEST, MaximumRetryAttempts: 1,
                 DestinationConfig: {OnFailure: {Destination: !GetAtt Dead.Arn}}}
Outputs:
  Function: {Value: !Ref Function}
  Queue: {Value: !Ref Queue}
  Table: {Value: !Ref Table}
  Stream: {Value: !GetAtt Table.StreamArn}
  Rule: {Value: !Ref Rule}
  Mapping: {Value: !Ref Mapping}
  Role: {Value: !Ref Role}
  Secret: {Value: !GetAtt Key.SecretAccessKey}
  Group2: {Value: !Ref Group2}
  Alias: {Value: !Ref Alias}
  Schedule: {Value: !Ref Schedule}
  Schedules: {Value: !Ref Schedules}
""".replace("TRUST", TRUST)
FIRST = {"DESCRIPTION": "one", "ACTION": "sqs", "STATUS": "Active", "NUMBER": "2", "TARGET": "first",
         "INDEX": "byOther", "DAYS": "7"}  # fmt: skip
SECOND = {"DESCRIPTION": "two", "ACTION": "logs", "STATUS": "Inactive", "NUMBER": "3", "TARGET": "second",
          "INDEX": "new", "DAYS": "14"}  # fmt: skip


def filled(values: dict[str, str]) -> str:
    template = ALL
    for name, value in values.items():
        template = template.replace("NUMBER_OF", "#").replace(name, value).replace("#", "NUMBER_OF")
    return template


def outputs(stack: dict[str, Any]) -> dict[str, str]:
    return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}


def check(aws: Aws, found: dict[str, str], values: dict[str, str]) -> None:
    """What stands is what the template says."""
    number = values["NUMBER"]
    function = aws("lambda").get_function(FunctionName=found["Function"])
    assert function["Configuration"]["Description"] == values["DESCRIPTION"]
    assert function["Configuration"]["Environment"]["Variables"] == {"NUMBER_OF": number}
    assert function["Concurrency"]["ReservedConcurrentExecutions"] == 5
    answer = aws("lambda").invoke(FunctionName=found["Function"])
    assert json.loads(answer["Payload"].read()) == number
    mapping = aws("lambda").get_event_source_mapping(UUID=found["Mapping"])
    assert (mapping["BatchSize"], mapping["State"]) == (int(number), "Enabled")
    attributes = aws("sqs").get_queue_attributes(QueueUrl=found["Queue"], AttributeNames=["All"])["Attributes"]
    assert attributes["DelaySeconds"] == number
    assert values["TARGET"] in attributes["Policy"]
    table = aws("dynamodb").describe_table(TableName=found["Table"])["Table"]
    assert [index["IndexName"] for index in table["GlobalSecondaryIndexes"]] == [values["INDEX"]]
    assert table["LatestStreamArn"] == found["Stream"]
    time_to_live = aws("dynamodb").describe_time_to_live(TableName=found["Table"])["TimeToLiveDescription"]
    assert time_to_live == {"TimeToLiveStatus": "ENABLED", "AttributeName": "expires"}
    bus, rule = found["Rule"].split("|")
    targets = aws("events").list_targets_by_rule(Rule=rule, EventBusName=bus)["Targets"]
    assert [(target["Id"], target["RetryPolicy"]) for target in targets] == [
        (values["TARGET"], {"MaximumRetryAttempts": int(number)})
    ]
    schedule = aws("scheduler").get_schedule(Name=found["Schedule"], GroupName=found["Schedules"])
    assert schedule["ScheduleExpression"] == f"rate({number} hours)"
    assert schedule["StartDate"].year == 2030
    role = aws("iam").get_role(RoleName=found["Role"])["Role"]
    assert role["Description"] == values["DESCRIPTION"]
    assert sorted(aws("iam").list_role_policies(RoleName=found["Role"])["PolicyNames"]) == ["apart", "inline", "own"]
    assert len(aws("iam").list_attached_role_policies(RoleName=found["Role"])["AttachedPolicies"]) == 1
    groups = aws("logs").describe_log_groups(logGroupNamePrefix=found["Group2"])["logGroups"]
    assert [group["retentionInDays"] for group in groups] == [int(values["DAYS"])]


def left(aws: Aws) -> list[Any]:
    """What is there in the services."""
    found: list[Any] = []
    found += aws("sqs").list_queues().get("QueueUrls", [])
    found += aws("dynamodb").list_tables()["TableNames"]
    found += aws("lambda").list_functions()["Functions"]
    found += aws("lambda").list_event_source_mappings()["EventSourceMappings"]
    found += [bus for bus in aws("events").list_event_buses()["EventBuses"] if bus["Name"] != "default"]
    found += aws("scheduler").list_schedules()["Schedules"]
    found += aws("iam").list_roles()["Roles"] + aws("iam").list_users()["Users"] + aws("iam").list_groups()["Groups"]
    found += (
        aws("iam").list_policies(Scope="Local")["Policies"] + aws("iam").list_instance_profiles()["InstanceProfiles"]
    )
    found += aws("ssm").describe_parameters()["Parameters"]
    return found


@pytest.mark.slow
def test_every_type_is_created_changed_and_deleted(aws: Aws) -> None:
    client = aws("cloudformation")
    stack = create(client, "all", filled(FIRST))
    assert stack["StackStatus"] == "CREATE_COMPLETE", reasons(client, "all")
    first = outputs(stack)
    check(aws, first, FIRST)
    stack = update(client, "all", filled(SECOND))
    assert stack["StackStatus"] == "UPDATE_COMPLETE", reasons(client, "all")
    second = outputs(stack)
    check(aws, second, SECOND)
    assert {name for name in first if first[name] != second[name]} == set()
    stack = update(client, "all", filled(FIRST))
    assert stack["StackStatus"] == "UPDATE_COMPLETE", reasons(client, "all")
    check(aws, outputs(stack), FIRST)
    client.delete_stack(StackName="all")
    assert settle(client, stack["StackId"])["StackStatus"] == "DELETE_COMPLETE", reasons(client, stack["StackId"])
    assert left(aws) == []


def test_what_is_taken_out_goes_back_to_its_default(aws: Aws) -> None:
    client = aws("cloudformation")
    full = "Resources: {Q: {Type: AWS::SQS::Queue, Properties: {DelaySeconds: 5, VisibilityTimeout: 60}}}\n"
    out = "Outputs: {Q: {Value: !Ref Q}}\n"
    url = outputs(create(client, "s", full + out))["Q"]
    update(client, "s", "Resources: {Q: {Type: AWS::SQS::Queue}}\n" + out)
    found = aws("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert (found["DelaySeconds"], found["VisibilityTimeout"]) == ("0", "30")


@pytest.mark.slow
def test_a_published_version_follows_its_functions_code(aws: Aws) -> None:
    """SAM's AutoPublishAlias gives the version a new logical id whenever the code changes."""
    client = aws("cloudformation")
    template = """
Transform: AWS::Serverless-2016-10-31
Resources:
  F:
    Type: AWS::Serverless::Function
    Properties: {Handler: index.handler, Runtime: python3.11, AutoPublishAlias: live, InlineCode: "CODE"}
Outputs: {F: {Value: !Ref F}, Alias: {Value: !Ref F.Alias}}
"""
    code = "def handler(event, context): return RESULT"
    found = outputs(create(client, "s", template.replace("CODE", code.replace("RESULT", "1"))))
    answer = aws("lambda").invoke(FunctionName=found["Alias"])
    assert (answer["ExecutedVersion"], answer["Payload"].read()) == ("1", b"1")
    update(client, "s", template.replace("CODE", code.replace("RESULT", "2")))
    answer = aws("lambda").invoke(FunctionName=found["Alias"])
    assert (answer["ExecutedVersion"], answer["Payload"].read()) == ("2", b"2")
    assert client.get_template(StackName="s", TemplateStage="Processed")["TemplateBody"]["Resources"].keys() >= {
        "F", "FRole", "FAliaslive",
    }  # fmt: skip


@pytest.mark.parametrize("policy", ["Retain", "Delete"])
def test_what_was_replaced_is_kept_or_deleted_as_its_policy_says(aws: Aws, policy: str) -> None:
    client, logs = aws("cloudformation"), aws("logs")
    template = "Resources: {G: {Type: AWS::Logs::LogGroup, UpdateReplacePolicy: P, Properties: {LogGroupName: N}}}"
    template = template.replace("P,", f"{policy},")
    create(client, "s", template.replace("N}", "one}"))
    update(client, "s", template.replace("N}", "two}"))
    names = [group["logGroupName"] for group in logs.describe_log_groups()["logGroups"]]
    assert names == (["one", "two"] if policy == "Retain" else ["two"])


def test_stacks_are_nested(aws: Aws, tmp_path: Path) -> None:
    """Outputs come out, parameters and tags go in, changes and failures are the parent's."""
    client, sqs = aws("cloudformation"), aws("sqs")
    inner = tmp_path / "inner.yaml"
    inner.write_text("""
Parameters: {Delay: {Type: Number}}
Resources: {Q: {Type: AWS::SQS::Queue, Properties: {DelaySeconds: !Ref Delay}}}
Outputs: {Url: {Value: !Ref Q}}
""")
    outer = f"""
Resources:
  Inner:
    Type: AWS::CloudFormation::Stack
    Properties:
      TemplateURL: https://fogbank-local.s3.amazonaws.com{inner}
      Parameters: {{Delay: DELAY}}
Outputs: {{Url: {{Value: !GetAtt Inner.Outputs.Url}}, Inner: {{Value: !Ref Inner}}}}
"""
    tags = [{"Key": "a", "Value": "b"}]
    stack = create(client, "outer", outer.replace("DELAY", "5"), Tags=tags)
    assert stack["StackStatus"] == "CREATE_COMPLETE", reasons(client, "outer")
    found = outputs(stack)
    assert sqs.list_queue_tags(QueueUrl=found["Url"])["Tags"] == {"a": "b"}
    nested = client.describe_stacks(StackName=found["Inner"])["Stacks"][0]
    assert (nested["ParentId"], nested["RootId"]) == (stack["StackId"], stack["StackId"])
    stack = update(client, "outer", outer.replace("DELAY", "7"))
    assert stack["StackStatus"] == "UPDATE_COMPLETE"
    attributes = sqs.get_queue_attributes(QueueUrl=found["Url"], AttributeNames=["DelaySeconds"])["Attributes"]
    assert attributes == {"DelaySeconds": "7"}
    stack = update(client, "outer", outer.replace("DELAY", "7000"))
    assert stack["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert "was not successfully updated" in reasons(client, "outer")["Inner"]
    client.delete_stack(StackName="outer")
    assert settle(client, stack["StackId"])["StackStatus"] == "DELETE_COMPLETE"
    assert settle(client, found["Inner"])["StackStatus"] == "DELETE_COMPLETE"
    assert "QueueUrls" not in sqs.list_queues()


def test_stacks_that_nest_themselves_end(aws: Aws, tmp_path: Path) -> None:
    client = aws("cloudformation")
    itself = tmp_path / "itself.yaml"
    itself.write_text(f"""
Resources:
  Again:
    Type: AWS::CloudFormation::Stack
    Properties: {{TemplateURL: 'https://fogbank-local.s3.amazonaws.com{itself}'}}
""")
    stack = create(client, "snake", itself.read_text())
    assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
    assert "was not successfully created" in reasons(client, "snake")["Again"]


def test_cloudformation_marks_what_it_makes(aws: Aws) -> None:
    """Its own tags are on the types that AWS puts them on; a user can neither set such tags nor is kept from others."""
    client = aws("cloudformation")
    template = """
Resources:
  Group: {Type: AWS::Logs::LogGroup, Properties: {LogGroupName: g}}
  Bus: {Type: AWS::Events::EventBus, Properties: {Name: b}}
  Rule: {Type: AWS::Events::Rule, Properties: {EventBusName: !Ref Bus, EventPattern: {source: [a]}}}
  Schedules: {Type: AWS::Scheduler::ScheduleGroup, Properties: {Name: s}}
  Parameter: {Type: AWS::SSM::Parameter, Properties: {Name: p, Type: String, Value: v}}
  Queue: {Type: AWS::SQS::Queue}
Outputs: {Rule: {Value: !GetAtt Rule.Arn}, Schedules: {Value: !GetAtt Schedules.Arn}, Queue: {Value: !Ref Queue}}
"""
    stack = create(client, "shop", template, Tags=[{"Key": "team", "Value": "a"}])
    assert stack["StackStatus"] == "CREATE_COMPLETE", reasons(client, "shop")
    arn, found = stack["StackId"], outputs(stack)

    def expected(logical_id: str, team: str = "a") -> dict[str, str]:
        marks = {"stack-name": "shop", "stack-id": arn, "logical-id": logical_id}
        return {"team": team} | {f"aws:cloudformation:{key}": value for key, value in marks.items()}

    def of_rule() -> dict[str, str]:
        tags = aws("events").list_tags_for_resource(ResourceARN=found["Rule"])["Tags"]
        return {tag["Key"]: tag["Value"] for tag in tags}

    group = aws("logs").list_tags_for_resource(resourceArn="arn:aws:logs:us-east-1:000000000000:log-group:g")["tags"]
    assert group == expected("Group")
    assert of_rule() == expected("Rule")
    schedules = aws("scheduler").list_tags_for_resource(ResourceArn=found["Schedules"])["Tags"]
    assert {tag["Key"]: tag["Value"] for tag in schedules} == expected("Schedules")
    parameter = aws("ssm").list_tags_for_resource(ResourceType="Parameter", ResourceId="p")["TagList"]
    assert {tag["Key"]: tag["Value"] for tag in parameter} == expected("Parameter")
    assert aws("sqs").list_queue_tags(QueueUrl=found["Queue"])["Tags"] == {"team": "a"}
    update(client, "shop", template, Tags=[{"Key": "team", "Value": "b"}])
    assert of_rule() == expected("Rule", "b")
    aws("events").tag_resource(ResourceARN=found["Rule"], Tags=[{"Key": "own", "Value": "c"}])
    with pytest.raises(ClientError, match="reserved"):
        aws("events").tag_resource(ResourceARN=found["Rule"], Tags=[{"Key": "aws:x", "Value": "c"}])
