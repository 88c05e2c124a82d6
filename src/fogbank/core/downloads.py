"""Files that a reply points to by URL, such as a function's code, and what is put to a URL that a service gave out."""

from __future__ import annotations

from typing import Protocol, runtime_checkable


@runtime_checkable
class Downloads(Protocol):
    """Who has such files, at paths under `/_fogbank/`: a service, and the cloud that asks its services."""

    async def download(self, path: str) -> bytes | None:
        """The file at `path`; `None` if there is none."""
        ...


@runtime_checkable
class Uploads(Protocol):
    """Who takes what is PUT to paths under `/_fogbank/`: a service, and the cloud that asks its services."""

    async def upload(self, path: str, data: bytes) -> bool:
        """Take what was put to `path`; whether anybody waits for it."""
        ...
