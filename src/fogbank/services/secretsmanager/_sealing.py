"""Values are encrypted where they are stored: AES-256-GCM under a key in a file of its own in the data folder.

Whoever has the tables but not `secrets.key` has no secrets; whoever can read the whole folder has them, as with
every key that a process must find by itself. The file is made with the first secret, and synced before it is used.
A value is bound to its secret and version: it cannot be moved to another row.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from fogbank.services.secretsmanager.errors import DecryptionFailureError
from fogbank.storage.keyfile import keep_key

if TYPE_CHECKING:
    from fogbank.services.kit import Kit

KEY_FILE = "secrets.key"
_KEY = 32
_NONCE = 12


class Sealer:
    """Encrypts and decrypts values."""

    def __init__(self, kit: Kit) -> None:
        self._kit = kit
        self._cipher: Any = None
        self._refusal: type[Exception] = Exception

    def seal(self, value: bytes, arn: str, version: str) -> bytes:
        """A value encrypted."""
        nonce = self._kit.ids.bytes(_NONCE)
        sealed: bytes = self._open().encrypt(nonce, value, _about(arn, version))
        return nonce + sealed

    def unseal(self, sealed: bytes, arn: str, version: str) -> bytes:
        """A value in the clear; `DecryptionFailureError` if the key is another or the bytes were changed."""
        cipher = self._open()
        try:
            value: bytes = cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], _about(arn, version))
        except self._refusal:
            raise DecryptionFailureError from None
        return value

    def _open(self) -> Any:
        """The cipher; its library (20 ms to import) and the key are loaded with the first secret."""
        if self._cipher is None:
            key = keep_key(self._kit.config.data / KEY_FILE, self._kit.ids.bytes(_KEY))
            self._refusal = importlib.import_module("cryptography.exceptions").InvalidTag
            ciphers = importlib.import_module("cryptography.hazmat.primitives.ciphers.aead")
            self._cipher = ciphers.AESGCM(key)
        return self._cipher


def _about(arn: str, version: str) -> bytes:
    return f"{arn}\n{version}".encode()
