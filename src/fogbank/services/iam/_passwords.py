"""The password policy of an account, and whether a password keeps to it. Pure."""

from __future__ import annotations

import string
from dataclasses import dataclass

from fogbank.services.iam.errors import PasswordPolicyViolationError

_SYMBOLS = frozenset("!@#$%^&*()_+-=[]{}|'")


@dataclass(frozen=True, slots=True)
class PasswordPolicy:
    """What passwords must have. The defaults are those of UpdateAccountPasswordPolicy."""

    minimum_length: int = 6
    symbols: bool = False
    numbers: bool = False
    uppercase: bool = False
    lowercase: bool = False
    users_may_change: bool = False
    max_age: int | None = None
    reuse_prevention: int | None = None
    hard_expiry: bool | None = None

    def check(self, password: str) -> None:
        """`PasswordPolicyViolationError` for a password that breaks the policy."""
        if len(password) < self.minimum_length:
            raise PasswordPolicyViolationError(f"Password should have a minimum length of {self.minimum_length}")
        wanted = (
            (self.uppercase, string.ascii_uppercase, "uppercase letter"),
            (self.lowercase, string.ascii_lowercase, "lowercase letter"),
            (self.numbers, string.digits, "number"),
            (self.symbols, _SYMBOLS, "symbol"),
        )
        for is_wanted, characters, name in wanted:
            if is_wanted and not set(characters) & set(password):
                raise PasswordPolicyViolationError(f"Password should have at least one {name}")
