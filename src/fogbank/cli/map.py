"""`fogbank map`: the service graph."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlencode

import click

from fogbank.cli.connection import ServerCommand, connected
from fogbank.cli.drawing import mermaid, rows_of, svg
from fogbank.cli.traces import server_since


@click.command("map", cls=ServerCommand)
@click.option("--since", default="1h", show_default=True, help="From when: 30s, 10m, 2h, 1d ago, or an ISO 8601 time.")
@click.option(
    "--format", "form", type=click.Choice(("text", "mermaid", "svg")), default="text", show_default=True,
    help="A table, a Mermaid flowchart, or a drawing.",
)  # fmt: skip
@click.option("-o", "--output", "file", type=click.Path(dir_okay=False, path_type=Path), help="Write it to this file.")
@click.pass_context
def command(context: click.Context, *, since: str, form: str, file: Path | None) -> None:
    """Show who calls whom: how often, with what success, how quickly, by the minute."""
    connection, output = connected(context)
    graph = connection.get(f"/_fogbank/map?{urlencode({'since': server_since(connection, since)})}")
    if output.json:
        output.document(graph)
        return
    if form == "text" and file is None:
        if not graph["edges"]:
            output.line("nothing was called; see --since")
            return
        output.table(("from", "to", "calls", "rate", "failed", "mean", "p95"), rows_of(graph))
        return
    text = mermaid(graph) if form == "mermaid" else svg(graph)
    if form == "text":
        text = "\n".join("\t".join(map(str, row)) for row in rows_of(graph)) + "\n"
    if file is not None:
        file.write_text(text, encoding="utf-8")
        output.progress(f"wrote {file}")
    else:
        click.echo(text, nl=False)
