"""`fogbank traces`, `trace`, `map` and `top` over a real server: one order from publish to the table."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import ServerProcess
from tests.services.lambda_code import create

from fogbank.cli.app import main
from fogbank.cli.failures import Exit

pytestmark = pytest.mark.slow

Aws = Callable[..., Any]
Fogbank = Callable[..., Any]
SCOPE = "us-east-1:000000000000"
TAKE = """
import boto3, json, os
table = boto3.resource("dynamodb").Table("orders")
def handler(event, context):
    for record in event["Records"]:
        order = json.loads(record["body"])["detail"]
        if order["id"] == "bad":
            raise ValueError("no such tea")
        table.put_item(Item={"id": order["id"], "trace": os.environ["_X_AMZN_TRACE_ID"]})
"""


@pytest.fixture
def fogbank(server: ServerProcess, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Fogbank:
    """Runs commands against the server; the JSON that they print."""
    monkeypatch.setenv("FOGBANK_ENDPOINT", server.endpoint)
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments: str, code: int = 0) -> Any:
        capsys.readouterr()
        with pytest.raises(SystemExit) as left:
            main(arguments)
        printed = capsys.readouterr()
        assert int(left.value.code or 0) == code, printed
        return json.loads(printed.out) if "--json" in arguments and not code else printed.out

    return run


@pytest.fixture
def orders(aws: Aws) -> Any:
    """A bus's rule, a queue, a function and a table; gives what publishes an order and waits for its item."""
    aws("sqs").create_queue(QueueName="orders", Attributes={"VisibilityTimeout": "60"})
    aws("dynamodb").create_table(
        TableName="orders",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    create(aws("lambda"), TAKE, "take")
    events = aws("events")
    events.put_rule(Name="placed", EventPattern='{"source": ["shop"]}')
    events.put_targets(Rule="placed", Targets=[{"Id": "q", "Arn": f"arn:aws:sqs:{SCOPE}:orders"}])

    def place(name: str) -> str:
        detail = {"id": name, "metadata": {"correlation_id": f"order-{name}"}}
        entry = {"Source": "shop", "DetailType": "Placed", "Detail": json.dumps(detail)}
        event_id: str = events.put_events(Entries=[entry])["Entries"][0]["EventId"]
        return event_id

    return place


def connect(aws: Aws, size: int) -> None:
    """Let the queue feed the function."""
    aws("lambda").create_event_source_mapping(
        FunctionName="take", EventSourceArn=f"arn:aws:sqs:{SCOPE}:orders", BatchSize=size
    )


def until(look: Callable[[], Any]) -> Any:
    """Look until there is something to see."""
    deadline = time.monotonic() + 30
    while not (found := look()):
        assert time.monotonic() < deadline
    return found


def kinds(trace: Any) -> list[str]:
    return [span["operation"] if span["kind"] == "api" else span["kind"] for span in trace["spans"]]


def test_an_order_is_one_trace_from_publish_to_its_last_effect(aws: Aws, orders: Any, fogbank: Fogbank) -> None:
    """With the cold start in its phases; the function's own calls are in it without an SDK of X-Ray's."""
    connect(aws, 1)
    event_id = orders("green")
    table = aws("dynamodb")
    item = until(lambda: table.get_item(TableName="orders", Key={"id": {"S": "green"}}).get("Item"))
    trace = until(lambda: (t := fogbank("trace", event_id, "--json")) and "DeleteMessageBatch" in kinds(t) and t)
    assert f"Root={trace['trace']}" in item["trace"]["S"]
    spans = {span["id"]: span for span in trace["spans"]}
    put = next(span for span in trace["spans"] if span["operation"] == "PutItem")
    path = []
    at = put
    while at:
        path.append(at["operation"] if at["kind"] == "api" else at["kind"])
        at = spans.get(at["parent"])
    assert path[::-1] == ["PutEvents", "rule", "SendMessage", "poll", "invocation", "PutItem"]
    phases = [span["name"] for span in trace["spans"] if span["kind"] == "phase"]
    assert phases == ["runtime", "environment", "init"]
    run = next(span for span in trace["spans"] if span["kind"] == "invocation")
    assert run["attributes"]["cold"]
    assert run["attributes"]["billed"] >= 1
    assert "queue" in kinds(trace)
    assert fogbank("traces", "--correlation-id", "order-green", "--json")["traces"][0]["trace"] == trace["trace"]
    assert trace["trace"] in fogbank("traces", "--function", "take")
    shown = fogbank("trace", trace["trace"])
    assert "└─ PutItem dynamodb/orders" in shown
    assert "cold start: init" in shown


def test_what_failed_is_found_and_the_map_shows_where(aws: Aws, orders: Any, fogbank: Fogbank, tmp_path: Path) -> None:
    """Counts are of the function's runs, not of requests; the edge from the queue is marked."""
    connect(aws, 1)
    orders("bad")
    found = until(lambda: fogbank("traces", "--errors", "--function", "take", "--json")["traces"])
    assert found[0]["status"] == "fault"
    assert fogbank("traces", "--duration", "1h", "--json")["traces"] == []
    edges = {(e["source"], e["target"]): e for e in fogbank("map", "--json")["edges"]}
    assert edges["client", "events/default"]["calls"] == 1
    assert edges["events/default", "sqs/orders"]["faults"] == 0
    assert edges["sqs/orders", "lambda/take"]["faults"] >= 1
    assert "sqs/orders" in fogbank("map")
    assert fogbank("map", "--format", "mermaid").startswith("flowchart LR")
    fogbank("map", "--format", "svg", "-o", str(tmp_path / "map.svg"))
    assert (tmp_path / "map.svg").read_text().startswith("<svg")
    top = fogbank("top", "--once", "--json")
    assert {node["name"] for node in top["nodes"]} >= {"events/default", "sqs/orders", "lambda/take"}
    assert found[0]["trace"] in {trace["trace"] for trace in top["failed"]}, top["failed"]
    assert {trace["name"] for trace in top["failed"]} == {"PutEvents"}, top["failed"]
    assert "lambda/take" in fogbank("top", "--once")


def test_a_batch_of_several_traces_is_linked_with_them(aws: Aws, orders: Any, fogbank: Fogbank) -> None:
    """Many became one: each of theirs shows the batch's trace, and that shows all of them."""
    first, second = orders("one"), orders("two")
    connect(aws, 10)
    table = aws("dynamodb")
    until(lambda: table.scan(TableName="orders")["Count"] == 2)
    until(lambda: fogbank("trace", first, "--json")["linked"])
    one, two = fogbank("trace", first, "--json"), fogbank("trace", second, "--json")
    assert one["trace"] != two["trace"]
    (batch,) = [linked for linked in one["linked"] if linked["trace"] not in {one["trace"], two["trace"]}]
    assert "invocation" in kinds(batch)
    assert batch["trace"] in {linked["trace"] for linked in two["linked"]}
    assert batch["trace"] in fogbank("trace", first)


def test_a_trace_that_is_not_there_is_said_so(server: ServerProcess, fogbank: Fogbank) -> None:
    fogbank("trace", "1-5759e988-bd862e3fe1be46a994272793", code=Exit.NOT_FOUND)
    fogbank("trace", "order-nobody", code=Exit.NOT_FOUND)
    fogbank("traces", "--duration", "soon", code=Exit.USAGE)


def test_a_client_joins_its_trace_with_w3c_headers(server: ServerProcess, aws: Aws, fogbank: Fogbank) -> None:
    """`traceparent` is taken where X-Ray's header is not there."""
    sqs = aws("sqs")
    header = "00-5759e988bd862e3fe1be46a994272793-53995c3f42cd8ad8-01"

    def add(request: Any, **_: Any) -> None:
        request.headers["traceparent"] = header

    sqs.meta.events.register("before-sign.sqs", add)
    sqs.create_queue(QueueName="q")
    (span,) = fogbank("trace", "5759e988bd862e3fe1be46a994272793", "--json")["spans"]
    assert (span["operation"], span["parent"]) == ("CreateQueue", "53995c3f42cd8ad8")
