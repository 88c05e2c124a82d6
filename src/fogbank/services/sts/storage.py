"""The rows of STS: the sessions, by their access keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from fogbank.services.sts.model import Identity, Session

if TYPE_CHECKING:
    from fogbank.storage import Tx

INSERT = """
INSERT INTO sts_sessions (access_key, account, secret, token, arn, user_id, details, created_at, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
"""
FIND = """
SELECT access_key, account, secret, token, arn, user_id, details, created_at, expires_at
FROM sts_sessions WHERE access_key = $1
"""
DELETE_EXPIRED = "DELETE FROM sts_sessions WHERE expires_at < $1"


async def insert(tx: Tx, session: Session) -> None:
    """Add a session, and forget those that had expired a day before it began."""
    await tx.execute(DELETE_EXPIRED, session.created_at - 86_400)
    identity = session.identity
    await tx.execute(
        INSERT,
        session.access_key,
        identity.account,
        session.secret,
        session.token,
        identity.arn,
        identity.user_id,
        msgspec.json.encode(session.details).decode(),
        session.created_at,
        session.expires_at,
    )


async def find(tx: Tx, access_key: str) -> Session | None:
    """The session of an access key, expired or not."""
    row = await tx.fetch_one(FIND, access_key)
    if row is None:
        return None
    key, account, secret, token, arn, user_id, details, created_at, expires_at = row
    identity = Identity(account, arn, user_id, is_session=True)
    return Session(key, secret, token, identity, created_at, expires_at, msgspec.json.decode(details))
