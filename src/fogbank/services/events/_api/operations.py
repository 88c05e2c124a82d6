"""What every group of operations has at hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from fogbank.core import paging
from fogbank.core.call import Call
from fogbank.core.errors import NotImplementedByFogbank
from fogbank.services.events import storage as rows
from fogbank.services.events._metrics import RuleMetrics
from fogbank.services.events._recording import Recorder
from fogbank.services.events._router import Router
from fogbank.services.events.errors import InvalidTokenError, bus_not_found, rule_not_found
from fogbank.services.events.model import BusKey, Rule
from fogbank.services.kit import Kit, Service
from fogbank.storage import Tx

T = TypeVar("T")
MAX_PAGE = 100


class Operations(Service):
    """The base of each group."""

    name = "events"

    def __init__(self, kit: Kit) -> None:
        super().__init__(kit)
        self._storage = kit.storage
        self._clock = kit.clock
        self._ids = kit.ids
        self._delivery = kit.delivery
        self._router = Router(kit.storage)
        self._counts = RuleMetrics(kit.metrics)
        self._recorder = Recorder(kit, self._counts)

    async def _rule(self, tx: Tx, bus: BusKey, name: str) -> Rule:
        """A rule that must be there."""
        rule = await rows.get_rule(tx, bus, name)
        if rule is None:
            raise rule_not_found(name, bus.name)
        return rule

    async def _require_bus(self, tx: Tx, bus: BusKey) -> None:
        if not await rows.bus_exists(tx, bus):
            raise bus_not_found(bus.name)


class Page:
    """One page of a listing that is ordered by name: where it starts, and what comes of its rows."""

    def __init__(self, token: str | None, limit: int | None, prefix: str | None = None) -> None:
        self._prefix = prefix or ""
        self.limit = limit or MAX_PAGE
        self.start = self._prefix
        if token is not None:
            try:
                self.start = paging.decode_token(token, str) + " "  # sorts right after the name itself
            except paging.InvalidTokenError:
                raise InvalidTokenError("The NextToken is not one of this listing's.") from None

    def cut(self, rows_: Sequence[T], names: Sequence[str]) -> tuple[list[T], str | None]:
        """The page's rows, of the `limit + 1` that were asked for, and the token of the next page."""
        fitting = [row for row, name in zip(rows_, names, strict=True) if name.startswith(self._prefix)]
        page, more = paging.cut_page(fitting, self.limit)
        return list(page), paging.encode_token(names[len(page) - 1]) if more else None


def refuse_parameters(call: Call, names: Sequence[str], request: object) -> None:
    """Say by name what Fogbank does not honour yet."""
    for name in names:
        if isinstance(request, dict) and request.get(name) is not None:
            raise NotImplementedByFogbank(f"Fogbank does not implement {name} of events.{call.operation} yet")
