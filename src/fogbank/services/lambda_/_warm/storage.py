"""The rows of what is ready before the events come."""

from __future__ import annotations

from fogbank.core.scope import Scope
from fogbank.services.lambda_._names import FunctionRef, version_text
from fogbank.services.lambda_._warm.model import Requested
from fogbank.storage import Tx

_KEY = "account = $1 AND region = $2 AND name = $3"
LIST = f"SELECT qualifier, requested, modified FROM lambda_provisioned WHERE {_KEY} ORDER BY qualifier"  # noqa: S608
PUT = """
INSERT INTO lambda_provisioned (account, region, name, qualifier, requested, modified) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (account, region, name, qualifier) DO UPDATE SET requested = excluded.requested,
    modified = excluded.modified
"""
DELETE = f"DELETE FROM lambda_provisioned WHERE {_KEY} AND qualifier = $4"  # noqa: S608
FUNCTIONS = "SELECT DISTINCT account, region, name FROM lambda_provisioned"
PENDING = """
SELECT account, region, name, number FROM lambda_versions
WHERE number > 0 AND config LIKE '%"Snapshot":{"State":"Pending"%'
"""


async def provisioned(tx: Tx, ref: FunctionRef) -> dict[str, Requested]:
    """A function's configurations by qualifier, in its order."""
    rows = await tx.fetch(LIST, ref.scope.account, ref.scope.region, ref.name)
    return {qualifier: Requested(qualifier, count, modified) for qualifier, count, modified in rows}


async def put_provisioned(tx: Tx, ref: FunctionRef, requested: Requested) -> None:
    """Add or change a configuration."""
    place = (ref.scope.account, ref.scope.region, ref.name)
    await tx.execute(PUT, *place, requested.qualifier, requested.count, requested.modified)


async def delete_provisioned(tx: Tx, ref: FunctionRef, qualifier: str) -> int:
    """Remove a configuration; how many there were."""
    return await tx.execute(DELETE, ref.scope.account, ref.scope.region, ref.name, qualifier)


async def provisioned_functions(tx: Tx) -> list[FunctionRef]:
    """Every function that has a configuration."""
    return [FunctionRef(Scope(account, region), name) for account, region, name in await tx.fetch(FUNCTIONS)]


async def pending_versions(tx: Tx) -> list[FunctionRef]:
    """Every version whose snapshot has not been taken."""
    rows = await tx.fetch(PENDING)
    return [FunctionRef(Scope(account, region), name, version_text(number)) for account, region, name, number in rows]
