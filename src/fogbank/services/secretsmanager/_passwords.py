"""Random passwords. Pure: the dice are handed in. Source: GetRandomPassword in the service model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from fogbank.services.secretsmanager.errors import InvalidParameterError

PUNCTUATION = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"
_KINDS = (
    ("ExcludeUppercase", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
    ("ExcludeLowercase", "abcdefghijklmnopqrstuvwxyz"),
    ("ExcludeNumbers", "0123456789"),
    ("ExcludePunctuation", PUNCTUATION),
)
DEFAULT_LENGTH = 32


def random_password(request: Mapping[str, Any], number: Callable[[int], int]) -> str:
    """A password as the request wants it; `number(n)` draws from 0 up to, not including, n."""
    length = request.get("PasswordLength", DEFAULT_LENGTH)
    excluded = set(request.get("ExcludeCharacters") or "")
    kinds = ["".join(c for c in letters if c not in excluded) for name, letters in _KINDS if not request.get(name)]
    if request.get("IncludeSpace") and " " not in excluded:
        kinds.append(" ")
    kinds = [letters for letters in kinds if letters]
    if not kinds:
        raise InvalidParameterError("There are no characters that the password could have: all of them are excluded.")
    chosen = []
    if request.get("RequireEachIncludedType", True):
        if length < len(kinds):
            raise InvalidParameterError(f"Password length {length} is too short based on the required types.")
        chosen = [letters[number(len(letters))] for letters in kinds]
    every = "".join(kinds)
    chosen += [every[number(len(every))] for _ in range(length - len(chosen))]
    for at in range(len(chosen) - 1, 0, -1):
        other = number(at + 1)
        chosen[at], chosen[other] = chosen[other], chosen[at]
    return "".join(chosen)
