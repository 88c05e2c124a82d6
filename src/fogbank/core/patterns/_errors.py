"""The one error of this package."""

from __future__ import annotations


class InvalidPatternError(ValueError):
    """A pattern that EventBridge would refuse.

    `reason` is the text that follows `Event pattern is not valid. Reason: `, with the position in the pattern
    where there is one.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class TooComplexError(InvalidPatternError):
    """A well-formed pattern that would cost too much to match."""
