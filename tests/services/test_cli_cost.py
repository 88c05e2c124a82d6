"""`fogbank cost` against a real server: what was used comes from requests over the wire."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import ServerProcess
from tests.services.test_cli import Fogbank, fogbank

from fogbank.cli.failures import Exit

__all__ = ["fogbank"]


@pytest.fixture
def queue(server: ServerProcess) -> str:
    """A queue; making it was a request."""
    return str(server.client("sqs").create_queue(QueueName="orders")["QueueUrl"])


def by_unit(document: Any) -> dict[str, float]:
    sums: dict[str, float] = {}
    for line in document["lines"]:
        sums[line["unit"]] = sums.get(line["unit"], 0) + line["quantity"]
    return sums


@pytest.mark.slow
def test_requests_are_priced_by_service_and_resource(server: ServerProcess, queue: str, fogbank: Fogbank) -> None:
    """CreateQueue, a message of 100 KB (two requests), a write of 2 KB (two units), a consistent read of it (one)."""
    server.client("sqs").send_message(QueueUrl=queue, MessageBody="x" * 100 * 1024)
    dynamodb = server.client("dynamodb")
    dynamodb.create_table(
        TableName="orders", BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
    )  # fmt: skip
    dynamodb.put_item(TableName="orders", Item={"id": {"S": "1"}, "text": {"S": "x" * 1500}})
    dynamodb.get_item(TableName="orders", Key={"id": {"S": "1"}}, ConsistentRead=True)
    with pytest.raises(dynamodb.exceptions.ConditionalCheckFailedException):
        dynamodb.put_item(TableName="orders", Item={"id": {"S": "1"}}, ConditionExpression="attribute_not_exists(id)")
    found = fogbank("cost", "--json").document
    assert by_unit(found) == {"sqs.requests.standard": 3, "dynamodb.write-units": 4, "dynamodb.read-units": 1}
    assert found["total"] == pytest.approx(3 * 0.4e-6 + 4 * 0.625e-6 + 0.125e-6)
    assert set(found["resources"]) == {
        "arn:aws:sqs:us-east-1:000000000000:orders",
        "arn:aws:dynamodb:us-east-1:000000000000:table/orders",
    }
    shown = fogbank("cost", "--by", "resource").out
    assert "orders" in shown
    assert "at list prices of us-east-1" in shown


@pytest.mark.slow
def test_capacity_that_is_provisioned_is_billed_by_the_hour(server: ServerProcess, fogbank: Fogbank) -> None:
    """Its reads and writes are not billed again."""
    dynamodb = server.client("dynamodb")
    dynamodb.create_table(
        TableName="orders", ProvisionedThroughput={"ReadCapacityUnits": 5, "WriteCapacityUnits": 40},
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
    )  # fmt: skip
    dynamodb.put_item(TableName="orders", Item={"id": {"S": "1"}})
    server.client("events").put_events(Entries=[{"Source": "a", "DetailType": "b", "Detail": "{}"}])
    found = fogbank("cost", "--per-month", "1", "--json").document
    assert "dynamodb" not in found["services"]
    standing = {line["unit"]: line["quantity"] for line in found["standing_per_hour"]}
    assert standing["dynamodb.write-capacity-hours"] == 40
    assert found["month"]["services"]["dynamodb"] == pytest.approx(15 * 730 * 0.00065)


def test_custom_metrics_alarms_and_dashboards_are_billed_for_being_there(
    server: ServerProcess, fogbank: Fogbank
) -> None:
    """12 metrics, 10 of them free: 2 × $0.30; 11 alarms: $0.10; a dashboard is free. AWS's own metrics cost nothing."""
    cloudwatch = server.client("cloudwatch")
    for number in range(12):
        data = [{"MetricName": f"m{number}", "Value": 1.0}]
        cloudwatch.put_metric_data(Namespace="Shop", MetricData=data)
    for number in range(11):
        cloudwatch.put_metric_alarm(
            AlarmName=f"a{number}", MetricName="m0", Namespace="Shop", Statistic="Sum", Period=60, EvaluationPeriods=1,
            Threshold=1.0, ComparisonOperator="GreaterThanThreshold",
        )  # fmt: skip
    found = fogbank("cost", "--per-month", "1", "--json").document
    assert found["month"]["services"]["cloudwatch"] == pytest.approx(0.60 + 0.10)
    assert by_unit(found)["cloudwatch.requests"] == 12


def test_one_trace_and_its_kind(server: ServerProcess, queue: str, fogbank: Fogbank) -> None:
    """A trace that the client began: two requests are one trace."""
    sqs = server.client("sqs")

    def add_header(request: Any, **_: Any) -> None:
        request.headers["X-Amzn-Trace-Id"] = (
            "Root=1-67891233-abcdef012345678912345678;Parent=53995c3f42cd8ad8;Sampled=1"
        )

    sqs.meta.events.register("before-send.sqs", add_header)
    sqs.send_message(QueueUrl=queue, MessageBody="a")
    sqs.receive_message(QueueUrl=queue)
    found = fogbank("cost", "--trace", "1-67891233-abcdef012345678912345678", "--json").document
    assert found["total"] == pytest.approx(0.8e-6)
    missing = fogbank("cost", "--trace", "1-00000000-000000000000000000000000", "--json")
    assert missing.code == Exit.NOT_FOUND
    assert "sqs.requests.standard orders" in fogbank("cost", "--by", "trace").out


@pytest.mark.slow
def test_a_month_and_its_plot(server: ServerProcess, fogbank: Fogbank, tmp_path: Path) -> None:
    """Ten events were published; a month of twenty million costs $20, half of it half."""
    events = server.client("events")
    for _ in range(10):
        events.put_events(Entries=[{"Source": "a", "DetailType": "b", "Detail": "{}"}])
    found = fogbank("cost", "--per-month", "20e6", "--svg", str(tmp_path / "plot.svg"), "--json").document
    assert found["entry"] == "events.custom default"
    assert found["month"]["total"] == pytest.approx(20.0)
    assert {point["traces"]: point["total"] for point in found["curve"]}[10e6] == pytest.approx(10.0)
    assert (tmp_path / "plot.svg").read_text().startswith("<svg")
    assert "$20.00 a month at 20,000,000" in fogbank("cost", "--per-month", "20e6").out
    other = fogbank("cost", "--per-month", "1", "--entry", "nothing", "--json")
    assert other.code == Exit.NOT_FOUND
    assert "events.custom default" in other.error["do"]


@pytest.mark.slow
def test_runs_are_saved_and_compared(server: ServerProcess, queue: str, fogbank: Fogbank, tmp_path: Path) -> None:
    """The saved run is the older one; a file that is none is refused."""
    saved = tmp_path / "before.json"
    fogbank("cost", "--save", str(saved))
    server.client("sqs").send_message(QueueUrl=queue, MessageBody="a")
    found = fogbank("cost", "--compare", str(saved), "--json").document
    assert found["before"] == pytest.approx(0.4e-6)
    assert found["services"][0]["percent"] == pytest.approx(100)
    assert "+100%" in fogbank("cost", "--compare", str(saved)).out
    fogbank("cost", "--save", str(tmp_path / "after.json"))
    both = fogbank("cost", "--compare", str(saved), "--compare", str(tmp_path / "after.json"), "--json").document
    assert both["after"] == pytest.approx(0.8e-6)
    saved.write_text(json.dumps({"a": 1}))
    assert fogbank("cost", "--compare", str(saved), "--json").code == Exit.INVALID


@pytest.mark.slow
def test_prices_of_ones_own(server: ServerProcess, queue: str, fogbank: Fogbank, tmp_path: Path) -> None:
    """They go before the book's; a wrong file says what is wrong in it."""
    prices = tmp_path / "prices.toml"
    prices.write_text('[sqs]\n"requests.standard" = 2.0\n')
    assert fogbank("cost", "--prices", str(prices), "--json").document["total"] == pytest.approx(2.0)
    prices.write_text('[sqs]\n"request" = 2.0\n')
    refused = fogbank("cost", "--prices", str(prices), "--json")
    assert refused.code == Exit.INVALID
    assert "sqs.request is no billed unit" in refused.error["what"]


def test_nothing_was_used_yet(fogbank: Fogbank) -> None:
    """It says what to do."""
    assert "nothing was used yet" in fogbank("cost").out


def test_a_wrong_question_is_refused(server: ServerProcess, fogbank: Fogbank) -> None:
    """`/_fogbank/usage` wants numbers, and not too many traces."""
    assert fogbank("cost", "--endpoint", "http://127.0.0.1:1", "--json").code == Exit.UNREACHABLE
    for query in ("since=now", "traces=many", "traces=100000", "since=inf"):
        with pytest.raises(urllib.error.HTTPError, match="400"):
            urllib.request.urlopen(f"{server.endpoint}/_fogbank/usage?{query}", timeout=30)
    assert fogbank("cost", "--since", "yesterday", "--json").code == Exit.USAGE
    assert fogbank("cost", *["--compare", __file__] * 3, "--json").code == Exit.USAGE
