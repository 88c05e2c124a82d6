"""DynamoDB's numbers: up to 38 significant digits, magnitudes from 1E-130 to 9.99…E+125, exact.

A number travels as a string. Its canonical form is what DynamoDB returns: no exponent, no zeros that mean
nothing, no sign on zero. Two numbers are equal just when their canonical forms are.
Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html
"""

from __future__ import annotations

import re
from decimal import Context, Decimal

OVERFLOW = "Number overflow. Attempting to store a number with magnitude larger than supported range"
TOO_PRECISE = "Attempting to store more than 38 significant digits in a Number"
MAX_DIGITS = 38
MAX_EXPONENT = 125
MIN_EXPONENT = -130

_FORM = re.compile(r"([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d+))?", re.ASCII)
_EXACT = Context(prec=400)
"""Wide enough for the exact sum of any two numbers in range: 256 decimal places at the most."""
_COMPLEMENT = bytes(255 - i for i in range(256))
_EXPONENT_BIAS = 129
"""The exponent of 0.d₁d₂… × 10ᵉ runs from -129 to 126: with this added it is just one byte."""


class NumberError(ValueError):
    """A string that is no number, or one out of range; the message is DynamoDB's."""


def canonical(text: str) -> str:
    """The number in the form that DynamoDB returns, or `NumberError`."""
    if text.isascii() and text.isdigit() and len(text) <= MAX_DIGITS and (text[0] != "0" or text == "0"):
        return text  # the common case: a plain whole number
    match = _FORM.fullmatch(text)
    if match is None or not (match[2] or match[3]):
        if not text:
            raise NumberError("The parameter cannot be converted to a numeric value")
        raise NumberError(f"The parameter cannot be converted to a numeric value: {text}")
    sign, whole, fraction, exponent = match[1], match[2], match[3] or "", match[4]
    digits = whole + fraction
    significant = digits.lstrip("0")
    point = len(whole) - (len(digits) - len(significant)) + _bounded(exponent)
    significant = significant.rstrip("0")
    if not significant:
        return "0"
    if point - 1 > MAX_EXPONENT:
        raise NumberError(OVERFLOW)
    if point - 1 < MIN_EXPONENT:
        raise NumberError("Number underflow. Attempting to store a number with magnitude smaller than supported range")
    if len(significant) > MAX_DIGITS:
        raise NumberError(TOO_PRECISE)
    return ("-" if sign == "-" else "") + _plain(significant, point)


def _bounded(exponent: str | None) -> int:
    """The exponent as a number; one with many digits is cut, it is out of range in any case."""
    if exponent is None:
        return 0
    value = exponent.lstrip("+-").lstrip("0")[:9]
    return -int(value or 0) if exponent[0] == "-" else int(value or 0)


def _plain(digits: str, point: int) -> str:
    """0.digits × 10^point without an exponent."""
    if point <= 0:
        return "0." + "0" * -point + digits
    if point >= len(digits):
        return digits + "0" * (point - len(digits))
    return digits[:point] + "." + digits[point:]


def add(left: str, right: str) -> str:
    """The exact sum of two canonical numbers, canonical; `NumberError` if it is out of range."""
    return _result(_EXACT.add(Decimal(left), Decimal(right)))


def subtract(left: str, right: str) -> str:
    """The exact difference of two canonical numbers, canonical; `NumberError` if it is out of range."""
    return _result(_EXACT.subtract(Decimal(left), Decimal(right)))


def _result(value: Decimal) -> str:
    """DynamoDB says of a result with too many digits that it is too large."""
    try:
        return canonical(str(value))
    except NumberError as error:
        raise NumberError(OVERFLOW if str(error) == TOO_PRECISE else str(error)) from None


def size(number: str) -> int:
    """Bytes that a canonical number counts for: one, and one for every two significant digits.

    A negative number counts one more.
    """
    digits = len(number.replace("-", "").replace(".", "").strip("0"))
    return 1 + (digits + 1) // 2 + (number[0] == "-")


def sort_key(number: str) -> bytes:
    """Bytes that order as canonical numbers do, none the beginning of another.

    Zero is 01. A positive number is 02, the exponent, its digits two to a byte (01 to 64), and 00 at the end. A
    negative number is 00 and the complement of what follows the sign of its opposite.
    """
    if number == "0":
        return b"\x01"
    negative = number[0] == "-"
    whole, _, fraction = (number[1:] if negative else number).partition(".")
    if whole == "0":
        digits = fraction.lstrip("0")
        exponent = len(digits) - len(fraction)
    else:
        digits = whole + fraction
        exponent = len(whole)
    digits = digits.rstrip("0")
    if len(digits) % 2:
        digits += "0"
    pairs = bytes(int(digits[i : i + 2]) + 1 for i in range(0, len(digits), 2))
    body = bytes((exponent + _EXPONENT_BIAS,)) + pairs + b"\x00"
    return b"\x00" + body.translate(_COMPLEMENT) if negative else b"\x02" + body
