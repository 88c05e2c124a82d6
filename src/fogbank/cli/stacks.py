"""`fogbank stacks`: what is deployed."""

from __future__ import annotations

from typing import Any

import click
from rich.text import Text

from fogbank.cli.connection import Connection, ServerCommand, connected
from fogbank.cli.failures import Exit, Failure
from fogbank.cli.output import Output

_LAST_EVENTS = 8


@click.command("stacks", cls=ServerCommand)
@click.argument("name", required=False)
@click.option("--output", "key", help="Print the value of this output of NAME, and nothing else.")
@click.pass_context
def command(context: click.Context, name: str | None, key: str | None) -> None:
    """List the stacks; with NAME show that one: its outputs, resources and last events."""
    if key is not None and name is None:
        raise click.UsageError("--output is that of one stack: name it")
    connection, output = connected(context)
    if name is not None and key is not None:
        _output(connection, output, name, key)
        return
    if name is not None:
        _one(connection, output, name)
        return
    pages = connection.client("cloudformation").get_paginator("describe_stacks").paginate()
    stacks = [stack for page in pages for stack in page["Stacks"]]
    if output.json:
        output.document({"stacks": [summary(stack) for stack in stacks]})
    elif not stacks:
        output.line("no stacks; deploy a template with: fogbank deploy")
    else:
        output.table(
            ("stack", "status", "changed", "description"),
            [
                (
                    s["StackName"],
                    status_text(s["StackStatus"]),
                    s.get("LastUpdatedTime", s["CreationTime"]),
                    s.get("Description", ""),
                )
                for s in stacks
            ],
        )


def summary(stack: dict[str, Any]) -> dict[str, Any]:
    """A stack for programs."""
    return {
        "name": stack["StackName"],
        "id": stack["StackId"],
        "status": stack["StackStatus"],
        "reason": stack.get("StackStatusReason"),
        "created": stack["CreationTime"],
        "updated": stack.get("LastUpdatedTime"),
        "outputs": outputs(stack),
        "parameters": {p["ParameterKey"]: p.get("ParameterValue") for p in stack.get("Parameters", [])},
    }


def outputs(stack: dict[str, Any]) -> dict[str, str]:
    """A stack's outputs by name."""
    return {each["OutputKey"]: each["OutputValue"] for each in stack.get("Outputs", [])}


def status_text(status: str) -> Text:
    """A status in its colour."""
    if "FAILED" in status or "ROLLBACK" in status:
        return Text(status, style="red")
    return Text(status, style="green" if status.endswith("COMPLETE") else "yellow")


def show_outputs(output: Output, stack: dict[str, Any]) -> None:
    """A stack's outputs, each on its line."""
    output.pairs((o["OutputKey"], o["OutputValue"], o.get("Description", "")) for o in stack.get("Outputs", []))


def _output(connection: Connection, output: Output, name: str, key: str) -> None:
    found = outputs(connection.client("cloudformation").describe_stacks(StackName=name)["Stacks"][0])
    if key not in found:
        raise Failure(
            Exit.NOT_FOUND, f"{name} has no output {key!r}", do=f"it has: {', '.join(sorted(found)) or 'none'}"
        )
    if output.json:
        output.document(found[key])
    else:
        output.line(found[key])


def _one(connection: Connection, output: Output, name: str) -> None:
    cloudformation = connection.client("cloudformation")
    stack = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
    resources = [
        resource
        for page in cloudformation.get_paginator("list_stack_resources").paginate(StackName=name)
        for resource in page["StackResourceSummaries"]
    ]
    events = cloudformation.describe_stack_events(StackName=name)["StackEvents"][:_LAST_EVENTS]
    if output.json:
        output.document(
            summary(stack)
            | {
                "resources": [
                    {
                        "logicalId": r["LogicalResourceId"],
                        "physicalId": r.get("PhysicalResourceId"),
                        "type": r["ResourceType"],
                        "status": r["ResourceStatus"],
                        "reason": r.get("ResourceStatusReason"),
                    }
                    for r in resources
                ]
            }
        )
        return
    line = Text.assemble((stack["StackName"], "bold"), "  ", status_text(stack["StackStatus"]))
    output.console.print(line)
    if stack.get("StackStatusReason"):
        output.line(stack["StackStatusReason"], "red")
    show_outputs(output, stack)
    output.table(
        ("resource", "type", "status", "physical id"),
        [
            (
                r["LogicalResourceId"],
                r["ResourceType"].removeprefix("AWS::"),
                status_text(r["ResourceStatus"]),
                r.get("PhysicalResourceId"),
            )
            for r in resources
        ],
    )
    output.table(
        ("last events", "resource", "status", "reason"),
        [
            (
                e["Timestamp"],
                e["LogicalResourceId"],
                status_text(e["ResourceStatus"]),
                e.get("ResourceStatusReason", ""),
            )
            for e in reversed(events)
        ],
    )
