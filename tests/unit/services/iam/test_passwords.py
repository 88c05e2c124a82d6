"""The password policy."""

from __future__ import annotations

import pytest

from fogbank.services.iam._passwords import PasswordPolicy
from fogbank.services.iam.errors import PasswordPolicyViolationError


@pytest.mark.parametrize(
    ("policy", "password", "words"),
    [
        (PasswordPolicy(minimum_length=9), "abcdefgh", "a minimum length of 9"),
        (PasswordPolicy(uppercase=True), "abcdefgh", "at least one uppercase letter"),
        (PasswordPolicy(lowercase=True), "ABCDEFGH", "at least one lowercase letter"),
        (PasswordPolicy(numbers=True), "abcdefgh", "at least one number"),
        (PasswordPolicy(symbols=True), "abcdefgh", "at least one symbol"),
    ],
)
def test_what_a_password_lacks_is_told(policy: PasswordPolicy, password: str, words: str) -> None:
    """The first rule that it breaks; with everything, each policy takes it."""
    with pytest.raises(PasswordPolicyViolationError, match=words):
        policy.check(password)
    policy.check("aB3$efghi")
