"""`fogbank audit`: waste and danger in a template, with evidence from the run where there was one."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
from rich.text import Text

from fogbank import __version__
from fogbank.cli.applications import Source, read_application, stack_application
from fogbank.cli.connection import Connection, ServerCommand, connected
from fogbank.cli.costing import dollars
from fogbank.cli.deploying import find_template, stack_name
from fogbank.cli.failures import Exit, Failure
from fogbank.cli.observed import observe, read_repeats
from fogbank.cli.output import Output
from fogbank.insight.audit import RULES, Application, Finding, Severity, audit
from fogbank.insight.audit.evidence import NO_RUN, Evidence
from fogbank.insight.audit.report import document, sarif
from fogbank.insight.prices import price_book

_STYLES = {Severity.ERROR: "bold red", Severity.WARNING: "yellow", Severity.NOTE: "cyan"}
_LEVELS = {"Error": Severity.ERROR, "Warning": Severity.WARNING, "Informational": Severity.NOTE}
_LINT = "from cfnlint.runner.cli import main; main()"
_LINT_TIMEOUT = 120
"""Seconds."""

EXAMPLES = """
\b
Examples:
  fogbank audit                                the template in this folder, and the run of its stack
  fogbank audit template.yaml --fail-on warning
  fogbank audit --format sarif > audit.sarif   for the platform that shows it beside the code
  fogbank audit --chaos chaos.json             with what fogbank chaos --save proved
"""


@click.command("audit", cls=ServerCommand, epilog=EXAMPLES)
@click.argument("template", required=False, type=click.Path(path_type=Path))
@click.option("--stack", help="The stack whose run is the evidence; else it is named after the template's folder.")
@click.option("--no-run", is_flag=True, help="Look at the template alone; no server is asked.")
@click.option(
    "--per-month", type=click.FloatRange(min=0, min_open=True), metavar="N", help="Scale the run to N events a month."
)
@click.option(
    "--chaos", type=click.Path(dir_okay=False, exists=True, path_type=Path), help="A report of fogbank chaos --save."
)
@click.option(
    "--format", "form", type=click.Choice(("text", "json", "sarif")), help="How to print; --json is --format json."
)
@click.option(
    "--fail-on", type=click.Choice([*(level.value for level in Severity), "never"]), default="error", show_default=True,
    help="End with 1 if a finding is at least as severe.",
)  # fmt: skip
@click.option("--rule", "only", multiple=True, metavar="ID", help="These rules alone; may be repeated.")
@click.option("--no-lint", is_flag=True, help="Do not run cfn-lint, if it is installed.")
@click.pass_context
def command(
    context: click.Context, template: Path | None, *, stack: str | None, no_run: bool, per_month: float | None,
    chaos: Path | None, form: str | None, fail_on: str, only: tuple[str, ...], no_lint: bool,
) -> int:  # fmt: skip
    """Find waste and danger in TEMPLATE, and in what its stack did; docs/reference/audit.md has every rule.

    TEMPLATE is a file or a folder; else the template in this folder, or that of --stack. Each finding says what it
    costs a month at the run's rate, and the change to the template.
    """
    unknown = [name for name in only if name not in {rule.id for rule in RULES}]
    if unknown:
        raise click.UsageError(f"there is no rule {unknown[0]}; there are {', '.join(rule.id for rule in RULES)}")
    connection, output = connected(context, billed=False)
    source, name = _source(connection, template, stack)
    run = _run(connection, output, name, no_run=no_run, per_month=per_month, chaos=chaos)
    application = Application.of(source.template, source.code, run)
    findings = audit(application, [rule for rule in RULES if not only or rule.id in only])
    if not no_lint and not only and source.lines:
        findings = _sorted([*findings, *lint(Path(source.path), connection.region)])
    form = form or ("json" if output.json else "text")
    if form == "json":
        output.document(document(findings, source.lines, source.origins))
    elif form == "sarif":
        print(json.dumps(sarif(findings, RULES, source.path, source.lines, __version__), indent=1))  # noqa: T201 - the result
    else:
        _show(output, findings, source, run)
    if fail_on == "never":
        return Exit.DONE
    worst = max((finding.severity.rank for finding in findings), default=-1)
    return Exit.FAILED if worst >= Severity(fail_on).rank else Exit.DONE


def _source(connection: Connection, template: Path | None, stack: str | None) -> tuple[Source, str]:
    if template is None and stack is not None and connection.health() is not None:
        return stack_application(connection, stack), stack
    path = find_template(template)
    return read_application(path, connection.region), stack_name(path, stack)


def _run(
    connection: Connection, output: Output, stack: str, *, no_run: bool, per_month: float | None, chaos: Path | None
) -> Evidence:
    """What the server saw of the stack; without a server, or without the stack, what `chaos` says alone."""
    repeats = {} if chaos is None else read_repeats(chaos)
    alone = Evidence(repeats=repeats, book=price_book(connection.region))
    if no_run:
        return alone
    if connection.health() is None:
        output.progress(f"no server answers at {connection.endpoint}: the template alone is looked at")
        return alone
    pages = connection.client("cloudformation").get_paginator("describe_stacks").paginate()
    if not any(each["StackName"] == stack for page in pages for each in page["Stacks"]):
        output.progress(f"there is no stack {stack}: the template alone is looked at (--stack NAME names another)")
        return alone
    return observe(connection, stack, price_book(connection.region), per_month=per_month, chaos=chaos)


def lint(template: Path, region: str) -> list[Finding]:
    """What cfn-lint finds, if it is installed: it runs in a process of its own, as it is heavy."""
    if importlib.util.find_spec("cfnlint") is None:
        return []
    arguments = [sys.executable, "-c", _LINT, "--format", "json", "--regions", region, "--", str(template)]
    try:
        done = subprocess.run(  # noqa: S603 - our own interpreter, and a file that the user named
            arguments, capture_output=True, text=True, check=False, timeout=_LINT_TIMEOUT
        )
        matches: list[dict[str, Any]] = json.loads(done.stdout)
    except (subprocess.TimeoutExpired, ValueError) as error:
        raise Failure(Exit.FAILED, f"cfn-lint did not answer: {error}", do="leave it out with --no-lint") from None
    return [_linted(match) for match in matches]


def _linted(match: dict[str, Any]) -> Finding:
    path = match.get("Location", {}).get("Path") or []
    resource = str(path[1]) if len(path) > 1 and path[0] == "Resources" else "template"
    line = match.get("Location", {}).get("Start", {}).get("LineNumber")
    return Finding(
        f"cfn-lint/{match['Rule']['Id']}",
        _LEVELS.get(match.get("Level", ""), Severity.WARNING),
        resource,
        str(match["Message"]),
        f"# see {match['Rule'].get('Source') or 'https://github.com/aws-cloudformation/cfn-lint'}",
        evidence=f"line {line}" if line else "",
    )


def _sorted(findings: list[Finding]) -> list[Finding]:
    return sorted(findings, key=lambda f: (-f.severity.rank, -(f.dollars or 0.0), f.rule, f.resource))


def _show(output: Output, findings: list[Finding], source: Source, run: Evidence) -> None:
    for finding in findings:
        line = source.lines.get(finding.resource)
        where = f"{source.path}:{line}" if line else source.path
        origin = source.origins.get(finding.resource)
        head = Text.assemble(
            (f"{finding.severity.value:<8}", _STYLES[finding.severity]), f"{finding.rule}  ",
            (finding.resource, "bold"), f" (of {origin})" if origin else "", f"  {finding.message}",
        )  # fmt: skip
        if finding.dollars:
            head.append(f"  [{dollars(finding.dollars)} a month]", style="green")
        output.console.print(head, soft_wrap=True)
        if finding.evidence:
            output.console.print(Text(f"        seen: {finding.evidence}", style="dim"), soft_wrap=True)
        output.console.print(Text(f"        at {where}; change:", style="dim"), soft_wrap=True)
        for text in finding.change.splitlines():
            output.console.print(Text(f"          {text}", style="italic"), soft_wrap=True)
    counts = ", ".join(f"{sum(f.severity is s for f in findings)} {s.value}s" for s in reversed(Severity))
    seen = f"with {run.hours:.1f} h of its run" if run is not NO_RUN and run.hours else "of the template alone"
    output.line(f"\n{counts}, {seen}" if findings else f"nothing was found, {seen}", "bold")
