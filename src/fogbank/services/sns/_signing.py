"""Signs what is sent: one key for all topics, made when it is first needed, kept with the tables."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from fogbank.services.sns import storage as rows

if TYPE_CHECKING:
    from fogbank.services.kit import Kit
    from fogbank.services.sns._keys import Key
    from fogbank.storage import Tx

PATH = "/_fogbank/sns/"
"""Where the certificate is."""


class Signer:
    """Knows the key."""

    def __init__(self, kit: Kit) -> None:
        self._kit = kit
        self._key: Key | None = None
        self._stored = False

    async def key(self) -> Key:
        """The key; it is loaded, or made and kept, at the first need."""
        if self._key is not None and self._stored:
            return self._key
        keys = importlib.import_module("fogbank.services.sns._keys")
        found = await self._kit.storage.read(rows.find_key)
        if found is None:
            ids = self._kit.ids
            made = (self._key.private, self._key.certificate) if self._key else keys.make(
                self._kit.clock.time(), 1 + ids.number(1 << 150)
            )  # fmt: skip

            async def body(tx: Tx) -> tuple[bytes, bytes] | None:
                await rows.put_key(tx, *made)
                return await rows.find_key(tx)

            found = await self._kit.storage.transact(body)
            assert found is not None, "it was just put"
        if self._key is None or self._key.private != found[0]:
            self._key = keys.Key(*found)
        self._stored = True
        return self._key

    def url(self, key: Key) -> str:
        """Where a receiver finds the certificate."""
        return f"{self._kit.config.endpoint}{PATH}{key.name}"

    async def certificate(self, name: str) -> bytes | None:
        """The certificate of a name; `None` if there is none."""
        found = await self._kit.storage.read(rows.find_key)
        if found is None:
            return None
        key = await self.key()
        return key.certificate if key.name == name else None

    def forget(self) -> None:
        """The tables were emptied: the key goes into them again when it is next needed (a new one takes 60 ms)."""
        self._stored = False
