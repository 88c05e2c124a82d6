"""The way to SAM's translator, which runs in a process of its own (`_sam_child.py`).

The process is started when a template first names the transform, kept while deployments follow each other (a redeploy
should not wait for its import) and ended when it has been idle.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import json
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fogbank.core.clock import Clock
from fogbank.templates.errors import TransformError, UnsupportedError
from fogbank.templates.macros import SAM

IDLE = 300.0
"""Seconds after which an idle translator is ended."""
TIMEOUT = 60.0
"""Seconds that a translation may take."""
_LIMIT = 64 * 1024 * 1024
_CHILD = Path(__file__).with_name("_sam_child.py")


class SamTranslator:
    """Translates templates, one at a time."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = asyncio.Lock()
        self._process: Process | None = None
        self._ender: asyncio.Task[None] | None = None

    async def translate(self, raw: Mapping[str, Any], parameters: Mapping[str, Any], region: str) -> dict[str, Any]:
        """The template in CloudFormation's own types; `TransformError` with everything that is wrong in it."""
        if importlib.util.find_spec("samtranslator") is None:
            raise UnsupportedError(f"the transform {SAM} needs SAM's translator: pip install 'fogbank[sam]'")
        request = {"template": raw, "parameters": parameters, "region": region}
        async with self._lock:
            self._keep()
            answer = await self._ask(json.dumps(request))
            self._ender = asyncio.get_running_loop().create_task(self._end_when_idle())
        if "error" in answer:
            raise TransformError(SAM, answer["error"])
        template: dict[str, Any] = answer["template"]
        return template

    async def _ask(self, request: str) -> dict[str, Any]:
        process = await self._started()
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            async with asyncio.timeout(TIMEOUT):
                process.stdin.write(request.encode() + b"\n")
                await process.stdin.drain()
                line = await process.stdout.readline()
        except (TimeoutError, ConnectionError, asyncio.CancelledError) as error:
            await self._end()
            if isinstance(error, asyncio.CancelledError):
                raise
            raise TransformError(SAM, f"the translator gave no answer within {TIMEOUT:.0f} seconds") from None
        if not line:
            await self._end()
            raise TransformError(SAM, "the translator ended without an answer")
        answer: dict[str, Any] = json.loads(line)
        return answer

    async def _started(self) -> Process:
        if self._process is None or self._process.returncode is not None:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-I", str(_CHILD), stdin=PIPE, stdout=PIPE, stderr=asyncio.subprocess.DEVNULL,
                limit=_LIMIT,
            )  # fmt: skip
        return self._process

    def _keep(self) -> None:
        if self._ender is not None:
            self._ender.cancel()
            self._ender = None

    async def _end_when_idle(self) -> None:
        await self._clock.sleep(IDLE)
        async with self._lock:
            await self._end()

    async def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()

    async def close(self) -> None:
        """End the process."""
        self._keep()
        async with self._lock:
            await self._end()
