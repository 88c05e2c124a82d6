"""The metrics that come of a batch of log events: embedded ones, and those of the group's metric filters.

They are put by CloudWatch's own operation, in the transaction that stores the events: both are there, or neither is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from fogbank.core.call import Principal
from fogbank.core.errors import ApiError
from fogbank.services.logs import storage
from fogbank.services.logs._emf import Data, is_embedded, read
from fogbank.services.logs._metric_filters import data_of

if TYPE_CHECKING:
    from fogbank.core.call import Call
    from fogbank.services.kit import Kit
    from fogbank.storage import Tx
    from fogbank.telemetry.metrics import Panel

PRINCIPAL = Principal(service="logs.amazonaws.com")
_AT_ONCE = 1_000
"""Data of one PutMetricData."""


async def publish_metrics(
    tx: Tx, kit: Kit, call: Call, *, group_id: int, filters: int, events: Sequence[tuple[int, str]], panel: Panel
) -> None:
    """Put what a batch says of metrics; `filters` is how many metric filters its group has."""
    data: Data = {}
    for timestamp, message in events:
        if is_embedded(message):
            found = read(message, timestamp)
            if found.broken:
                panel.add("EMFValidationErrors")
            _join(data, found.data)
    if filters:
        _join(data, data_of(await storage.filters_of(tx, group_id), events))
    for namespace, entries in data.items():
        for at in range(0, len(entries), _AT_ONCE):
            await _put(tx, kit, call, namespace, entries[at : at + _AT_ONCE], panel)


def _join(data: Data, more: Mapping[str, Sequence[dict[str, Any]]]) -> None:
    for namespace, entries in more.items():
        data.setdefault(namespace, []).extend(entries)


async def _put(tx: Tx, kit: Kit, call: Call, namespace: str, entries: Sequence[dict[str, Any]], panel: Panel) -> None:
    """Put data of one namespace; what CloudWatch refuses is put one by one, so that the rest is not lost with it."""
    try:
        await tx.within(partial(_call, kit, call, namespace, entries))
    except ApiError:
        if len(entries) == 1:
            panel.add("EMFValidationErrors")
            return
        for entry in entries:
            await _put(tx, kit, call, namespace, [entry], panel)


async def _call(kit: Kit, call: Call, namespace: str, entries: Sequence[dict[str, Any]]) -> None:
    request = {"Namespace": namespace, "MetricData": list(entries)}
    await kit.cloud.call(call.scope, "cloudwatch", "PutMetricData", request, trace=call.trace, principal=PRINCIPAL)
