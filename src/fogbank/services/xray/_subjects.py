"""What filter expressions and graphs are about: a trace, its services and the edges between them, out of segments.

A segment is a document as X-Ray has it; see
https://docs.aws.amazon.com/xray/latest/devguide/xray-api-segmentdocuments.html.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

Document = Mapping[str, Any]
CLIENT = "client"


class NodeId(NamedTuple):
    """A service as X-Ray names it."""

    name: str
    type: str = ""
    account: str = ""


@dataclass(slots=True)
class Edge:
    """That one service called another, with how that went."""

    source: NodeId
    target: NodeId
    subject: Subject


@dataclass(slots=True)
class Subject:
    """A trace, a service of it or an edge: what the keywords of filter expressions say of it."""

    id: NodeId
    documents: list[Document]
    """The segments (or subsegments) that it is made of; the first is the one that answers for it."""
    everything: list[Document]
    """These and all that is in them, for what may stand anywhere."""
    flags: dict[str, bool] = field(default_factory=dict)
    start: float = 0.0
    end: float = 0.0
    services: list[Subject] = field(default_factory=list)
    edges: list[Edge] = field(default_factory=list)

    def flag(self, name: str) -> bool:
        """A boolean keyword."""
        if name in self.flags:
            return self.flags[name]
        if name == "ok":
            return not any(self.flag(other) for other in ("error", "throttle", "fault"))
        if name == "partial":
            return any(document.get("in_progress") for document in self.documents)
        return any(has(document, name) for document in self.documents)

    def number(self, name: str) -> float | None:
        """A number keyword; `None` where nothing is known."""
        if name == "duration":
            return self.end - self.start
        if name == "http.status":
            return next((float(s) for d in self.documents if (s := http(d, "response", "status")) is not None), None)
        if name == "responsetime":
            first = self.documents[0] if self.documents else {}
            return end_of(first) - first["start_time"] if first else None
        return 1.0 if name == "index" else 100.0

    def strings(self, name: str) -> set[str]:
        """The values of a string keyword."""
        match name:
            case "http.url" | "http.method":
                found = [http(d, "request", name[5:]) for d in self.documents]
            case "http.useragent":
                found = [http(d, "request", "user_agent") for d in self.documents]
            case "http.clientip":
                found = [http(d, "request", "client_ip") for d in self.documents]
            case "user":
                found = [d.get("user") for d in self.everything]
            case "name":
                found = [self.id.name, *(service.id.name for service in self.services)]
            case "type":
                found = [self.id.type, *(service.id.type for service in self.services)]
            case "message":
                found = [e.get("message") for d in self.everything for e in exceptions(d)]
            case "instance.id":
                found = [_aws(d, "ec2", "instance_id") for d in self.everything]
            case "availabilityzone":
                found = [_aws(d, "ec2", "availability_zone") for d in self.everything]
            case _:
                found = [d.get("resource_arn") or _aws(d, "resource_arn") for d in self.everything]
        return {str(value) for value in found if value is not None}

    def annotation(self, key: str) -> list[Any]:
        """The values of an annotation, wherever it stands."""
        return [d["annotations"][key] for d in self.everything if key in (d.get("annotations") or {})]


def http(document: Document, side: str, name: str) -> Any:
    """A member of `http.request` or `http.response`."""
    part = (document.get("http") or {}).get(side) or {}
    return part.get(name) if isinstance(part, Mapping) else None


def _aws(document: Document, *names: str) -> Any:
    at: Any = document.get("aws")
    for name in names:
        at = at.get(name) if isinstance(at, Mapping) else None
    return at


def exceptions(document: Document) -> list[Mapping[str, Any]]:
    """The exceptions of a segment or subsegment."""
    cause = document.get("cause")
    found = cause.get("exceptions") if isinstance(cause, Mapping) else None
    return [each for each in found or [] if isinstance(each, Mapping)]


def has(document: Document, flag: str) -> bool:
    """Whether a segment says error, throttle or fault of itself, or its status does."""
    status = http(document, "response", "status")
    if isinstance(status, int):
        if flag == "fault" and status >= 500:
            return True
        if flag == "error" and 400 <= status < 500:
            return True
        if flag == "throttle" and status == 429:
            return True
    return bool(document.get(flag))


def end_of(document: Document) -> float:
    """When a segment ended; its beginning while it is in progress."""
    return float(document.get("end_time") or document["start_time"])


def below(document: Document) -> Iterator[Document]:
    """A segment and everything in it."""
    stack = [document]
    while stack:
        at = stack.pop()
        yield at
        inner = at.get("subsegments")
        stack += [each for each in inner or [] if isinstance(each, Mapping)]


def node_of(document: Document) -> NodeId:
    """The service that a segment is of, or that a subsegment calls."""
    if document.get("namespace") == "remote":
        return NodeId(document["name"], "remote")
    if document.get("namespace") == "aws":
        return NodeId(document["name"], f"AWS::{document['name']}")
    return NodeId(document["name"], document.get("origin") or "", str(_aws(document, "account_id") or ""))


def subject_of(segments: Sequence[Document]) -> Subject:
    """A trace out of its segments (at least one)."""
    everything = [each for segment in segments for each in below(segment)]
    roots = [s for s in segments if not s.get("parent_id")] or sorted(segments, key=lambda s: s["start_time"])[:1]
    trace = Subject(NodeId(roots[0]["name"], roots[0].get("origin") or ""), list(roots), everything)
    trace.start = min(d["start_time"] for d in everything)
    trace.end = max(end_of(d) for d in everything)
    trace.flags = {
        "partial": any(d.get("in_progress") for d in everything),
        "inferred": any(d.get("inferred") for d in segments),
        "root": True, "first": True, "last": True, "remote": False,
    }  # fmt: skip
    _connect(trace, segments, roots)
    return trace


def _connect(trace: Subject, segments: Sequence[Document], roots: Sequence[Document]) -> None:
    """The services and the edges of a trace."""
    owners: dict[str, NodeId] = {}
    nodes: dict[NodeId, Subject] = {}
    called = {segment.get("parent_id") for segment in segments}
    pairs: list[tuple[NodeId, NodeId, Document]] = []
    for segment in segments:
        node = node_of(segment)
        _service(nodes, node, segment, root=segment in roots)
        for each in below(segment):
            owners[each["id"]] = node
    for segment in segments:
        node = node_of(segment)
        source = owners.get(segment.get("parent_id") or "", NodeId(node.name, CLIENT))
        pairs.append((source, node, segment))
        for each in below(segment):
            if each.get("namespace") in {"aws", "remote"} and each["id"] not in called:
                remote = node_of(each)
                _service(nodes, remote, each, root=False).flags["inferred"] = True
                pairs.append((node, remote, each))
    for source, target, document in pairs:
        if source != target:
            trace.edges.append(Edge(source, target, _of(target, document)))
    trace.services = list(nodes.values())


def _service(nodes: dict[NodeId, Subject], node: NodeId, document: Document, *, root: bool) -> Subject:
    found = nodes.get(node)
    if found is None:
        found = nodes[node] = _of(node, document)
        found.flags |= {"root": root, "remote": node.type == "remote", "first": True, "last": True}
        found.flags["inferred"] = bool(document.get("inferred"))
        return found
    found.documents.append(document)
    found.everything += below(document)
    found.start = min(found.start, document["start_time"])
    found.end = max(found.end, end_of(document))
    found.flags["root"] |= root
    return found


def _of(node: NodeId, document: Document) -> Subject:
    return Subject(node, [document], list(below(document)), {}, document["start_time"], end_of(document))
