"""`fogbank publish`: put an event on a bus."""

from __future__ import annotations

import json
from typing import Any

import click

from fogbank.cli.connection import ServerCommand, connected
from fogbank.cli.documents import read_json
from fogbank.cli.failures import Exit, Failure
from fogbank.cli.resolving import BUS, named


@click.command("publish", cls=ServerCommand)
@click.argument("detail")
@click.option("--bus", default="default", show_default=True, help="The bus: its name, ARN or logical id in a stack.")
@click.option("--source", default="fogbank.cli", show_default=True, help="The event's source.")
@click.option("--type", "detail_type", default="Test", show_default=True, help="The event's detail-type.")
@click.option("--resource", "resources", multiple=True, help="An ARN for the event's resources; may be repeated.")
@click.option("--entries", is_flag=True, help="DETAIL is a list of whole PutEvents entries instead.")
@click.pass_context
def command(
    context: click.Context,
    detail: str,
    *,
    bus: str,
    source: str,
    detail_type: str,
    resources: tuple[str, ...],
    entries: bool,
) -> int:
    """Put an event with DETAIL on a bus: JSON as text, @file, or - for standard input."""
    connection, output = connected(context)
    value, text = read_json(detail, what="entries" if entries else "detail")
    found = named(
        connection,
        BUS,
        bus,
        lambda name: str(connection.client("events").describe_event_bus(Name=name)["Arn"]),
        others=lambda: [each["Name"] for each in connection.client("events").list_event_buses()["EventBuses"]],
    )
    if entries:
        batch = _entries(value, found)
    else:
        batch = [
            {
                "EventBusName": found,
                "Source": source,
                "DetailType": detail_type,
                "Detail": text,
                "Resources": list(resources),
            }
        ]
    replies: list[dict[str, Any]] = []
    for start in range(0, len(batch), 10):  # PutEvents takes ten at a time
        replies += connection.client("events").put_events(Entries=batch[start : start + 10])["Entries"]
    failed = [reply for reply in replies if reply.get("ErrorCode")]
    if output.json:
        output.document({"entries": replies, "failed": len(failed)})
    else:
        for reply in replies:
            if reply.get("ErrorCode"):
                output.line(f"refused: {reply['ErrorCode']}: {reply.get('ErrorMessage', '')}", "red")
            else:
                output.line(reply["EventId"])
    return Exit.FAILED if failed else Exit.DONE


def _entries(value: Any, bus: str) -> list[dict[str, Any]]:
    if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
        raise Failure(
            Exit.INVALID,
            "the entries are not a list of objects",
            do='give them as PutEvents takes them: [{"Source": "…", "DetailType": "…", "Detail": {…}}]',
        )
    return [{"EventBusName": bus, **entry, "Detail": _detail(entry.get("Detail"))} for entry in value]


def _detail(given: Any) -> str:
    return given if isinstance(given, str) else json.dumps(given)
