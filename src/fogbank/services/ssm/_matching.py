"""Whether a value matches an allowed pattern, in bounded time.

Pattern and value come from outside, and Python's `re` can take for ever over a few characters. A pattern with
at most one repetition without end is matched here; any other in a process of its own, which is ended after a
while.
"""

from __future__ import annotations

import asyncio
import re
import sys

from fogbank.core.validation import UnsupportedPatternError, compile_pattern
from fogbank.services.ssm.errors import InvalidPatternError, PatternMismatchError

TIMEOUT = 5.0
"""Seconds that a match may take."""
_OPEN_END = re.compile(r"[*+]|\{\d+,\}")
_BACK_REFERENCE = re.compile(r"\\[1-9]|\(\?P=")
_SCRIPT = "import re, sys; sys.exit(0 if re.fullmatch(sys.argv[1], sys.stdin.read()) else 1)"


async def check_allowed(pattern: str, value: str) -> None:
    """`InvalidPatternError` for what is no regular expression, `PatternMismatchError` where the value does
    not match.
    """
    try:
        compiled = compile_pattern(pattern)
    except (UnsupportedPatternError, re.error):
        raise InvalidPatternError from None
    if len(_OPEN_END.findall(pattern)) <= 1 and not _BACK_REFERENCE.search(pattern):
        matched = compiled.fullmatch(value) is not None
    else:
        matched = await _match_apart(compiled.pattern, value)
    if not matched:
        raise PatternMismatchError(pattern)


async def _match_apart(pattern: str, value: str) -> bool:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-I",
        "-S",
        "-c",
        _SCRIPT,
        pattern,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(TIMEOUT):
            await process.communicate(value.encode())
    except TimeoutError:
        process.kill()
        await process.wait()
        raise InvalidPatternError from None
    return process.returncode == 0
