"""Access keys: what is known of one, who knows it, and the account that its id carries.

An id is four letters (`AKIA`: for good, `ASIA`: temporary) and ten bytes in base 32; bits 7 to 46 of the
first six bytes are the account, as in AWS's own ids, so that `GetAccessKeyInfo` needs no table.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from fogbank.core.ids import Ids

LONG_TERM = "AKIA"
TEMPORARY = "ASIA"
_SECRET_BYTES = 30


@dataclass(frozen=True, slots=True)
class Credentials:
    """An access key that can sign requests, and whom it stands for.

    `session_token` goes with temporary ones; `expires` is in clock seconds, `None` for never.
    """

    access_key: str
    secret_key: str
    account: str
    arn: str
    user_id: str
    session_token: str | None = None
    expires: float | None = None


@runtime_checkable
class CredentialSource(Protocol):
    """Who knows access keys: IAM the users' own, STS the temporary ones."""

    async def find_credentials(self, access_key: str) -> Credentials | None:
        """What is known of an access key; `None` if it is unknown or may not be used."""
        ...


def new_access_key(prefix: str, account: str, ids: Ids) -> str:
    """A fresh access key id of an account."""
    head = (int(account) << 7) | (ids.bytes(1)[0] & 0x7F)
    return prefix + base64.b32encode(head.to_bytes(6, "big") + ids.bytes(4)).decode()


def new_secret_key(ids: Ids) -> str:
    """A fresh secret of 40 characters."""
    return base64.b64encode(ids.bytes(_SECRET_BYTES)).decode()


def account_of_access_key(access_key: str) -> str | None:
    """The account (12 digits) that an access key id carries; `None` if it has not the form of one."""
    if not access_key.startswith((LONG_TERM, TEMPORARY)) or len(access_key) != 20:
        return None
    try:
        head = int.from_bytes(base64.b32decode(access_key[4:])[:6], "big")
    except binascii.Error:
        return None
    account = (head & 0x7FFFFFFFFF80) >> 7
    return f"{account:012d}" if account < 10**12 else None
