"""Enough of PNG for pictures of 8 bits a channel: pixels, texts, and writing them again. No library is needed.

Source: https://www.w3.org/TR/png-3/
"""

import struct
import zlib
from dataclasses import dataclass, field

SIGNATURE = b"\x89PNG\r\n\x1a\n"
CHANNELS = {0: 1, 2: 3, 4: 2, 6: 4}
"""Bytes of a pixel by the header's color type: grey, RGB, grey with alpha, RGBA."""
MAX_PIXELS = 50_000_000


class NoPictureError(Exception):
    """The bytes are no PNG, or one of a kind that is not read here."""


@dataclass
class Picture:
    """Rows of pixels, and the texts that the file carries."""

    width: int
    height: int
    color: int
    rows: list[bytes]
    texts: dict[str, str] = field(default_factory=dict)


def read(data: bytes) -> Picture:
    """A picture from a file's bytes; `NoPictureError` if it is none."""
    if not data.startswith(SIGNATURE):
        raise NoPictureError("it does not begin as a PNG does")
    try:
        return _read(data)
    except (struct.error, zlib.error, IndexError, KeyError) as error:
        raise NoPictureError(f"it is damaged: {error}") from None


def _read(data: bytes) -> Picture:
    at, packed, texts = len(SIGNATURE), b"", {}
    width = height = color = 0
    while at < len(data):
        length, kind = struct.unpack(">I4s", data[at : at + 8])
        body = data[at + 8 : at + 8 + length]
        at += length + 12
        if kind == b"IHDR":
            width, height, depth, color, _, _, interlaced = struct.unpack(">IIBBBBB", body)
            if depth != 8 or color not in CHANNELS or interlaced or not 0 < width * height <= MAX_PIXELS:
                raise NoPictureError(f"{width}x{height} of depth {depth} and color type {color} is not read here")
        elif kind == b"IDAT":
            packed += body
        elif kind == b"tEXt":
            name, _, text = body.partition(b"\0")
            texts[name.decode("latin-1")] = text.decode("latin-1")
    size = CHANNELS[color]
    most = height * (1 + width * size)
    raw = zlib.decompressobj().decompress(packed, most)
    if len(raw) != most:
        raise NoPictureError("it is damaged: rows are missing")
    return Picture(width, height, color, _rows(raw, width * size, size), texts)


def _rows(raw: bytes, length: int, size: int) -> list[bytes]:
    """Undo each row's filter."""
    rows, above = [], bytes(length)
    for at in range(0, len(raw), length + 1):
        kind, row = raw[at], bytearray(raw[at + 1 : at + 1 + length])
        for i in range(length if kind else 0):
            left = row[i - size] if i >= size else 0
            corner = above[i - size] if i >= size else 0
            row[i] = (row[i] + _predicted(kind, left, above[i], corner)) & 255
        above = bytes(row)
        rows.append(above)
    return rows


def _predicted(kind: int, left: int, up: int, corner: int) -> int:
    if kind == 1:
        return left
    if kind == 2:
        return up
    if kind == 3:
        return (left + up) // 2
    by_distance = sorted(
        (abs(left + up - corner - value), order, value) for order, value in enumerate((left, up, corner))
    )
    return by_distance[0][2]


def write(picture: Picture) -> bytes:
    """The bytes of a PNG file."""
    header = struct.pack(">IIBBBBB", picture.width, picture.height, 8, picture.color, 0, 0, 0)
    body = zlib.compress(b"".join(b"\0" + row for row in picture.rows))
    texts = [_chunk(b"tEXt", f"{name}\0{text}".encode("latin-1")) for name, text in picture.texts.items()]
    return SIGNATURE + _chunk(b"IHDR", header) + b"".join(texts) + _chunk(b"IDAT", body) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def shrink(picture: Picture, most: int) -> Picture:
    """A picture of at most so many pixels on each side: of each block, the pixel in its middle."""
    step = max(1, -(-max(picture.width, picture.height) // most))
    size = CHANNELS[picture.color]
    columns = range(step // 2, picture.width, step) if picture.width > step // 2 else range(1)
    lines = range(step // 2, picture.height, step) if picture.height > step // 2 else range(1)
    rows = [b"".join(picture.rows[y][x * size : (x + 1) * size] for x in columns) for y in lines]
    return Picture(len(columns), len(lines), picture.color, rows, {})
