"""Trace context: which request, of all that are under way, a call belongs to.

It travels as AWS carries it (`X-Amzn-Trace-Id: Root=1-…;Parent=…;Sampled=1`) and is stored in that form
beside whatever waits: outbox rows, queue messages, asynchronous invocations.
Source: https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-tracingheader
"""

from __future__ import annotations

import re
from typing import NamedTuple

from fogbank.core.clock import Clock
from fogbank.core.ids import Ids

_ROOT = re.compile(r"1-[0-9a-f]{8}-[0-9a-f]{24}")
_SPAN = re.compile(r"[0-9a-f]{16}")


class Trace(NamedTuple):
    """A trace (`root`, in X-Ray's form `1-8hex-24hex`) and the span within it (`parent`, 16 hex).

    A tuple, not a frozen dataclass: one is made for every request, at a third of the cost.
    """

    root: str
    parent: str
    sampled: bool = True

    @property
    def header(self) -> str:
        """The value of `X-Amzn-Trace-Id`."""
        return f"Root={self.root};Parent={self.parent};Sampled={int(self.sampled)}"

    @classmethod
    def parse(cls, header: str | None) -> Trace | None:
        """Read the header; `None` if it is absent or not well formed, in which case a new trace begins."""
        if not header:
            return None
        fields = dict(part.strip().partition("=")[::2] for part in header[:512].split(";"))
        root, parent = fields.get("Root", ""), fields.get("Parent", "")
        if not _ROOT.fullmatch(root):
            return None
        return cls(root, parent if _SPAN.fullmatch(parent) else "0" * 16, fields.get("Sampled") != "0")

    @classmethod
    def begin(cls, clock: Clock, ids: Ids) -> Trace:
        """A new trace that starts now."""
        h = ids.hex(40)
        return cls(f"1-{int(clock.time()):08x}-{h[:24]}", h[24:])
