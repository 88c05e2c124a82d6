"""Crashes at every commit, in virtual time: the process's memory is gone, what is on the disk goes on.

A crash leaves what was committed and nothing else, so dying before or after a commit, each in its turn, covers every
state that a `kill -9` can leave. Sockets, processes and signals are the business of `test_journeys.py`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import apsw
import pytest
from tests.crash import journeys

from fogbank.cloud import LocalCloud
from fogbank.cloud.registry import SERVICES
from fogbank.core.call import Call, Reply
from fogbank.core.clock import VirtualClock
from fogbank.core.config import Config
from fogbank.core.errors import ApiError
from fogbank.core.ids import Ids
from fogbank.core.scope import Scope
from fogbank.services.kit import Kit, Service
from fogbank.storage import Migrations, SqliteStorage

SCOPE = Scope("000000000000", "us-east-1")


class FragileStorage(SqliteStorage):
    """Dies at a commit: with it or without it, and in either case before anybody is told."""

    dead = False
    commits_left = 1 << 60
    keeps_the_last = True

    def _commit(self) -> apsw.Error | None:
        self.commits_left -= 1
        if self.commits_left > 0:
            return super()._commit()
        self.dead = True
        if self.keeps_the_last:
            return super()._commit()
        self._writer.execute("ROLLBACK")
        return None

    def _committed(self, loop: asyncio.AbstractEventLoop, batch: Any, error: apsw.Error | None) -> None:
        if not self.dead:
            super()._committed(loop, batch, error)

    async def bury(self) -> None:
        """Let go of the files, as the end of a process does."""
        self._busy = False
        await self.close()


class Functions(Service):
    """In Lambda's place: one function, whose calls are written down outside of all crashes."""

    name = "lambda"
    calls: ClassVar[list[tuple[str, float]]] = []

    @classmethod
    def migrations(cls) -> Migrations:
        """It stores nothing."""
        return Migrations("lambda", ())

    async def invoke(self, call: Call, request: Any) -> Reply:
        """Work for a moment."""
        event = json.loads(request["Payload"])
        await self.kit.clock.sleep(0.25)
        self.calls.append((event["step"], self.kit.clock.time()))
        if event["fails"] == "always":
            return self._error("Broken", event["step"])
        if event["fails"] == "at first" and event["attempt"] == 0:
            return self._error("Flaky", event["step"])
        return {"StatusCode": 200, "Payload": json.dumps({"did": event["step"]}).encode()}

    @staticmethod
    def _error(kind: str, message: str) -> Reply:
        payload = json.dumps({"errorType": kind, "errorMessage": message}).encode()
        return {"StatusCode": 200, "FunctionError": "Unhandled", "Payload": payload}


class World:
    """One data folder through many lives."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.config = Config(data=folder, port=0, telemetry=False)  # it has a database of its own, and may lose spans
        self.clock = VirtualClock()
        self.dice = random.Random(seed)
        self.tokens: dict[str, str] = {}
        self.messages: dict[str, dict[str, Any]] = {}
        self.queue = ""
        self.crashes = 0

    async def begin(self) -> None:
        """A process starts."""
        self.storage = FragileStorage(self.config.data, self.clock, inline_commit=True)
        wanted = ("sqs", "dynamodb", "events", "stepfunctions")
        services: dict[str, Callable[[Kit], Service]] = {name: SERVICES[name] for name in wanted}
        services["lambda"] = Functions
        self.cloud = LocalCloud(
            self.config,
            self.clock,
            Ids(seed=self.dice.getrandbits(32)),
            self.storage,
            services=services,  # type: ignore[arg-type]
        )
        self.before = asyncio.all_tasks()
        await self._unless_dead(self.cloud.start())

    def doom(self, crashes: int) -> None:
        """Let it die at one of the next commits, if it is to die once more."""
        if self.crashes < crashes:
            self.storage.commits_left = self.dice.randint(1, 20)
            self.storage.keeps_the_last = self.dice.random() < 0.5

    async def _unless_dead(self, work: Any) -> Any:
        """Await something for as long as the process lives; `None` if it died."""
        task = asyncio.ensure_future(work)
        for _ in range(5000):
            if task.done() or self.storage.dead:
                break
            await asyncio.sleep(0)
        if self.storage.dead:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            return None
        return await task

    async def die(self) -> None:
        """Whatever is under way is gone."""
        self.crashes += 1
        self.storage.dead = True
        self.storage._closed = True
        tasks = asyncio.all_tasks() - self.before - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.cloud.services["stepfunctions"]._runner.evaluator.stop()  # type: ignore[attr-defined]
        self.storage._closed = False
        await self.storage.bury()

    async def call(self, service: str, operation: str, **request: Any) -> Any:
        """A client's call; `None` if the process died before it answered."""
        return await self._unless_dead(self.cloud.call(SCOPE, service, operation, request))

    async def prepare(self) -> None:
        """Everything that journeys need."""
        self.queue = (await self.call("sqs", "CreateQueue", QueueName="told"))["QueueUrl"]
        arrivals = (await self.call("sqs", "CreateQueue", QueueName="arrivals"))["QueueUrl"]
        key = [{"AttributeName": "id", "KeyType": "HASH"}]
        types = [{"AttributeName": "id", "AttributeType": "S"}]
        await self.call(
            "dynamodb", "CreateTable", TableName=journeys.TABLE, KeySchema=key, AttributeDefinitions=types,
            BillingMode="PAY_PER_REQUEST",
        )  # fmt: skip
        await self.clock.advance(10)
        await self.call("events", "PutRule", Name="all", EventPattern='{"source": ["journey"]}')
        arn = "arn:aws:sqs:us-east-1:000000000000:arrivals"
        statement = {"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sqs:SendMessage"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [{**statement, "Resource": arn}]})
        await self.call("sqs", "SetQueueAttributes", QueueUrl=arrivals, Attributes={"Policy": policy})
        await self.call("events", "PutTargets", Rule="all", Targets=[{"Id": "1", "Arn": arn}])
        await self.call("stepfunctions", "CreateActivity", name="hands")
        for name, definition in (("child", journeys.child()), ("journey", journeys.parent(self.queue))):
            await self.call(
                "stepfunctions", "CreateStateMachine", name=name, definition=definition, roleArn=journeys.ROLE
            )

    async def work(self) -> None:
        """What clients do in a second: read messages, answer the callbacks, take the activity's tasks."""
        found = await self.call("sqs", "ReceiveMessage", QueueUrl=self.queue, MaxNumberOfMessages=10)
        for message in (found or {}).get("Messages", ()):
            body = json.loads(message["Body"])
            self.messages[message["MessageId"]] = body
            await self.call("sqs", "DeleteMessage", QueueUrl=self.queue, ReceiptHandle=message["ReceiptHandle"])
            if "token" in body:
                self.tokens[body["asked"]] = body["token"]
        for name, token in list(self.tokens.items()):
            if self.dice.random() < 0.5:
                await self._answer(name, token)
        if self.dice.random() < 0.8:
            await self._take()

    async def _answer(self, name: str, token: str) -> None:
        try:
            done = await self.call("stepfunctions", "SendTaskSuccess", taskToken=token, output=journeys.answer(name))
        except ApiError as error:
            assert error.code == "TaskTimedOut", error  # noqa: PT017 - the answer before the crash had arrived
            done = {}
        if done is not None:
            self.tokens.pop(name, None)

    async def _take(self) -> None:
        poll = asyncio.ensure_future(
            self.cloud.call(SCOPE, "stepfunctions", "GetActivityTask", {"activityArn": journeys.ACTIVITY})
        )
        for _ in range(30):
            if poll.done() or self.storage.dead:
                break
            await asyncio.sleep(0)
        if not poll.done() or self.storage.dead:
            poll.cancel()
            await asyncio.gather(poll, return_exceptions=True)
            return
        task = poll.result()
        if task.get("taskToken"):
            name = json.loads(task["input"])["id"]
            with contextlib.suppress(ApiError):  # it had timed out
                await self.call(
                    "stepfunctions", "SendTaskSuccess", taskToken=task["taskToken"], output=journeys.answer(name)
                )

    async def findings(self, names: set[str]) -> journeys.Findings:
        """Everything that became of it."""
        found = journeys.Findings(calls=list(Functions.calls))
        for name in names:
            arn = _arn(name)
            reply = await self.call("stepfunctions", "DescribeExecution", executionArn=arn)
            found.outputs[name] = json.loads(reply["output"]) if reply.get("output") else reply.get("error")
            history = await self.call("stepfunctions", "GetExecutionHistory", executionArn=arn, maxResults=1000)
            found.histories[name] = history["events"]
        listed = await self.call("stepfunctions", "ListExecutions", stateMachineArn=journeys.CHILD, maxResults=1000)
        for each in listed["executions"]:
            reply = await self.call("stepfunctions", "DescribeExecution", executionArn=each["executionArn"])
            found.children.append(json.loads(reply["input"])["id"])
        scan = await self.call("dynamodb", "Scan", TableName=journeys.TABLE)
        found.counters = {item["id"]["S"]: int(item["n"]["N"]) for item in scan["Items"]}
        found.events = {(event["id"], event["detail"]["id"]) for event in (await self.drain("arrivals")).values()}
        found.messages = [*(self.messages | await self.drain("told")).values()]
        return found

    async def drain(self, queue: str) -> dict[str, Any]:
        """What is in a queue, by message id."""
        found: dict[str, Any] = {}
        request = {"QueueUrl": self.queue.replace("told", queue), "MaxNumberOfMessages": 10, "VisibilityTimeout": 3600}
        while messages := (await self.call("sqs", "ReceiveMessage", **request)).get("Messages"):
            found |= {message["MessageId"]: json.loads(message["Body"]) for message in messages}
        return found

    async def start(self, name: str) -> bool:
        """Start a journey; whether that was acknowledged."""
        reply = await self.call(
            "stepfunctions", "StartExecution", stateMachineArn=journeys.PARENT, name=name, input=journeys.document(name)
        )
        return reply is not None

    async def running(self, names: set[str]) -> set[str]:
        """Which of these journeys are under way."""
        found = set()
        for name in names:
            reply = await self.call("stepfunctions", "DescribeExecution", executionArn=_arn(name))
            if reply is None or reply["status"] == "RUNNING":
                found.add(name)
        return found


def _arn(name: str) -> str:
    return journeys.PARENT.replace("stateMachine", "execution") + f":{name}"


MEANTIME = 3
"""Journeys that are under way at once."""
TICK = 0.1


async def travel(folder: Path, seed: int, crashes: int) -> World:
    """One journey after another until there were so many crashes on their way; then a judgement."""
    Functions.calls.clear()
    world = World(folder, seed)
    await world.begin()
    await world.prepare()
    names: set[str] = set()
    running: set[str] = set()
    unsure = False  # whether the last start was not acknowledged: it is made again
    world.doom(crashes)
    while True:
        if world.storage.dead:
            await world.die()
            await world.begin()
            world.doom(crashes)
        elif unsure or (len(running) < MEANTIME and (world.crashes < crashes or len(names) < MEANTIME)):
            name = f"journey-{len(names)}"
            unsure = not await world.start(name)
            if not unsure:
                names.add(name)
                running.add(name)
        else:
            await world.work()
            for _ in range(world.dice.choice((1, 5, 10))):
                if not world.storage.dead:  # no time passes between a death and the next life
                    await world.clock.advance(TICK)
            if not world.storage.dead:
                running = await world.running(running)
            if not running and world.crashes >= crashes:
                break
    await world.clock.advance(120)  # whatever is still being delivered
    journeys.judge(await world.findings(names), names, patience=5 * TICK)
    await world.cloud.stop()
    return world


@pytest.mark.slow
async def test_an_uninterrupted_journey_does_what_it_should(tmp_path: Path) -> None:
    """The judgement itself, on what nothing disturbed."""
    world = await travel(tmp_path / "data", 1, crashes=0)
    assert world.crashes == 0


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
async def test_journeys_go_on_through_crashes_at_any_commit(tmp_path: Path, seed: int) -> None:
    await travel(tmp_path / "data", seed, crashes=10)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2, 4))
async def test_journeys_go_on_through_hundreds_of_crashes(tmp_path: Path, seed: int) -> None:
    await travel(tmp_path / "data", seed, crashes=100)
