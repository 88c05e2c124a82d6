"""The series of a process as Prometheus reads them: text, version 0.0.4.

    # HELP aws_sqs_number_of_messages_sent AWS/SQS NumberOfMessagesSent (Count)
    # TYPE aws_sqs_number_of_messages_sent summary
    aws_sqs_number_of_messages_sent_count{account="000000000000",region="us-east-1",queue_name="q"} 12
    aws_sqs_number_of_messages_sent_sum{…} 14.0

What is counted is a summary without quantiles (how many samples, and their sum, since the start), what is sampled a
gauge. A name has one set of labels: CloudWatch's sums over all functions, or over a function's aliases, are left to
PromQL. Source: https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from __future__ import annotations

import re
import resource
from collections.abc import Iterable, Iterator
from pathlib import Path

from fogbank.telemetry.metrics import Series

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_AGGREGATES = frozenset({"Resource", "ExecutedVersion"})
"""Dimensions that repeat what is told without them."""
_WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_OTHER = re.compile(r"[^a-zA-Z0-9_]+")
_PAGE = resource.getpagesize()

Labels = tuple[tuple[str, str], ...]


def expose(series: Iterable[Series], *, version: str, started: float) -> str:
    """The whole page. `started` is when the process began (seconds since the epoch)."""
    families: dict[str, list[Series]] = {}
    for each in series:
        if not any(name in _AGGREGATES for name, _ in each.dimensions):
            families.setdefault(f"{snake(each.namespace)}_{snake(each.name)}", []).append(each)
    lines: list[str] = []
    for name in sorted(families):
        lines += _family(name, families[name])
    lines += _process(version, started)
    return "\n".join(lines) + "\n"


def snake(name: str) -> str:
    """`AWS/SQS` to `aws_sqs`, `NumberOfMessagesSent` to `number_of_messages_sent`."""
    return _OTHER.sub("_", _WORDS.sub("_", name)).strip("_").lower()


def escape(value: str) -> str:
    """A label's value as it stands between quotes."""
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def _family(name: str, members: list[Series]) -> Iterator[str]:
    """The lines of one name. Where some have dimensions, the sum over all is left out."""
    if any(each.dimensions for each in members):
        members = [each for each in members if each.dimensions]
    first = members[0]
    yield f"# HELP {name} {first.namespace} {first.name} ({first.unit})"
    yield f"# TYPE {name} {'gauge' if first.gauge else 'summary'}"
    told: set[str] = set()
    for each in members:
        labels = _labels(each)
        if labels in told:
            continue
        told.add(labels)
        if first.gauge:
            yield f"{name}{labels} {each.last!r}"
        else:
            count, total = each.totals()
            yield f"{name}_count{labels} {count:.0f}"
            yield f"{name}_sum{labels} {total!r}"


def _labels(series: Series) -> str:
    pairs: Labels = (
        ("account", series.scope.account),
        ("region", series.scope.region),
        *((snake(name), value) for name, value in series.dimensions),
    )
    return "{" + ",".join(f'{name}="{escape(value)}"' for name, value in pairs) + "}"


def _process(version: str, started: float) -> Iterator[str]:
    """What every exporter tells of its process, under the names that Prometheus's own clients use."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    yield "# HELP fogbank_build_info The version that runs."
    yield "# TYPE fogbank_build_info gauge"
    yield f'fogbank_build_info{{version="{escape(version)}"}} 1'
    yield "# HELP process_cpu_seconds_total Processor time of the server, without the functions."
    yield "# TYPE process_cpu_seconds_total counter"
    yield f"process_cpu_seconds_total {usage.ru_utime + usage.ru_stime!r}"
    yield "# HELP process_start_time_seconds When the server began."
    yield "# TYPE process_start_time_seconds gauge"
    yield f"process_start_time_seconds {started!r}"
    yield "# HELP process_resident_memory_bytes Resident memory of the server."
    yield "# TYPE process_resident_memory_bytes gauge"
    yield f"process_resident_memory_bytes {_resident(usage.ru_maxrss)}"


def _resident(largest: int) -> int:
    """Bytes that are resident now; where /proc is missing, the most that ever were."""
    try:
        return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * _PAGE
    except (OSError, ValueError, IndexError):
        return largest * 1024
