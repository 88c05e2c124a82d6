"""Pages of listings."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from fogbank.core import paging
from fogbank.services.scheduler.errors import ValidationError
from fogbank.services.scheduler.model import Group, Schedule

MAX_PAGE = 100
_BAD_TOKEN = "Invalid NextToken."  # noqa: S105 - a message

Fetch = Callable[[tuple[str, str], int], Awaitable[list[Schedule]]]


class NamePage:
    """A page of groups, by name."""

    def __init__(self, token: str | None, limit: int | None, prefix: str) -> None:
        self._prefix = prefix
        self.limit = limit or MAX_PAGE
        self.start = prefix
        if token is not None:
            try:
                self.start = paging.decode_token(token, str) + " "  # sorts right after the name itself
            except paging.InvalidTokenError:
                raise ValidationError(_BAD_TOKEN) from None

    def cut(self, groups: Sequence[Group]) -> tuple[list[Group], str | None]:
        """The page, of the `limit + 1` groups that were asked for, and the next one's token."""
        fitting = [group for group in groups if group.name.startswith(self._prefix)]
        page, more = paging.cut_page(fitting, self.limit)
        return list(page), paging.encode_token(page[-1].name) if more else None


class PairPage:
    """A page of schedules, by group and name, of which some do not fit the filter."""

    def __init__(self, token: str | None, limit: int | None, group: str | None, prefix: str) -> None:
        self.limit = limit or MAX_PAGE
        self.start = (group or "", prefix if group is not None else "")
        if token is not None:
            try:
                group_name, name = paging.decode_token(token, tuple[str, str])
            except paging.InvalidTokenError:
                raise ValidationError(_BAD_TOKEN) from None
            self.start = (group_name, name + " ")

    async def collect(self, fetch: Fetch, fits: Callable[[Schedule], bool]) -> tuple[list[Schedule], str | None]:
        """Read on until the page is full or there are no more."""
        found: list[Schedule] = []
        start = self.start
        while len(found) <= self.limit:
            batch = await fetch(start, MAX_PAGE)
            found += [schedule for schedule in batch if fits(schedule)]
            if len(batch) < MAX_PAGE:
                break
            start = (batch[-1].group, batch[-1].name + " ")
        page, more = paging.cut_page(found, self.limit)
        return list(page), paging.encode_token((page[-1].group, page[-1].name)) if more else None
