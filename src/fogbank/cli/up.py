"""`fogbank up`: start, build, deploy, follow the logs, and deploy again when a source file changes."""

from __future__ import annotations

import signal
import threading
from collections.abc import Mapping
from pathlib import Path
from types import FrameType

import click

from fogbank.cli.child import ServerChild
from fogbank.cli.connection import Connection, ServerCommand, in_words
from fogbank.cli.deploying import Request, Stacks, built, find_template, pairs, stack_name
from fogbank.cli.failures import Exit, Failure
from fogbank.cli.logs import POLL, Tail, show
from fogbank.cli.options import Options
from fogbank.cli.output import Output
from fogbank.cli.stacks import show_outputs, summary
from fogbank.cli.watching import Watch
from fogbank.core.clock import SystemClock

LOOK = 0.05
"""Seconds between two looks at the source files."""


@click.command("up", cls=ServerCommand)
@click.argument("template", required=False, type=click.Path(path_type=Path))
@click.option("--stack", help="The stack's name; else it is named after the template's folder.")
@click.option("--parameter", "parameters", multiple=True, metavar="NAME=VALUE", help="A parameter; may be repeated.")
@click.option("--data", type=click.Path(file_okay=False, path_type=Path), help="Data folder of a server started here.")
@click.option("--no-watch", is_flag=True, help="Do not deploy again when files change.")
@click.option("--no-logs", is_flag=True, help="Do not follow the logs.")
@click.pass_context
def command(
    context: click.Context,
    template: Path | None,
    *,
    stack: str | None,
    parameters: tuple[str, ...],
    data: Path | None,
    no_watch: bool,
    no_logs: bool,
) -> None:
    """Start a server if none runs, build and deploy TEMPLATE, follow the logs; deploy again when a file changes.

    Ctrl-C ends it, and the server with it if it was started here. What is stored stays under the data folder.
    """
    options = context.ensure_object(Options)
    output = Output(json=options.json)
    path = find_template(template)
    name = stack_name(path, stack)
    values = pairs(parameters, "--parameter")
    stop = threading.Event()
    _stop_on_signals(stop)
    child = None
    if Connection(options).health() is None:
        child = ServerChild(options.address, data)
        output.progress(f"starting a server at {options.address}")
    try:
        if child is not None:
            options.endpoint = child.start()
        session = _Session(Connection(options), output, path, name, values, logs=not no_logs)
        session.begin()
        session.follow(stop, child, watch=not no_watch)
    finally:
        if child is not None:
            output.progress("stopping the server")
            child.stop()


def _stop_on_signals(stop: threading.Event) -> None:
    def handler(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - signal's signature
        if stop.is_set():  # a second Ctrl-C does not wait
            raise KeyboardInterrupt
        stop.set()

    signal.signal(signal.SIGINT, handler)
    signal.signal(signal.SIGTERM, handler)


class _Session:
    """What stays deployed while a person works."""

    def __init__(
        self,
        connection: Connection,
        output: Output,
        template: Path,
        name: str,
        parameters: Mapping[str, str],
        *,
        logs: bool,
    ) -> None:
        self._connection = connection
        self._output = output
        self._template = template
        self._name = name
        self._parameters = parameters
        self._logs = logs
        self._clock = SystemClock()
        self._stacks = Stacks(connection, output)
        self._watch = Watch([template])
        self._tails: dict[str, tuple[str, Tail]] = {}
        self._start = int(self._server_time() * 1000)

    def _server_time(self) -> float:
        health = self._connection.health() or {}
        return float(health.get("time", self._clock.time()))

    def begin(self) -> None:
        """Deploy for the first time; a failure ends the command."""
        self._deploy()
        self._output.progress(f"endpoint {self._connection.endpoint}  ·  Ctrl-C ends it", None)

    def follow(self, stop: threading.Event, child: ServerChild | None, *, watch: bool) -> None:
        """Show logs and deploy changes until it is told to stop."""
        logs = threading.Thread(target=self._follow_logs, args=(stop,), daemon=True)
        if self._logs:
            logs.start()
        while not stop.wait(LOOK):
            if child is not None and not child.running:
                raise Failure(Exit.UNREACHABLE, "the server has ended", do="start again with: fogbank up")
            if watch and (changed := self._watch.changed()):
                self._again(changed)
        if self._logs:
            logs.join()

    def _again(self, changed: list[Path]) -> None:
        """Deploy after a change; what is wrong is told, and the next change is waited for."""
        names = ", ".join(path.name for path in changed[:3]) + (" …" if len(changed) > 3 else "")
        self._output.progress(f"{names} changed", "cyan")
        try:
            with in_words(self._connection.endpoint):
                self._deploy()
        except Failure as failure:
            if failure.code is Exit.UNREACHABLE:
                raise
            if self._output.json:
                self._output.document(failure.document())
            for line in failure.lines():
                self._output.progress(line, "red")

    def _deploy(self) -> None:
        begun = self._clock.monotonic()
        build = built(self._template, self._parameters, self._output)
        self._watch.aim(build.watched)
        stack, changed = self._stacks.deploy(Request(self._name, build.arguments, self._parameters), self._template)
        seconds = self._clock.monotonic() - begun
        if self._output.json:
            self._output.document(summary(stack) | {"changed": changed, "seconds": round(seconds, 3)})
        elif changed:
            self._output.line(f"{self._name} is deployed after {seconds:.2f} s", "green")
        else:
            self._output.line(f"{self._name}: nothing has changed", "green")
        if not self._output.json and not self._tails:
            show_outputs(self._output, stack)
        self._follow_functions()

    def _follow_functions(self) -> None:
        for resource in self._stacks.resources(self._name):
            function = resource.get("PhysicalResourceId")
            if resource["ResourceType"] == "AWS::Lambda::Function" and function and function not in self._tails:
                tail = Tail(self._connection, f"/aws/lambda/{function}", self._start)
                self._tails[function] = (resource["LogicalResourceId"], tail)

    def _follow_logs(self, stop: threading.Event) -> None:
        """Beside the watch, so that neither waits for the other. A look that fails is followed by the next."""
        while not stop.wait(POLL):
            for label, tail in list(self._tails.values()):
                try:
                    with in_words(self._connection.endpoint):
                        events = tail.read()
                except Failure as failure:
                    if failure.code is not Exit.UNREACHABLE:
                        self._output.progress(f"the log of {label} cannot be read: {failure.what}", "red")
                    break
                for event in events:
                    show(self._output, event, label=label)
