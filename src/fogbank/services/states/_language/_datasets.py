"""Data sets in objects: the items of a CSV, JSON or JSON Lines object, of an inventory, of a list of objects.

Pure: bytes in, items out. Sources: https://docs.aws.amazon.com/step-functions/latest/dg/input-output-itemreader.html,
and for causes of failures, blank fields and the order of a row's members what was recorded of AWS: a row is a Java
`HashMap`, written in the order in which one gives its keys.
"""

from __future__ import annotations

import csv
import io
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import msgspec

from fogbank.services.states._language.paths import Path

Json = Any
_encode = msgspec.json.Encoder().encode
MAX_ITEM = 262_144
"""Bytes of an item, as JSON."""
MAX_HEADERS = 10_240
"""Bytes of the headers of a CSV object."""
MAX_BYTES = 128 << 20
"""Bytes of an object, decompressed if it is compressed, and of all that is read for one Map."""
MAX_ITEMS = 100_000_000
DELIMITERS: Mapping[str, str] = {"COMMA": ",", "PIPE": "|", "SEMICOLON": ";", "SPACE": " ", "TAB": "\t"}
_GZIP = b"\x1f\x8b"
_SLOTS = 16


class InputType(StrEnum):
    """What an object holds."""

    CSV = "CSV"
    JSON = "JSON"
    JSONL = "JSONL"
    PARQUET = "PARQUET"
    MANIFEST = "MANIFEST"


class DatasetError(ValueError):
    """Items cannot be read; the message is the cause of `States.ItemReaderFailed`."""


@dataclass(frozen=True, slots=True)
class Format:
    """How objects are read: `headers` are those of a CSV object that has none, `pointer` and `path` are JSON's."""

    kind: InputType
    delimiter: str = ","
    headers: tuple[str, ...] | None = None
    pointer: str = ""
    path: Path | None = None
    """ItemsPath: where in what the pointer leads to the items are."""


def format_of(config: Mapping[str, Json], path: Path | None = None) -> Format:
    """The format that a ReaderConfig describes, with the Map's ItemsPath."""
    kind = InputType(config.get("InputType", "JSON"))
    delimiter = DELIMITERS[config.get("CSVDelimiter", "COMMA")]
    headers = tuple(config["CSVHeaders"]) if config.get("CSVHeaderLocation") == "GIVEN" else None
    return Format(kind, delimiter, headers, config.get("ItemsPointer", ""), path)


def items_of(data: bytes, how: Format, most: int) -> list[Json]:
    """At most so many items of an object."""
    if how.kind is InputType.CSV:
        found: Iterable[Json] = _csv_items(_text(data), how)
    elif how.kind is InputType.JSONL:
        found = _lines(data)
    elif how.kind is InputType.JSON:
        found = _array(_pointed(_decode(data), how.pointer), how.path)
    else:
        raise DatasetError(f"Fogbank does not read {how.kind} objects yet")
    items: list[Json] = []
    for item in found:
        if len(items) >= most:
            break
        if len(_encode(item)) > MAX_ITEM:
            raise DatasetError(f"The size of an item exceeds the limit of {MAX_ITEM} bytes.")
        items.append(item)
    return items


def unpacked(data: bytes) -> bytes:
    """An object's bytes, decompressed if they are compressed with gzip."""
    if not data.startswith(_GZIP):
        return data
    plain = b""
    while data:  # one member after the other
        engine = zlib.decompressobj(wbits=31)
        try:
            plain += engine.decompress(data, MAX_BYTES + 1 - len(plain))
        except zlib.error as error:
            raise DatasetError(f"The object is not a gzip file: {error}") from None
        if len(plain) > MAX_BYTES:
            raise DatasetError(f"Fogbank reads objects of at most {MAX_BYTES} bytes")
        if not engine.eof:
            raise DatasetError("The object is not a gzip file: it ends too early")
        data = engine.unused_data
    return plain


def _text(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DatasetError(f"The object is not encoded in UTF-8: {error}") from None


def _decode(data: bytes) -> Json:
    try:
        return msgspec.json.decode(data.removeprefix(b"\xef\xbb\xbf"))
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        raise DatasetError(f"The object is not valid JSON: {error}") from None


def _lines(data: bytes) -> Iterator[Json]:
    for line in data.splitlines():
        if line.strip():
            yield _decode(line)


def _array(document: Json, path: Path | None) -> list[Json]:
    found = document if path is None else path.find(document)
    if not isinstance(found, list):
        raise DatasetError("Attempting to map over non-iterable node.")
    return found


def _pointed(document: Json, pointer: str) -> Json:
    """What a JSON pointer (RFC 6901) leads to."""
    node = document
    for token in pointer.split("/")[1:]:
        name = token.replace("~1", "/").replace("~0", "~")
        if isinstance(node, dict) and name in node:
            node = node[name]
        elif isinstance(node, list) and name.isdecimal() and int(name) < len(node):
            node = node[int(name)]
        else:
            raise DatasetError(f"The ItemsPointer '{pointer}' leads to nothing in the object.")
    return node


# -- CSV ----------------------------------------------------------------------------------------------------


def _csv_items(text: str, how: Format) -> Iterator[dict[str, str]]:
    csv.field_size_limit(MAX_BYTES)
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=how.delimiter)
    first = next(rows, None) if how.headers is None else how.headers
    if first is None:
        raise DatasetError("The CSV file is empty.")
    headers = checked_headers(first)
    order = java_order(headers)
    count = 0
    try:
        for row in rows:
            if row:
                count += 1
                yield {headers[at]: row[at] if at < len(row) else "" for at in order}
    except csv.Error as error:
        raise DatasetError(f"The CSV file cannot be read: {error}") from None
    if not count:
        raise DatasetError("The CSV file has only CSV headers and no rows.")


def checked_headers(headers: Sequence[str]) -> Sequence[str]:
    """Headers that tell columns apart, and are not too long."""
    if len(set(headers)) != len(headers):
        raise DatasetError("CSV headers cannot contain duplicates.")
    if sum(len(header.encode()) + 1 for header in headers) > MAX_HEADERS:
        raise DatasetError(f"CSV headers cannot be longer than {MAX_HEADERS} bytes.")
    return headers


def java_order(names: Sequence[str]) -> list[int]:
    """The positions of names, in the order in which a Java `HashMap` gives them."""
    slots = _SLOTS
    while len(names) * 4 > slots * 3:
        slots *= 2

    def slot(name: str) -> int:
        value = 0
        units = name.encode("utf-16-be", "surrogatepass")
        for at in range(0, len(units), 2):
            value = (value * 31 + (units[at] << 8) + units[at + 1]) & 0xFFFFFFFF
        return (value ^ value >> 16) & (slots - 1)

    return sorted(range(len(names)), key=lambda at: slot(names[at]))


# -- manifests ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Inventory:
    """What the manifest of an S3 inventory tells: the objects with the lists, and how those are read."""

    bucket: str
    keys: tuple[str, ...]
    how: Format


def inventory_of(data: bytes) -> Inventory:
    """The inventory whose `manifest.json` this is.

    Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/storage-inventory-location.html
    """
    found = _decode(data)
    try:
        if found["fileFormat"] != "CSV":
            raise DatasetError(f"The S3 inventory must be in CSV format but was in {found['fileFormat']}.")
        headers = tuple(name.strip() for name in found["fileSchema"].split(","))
        keys = tuple(str(file["key"]) for file in found["files"])
        bucket = str(found["destinationBucket"]).rpartition(":")[2]
    except (KeyError, TypeError, AttributeError):
        raise DatasetError("The object is not the manifest of an S3 inventory.") from None
    return Inventory(bucket, keys, Format(InputType.CSV, headers=headers))


def listed_objects(data: bytes) -> list[tuple[str, str]]:
    """Buckets and keys of a manifest that Athena writes: the address of an object on each line."""
    found = []
    for line in _text(data).splitlines():
        address = line.strip().strip('"')
        if not address:
            continue
        scheme, _, place = address.partition("://")
        bucket, _, key = place.partition("/")
        if scheme != "s3" or not bucket or not key:
            raise DatasetError(f"The manifest has a line that is no address of an object: {address[:100]}")
        found.append((bucket, key))
    return found


def object_item(entry: Mapping[str, Any]) -> dict[str, Json]:
    """An object of `ListObjectsV2` as an item."""
    return {
        "Etag": entry["ETag"],
        "Key": entry["Key"],
        "LastModified": int(entry["LastModified"]),
        "Size": entry["Size"],
        "StorageClass": entry.get("StorageClass", "STANDARD"),
    }
