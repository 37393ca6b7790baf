"""Prints the stacks of this process to standard error on a signal, and what each request does.

The server asks for them before it ends a worker that is stuck. The stacks of threads are printed
from the signal handler itself (faulthandler), also while code in C holds the GIL. Which thread or
task serves which request follows as soon as the interpreter can run code in the main thread.
"""

from __future__ import annotations

import asyncio
import contextlib
import faulthandler
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

from .._core.exchange import Exchange

# A real-time signal: programs and libraries use SIGUSR1 and SIGUSR2 for ends of their own.
SIGNAL = 40

_STANDARD_ERROR = 2
_MAX_BYTES = 64 << 10  # that are printed about requests
_MAX_FRAMES = 100  # of one task, as faulthandler prints of a thread

FindExchange = Callable[[Mapping[str, Any]], Exchange]

_finders: dict[CodeType, FindExchange] = {}  # by the code of a function that serves a request


def serves(function: Any, find: FindExchange) -> None:
    """Have requests that a function serves reported. find: returns the exchange from its local variables."""
    _finders[function.__code__] = find


# ------------------------------------------------------------- the signal


class _Handler:
    """The handler of the signal. It is installed while somebody uses it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users = 0
        self.loops: dict[asyncio.AbstractEventLoop, int] = {}  # in use, and how often

    def acquire(self, loop: asyncio.AbstractEventLoop | None) -> int:
        """Return the signal, or 0 if the process uses it for something else. Release: release."""
        with self._lock:
            if self._users == 0 and not self._install():
                return 0
            self._users += 1
            if loop is not None:
                self.loops[loop] = self.loops.get(loop, 0) + 1
            return SIGNAL

    def release(self, loop: asyncio.AbstractEventLoop | None) -> None:
        """Stop using the handler."""
        with self._lock:
            if loop is not None:
                self.loops[loop] -= 1
                if self.loops[loop] == 0:
                    del self.loops[loop]
            self._users -= 1
            if self._users == 0:
                faulthandler.unregister(SIGNAL)
                with contextlib.suppress(ValueError):  # another thread cannot: it goes on to report
                    signal.signal(SIGNAL, signal.SIG_DFL)

    def _install(self) -> bool:
        if not _is_free():
            return False
        try:
            signal.signal(SIGNAL, _on_signal)
            chain = True
        except ValueError:  # only the main thread can
            chain = False
        faulthandler.register(SIGNAL, _STANDARD_ERROR, all_threads=True, chain=chain)
        return True


def _is_free() -> bool:
    """Return whether the process neither handles the signal nor ignores it.

    The kernel knows, whoever installed a handler: Python does not see those of C libraries, nor
    those of faulthandler.
    """
    taken = 0
    try:
        for line in Path("/proc/self/status").read_text("utf-8").splitlines():
            if line.startswith(("SigIgn:", "SigCgt:")):
                taken |= int(line.split()[1], 16)
    except OSError:
        return False
    return not taken >> (SIGNAL - 1) & 1


_handler = _Handler()


@contextlib.contextmanager
def printed(loop: asyncio.AbstractEventLoop | None = None) -> Iterator[int]:
    """Print stacks on a signal, and yield that; 0 if the process uses it for something else.

    loop: the event loop whose tasks serve requests.
    """
    number = _handler.acquire(loop)
    try:
        yield number
    finally:
        if number:
            _handler.release(loop)


# ------------------------------------------------------------- the report


def _on_signal(_: int, __: FrameType | None) -> None:
    with contextlib.suppress(Exception):  # an application must not see it
        _write(_report())


def _write(text: str) -> None:
    """Write to standard error, without the stream of Python, which the signal may have interrupted."""
    left = text.encode("utf-8", "backslashreplace")[:_MAX_BYTES]
    while left:
        left = left[os.write(_STANDARD_ERROR, left) :]


def _report() -> str:
    lines = [f"requests of worker process {os.getpid()}:"]
    lines += _threads()
    for loop in list(_handler.loops):
        lines += _tasks(loop)
    return "\n".join([*lines, "end of requests", ""])


def _threads() -> Iterator[str]:
    """Return a line for each request that a thread serves; the stacks were printed before."""
    for ident, top in sys._current_frames().items():
        frame: FrameType | None = top
        while frame is not None:
            exchange = _exchange(frame)
            if exchange is not None:
                yield f"{_describe(exchange)} in thread 0x{ident:016x}"
            frame = frame.f_back


def _tasks(loop: asyncio.AbstractEventLoop) -> list[str]:
    """Return the stacks of the tasks that wait: those of requests first, then the others."""
    requests: list[str] = []
    others: list[str] = []
    for task in asyncio.all_tasks(loop):
        coroutine: Any = task.get_coro()
        if getattr(coroutine, "cr_running", False):  # it is on the stack of a thread
            continue
        frames = _frames(coroutine)
        exchange = _exchange(frames[0]) if frames else None
        if exchange is not None:
            requests += (f"{_describe(exchange)} in a task (most recent call first):", *_lines(frames))
        else:
            others += (f"task {task.get_name()} (most recent call first):", *_lines(frames))
    return requests + others


def _frames(coroutine: Any) -> list[FrameType]:
    """Return the frames of a coroutine that waits, and of those for which it waits."""
    frames: list[FrameType] = []
    while coroutine is not None and len(frames) < _MAX_FRAMES:
        kind = next((kind for kind in ("cr", "gi", "ag") if hasattr(coroutine, f"{kind}_frame")), None)
        frame = getattr(coroutine, f"{kind}_frame", None)
        if frame is None:  # a future, or an object of a C library
            break
        frames.append(frame)
        coroutine = getattr(coroutine, "gi_yieldfrom" if kind == "gi" else f"{kind}_await")
    return frames


def _lines(frames: list[FrameType]) -> Iterator[str]:
    for frame in reversed(frames):
        code = frame.f_code
        yield f'  File "{code.co_filename}", line {frame.f_lineno} in {code.co_name}'


def _exchange(frame: FrameType) -> Exchange | None:
    """Return the exchange that a function serves, or None."""
    find = _finders.get(frame.f_code)
    if find is None:
        return None
    try:
        return find(frame.f_locals)
    except (KeyError, AttributeError):  # it has only begun
        return None


def _describe(exchange: Exchange) -> str:
    method, target = exchange.parts[0], exchange.parts[3]
    return f"{method} {target}" if exchange.handle else f"{method} {target} (after the end of its response)"
