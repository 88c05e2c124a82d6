"""A function that says what it handled: behind a bus with a rule, it puts each event's key into a queue."""

from __future__ import annotations

import io
import itertools
import json
import zipfile

from tests.conftest import ServerProcess
from tests.crash.ledger import Ledger, Places, drain

CODE = """
import os, boto3
sqs = boto3.client("sqs")

def handler(event, context):
    sqs.send_message(QueueUrl=os.environ["HANDLED"], MessageBody=event["detail"]["key"])
"""


def zipped(code: str) -> bytes:
    """A deployment package of one file, app.py."""
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("app.py", code)
    return package.getvalue()


BATCHES = """
import os, boto3
sqs = boto3.client("sqs")

def handler(event, context):
    for record in event["Records"]:
        sqs.send_message(QueueUrl=os.environ["HANDLED"], MessageBody=record["body"])
"""


def make(server: ServerProcess, code: str, handled_url: str) -> str:
    """Create the function that says what it handled; its ARN."""
    client = server.client("lambda")
    function = client.create_function(
        FunctionName="handle",
        Runtime="python3.12",
        Handler="app.handler",
        Role="arn:aws:iam::000000000000:role/any",
        Timeout=5,
        MemorySize=256,
        Code={"ZipFile": zipped(code)},
        Environment={"Variables": {"HANDLED": handled_url}},
    )
    client.get_waiter("function_active_v2").wait(FunctionName="handle", WaiterConfig={"Delay": 1})
    return str(function["FunctionArn"])


def prepare_function(server: ServerProcess) -> Places:
    """A bus whose rule calls a function, and the queue that tells what it handled."""
    url = server.client("sqs").create_queue(QueueName="handled")["QueueUrl"]
    function = make(server, CODE, url)
    events = server.client("events")
    events.create_event_bus(Name="orders")
    rule = events.put_rule(Name="placed", EventBusName="orders", EventPattern='{"source": ["crash"]}')
    server.client("lambda").add_permission(
        FunctionName="handle",
        StatementId="rule",
        Action="lambda:InvokeFunction",
        Principal="events.amazonaws.com",
        SourceArn=rule["RuleArn"],
    )
    events.put_targets(Rule="placed", EventBusName="orders", Targets=[{"Id": "1", "Arn": function}])
    return Places(queue=url, arrivals=url, bus="orders")


def prepare_mapping(server: ServerProcess) -> Places:
    """A queue whose messages go to a function in batches, and the queue that tells what it handled."""
    sqs, functions = server.client("sqs"), server.client("lambda")
    work = sqs.create_queue(QueueName="work", Attributes={"VisibilityTimeout": "30"})["QueueUrl"]
    handled_url = sqs.create_queue(QueueName="handled")["QueueUrl"]
    make(server, BATCHES, handled_url)
    arn = sqs.get_queue_attributes(QueueUrl=work, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    functions.create_event_source_mapping(FunctionName="handle", EventSourceArn=arn, BatchSize=5)
    return Places(queue=work, arrivals=handled_url)


def publish_to_function(server: ServerProcess, places: Places, ledger: Ledger, name: str) -> None:
    """Publish up to two hundred events, one at a time, so that a killed server leaves no endless work."""
    events = server.client("events")
    for number in itertools.count():
        key = f"{name}-{number}"
        detail = json.dumps({"key": key})
        entry = {"EventBusName": places.bus, "Source": "crash", "DetailType": "test", "Detail": detail}
        reply = events.put_events(Entries=[entry])["Entries"][0]
        if "EventId" in reply:
            ledger.note(ledger.events, key)


def handled(server: ServerProcess, places: Places, expected: set[str]) -> set[str]:
    """What the function said that it handled; waits until it is everything expected."""
    return drain(server, places.arrivals, expected)
