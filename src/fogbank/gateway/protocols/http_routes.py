"""Which operation of a REST service a method and path mean.

The model's templates (`/2015-03-31/functions/{FunctionName}/invocations`, `/{Bucket}/{Key+}?uploads`) make a
tree of path segments. Words win over labels, labels over greedy labels; among operations at one place the one
whose query literals and required headers are all there, and are the most, wins.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote, unquote_to_bytes

from fogbank.core.models import Location, OperationModel, ServiceModel
from fogbank.gateway.protocols.faults import SerializationError

MOST_SEGMENTS = 200
"""A longer path matches nothing but a greedy label."""


@dataclass(frozen=True, slots=True)
class Match:
    """The operation, and what the path says of its labels, decoded."""

    operation: str
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Route:
    """One operation at a place of the tree."""

    operation: str
    method: str
    labels: tuple[str, ...]
    query: tuple[tuple[str, str | None], ...]
    headers: tuple[str, ...]
    params: tuple[str, ...]
    deprecated: bool

    def fits(self, method: str, query: Mapping[str, str], headers: Mapping[str, str]) -> bool:
        return (
            method == self.method
            and all(key in query and (want is None or query[key] == want) for key, want in self.query)
            and all(name in headers for name in self.headers)
            and all(name in query for name in self.params)
        )

    @property
    def weight(self) -> tuple[int, int, bool]:
        """How much a request must have for this operation to be meant; of two alike the newer is."""
        return len(self.query) + len(self.params), len(self.headers), not self.deprecated


@dataclass(slots=True)
class _Node:
    """What may follow a path's beginning."""

    words: dict[str, _Node] = field(default_factory=dict)
    label: _Node | None = None
    greedy: list[_Route] = field(default_factory=list)
    routes: list[_Route] = field(default_factory=list)


class HttpRoutes:
    """The routes of a service."""

    def __init__(self, model: ServiceModel) -> None:
        self._root = _Node()
        for name in model.operation_names:
            self._add(model.operation(name))

    def match(self, method: str, path: str, query: str, headers: Mapping[str, str]) -> Match | None:
        """The operation that a request means; `None` if there is none."""
        segments = path.split("/")[1:]
        if len(segments) > 1 and segments[-1] == "":
            trimmed = segments[:-1]
        else:
            trimmed = segments if segments != [""] else []
        present = dict(_pairs(query))
        best: tuple[_Route, list[str]] | None = None
        for routes, values in self._walk(self._root, trimmed, segments, 0, []):
            for route in routes:
                if route.fits(method, present, headers) and (best is None or route.weight > best[0].weight):
                    best = (route, values)
            if best is not None:
                break
        if best is None:
            return None
        route, values = best
        labels = {name: _decode(value) for name, value in zip(route.labels, values, strict=True)}
        return Match(route.operation, labels)

    def _walk(
        self, node: _Node, segments: list[str], raw: list[str], at: int, values: list[str]
    ) -> Iterator[tuple[list[_Route], list[str]]]:
        """Every place of the tree that the path leads to, the most particular first."""
        if at == len(segments):
            if node.routes:
                yield node.routes, values
            return
        if at < MOST_SEGMENTS:
            segment = segments[at]
            below = node.words.get(segment)
            if below is not None:
                yield from self._walk(below, segments, raw, at + 1, values)
            if node.label is not None and segment:
                yield from self._walk(node.label, segments, raw, at + 1, [*values, segment])
        if node.greedy:
            rest = "/".join(raw[at:])
            if rest:
                yield node.greedy, [*values, rest]

    def _add(self, operation: OperationModel) -> None:
        template, _, literals = operation.http.uri.partition("?")
        node = self._root
        labels: list[str] = []
        greedy = False
        for segment in template.split("/")[1:]:
            if segment.startswith("{"):
                name = segment[1:-1]
                greedy = name.endswith("+")
                labels.append(name.removesuffix("+"))
                if not greedy:
                    node.label = node.label or _Node()
                    node = node.label
            elif segment:
                node = node.words.setdefault(segment, _Node())
        headers, params = _required(operation)
        route = _Route(
            operation.name,
            operation.http.method,
            tuple(labels),
            tuple(_literals(literals)),
            headers,
            params,
            operation.deprecated,
        )
        (node.greedy if greedy else node.routes).append(route)


def _required(operation: OperationModel) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The headers and query parameters without which an operation of S3 is not meant.

    S3 tells CopyObject from PutObject by a header, AbortMultipartUpload from DeleteObject by a parameter. In
    other services they make no difference, and a request without them is to be told what it lacks.
    """
    headers: list[str] = []
    params: list[str] = []
    if operation.input is not None and operation.service == "s3":
        for name in operation.input.required:
            member = operation.input.members[name]
            if member.location is Location.HEADER:
                headers.append(member.wire_name.lower())
            elif member.location is Location.QUERY:
                params.append(member.wire_name)
    return tuple(headers), tuple(params)


def _literals(text: str) -> Iterator[tuple[str, str | None]]:
    for part in text.split("&"):
        if part:
            key, found, value = part.partition("=")
            yield key, value if found else None


def _pairs(query: str) -> Iterator[tuple[str, str]]:
    for part in query.split("&"):
        if part:
            key, _, value = part.partition("=")
            yield unquote(key), unquote(value)


def _decode(text: str) -> str:
    if "%" not in text and text.isascii():
        return text
    try:
        return unquote_to_bytes(text.encode("latin-1", "replace")).decode()
    except UnicodeDecodeError:
        raise SerializationError("The path is not UTF-8") from None
