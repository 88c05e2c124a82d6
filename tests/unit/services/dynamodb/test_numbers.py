"""Numbers: exact decimals in the form that DynamoDB returns, and bytes that sort as they do."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fogbank.services.dynamodb._values import numbers

OVERFLOW = "Number overflow. Attempting to store a number with magnitude larger than supported range"
UNDERFLOW = "Number underflow. Attempting to store a number with magnitude smaller than supported range"
NOT_A_NUMBER = "The parameter cannot be converted to a numeric value"


@st.composite
def in_range(draw: st.DrawFn) -> str:
    """A number that DynamoDB takes, written in one of the ways in which it can be."""
    digits = draw(st.integers(min_value=-(10**38) + 1, max_value=10**38 - 1))
    exponent = draw(st.integers(min_value=-130, max_value=125 - max(0, len(str(abs(digits))) - 1)))
    return f"{digits}E{exponent}"


@pytest.mark.parametrize(
    ("given_text", "expected"),
    [
        ("0", "0"),
        ("-0", "0"),
        ("0.000", "0"),
        ("0e500", "0"),
        ("5", "5"),
        ("+5", "5"),
        ("007", "7"),
        ("5.", "5"),
        (".5", "0.5"),
        ("1.50", "1.5"),
        ("1E+2", "100"),
        ("1e2", "100"),
        ("-12.3400", "-12.34"),
        ("123e-5", "0.00123"),
        ("9" * 38, "9" * 38),
        ("0." + "9" * 38, "0." + "9" * 38),
        ("1" + "0" * 60, "1" + "0" * 60),
        ("1e-130", "0." + "0" * 129 + "1"),
        ("9.9999999999999999999999999999999999999e125", "9" * 38 + "0" * 88),
    ],
)
def test_a_number_has_one_canonical_form(given_text: str, expected: str) -> None:
    assert numbers.canonical(given_text) == expected


@pytest.mark.parametrize(
    ("given_text", "message"),
    [
        ("", NOT_A_NUMBER),
        ("b", f"{NOT_A_NUMBER}: b"),
        (".", f"{NOT_A_NUMBER}: ."),
        ("-", f"{NOT_A_NUMBER}: -"),
        ("1e", f"{NOT_A_NUMBER}: 1e"),
        (" 1", f"{NOT_A_NUMBER}:  1"),
        ("1 ", f"{NOT_A_NUMBER}: 1 "),
        ("1_000", f"{NOT_A_NUMBER}: 1_000"),
        ("0x10", f"{NOT_A_NUMBER}: 0x10"),
        ("NaN", f"{NOT_A_NUMBER}: NaN"),
        ("Infinity", f"{NOT_A_NUMBER}: Infinity"),
        ("٣", f"{NOT_A_NUMBER}: ٣"),
        ("1" * 39, "Attempting to store more than 38 significant digits in a Number"),
        ("1e126", OVERFLOW),
        ("-1e126", OVERFLOW),
        ("1e999999999999999999999999", OVERFLOW),
        ("1e-131", UNDERFLOW),
        ("1e-999999999999999999999999", UNDERFLOW),
    ],
)
def test_what_is_no_number_or_out_of_range_is_refused(given_text: str, message: str) -> None:
    with pytest.raises(numbers.NumberError) as caught:
        numbers.canonical(given_text)
    assert str(caught.value) == message


@given(in_range())
def test_the_canonical_form_is_the_same_number_and_stays_as_it_is(text: str) -> None:
    canonical = numbers.canonical(text)
    assert Decimal(canonical) == Decimal(text)
    assert numbers.canonical(canonical) == canonical
    assert "E" not in canonical.upper()


@given(in_range(), in_range())
def test_sort_keys_order_as_the_numbers_do(one: str, two: str) -> None:
    left, right = numbers.canonical(one), numbers.canonical(two)
    keys = numbers.sort_key(left), numbers.sort_key(right)
    assert (keys[0] < keys[1]) == (Decimal(left) < Decimal(right))
    assert (keys[0] == keys[1]) == (Decimal(left) == Decimal(right))
    assert left == right or not keys[0].startswith(keys[1])


@given(st.integers(-(10**18), 10**18), st.integers(-(10**18), 10**18))
def test_sums_and_differences_are_exact(one: int, two: int) -> None:
    assert numbers.add(str(one), str(two)) == str(one + two)
    assert numbers.subtract(str(one), str(two)) == str(one - two)


def test_sums_keep_decimals_exactly() -> None:
    assert numbers.add("0.1", "0.2") == "0.3"
    assert numbers.subtract("1", "0.0000000000000000000000000000000000001") == "0." + "9" * 37


def test_a_sum_out_of_range_is_refused() -> None:
    with pytest.raises(numbers.NumberError, match="Number overflow"):
        numbers.add("9" * 38 + "0" * 88, "1" + "0" * 125)
    with pytest.raises(numbers.NumberError, match="Number overflow"):
        numbers.add("1" + "0" * 40, "1")


@pytest.mark.parametrize(
    ("number", "size"), [("0", 1), ("7", 2), ("10", 2), ("12", 2), ("123", 3), ("-12", 3), ("0.001", 2), ("1.25", 3)]
)
def test_a_number_counts_a_byte_and_one_for_every_two_digits(number: str, size: int) -> None:
    assert numbers.size(number) == size
