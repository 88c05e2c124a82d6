"""Workloads of Step Functions: short executions, Maps, and executions that wait."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from benchmarks.load import Step, expect
from benchmarks.peers import Running
from benchmarks.wire import Connection, RequestError, json_request
from benchmarks.workloads import ROLE, TRIVIAL, Workload, client, make_function, make_queue, new_name

PATIENCE = 90.0
"""Seconds after which an execution that has not ended is given up."""
FIRST_LOOK, LONGEST_PAUSE = 0.001, 0.02
"""Seconds: looks at an execution that is under way become rarer, so that they cost a slow server little."""

FIVE = {f"P{number}": {"Type": "Pass", "Next": f"P{number + 1}"} for number in range(1, 5)} | {
    "P5": {"Type": "Pass", "End": True}
}
PASS = {"StartAt": "P", "States": {"P": {"Type": "Pass", "End": True}}}


def _map(body: Mapping[str, Any]) -> dict[str, Any]:
    return {"Map": {"Type": "Map", "ItemProcessor": body, "End": True}}


def states_request(server: Running, operation: str, request: Mapping[str, Any]) -> bytes:
    """A prebuilt request to Step Functions."""
    return json_request(server.endpoint, "states", f"AWSStepFunctions.{operation}", json.dumps(request).encode())


def make_machine(server: Running, states: Mapping[str, Any], kind: str = "STANDARD") -> str:
    """A state machine; its ARN."""
    definition = json.dumps({"StartAt": next(iter(states)), "States": states})
    reply = client(server, "stepfunctions").create_state_machine(
        name=new_name(), definition=definition, roleArn=ROLE, type=kind
    )
    return str(reply["stateMachineArn"])


def start_to_end(server: Running, machine: str, text: str = "{}", patience: float = PATIENCE) -> Step:
    """StartExecution, and DescribeExecution until it has succeeded."""

    async def step(connection: Connection, number: int) -> None:
        request = {"stateMachineArn": machine, "name": new_name(), "input": text}
        reply = json.loads(await expect(connection, states_request(server, "StartExecution", request)))
        look = states_request(server, "DescribeExecution", {"executionArn": reply["executionArn"]})
        pause, deadline = FIRST_LOOK, time.perf_counter() + patience
        while True:
            status = json.loads(await expect(connection, look))["status"]
            if status == "SUCCEEDED":
                return
            if status != "RUNNING" or time.perf_counter() > deadline:
                raise RequestError(f"the execution is {status}")
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    return step


def five_passes(server: Running) -> Step:
    """Five Pass states, Standard, from the start to the seen end."""
    return start_to_end(server, make_machine(server, FIVE))


def five_express(server: Running) -> Step:
    """Five Pass states, Express: StartSyncExecution."""
    machine = make_machine(server, FIVE, "EXPRESS")

    async def step(connection: Connection, number: int) -> None:
        request = {"stateMachineArn": machine, "name": new_name(), "input": "{}"}
        reply = await expect(connection, states_request(server, "StartSyncExecution", request))
        if json.loads(reply)["status"] != "SUCCEEDED":
            raise RequestError(f"the execution did not succeed: {reply[:300]!r}")

    return step


def map_of_passes(server: Running, count: int = 100) -> Step:
    """A Map of so many items with a Pass state, from the start to the seen end."""
    return start_to_end(server, make_machine(server, _map(PASS)), json.dumps(list(range(count))))


def map_of_functions(server: Running) -> Step:
    """A Map of 1,000 items that each invoke a function, 40 at once."""
    name = make_function(server, TRIVIAL)
    client(server, "lambda").invoke(FunctionName=name, Payload=b"{}")
    arn = client(server, "lambda").get_function(FunctionName=name)["Configuration"]["FunctionArn"]
    body = {"StartAt": "F", "States": {"F": {"Type": "Task", "Resource": arn, "End": True}}}
    return start_to_end(server, make_machine(server, _map(body)), json.dumps(list(range(1000))))


WORKLOADS = (
    Workload("five Pass states, Standard", five_passes),
    Workload("five Pass states, Standard, 1 connection", five_passes, connections=1),
    Workload("five Pass states, Express", five_express),
    Workload("Map of 100 Pass states, 1 connection", map_of_passes, connections=1),
    Workload("Map of 1,000 functions, in items", map_of_functions, connections=1, units=1000, in_moto=False, rounds=1),
)


@dataclass(frozen=True, slots=True)
class Waiting:
    """What executions that wait for a callback cost."""

    count: int
    memory: float
    """Bytes each."""
    idle: float
    """Share of a processor that the server uses while all of them wait and nothing comes in."""
    TITLES: ClassVar = ("at once", "memory each, KB", "processor while nothing comes, %")

    def cells(self) -> dict[str, str]:
        """What the table shows."""
        values = (f"{self.count:,}", f"{self.memory / 1000:,.1f}", f"{self.idle * 100:,.1f}")
        return dict(zip(self.TITLES, values, strict=True))


def waiting(server: Running, count: int) -> Waiting:
    """Start executions that send a message with their token and wait; memory and CPU while they do."""
    url = make_queue(server)
    ask = {
        "Type": "Task",
        "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
        "Parameters": {"QueueUrl": url, "MessageBody.$": "$$.Task.Token"},
        "End": True,
    }
    machine = make_machine(server, {"Ask": ask})

    async def begin(total: int) -> None:
        connections = [await Connection.open(server.endpoint) for _ in range(16)]
        numbers = iter(range(total))

        async def work(connection: Connection) -> None:
            for _ in numbers:
                request = {"stateMachineArn": machine, "name": new_name(), "input": '{"order": "o-1"}'}
                await expect(connection, states_request(server, "StartExecution", request))

        await asyncio.gather(*(work(connection) for connection in connections))
        for connection in connections:
            connection.close()

    asyncio.run(begin(count // 10))  # what grows once: caches, pools, the database's pages
    _settle(server)
    before = server.memory()
    asyncio.run(begin(count))
    _settle(server)
    memory = (server.memory() - before) / count
    _check_all_wait(server, url, count + count // 10)
    cpu, begun = server.cpu(), time.perf_counter()
    time.sleep(5)
    return Waiting(count, memory, (server.cpu() - cpu) / (time.perf_counter() - begun))


def _check_all_wait(server: Running, url: str, count: int) -> None:
    wanted = "ApproximateNumberOfMessages"
    found = client(server, "sqs").get_queue_attributes(QueueUrl=url, AttributeNames=[wanted])["Attributes"][wanted]
    if int(found) != count:
        raise RequestError(f"{found} of {count} executions have sent their token")


def _settle(server: Running) -> None:
    """Wait until the server has done what it was asked to."""
    cpu = -1.0
    for _ in range(60):
        cpu, last = server.cpu(), cpu
        if cpu - last < 0.02:
            return
        time.sleep(1)
