"""`fogbank completion`: the completion script for a shell."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from fogbank.cli.options import LocalCommand, Options
from fogbank.cli.output import Output

_INSTALL = {
    "bash": "fogbank completion bash > ~/.local/share/bash-completion/completions/fogbank",
    "zsh": 'fogbank completion zsh > "${fpath[1]}/_fogbank"',
    "fish": "fogbank completion fish > ~/.config/fish/completions/fogbank.fish",
}


@click.command("completion", cls=LocalCommand)
@click.argument("shell", type=click.Choice(sorted(_INSTALL)))
@click.pass_context
def command(context: click.Context, shell: str) -> None:
    """Print the completion script for SHELL, to be kept where the shell looks for it."""
    kind = get_completion_class(shell)
    if kind is None:
        raise click.UsageError(f"there is no completion for {shell}")
    root = context.find_root().command
    script = kind(root, {}, "fogbank", "_FOGBANK_COMPLETE").source()
    options = context.ensure_object(Options)
    if options.json:
        Output(json=True).document({"shell": shell, "script": script, "install": _INSTALL[shell]})
        return
    click.echo(script)
    click.echo(f"# to install: {_INSTALL[shell]}")
