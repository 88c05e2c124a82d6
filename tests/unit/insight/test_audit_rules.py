"""Every rule, on an example that breaks it and on one that keeps it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from fogbank.insight.audit import RULES, Application, Finding, Severity, audit
from fogbank.insight.audit.code import Code
from fogbank.insight.audit.evidence import NO_RUN, Evidence, FunctionRun
from fogbank.insight.audit.report import document, reference, sarif

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "audit.md"


def function(**properties: Any) -> dict[str, Any]:
    return {"Type": "AWS::Lambda::Function", "Properties": {"Handler": "app.handler", "Timeout": 10} | properties}


def queue(**properties: Any) -> dict[str, Any]:
    return {"Type": "AWS::SQS::Queue", "Properties": properties}


def rule(*targets: Any, **properties: Any) -> dict[str, Any]:
    listed = [{"Id": str(n), **target} for n, target in enumerate(targets)]
    return {"Type": "AWS::Events::Rule", "Properties": {"Targets": listed} | properties}


def mapping(source: str, target: str, **properties: Any) -> dict[str, Any]:
    arn = {"Fn::GetAtt": [source, "Arn" if source[0] != "T" else "StreamArn"]}
    return {
        "Type": "AWS::Lambda::EventSourceMapping",
        "Properties": {"EventSourceArn": arn, "FunctionName": {"Ref": target}} | properties,
    }


def arn(name: str) -> dict[str, Any]:
    return {"Arn": {"Fn::GetAtt": [name, "Arn"]}}


DLQ = {"DeadLetterConfig": {"Arn": {"Fn::GetAtt": ["Dead", "Arn"]}}}
SAFE = {"DeadLetterConfig": {"TargetArn": {"Fn::GetAtt": ["Dead", "Arn"]}}}
PATTERN = {"EventPattern": {"source": ["shop"]}, "EventBusName": {"Ref": "Bus"}}
BUS = {"Type": "AWS::Events::EventBus", "Properties": {"Name": "orders"}}
REDRIVE = {"RedrivePolicy": {"deadLetterTargetArn": {"Fn::GetAtt": ["Dead", "Arn"]}, "maxReceiveCount": 3}}
STREAM = {"Type": "AWS::DynamoDB::Table", "Properties": {"StreamSpecification": {"StreamViewType": "KEYS_ONLY"}}}
SLOW = FunctionRun(100, 1024, 90, sorted([200.0] * 100))
FULL = FunctionRun(100, 128, 125, sorted([200.0] * 100))
FITTING = FunctionRun(100, 128, 70, sorted([200.0] * 100))
BUSY = FunctionRun(10_800, 1769, 1000, sorted([1000.0] * 10_800))
COLD = FunctionRun(10, 512, 300, sorted([200.0] * 10), sorted([1500.0] * 10))
WARM = FunctionRun(10, 512, 300, sorted([200.0] * 10), sorted([150.0] * 10))
BARE = Code("1", {"app.py": "def handler(e, c):\n    t.put_item(Item=e)\n"})
GUARDED = Code(
    "2", {"app.py": "def handler(e, c):\n    t.put_item(Item=e, ConditionExpression='attribute_not_exists(id)')"}
)
PANDAS = Code("3", {"app.py": "import pandas as pd\n\ndef handler(e, c): ..."})
LATE = Code("4", {"app.py": "def handler(e, c):\n    import pandas\n"})


def policy(action: str, resource: Any) -> dict[str, Any]:
    document = {"Statement": [{"Effect": "Allow", "Action": action, "Resource": resource}]}
    return {"Type": "AWS::IAM::Role", "Properties": {"Policies": [{"PolicyDocument": document}]}}


def ran(name: str, run: FunctionRun, hours: float = 1.0) -> Evidence:
    return Evidence(hours=hours, functions={name: run})


Example = tuple[dict[str, Any], dict[str, Code], Evidence]
LOOP = {"Queue": queue(), "Map": mapping("Queue", "F"), "F": function(Role={"Fn::GetAtt": ["Role", "Arn"]})}


def example(template: dict[str, Any], code: dict[str, Code] | None = None, run: Evidence = NO_RUN) -> Example:
    return template, code or {}, run


EXAMPLES: Mapping[str, list[tuple[Example, Example, str]]] = {
    "W01": [
        (
            example({"Bus": BUS, "Rule": rule(arn("F"), **PATTERN), "F": function()}, run=Evidence(
                hours=1, events={"Bus": 12}, matches={"Rule": 0})),
            example({"Bus": BUS, "Rule": rule(arn("F"), **PATTERN), "F": function()}, run=Evidence(
                hours=1, events={"Bus": 12}, matches={"Rule": 3})),
            "Rule",
        ),
        (
            example({"Bus": BUS, "Rule": rule(EventBusName={"Ref": "Bus"}, EventPattern={"source": ["aws.s3"]})}),
            example({"Rule": rule(EventPattern={"source": ["aws.s3"]})}),
            "Rule",
        ),
    ],
    "W02": [
        (example({"Rule": rule(State="DISABLED")}), example({"Rule": rule(State="ENABLED")}), "Rule"),
        (
            example({"Map": mapping("Queue", "F", Enabled=False)}),
            example({"Map": mapping("Queue", "F", Enabled=True)}),
            "Map",
        ),
    ],
    "W03": [
        (
            example({"A": rule(arn("F"), **PATTERN), "B": rule(arn("F"), **PATTERN), "F": function()}, run=Evidence(
                hours=1, matches={"A": 5, "B": 5}, functions={"F": FITTING})),
            example({"A": rule(arn("F"), **PATTERN), "B": rule(arn("G"), **PATTERN), "F": function(), "G": function()}),
            "B",
        )
    ],
    "W04": [
        (example({"Rule": rule()}), example({"Rule": rule(arn("F")), "F": function()}), "Rule"),
        (
            example({"Queue": queue()}),
            example({"Queue": queue(), "Map": mapping("Queue", "F"), "F": function()}),
            "Queue",
        ),
        (
            example({"Topic": {"Type": "AWS::SNS::Topic"}}),
            example({"Topic": {"Type": "AWS::SNS::Topic"}, "S": {"Type": "AWS::SNS::Subscription", "Properties": {
                "TopicArn": {"Ref": "Topic"}}}}),
            "Topic",
        ),
        (
            example({"Table": STREAM}),
            example({"Table": STREAM, "Map": mapping("Table", "F"), "F": function()}),
            "Table",
        ),
    ],
    "W05": [
        (
            example({"F": function(), "G": function()}, {"F": BARE, "G": BARE}),
            example({"F": function(), "G": function()}, {"F": BARE, "G": GUARDED}),
            "G",
        )
    ],
    "W06": [
        (
            example(
                {"Queue": queue(), "Map": mapping("Queue", "F", BatchSize=1), "F": function()}, run=ran("F", FITTING)
            ),
            example({"Queue": queue(), "Map": mapping("Queue", "F"), "F": function()}),
            "Map",
        )
    ],
    "W07": [(example({"F": function()}, run=ran("F", SLOW)), example({"F": function()}, run=ran("F", FITTING)), "F")],
    "W08": [
        (
            example({"F": function(), "Live": {"Type": "AWS::Lambda::Alias", "Properties": {
                "FunctionName": {"Ref": "F"},
                "ProvisionedConcurrencyConfig": {"ProvisionedConcurrentExecutions": 20}}}}, run=ran("F", FITTING)),
            example({"F": function(), "Live": {"Type": "AWS::Lambda::Alias", "Properties": {
                "FunctionName": {"Ref": "F"},
                "ProvisionedConcurrencyConfig": {"ProvisionedConcurrentExecutions": 1}}}}, run=ran("F", FITTING)),
            "Live",
        )
    ],
    "W09": [
        (
            example({"F": function()}, run=Evidence(hours=1, logged={"F": 0.5})),
            example({"F": function(), "Logs": {"Type": "AWS::Logs::LogGroup", "Properties": {
                "LogGroupName": {"Fn::Sub": "/aws/lambda/${F}"}, "RetentionInDays": 14}}}),
            "F",
        ),
        (
            example({"Logs": {"Type": "AWS::Logs::LogGroup"}}),
            example({"Logs": {"Type": "AWS::Logs::LogGroup", "Properties": {"RetentionInDays": 1}}}),
            "Logs",
        ),
    ],
    "W10": [
        (example({"F": function()}, {"F": PANDAS}), example({"F": function()}, {"F": LATE}), "F"),
        (example({"F": function()}, run=ran("F", COLD)), example({"F": function()}, run=ran("F", WARM)), "F"),
    ],
    "W11": [(example({"F": function()}, run=ran("F", BUSY)), example({"F": function()}, run=ran("F", FITTING)), "F")],
    "D01": [
        (
            example({"Queue": queue()}, run=Evidence(hours=1, large={"Queue": 3})),
            example({"Queue": queue()}, run=Evidence(hours=1, large={"Queue": 0})),
            "Queue",
        )
    ],
    "D02": [
        (
            example({"F": function(), "Rule": rule({**arn("F"), **DLQ})}),
            example({"F": function(**SAFE), "Rule": rule({**arn("F"), **DLQ})}),
            "F",
        ),
        (
            example({"F": function(**SAFE), "Rule": rule(arn("F"))}),
            example({"F": function(**SAFE), "Rule": rule({**arn("F"), **DLQ})}),
            "Rule",
        ),
        (
            example({"Queue": queue(), "Map": mapping("Queue", "F"), "F": function()}),
            example({"Queue": queue(**REDRIVE), "Map": mapping("Queue", "F"), "F": function()}),
            "Queue",
        ),
        (
            example({"Table": STREAM, "Map": mapping("Table", "F"), "F": function()}),
            example(
                {"Table": STREAM, "Map": mapping("Table", "F", DestinationConfig={"OnFailure": {}}), "F": function()}
            ),
            "Map",
        ),
        (
            example({"S": {"Type": "AWS::Scheduler::Schedule", "Properties": {"Target": {}}}}),
            example({"S": {"Type": "AWS::Scheduler::Schedule", "Properties": {"Target": DLQ}}}),
            "S",
        ),
    ],
    "D03": [
        (
            example({"Queue": queue(VisibilityTimeout=5), "Map": mapping("Queue", "F"), "F": function()}),
            example({"Queue": queue(VisibilityTimeout=60), "Map": mapping("Queue", "F"), "F": function()}),
            "Queue",
        )
    ],
    "D04": [
        (
            example({"F": function(), "Rule": rule(arn("F"))}, {"F": BARE}),
            example({"F": function(), "Rule": rule(arn("F"))}, {"F": GUARDED}),
            "F",
        ),
        (
            example({"F": function(), "Rule": rule(arn("F"))}, {"F": GUARDED}, Evidence(repeats={"F": ["orders/1"]})),
            example({"F": function(), "Rule": rule(arn("F"))}, {"F": BARE}, Evidence(repeats={"F": []})),
            "F",
        ),
    ],
    "D05": [
        (
            example(LOOP | {"Role": policy("sqs:SendMessage", {"Fn::GetAtt": ["Queue", "Arn"]})}),
            example(LOOP | {"Role": policy("sqs:ReceiveMessage", {"Fn::GetAtt": ["Queue", "Arn"]})}),
            "F",
        )
    ],
    "D06": [(example({"F": function()}, run=ran("F", FULL)), example({"F": function()}, run=ran("F", FITTING)), "F")],
    "D07": [
        (
            example({"F": function(ReservedConcurrentExecutions=0)}),
            example({"F": function(ReservedConcurrentExecutions=10)}),
            "F",
        ),
        (
            example({"F": function(ReservedConcurrentExecutions=2), "Queue": queue(), "Map": mapping("Queue", "F")}),
            example({"F": function(ReservedConcurrentExecutions=2)}),
            "F",
        ),
    ],
}  # fmt: skip


def found(id_: str, given: Example) -> list[Finding]:
    template, code, run = given
    application = Application.of({"Resources": template}, code, run)
    return audit(application, [one for one in RULES if one.id == id_])


@pytest.mark.parametrize(
    ("id_", "breaks", "keeps", "resource"),
    [(id_, *one) for id_, examples in EXAMPLES.items() for one in examples],
    ids=[f"{id_}-{number}" for id_, examples in EXAMPLES.items() for number in range(len(examples))],
)
def test_a_rule_finds_what_breaks_it_and_nothing_else(id_: str, breaks: Example, keeps: Example, resource: str) -> None:
    """What it finds has a resource, words, and a change to the template."""
    findings = found(id_, breaks)
    assert [finding.resource for finding in findings] == [resource]
    assert findings[0].message
    assert findings[0].change
    assert resource not in {finding.resource for finding in found(id_, keeps)}


def test_every_rule_has_examples_and_is_explained() -> None:
    """None is left out."""
    assert EXAMPLES.keys() == {one.id for one in RULES}
    for one in RULES:
        assert one.title
        assert len(one.why) > 60
        assert one.fix


def test_the_reference_page_is_current() -> None:
    """Run `python tools/audit_rules.py`."""
    assert PAGE.read_text(encoding="utf-8") == reference(RULES)


def test_money_is_that_of_the_runs_rate() -> None:
    """100 invocations an hour of 0.2 s at 1,024 MB instead of 192: 73,000 × 0.2 s × 832 / 1,024 GB × $0.0000166667."""
    (finding,) = found("W07", EXAMPLES["W07"][0][0])
    assert finding.dollars == pytest.approx(73_000 * 0.2 * (1024 - 192) / 1024 * 0.0000166667)
    assert "MemorySize: 192" in finding.change


def test_a_container_is_compared_with_what_the_month_costs() -> None:
    """Three always busy with a processor each: 3 × 2,628,000 s × 1.7275 GB against 5 tasks for 730 hours."""
    (finding,) = found("W11", EXAMPLES["W11"][0][0])
    gigabytes = 1769 / 1024
    function_ = 3 * 2_628_000 * (gigabytes * 0.0000166667 + 0.2e-6)
    container = 5 * 730 * (0.04048 + gigabytes * 0.004445)
    assert finding.dollars == pytest.approx(function_ - container)


def test_a_function_is_also_named_by_its_alias() -> None:
    """As SAM has it with AutoPublishAlias: the rule's target is the alias."""
    alias = {"Type": "AWS::Lambda::Alias", "Properties": {"FunctionName": {"Ref": "F"}}}
    (finding,) = found("D02", example({"F": function(), "Live": alias, "Rule": rule({"Arn": {"Ref": "Live"}, **DLQ})}))
    assert finding.resource == "F"


def test_a_proof_by_chaos_is_an_error() -> None:
    """And names what differs."""
    (finding,) = found("D04", EXAMPLES["D04"][1][0])
    assert finding.severity is Severity.ERROR
    assert "orders/1" in finding.evidence


def test_visibility_below_the_timeout_is_an_error_and_below_six_times_a_note() -> None:
    """The change has six times the timeout, and the batch window."""
    template = {"Queue": queue(VisibilityTimeout=30), "Map": mapping("Queue", "F", MaximumBatchingWindowInSeconds=5)}
    (finding,) = found("D03", example(template | {"F": function()}))
    assert finding.severity is Severity.NOTE
    assert "VisibilityTimeout: 65" in finding.change
    (finding,) = found("D03", EXAMPLES["D03"][0][0])
    assert finding.severity is Severity.ERROR


def test_a_resource_may_say_what_to_ignore() -> None:
    """In its metadata."""
    ignoring = rule(State="DISABLED") | {"Metadata": {"Fogbank": {"Audit": {"Ignore": ["W02"]}}}}
    assert found("W02", example({"Rule": ignoring})) == []


def test_parameters_are_taken_by_their_defaults() -> None:
    """A value that is known only when it is deployed breaks no rule."""
    template = {
        "Parameters": {"Seconds": {"Type": "Number", "Default": 5}, "Other": {"Type": "Number"}},
        "Resources": {
            "Queue": queue(VisibilityTimeout={"Ref": "Seconds"}),
            "Map": mapping("Queue", "F"),
            "F": function(Timeout={"Ref": "Other"}),
        },
    }
    (finding,) = audit(Application.of(template), [one for one in RULES if one.id == "D03"])
    assert "after 5 s" in finding.message


def test_code_is_read_by_its_syntax() -> None:
    """Imports within functions cost no cold start; what does not parse says nothing; JavaScript by its text."""
    assert LATE.imports() == set()
    assert Code("", {"app.py": "def ("}).effects() == set()
    script = Code("", {"index.mjs": "import AWS from 'aws-sdk';\nawait db.send(new PutCommand({}));"})
    assert script.imports() == {"aws-sdk"}
    assert script.effects() == {"put_item"}
    assert not script.guarded()


def test_reports_for_programs() -> None:
    """JSON with counts and sums; SARIF with rules, levels and lines."""
    template, code, run = EXAMPLES["W07"][0][0]
    findings = audit(Application.of({"Resources": template}, code, run))
    shown = document(findings, {"F": 7})
    assert shown["counts"] == {"error": 0, "warning": 0, "note": 2}
    assert {one["line"] for one in shown["findings"]} == {7}
    assert shown["dollars_a_month"] == pytest.approx(sum(one.dollars or 0 for one in findings))
    log = sarif(findings, RULES, "template.yaml", {"F": 7}, "1.0")
    (run_,) = log["runs"]
    rules = run_["tool"]["driver"]["rules"]
    for result in run_["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["level"] == "note"
        place = result["locations"][0]["physicalLocation"]
        assert place == {"artifactLocation": {"uri": "template.yaml"}, "region": {"startLine": 7}}
