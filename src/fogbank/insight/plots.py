"""Plots: bars of text for the terminal, lines as SVG for a page. Pure functions."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from math import log10

from fogbank.insight.cost import Month

_EIGHTHS = " ▏▎▍▌▋▊▉█"
_COLOURS = ("#2a6f97", "#e07a5f", "#81b29a", "#f2cc8f", "#6d597a", "#b56576", "#355070", "#90be6d", "#577590")
_WIDTH, _HEIGHT = 720, 400
_FONT = 'font-family="sans-serif" font-size="12"'
_LEFT, _RIGHT, _TOP, _BOTTOM = 80, 180, 40, 50


def bar(value: float, most: float, width: int) -> str:
    """A bar of text, to an eighth of a character."""
    if most <= 0 or value <= 0:
        return ""
    eighths = max(1, round(value / most * width * 8))
    return "█" * (eighths // 8) + _EIGHTHS[eighths % 8].strip()


def svg_of(months: Sequence[Month], *, title: str) -> str:
    """Dollars a month over traces a month (in powers of ten), stacked by service."""
    services = list(dict.fromkeys(name for month in reversed(months) for name in month.by_service()))
    most = max((month.total for month in months), default=0.0) or 1.0
    low, high = log10(months[0].traces), log10(months[-1].traces)

    def x(traces: float) -> float:
        return _LEFT + (log10(traces) - low) / ((high - low) or 1) * (_WIDTH - _LEFT - _RIGHT)

    def y(dollars: float) -> float:
        return _HEIGHT - _BOTTOM - dollars / most * (_HEIGHT - _TOP - _BOTTOM)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" {_FONT}>',
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="white"/>',
        f'<text x="{_LEFT}" y="22" font-size="14">{escape(title)}</text>',
    ]
    below = [0.0] * len(months)
    for number, service in enumerate(services):
        above = [base + month.by_service().get(service, 0.0) for base, month in zip(below, months, strict=True)]
        colour = _COLOURS[number % len(_COLOURS)]
        there = [f"{x(month.traces):.1f},{y(value):.1f}" for month, value in zip(months, above, strict=True)]
        back = [f"{x(month.traces):.1f},{y(value):.1f}" for month, value in zip(months, below, strict=True)]
        parts.append(f'<polygon points="{" ".join([*there, *reversed(back)])}" fill="{colour}" fill-opacity="0.85"/>')
        line = _TOP + 18 * number
        parts.append(f'<rect x="{_WIDTH - _RIGHT + 16}" y="{line}" width="12" height="12" fill="{colour}"/>')
        parts.append(f'<text x="{_WIDTH - _RIGHT + 34}" y="{line + 11}">{escape(service)}</text>')
        below = above
    foot = _HEIGHT - _BOTTOM + 18
    parts += [f'<text x="{x(m.traces):.1f}" y="{foot}" text-anchor="middle">{_short(m.traces)}</text>' for m in months]
    for part in range(5):
        value = most * part / 4
        parts.append(f'<text x="{_LEFT - 8}" y="{y(value) + 4:.1f}" text-anchor="end">${value:,.2f}</text>')
        parts.append(
            f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y(value):.1f}" y2="{y(value):.1f}" stroke="#ddd"/>'
        )
    parts.append(f'<text x="{_LEFT}" y="{_HEIGHT - 12}">traces a month</text></svg>')
    return "\n".join(parts) + "\n"


def _short(number: float) -> str:
    for limit, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= limit:
            return f"{number / limit:g}{letter}"
    return f"{number:g}"
