"""What the operations share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from fogbank.core.call import Call
from fogbank.core.errors import ApiError, NotImplementedByFogbank
from fogbank.core.models import OperationModel
from fogbank.core.paging import InvalidTokenError, decode_token, encode_token
from fogbank.core.scope import Scope
from fogbank.core.validation import Problem
from fogbank.services.kit import Kit, Service
from fogbank.services.secretsmanager import storage as rows
from fogbank.services.secretsmanager._filters import compile_filters, descends, order, rank
from fogbank.services.secretsmanager._sealing import Sealer
from fogbank.services.secretsmanager.errors import (
    InvalidNextTokenError,
    InvalidParameterError,
    MarkedForDeletionError,
    SecretNotFoundError,
)
from fogbank.services.secretsmanager.model import Secret, Value, Version, check_token, locate, whole_name
from fogbank.storage import Tx

_SCAN = 500


class SecretsFrame(Service):
    """The parts of the service that its operations work with."""

    name: ClassVar[str] = "secretsmanager"

    def __init__(self, kit: Kit) -> None:
        super().__init__(kit)
        self.clock = kit.clock
        self.sealer = Sealer(kit)

    def refuse(self, operation: OperationModel, problems: Sequence[Problem]) -> ApiError | None:
        """Secrets Manager's own words for a token of the wrong length; else those of the model."""
        if all(problem.path == ("ClientRequestToken",) for problem in problems):
            return InvalidParameterError("ClientRequestToken must be 32-64 characters long.")
        return super().refuse(operation, problems)

    def token(self, request: Mapping[str, Any]) -> str:
        """The id of a new version."""
        token = request.get("ClientRequestToken")
        return check_token(token) if token else self.kit.ids.uuid()

    def seal(self, value: Value | None, arn: str, version: str) -> bytes | None:
        """A value as it is stored."""
        return None if value is None else self.sealer.seal(value.data, arn, version)

    def unseal(self, secret: Secret, version: Version) -> Value | None:
        """A stored value in the clear."""
        if version.sealed is None:
            return None
        return Value(self.sealer.unseal(version.sealed, secret.arn, version.id), version.binary)


async def find(tx: Tx, scope: Scope, secret_id: str) -> Secret:
    """A secret by its name, ARN or partial ARN, marked for deletion or not; `SecretNotFoundError`."""
    key, arn = locate(secret_id, scope)
    if arn:
        name = whole_name(key.name)
        found = None if name is None else await rows.find(tx, key._replace(name=name))
        if found is not None and found.arn == arn:
            return found
    found = await rows.find(tx, key)
    if found is None:
        raise SecretNotFoundError
    return found


async def find_live(tx: Tx, scope: Scope, secret_id: str) -> Secret:
    """The same, if it is not marked for deletion."""
    found = await find(tx, scope, secret_id)
    if found.deleted is not None:
        raise MarkedForDeletionError
    return found


async def listed(
    tx: Tx, call: Call, request: Mapping[str, Any], limit: int, *, deleted: bool = False
) -> tuple[list[Secret], str | None]:
    """A page of the secrets that a request asks for, and the token of the next."""
    keep = compile_filters(request.get("Filters") or ())
    found: list[Secret] = []
    after = ""
    while page := await rows.list_after(tx, *_place(call), after, _SCAN):
        found += [each for each in page if (deleted or each.deleted is None) and keep(each)]
        after = page[-1].name
    by, direction = request.get("SortBy"), request.get("SortOrder")
    ordered = order(found, by, direction)
    token = request.get("NextToken")
    if token:
        ordered = _beyond(ordered, token, by, backwards=descends(by, direction))
    shown = ordered[:limit]
    more = len(ordered) > limit
    return shown, encode_token([*rank(shown[-1], by)]) if more else None


def _beyond(ordered: list[Secret], token: str, by: str | None, *, backwards: bool) -> list[Secret]:
    """What comes after the place that a token names."""
    try:
        place = tuple(decode_token(token, list[Any]))
        return [each for each in ordered if (rank(each, by) < place if backwards else rank(each, by) > place)]
    except (InvalidTokenError, TypeError):
        raise InvalidNextTokenError from None


def lacking(request: Mapping[str, Any], operation: str, *names: str) -> None:
    """Say so where a request uses a parameter that Fogbank does not have; `False` and empty ask for nothing."""
    for name in names:
        if request.get(name):
            raise NotImplementedByFogbank(
                f"Fogbank does not implement the parameter {name} of secretsmanager.{operation} yet"
            )


def head(secret: Secret) -> dict[str, Any]:
    """What nearly every answer begins with."""
    return {"ARN": secret.arn, "Name": secret.name}


def _place(call: Call) -> tuple[str, str]:
    return call.scope.account, call.scope.region
