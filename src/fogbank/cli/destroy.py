"""`fogbank destroy`: delete a stack."""

from __future__ import annotations

import sys

import click

from fogbank.cli.connection import ServerCommand, connected
from fogbank.cli.deploying import Stacks
from fogbank.cli.failures import Exit, Failure


@click.command("destroy", cls=ServerCommand)
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_context
def command(context: click.Context, name: str, *, yes: bool) -> None:
    """Delete the stack NAME and everything in it. Asks first; where nobody can be asked, --yes is needed."""
    connection, output = connected(context)
    stacks = Stacks(connection, output)
    stack = stacks.find(name)
    if stack is None:
        raise Failure(Exit.NOT_FOUND, f"there is no stack {name!r}", do="see what there is: fogbank stacks")
    if not yes:
        if output.json or not sys.stdin.isatty():
            raise Failure(Exit.USAGE, "deleting a stack needs a yes, and nobody can be asked here", do="add --yes")
        click.confirm(f"Delete {name} and its {len(stacks.resources(name))} resources?", abort=True)
    stacks.delete(stack["StackId"])
    if output.json:
        output.document({"name": name, "id": stack["StackId"], "status": "DELETE_COMPLETE"})
    else:
        output.line(f"{name} is deleted", "green")
