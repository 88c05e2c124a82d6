"""What a map run leaves in a bucket: a file for each status of its child executions, and a manifest.

Source: https://docs.aws.amazon.com/step-functions/latest/dg/input-output-resultwriter.html
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from fogbank.services.states._language._threads import Join, iso
from fogbank.services.states._language.templates import text_of

if TYPE_CHECKING:
    from fogbank.services.states._language._map_runs import MapRun

Json = Any
MAX_FILE = 64 << 20
"""Bytes after which results go on in another file."""
FILES = ("FAILED", "PENDING", "SUCCEEDED")
_ENDED_BADLY = {"FAILED", "TIMED_OUT", "ABORTED"}


def child_arn(run: str, name: str, *, express: bool) -> str:
    """The ARN of a child execution of a map run."""
    base, _, number = run.rpartition(":")
    if express:
        return f"{base.replace(':mapRun:', ':express:')}:{number}:{name}"
    return f"{base.replace(':mapRun:', ':execution:')}:{name}"


def output_of(found: dict[str, Any]) -> Json:
    """What a child execution gave: its output, or its error."""
    if found["status"] == "SUCCEEDED":
        return found["value"]
    shown = (("Error", found.get("error")), ("Cause", found.get("cause")))
    return {name: value for name, value in shown if value is not None}


def flattened(outputs: Sequence[Json]) -> list[Json]:
    """Outputs, those that are arrays by their items."""
    return [item for output in outputs for item in (output if isinstance(output, list) else [output])]


def told(run: MapRun, name: str, found: dict[str, Any]) -> dict[str, Json]:
    """All about a child execution, as `Transformation: NONE` tells it."""
    status = found["status"]
    shown: dict[str, Json] = {
        "ExecutionArn": child_arn(run.arn, name, express=run.express),
        "Input": text_of(found["data"]),
        "InputDetails": {"Included": True},
        "Name": name,
        "RedriveCount": found.get("redrives", 0),
        "RedriveStatus": "NOT_REDRIVABLE" if status == "SUCCEEDED" else "REDRIVABLE_BY_MAP_RUN",
        "StartDate": iso(found["started"]),
        "StateMachineArn": run.arn.rpartition(":")[0].replace(":mapRun:", ":stateMachine:"),
        "Status": status,
        "StopDate": iso(found["stopped"]),
    }
    if status == "SUCCEEDED":
        shown |= {"Output": found["output"], "OutputDetails": {"Included": True}}
        shown["RedriveStatusReason"] = "Execution is SUCCEEDED and cannot be redriven"
    shown |= {name.title(): found[name] for name in ("error", "cause") if found.get(name) is not None}
    return dict(sorted(shown.items()))


def results_of(join: Join) -> list[Json]:
    """What a Map without a bucket gives: the outputs, as its ResultWriter's Transformation wants them."""
    writer = join.owner.state.writer
    how = "COMPACT" if writer is None else writer.transformation
    if how == "NONE":
        assert join.run is not None, "it is distributed"
        return [told(join.run, join.names[index], found) for index, found in enumerate(join.results)]
    outputs = [output_of(found) for found in join.results]
    return flattened(outputs) if how == "FLATTEN" else outputs


def place_of(run: MapRun, target: dict[str, Json]) -> str:
    """The folder of a map run's files: below the prefix, named for the run."""
    prefix = str(target.get("Prefix") or "").strip("/")
    number = run.arn.rpartition(":")[2]
    return f"{prefix}/{number}" if prefix else number


def files_of(join: Join, target: dict[str, Json]) -> Iterator[tuple[str, bytes]]:
    """The keys and contents of a map run's files; the manifest, which names the others, is the last."""
    run, writer = join.run, join.owner.state.writer
    assert run is not None, "it is distributed"
    assert writer is not None, "it writes results"
    place = place_of(run, target)
    files: dict[str, list[dict[str, Json]]] = {kind: [] for kind in FILES}
    for kind in FILES:
        for number, body in enumerate(_bodies(_entries(join, kind), lines=writer.lines)):
            key = f"{place}/{kind}_{number}.{writer.extension}"
            files[kind].append({"Key": key, "Size": len(body)})
            yield key, body
    manifest = {"DestinationBucket": target["Bucket"], "MapRunArn": run.arn, "ResultFiles": files}
    yield f"{place}/manifest.json", text_of(manifest).encode()


def _entries(join: Join, kind: str) -> Iterator[Json]:
    run, writer = join.run, join.owner.state.writer
    assert run is not None, "it is distributed"
    how = "NONE" if writer is None else writer.transformation
    for index, batch in enumerate(join.batches):
        found = join.results[index]
        if kind == "PENDING":
            if found is None:
                data = join.items[batch.item] if batch.item is not None else batch.data
                yield {"Input": text_of(data), "InputDetails": {"Included": True}, "Status": "PENDING"}
        elif found is None or (found["status"] in _ENDED_BADLY) is not (kind == "FAILED"):
            continue
        elif kind == "FAILED" or how == "NONE":
            yield told(run, join.names[index], found)
        elif how == "FLATTEN":
            yield from flattened([output_of(found)])
        else:
            yield output_of(found)


def _bodies(entries: Iterator[Json], *, lines: bool) -> Iterator[bytes]:
    """Entries as files."""
    texts: list[str] = []
    size = 0
    for entry in entries:
        text = text_of(entry)
        if texts and size + len(text) > MAX_FILE:
            yield _body(texts, lines=lines)
            texts, size = [], 0
        texts.append(text)
        size += len(text)
    if texts:
        yield _body(texts, lines=lines)


def _body(texts: list[str], *, lines: bool) -> bytes:
    return ("".join(f"{text}\n" for text in texts) if lines else f"[{','.join(texts)}]").encode()
