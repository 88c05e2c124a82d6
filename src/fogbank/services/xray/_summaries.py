"""Trace summaries and service graphs, out of segments. Pure functions; shapes are those of the service model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from fogbank.services.xray._subjects import CLIENT, Edge, NodeId, Subject

Json = dict[str, Any]


def service_id(node: NodeId) -> Json:
    """A service as ServiceId has it."""
    found: Json = {"Name": node.name, "Names": [node.name]}
    if node.account:
        found["AccountId"] = node.account
    if node.type:
        found["Type"] = node.type
    return found


def summary_of(trace: str, subject: Subject) -> Json:
    """A TraceSummary."""
    found: Json = {
        "Id": trace,
        "StartTime": subject.start,
        "Duration": round(subject.end - subject.start, 3),
        "ResponseTime": round(subject.number("responsetime") or 0.0, 3),
        "HasFault": subject.flag("fault"),
        "HasError": subject.flag("error"),
        "HasThrottle": subject.flag("throttle"),
        "IsPartial": subject.flag("partial"),
        "Http": _http(subject),
        "Annotations": _annotations(subject),
        "Users": [{"UserName": user, "ServiceIds": []} for user in sorted(subject.strings("user"))],
        "ServiceIds": [service_id(service.id) for service in subject.services],
        "ResourceARNs": [{"ARN": arn} for arn in sorted(subject.strings("resource.arn"))],
        "InstanceIds": [{"Id": name} for name in sorted(subject.strings("instance.id"))],
        "AvailabilityZones": [{"Name": name} for name in sorted(subject.strings("availabilityzone"))],
        "EntryPoint": service_id(subject.id),
        "Revision": 1,
        "MatchedEventTime": subject.start,
    }
    return found


def _http(subject: Subject) -> Json:
    names = {
        "HttpURL": "http.url",
        "HttpMethod": "http.method",
        "UserAgent": "http.useragent",
        "ClientIp": "http.clientip",
    }
    found: Json = {}
    for member, keyword in names.items():
        values = sorted(subject.strings(keyword))
        if values:
            found[member] = values[0]
    status = subject.number("http.status")
    if status is not None:
        found["HttpStatus"] = int(status)
    return found


def _annotations(subject: Subject) -> Json:
    found: dict[str, list[Json]] = {}
    for service in subject.services:
        for document in service.everything:
            for key, value in (document.get("annotations") or {}).items():
                shown = _value(value)
                if shown is None:
                    continue
                known = found.setdefault(key, [])
                for each in known:
                    if each["AnnotationValue"] == shown:
                        if service_id(service.id) not in each["ServiceIds"]:
                            each["ServiceIds"].append(service_id(service.id))
                        break
                else:
                    known.append({"AnnotationValue": shown, "ServiceIds": [service_id(service.id)]})
    return found


def _value(value: Any) -> Json | None:
    if isinstance(value, bool):
        return {"BooleanValue": value}
    if isinstance(value, int | float):
        return {"NumberValue": float(value)}
    return {"StringValue": value} if isinstance(value, str) else None


@dataclass(slots=True)
class _Tally:
    """What went to a service, or over an edge."""

    ok: int = 0
    throttles: int = 0
    errors: int = 0
    faults: int = 0
    seconds: float = 0.0
    start: float = float("inf")
    end: float = 0.0
    histogram: dict[float, int] = field(default_factory=dict)

    def add(self, subject: Subject) -> None:
        """Count one."""
        took = round(subject.end - subject.start, 3)
        self.seconds += took
        self.histogram[took] = self.histogram.get(took, 0) + 1
        self.start, self.end = min(self.start, subject.start), max(self.end, subject.end)
        if subject.flag("fault"):
            self.faults += 1
        elif subject.flag("throttle"):
            self.throttles += 1
        elif subject.flag("error"):
            self.errors += 1
        else:
            self.ok += 1

    def statistics(self) -> Json:
        """ServiceStatistics, or EdgeStatistics, which is the same."""
        total = self.ok + self.throttles + self.errors + self.faults
        return {
            "OkCount": self.ok,
            "ErrorStatistics": {
                "ThrottleCount": self.throttles,
                "OtherCount": self.errors,
                "TotalCount": self.throttles + self.errors,
            },
            "FaultStatistics": {"OtherCount": self.faults, "TotalCount": self.faults},
            "TotalCount": total,
            "TotalResponseTime": self.seconds,
        }

    def entries(self) -> list[Json]:
        """The histogram."""
        return [{"Value": value, "Count": count} for value, count in sorted(self.histogram.items())]


class GraphBuilder:
    """Adds traces up to the services and edges of a graph."""

    def __init__(self) -> None:
        self._services: dict[NodeId, _Tally] = {}
        self._edges: dict[tuple[NodeId, NodeId], _Tally] = {}
        self._roots: set[NodeId] = set()

    def add(self, trace: Subject) -> None:
        """Add one trace."""
        for service in trace.services:
            tally = self._services.setdefault(service.id, _Tally())
            for document in service.documents:
                tally.add(Subject(service.id, [document], [document], {}, document["start_time"], _end(document)))
            if service.flag("root"):
                self._roots.add(service.id)
        for edge in trace.edges:
            self._add_edge(edge)

    def _add_edge(self, edge: Edge) -> None:
        self._edges.setdefault((edge.source, edge.target), _Tally()).add(edge.subject)
        if edge.source.type == CLIENT:
            self._services.setdefault(edge.source, _Tally()).add(edge.subject)

    def services(self) -> list[Json]:
        """The services, each with its edges, by reference numbers."""
        numbers = {node: number for number, node in enumerate(self._services)}
        return [self._service(node, tally, numbers) for node, tally in self._services.items()]

    def _service(self, node: NodeId, tally: _Tally, numbers: Mapping[NodeId, int]) -> Json:
        edges = [
            {
                "ReferenceId": numbers[target],
                "StartTime": over.start,
                "EndTime": over.end,
                "SummaryStatistics": over.statistics(),
                "ResponseTimeHistogram": over.entries(),
                "Aliases": [],
            }
            for (source, target), over in self._edges.items()
            if source == node and target in numbers
        ]
        found: Json = {
            "ReferenceId": numbers[node],
            **service_id(node),
            "State": "active",
            "StartTime": tally.start,
            "EndTime": tally.end,
            "Edges": edges,
            "SummaryStatistics": tally.statistics(),
            "DurationHistogram": tally.entries(),
            "ResponseTimeHistogram": tally.entries(),
        }
        if node in self._roots:
            found["Root"] = True
        return found


def _end(document: Mapping[str, Any]) -> float:
    return float(document.get("end_time") or document["start_time"])


def graph_of(traces: Iterable[Subject]) -> list[Json]:
    """The services of a graph over some traces."""
    builder = GraphBuilder()
    for trace in traces:
        builder.add(trace)
    return builder.services()
