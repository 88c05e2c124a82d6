"""Evaluates expressions that could take much memory or time in processes of their own, which may die of them.

The engine bounds time, depth and the length of sequences, but not memory: what may grow faster than its input
(functions, ranges, mapped constructors, replacements) is sent to a child with a limit on its memory. A child that dies,
runs out of memory or does not answer in time fails that one expression; the next starts another.

Most expressions are answered in less time than a task switch takes, so the caller waits for the answer, but not for
long: what takes longer is waited for in a thread, and the next expression has another child. An expression that took
long once is not waited for again, and stands in a line of its own: others do not wait behind it.
"""

from __future__ import annotations

import asyncio
import contextlib
import resource
import select
import struct
import subprocess
import sys
import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any, TypeVar

import msgspec

from fogbank.services.states._language import jsonata
from fogbank.services.states._language._threads import Dice
from fogbank.services.states._language.jsonata import Question, Reply

MEMORY = 512 << 20
"""Bytes of memory that it may take beside what it has when it is ready."""
AT_ONCE = 5
"""Milliseconds that a caller waits for an answer."""
PATIENCE = 2_000
"""Milliseconds for an answer; the engine ends an evaluation after one second."""
STARTING = 30_000
"""Milliseconds until the child is ready."""
LANES = {"slow": 2, "new": 2, "trials": 1}
"""How much is waited for at once: of expressions that took long before, of others, and of states that are tried."""
KEPT = 2
"""Children that are kept when there is nothing to do."""
REMEMBERED = 256
"""Expressions that are remembered to have taken long."""
MAX_REPLY = 16 << 20
"""Bytes of a value, as JSON."""
FAILED: Reply = (None, "D1012: The expression took too much memory or time")
T = TypeVar("T")
_STATM = Path("/proc/self/statm")
_HEAD = struct.Struct("<I")
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(dict).decode


class _Child:
    """A process that evaluates one expression at a time."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(  # noqa: S603 - our own interpreter, with our own code
            [sys.executable, "-c", f"from {__name__} import serve; serve()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self.answered = 0
        """How many expressions it was asked."""
        self._ready = False
        self._end = weakref.finalize(self, _kill, self.process)

    def end(self) -> None:
        """End it; whoever waits for its answer gets none."""
        self._end()

    def ready(self, patience: int) -> bool:
        """Whether it has begun to take questions, within so many milliseconds."""
        if not self._ready:
            self._ready = _arrives(self._output, patience) and _read(self._output) is not None
        return self._ready

    @property
    def _output(self) -> IO[bytes]:
        assert self.process.stdout is not None
        return self.process.stdout

    def ask(self, question: Question) -> bool:
        """Hand it a question; whether it took it."""
        assert self.process.stdin is not None
        self.answered += 1
        request = {"text": question.text, "bindings": question.bindings, "now": question.now, "seed": question.seed}
        try:
            _write(self.process.stdin, _encode(request))
        except (OSError, ValueError):
            return False
        return True

    def arrives(self, patience: int) -> bool:
        """Whether an answer, or its end, comes within so many milliseconds."""
        return _arrives(self._output, patience)

    def answer(self) -> Reply | None:
        """Its answer, or `None` if it has died or has no memory for it."""
        try:
            reply = _read(self._output)
        except (OSError, ValueError):
            return None
        found = {} if reply is None else _decode(reply)
        if not found or "full" in found:
            return None
        return found.get("value"), found.get("error")


class Evaluator:
    """The children, started when they are first needed; they end with the evaluator, stopped or dropped."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: list[_Child] = []
        self._alive: set[_Child] = set()
        self._lanes: dict[str, ThreadPoolExecutor] = {}
        self._going: weakref.WeakKeyDictionary[Question, Future[Reply]] = weakref.WeakKeyDictionary()
        """What is being worked on, for who asks for the reply."""
        self._waiting: set[Future[Reply]] = set()
        self._slow: OrderedDict[str, None] = OrderedDict()
        """Expressions that took long."""
        self._stopped = False

    def start(self) -> None:
        """Start a child, if there is none; it gets ready while others go on."""
        with self._lock:
            self._stopped = False
            if not self._alive:
                child = _Child()
                self._alive.add(child)
                self._idle.append(child)

    def stop(self) -> None:
        """End the children."""
        with self._lock:
            self._stopped = True
            children, lanes = list(self._alive), list(self._lanes.values())
            self._alive.clear()
            self._idle.clear()
            self._slow.clear()
            self._lanes.clear()
        for child in children:
            child.process.kill()
        for lane in lanes:
            lane.shutdown(cancel_futures=True)  # who waits for a child sees its end
        for future in list(self._waiting):
            future.cancel()
        for child in children:
            child.end()

    # -- what a caller on the event loop uses

    def attempt(self, question: Question) -> Reply | None:
        """The reply if it comes at once; else it is worked on, and `None`."""
        child = None if question.text in self._slow else self._take(ready=True)
        if child is None or not child.ask(question):
            if child is not None:
                self._lose(child)
            self._hand_over(question, None)
            return None
        if child.arrives(AT_ONCE):
            reply = child.answer()
            if reply is not None:
                self._give_back(child)
                return reply
            self._lose(child)
            self._hand_over(question, None)
            return None
        self._remember(question)
        self._hand_over(question, child)
        return None

    async def reply(self, question: Question) -> Reply:
        """The reply to what did not come at once, or is asked again after a restart."""
        future = self._going.pop(question, None) or self._hand_over(question, None)
        return await asyncio.wrap_future(future)

    async def apart(self, work: Callable[[], T]) -> T:
        """Do work that waits for answers in a thread that may wait for them."""
        return await asyncio.wrap_future(self._lane("trials").submit(work))

    def _hand_over(self, question: Question, child: _Child | None) -> Future[Reply]:
        future: Future[Reply] = Future()
        self._going[question] = future
        self._waiting.add(future)
        future.add_done_callback(self._waiting.discard)
        slow = question.text in self._slow
        self._lane("slow" if slow else "new").submit(self._work, question, child, future, slow=slow)
        return future

    def _work(self, question: Question, child: _Child | None, future: Future[Reply], *, slow: bool) -> None:
        """Answer a question in a thread: one that turns out to take long goes to the line of those."""
        if future.cancelled() or self._stopped:
            if child is not None:
                self._lose(child)
            return
        if not slow and child is None and question.text not in self._slow:
            child = self._asked(question)
            if child is not None and not child.arrives(AT_ONCE):
                self._remember(question)
        if not slow and question.text in self._slow:
            self._lane("slow").submit(self._work, question, child, future, slow=True)
        elif future.set_running_or_notify_cancel():
            future.set_result(self.answer(question) if child is None else self._finish(question, child))
        elif child is not None:
            self._lose(child)

    def _asked(self, question: Question) -> _Child | None:
        """A child that was asked, or `None` if it did not take the question."""
        child = self._take(ready=False)
        if child is None or (child.ready(STARTING) and child.ask(question)):
            return child
        self._lose(child)
        return None

    def _lane(self, name: str) -> ThreadPoolExecutor:
        with self._lock:
            found = self._lanes.get(name)
            if found is None:
                found = self._lanes[name] = ThreadPoolExecutor(LANES[name], thread_name_prefix=f"fogbank-{name}")
            return found

    def _remember(self, question: Question) -> None:
        """An expression took long: the next time it is not waited for, and not before any that did not."""
        with self._lock:
            self._slow[question.text] = None
            if len(self._slow) > REMEMBERED:
                self._slow.popitem(last=False)

    # -- what threads do

    def answer(self, question: Question) -> Reply:
        """The reply, however long it takes."""
        child = self._take(ready=False)
        if child is None:
            return FAILED
        if not child.ready(STARTING) or not child.ask(question):
            return self._retry(question, child)
        if child.arrives(AT_ONCE):
            self._slow.pop(question.text, None)  # it was the machine that took long
        else:
            self._remember(question)
        return self._finish(question, child)

    def _finish(self, question: Question, child: _Child) -> Reply:
        late = not child.arrives(PATIENCE)
        reply = None if late else child.answer()
        if reply is not None:
            self._give_back(child)
            return reply
        if late:
            self._lose(child)
            return FAILED
        return self._retry(question, child)

    def _retry(self, question: Question, child: _Child) -> Reply:
        """Ask a new child: earlier expressions may have left this one little memory."""
        self._lose(child)
        if child.answered <= 1:
            return FAILED
        another = self._new()
        if another is None:
            return FAILED
        if another.ready(STARTING) and another.ask(question) and another.arrives(PATIENCE):
            reply = another.answer()
            if reply is not None:
                self._give_back(another)
                return reply
        self._lose(another)
        return FAILED

    # -- children

    def _take(self, *, ready: bool) -> _Child | None:
        """A child that has nothing to do: one that is ready, or any, if need be a new one."""
        with self._lock:
            for index, child in enumerate(self._idle):
                if not ready or child.ready(0):
                    return self._idle.pop(index)
        return None if ready else self._new()

    def _new(self) -> _Child | None:
        child = _Child()
        with self._lock:
            if not self._stopped:
                self._alive.add(child)
                return child
        child.end()
        return None

    def _give_back(self, child: _Child) -> None:
        with self._lock:
            if child in self._alive and len(self._idle) < KEPT:
                self._idle.append(child)
                return
        self._lose(child)

    def _lose(self, child: _Child) -> None:
        with self._lock:
            self._alive.discard(child)
        child.end()


def _kill(child: subprocess.Popen[bytes]) -> None:
    child.kill()
    child.wait()
    for pipe in (child.stdin, child.stdout):
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()


def _arrives(pipe: IO[bytes], patience: int) -> bool:
    poll = select.poll()  # `select` knows no descriptors past 1,024
    try:
        poll.register(pipe, select.POLLIN)
        return bool(poll.poll(patience))
    except (OSError, ValueError):  # it was closed meanwhile
        return True


def _write(pipe: IO[bytes], data: bytes) -> None:
    pipe.write(_HEAD.pack(len(data)) + data)
    pipe.flush()


def _read(pipe: IO[bytes]) -> bytes | None:
    """A message, or `None` if the pipe is at its end."""
    head = pipe.read(_HEAD.size)
    if len(head) < _HEAD.size:
        return None
    size: int = _HEAD.unpack(head)[0]
    data = pipe.read(size)
    return data if len(data) == size else None


def serve() -> None:
    """The child: answer until the parent is gone."""
    if _STATM.exists():  # Linux: beside what the engine has reserved for its stack
        limit = int(_STATM.read_text().split()[5]) * resource.getpagesize() + MEMORY
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _write(sys.stdout.buffer, b"{}")
    while True:
        request = _read(sys.stdin.buffer)
        if request is None:
            return
        _write(sys.stdout.buffer, _encode(_answer(_decode(request))))


def _answer(request: dict[str, Any]) -> dict[str, Any]:
    dice = Dice(request["seed"])
    dice.now = request["now"]
    try:
        value = jsonata.parse_expression(request["text"]).evaluate_here(request["bindings"], dice)
        return {"full": True} if value is not None and len(value) > MAX_REPLY else {"value": value}
    except jsonata.JsonataError as error:
        return {"full": True} if "MemoryError" in str(error) else {"error": str(error)}
    except MemoryError:
        return {"full": True}
