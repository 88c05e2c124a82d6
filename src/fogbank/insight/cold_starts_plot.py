"""Cold starts as a picture: a bar for each function, a colour for each part. Pure functions."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from fogbank.insight.cold_starts import PARTS, Subject, parts_of

_COLOURS = {
    "environment": "#355070",
    "runtime": "#577590",
    "imports": "#e07a5f",
    "init": "#f2cc8f",
    "first_event": "#81b29a",
}
_LETTERS = dict(zip(PARTS, "▓▒█▚░", strict=True))
_FONT = 'font-family="sans-serif" font-size="12"'
_ROW, _LEFT, _WIDTH, _TOP = 34, 190, 760, 64


def text_of(subjects: Sequence[Subject], width: int = 48) -> list[str]:
    """A line of text for each function, as long as its median, and a legend."""
    shown = [subject for subject in subjects if subject.starts]
    most = max((subject.total.median for subject in shown), default=0.0)
    name = max((len(subject.name) for subject in shown), default=0)
    lines = []
    for subject in shown:
        bar = "".join(
            _LETTERS[part] * round(found.median / most * width) for part, found in parts_of(subject.starts).items()
        )
        lines.append(f"{subject.name:<{name}} {bar or '▏'} {subject.total.median * 1000:.0f} ms")
    if lines:
        lines.append("   ".join(f"{letter} {part.replace('_', ' ')}" for part, letter in _LETTERS.items()))
    return lines


def svg_of(subjects: Sequence[Subject]) -> str:
    """The same as SVG, with a line at the 99th percentile."""
    shown = [subject for subject in subjects if subject.starts]
    most = max((subject.total.p99 for subject in shown), default=0.0) or 1.0
    height = _TOP + _ROW * len(shown) + 40

    def x(seconds: float) -> float:
        return _LEFT + seconds / most * (_WIDTH - _LEFT - 90)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" {_FONT}>',
        f'<rect width="{_WIDTH}" height="{height}" fill="white"/>',
        '<text x="16" y="22" font-size="14">Cold starts: median by part, and the 99th percentile (ms)</text>',
    ]
    for number, (part, colour) in enumerate(_COLOURS.items()):
        at = 16 + number * 120
        parts.append(f'<rect x="{at}" y="34" width="12" height="12" fill="{colour}"/>')
        parts.append(f'<text x="{at + 18}" y="45">{part.replace("_", " ")}</text>')
    for number, subject in enumerate(shown):
        line, from_ = _TOP + _ROW * number, 0.0
        parts.append(f'<text x="{_LEFT - 8}" y="{line + 16}" text-anchor="end">{escape(subject.name)}</text>')
        for part, found in parts_of(subject.starts).items():
            left, right = x(from_), x(from_ + found.median)
            parts.append(
                f'<rect x="{left:.1f}" y="{line}" width="{right - left:.1f}" height="22" fill="{_COLOURS[part]}"/>'
            )
            from_ += found.median
        end = x(subject.total.p99)
        parts.append(f'<line x1="{end:.1f}" x2="{end:.1f}" y1="{line - 2}" y2="{line + 24}" stroke="#333"/>')
        figures = f"{subject.total.median * 1000:.0f} / {subject.total.p99 * 1000:.0f}"
        parts.append(f'<text x="{end + 6:.1f}" y="{line + 16}">{figures}</text>')
    parts.append("</svg>")
    return "\n".join(parts) + "\n"
