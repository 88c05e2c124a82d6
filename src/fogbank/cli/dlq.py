"""`fogbank dlq`: dead-letter queues."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime
from typing import Any

import click

from fogbank.cli.connection import Connection, ServerCommand, connected
from fogbank.cli.deadletters import DeadLetter, Owner, OwnerKind, Redelivery, explain
from fogbank.cli.failures import Exit, Failure
from fogbank.cli.logs import log_group
from fogbank.cli.output import Output
from fogbank.cli.owners import DeadLetterQueue, dead_letter_queues
from fogbank.cli.send import queue_url

_HOLD = 30
"""Seconds for which `peek` keeps more than ten messages invisible while it reads them; it gives them back at once."""
_POLL = 0.1


@click.group("dlq")
def command() -> None:
    """Dead-letter queues: list them, look into one, send its messages back."""


@command.command("list", cls=ServerCommand)
@click.pass_context
def list_queues(context: click.Context) -> None:
    """List the queues that dead letters of queues, rules, schedules, functions and topics go to."""
    connection, output = connected(context)
    found = dead_letter_queues(connection)
    if output.json:
        owners = [[{"kind": o.kind, "name": o.name, "arn": o.arn} for o in queue.owners] for queue in found]
        output.document(
            {
                "queues": [
                    {"name": q.name, "arn": q.arn, "url": q.url, "messages": q.messages, "owners": who}
                    for q, who in zip(found, owners, strict=True)
                ]
            }
        )
        return
    if not found:
        output.line("no queue, rule, schedule or function names a dead-letter queue")
        return
    output.table(
        ("queue", "messages", "dead letters of"),
        [
            (q.name, q.messages if q.url else "no such queue", ", ".join(str(owner) for owner in q.owners))
            for q in found
        ],
    )


@command.command("peek", cls=ServerCommand)
@click.argument("queue")
@click.option("--max", "limit", type=click.IntRange(1, 1000), default=10, show_default=True, help="Messages to show.")
@click.pass_context
def peek(context: click.Context, queue: str, limit: int) -> None:
    """Show what lies in QUEUE, with the reason and the attempts. Nothing is consumed.

    Each message stays visible to others; its receive count rises by one, as with any look at a queue.
    """
    connection, output = connected(context)
    found = _find(connection, queue)
    letters = [explain(message, found.owners) for message in _look(connection, str(found.url), limit)]
    reasons = {letter.message_id: _last_words(connection, found.owners, letter) for letter in letters}
    if output.json:
        documents = [letter.document() | {"log": reasons[letter.message_id]} for letter in letters]
        output.document({"queue": found.name, "messages": documents})
        return
    if not letters:
        output.line(f"{found.name} is empty")
        return
    for letter in letters:
        _show(output, letter, reasons[letter.message_id])


@command.command("redrive", cls=ServerCommand)
@click.argument("queue")
@click.option("--max", "limit", type=click.IntRange(1, 100_000), help="At most so many of a rule's or function's.")
@click.pass_context
def redrive(context: click.Context, queue: str, limit: int | None) -> int:
    """Send what lies in QUEUE back to where it failed.

    Messages of queues are moved by a message move task (StartMessageMoveTask). The event of a rule, schedule or
    function is given again to the target that failed, and to no other; then it is deleted here.
    """
    connection, output = connected(context)
    found = _find(connection, queue)
    kinds = {owner.kind for owner in found.owners}
    moved, kept = 0, 0
    if kinds - {OwnerKind.QUEUE}:
        moved, kept = _deliver_again(connection, output, found, min(limit or found.messages, found.messages))
    if OwnerKind.QUEUE in kinds and (kept or kinds == {OwnerKind.QUEUE}):
        moved += _move(connection, output, found)
        kept = 0
    if output.json:
        output.document({"queue": found.name, "sent": moved, "kept": kept})
    else:
        output.line(f"{moved} sent back" + (f", {kept} kept: they do not say where they failed" if kept else ""))
    return Exit.FAILED if kept else Exit.DONE


def _find(connection: Connection, name: str) -> DeadLetterQueue:
    url = queue_url(connection, name)
    attributes = connection.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    arn = attributes["Attributes"]["QueueArn"]
    known = dead_letter_queues(connection)
    for queue in known:
        if queue.arn == arn:
            return queue
    names = ", ".join(queue.name for queue in known)
    raise Failure(
        Exit.NOT_FOUND,
        f"{arn.rpartition(':')[2]} is no dead-letter queue: no queue, rule, schedule or function names it",
        do=f"there are: {names}" if names else "see: fogbank dlq list",
    )


def _receive(connection: Connection, url: str, *, visibility: int, limit: int = 10) -> list[dict[str, Any]]:
    reply = connection.client("sqs").receive_message(
        QueueUrl=url,
        MaxNumberOfMessages=min(10, limit),
        VisibilityTimeout=visibility,
        WaitTimeSeconds=0,
        MessageSystemAttributeNames=["All"],
        MessageAttributeNames=["All"],
    )
    return list(reply.get("Messages", []))


def _look(connection: Connection, url: str, limit: int) -> list[dict[str, Any]]:
    """Up to `limit` messages; they stay in the queue, and are visible again when this returns."""
    if limit <= 10:
        return _receive(connection, url, visibility=0, limit=limit)
    held: list[dict[str, Any]] = []
    try:
        while len(held) < limit:
            batch = _receive(connection, url, visibility=_HOLD, limit=limit - len(held))
            if not batch:
                break
            held += batch
    finally:
        for start in range(0, len(held), 10):
            connection.client("sqs").change_message_visibility_batch(
                QueueUrl=url,
                Entries=[
                    {"Id": str(n), "ReceiptHandle": message["ReceiptHandle"], "VisibilityTimeout": 0}
                    for n, message in enumerate(held[start : start + 10])
                ],
            )
    return held


def _last_words(connection: Connection, owners: list[Owner], letter: DeadLetter) -> str | None:
    """What the function that consumes the source queue last logged of the message: its real reason."""
    for owner in owners:
        if owner.kind is not OwnerKind.QUEUE or letter.owner != str(owner):
            continue
        mappings = connection.client("lambda").list_event_source_mappings(EventSourceArn=owner.arn)
        for mapping in mappings["EventSourceMappings"]:
            group = log_group(connection, mapping["FunctionArn"])
            lines = _lines_with(connection, group, letter.message_id)
            if lines:
                return _words(lines[-1])
    return None


def _lines_with(connection: Connection, group: str, text: str) -> list[str]:
    logs = connection.client("logs")
    try:
        pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group, filterPattern=f'"{text}"')
        return [event["message"] for page in pages for event in page["events"]]
    except logs.exceptions.ResourceNotFoundException:
        return []


def _words(line: str) -> str:
    """The message of a JSON log line, else the line."""
    try:
        record = json.loads(line)
    except ValueError:
        return line.strip()
    return str(record.get("message", line)).strip() if isinstance(record, dict) else line.strip()


def _show(output: Output, letter: DeadLetter, log: str | None) -> None:
    output.line(letter.message_id, "bold")
    sent = datetime.fromtimestamp(letter.sent, UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    pairs = [("from", letter.owner), ("reason", letter.reason), ("attempts", letter.attempts), ("since", sent)]
    if log:
        pairs.insert(2, ("log", log))
    for name, value in [*pairs, ("body", letter.body)]:
        output.line(f"  {name:<9}{value}")


def _deliver_again(connection: Connection, output: Output, queue: DeadLetterQueue, limit: int) -> tuple[int, int]:
    """Give each event again to what failed on it; how many went, and how many do not say where they failed.

    At most `limit` messages are looked at: what fails again comes back while this runs.
    """
    sqs = connection.client("sqs")
    sent = 0
    kept: list[dict[str, Any]] = []
    try:
        while sent + len(kept) < limit:
            batch = _receive(connection, str(queue.url), visibility=_HOLD, limit=limit - sent - len(kept))
            if not batch:
                break
            for message in batch:
                letter = explain(message, queue.owners)
                if letter.again is None:
                    kept.append(message)
                    continue
                _give(connection, letter.again)
                sqs.delete_message(QueueUrl=queue.url, ReceiptHandle=message["ReceiptHandle"])
                output.progress(f"{letter.message_id} to {letter.again.arn}")
                sent += 1
    finally:
        for message in kept:
            sqs.change_message_visibility(
                QueueUrl=queue.url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0
            )
    return sent, len(kept)


def _give(connection: Connection, again: Redelivery) -> None:
    service = again.arn.split(":")[2]
    match service:
        case "lambda":
            connection.client("lambda").invoke(
                FunctionName=again.arn, InvocationType="Event", Payload=again.body.encode()
            )
        case "sqs":
            connection.client("sqs").send_message(QueueUrl=queue_url(connection, again.arn), MessageBody=again.body)
        case "events":
            event = json.loads(again.body)
            entry = {
                "EventBusName": again.arn,
                "Source": event.get("source", "fogbank.cli"),
                "DetailType": event.get("detail-type", "Redriven"),
                "Detail": json.dumps(event.get("detail", event)),
                "Resources": event.get("resources", []),
            }
            reply = connection.client("events").put_events(Entries=[entry])["Entries"][0]
            if reply.get("ErrorCode"):
                raise Failure(Exit.FAILED, f"{reply['ErrorCode']}: {reply.get('ErrorMessage', '')}", where=again.arn)
        case _:
            raise Failure(
                Exit.FAILED,
                f"fogbank dlq redrive cannot deliver to {service} yet",
                where=again.arn,
                do="receive the message, make the call yourself, and delete it",
            )


def _move(connection: Connection, output: Output, queue: DeadLetterQueue) -> int:
    """Move the messages of queues back to them; how many were moved."""
    sqs = connection.client("sqs")
    sqs.start_message_move_task(SourceArn=queue.arn)
    pause = threading.Event()
    while True:
        tasks = sqs.list_message_move_tasks(SourceArn=queue.arn)["Results"]
        task = tasks[0]  # the most recent; only a running one gives its handle
        moved = int(task.get("ApproximateNumberOfMessagesMoved", 0))
        match task["Status"]:
            case "COMPLETED":
                return moved
            case "FAILED" | "CANCELLED":
                raise Failure(
                    Exit.FAILED,
                    f"the move task {task['Status'].lower()}: {task.get('FailureReason', 'no reason given')}",
                    where=queue.arn,
                )
        output.progress(f"{moved} moved")
        pause.wait(_POLL)
