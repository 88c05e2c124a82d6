"""Who is at the other end of a connection on this machine: the Runtime API answers its environment, and nobody else.

A Runtime API on the machine's loopback address can be reached by every process of the machine: another function could
take an environment's events. The kernel knows the socket at the other end (sock_diag(7)), and the files of a process
say whether it is among them.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import struct
from collections.abc import Iterable
from pathlib import Path

_log = logging.getLogger("fogbank.runtime")
_NETLINK_SOCK_DIAG = 4
_BY_FAMILY = 20
_REQUEST = 1
_HEADER = struct.Struct("=IHHII")
_QUESTION = struct.Struct("=BBBxI")
_PORTS = struct.Struct("!HH")
_ANY = struct.pack("=III", 0, 0xFFFFFFFF, 0xFFFFFFFF)  # any interface, no cookie
_INODE = struct.Struct("=I")
_INODE_AT = _HEADER.size + 4 + 48 + 16

Address = tuple[str, int]


def is_of(pids: Iterable[int], there: Address, here: Address) -> bool:
    """Whether one of the processes holds the IPv4 socket that is at `there` and connected to `here`."""
    try:
        inode = _inode(there, here)
    except OSError as error:  # a kernel without it; function isolation says so in its documentation
        _log.info("the kernel does not tell whose a connection is: %s", error)
        return True
    wanted = f"socket:[{inode}]"
    return inode != 0 and any(wanted in _links(pid) for pid in pids)


def _inode(there: Address, here: Address) -> int:
    """The inode of a socket; 0 if it has gone."""
    question = (
        _QUESTION.pack(socket.AF_INET, socket.IPPROTO_TCP, 0, 0xFFFFFFFF)
        + _PORTS.pack(there[1], here[1])
        + socket.inet_aton(there[0]).ljust(16, b"\0")
        + socket.inet_aton(here[0]).ljust(16, b"\0")
        + _ANY
    )
    head = _HEADER.pack(_HEADER.size + len(question), _BY_FAMILY, _REQUEST, 1, 0)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_SOCK_DIAG) as kernel:
        kernel.send(head + question)
        answer = kernel.recv(1024)
    if len(answer) < _INODE_AT + _INODE.size:
        return 0
    _, kind, _, _, _ = _HEADER.unpack_from(answer)
    return int(_INODE.unpack_from(answer, _INODE_AT)[0]) if kind == _BY_FAMILY else 0


def _links(pid: int) -> set[str]:
    found = set()
    with contextlib.suppress(OSError):
        for entry in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                found.add(str(entry.readlink()))
    return found
