"""What keeps a build from being made."""

from __future__ import annotations


class BuildError(Exception):
    """A build that cannot be made: what is wrong, where (`file:line`), and what to do."""

    def __init__(self, message: str, *, where: str = "", do: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.do = do

    def __str__(self) -> str:
        parts = [self.message, f"({self.where})" if self.where else "", f"— {self.do}" if self.do else ""]
        return " ".join(part for part in parts if part)
