"""`fogbank audit` on templates of files, and on what a real server did."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.conftest import ServerProcess
from tests.services.test_cli import Fogbank, fogbank

from fogbank.cli.failures import Exit
from fogbank.cli.observed import function_run

__all__ = ["fogbank"]

TEMPLATE = """
AWSTemplateFormatVersion: "2010-09-09"
Resources:
  Bus:
    Type: AWS::Events::EventBus
    Properties:
      Name: audited
  Queue:
    Type: AWS::SQS::Queue
    Properties:
      QueueName: audited
  Orders:
    Type: AWS::Events::Rule
    Properties:
      EventBusName: !Ref Bus
      EventPattern: {source: [shop]}
      Targets:
        - {Id: queue, Arn: !GetAtt Queue.Arn}
  Misspelt:
    Type: AWS::Events::Rule
    Properties:
      EventBusName: !Ref Bus
      EventPattern: {source: [shopp]}
      Targets:
        - {Id: queue, Arn: !GetAtt Queue.Arn}
  Off:
    Type: AWS::Events::Rule
    Properties:
      EventBusName: !Ref Bus
      State: DISABLED
      EventPattern: {source: [other]}
      Targets:
        - {Id: queue, Arn: !GetAtt Queue.Arn}
"""


@pytest.fixture
def template(tmp_path: Path) -> Path:
    """A template in a folder of its own."""
    path = tmp_path / "audited" / "template.yaml"
    path.parent.mkdir()
    path.write_text(TEMPLATE)
    return path


def rules(document: dict[str, list[dict[str, str]]]) -> set[tuple[str, str]]:
    return {(finding["rule"], finding["resource"]) for finding in document["findings"]}


def test_a_template_alone(template: Path, fogbank: Fogbank) -> None:
    """Each finding has the line of its resource; exit code by severity."""
    printed = fogbank("audit", str(template), "--no-run", "--no-lint", "--json")
    assert printed.code == Exit.DONE
    assert rules(printed.document) == {
        ("W02", "Off"), ("W04", "Queue"), ("D02", "Orders"), ("D02", "Misspelt"), ("D02", "Off"),
    }  # fmt: skip
    assert {f["line"] for f in printed.document["findings"] if f["resource"] == "Queue"} == {8}
    assert fogbank("audit", str(template), "--no-run", "--no-lint", "--fail-on", "warning").code == Exit.FAILED
    assert fogbank("audit", str(template), "--no-run", "--no-lint", "--fail-on", "never").code == Exit.DONE


def test_a_run_is_evidence(server: ServerProcess, template: Path, fogbank: Fogbank) -> None:
    """Events came to the bus, and large ones to the queue: the server knows."""
    assert fogbank("deploy", str(template), "--stack", "audited").code == Exit.DONE
    events = server.client("events")
    events.put_events(Entries=[{"Source": "shop", "DetailType": "a", "Detail": "{}", "EventBusName": "audited"}])
    queue = server.client("sqs").get_queue_url(QueueName="audited")["QueueUrl"]
    server.client("sqs").send_message(QueueUrl=queue, MessageBody="x" * 200 * 1024)
    found = fogbank("audit", str(template), "--stack", "audited", "--no-lint", "--json").document
    assert ("D01", "Queue") in rules(found)
    assert ("W01", "Misspelt") in rules(found)
    assert not {("W01", "Orders"), ("W01", "Off")} & rules(found)
    deployed = fogbank("audit", "--stack", "audited", "--no-lint", "--json").document
    assert rules(deployed) == rules(found)
    shown = fogbank("audit", str(template), "--stack", "audited", "--no-lint").out
    assert "1 payloads were larger than 192 KB" in shown
    assert "claim check" in shown


def test_sarif_for_the_platforms_that_show_it(template: Path, fogbank: Fogbank) -> None:
    """Version 2.1.0, with every rule."""
    log = json.loads(fogbank("audit", str(template), "--no-run", "--no-lint", "--format", "sarif").out)
    assert log["version"] == "2.1.0"
    assert {result["ruleId"] for result in log["runs"][0]["results"]} == {"W02", "W04", "D02"}


def test_without_a_server_the_template_alone_is_looked_at(template: Path, fogbank: Fogbank) -> None:
    """And it says so."""
    printed = fogbank("audit", str(template), "--no-lint", "--endpoint", "http://127.0.0.1:1")
    assert printed.code == Exit.DONE
    assert "no server answers" in printed.err
    assert "of the template alone" in printed.out


def test_what_is_not_deployed_is_not_audited(tmp_path: Path, fogbank: Fogbank) -> None:
    """A resource whose condition does not hold with the parameters' defaults."""
    path = tmp_path / "template.yaml"
    head = "Parameters: {Stage: {Type: String, Default: test}}\nConditions: {Live: !Equals [!Ref Stage, live]}\n"
    path.write_text(
        head + "Resources:\n  Queue: {Type: AWS::SQS::Queue}\n  Other: {Type: AWS::SQS::Queue, Condition: Live}\n"
    )
    found = fogbank("audit", str(path), "--no-run", "--no-lint", "--json").document
    assert rules(found) == {("W04", "Queue")}


def test_reports_are_read_as_text_and_as_json() -> None:
    """Both forms say the same."""
    text = (
        "REPORT RequestId: 1\tDuration: 10.20 ms\tBilled Duration: 211 ms\tMemory Size: 128 MB\t"
        "Max Memory Used: 40 MB\tInit Duration: 200.00 ms\t"
    )
    metrics = {
        "durationMs": 10.2, "billedDurationMs": 211, "memorySizeMB": 128, "maxMemoryUsedMB": 40,
        "initDurationMs": 200.0,
    }  # fmt: skip
    document = json.dumps({"type": "platform.report", "record": {"metrics": metrics}})
    assert function_run([text]) == function_run([document])
    assert function_run([text, "START", "{}"]) == function_run([text])
    assert function_run([]) is None


def test_what_is_wrong_is_said(tmp_path: Path, fogbank: Fogbank) -> None:
    """A rule that there is not, a template that is none, a report that is none."""
    assert fogbank("audit", "--rule", "X99", "--json").code == Exit.USAGE
    path = tmp_path / "template.yaml"
    path.write_text("Resources: {}")
    assert "no Resources" in fogbank("audit", str(path), "--no-run", "--json").error["what"]
    path.write_text(TEMPLATE)
    chaos = tmp_path / "chaos.json"
    chaos.write_text("{}")
    refused = fogbank("audit", str(path), "--no-run", "--chaos", str(chaos), "--json")
    assert refused.code == Exit.INVALID
    assert "fogbank chaos" in refused.error["do"]


@pytest.mark.slow
def test_what_cfn_lint_finds_is_in_the_list(tmp_path: Path, fogbank: Fogbank) -> None:
    """Its rules come with their names, under their own severities."""
    path = tmp_path / "template.yaml"
    path.write_text("Resources:\n  Q:\n    Type: AWS::SQS::Queue\n    Properties:\n      Fifo: true\n")
    printed = fogbank("audit", str(path), "--no-run", "--json")
    assert printed.code == Exit.FAILED
    assert ("cfn-lint/E3002", "Q") in rules(printed.document)


@pytest.mark.slow
def test_the_order_system_has_no_dangers(fogbank: Fogbank) -> None:
    """SAM is translated by its own translator; every function's code is read."""
    printed = fogbank("audit", "examples/orders", "--no-run", "--no-lint", "--json")
    assert printed.code == Exit.DONE
    assert printed.document["counts"]["error"] == 0
    assert {rule for rule, _ in rules(printed.document)} == {"D02", "W09"}
    made = {f["resource"]: f["made_of"] for f in printed.document["findings"] if f["made_of"]}
    assert made == {"SweepOrdersEveryMinute": "SweepOrders"}
