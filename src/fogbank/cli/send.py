"""`fogbank send`: send a message to a queue."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click

from fogbank.cli.connection import Connection, ServerCommand, connected
from fogbank.cli.documents import read_text
from fogbank.cli.resolving import QUEUE, named


@click.command("send", cls=ServerCommand)
@click.argument("queue")
@click.argument("body")
@click.option("--delay", type=click.IntRange(0, 900), help="Seconds before it can be received.")
@click.option("--group", help="Message group id, for FIFO queues and fair queues.")
@click.option("--deduplication", help="Deduplication id, for FIFO queues.")
@click.option(
    "--attribute", "attributes", multiple=True, metavar="NAME=TEXT", help="A message attribute; may be repeated."
)
@click.pass_context
def command(
    context: click.Context,
    queue: str,
    body: str,
    *,
    delay: int | None,
    group: str | None,
    deduplication: str | None,
    attributes: tuple[str, ...],
) -> None:
    """Send BODY to a queue: text, @file, or - for standard input.

    QUEUE is its name, its URL or its logical id in a stack.
    """
    connection, output = connected(context)
    text, _ = read_text(body)
    request: dict[str, Any] = {"MessageBody": text}
    if delay is not None:
        request["DelaySeconds"] = delay
    if group:
        request["MessageGroupId"] = group
    if deduplication:
        request["MessageDeduplicationId"] = deduplication
    if attributes:
        request["MessageAttributes"] = dict(_attribute(given) for given in attributes)
    reply = connection.client("sqs").send_message(QueueUrl=queue_url(connection, queue), **request)
    found = {"messageId": reply["MessageId"], "sequenceNumber": reply.get("SequenceNumber")}
    if output.json:
        output.document(found)
    else:
        output.line(reply["MessageId"])


def queue_url(connection: Connection, queue: str) -> str:
    """The URL of a queue by its URL, ARN, name or logical id."""
    if queue.startswith(("http://", "https://")):
        return queue
    name = queue.rpartition(":")[2] if queue.startswith("arn:") else queue

    def look_up(name: str) -> str:
        if name.startswith(("http://", "https://")):  # a queue's physical id is its URL
            return name
        return str(connection.client("sqs").get_queue_url(QueueName=name)["QueueUrl"])

    return named(connection, QUEUE, name, look_up, others=lambda: queue_names(connection))


def queue_urls(connection: Connection) -> Iterator[str]:
    """Every queue's URL."""
    for page in connection.client("sqs").get_paginator("list_queues").paginate():
        yield from page.get("QueueUrls", [])


def queue_names(connection: Connection) -> Iterator[str]:
    """Every queue's name."""
    for url in queue_urls(connection):
        yield url.rpartition("/")[2]


def _attribute(given: str) -> tuple[str, dict[str, str]]:
    name, equals, text = given.partition("=")
    if not name or not equals:
        raise click.BadParameter(f"expected NAME=TEXT, got {given!r}", param_hint="--attribute")
    return name, {"DataType": "String", "StringValue": text}
