"""How demos tell their story: acts, progress, and claims that are checked and not only printed."""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from server import CommandError, Server

PATIENCE = 40.0
"""Seconds of real time for a wave to be handled; a claim fails if they pass."""

console = Console(highlight=False, width=None if sys.stdout.isatty() else 96)


@dataclass(slots=True)
class Claims:
    """What the demo says, and whether it is so."""

    rows: list[tuple[bool, str, str]] = field(default_factory=list)
    failed: int = 0

    def add(self, claim: str, evidence: str, *, holds: bool) -> None:
        """Note a claim."""
        self.rows.append((holds, claim, evidence))
        self.failed += not holds

    def show(self, title: str) -> None:
        """Print the claims since the last time as a table."""
        table = Table(box=None, padding=(0, 2, 0, 0))
        table.add_column("")
        table.add_column(title, header_style="bold", overflow="fold", width=38)
        table.add_column("what was seen", header_style="dim", overflow="fold")
        for holds, claim, evidence in self.rows:
            table.add_row("[green]✓[/]" if holds else "[red]✗[/]", escape(claim), escape(evidence))
        console.print(Padding(table, (1, 0), expand=False))
        self.rows = []


def say(text: str = "") -> None:
    """A paragraph of the story, two columns in."""
    console.print(Padding(text, (0, 0, 0, 2), expand=False))


def command(text: str) -> None:
    """A command that a person could type."""
    console.print(Padding(f"[dim]$ {escape(text)}[/]", (0, 0, 0, 2), expand=False))


def act(number: int, title: str) -> None:
    """A new part of the story."""
    console.print(f"\n[bold cyan]{number} · {title}[/]")


@contextmanager
def progress(title: str, goals: dict[str, int]) -> Iterator[Callable[[dict[str, int]], None]]:
    """A progress line while a block runs; where nobody watches a terminal, one line at its end."""
    now = dict.fromkeys(goals, 0)
    begun = time.monotonic()

    def words() -> str:
        return " · ".join(f"{name} {now[name]}/{goal}" for name, goal in goals.items())

    with Progress(
        TextColumn("  {task.description}"),
        BarColumn(24),
        TextColumn("{task.fields[words]}"),
        TimeElapsedColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as bar:
        task = bar.add_task(title, total=sum(goals.values()), words=words())

        def update(seen: dict[str, int]) -> None:
            now.update(seen)
            bar.update(task, completed=sum(min(now[name], goal) for name, goal in goals.items()), words=words())

        yield update
    say(f"{title}: {words()} in {time.monotonic() - begun:.1f} s")


def until(condition: Callable[[], bool], patience: float = PATIENCE, every: float = 0.05) -> bool:
    """Wait for a condition; whether it came true in time."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(every)
    return False


def deploy(server: Server, template: Path, stack: str, *options: str) -> dict[str, str]:
    """Build and deploy a template; its outputs."""
    line = " ".join(("--stack", stack, *options))
    command(f"fogbank deploy examples/{template.parent.name}/{template.name} {line}")
    begun = time.monotonic()
    with console.status("  building (pip installs what the functions require) and deploying…"):
        made = server.run("deploy", str(template), "--stack", stack, *options)
    say(
        f"{made['status']} after {time.monotonic() - begun:.1f} s: {len(made['resources'])} resources, "
        "from a template that AWS takes as it is"
    )
    return dict(made["outputs"])


def start(server: Server) -> None:
    """Start the server, for the first time or again."""
    command(f"fogbank start --port {server.port} --data {server.data}")
    took = server.start()
    say(f"ready on {server.endpoint} after {took * 1000:.0f} ms")


def tell(story: Callable[[Server, Claims], None], next_steps: Sequence[tuple[str, str]], more: str) -> int:
    """Tell a story on a server of its own; 0 if every claim held. `next_steps` are for the reader: what, and how."""
    begun = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="fogbank-demo-"))
    server = Server(folder / "data")
    claims = Claims()
    try:
        story(server, claims)
    except CommandError as error:
        say(f"[red]{escape(str(error))}[/]")
        claims.failed += 1
    except KeyboardInterrupt:
        return 130
    finally:
        code = server.stop()
        if not claims.failed:
            shutil.rmtree(folder, ignore_errors=True)
    if code:
        say(f"[red]the server ended with {code}[/]")
        claims.failed += 1
    if claims.failed:
        say(f"[red]{claims.failed} of these claims did not hold.[/]")
        say(f"Its data and log are in {folder}")
        return 1
    _farewell(time.monotonic() - begun, next_steps, more)
    return 0


def _farewell(seconds: float, next_steps: Sequence[tuple[str, str]], more: str) -> None:
    say(f"[green]Every claim holds.[/] It took {seconds:.0f} s. Now you:")
    for what, line in next_steps:
        console.print(f"\n  [dim]# {escape(what)}[/]\n  {escape(f'.venv/bin/fogbank {line}')}", soft_wrap=True)
    console.print(f"\n  {escape(more)}")
