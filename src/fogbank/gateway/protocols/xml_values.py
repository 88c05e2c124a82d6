"""XML elements to and from the model's shapes, compiled once for each shape.

structure   <Name>…</Name> for each member; attributes for those that the model says
list        <Names><member>…</member></Names>, or flattened <Names>…</Names><Names>…</Names>
map         <Tags><entry><key>…</key><value>…</value></entry></Tags>, or flattened
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from fogbank.core.models import (
    BooleanShape,
    ListShape,
    MapShape,
    Member,
    NumberShape,
    Shape,
    StringShape,
    StructureShape,
    TimestampFormat,
    TimestampShape,
    XmlNamespace,
)
from fogbank.gateway.protocols.faults import MalformedXmlError
from fogbank.gateway.protocols.text import text_reader, text_writer, timestamp_format
from fogbank.gateway.protocols.xml_tree import Element, escape

ReadElements = Callable[[list[Element]], Any]
"""Reads a member from all elements of its name; there is more than one when it is flattened."""
WriteElement = Callable[[Any, str, str, list[str]], None]
"""Writes a value as an element: value, element name, attributes (with a leading space), output."""


def is_flat(member: Member, shape: ListShape | MapShape) -> bool:
    """Whether the elements stand without one around them; the reference or the shape may say so."""
    return member.flattened or shape.flattened


class XmlReaders:
    """Compiles readers; one for a service and protocol, so that recursive shapes meet themselves."""

    def __init__(self) -> None:
        self._made: dict[tuple[Shape, bool], ReadElements] = {}

    def of(self, member: Member) -> ReadElements:
        """The reader of what a member refers to."""
        shape = member.shape
        flat = isinstance(shape, ListShape | MapShape) and is_flat(member, shape)
        found = self._made.get((shape, flat))
        if found is not None:
            return found
        if isinstance(shape, StructureShape):
            return self.structure(shape, shape.members)
        if isinstance(shape, ListShape):
            return self._list(shape, flat=flat)
        if isinstance(shape, MapShape):
            return self._map(shape, flat=flat)
        read = text_reader(shape)
        keeps_space = isinstance(shape, StringShape)
        return lambda elements: read(elements[0].text if keeps_space else elements[0].text.strip())

    def structure(self, shape: StructureShape, members: Mapping[str, Member]) -> ReadElements:
        """The reader of a structure, or of those of its members that the body carries."""
        fields: list[tuple[str, str, ReadElements]] = []
        attributes: list[tuple[str, str]] = []

        def read_structure(elements: list[Element]) -> Any:
            element = elements[0]
            grouped: dict[str, list[Element]] = {}
            for child in element.children:
                grouped.setdefault(child.name, []).append(child)
            result = {}
            for name, attribute in attributes:
                if attribute in element.attributes:
                    result[name] = element.attributes[attribute]
            for name, tag, read in fields:
                found = grouped.get(tag)
                if found is not None:
                    result[name] = read(found)
            return result

        if members is shape.members:
            self._made[shape, False] = read_structure
        for name, member in members.items():
            if member.xml_attribute:
                attributes.append((name, member.wire_name))
            else:
                fields.append((name, member.wire_name, self.of(member)))
        return read_structure

    def _list(self, shape: ListShape, *, flat: bool) -> ReadElements:
        tag = shape.member.location_name or "member"
        read: ReadElements

        def read_list(elements: list[Element]) -> Any:
            items = elements if flat else elements[0].named(tag)
            return [read([item]) for item in items]

        self._made[shape, flat] = read_list
        read = self.of(shape.member)
        return read_list

    def _map(self, shape: MapShape, *, flat: bool) -> ReadElements:
        key_tag = shape.key.location_name or "key"
        value_tag = shape.value.location_name or "value"
        read: ReadElements

        def read_map(elements: list[Element]) -> Any:
            result = {}
            for entry in elements if flat else elements[0].named("entry"):
                key, value = entry.child(key_tag), entry.child(value_tag)
                if key is None or value is None:
                    raise MalformedXmlError(f"An entry of {shape.name} lacks its {key_tag} or {value_tag}")
                result[key.text] = read([value])
            return result

        self._made[shape, flat] = read_map
        read = self.of(shape.value)
        return read_map


def _namespace(member: Member) -> XmlNamespace | None:
    shape = member.shape
    own = shape.xml_namespace if isinstance(shape, StructureShape) else None
    return member.xml_namespace or own


def attributes_of(namespace: XmlNamespace | None) -> str:
    """The attribute that declares a namespace, with a leading space."""
    if namespace is None:
        return ""
    prefix = f":{namespace.prefix}" if namespace.prefix else ""
    return f' xmlns{prefix}="{escape(namespace.uri)}"'


class XmlWriters:
    """Compiles writers; one for a service and protocol, so that recursive shapes meet themselves."""

    def __init__(self) -> None:
        self._made: dict[tuple[Shape, bool, TimestampFormat], WriteElement] = {}

    def of(self, member: Member) -> WriteElement:
        """The writer of what a member refers to."""
        shape = member.shape
        flat = isinstance(shape, ListShape | MapShape) and is_flat(member, shape)
        form = timestamp_format(member, shape, TimestampFormat.ISO8601)
        found = self._made.get((shape, flat, form))
        if found is not None:
            return found
        if isinstance(shape, StructureShape):
            return self.structure(shape, shape.members)
        if isinstance(shape, ListShape):
            return self._list(shape, flat=flat)
        if isinstance(shape, MapShape):
            return self._map(shape, flat=flat)
        writer = _leaf_writer(shape, form)
        self._made[shape, flat, form] = writer
        return writer

    def structure(self, shape: StructureShape, members: Mapping[str, Member]) -> WriteElement:
        """The writer of a structure, or of those of its members that the body carries."""
        write_members = self.members(members) if members is not shape.members else None
        attributes: list[tuple[str, str]] = []

        def write_structure(value: Any, tag: str, extra: str, out: list[str]) -> None:
            for name, attribute in attributes:
                if value.get(name) is not None:
                    extra += f' {attribute}="{escape(str(value[name]))}"'
            out.append(f"<{tag}{extra}>")
            assert write_members is not None
            write_members(value, out)
            out.append(f"</{tag}>")

        if members is shape.members:
            self._made[shape, False, TimestampFormat.ISO8601] = write_structure
            write_members = self.members(members)
        attributes.extend((n, m.wire_name) for n, m in members.items() if m.xml_attribute)
        return write_structure

    def members(self, members: Mapping[str, Member]) -> Callable[[Any, list[str]], None]:
        """The writer of members without an element around them, in the model's order."""
        fields = [
            (name, member.wire_name, attributes_of(_namespace(member)), self.of(member))
            for name, member in members.items()
            if not member.xml_attribute
        ]

        def write_members(value: Any, out: list[str]) -> None:
            for name, tag, extra, write in fields:
                item = value.get(name)
                if item is not None:
                    write(item, tag, extra, out)

        return write_members

    def _list(self, shape: ListShape, *, flat: bool) -> WriteElement:
        item_tag = shape.member.location_name or "member"
        item_extra = attributes_of(_namespace(shape.member))
        write: WriteElement

        def write_list(value: Any, tag: str, extra: str, out: list[str]) -> None:
            if flat:
                for item in value:
                    if item is not None:
                        write(item, tag, item_extra or extra, out)
                return
            out.append(f"<{tag}{extra}>")
            for item in value:
                if item is not None:
                    write(item, item_tag, item_extra, out)
            out.append(f"</{tag}>")

        self._made[shape, flat, TimestampFormat.ISO8601] = write_list
        write = self.of(shape.member)
        return write_list

    def _map(self, shape: MapShape, *, flat: bool) -> WriteElement:
        key_tag = shape.key.location_name or "key"
        value_tag = shape.value.location_name or "value"
        key_extra = attributes_of(shape.key.xml_namespace)
        value_extra = attributes_of(shape.value.xml_namespace)
        write: WriteElement

        def write_map(value: Any, tag: str, extra: str, out: list[str]) -> None:
            entry_tag = tag if flat else "entry"
            if not flat:
                out.append(f"<{tag}{extra}>")
            for key, item in value.items():
                if item is not None:
                    out.append(f"<{entry_tag}><{key_tag}{key_extra}>{escape(key)}</{key_tag}>")
                    write(item, value_tag, value_extra, out)
                    out.append(f"</{entry_tag}>")
            if not flat:
                out.append(f"</{tag}>")

        self._made[shape, flat, TimestampFormat.ISO8601] = write_map
        write = self.of(shape.value)
        return write_map


def _leaf_writer(shape: Shape, form: TimestampFormat) -> WriteElement:
    text = text_writer(shape, form)
    if isinstance(shape, BooleanShape | NumberShape | TimestampShape):
        return lambda value, tag, extra, out: out.append(f"<{tag}{extra}>{text(value)}</{tag}>")
    return lambda value, tag, extra, out: out.append(f"<{tag}{extra}>{escape(text(value))}</{tag}>")
