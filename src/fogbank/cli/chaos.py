"""`fogbank chaos`: does everything end the same when events come twice, late, out of order, after a time-out?"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
from rich.text import Text

from fogbank.cli.child import ServerChild
from fogbank.cli.connection import in_words
from fogbank.cli.copies import Copies, Ended, check_step
from fogbank.cli.deploying import Request, built, find_template, pairs, stack_name
from fogbank.cli.documents import read_json
from fogbank.cli.failures import Exit, Failure
from fogbank.cli.options import LocalCommand, Options, server_options
from fogbank.cli.output import Output
from fogbank.insight.chaos import Difference, Noise, differences, ignored, noise_of

MODES = {
    "twice": "each event comes again as soon as it was handled",
    "late": "each event comes again when everything else is over",
    "disorder": "events come last in, first out",
    "timeout": "each event is handled, its environment ends, and it comes again",
}
_SHOWN = 20

EXAMPLES = """
\b
Examples:
  fogbank chaos --events orders.json                        the template in this folder
  fogbank chaos template.yaml --events orders.json --mode twice --mode timeout
  fogbank chaos --events orders.json --ignore OrdersTable.duplicates --save chaos.json
  fogbank audit --chaos chaos.json                          the proof as evidence
"""


class ChaosCommand(LocalCommand):
    """It has a server of its own; the region is asked for as everywhere."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params += [option for option in server_options(environment=False) if option.name == "region"]


@click.command("chaos", cls=ChaosCommand, epilog=EXAMPLES)
@click.argument("template", required=False, type=click.Path(path_type=Path))
@click.option(
    "--events", "given", required=True, metavar="JSON", help="The input: a list of steps as text, @file or a file."
)
@click.option(
    "--mode", "modes", multiple=True, type=click.Choice(list(MODES)), help="How to disturb; else in each way."
)
@click.option("--ignore", multiple=True, metavar="ATTRIBUTE", help="Leave out: an attribute, or Table.attribute.")
@click.option("--parameter", "parameters", multiple=True, metavar="NAME=VALUE", help="A template parameter.")
@click.option("--save", type=click.Path(dir_okay=False, path_type=Path), help="Write the report to this file, as JSON.")
@click.pass_context
def command(
    context: click.Context, template: Path | None, *, given: str, modes: tuple[str, ...], ignore: tuple[str, ...],
    parameters: tuple[str, ...], save: Path | None,
) -> int:  # fmt: skip
    """Prove that TEMPLATE's functions may be handed an event more than once.

    Fresh copies of the application are deployed on a server of this command's own. Two get the input undisturbed: what
    differs between them differs by itself. Further copies get it with events that come twice, late, out of order and
    after a pretended time-out; where tables, queues or executions end differently, each function is tried alone.
    Ends with 1 if any is not safe.
    """
    options = context.ensure_object(Options)
    output = Output(json=options.json)
    path = find_template(template)
    steps = _steps(given)
    values = pairs(parameters, "--parameter")
    build = built(path, values, output)
    request = Request(stack_name(path, None), build.arguments, values)
    with tempfile.TemporaryDirectory(prefix="fogbank-chaos-") as folder:
        server = ServerChild("http://127.0.0.1:0", Path(folder) / "data")
        endpoint = server.start()
        try:
            with in_words(endpoint):
                copies = Copies(options, endpoint, request, path, output)
                report = Experiment(copies, steps, ignore).run(modes or tuple(MODES))
        finally:
            server.stop()
    if save is not None:
        save.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
        output.progress(f"saved to {save}")
    if output.json:
        output.document(report)
    else:
        _show(output, report)
    return Exit.DONE if report["safe"] else Exit.FAILED


def _steps(given: str) -> list[Mapping[str, Any]]:
    source = f"@{given}" if not given.lstrip().startswith(("[", "{", "@", "-")) else given
    value, _ = read_json(source, what="input")
    steps = value if isinstance(value, list) else [value]
    if not steps or not all(isinstance(step, dict) for step in steps):
        raise Failure(
            Exit.INVALID, "the input has no steps", do="give a list of PutEvents entries: see fogbank chaos --help"
        )
    for step in steps:
        check_step(step)
    return steps


class Experiment:
    """The runs, and what they show."""

    def __init__(self, copies: Copies, steps: Sequence[Mapping[str, Any]], ignore: Sequence[str]) -> None:
        self._copies = copies
        self._steps = steps
        self._ignore = ignored(ignore)

    def run(self, modes: Sequence[str]) -> dict[str, Any]:
        """All of it; the report for `--json` and `fogbank audit --chaos`."""
        expected = self._copies.run(self._steps, "none")
        noise = noise_of(expected.state, self._copies.run(self._steps, "none").state, self._ignore)
        found: dict[str, list[Difference]] = {name: [] for name in expected.deliveries}
        together: list[Difference] = []
        unsettled = not expected.settled
        for mode in modes:
            ended = self._copies.run(self._steps, mode)
            unsettled |= not ended.settled
            differing = self._differing(expected, ended, noise, mode)
            if differing:
                self._attribute(expected, noise, mode, differing, found, together)
        return _report(modes, expected, noise, found, together, settled=not unsettled)

    def _attribute(
        self, expected: Ended, noise: Noise, mode: str, differing: list[Difference],
        found: dict[str, list[Difference]], together: list[Difference],
    ) -> None:  # fmt: skip
        """Whose difference it is: each function is disturbed alone, until one explains all of it."""
        functions = list(found)
        if len(functions) == 1:
            found[functions[0]] += differing
            return
        explained = False
        for function in functions:
            alone = self._copies.run(self._steps, mode, [function])
            own = self._differing(expected, alone, noise, mode)
            found[function] += own
            explained |= bool(own)
            if set(own) == set(differing):
                return  # the others add nothing to it
        if not explained:
            together += differing

    @staticmethod
    def _differing(expected: Ended, ended: Ended, noise: Noise, mode: str) -> list[Difference]:
        failures = [
            Difference(mode, "failure", function, kind, f"{function}: {count} repetitions failed with {kind}")
            for function, kinds in ended.failures.items()
            for kind, count in kinds.items()
        ]
        return differences(expected.state, ended.state, noise, mode) + failures


def _report(
    modes: Sequence[str], expected: Ended, noise: Noise, found: Mapping[str, list[Difference]],
    together: list[Difference], *, settled: bool,
) -> dict[str, Any]:  # fmt: skip
    functions = [
        {
            "name": name,
            "tested": expected.deliveries[name] > 0,
            "events": expected.deliveries[name],
            "safe": not differing,
            "differences": [_document(each) for each in differing],
        }
        for name, differing in sorted(found.items())
    ]
    return {
        "safe": not together and all(function["safe"] for function in functions),
        "settled": settled,
        "modes": list(modes),
        "functions": functions,
        "together": [_document(each) for each in together],
        "left_out": {
            "attributes": sorted(f"{table}.{name}" for table, name in noise.attributes),
            "tables_compared_without_keys": sorted(noise.unkeyed),
            "not_compared": sorted(noise.incomparable),
        },
    }


def _document(difference: Difference) -> dict[str, str]:
    return {
        "mode": difference.mode,
        "kind": difference.kind,
        "resource": difference.resource,
        "item": difference.item,
        "what": difference.what,
    }


def _show(output: Output, report: dict[str, Any]) -> None:
    for function in report["functions"]:
        mark, style = ("safe", "green") if function["safe"] else ("NOT SAFE", "bold red")
        output.console.print(
            Text.assemble((f"{mark:<9}", style), (function["name"], "bold"), f"  {function['events']} events"),
            soft_wrap=True,
        )
        _list(output, function["differences"])
    if report["together"]:
        output.line("only when all functions are disturbed at once:", "bold red")
        _list(output, report["together"])
    if not report["functions"]:
        output.line("no event came to a function by itself: nothing was tried; look at the input", "yellow")
    left = report["left_out"]
    if left["attributes"]:
        output.line(f"left out, as they differ by themselves or were said to: {', '.join(left['attributes'])}", "dim")
    if left["not_compared"]:
        output.line(f"not compared, as they end differently each time: {', '.join(left['not_compared'])}", "yellow")
    if not report["settled"]:
        output.line("a run was not over after half an hour of its clock: what was left is compared as it was", "yellow")
    tried = "; ".join(f"{mode}: {MODES[mode]}" for mode in report["modes"])
    output.line(f"tried {tried}", "dim")


def _list(output: Output, differing: list[dict[str, str]]) -> None:
    for each in differing[:_SHOWN]:
        output.console.print(Text(f"    {each['mode']:<9}{each['what']}"), soft_wrap=True)
    if len(differing) > _SHOWN:
        output.line(f"    and {len(differing) - _SHOWN} more", "dim")
