"""`kill -9` at random under many journeys, real functions and real clients: each ends as if nothing had happened.

`make crash` does it 200 times; the suite does some each time.
"""

from __future__ import annotations

import contextlib
import json
import random
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError
from tests.conftest import ServerProcess
from tests.crash import journeys
from tests.crash.functions import zipped
from tests.crash.ledger import allow_rules

CALLS = "calls"
MEANTIME = 8
"""Journeys that are under way at once."""
LONGEST_LIFE = 1.5
"""How much longer than its start took the server lives at the most: a busy machine gets more time between two kills."""


def prepare(server: ServerProcess) -> str:
    """Everything that journeys need; the URL of the queue that they write to."""
    sqs, states, events = server.client("sqs"), server.client("stepfunctions"), server.client("events")
    queue = sqs.create_queue(QueueName="told")["QueueUrl"]
    arrivals = sqs.create_queue(QueueName="arrivals")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=arrivals, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    allow_rules(sqs, arrivals, arn)
    events.put_rule(Name="all", EventPattern='{"source": ["journey"]}')
    events.put_targets(Rule="all", Targets=[{"Id": "1", "Arn": arn}])
    for table in (journeys.TABLE, CALLS):
        server.client("dynamodb").create_table(
            TableName=table,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        )
    functions = server.client("lambda")
    functions.create_function(
        FunctionName="work",
        Runtime="python3.12",
        Handler="app.handler",
        Role=journeys.ROLE,
        Timeout=30,
        Code={"ZipFile": zipped(journeys.FUNCTION_CODE)},
        Environment={"Variables": {"CALLS": CALLS}},
    )
    functions.get_waiter("function_active_v2").wait(FunctionName="work", WaiterConfig={"Delay": 1})
    states.create_activity(name="hands")
    for name, definition in (("child", journeys.child(slow=True)), ("journey", journeys.parent(queue))):
        states.create_state_machine(name=name, definition=definition, roleArn=journeys.ROLE)
    return str(queue)


class Clients:
    """Who starts journeys, reads the messages, answers the callbacks and takes the activity's tasks."""

    def __init__(self, server: ServerProcess, queue: str) -> None:
        self.server = server
        self.queue = queue
        self.names: set[str] = set()
        self.messages: dict[str, dict[str, Any]] = {}
        self.tokens: dict[str, str] = {}
        self.more = True
        """Whether journeys are still to be started."""
        self.errors: list[Exception] = []
        self.up = threading.Event()
        """Whether the server lives."""
        self._done = threading.Event()
        work = (self._start, self._read, self._answer, self._take, self._take)
        self._threads = [threading.Thread(target=self._run, args=(step,)) for step in work]
        for thread in self._threads:
            thread.start()

    def join(self) -> None:
        """End. The clock is moved, so that polls end, hidden messages are seen, and retries are due."""
        self._done.set()
        self.server.post("/_fogbank/clock", {"seconds": 61})
        for thread in self._threads:
            thread.join(timeout=120)
        assert not self.errors, self.errors

    def _run(self, step: Callable[[Callable[..., Any]], None]) -> None:
        clients: dict[str, Any] = {}

        def client(service: str) -> Any:
            if service not in clients:
                clients[service] = self.server.client(service)
            return clients[service]

        while not self._done.is_set():
            self.up.wait()
            try:
                step(client)
            except BotoCoreError:
                self._done.wait(0.02)  # the server is gone, or not there yet
            except ClientError as error:
                if error.response["ResponseMetadata"]["HTTPStatusCode"] < 500:
                    self.errors.append(error)
                    return

    def _start(self, client: Callable[..., Any]) -> None:
        states = client("stepfunctions")
        running = states.list_executions(stateMachineArn=journeys.PARENT, statusFilter="RUNNING")["executions"]
        if not self.more or len(running) >= MEANTIME:
            self._done.wait(0.05)
            return
        name = f"journey-{len(self.names)}"  # the same again if there was no answer: it may have been started or not
        with contextlib.suppress(states.exceptions.ExecutionAlreadyExists):  # it had been, and has ended
            states.start_execution(stateMachineArn=journeys.PARENT, name=name, input=journeys.document(name))
        self.names.add(name)

    def _read(self, client: Callable[..., Any]) -> None:
        found = client("sqs").receive_message(QueueUrl=self.queue, MaxNumberOfMessages=10, WaitTimeSeconds=1)
        for message in found.get("Messages", ()):
            body = json.loads(message["Body"])
            self.messages[message["MessageId"]] = body
            if "token" in body:
                self.tokens[body["asked"]] = body["token"]
            client("sqs").delete_message(QueueUrl=self.queue, ReceiptHandle=message["ReceiptHandle"])

    def _answer(self, client: Callable[..., Any]) -> None:
        for name, token in list(self.tokens.items()):
            try:
                client("stepfunctions").send_task_success(taskToken=token, output=journeys.answer(name))
            except client("stepfunctions").exceptions.TaskTimedOut:
                pass  # the answer before the kill had arrived
            del self.tokens[name]
        self._done.wait(0.1)

    def _take(self, client: Callable[..., Any]) -> None:
        states = client("stepfunctions")
        task = states.get_activity_task(activityArn=journeys.ACTIVITY)
        if not task.get("taskToken"):
            return
        name = json.loads(task["input"])["id"]
        with contextlib.suppress(states.exceptions.TaskTimedOut):  # the activity is tried again
            states.send_task_success(taskToken=task["taskToken"], output=journeys.answer(name))


def findings(server: ServerProcess, queue: str, clients: Clients) -> journeys.Findings:
    """Everything that became of it."""
    found = journeys.Findings()
    states, dynamodb = server.client("stepfunctions"), server.client("dynamodb")
    for page in states.get_paginator("list_executions").paginate(stateMachineArn=journeys.PARENT):
        for each in page["executions"]:
            arn, name = each["executionArn"], each["name"]
            reply = states.describe_execution(executionArn=arn)
            found.outputs[name] = json.loads(reply["output"]) if "output" in reply else reply.get("error", "?")
            found.histories[name] = states.get_execution_history(executionArn=arn, maxResults=1000)["events"]
    for page in states.get_paginator("list_executions").paginate(stateMachineArn=journeys.CHILD):
        for each in page["executions"]:
            reply = states.describe_execution(executionArn=each["executionArn"])
            found.children.append(json.loads(reply["input"])["id"])
    for page in dynamodb.get_paginator("scan").paginate(TableName=journeys.TABLE):
        found.counters |= {item["id"]["S"]: int(item["n"]["N"]) for item in page["Items"]}
    for page in dynamodb.get_paginator("scan").paginate(TableName=CALLS):
        found.calls += [(item["step"]["S"], float(item["at"]["N"])) for item in page["Items"]]
    found.messages = [*(clients.messages | drain(server, queue)).values()]
    arrived = drain(server, queue.replace("told", "arrivals")).values()
    found.events = {(event["id"], event["detail"]["id"]) for event in arrived}
    return found


def drain(server: ServerProcess, url: str) -> dict[str, Any]:
    """What is in a queue, by message id."""
    sqs = server.client("sqs")
    found: dict[str, Any] = {}
    while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        found |= {message["MessageId"]: json.loads(message["Body"]) for message in messages}
    return found


def wait_for_the_end(server: ServerProcess) -> None:
    """Wait until no execution is under way."""
    states = server.client("stepfunctions")
    deadline = time.monotonic() + 120
    for machine in (journeys.PARENT, journeys.CHILD):
        while states.list_executions(stateMachineArn=machine, statusFilter="RUNNING")["executions"]:
            assert time.monotonic() < deadline, "journeys do not end"


def wait_for_events(server: ServerProcess, count: int) -> None:
    """Wait until the rule has delivered so many."""
    sqs = server.client("sqs")
    url = sqs.get_queue_url(QueueName="arrivals")["QueueUrl"]
    wanted = "ApproximateNumberOfMessages"
    deadline = time.monotonic() + 60
    while (found := int(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[wanted])["Attributes"][wanted])) < count:
        assert time.monotonic() < deadline, f"{found} of {count} events have arrived"


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_journeys_end_as_if_the_server_had_not_been_killed(
    new_server: Callable[..., ServerProcess], pytestconfig: pytest.Config
) -> None:
    """Outputs, histories and side effects are those of journeys that nothing disturbed; see `journeys.judge`."""
    kills = int(pytestconfig.getoption("--kills"))
    dice = random.Random(kills)
    server = new_server()
    queue = prepare(server)
    clients = Clients(server, queue)
    clients.up.set()
    start = 1.0
    for kill in range(kills):
        threading.Event().wait(dice.uniform(0, LONGEST_LIFE * start))
        clients.up.clear()
        clients.more = kill < kills - 1
        server.kill()
        begun = time.monotonic()
        server.start()
        start = time.monotonic() - begun
        clients.up.set()
    clients.more = False
    wait_for_the_end(server)
    clients.join()
    wait_for_events(server, len(clients.names))
    assert len(clients.names) > kills / 10
    journeys.judge(findings(server, queue, clients), clients.names, patience=60)
