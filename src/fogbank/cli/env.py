"""`fogbank env`: the exports that point boto3 and the AWS CLI here."""

from __future__ import annotations

import shlex
from collections.abc import Callable

import click

from fogbank.cli.options import LocalCommand, Options, server_options
from fogbank.cli.output import Output

_FORMS: dict[str, Callable[[str, str], str]] = {
    "bash": lambda name, value: f"export {name}={shlex.quote(value)}",
    "zsh": lambda name, value: f"export {name}={shlex.quote(value)}",
    "sh": lambda name, value: f"export {name}={shlex.quote(value)}",
    "fish": lambda name, value: f"set -gx {name} {shlex.quote(value)};",
    "powershell": lambda name, value: f"$Env:{name} = '{value.replace(chr(39), chr(39) * 2)}'",
    "cmd": lambda name, value: f"set {name}={value}",
    "dotenv": lambda name, value: f"{name}={value}",
}
_HINTS = {
    "bash": 'eval "$(fogbank env)"',
    "zsh": 'eval "$(fogbank env)"',
    "sh": 'eval "$(fogbank env)"',
    "fish": "fogbank env --shell fish | source",
    "powershell": "fogbank env --shell powershell | Invoke-Expression",
}


class EnvCommand(LocalCommand):
    """Needs no running server, only its address."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self.params += server_options(environment=False)


@click.command("env", cls=EnvCommand)
@click.option("--shell", type=click.Choice(sorted(_FORMS)), default="bash", show_default=True, help="Whose syntax.")
@click.pass_context
def command(context: click.Context, shell: str) -> None:
    """Print the exports that point boto3, the AWS CLI, SAM and Terraform here: eval "$(fogbank env)"."""
    options = context.ensure_object(Options)
    output = Output(json=options.json)
    key, secret = options.keys
    found = {
        "AWS_ENDPOINT_URL": options.address,
        "AWS_ACCESS_KEY_ID": key,
        "AWS_SECRET_ACCESS_KEY": secret,
        "AWS_REGION": options.region_name,
        "AWS_DEFAULT_REGION": options.region_name,
    }
    if output.json:
        output.document(found)
        return
    for name, value in found.items():
        click.echo(_FORMS[shell](name, value))
    if shell in _HINTS:
        click.echo(f"# to set them: {_HINTS[shell]}")
        click.echo("# version 1 of the AWS CLI asks AWS about sqs all the same: give it --endpoint-url as well")
