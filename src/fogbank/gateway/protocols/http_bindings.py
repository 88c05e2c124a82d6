"""Members outside the body: in the path, the query string, headers and the status."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from fogbank.core.models import (
    ListShape,
    Location,
    MapShape,
    Member,
    Shape,
    StringShape,
    StructureShape,
    TimestampFormat,
    TimestampShape,
)
from fogbank.gateway.protocols.faults import SerializationError
from fogbank.gateway.protocols.json_values import parse_json
from fogbank.gateway.protocols.query_values import parse_form
from fogbank.gateway.protocols.text import (
    ReadText,
    read_base64,
    text_reader,
    text_writer,
    timestamp_format,
)

HeaderPairs = list[tuple[str, str]]


class BindingReader:
    """Reads the members of an input that are outside the body.

    `uri` is the operation's template: what it says of the query string is not the caller's.
    """

    def __init__(self, shape: StructureShape, uri: str) -> None:
        self._labels: list[tuple[str, str, ReadText]] = []
        self._params: list[tuple[str, str, ReadText, bool]] = []
        self._param_maps: list[tuple[str, MapShape]] = []
        self._headers: list[tuple[str, str, ReadText]] = []
        self._header_maps: list[tuple[str, str]] = []
        for name, member in shape.members.items():
            self._bind(name, member)
        literals = (part.partition("=")[0] for part in uri.partition("?")[2].split("&"))
        self._named = frozenset([*literals, *(key for _, key, _, _ in self._params)])

    def _bind(self, name: str, member: Member) -> None:
        shape = member.shape
        if member.location is Location.URI:
            self._labels.append((name, member.wire_name, text_reader(shape)))
        elif member.location is Location.QUERY:
            if isinstance(shape, MapShape):
                self._param_maps.append((name, shape))
                return
            several = isinstance(shape, ListShape)
            element = shape.member if isinstance(shape, ListShape) else member
            self._params.append((name, member.wire_name, text_reader(element.shape), several))
        elif member.location is Location.HEADER:
            self._headers.append((name, member.wire_name.lower(), _header_reader(member)))
        elif member.location is Location.HEADERS:
            self._header_maps.append((name, (member.location_name or "").lower()))

    def read(self, labels: Mapping[str, str], query: str, headers: Mapping[str, str]) -> dict[str, Any]:
        """The members, in Python's types."""
        result: dict[str, Any] = {}
        for name, label, read in self._labels:
            if label in labels:
                result[name] = read(labels[label])
        if self._params or self._param_maps:
            self._read_query(query, result)
        for name, header, read in self._headers:
            value = headers.get(header)
            if value is not None:
                result[name] = read(value)
        for name, prefix in self._header_maps:
            found = {key[len(prefix) :]: value for key, value in headers.items() if key.startswith(prefix)}
            if found:
                result[name] = found
        return result

    def _read_query(self, query: str, result: dict[str, Any]) -> None:
        if not query:
            return
        values: dict[str, list[str]] = {}
        for key, value in parse_form(query):
            values.setdefault(key, []).append(value)
        for name, key, read, several in self._params:
            found = values.get(key)
            if found is not None:
                result[name] = [read(value) for value in found] if several else read(found[0])
        for name, shape in self._param_maps:
            others = {key: found for key, found in values.items() if key not in self._named}
            if not others:
                continue
            if isinstance(shape.value.shape, ListShape):
                result[name] = others
            else:
                result[name] = {key: found[0] for key, found in others.items()}


def _header_reader(member: Member) -> ReadText:
    shape = member.shape
    if member.json_value:
        return _json_text
    if isinstance(shape, ListShape):
        element = shape.member.shape
        form = timestamp_format(shape.member, element, TimestampFormat.RFC822)
        read = text_reader(element)
        split = _split_dates if isinstance(element, TimestampShape) else split_header
        if isinstance(element, TimestampShape) and form is not TimestampFormat.RFC822:
            split = split_header
        return lambda text: [read(item) for item in split(text)]
    read_one = text_reader(shape)
    if isinstance(shape, StringShape):
        return read_one
    return lambda text: read_one(text.strip())


def _json_text(text: str) -> str:
    """A JSON document, which travels in base64 and is given on as the text that it is."""
    raw = read_base64(text)
    parse_json(raw)
    return raw.decode()


def split_header(text: str) -> list[str]:
    """The items of a header that is a list: between commas, in quotes where they have commas themselves."""
    items: list[str] = []
    at, end = 0, len(text)
    while at < end:
        if text[at] in " \t":
            at += 1
        elif text[at] == '"':
            item, at = _quoted(text, at + 1)
            items.append(item)
            comma = text.find(",", at)
            at = end if comma < 0 else comma + 1
        else:
            comma = text.find(",", at)
            stop = end if comma < 0 else comma
            items.append(text[at:stop].strip())
            at = stop + 1
    return items


def _quoted(text: str, at: int) -> tuple[str, int]:
    """The quoted item that begins at `at`, and where it ends."""
    item = []
    while at < len(text):
        if text[at] == "\\" and at + 1 < len(text):
            item.append(text[at + 1])
            at += 2
        elif text[at] == '"':
            return "".join(item), at + 1
        else:
            item.append(text[at])
            at += 1
    raise SerializationError("A quoted header value does not end")


def _split_dates(text: str) -> list[str]:
    """Dates have a comma each: `Mon, 16 Dec 2019 23:48:18 GMT, Mon, 16 Dec 2019 23:48:18 GMT`."""
    parts = [part.strip() for part in text.split(",")]
    if len(parts) % 2:
        raise SerializationError("A list of dates in a header is malformed")
    return [f"{parts[n]}, {parts[n + 1]}" for n in range(0, len(parts), 2)]


class BindingWriter:
    """Writes the members of an output, or of an error, that are outside the body."""

    def __init__(self, shape: StructureShape) -> None:
        self.status: str | None = None
        """The member that is the status of the answer."""
        self._headers: list[tuple[str, str, Callable[[Any], str]]] = []
        self._header_maps: list[tuple[str, str]] = []
        for name, member in shape.members.items():
            if member.location is Location.STATUS:
                self.status = name
            elif member.location is Location.HEADER:
                self._headers.append((name, member.wire_name, _header_writer(member)))
            elif member.location is Location.HEADERS:
                self._header_maps.append((name, member.location_name or ""))

    def headers(self, values: Mapping[str, Any]) -> HeaderPairs:
        """The headers that an answer's members make."""
        pairs: HeaderPairs = []
        for name, header, write in self._headers:
            value = values.get(name)
            if value is not None and not (isinstance(value, list) and not value):
                pairs.append((header, write(value)))
        for name, prefix in self._header_maps:
            for key, value in (values.get(name) or {}).items():
                if value is not None:
                    pairs.append((prefix + key, str(value)))
        return pairs


def _header_writer(member: Member) -> Callable[[Any], str]:
    shape: Shape = member.shape
    if member.json_value:
        return lambda text: base64.b64encode(text.encode()).decode("ascii")
    if isinstance(shape, ListShape):
        element = shape.member.shape
        write = text_writer(element, timestamp_format(shape.member, element, TimestampFormat.RFC822))
        quote = isinstance(element, StringShape)
        return lambda items: ", ".join(_header_items((write(item) for item in items), quote=quote))
    return text_writer(shape, timestamp_format(member, shape, TimestampFormat.RFC822))


def _header_items(items: Iterable[str], *, quote: bool) -> Iterable[str]:
    for item in items:
        if quote and ("," in item or '"' in item):
            escaped = item.replace("\\", "\\\\").replace('"', '\\"')
            yield f'"{escaped}"'
        else:
            yield item
