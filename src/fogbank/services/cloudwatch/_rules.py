"""The rules of composite alarms.

    any  := all { 'OR' all }
    all  := unit { 'AND' unit }
    unit := 'NOT' unit | '(' any ')' | 'TRUE' | 'FALSE' | ('ALARM' | 'OK' | 'INSUFFICIENT_DATA') '(' name ')'

A name, quoted or not, is an alarm's name or ARN.
Source: the API reference of PutCompositeAlarm; the wording of the error as users were shown it
(https://github.com/aws/aws-cdk/issues/34662).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import NamedTuple

from fogbank.services.cloudwatch.errors import RuleError

MAX_CHILDREN = 100
MAX_ELEMENTS = 500
MAX_DEPTH = 100
_STATES = frozenset({"ALARM", "OK", "INSUFFICIENT_DATA"})
_TOKEN = re.compile(r"\s*([()]|[A-Z_]+(?=[\s()]|$))")
_REFERENCE = re.compile(r"\s*\(\s*(?:\"([^\"]*)\"|([^()\"]*?))\s*\)")

States = Mapping[str, str]
"""The states of alarms, by name."""
Test = Callable[[States], bool]


class Rule(NamedTuple):
    """A compiled rule: the alarms that it names, in order, and whether it holds."""

    children: tuple[str, ...]
    test: Test


@lru_cache(maxsize=512)
def compile_rule(text: str) -> Rule:
    """Compile a rule; `RuleError` says where it is none."""
    parser = _Parser(text)
    test = parser.any_of(0)
    parser.end()
    children = tuple(dict.fromkeys(parser.children))
    if len(children) > MAX_CHILDREN:
        raise RuleError(f"Error in AlarmRule [The rule names {len(children)} alarms; at most {MAX_CHILDREN} may be]")
    if parser.elements > MAX_ELEMENTS:
        raise RuleError(f"Error in AlarmRule [The rule has {parser.elements} elements; at most {MAX_ELEMENTS} may be]")
    return Rule(children, test)


class _Parser:
    """Recursive descent over the text: a name in parentheses may hold anything but those."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self.children: list[str] = []
        self.elements = 0

    def _peek(self) -> str:
        match = _TOKEN.match(self._text, self._at)
        return match[1] if match else ""

    def _take(self, token: str) -> bool:
        match = _TOKEN.match(self._text, self._at)
        if match is None or match[1] != token:
            return False
        self._at = match.end()
        return True

    def _refuse(self) -> RuleError:
        rest = self._text[self._at :]
        at = self._at + len(rest) - len(rest.lstrip())
        if at >= len(self._text):
            return RuleError("Error in AlarmRule [Unexpected end of rule]")
        token = re.match(r"[()]|[^\s()]+", self._text[at:])
        return RuleError(f"Error in AlarmRule [Unsupported token '{token[0] if token else ''}' at char {at}]")

    def end(self) -> None:
        """Nothing is left."""
        if self._text[self._at :].strip():
            raise self._refuse()

    def any_of(self, depth: int) -> Test:
        if depth > MAX_DEPTH:
            raise RuleError("Error in AlarmRule [The rule is nested too deeply]")
        choices = [self.all_of(depth)]
        while self._take("OR"):
            choices.append(self.all_of(depth))
        return choices[0] if len(choices) == 1 else lambda states: any(choice(states) for choice in choices)

    def all_of(self, depth: int) -> Test:
        needs = [self.unit(depth)]
        while self._take("AND"):
            needs.append(self.unit(depth))
        return needs[0] if len(needs) == 1 else lambda states: all(need(states) for need in needs)

    def unit(self, depth: int) -> Test:
        if depth > MAX_DEPTH:
            raise RuleError("Error in AlarmRule [The rule is nested too deeply]")
        if self._take("NOT"):
            inner = self.unit(depth + 1)
            return lambda states: not inner(states)
        self.elements += 1
        if self._take("("):
            test = self.any_of(depth + 1)
            if not self._take(")"):
                raise self._refuse()
            return test
        for word, value in (("TRUE", True), ("FALSE", False)):
            if self._take(word):
                return lambda _, value=value: value  # type: ignore[misc]
        token = self._peek()
        if token not in _STATES:
            raise self._refuse()
        self._take(token)
        return self._reference(token)

    def _reference(self, state: str) -> Test:
        match = _REFERENCE.match(self._text, self._at)
        if match is None or not (match[1] or match[2]):
            raise self._refuse()
        self._at = match.end()
        child = alarm_name(match[1] or match[2])
        self.children.append(child)
        return lambda states: states.get(child) == state


def alarm_name(text: str) -> str:
    """The name in an alarm's name or ARN."""
    return text.partition(":alarm:")[2] if text.startswith("arn:") and ":alarm:" in text else text
