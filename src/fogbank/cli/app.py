"""The root command.

What a command needs is imported when that command is used: `fogbank --help` imports click alone.
"""

from __future__ import annotations

import gc
import importlib
import json
import logging
import sys
from collections.abc import Sequence
from typing import Any

import click

from fogbank import __version__
from fogbank.cli.failures import Exit, Failure
from fogbank.cli.options import Options, json_option, server_options
from fogbank.core.config import ConfigError

_log = logging.getLogger("fogbank.cli")

COMMANDS = {
    "start": "Run the server in the foreground.",
    "up": "Start, build, deploy, follow the logs; redeploy when a source file changes.",
    "deploy": "Build a template and create or update its stack.",
    "destroy": "Delete a stack and everything in it.",
    "stacks": "List the stacks, or show one: resources, outputs, last events.",
    "invoke": "Call a function.",
    "publish": "Put an event on a bus.",
    "send": "Send a message to a queue.",
    "logs": "Show or follow the log of a function or a log group.",
    "traces": "List the newest traces: by error, duration, function, correlation id.",
    "trace": "Show one trace: what caused what, when, and how long it took.",
    "map": "Show who calls whom: rates, errors, durations; as text, Mermaid or SVG.",
    "top": "Show what is going on, live.",
    "cost": "What this run would have cost on AWS: by service, resource and trace, and a month of it.",
    "audit": "Find waste and danger in a template, with evidence from its run.",
    "tune": "Run a function at several memory sizes: time against cost, and which to choose.",
    "chaos": "Deliver each event twice, late, out of order: does everything end as with one delivery?",
    "cold-starts": "Start every function of a template fresh: where the time goes, and what would save it.",
    "dlq": "Dead-letter queues: list them, look into one, send its messages back.",
    "env": "Print the exports that point boto3 and the AWS CLI here.",
    "doctor": "Say what this machine can do, and what is missing.",
    "completion": "Print the completion script for a shell.",
}
"""Every command with its line in the overview; `fogbank.cli.<name>` (with `_` for `-`) holds it as `command`."""


class LazyGroup(click.Group):
    """A group whose commands are imported when they are named."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - as above
        if cmd_name not in COMMANDS:
            return None
        command = importlib.import_module(f"fogbank.cli.{cmd_name.replace('-', '_')}").command
        if not isinstance(command, click.Command):
            raise TypeError(f"fogbank.cli.{cmd_name}.command is no command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - as above
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(
    cls=LazyGroup,
    params=[json_option(), *server_options(environment=True)],
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Begin with `fogbank up` in a folder with a template, or `fogbank start` for the server alone.",
)
@click.version_option(__version__, prog_name="fogbank", message="%(prog)s %(version)s")
def root() -> None:
    """Fogbank runs serverless architectures for real: point boto3, the AWS CLI or a SAM template at its one port."""


def main(arguments: Sequence[str] | None = None) -> None:
    """The entry point of `fogbank`: run a command, and leave with the exit code that says how it went."""
    options = Options()
    gc.set_threshold(50_000, 20, 20)  # what a command imports never becomes garbage: looking for it costs a fifth
    try:
        code = root.main(arguments, prog_name="fogbank", standalone_mode=False, obj=options)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.ctx.get_help() if error.ctx else error.format_message())
        code = Exit.DONE
    except click.ClickException as error:
        code = _usage(error, options)
    except ConfigError as error:
        code = _say(Failure(Exit.USAGE, str(error), do="see docs/reference/settings.md"), options)
    except Failure as error:
        code = _say(error, options)
    except (click.Abort, KeyboardInterrupt):
        code = Exit.INTERRUPTED
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output has left, as `head` does
        code = Exit.DONE
    except Exception as error:  # noqa: BLE001 - a person gets words, never a traceback
        _log.debug("a command failed", exc_info=error)
        code = _say(_defect(error), options)
    sys.exit(code if isinstance(code, int) else Exit.DONE)


def _usage(error: click.ClickException, options: Options) -> int:
    context: Any = getattr(error, "ctx", None)
    path = context.command_path if context else "fogbank"
    return _say(Failure(Exit.USAGE, error.format_message(), do=f"{path} --help"), options)


def _defect(error: Exception) -> Failure:
    return Failure(
        Exit.DEFECT,
        f"a fault of Fogbank's own: {type(error).__name__}: {error}",
        do="set FOGBANK_LOG_LEVEL=debug to see where it comes from, and report it",
    )


def _say(failure: Failure, options: Options) -> int:
    if options.json:
        click.echo(json.dumps(failure.document()), err=True)
    else:
        first, *rest = failure.lines()
        click.echo(click.style(first, fg="red"), err=True)
        for line in rest:
            click.echo(line, err=True)
    return failure.code
