"""`fogbank deploy`: build a template, and create or update its stack."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from fogbank.cli.connection import ServerCommand, connected
from fogbank.cli.deploying import Request, Stacks, built, find_template, pairs, stack_name
from fogbank.cli.output import Output
from fogbank.cli.stacks import show_outputs, summary
from fogbank.core.clock import SystemClock


@click.command("deploy", cls=ServerCommand)
@click.argument("template", required=False, type=click.Path(path_type=Path))
@click.option("--stack", help="The stack's name; else it is named after the template's folder.")
@click.option("--parameter", "parameters", multiple=True, metavar="NAME=VALUE", help="A parameter; may be repeated.")
@click.option("--tag", "tags", multiple=True, metavar="NAME=VALUE", help="A tag of the stack; may be repeated.")
@click.option("--no-rollback", is_flag=True, help="Leave what was made if the deployment fails, to look at it.")
@click.pass_context
def command(
    context: click.Context,
    template: Path | None,
    *,
    stack: str | None,
    parameters: tuple[str, ...],
    tags: tuple[str, ...],
    no_rollback: bool,
) -> None:
    """Build TEMPLATE and create or update its stack, as `sam build` and `sam deploy` do.

    TEMPLATE is a file, or a folder with a template.yaml; else the current folder. Parameters that are not given keep
    their values.
    """
    connection, output = connected(context)
    clock = SystemClock()
    begun = clock.monotonic()
    path = find_template(template)
    name = stack_name(path, stack)
    values = pairs(parameters, "--parameter")
    stacks = Stacks(connection, output)
    standing = stacks.find(name)  # before the build: if no server answers, that is told first
    known = {p["ParameterKey"]: p["ParameterValue"] for p in (standing or {}).get("Parameters", [])}
    build = built(path, known | values, output)
    request = Request(name, build.arguments, values, pairs(tags, "--tag"), rollback=not no_rollback)
    deployed, changed = stacks.deploy(request, path)
    _show(output, stacks, deployed, changed=changed, seconds=clock.monotonic() - begun)


def _show(output: Output, stacks: Stacks, stack: dict[str, Any], *, changed: bool, seconds: float) -> None:
    resources = stacks.resources(stack["StackName"])
    if output.json:
        output.document(
            summary(stack)
            | {
                "changed": changed,
                "seconds": round(seconds, 3),
                "resources": [r["LogicalResourceId"] for r in resources],
            }
        )
        return
    if changed:
        output.line(f"{stack['StackName']}: {len(resources)} resources, deployed in {seconds:.1f} s", "green")
    else:
        output.line(f"{stack['StackName']}: nothing has changed", "green")
    show_outputs(output, stack)
