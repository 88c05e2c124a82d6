"""Receipt handles: which receive of which message of which queue.

A handle is opaque to clients and needs no table: base64 of

    3 bytes 01 01 01 · queue 8 · sequence 8 · receive 4 · message id 16 · CRC-32 of all that 4

The checksum tells a handle from other text; the message id keeps an old handle from naming another message.
"""

from __future__ import annotations

import binascii
import struct
from typing import NamedTuple
from zlib import crc32

_BODY = struct.Struct(">3sQQI16s")
_CHECK = struct.Struct(">I")
_HEAD = b"\x01\x01\x01"


class Receipt(NamedTuple):
    """What a handle says. `receive` counts the message's receives, this one included."""

    queue: int
    sequence: int
    receive: int
    message_id: str


def write_receipt(receipt: Receipt) -> str:
    """The handle."""
    raw_id = bytes.fromhex(receipt.message_id.replace("-", ""))
    body = _BODY.pack(_HEAD, receipt.queue, receipt.sequence, receipt.receive, raw_id)
    return binascii.b2a_base64(body + _CHECK.pack(crc32(body)), newline=False).decode()


def read_receipt(handle: str) -> Receipt | None:
    """What a handle says; `None` if the text is no handle."""
    try:
        raw = binascii.a2b_base64(handle, strict_mode=True)
    except ValueError:
        return None
    if len(raw) != _BODY.size + _CHECK.size or raw[:3] != _HEAD:
        return None
    body, check = raw[: _BODY.size], raw[_BODY.size :]
    if crc32(body) != _CHECK.unpack(check)[0]:
        return None
    _, queue, sequence, receive, raw_id = _BODY.unpack(body)
    h = raw_id.hex()
    return Receipt(queue, sequence, receive, f"{h[:8]}-{h[8:12]}-{h[12:16]}-{h[16:20]}-{h[20:]}")
