"""What a span is of, by one name: from an ARN, a URL or a bare name."""

from __future__ import annotations

from functools import lru_cache

from fogbank.telemetry.model import Kind, Span


@lru_cache(maxsize=10_000)
def name_of(service: str, resource: str) -> str:
    """The bare name of a resource that is given as its ARN, its URL or its name: `orders` for the queue's URL.

    Qualifiers of functions, bus names before rules, and groups before schedules stay out: the name is what a
    person calls it.
    """
    if not resource.startswith("arn:"):
        if service == "lambda":
            return resource.rpartition("function:")[2].partition(":")[0]
        return resource.rpartition("/")[2] if "://" in resource else resource
    tail = resource.split(":", 5)[-1]
    kind, _, rest = tail.partition(":") if ":" in tail else tail.partition("/")
    if not rest:
        return kind
    if service == "lambda" or kind == "function":
        return rest.partition(":")[0]
    if kind in {"execution", "express"}:
        return rest.partition(":")[0]
    if kind == "log-group":
        return rest.removesuffix(":*")
    if kind == "table":
        return rest.partition("/")[0]
    return rest.rpartition("/")[2]


def node_of(span: Span) -> tuple[str, str]:
    """The node of the service graph that a span is work of: its service, and the resource's name (or empty)."""
    if span.kind in {Kind.SEGMENT, Kind.SPAN}:
        return (span.service, span.name)
    return (span.service, name_of(span.service, span.resource) if span.resource else "")
