"""`fogbank chaos` on the order system, and on a function that is not safe to repeat."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import pytest
from tests.services.test_cli import Printed

from fogbank.cli.app import main
from fogbank.cli.connection import Connection
from fogbank.cli.copies import Copy, play
from fogbank.cli.failures import Exit, Failure

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

PLANTED = """
Resources:
  Table:
    Type: AWS::DynamoDB::Table
    Properties:
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{AttributeName: id, AttributeType: S}]
      KeySchema: [{AttributeName: id, KeyType: HASH}]
  Done:
    Type: AWS::SQS::Queue
  Work:
    Type: AWS::SQS::Queue
  Map:
    Type: AWS::Lambda::EventSourceMapping
    Properties:
      EventSourceArn: !GetAtt Work.Arn
      FunctionName: !Ref Safe
      BatchSize: 1
  Rule:
    Type: AWS::Events::Rule
    Properties:
      EventPattern: {source: [shop]}
      Targets: [{Id: f, Arn: !GetAtt Unsafe.Arn}]
  Permission:
    Type: AWS::Lambda::Permission
    Properties:
      Action: lambda:InvokeFunction
      FunctionName: !Ref Unsafe
      Principal: events.amazonaws.com
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Statement: [{Effect: Allow, Action: "sts:AssumeRole", Principal: {Service: lambda.amazonaws.com}}]
  Unsafe:
    Type: AWS::Lambda::Function
    Properties:
      Runtime: python3.12
      Handler: index.handler
      Role: !GetAtt Role.Arn
      Timeout: 10
      Environment: {Variables: {TABLE: !Ref Table, DONE: !Ref Done}}
      Code:
        ZipFile: |
          import os, boto3
          def handler(event, context):
              key = {"id": {"S": event["detail"]["id"]}}
              boto3.client("dynamodb").update_item(
                  TableName=os.environ["TABLE"], Key=key, UpdateExpression="ADD charged :n",
                  ExpressionAttributeValues={":n": {"N": "5"}})
              boto3.client("sqs").send_message(QueueUrl=os.environ["DONE"], MessageBody=event["detail"]["id"])
  Safe:
    Type: AWS::Lambda::Function
    Properties:
      Runtime: python3.12
      Handler: index.handler
      Role: !GetAtt Role.Arn
      Timeout: 10
      Environment: {Variables: {TABLE: !Ref Table}}
      Code:
        ZipFile: |
          import os, time, boto3
          def handler(event, context):
              for record in event["Records"]:
                  item = {"id": {"S": record["body"]}, "at": {"N": str(time.time_ns())}}
                  boto3.client("dynamodb").put_item(TableName=os.environ["TABLE"], Item=item)
"""
STEPS = [
    {"publish": {"source": "shop", "detail-type": "t", "detail": {"id": "o-1"}, "bus": "default"}},
    {"send": {"queue": "Work", "body": "s-1"}},
    {"Source": "other", "DetailType": "t", "Detail": {"id": "x"}},
]
ORDER = {
    "orderId": "o-1",
    "idempotencyKey": "k-1",
    "lines": [{"sku": "tea", "quantity": 2, "cents": 450}],
    "card": "ok",
}


@pytest.fixture
def planted(tmp_path: Path) -> Path:
    path = tmp_path / "planted" / "template.yaml"
    path.parent.mkdir()
    path.write_text(PLANTED)
    return path


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> Printed:
    capsys.readouterr()
    with pytest.raises(SystemExit) as left:
        main(("chaos", *arguments))
    printed = capsys.readouterr()
    return Printed(int(left.value.code or 0), printed.out, printed.err)


def differing(report: dict[str, Any], name: str) -> list[str]:
    (function,) = [function for function in report["functions"] if function["name"] == name]
    return [difference["what"] for difference in function["differences"]]


def test_a_function_that_is_not_safe_is_found_and_what_differs_is_named(
    planted: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The table's item and the queue's message; the other function is safe. The report is evidence for the audit."""
    saved = tmp_path / "chaos.json"
    arguments = ("--events", json.dumps(STEPS), "--mode", "twice", "--save", str(saved))
    printed = run(capsys, str(planted), *arguments, "--json")
    assert printed.code == Exit.FAILED
    report = printed.document
    assert differing(report, "Unsafe") == ["Table id=o-1: charged 5 → 10", "Done: 1 → 2 times o-1"]
    assert differing(report, "Safe") == []
    assert report["left_out"]["attributes"] == ["Table.at"]
    assert json.loads(saved.read_text()) == report
    with pytest.raises(SystemExit):
        main(("audit", str(planted), "--no-run", "--no-lint", "--rule", "D04", "--chaos", str(saved), "--json"))
    (finding,) = json.loads(capsys.readouterr().out)["findings"]
    assert (finding["resource"], finding["severity"]) == ("Unsafe", "error")


def test_the_order_system_is_safe(capsys: pytest.CaptureFixture[str]) -> None:
    """It counts the duplicates that it answers, on purpose: that attribute is left out."""
    step = {"publish": {"source": "shop.checkout", "detail-type": "Order Placed", "detail": {**ORDER, "placedAt": 1}}}
    arguments = ("--events", json.dumps([step]), "--mode", "twice", "--mode", "timeout", "--ignore", "duplicates")
    printed = run(capsys, "examples/orders", *arguments, "--json")
    assert printed.code == Exit.DONE, printed.out
    tried = {function["name"] for function in printed.document["functions"]}
    assert {"HandleOrder", "TakePayments"} <= tried


def test_what_is_wrong_is_said(planted: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A step that is none, a queue that is none, no steps, no file."""
    refused = run(capsys, str(planted), "--events", '[{"post": {}}]', "--json")
    assert refused.code == Exit.INVALID
    assert '{"publish": ' in refused.error["do"]
    copy = Copy(cast("Connection", None), "1", {"Table": ("AWS::DynamoDB::Table", "t")})
    with pytest.raises(Failure, match=r"not an? AWS::SQS::Queue"):
        play(copy, {"send": {"queue": "Table", "body": "x"}})
    assert run(capsys, str(planted), "--events", "[]", "--json").code == Exit.INVALID
    assert run(capsys, str(planted), "--events", "nowhere.json", "--json").code == Exit.INVALID
