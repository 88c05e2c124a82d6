"""`fogbank invoke`: call a function."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Iterator
from typing import Any

import click

from fogbank.cli.connection import Connection, ServerCommand, connected
from fogbank.cli.documents import read_json
from fogbank.cli.failures import Exit
from fogbank.cli.output import Output
from fogbank.cli.resolving import FUNCTION, named


@click.command("invoke", cls=ServerCommand)
@click.argument("function")
@click.argument("payload", default="{}")
@click.option("--async", "asynchronous", is_flag=True, help="Only accept the event; it is handled later, with retries.")
@click.option("--dry-run", is_flag=True, help="Check that the function is there and may be called; do not call it.")
@click.option("--log", "tail", is_flag=True, help="Show the end of the function's log too.")
@click.option("--qualifier", help="A version or an alias.")
@click.pass_context
def command(
    context: click.Context,
    function: str,
    payload: str,
    *,
    asynchronous: bool,
    dry_run: bool,
    tail: bool,
    qualifier: str | None,
) -> int:
    """Call a function with PAYLOAD: JSON as text, @file, or - for standard input.

    FUNCTION is its name, its ARN or its logical id in a stack. Ends with 1 if the function reports an error.
    """
    if asynchronous and (dry_run or tail):
        raise click.UsageError("--async goes with neither --dry-run nor --log")
    connection, output = connected(context)
    _, text = read_json(payload, what="payload")
    kind = "DryRun" if dry_run else "Event" if asynchronous else "RequestResponse"
    request: dict[str, Any] = {"InvocationType": kind, "Payload": text.encode()}
    if tail:
        request["LogType"] = "Tail"
    if qualifier:
        request["Qualifier"] = qualifier
    reply = named(
        connection,
        FUNCTION,
        function,
        lambda name: connection.client("lambda").invoke(FunctionName=name, **request),
        others=lambda: function_names(connection),
    )
    return _show(output, reply, kind)


def function_names(connection: Connection) -> Iterator[str]:
    """Every function's name."""
    for page in connection.client("lambda").get_paginator("list_functions").paginate():
        for function in page["Functions"]:
            yield function["FunctionName"]


def _show(output: Output, reply: dict[str, Any], kind: str) -> int:
    body = reply["Payload"].read()
    answer = _value(body)
    log = b64decode(reply["LogResult"]).decode(errors="replace") if reply.get("LogResult") else None
    failed = reply.get("FunctionError")
    if output.json:
        output.document(
            {
                "status": reply["StatusCode"],
                "error": failed,
                "payload": answer,
                "version": reply.get("ExecutedVersion"),
                "log": log,
            }
        )
        return Exit.FAILED if failed else Exit.DONE
    if log:
        for line in log.splitlines():
            output.progress(line)
    if kind == "Event":
        output.line("accepted; see what comes of it with: fogbank logs", "green")
    elif kind == "DryRun":
        output.line("the function is there and may be called", "green")
    elif failed:
        _show_error(output, failed, answer)
    else:
        output.line(answer if isinstance(answer, str) else json.dumps(answer, indent=2, ensure_ascii=False))
    return Exit.FAILED if failed else Exit.DONE


def _show_error(output: Output, kind: str, answer: Any) -> None:
    if not isinstance(answer, dict):
        output.line(f"{kind}: {answer}", "red")
        return
    output.line(f"{answer.get('errorType', kind)}: {answer.get('errorMessage', '')}", "red")
    for line in answer.get("stackTrace") or []:
        output.line(str(line).rstrip("\n"), "dim")


def _value(body: bytes) -> Any:
    if not body:
        return None
    try:
        return json.loads(body)
    except ValueError:
        return body.decode(errors="replace")
