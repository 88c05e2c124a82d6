"""What every kind of filter pattern offers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, Self

if TYPE_CHECKING:
    from collections.abc import Mapping


class InvalidPattern(ValueError):  # noqa: N818 - reads as what it says
    """The text is no filter pattern.

    `detail` is empty where AWS names only the pattern as a whole; each operation has its own word for that.
    """

    def __init__(self, detail: str = "") -> None:
        super().__init__(detail)
        self.detail = detail

    @classmethod
    def characters(cls, term: str) -> Self:
        """Characters that must stand in quotation marks, or may not stand there at all."""
        return cls(f"Invalid character(s) in term '{term}'")


class Pattern(Protocol):
    """A compiled filter pattern."""

    @property
    def regexes(self) -> int:
        """How many regular expressions it holds: they are limited per pattern and per log group."""
        ...

    def matches(self, message: str) -> bool:
        """Whether a log event's message matches."""
        ...

    def extract(self, message: str) -> Mapping[str, str] | None:
        """The values that the pattern names, by `$name` or `$.selector`, if the message matches; else `None`."""
        ...


class Everything:
    """The empty pattern."""

    regexes = 0

    def matches(self, message: str) -> bool:  # noqa: ARG002
        """Every message."""
        return True

    def extract(self, message: str) -> Mapping[str, str] | None:  # noqa: ARG002
        """Nothing is named."""
        return {}
