"""Filter expressions: `service("orders") { fault OR responsetime > 2.5 } AND annotation[account] = "12345"`.

    expression := all (OR all)*
    all        := one ((AND)? one)*                       side by side is AND
    one        := ! one | ( expression ) | keyword | keyword operator value
                | service ( [who] ) [block] | edge ( [who] , [who] ) [block]
    who        := text | id ( name : text [, type : text] [, account.id : text] )
    block      := { expression }
    keyword    := ok | error | … | http.url | annotation.key | annotation[key] | group.name | group.arn

Source: https://docs.aws.amazon.com/xray/latest/devguide/xray-console-filters.html
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from typing import Any

from fogbank.core.errors import NotImplementedByFogbank
from fogbank.services.xray._subjects import NodeId, Subject
from fogbank.services.xray.errors import InvalidRequestError

Predicate = Callable[[Subject], bool]

BOOLEANS = frozenset({"ok", "error", "throttle", "fault", "partial", "inferred", "first", "last", "remote", "root"})
NUMBERS = frozenset({"responsetime", "duration", "http.status", "index", "coverage"})
STRINGS = frozenset(
    {
        "http.url", "http.method", "http.useragent", "http.clientip", "user", "name", "type", "message",
        "availabilityzone", "instance.id", "resource.arn",
    }
)  # fmt: skip
_TOKEN = re.compile(
    r"""\s*(?:
        (?P<text>"(?:[^"\\]|\\.)*")
      | (?P<number>-?\d+(?:\.\d+)?)(?![\w.])
      | (?P<annotation>annotation(?:\.(?P<dotted>[\w.-]+)|\[\s*(?P<key>[^\]\s]+)\s*\]))
      | (?P<word>[A-Za-z_][\w.]*)
      | (?P<sign><=|>=|!=|[=<>!(){},:])
    )""",
    re.VERBOSE,
)
_COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_TEXTUAL: Mapping[str, Callable[[str, str], bool]] = {
    "=": operator.eq,
    "BEGINSWITH": str.startswith,
    "ENDSWITH": str.endswith,
    "CONTAINS": operator.contains,
}
_MAX_DEPTH = 50
_MAX_GROUPS = 5
_NOT_YET = ("rootcause", "responsetimerootcause", "faultrootcause", "errorrootcause", "json")


def compile_filter(text: str, groups: Mapping[str, str]) -> Predicate:
    """A predicate over traces; `InvalidRequestError` if the text is none.

    `groups` gives the filter expressions of groups, by their names and by their ARNs.
    """
    return _Parser(text, groups, 0).whole()


class _Parser:
    def __init__(self, text: str, groups: Mapping[str, str], level: int) -> None:
        self._text = text
        self._groups = groups
        self._level = level
        self._depth = 0
        self._tokens = _scan(text)
        self._at = 0

    def whole(self) -> Predicate:
        """The whole text."""
        if self._level > _MAX_GROUPS:
            raise InvalidRequestError(f"Invalid filter expression: {self._text}: groups refer to each other")
        found = self._expression()
        if self._at < len(self._tokens):
            raise self._wrong("the end")
        return found

    # -- tokens -------------------------------------------------------------------------------------------------

    def _peek(self) -> tuple[str, str]:
        return self._tokens[self._at] if self._at < len(self._tokens) else ("end", "")

    def _next(self) -> tuple[str, str]:
        token = self._peek()
        self._at += 1
        return token

    def _accept(self, kind: str, *values: str) -> str | None:
        found, value = self._peek()
        if found == kind and value in values:
            self._at += 1
            return value
        return None

    def _expect(self, sign: str) -> None:
        if self._accept("sign", sign) is None:
            raise self._wrong(repr(sign))

    def _wrong(self, expected: str) -> InvalidRequestError:
        kind, value = self._peek()
        got = "the end" if kind == "end" else repr(value)
        return InvalidRequestError(f"Invalid filter expression: {self._text}: expected {expected}, got {got}")

    # -- grammar ------------------------------------------------------------------------------------------------

    def _expression(self) -> Predicate:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise InvalidRequestError("Invalid filter expression: it is nested too deeply")
        parts = [self._all()]
        while self._accept("word", "OR", "or"):
            parts.append(self._all())
        self._depth -= 1
        return parts[0] if len(parts) == 1 else lambda subject: any(part(subject) for part in parts)

    def _all(self) -> Predicate:
        parts = [self._one()]
        while True:
            if not self._accept("word", "AND", "and"):
                kind, value = self._peek()
                if kind == "end" or (kind, value) in {("word", "OR"), ("word", "or")} or value in {")", "}"}:
                    break
            parts.append(self._one())
        return parts[0] if len(parts) == 1 else lambda subject: all(part(subject) for part in parts)

    def _one(self) -> Predicate:
        if self._accept("sign", "!"):
            self._depth += 1
            if self._depth > _MAX_DEPTH:
                raise InvalidRequestError("Invalid filter expression: it is nested too deeply")
            inner = self._one()
            self._depth -= 1
            return lambda subject: not inner(subject)
        if self._accept("sign", "("):
            inner = self._expression()
            self._expect(")")
            return inner
        kind, value = self._peek()
        if kind == "annotation":
            self._at += 1
            return self._annotation(value)
        if kind == "word":
            self._at += 1
            return self._keyword(value)
        raise self._wrong("a keyword")

    def _keyword(self, word: str) -> Predicate:
        name = word.lower()
        if name == "service":
            return self._service()
        if name == "edge":
            return self._edge()
        if name in {"group.name", "group.arn"}:
            return self._group()
        if name.startswith(_NOT_YET):
            raise NotImplementedByFogbank(f"Fogbank does not implement {word} in X-Ray's filter expressions yet")
        if name in BOOLEANS:
            return self._boolean(name)
        if name in NUMBERS:
            return self._number(name)
        if name in STRINGS:
            return self._string(name)
        self._at -= 1
        raise self._wrong("a keyword")

    def _boolean(self, name: str) -> Predicate:
        sign = self._accept("sign", "=", "!=")
        if sign is None:
            return lambda subject: subject.flag(name)
        wanted = self._accept("word", "true", "false", "TRUE", "FALSE")
        if wanted is None:
            raise self._wrong("true or false")
        expected = (wanted.lower() == "true") == (sign == "=")
        return lambda subject: subject.flag(name) is expected

    def _number(self, name: str) -> Predicate:
        compare = self._comparison()
        kind, value = self._next()
        if kind != "number":
            self._at -= 1
            raise self._wrong("a number")
        wanted = float(value)

        def test(subject: Subject) -> bool:
            found = subject.number(name)
            return found is not None and compare(found, wanted)

        return test

    def _comparison(self) -> Callable[[Any, Any], bool]:
        sign = self._accept("sign", *_COMPARE)
        if sign is None:
            raise self._wrong("one of = != < <= > >=")
        return _COMPARE[sign]

    def _string(self, name: str) -> Predicate:
        sign, wanted = self._textual()
        if sign == "!=":
            return lambda subject: wanted not in subject.strings(name)
        compare = _TEXTUAL[sign]
        return lambda subject: any(compare(found, wanted) for found in subject.strings(name))

    def _textual(self) -> tuple[str, str]:
        kind, sign = self._next()
        sign = sign.upper()
        if kind not in {"sign", "word"} or (sign != "!=" and sign not in _TEXTUAL):
            self._at -= 1
            raise self._wrong("one of = != BEGINSWITH ENDSWITH CONTAINS")
        kind, value = self._next()
        if kind != "text":
            self._at -= 1
            raise self._wrong("a text in double quotes")
        return sign, value

    def _annotation(self, key: str) -> Predicate:
        kind, sign = self._peek()
        textual = kind == "word" and sign.upper() in _TEXTUAL
        if not textual and not (kind == "sign" and sign in _COMPARE):
            return lambda subject: bool(subject.annotation(key))
        self._at += 1
        kind, value = self._next()
        if textual:
            if kind != "text":
                self._at -= 1
                raise self._wrong("a text in double quotes")
            within = _TEXTUAL[sign.upper()]
            return lambda subject: any(isinstance(v, str) and within(v, value) for v in subject.annotation(key))
        wanted = self._literal(kind, value)
        compare = _COMPARE[sign]
        if sign == "!=":
            return lambda subject: not any(_same(v, wanted) for v in subject.annotation(key))
        if sign == "=":
            return lambda subject: any(_same(v, wanted) for v in subject.annotation(key))
        if not isinstance(wanted, float):
            self._at -= 1
            raise self._wrong("a number")
        return lambda subject: any(
            isinstance(v, int | float) and not isinstance(v, bool) and compare(v, wanted)
            for v in subject.annotation(key)
        )

    def _literal(self, kind: str, value: str) -> str | float | bool:
        if kind == "text":
            return value
        if kind == "number":
            return float(value)
        if kind == "word" and value.lower() in {"true", "false"}:
            return value.lower() == "true"
        self._at -= 1
        raise self._wrong("a text, a number, true or false")

    def _group(self) -> Predicate:
        if self._accept("sign", "=") is None:
            raise self._wrong("'='")
        kind, name = self._next()
        if kind != "text":
            self._at -= 1
            raise self._wrong("a text in double quotes")
        expression = self._groups.get(name)
        if expression is None:
            raise InvalidRequestError(f"Invalid filter expression: {self._text}: there is no group {name}")
        return _Parser(expression, self._groups, self._level + 1).whole()

    # -- services and edges -------------------------------------------------------------------------------------

    def _service(self) -> Predicate:
        who: Callable[[NodeId], bool] | None = None
        self._expect("(")
        if not self._accept("sign", ")"):
            who = self._who()
            self._expect(")")
        block = self._block()
        return lambda subject: any(
            (who is None or who(node.id)) and (block is None or block(node)) for node in subject.services
        )

    def _edge(self) -> Predicate:
        self._expect("(")
        source = None if self._peek()[1] == "," and self._peek()[0] == "sign" else self._who()
        self._expect(",")
        target = None if self._peek() == ("sign", ")") else self._who()
        self._expect(")")
        block = self._block()
        return lambda subject: any(
            (source is None or source(edge.source)) and (target is None or target(edge.target))
            and (block is None or block(edge.subject))
            for edge in subject.edges
        )  # fmt: skip

    def _block(self) -> Predicate | None:
        if not self._accept("sign", "{"):
            return None
        if self._accept("sign", "}"):
            return None
        inner = self._expression()
        self._expect("}")
        return inner

    def _who(self) -> Callable[[NodeId], bool]:
        kind, value = self._next()
        if kind == "text":
            return lambda node: node.name == value
        if (kind, value) != ("word", "id"):
            self._at -= 1
            raise self._wrong("a name in double quotes or id(…)")
        self._expect("(")
        wanted: dict[str, str] = {}
        while True:
            kind, field = self._next()
            if kind != "word" or field not in {"name", "type", "account.id"}:
                self._at -= 1
                raise self._wrong("name:, type: or account.id:")
            self._expect(":")
            kind, value = self._next()
            if kind != "text":
                self._at -= 1
                raise self._wrong("a text in double quotes")
            wanted[field] = value
            if not self._accept("sign", ","):
                break
        self._expect(")")
        return lambda node: (
            wanted.get("name", node.name) == node.name
            and wanted.get("type", node.type) == node.type
            and wanted.get("account.id", node.account) == node.account
        )


def _scan(text: str) -> list[tuple[str, str]]:
    tokens: list[tuple[str, str]] = []
    at = 0
    end = len(text.rstrip())
    while at < end:
        match = _TOKEN.match(text, at)
        if match is None:
            raise InvalidRequestError(
                f"Invalid filter expression: {text}: {text[at : at + 20].strip()!r} has no meaning"
            )
        at = match.end()
        if match["text"] is not None:
            tokens.append(("text", re.sub(r"\\(.)", r"\1", match["text"][1:-1])))
        elif match["number"] is not None:
            tokens.append(("number", match["number"]))
        elif match["annotation"] is not None:
            tokens.append(("annotation", match["dotted"] or match["key"]))
        elif match["word"] is not None:
            tokens.append(("word", match["word"]))
        else:
            tokens.append(("sign", match["sign"]))
    return tokens


def _same(found: Any, wanted: str | float | bool) -> bool:
    if isinstance(found, bool) or isinstance(wanted, bool):
        return found is wanted
    return bool(found == wanted)
