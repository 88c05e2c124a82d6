"""Reads the items of distributed Maps from objects, and writes their results into buckets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any

from fogbank.core.call import Cloud
from fogbank.core.errors import ApiError
from fogbank.core.ids import Ids
from fogbank.core.models import service_model
from fogbank.core.scope import Scope
from fogbank.core.trace import Trace
from fogbank.services.states._integrations import OPTIMIZED, PRINCIPAL, TaskError, optimized_error, to_request
from fogbank.services.states._language._batches import Reader
from fogbank.services.states._language._datasets import (
    MAX_BYTES,
    MAX_ITEMS,
    DatasetError,
    Format,
    InputType,
    format_of,
    inventory_of,
    items_of,
    listed_objects,
    object_item,
    unpacked,
)
from fogbank.services.states._language.paths import Path

Json = Any
LISTED = 160
"""Bytes of an item that is a listed object, without its key."""


class Buckets:
    """Calls S3 for one execution."""

    def __init__(self, cloud: Cloud, ids: Ids, scope: Scope, trace: Trace) -> None:
        self._cloud = cloud
        self._ids = ids
        self._scope = scope
        self._trace = trace
        self._left = MAX_BYTES

    async def read(self, reader: Reader, path: Path | None, given: Json, most: int) -> list[Json]:
        """At most so many items, of a JSON object those at an ItemsPath. `DatasetError` if they cannot be read."""
        if not isinstance(given, dict):
            raise DatasetError("The parameters of the ItemReader must be an object.")
        config = reader.config
        if reader.lists:
            flattens = config.get("Transformation", "NONE") == "LOAD_AND_FLATTEN"
            bucket, found = await self._list(given, MAX_ITEMS if flattens else most)
            if not flattens:
                return found
            places = [(bucket, item["Key"]) for item in found if item["Size"]]
            return await self._load(places, format_of(config, path), most)
        manifest = config.get("ManifestType", "S3_INVENTORY" if config.get("InputType") == "MANIFEST" else None)
        data = await self._get(given)
        if manifest == "S3_INVENTORY":
            inventory = inventory_of(data)
            return await self._load([(inventory.bucket, key) for key in inventory.keys], inventory.how, most)
        if manifest == "ATHENA_DATA":
            return await self._load(listed_objects(unpacked(data)), format_of(config), most)
        return await asyncio.to_thread(items_of, data, format_of(config, path), most)

    async def _load(self, places: list[tuple[str, str]], how: Format, most: int) -> list[Json]:
        """The items of objects, one after the other."""
        if how.kind is InputType.MANIFEST:
            raise DatasetError("A manifest cannot be read from a list of objects.")
        items: list[Json] = []
        for bucket, key in places:
            if len(items) >= most:
                break
            packed = await self._get({"Bucket": bucket, "Key": key})
            data = await asyncio.to_thread(unpacked, packed)
            self._take(len(data) - len(packed))
            items += await asyncio.to_thread(items_of, data, how, most - len(items))
        return items

    async def _get(self, given: Mapping[str, Json]) -> bytes:
        reply = await self._call("GetObject", given)
        body: Any = reply.get("Body") or b""
        pieces: list[bytes] = []
        async for piece in _pieces(body):
            self._take(len(piece))
            pieces.append(piece)
        return b"".join(pieces)

    def _take(self, size: int) -> None:
        self._left -= size
        if self._left < 0:
            raise DatasetError(f"Fogbank reads at most {MAX_BYTES} bytes of objects for a Map")

    async def _list(self, given: Mapping[str, Json], most: int) -> tuple[str, list[Json]]:
        """A bucket, and at most so many of its objects as items."""
        items: list[Json] = []
        token: str | None = None
        while True:
            request = dict(given) if token is None else {**given, "ContinuationToken": token}
            reply = await self._call("ListObjectsV2", request)
            for entry in reply.get("Contents") or ():
                self._take(LISTED + len(entry["Key"]))
                items.append(object_item(entry))
            token = reply.get("NextContinuationToken")
            if len(items) >= most or not reply.get("IsTruncated") or token is None:
                return str(reply["Name"]), items[:most]

    async def put(self, bucket: str, key: str, body: bytes) -> None:
        """Write an object. `DatasetError` if that fails."""
        await self._call("PutObject", {"Bucket": bucket, "Key": key, "Body": body, "ContentType": "application/json"})

    async def _call(self, operation: str, given: Mapping[str, Json]) -> Mapping[str, Any]:
        request_id = self._ids.uuid()
        try:
            request = given if operation == "PutObject" else to_request(_model(operation), given)
            return await self._cloud.call(
                self._scope,
                "s3",
                operation,
                request,
                trace=self._trace,
                principal=PRINCIPAL,
                request_id=request_id,
            )
        except ApiError as error:
            raise DatasetError(optimized_error(OPTIMIZED["s3"], error, request_id).cause or "") from None
        except TaskError as error:
            raise DatasetError(error.cause or "") from None


def _model(operation: str) -> Any:
    return service_model("s3").operation(operation).input


async def _pieces(body: bytes | bytearray | memoryview | AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    if isinstance(body, bytes | bytearray | memoryview):
        yield bytes(body)
        return
    async for piece in body:
        yield piece
