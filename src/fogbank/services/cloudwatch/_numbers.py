"""Numbers as CloudWatch writes them, which is as Java does."""

from __future__ import annotations

import math


def java_double(value: float) -> str:
    """A number as Java prints it: `21.5`, `1.0E7`."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    if value == 0 or 1e-3 <= abs(value) < 1e7:
        return repr(float(value))
    mantissa, _, exponent = f"{value!r}".partition("e")
    if not exponent:
        digits = f"{value:.16e}"
        mantissa, _, exponent = digits.partition("e")
        mantissa = repr(float(mantissa))
    return f"{mantissa if '.' in mantissa else mantissa + '.0'}E{int(exponent)}"
