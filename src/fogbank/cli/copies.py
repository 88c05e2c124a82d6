"""Copies of an application, for `fogbank chaos`: each in an account of its own, on a server of its own.

deploy ──▶ set how events come ──▶ play the input ──▶ wait until all is over ──▶ read tables, queues, executions
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from fogbank.cli.connection import Connection, error_code
from fogbank.cli.deploying import Request, Stacks
from fogbank.cli.failures import Exit, Failure
from fogbank.cli.options import Options
from fogbank.cli.output import Output
from fogbank.core.clock import SystemClock
from fogbank.insight.chaos import State, named

LOOK = 0.05
"""Seconds between two looks at whether all is over."""
STILL = 6
"""Looks in a row that must find nothing."""
HOP = 20.0
"""Seconds that the server's clock is moved on when only waiting is left: retries, visibility timeouts, Wait states."""
MAX_HOPS = 90
"""After half an hour of its clock a run is taken as it is."""
PATIENCE = 300.0
"""Seconds of the machine's time that a run may take."""
ACCOUNTS = 900_000_000_000


@dataclass(slots=True)
class Ended:
    """How a run ended."""

    state: State
    deliveries: dict[str, int]
    """Events that came to each function, by logical ids."""
    failures: dict[str, dict[str, int]]
    """Errors of repetitions whose first time went well."""
    settled: bool = True
    """Whether everything was over in the end."""


@dataclass(slots=True)
class Copy:
    """One copy of the application."""

    connection: Connection
    account: str
    physical: dict[str, tuple[str, str]]
    """Type and physical id of each resource, by logical ids."""
    consumed: set[str] = field(default_factory=set)
    """Queues that have a consumer, by logical ids."""

    def id_of(self, name: str, *types: str) -> str:
        """The physical id of what a person names: a logical id, or the physical id itself."""
        kind, physical = self.physical.get(name, ("", name))
        if kind and types and kind not in types:
            raise Failure(Exit.INVALID, f"{name} is a {kind}, not a {types[0]}")
        return physical

    def only(self, type_: str) -> str | None:
        """The logical id of the only resource of a type; `None` if there are none or several."""
        found = [name for name, (kind, _) in self.physical.items() if kind == type_]
        return found[0] if len(found) == 1 else None

    @property
    def names(self) -> dict[str, str]:
        """Logical ids by physical ids and names, and words for what differs between copies."""
        found = {physical: logical for logical, (_, physical) in self.physical.items() if physical}
        found |= {physical.rpartition("/")[2]: name for physical, name in list(found.items()) if "://" in physical}
        return {**found, self.account: "account", self.connection.endpoint: "endpoint"}


class Copies:
    """Makes copies on one server, and runs the input on them."""

    def __init__(self, options: Options, endpoint: str, request: Request, template: Any, output: Output) -> None:
        self._region = options.region_name
        self._endpoint = endpoint
        self._request = request
        self._template = template
        self._output = output
        self._count = 0
        self._clock = SystemClock()
        self._pause = threading.Event()

    def run(self, steps: Sequence[Mapping[str, Any]], mode: str, functions: Sequence[str] | None = None) -> Ended:
        """A fresh copy, the input, the end. `functions` are the logical ids of those that are disturbed; else all."""
        whom = "" if functions is None else f" to {', '.join(functions)}"
        what = "undisturbed" if mode == "none" else f"events{whom}: {mode}"
        self._output.progress(f"run {self._count + 1}: {what}")
        copy = self._deploy()
        plan: dict[str, Any] = {"account": copy.account, "mode": mode}
        if functions is not None:
            plan["functions"] = [copy.id_of(name) for name in functions]
        copy.connection.post("/_fogbank/chaos", plan)
        for step in steps:
            play(copy, step)
        settled, report = self._settle(copy)
        logical = {physical: name for name, (_, physical) in copy.physical.items()}
        return Ended(
            read_state(copy),
            {logical.get(name, name): count for name, count in report["deliveries"].items()},
            {logical.get(name, name): kinds for name, kinds in report["failures"].items()},
            settled,
        )

    def _deploy(self) -> Copy:
        self._count += 1
        account = str(ACCOUNTS + self._count)
        options = Options(endpoint=self._endpoint, region=self._region, access_key=account, secret_key="any")  # noqa: S106
        connection = Connection(options)
        stacks = Stacks(connection, Output(json=True))
        stacks.deploy(self._request, self._template)
        physical = {
            each["LogicalResourceId"]: (each["ResourceType"], each.get("PhysicalResourceId", ""))
            for each in stacks.resources(self._request.stack)
        }
        copy = Copy(connection, account, physical)
        by_arn = {mapping["EventSourceArn"].rpartition(":")[2] for mapping in _mappings(connection)}
        for name, (kind, url) in physical.items():
            if kind == "AWS::SQS::Queue" and url.rpartition("/")[2] in by_arn:
                copy.consumed.add(name)
        return copy

    def _settle(self, copy: Copy) -> tuple[bool, dict[str, Any]]:
        """Wait until nothing is under way, letting go of what is held whenever nothing else is."""
        until = self._clock.monotonic() + PATIENCE
        still = hops = 0
        while self._clock.monotonic() < until:
            report = copy.connection.post("/_fogbank/chaos", {"account": copy.account})
            if report["busy"]:
                still = 0
            elif still < STILL:
                still += 1
            elif report["held"]:
                copy.connection.post("/_fogbank/chaos", {"account": copy.account, "release": True})
                still = 0
            elif not report["waiting"] and not _unfinished(copy):
                return True, report
            elif hops < MAX_HOPS:
                copy.connection.post("/_fogbank/clock", {"seconds": HOP})
                hops += 1
                still = 0
            else:
                return False, report
            self._pause.wait(LOOK)
        raise Failure(
            Exit.FAILED, f"a run was not over after {PATIENCE:.0f} seconds", do="give it a smaller input: --events FILE"
        )


def _mappings(connection: Connection) -> Iterator[dict[str, Any]]:
    for page in connection.client("lambda").get_paginator("list_event_source_mappings").paginate():
        yield from page["EventSourceMappings"]


def _unfinished(copy: Copy) -> bool:
    """Whether messages wait for a consumer, or executions go on."""
    sqs = copy.connection.client("sqs")
    for name in copy.consumed:
        attributes = sqs.get_queue_attributes(QueueUrl=copy.id_of(name), AttributeNames=["All"])["Attributes"]
        if any(int(attributes[f"ApproximateNumberOfMessages{part}"]) for part in ("", "NotVisible", "Delayed")):
            return True
    states = copy.connection.client("stepfunctions")
    machines = [arn for kind, arn in copy.physical.values() if kind == "AWS::StepFunctions::StateMachine"]
    return any(
        states.list_executions(stateMachineArn=arn, statusFilter="RUNNING", maxResults=1)["executions"]
        for arn in machines
        if not _is_express(states, arn)
    )


def _is_express(states: Any, arn: str) -> bool:
    return bool(states.describe_state_machine(stateMachineArn=arn)["type"] == "EXPRESS")


# -- the input ----------------------------------------------------------------------------------------------------


def check_step(step: Mapping[str, Any]) -> None:
    """`Failure` if a step of the input is none; see `docs/reference/commands.md`."""
    if "DetailType" in step and "Source" in step:
        return
    names = _NEEDED.get(next(iter(step), ""), ())
    given = next(iter(step.values()), None)
    if len(step) == 1 and names and isinstance(given, Mapping) and all(name in given for name in names):
        return
    raise Failure(
        Exit.INVALID,
        f"a step of the input is none: {json.dumps(step)[:200]}",
        do='expected a PutEvents entry, {"publish": {"source", "detail-type", "detail"}}, {"send": {"queue", "body"}}, '
        '{"invoke": {"function", "payload"}} or {"start": {"machine", "input"}}',
    )


def play(copy: Copy, step: Mapping[str, Any]) -> None:
    """One step of the input, which was checked."""
    if "DetailType" in step:
        _put_event(copy, step)
        return
    ((name, given),) = step.items()
    _KINDS[name](copy, given)


def _put_event(copy: Copy, entry: Mapping[str, Any]) -> None:
    bus = entry.get("EventBusName") or copy.only("AWS::Events::EventBus") or "default"
    detail = entry.get("Detail", {})
    made = {**entry, "EventBusName": copy.id_of(bus), "Detail": _text(detail)}
    reply = copy.connection.client("events").put_events(Entries=[made])
    if reply["FailedEntryCount"]:
        refused = reply["Entries"][0]
        raise Failure(Exit.INVALID, f"an event was refused: {refused['ErrorCode']}: {refused['ErrorMessage']}")


def _publish(copy: Copy, given: Mapping[str, Any]) -> None:
    entry = {"Source": given["source"], "DetailType": given["detail-type"], "Detail": given.get("detail", {})}
    _put_event(copy, {**entry, **({"EventBusName": given["bus"]} if "bus" in given else {})})


def _send(copy: Copy, given: Mapping[str, Any]) -> None:
    more = {
        name: str(given[key])
        for key, name in (("group", "MessageGroupId"), ("id", "MessageDeduplicationId"))
        if key in given
    }
    url = copy.id_of(given["queue"], "AWS::SQS::Queue")
    copy.connection.client("sqs").send_message(QueueUrl=url, MessageBody=_text(given["body"]), **more)


def _invoke(copy: Copy, given: Mapping[str, Any]) -> None:
    function = copy.id_of(given["function"], "AWS::Lambda::Function")
    payload = _text(given.get("payload", {})).encode()
    copy.connection.client("lambda").invoke(FunctionName=function, InvocationType="Event", Payload=payload)


def _start(copy: Copy, given: Mapping[str, Any]) -> None:
    machine = copy.id_of(given["machine"], "AWS::StepFunctions::StateMachine")
    request = {"stateMachineArn": machine, "input": _text(given.get("input", {}))}
    copy.connection.client("stepfunctions").start_execution(**request)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


_KINDS = {"publish": _publish, "send": _send, "invoke": _invoke, "start": _start}
_NEEDED = {
    "publish": ("source", "detail-type"),
    "send": ("queue", "body"),
    "invoke": ("function",),
    "start": ("machine",),
}


# -- the end ------------------------------------------------------------------------------------------------------


def read_state(copy: Copy) -> State:
    """What is in the tables, what is left in the queues, what the executions came to."""
    names = copy.names
    tables: dict[str, dict[str, dict[str, Any]]] = {}
    queues: dict[str, list[str]] = {}
    executions: dict[str, list[str]] = {}
    for logical, (kind, physical) in copy.physical.items():
        if kind == "AWS::DynamoDB::Table":
            tables[logical] = _items(copy.connection, physical, names)
        elif kind == "AWS::SQS::Queue":
            queues[logical] = [named(body, names) for body in _bodies(copy.connection, physical)]
        elif kind == "AWS::StepFunctions::StateMachine":
            executions[logical] = [named(text, names) for text in _outcomes(copy.connection, physical)]
    return State(tables, queues, executions)


def _items(connection: Connection, table: str, names: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    dynamodb = connection.client("dynamodb")
    keys = [part["AttributeName"] for part in dynamodb.describe_table(TableName=table)["Table"]["KeySchema"]]
    found = {}
    for page in dynamodb.get_paginator("scan").paginate(TableName=table, ConsistentRead=True):
        for raw in page["Items"]:
            item = json.loads(named(json.dumps(raw, default=_bytes, sort_keys=True), names))
            plain = {name: _plain(value) for name, value in item.items()}
            found[", ".join(f"{key}={plain[key]}" for key in keys)] = plain
    return found


def _bytes(value: Any) -> str:
    return bytes(value).hex() if isinstance(value, bytes | bytearray) else str(value)


def _plain(value: Mapping[str, Any]) -> Any:
    """An attribute without the names of its types."""
    ((kind, content),) = value.items()
    if kind == "M":
        return {name: _plain(one) for name, one in content.items()}
    if kind == "L":
        return [_plain(one) for one in content]
    if kind == "N":
        return float(content) if "." in content or "E" in content.upper() else int(content)
    return None if kind == "NULL" else content


def _bodies(connection: Connection, url: str) -> Iterator[str]:
    """The bodies of the messages that are left; they are taken, as the server is thrown away."""
    sqs = connection.client("sqs")
    while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=600).get("Messages"):
        yield from (message["Body"] for message in messages)


def _outcomes(connection: Connection, machine: str) -> Iterator[str]:
    states = connection.client("stepfunctions")
    try:
        listed = [
            execution["executionArn"]
            for page in states.get_paginator("list_executions").paginate(stateMachineArn=machine)
            for execution in page["executions"]
        ]
    except ClientError as error:
        if error_code(error) == "StateMachineTypeNotSupported":  # Express executions leave nothing behind
            return
        raise
    for arn in listed:
        found = states.describe_execution(executionArn=arn)
        result = found.get("output") or f"{found.get('error')}: {found.get('cause')}"
        yield f"{found['status']}: {found.get('input')} → {result}"
