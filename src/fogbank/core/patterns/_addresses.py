"""IP addresses in patterns: CIDR blocks, and the equality of one address's several spellings."""

from __future__ import annotations

import re
from ipaddress import AddressValueError, IPv4Address, IPv6Address

from fogbank.core.patterns._errors import InvalidPatternError

_V4 = re.compile(r"[0-9]{1,10}\.[0-9]{1,10}\.[0-9]{1,10}\.[0-9]{1,10}")
_V6 = re.compile(r"[0-9a-fA-F:]*:[0-9a-fA-F:]*")

Address = tuple[int, int]
"""An address's version and its bits as a number."""


def address(text: str) -> Address | None:
    """The address that a string spells, `None` if it spells none."""
    if _V4.fullmatch(text):
        parts = [int(part) for part in text.split(".")]
        if max(parts) > 255:
            return None
        return 4, int.from_bytes(bytes(parts), "big")
    if not _V6.fullmatch(text):
        return None
    try:
        found: IPv6Address | IPv4Address = IPv6Address(text)
    except AddressValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, IPv6Address) else None
    found = mapped or found
    return found.version, int(found)


def block(text: str) -> tuple[int, int, int]:
    """A CIDR block: the version, its first and its last address.

    It begins at the address as written, not at the network's: `10.0.0.5/24` is 10.0.0.5 to 10.0.0.255, as
    EventBridge has it.
    """
    parts = text.split("/")
    if len(parts) != 2:
        raise InvalidPatternError("Malformed CIDR, one '/' required")
    if not re.fullmatch(r"[+-]?[0-9]{1,9}", parts[1]):
        raise InvalidPatternError("Malformed CIDR, mask bits must be an integer")
    mask = int(parts[1])
    if mask < 0:
        raise InvalidPatternError("Malformed CIDR, mask bits must not be negative")
    first = address(parts[0])
    if first is None:
        kind = "Invalid" if _V4.fullmatch(parts[0]) or _V6.fullmatch(parts[0]) else "Nonstandard"
        raise InvalidPatternError(f"{kind} IP address: {parts[0]}")
    version, bits = first
    width = 32 if version == 4 else 128
    if mask >= width:
        raise InvalidPatternError(f"IPv{version} mask bits must be < {width}")
    return version, bits, bits | ((1 << (width - mask)) - 1)
