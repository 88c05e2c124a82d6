"""Amazon Resource Names: `arn:partition:service:region:account:resource`."""

from __future__ import annotations

from dataclasses import dataclass

from fogbank.core.scope import Scope


class MalformedArnError(ValueError):
    """A string that is not an ARN stood where one was expected."""


@dataclass(frozen=True, slots=True)
class Arn:
    """An ARN, taken apart. `resource` is all that follows the fifth colon, colons included."""

    partition: str
    service: str
    region: str
    account: str
    resource: str

    @classmethod
    def parse(cls, text: str) -> Arn:
        """Take `text` apart; `MalformedArnError` if it is no ARN."""
        parts = text.split(":", 5)
        if len(parts) != 6 or parts[0] != "arn" or not parts[1] or not parts[2] or not parts[5]:
            raise MalformedArnError(f"expected arn:partition:service:region:account:resource, got {text[:200]!r}")
        return cls(*parts[1:])

    @property
    def scope(self) -> Scope:
        """The account and region that the ARN names."""
        return Scope(self.account, self.region) if self.region else Scope(self.account)

    @property
    def name(self) -> str:
        """What follows the resource's type: `f` of `function:f`, `t` of `table/t`, the whole where there is none."""
        for mark in (":", "/"):
            head, found, tail = self.resource.partition(mark)
            if found and "/" not in head:
                return tail
        return self.resource

    def __str__(self) -> str:
        return f"arn:{self.partition}:{self.service}:{self.region}:{self.account}:{self.resource}"
