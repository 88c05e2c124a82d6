"""XML as a small tree, by the standard library's expat. Document types are refused.

A document type can define entities that expand without end or read files; no AWS request has one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from xml.parsers import expat

from fogbank.gateway.protocols.faults import MalformedXmlError

DEEPEST = 100
"""Elements may be nested this deep."""


class Element:
    """An element: its name without a namespace prefix, attributes as written, children, and its own text."""

    __slots__ = ("attributes", "children", "name", "text")

    def __init__(self, name: str, attributes: dict[str, str]) -> None:
        self.name = name
        self.attributes = attributes
        self.children: list[Element] = []
        self.text = ""

    def child(self, name: str) -> Element | None:
        """The first child of this name."""
        for child in self.children:
            if child.name == name:
                return child
        return None

    def named(self, name: str) -> Iterator[Element]:
        """Every child of this name."""
        return (child for child in self.children if child.name == name)


def parse_xml(body: bytes) -> Element:
    """The root element of a document; `MalformedXmlError` if it is none."""
    root = Element("", {})
    stack = [root]
    parser = expat.ParserCreate()
    parser.buffer_text = True

    def start(name: str, attributes: dict[str, str]) -> None:
        if len(stack) > DEEPEST:
            raise MalformedXmlError(f"The XML is nested more than {DEEPEST} levels deep")
        element = Element(name.rpartition(":")[2], attributes)
        stack[-1].children.append(element)
        stack.append(element)

    def end(_: str) -> None:
        stack.pop()

    def text(data: str) -> None:
        stack[-1].text += data

    def doctype(*_: object) -> None:
        raise MalformedXmlError("The XML has a document type, which is not allowed")

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = text
    parser.StartDoctypeDeclHandler = doctype
    try:
        parser.Parse(body, True)
    except expat.ExpatError as error:
        raise MalformedXmlError(
            f"The XML you provided was not well-formed or did not validate against our published schema: {error}"
        ) from None
    except (ValueError, LookupError) as error:
        raise MalformedXmlError(f"The XML cannot be read: {error}") from None
    return root.children[0]


_SPECIAL = re.compile('[&<>"\r\u0085\u2028\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]')
_NAMED = {
    "&": "&amp;",
    "<": "&lt;",
    ">": "&gt;",
    '"': "&quot;",
    "\r": "&#xD;",
    "\u0085": "&#x85;",
    "\u2028": "&#x2028;",
}


def escape(text: str) -> str:
    """Text for an element or an attribute.

    What a parser would change is written as a character reference; what XML cannot hold at all, most control
    characters, as U+FFFD.
    """
    if _SPECIAL.search(text) is None:
        return text
    return _SPECIAL.sub(lambda found: _NAMED.get(found[0], "\ufffd"), text)
