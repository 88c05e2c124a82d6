r"""Java's regular expressions, which the models' patterns are, as Python's.

They differ in Unicode categories (`\p{L}`), in what a dot matches, in surrogate pairs, in a hyphen after a
shorthand (`[\w-_]`), and in whether `\w` and `\d` are ASCII only (they are in Java). AWS matches the whole
value, so callers use `fullmatch`.
"""

from __future__ import annotations

import re
import sys
import unicodedata
from functools import cache, lru_cache
from itertools import groupby


class UnsupportedPatternError(ValueError):
    """A pattern uses what this translation does not know; it would otherwise go unenforced."""


_POSIX = {
    "ASCII": r"\x00-\x7F",
    "Alnum": "a-zA-Z0-9",
    "Alpha": "a-zA-Z",
    "Digit": "0-9",
    "Graph": r"\x21-\x7E",
    "Lower": "a-z",
    "Print": r"\x20-\x7E",
    "Punct": r"\x21-\x2F\x3A-\x40\x5B-\x60\x7B-\x7E",
    "Space": r"\x20\t\n\x0B\f\r",
    "Upper": "A-Z",
    "XDigit": "0-9a-fA-F",
}
_CATEGORY = re.compile(r"[LMNPSZC]|L[ultmo]|M[nce]|N[dlo]|Z[slp]|P[cdseifo]")
_NOT_LINE_END = r"[^\n\r\x85\u2028\u2029]"
_PLANES = (
    (0, 0x3FFFF, None), (0x40000, 0xDFFFF, "Cn"), (0xE0000, 0xEFFFF, None), (0xF0000, sys.maxunicode, "Co"),
)  # fmt: skip
"""First and last code points of the planes, and the category that all of them have, if they have one."""
_PROPERTY = re.compile(r"\\([pP])(?:\{(\w+)\}|(\w))")
_SURROGATES = re.compile(r"\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})")
_SHORTHAND = frozenset("wdsWDS")
_UNKNOWN_ESCAPES = frozenset("GRXhHvzZkQENcyY")


_HEADER = r"\t*[\x20-\x7E][\t\x20-\x7E]*"
_LINEAR = {
    r"^[ \t]*[\x20-\x7E]+([ \t]+[\x20-\x7E]+)*[ \t]*$": _HEADER,
    r"[ \t]*[\x20-\x7E]+([ \t]+[\x20-\x7E]+)*[ \t]*|(\$(\.[\w/_-]+(\[(\d+|\*)\])*)*)": (
        _HEADER + r"|(\$(\.[\w/_-]+(\[(\d+|\*)\])*)*)"
    ),
    r"^[ \t]*[^\x00-\x1F:\x7F]+([ \t]+[^\x00-\x1F:\x7F]+)*[ \t]*$": (
        r"\t*[^\x00-\x1F:\x7F][^\x00-\x08\x0A-\x1F:\x7F]*"
    ),
    r"\/?.+\/.+": rf"{_NOT_LINE_END}[^/\n\r\x85\u2028\u2029]*/{_NOT_LINE_END}+",
}
"""Patterns of the models that take time exponential or quadratic in a value that does not match, and others that
match the same values in linear time. A request could otherwise stop the server."""


@lru_cache(maxsize=2048)
def compile_pattern(pattern: str) -> re.Pattern[str]:
    """A Java pattern compiled for Python; `UnsupportedPatternError` if it cannot be."""
    try:
        return re.compile(_LINEAR.get(pattern) or translate(pattern), re.ASCII)
    except re.error as error:
        raise UnsupportedPatternError(f"{pattern!r}: {error}") from error


def translate(pattern: str) -> str:
    """The text of a Java pattern in Python's syntax."""
    out: list[str] = []
    at, in_class, class_start = 0, False, 0
    while at < len(pattern):
        mark = pattern[at]
        if mark == "\\":
            piece, at = _escape(pattern, at, in_class=in_class)
            out.append(piece)
        elif in_class:
            if mark == "[" or pattern.startswith("&&", at):
                raise UnsupportedPatternError(f"{pattern!r}: nested or intersected character classes")
            in_class = not (mark == "]" and at > class_start)
            out.append(_in_class(pattern, at))
            at += 1
        elif mark == "[":
            in_class = True
            class_start = at + (2 if pattern.startswith("[^", at) else 1)
            out.append(pattern[at:class_start])
            at = class_start
        else:
            out.append(_NOT_LINE_END if mark == "." else mark)
            at += 1
    return "".join(out)


def _in_class(pattern: str, at: int) -> str:
    """One plain character of a class; a hyphen that follows a shorthand stands for itself."""
    if pattern[at] == "-" and at >= 2 and pattern[at - 2] == "\\" and pattern[at - 1] in _SHORTHAND:
        return r"\-"
    return pattern[at]


def _escape(pattern: str, at: int, *, in_class: bool) -> tuple[str, int]:
    """The translation of the escape at `at`, and where it ends."""
    found = _PROPERTY.match(pattern, at)
    if found is not None:
        return _property(found, in_class=in_class), found.end()
    pair = _SURROGATES.match(pattern, at)
    if pair is not None:
        high, low = int(pair[1], 16), int(pair[2], 16)
        return f"\\U{0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00):08x}", pair.end()
    following = pattern[at + 1 : at + 2]
    if following in _UNKNOWN_ESCAPES:
        raise UnsupportedPatternError(f"{pattern!r}: \\{following}")
    return pattern[at : at + 2], at + 2


def _property(found: re.Match[str], *, in_class: bool) -> str:
    r"""The ranges of `\p{L}`; standing alone they become a class of their own."""
    name = found[2] or found[3]
    ranges = _POSIX.get(name) or (_category_ranges(name) if _CATEGORY.fullmatch(name) else "")
    if not ranges or (found[1] == "P" and in_class):
        raise UnsupportedPatternError(f"character property {found[0]}")
    if in_class:
        return ranges
    return f"[^{ranges}]" if found[1] == "P" else f"[{ranges}]"


@cache
def _category_ranges(category: str) -> str:
    """The code points of a Unicode category, as the inside of a character class."""
    found: list[list[int]] = []
    for start, end, name in _runs():
        if not name.startswith(category):
            continue
        if found and found[-1][1] == start - 1:
            found[-1][1] = end
        else:
            found.append([start, end])
    return "".join(f"\\U{start:08x}-\\U{end:08x}" for start, end in found)


@cache
def _runs() -> tuple[tuple[int, int, str], ...]:
    """First and last of the code points that follow each other in one category, and its name.

    Planes 4 to 13 are unassigned and those from 15 on for private use: all of them are in C, and are not looked at one
    by one, for the first request that needs this waits for it.
    """
    runs: list[tuple[int, int, str]] = []
    for first, last, uniform in _PLANES:
        if uniform is not None:
            runs.append((first, last, uniform))
            continue
        code = first
        for name, group in groupby(map(unicodedata.category, map(chr, range(first, last + 1)))):
            count = sum(1 for _ in group)
            runs.append((code, code + count - 1, name))
            code += count
    return tuple(runs)
