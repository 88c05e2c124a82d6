"""Which secrets a listing shows, and in which order.

Source: https://docs.aws.amazon.com/secretsmanager/latest/userguide/manage_search-secret.html: prefixes, `!` negates, a
filter's values are alternatives, several filters must all hold; `all` breaks its values into words.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from fogbank.services.secretsmanager.errors import InvalidParameterError
from fogbank.services.secretsmanager.model import Secret

Keep = Callable[[Secret], bool]
_WORDS = re.compile(r"[\s/_+=.@-]+")


def _texts(key: str, secret: Secret) -> Iterable[str]:
    match key:
        case "name":
            return (secret.name,)
        case "description":
            return (secret.description or "",)
        case "tag-key":
            return secret.tags.keys()
        case "tag-value":
            return secret.tags.values()
        case "primary-region":
            return (secret.key.region,)
    return ()


def compile_filters(filters: Sequence[Mapping[str, Any]]) -> Keep:
    """The test of all filters."""
    tests = [_filter(each) for each in filters]
    return lambda secret: all(test(secret) for test in tests)


def _filter(given: Mapping[str, Any]) -> Keep:
    key, values = given.get("Key"), given.get("Values")
    if not key:
        raise InvalidParameterError("Invalid filter key")
    if not values:
        raise InvalidParameterError(f"Invalid filter values for key: {key}")
    tests = [_value(key, value) for value in values]
    refusing = [test for negated, test in tests if negated]
    accepting = [test for negated, test in tests if not negated]
    return lambda secret: (
        (not accepting or any(test(secret) for test in accepting)) and not any(test(secret) for test in refusing)
    )


def _value(key: str, value: str) -> tuple[bool, Keep]:
    negated = value.startswith("!")
    text = value.removeprefix("!")
    if key == "all":
        return negated, _words(text)
    if key == "description":
        prefix = text.lower()
        return negated, lambda secret: any(found.lower().startswith(prefix) for found in _texts(key, secret))
    return negated, lambda secret: any(found.startswith(text) for found in _texts(key, secret))


def _words(text: str) -> Keep:
    """Every word of a text begins a word of some attribute, in any case."""
    wanted = [word for word in _WORDS.split(text.lower()) if word]

    def keep(secret: Secret) -> bool:
        keys = ("name", "description", "tag-key", "tag-value", "primary-region")
        texts = [found.lower() for key in keys for found in _texts(key, secret)]
        words = [word for found in texts for word in (found, *_WORDS.split(found))]
        return all(any(word.startswith(each) for word in words) for each in wanted)

    return keep


def order(secrets: Iterable[Secret], by: str | None, direction: str | None) -> list[Secret]:
    """Secrets in the order that is asked for."""
    return sorted(secrets, key=lambda secret: rank(secret, by), reverse=descends(by, direction))


def descends(by: str | None, direction: str | None) -> bool:
    """Whether the last comes first: so it is for dates, newest first, where nothing else is said."""
    return (direction or ("asc" if by == "name" else "desc")) == "desc"


def rank(secret: Secret, by: str | None) -> tuple[Any, int]:
    """What a secret is sorted by; no two are alike."""
    match by:
        case "name":
            value: Any = secret.name
        case "last-accessed-date":
            value = secret.accessed or 0
        case "last-changed-date":
            value = secret.changed
        case _:
            value = secret.created
    return value, secret.id
