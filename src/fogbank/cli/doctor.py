"""`fogbank doctor`: what this machine can do, and what is missing."""

from __future__ import annotations

import click
from rich.text import Text

from fogbank.cli.connection import Connection, ServerCommand
from fogbank.cli.failures import Exit
from fogbank.cli.machine import Verdict, examine
from fogbank.cli.options import Options
from fogbank.cli.output import Output
from fogbank.core.config import Config

_STYLES = {Verdict.GOOD: "green", Verdict.LIMITED: "yellow", Verdict.BAD: "red"}


@click.command("doctor", cls=ServerCommand)
@click.pass_context
def command(context: click.Context) -> int:
    """Say what this machine can do, and what is missing. Ends with 7 if Fogbank cannot work here."""
    options = context.ensure_object(Options)
    output = Output(json=options.json)
    answers = Connection(options).health() is not None
    findings = list(examine(Config.load(), answers=answers))
    bad = any(finding.verdict is Verdict.BAD for finding in findings)
    if output.json:
        output.document(
            {
                "works": not bad,
                "checks": [{"name": f.name, "verdict": f.verdict, "saw": f.saw, "do": f.do} for f in findings],
            }
        )
    else:
        output.table(
            ("", "check", "what was seen"),
            [
                (
                    Text(f.verdict, style=_STYLES[f.verdict]),
                    f.name,
                    f.saw + (f"\n→ {f.do}" if f.do and f.verdict is not Verdict.GOOD else ""),
                )
                for f in findings
            ],
        )
    return Exit.MISSING if bad else Exit.DONE
