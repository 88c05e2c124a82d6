"""Tables by name, remembered between requests.

Every request needs its table's definition, which hardly ever changes. While an operation changes a table
(`changing`), its definition is read from the storage in each transaction, where it is right for that
transaction's place in the order of all; afterwards it is remembered anew.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from fogbank.core.arn import Arn, MalformedArnError
from fogbank.core.errors import ValidationError
from fogbank.core.scope import Scope
from fogbank.services.dynamodb.errors import ResourceNotFoundError, table_not_found
from fogbank.services.dynamodb.model import Table
from fogbank.services.dynamodb.storage import Tables
from fogbank.storage import Tx

CAPACITY = 2000
"""Tables that are remembered; when there are more, all are forgotten."""

MIN_NAME = 3
MAX_NAME = 255
NAME_LENGTH = f"TableName must be at least {MIN_NAME} characters long and at most {MAX_NAME} characters long"
_NAME = re.compile(r"[a-zA-Z0-9_.-]+", re.ASCII)
_Key = tuple[str, str, str]


class Catalog:
    """Finds tables by name or ARN."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._known: dict[_Key, Table] = {}
        self._changing: dict[_Key, int] = {}

    def forget(self) -> None:
        """Forget every table."""
        self._known.clear()

    async def find(self, tx: Tx, scope: Scope, reference: str, *, named: bool = False) -> Table:
        """The table that a request names; `ResourceNotFoundError` if there is none.

        `named` chooses the error's text: operations on tables say the name, operations on items do not.
        """
        key = (scope.account, scope.region, reference)
        table = self._known.get(key)
        if table is not None:
            return table
        scope, name = resolve(scope, reference)
        key = (scope.account, scope.region, name)
        changing = key in self._changing
        table = None if changing else self._known.get(key)
        if table is None:
            table = await self._tables.find(tx, scope, name)
            if table is None:
                raise table_not_found(name if named else None)
            if table.definition.restoring and not named:
                raise table_not_found()
            if not changing:
                self._remember(key, table)
        return table

    @contextmanager
    def changing(self, scope: Scope, name: str) -> Iterator[None]:
        """Around the transaction that changes a table: the definition is not taken from memory meanwhile."""
        key = (scope.account, scope.region, name)
        self._known.pop(key, None)
        self._changing[key] = self._changing.get(key, 0) + 1
        try:
            yield
        finally:
            self._changing[key] -= 1
            if not self._changing[key]:
                del self._changing[key]
            self._known.pop(key, None)

    def _remember(self, key: _Key, table: Table) -> None:
        if len(self._known) >= CAPACITY:
            self._known.clear()
        self._known[key] = table


def resolve(scope: Scope, reference: str) -> tuple[Scope, str]:
    """The scope and name that a `TableName` means: it may be an ARN."""
    if not reference.startswith("arn:"):
        check_name(reference)
        return scope, reference
    try:
        arn = Arn.parse(reference)
    except MalformedArnError:
        raise _invalid_arn(reference) from None
    kind, _, name = arn.resource.partition("/")
    if arn.service != "dynamodb" or kind != "table" or not name or "/" in name:
        raise _invalid_arn(reference)
    if arn.region != scope.region:
        raise ValidationError(f"1 validation error detected: Invalid AWS region in '{reference}'")
    check_name(name)
    return Scope(arn.account, arn.region), name


def _invalid_arn(reference: str) -> ValidationError:
    return ValidationError(f"Invalid TableArn: {reference} is not a valid ARN of a table")


def check_name(name: str) -> None:
    """A table's name has 3 to 255 letters, digits, underscores, dots and hyphens."""
    fault = name_fault(name)
    if fault is not None:
        raise ValidationError(f"1 validation error detected: {fault}")


def name_fault(name: str) -> str | None:
    """What is wrong with a table's name."""
    if len(name) < MIN_NAME:
        constraint = f"Member must have length greater than or equal to {MIN_NAME}"
    elif len(name) > MAX_NAME:
        constraint = f"Member must have length less than or equal to {MAX_NAME}"
    elif not _NAME.fullmatch(name):
        constraint = "Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+"
    else:
        return None
    return f"Value '{name}' at 'tableName' failed to satisfy constraint: {constraint}"


def check_length(reference: str) -> None:
    """The operations on tables have words of their own for a name that is too short or too long."""
    if not reference.startswith("arn:") and not MIN_NAME <= len(reference) <= MAX_NAME:
        raise ValidationError(NAME_LENGTH)


async def table_of_arn(catalog: Catalog, tx: Tx, scope: Scope, resource: str) -> Table:
    """The table of a `ResourceArn` parameter."""
    if not resource.startswith("arn:"):
        raise ValidationError(f"ARNs must start with 'arn:': {resource}")
    try:
        arn = Arn.parse(resource)
    except MalformedArnError:
        raise ValidationError(f"Invalid TableArn: Invalid ResourceArn provided as input {resource}") from None
    if arn.service != "dynamodb" or not arn.resource.startswith("table/"):
        raise ValidationError(f"Invalid TableArn: Invalid ResourceArn provided as input {resource}")
    if arn.region != scope.region or "/" in arn.name:
        raise ResourceNotFoundError(f"Requested resource not found: ResourcArn: {resource} not found")
    try:
        return await catalog.find(tx, Scope(arn.account, arn.region), arn.name)
    except ResourceNotFoundError:
        raise ResourceNotFoundError(f"Requested resource not found: ResourcArn: {resource} not found") from None
