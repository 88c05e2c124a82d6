"""Filter policies: whether one is in order, and which messages it lets through.

The language is that of event patterns (`fogbank.core.patterns`; both services run event-ruler), applied to the message
attributes or to the body. Beyond it SNS bounds a policy's keys and combinations and the range of its numbers.
Source: https://docs.aws.amazon.com/sns/latest/dg/subscription-filter-policy-constraints.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from typing import Any

import msgspec

from fogbank.core.patterns import InvalidPatternError, Pattern, compile_pattern
from fogbank.services.sns._messages import Attributes
from fogbank.services.sns.errors import InvalidParameterError

MAX_KEYS = 5
MAX_COMBINATIONS = 150
MAX_SIZE = 256 * 1024
_LIMIT = 1_000_000_000


class Scope(StrEnum):
    """What a policy looks at."""

    ATTRIBUTES = "MessageAttributes"
    BODY = "MessageBody"


class Verdict(StrEnum):
    """Whether a message passes; the others are the ends of the metric that counts what did not."""

    PASSES = ""
    NO_ATTRIBUTES = "-NoMessageAttributes"
    INVALID_ATTRIBUTES = "-InvalidAttributes"
    ATTRIBUTES = "-MessageAttributes"
    INVALID_BODY = "-InvalidMessageBody"
    BODY = "-MessageBody"


Filter = Callable[[Attributes, str], Verdict]
"""Judges a message by its attributes and its body."""


def check_scope(value: str) -> Scope:
    """A FilterPolicyScope."""
    try:
        return Scope(value)
    except ValueError:
        raise InvalidParameterError(
            f"FilterPolicyScope: Invalid value [{value}]. Please use either MessageBody or MessageAttributes"
        ) from None


def compile_filter(text: str, scope: Scope) -> Filter | None:
    """The filter of a policy; `None` if it lets everything through. `InvalidParameterError` says what is wrong."""
    if not text:
        return None
    pattern = _check(text, scope)
    if pattern is None:
        return None
    return _of_attributes(pattern) if scope is Scope.ATTRIBUTES else _of_body(pattern)


def _check(text: str, scope: Scope) -> Pattern | None:
    if len(text.encode("utf-8", "surrogatepass")) > MAX_SIZE:
        raise _refused("Filter policy is too large")
    try:
        document = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        raise _refused("failed to parse JSON.") from None
    if document == {}:
        return None
    if isinstance(document, dict):
        _check_document(document, scope)
    try:
        return compile_pattern(text)
    except InvalidPatternError as error:
        raise _refused(str(error)) from None


def _check_document(document: Mapping[str, Any], scope: Scope) -> None:
    leaves = list(_leaves(document))
    if scope is Scope.ATTRIBUTES and any(depth > 1 for _, _, depth in leaves):
        raise _refused("Filter policy scope MessageAttributes does not support nested filter policy")
    if len({name for name, _, _ in leaves}) > MAX_KEYS:
        raise _refused("Filter policy can not have more than 5 keys")
    combinations = 1
    for _, values, depth in leaves:
        combinations *= max(1, len(values)) * depth
    if combinations > MAX_COMBINATIONS:
        raise _refused("Filter policy is too complex")
    for _, values, _ in leaves:
        for value in values:
            _check_number(value)


def _check_number(value: Any) -> None:
    if isinstance(value, dict):
        numbers = value.get("numeric")
        for number in numbers if isinstance(numbers, list) else ():
            _check_number(number)
    elif isinstance(value, int | float) and not isinstance(value, bool) and abs(value) > _LIMIT:
        raise _refused(f"Value of {value} is out of range: numbers are between -10^9 and 10^9")


def _leaves(document: Mapping[str, Any], depth: int = 1) -> Iterator[tuple[str, list[Any], int]]:
    """The keys with their values and how deep they are; `$or` is no key, its objects are looked into."""
    work: list[tuple[Mapping[str, Any], int]] = [(document, depth)]
    while work:
        node, level = work.pop()
        for name, value in node.items():
            if isinstance(value, dict):
                work.append((value, level + 1))
            elif isinstance(value, list) and name == "$or":
                work += [(each, level) for each in value if isinstance(each, dict)]
            elif isinstance(value, list):
                yield name, value, level


def _refused(reason: str) -> InvalidParameterError:
    return InvalidParameterError(f"FilterPolicy: {reason}")


def _of_attributes(pattern: Pattern) -> Filter:
    def judge(attributes: Attributes, body: str) -> Verdict:  # noqa: ARG001 - one signature for both
        event = _event(attributes)
        if event is None:
            return Verdict.INVALID_ATTRIBUTES
        if pattern.matches(event):
            return Verdict.PASSES
        return Verdict.ATTRIBUTES if attributes else Verdict.NO_ATTRIBUTES

    return judge


def _event(attributes: Attributes) -> dict[str, Any] | None:
    """Attributes as a policy sees them: Binary is not looked at; `None` if a String.Array is no array."""
    event: dict[str, Any] = {}
    for name, attribute in attributes.items():
        if attribute.text is None:
            continue
        if attribute.data_type == "String.Array":
            try:
                values = msgspec.json.decode(attribute.text)
            except (msgspec.DecodeError, RecursionError):
                return None
            if not isinstance(values, list) or any(isinstance(value, dict | list) for value in values):
                return None
            event[name] = values
        elif attribute.data_type.partition(".")[0] == "Number":
            event[name] = _number(attribute.text)
        else:
            event[name] = attribute.text
    return event


def _number(text: str) -> int | float:
    text = text.strip()
    try:
        return int(text)
    except ValueError:
        return float(text)


def _of_body(pattern: Pattern) -> Filter:
    def judge(attributes: Attributes, body: str) -> Verdict:  # noqa: ARG001 - one signature for both
        try:
            document = msgspec.json.decode(body)
        except (msgspec.DecodeError, RecursionError):
            return Verdict.INVALID_BODY
        if not isinstance(document, dict):
            return Verdict.INVALID_BODY
        return Verdict.PASSES if pattern.matches(document) else Verdict.BODY

    return judge
