"""Visiting the nodes of a graph, many at once, each after all that it needs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from collections.abc import Set as AbstractSet

LIMIT = 8
"""Visits under way at once."""


async def walk(
    needs: Mapping[str, AbstractSet[str]],
    visit: Callable[[str], Awaitable[bool]],
    halted: Callable[[], bool],
    *,
    limit: int = LIMIT,
) -> None:
    """Visit every name once all that it needs have been visited with success, up to `limit` at a time.

    What needs a visit that failed (gave false) is not visited. Once `halted` says so nothing new is begun; visits
    under way are always awaited. Names that are needed and not in the mapping count as visited.
    """
    waiting = {name: {need for need in needed if need in needs} for name, needed in needs.items()}
    running: dict[asyncio.Task[bool], str] = {}
    try:
        while True:
            ready = [name for name, needed in waiting.items() if not needed]
            for name in ready[: limit - len(running)]:
                if halted():
                    break
                del waiting[name]
                running[asyncio.ensure_future(visit(name))] = name
            if not running:
                return
            done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                name = running.pop(task)
                if task.result():
                    for needed in waiting.values():
                        needed.discard(name)
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
