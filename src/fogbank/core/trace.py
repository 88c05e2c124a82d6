"""Trace context: which request, of all that are under way, a call belongs to.

It travels as AWS carries it (`X-Amzn-Trace-Id: Root=1-…;Parent=…;Sampled=1`) and is stored in that form
beside whatever waits: outbox rows, queue messages, asynchronous invocations.
Source: https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-tracingheader
"""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import unquote

from fogbank.core.clock import Clock
from fogbank.core.ids import Ids

_ROOT = re.compile(r"1-[0-9a-f]{8}-[0-9a-f]{24}")
_SPAN = re.compile(r"[0-9a-f]{16}")
_OWN = re.compile(
    r"Root=(1-[0-9a-f]{8}-[0-9a-f]{24});Parent=([0-9a-f]{16})(?:;Sampled=([01]))?"
    r"(?:;Lineage=([0-9a-f]{8}:\d{1,5}(?:\|[0-9a-f]{8}:\d{1,5}){0,31}))?"
)
_DECISIONS = {"1": True, "0": False}
_TRACEPARENT = re.compile(
    r"(?P<version>[0-9a-f]{2})-(?P<trace>[0-9a-f]{32})-(?P<parent>[0-9a-f]{16})-(?P<flags>[0-9a-f]{2})(-.*)?"
)

UNBILLED = "1-00000000-000000000000000000000000"
"""The trace of requests that only look at what was used: they are not on the bill."""


_LINEAGE = re.compile(r"[0-9a-f]{8}:\d{1,5}(\|[0-9a-f]{8}:\d{1,5}){0,31}")


class Trace(NamedTuple):
    """A trace (`root`, in X-Ray's form `1-8hex-24hex`) and the span within it (`parent`, 16 hex).

    `sampled` is the decision that came with the context; `None` where nobody has made one. It is for X-Ray's SDKs and
    for functions; what Fogbank records of itself does not depend on it.

    A tuple, not a frozen dataclass: one is made for every request, at a third of the cost.
    """

    root: str
    parent: str
    sampled: bool | None = None
    origin: str = ""
    """The span of the client's that the context came with, where spans of Fogbank's own are between."""
    lineage: str = ""
    """How often functions have handled what came of one event, `8hex:times|…`: Lambda's, to find loops by."""

    @property
    def header(self) -> str:
        """The value of `X-Amzn-Trace-Id`."""
        return self._header(self.parent)

    def _header(self, parent: str) -> str:
        text = f"Root={self.root};Parent={parent}"
        if self.sampled is not None:
            text = f"{text};Sampled={int(self.sampled)}"
        return f"{text};Lineage={self.lineage}" if self.lineage else text

    def child(self, ids: Ids) -> Trace:
        """The context of what a new span within this one causes."""
        return Trace(self.root, ids.hex(16), self.sampled, self.origin or self.parent, self.lineage)

    @property
    def upstream(self) -> str | None:
        """The header as the client gave it, for what AWS passes on unchanged; `None` if no client gave one."""
        if self.sampled is None:
            return None
        return self._header(self.origin or self.parent)

    @classmethod
    def parse(cls, header: str | None) -> Trace | None:
        """Read the header; `None` if it is absent or not well formed, in which case a new trace begins."""
        if not header:
            return None
        own = _OWN.fullmatch(header)
        if own is not None:  # as `header` writes it: a third of the cost
            root, parent, sampled, lineage = own.groups()
            return cls(root, parent, None if sampled is None else sampled == "1", "", lineage or "")
        fields = dict(part.strip().partition("=")[::2] for part in header[:512].split(";"))
        root, parent = fields.get("Root", ""), fields.get("Parent", "")
        if not _ROOT.fullmatch(root):
            return None
        parent = parent if _SPAN.fullmatch(parent) else "0" * 16
        lineage = fields.get("Lineage", "")
        if lineage:
            lineage = unquote(lineage)  # AWS's SDKs escape its bars
            lineage = lineage if _LINEAGE.fullmatch(lineage) else ""
        return cls(root, parent, _DECISIONS.get(fields.get("Sampled", "")), "", lineage)

    @classmethod
    def parse_w3c(cls, header: str | None) -> Trace | None:
        """Read a `traceparent` (https://www.w3.org/TR/trace-context/#traceparent-header); `None` as `parse` does.

        Its trace id is X-Ray's without the dashes and the version.
        """
        found = _TRACEPARENT.fullmatch(header or "")
        if found is None or found["version"] == "ff" or not int(found["trace"], 16) or not int(found["parent"], 16):
            return None
        trace = found["trace"]
        return cls(f"1-{trace[:8]}-{trace[8:]}", found["parent"], bool(int(found["flags"], 16) & 1))

    @classmethod
    def begin(cls, clock: Clock, ids: Ids) -> Trace:
        """A new trace that starts now."""
        h = ids.hex(40)
        return cls(f"1-{int(clock.time()):08x}-{h[:24]}", h[24:])
