"""Identifiers, handed in: nobody draws randomness but through an `Ids`."""

from __future__ import annotations

import os
import random
from typing import Protocol

_VARIANT = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}
_ALPHANUMERIC = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"


class RandomSource(Protocol):
    """Where the bits come from."""

    def randbytes(self, n: int, /) -> bytes: ...


class _SystemSource:
    """The operating system's randomness, read in large pieces (a read costs about a microsecond)."""

    def __init__(self) -> None:
        self._pool = b""
        self._at = 0

    def randbytes(self, n: int, /) -> bytes:
        if self._at + n > len(self._pool):
            self._pool = os.urandom(max(4096, n))
            self._at = 0
        piece = self._pool[self._at : self._at + n]
        self._at += n
        return piece


class Ids:
    """Makes every kind of identifier that the services hand out.

    With a seed the sequence is the same in every run, which is what tests want.
    """

    def __init__(self, seed: int | None = None) -> None:
        self._source: RandomSource = _SystemSource() if seed is None else random.Random(seed)  # noqa: S311 - seeded for tests only

    def bytes(self, n: int) -> bytes:
        """`n` random bytes."""
        return self._source.randbytes(n)

    def hex(self, n: int) -> str:
        """`n` lower-case hexadecimal digits."""
        return self._source.randbytes((n + 1) // 2).hex()[:n]

    def uuid(self) -> str:
        """A version 4 UUID in its 36-character form (RFC 9562)."""
        h = self._source.randbytes(16).hex()
        return f"{h[:8]}-{h[8:12]}-4{h[13:16]}-{_VARIANT[h[16]]}{h[17:20]}-{h[20:]}"

    def code(self, n: int) -> str:
        """`n` upper-case letters and digits, as in access keys and generated resource names."""
        return "".join(_ALPHANUMERIC[b % 36] for b in self._source.randbytes(n))

    def number(self, below: int) -> int:
        """A whole number from 0 up to, not including, `below`."""
        return int.from_bytes(self._source.randbytes(16), "big") % below

    def fraction(self) -> float:
        """A float in [0, 1): what jitter multiplies with."""
        return int.from_bytes(self._source.randbytes(7), "big") / (1 << 56)
