"""`ExpressionAttributeNames` and `ExpressionAttributeValues` of one request.

Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.ExpressionAttributeNames.html
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from fogbank.core.errors import ValidationError
from fogbank.services.dynamodb._values.attributes import Value, ValueFault, checked_value

Values = Mapping[str, Value]
"""Canonical values by their `:name`."""
NameItems = tuple[tuple[str, str], ...]
"""The `#names` as a key for the cache of compiled expressions."""

_NAME = re.compile(r"#[A-Za-z0-9_]+", re.ASCII)
_VALUE = re.compile(r":[A-Za-z0-9_]+", re.ASCII)


class Placeholders:
    """The names and values that a request gives, checked, and which of them its expressions used."""

    __slots__ = ("_used_names", "_used_values", "names", "values")

    def __init__(
        self, names: Mapping[str, str] | None = None, values: Mapping[str, Mapping[str, Any]] | None = None
    ) -> None:
        self.names: NameItems = () if names is None else _checked_names(names)
        self.values: Values = {} if values is None else _checked_values(values)
        self._used_names: set[str] = set()
        self._used_values: set[str] = set()

    @classmethod
    def of(cls, request: Mapping[str, Any]) -> Placeholders:
        """Those of a request, or of a part of one that has expressions of its own."""
        return cls(request.get("ExpressionAttributeNames"), request.get("ExpressionAttributeValues"))

    def use(self, names: Collection[str], values: Collection[str]) -> None:
        """Note what an expression uses."""
        self._used_names.update(names)
        self._used_values.update(values)

    @property
    def defined(self) -> tuple[str, ...]:
        """The `:values` that the request defines, as a key for the cache of compiled expressions."""
        return tuple(self.values) if self.values else ()

    def check_used(self) -> None:
        """After all expressions: whatever no expression used is an error."""
        if self.names:
            unused = [name for name, _ in self.names if name not in self._used_names]
            if unused:
                raise _unused("ExpressionAttributeNames", unused)
        if self.values:
            unused = [name for name in self.values if name not in self._used_values]
            if unused:
                raise _unused("ExpressionAttributeValues", unused)


def _unused(parameter: str, keys: list[str]) -> ValidationError:
    listed = ", ".join(keys)
    return ValidationError(f"Value provided in {parameter} unused in expressions: keys: {{{listed}}}")


def _checked_names(names: Mapping[str, str]) -> NameItems:
    if not names:
        raise ValidationError("ExpressionAttributeNames must not be empty")
    for key, name in names.items():
        if not _NAME.fullmatch(key):
            raise ValidationError(f'ExpressionAttributeNames contains invalid key: Syntax error; key: "{key}"')
        if not name:
            raise ValidationError(
                f"ExpressionAttributeNames contains invalid value: Attribute name must not be empty for key {key}"
            )
    return tuple(names.items())


def _checked_values(values: Mapping[str, Mapping[str, Any]]) -> Values:
    if not values:
        raise ValidationError("ExpressionAttributeValues must not be empty")
    for key in values:
        if not _VALUE.fullmatch(key):
            raise ValidationError(f'ExpressionAttributeValues contains invalid key: Syntax error; key: "{key}"')
    result = {}
    for key, value in values.items():
        try:
            result[key] = checked_value(value)[0]
        except ValueFault as fault:
            raise ValidationError(f"ExpressionAttributeValues contains invalid value: {fault} for key {key}") from None
    return result
