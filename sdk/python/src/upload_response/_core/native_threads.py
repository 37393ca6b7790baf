"""Threads and locks of the operating system, even where gevent has replaced them by green ones.

A thread that waits for the server sleeps in the C SDK, and all its green threads stand still
with it: a green thread that waits for another one would never run again.
"""

from __future__ import annotations

import _thread
import collections
import contextlib
import logging
import sys
import threading
from collections.abc import Callable
from typing import Any

from .errors import CannotServe

log = logging.getLogger("upload_response")

# The longest single sleep of a thread. Only the main thread runs signal handlers, and a signal
# that arrives right before its sleep, or in another thread, does not wake it.
LONGEST_SLEEP = 1.0  # seconds


def _gevent() -> Any:
    """Return the module that records what gevent has patched, if it has patched threads."""
    monkey = sys.modules.get("gevent.monkey")
    return monkey if monkey is not None and monkey.is_module_patched("threading") else None


def _eventlet() -> bool:
    """Return whether eventlet has patched threads. Its locks work in one thread only."""
    patcher = sys.modules.get("eventlet.patcher")
    return patcher is not None and bool(patcher.is_monkey_patched("thread"))


def _original(name: str) -> Any:
    """Return a function of the module _thread, not the one that gevent has put in its place."""
    gevent = _gevent()
    return getattr(_thread, name) if gevent is None else gevent.get_original("_thread", name)


def lock() -> Any:
    """Return a lock of the operating system."""
    return _original("allocate_lock")()


def get_ident() -> int:
    """Return the number of this thread."""
    number: int = _original("get_ident")()
    return number


class Condition:
    """A condition variable like threading.Condition."""

    def __init__(self) -> None:
        self._new_lock = _original("allocate_lock")
        self._lock = self._new_lock()
        self._waiting: collections.deque[Any] = collections.deque()
        self.acquire, self.release = self._lock.acquire, self._lock.release

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    def wait(self, seconds: float) -> None:
        """Wait for a notification, or for `seconds`. The lock is released during the wait."""
        waiter = self._new_lock()
        waiter.acquire()
        self._waiting.append(waiter)
        self._lock.release()
        try:
            waiter.acquire(True, seconds)
        finally:
            self._lock.acquire()
            with contextlib.suppress(ValueError):  # it was notified
                self._waiting.remove(waiter)

    def notify(self) -> None:
        """Wake one waiter."""
        if self._waiting:
            self._waiting.popleft().release()

    def notify_all(self) -> None:
        """Wake all waiters."""
        while self._waiting:
            self.notify()


class _Thread:
    """A thread of the operating system unknown to the module threading."""

    def __init__(self, run: Callable[[], None]) -> None:
        self._run = run
        self._alive = lock()

    def start(self) -> None:
        self._alive.acquire()
        _original("start_new_thread")(self._bootstrap, ())

    def _bootstrap(self) -> None:
        try:
            self._run()
        finally:
            self._alive.release()

    def join(self, seconds: float = -1) -> None:
        if self._alive.acquire(True, seconds):
            self._alive.release()

    def is_alive(self) -> bool:
        alive: bool = self._alive.locked()
        return alive


def threads(run: Callable[[], None], count: int, *, daemon: bool) -> list[Any]:
    """Return `count` threads, not yet started, with start(), join() and is_alive()."""
    if _gevent() is not None:
        return [_Thread(run) for _ in range(count)]
    if _eventlet():
        log.error("eventlet has patched threads, and a worker needs real ones: do not call monkey_patch()")
        raise CannotServe
    names = [f"upload-response-{i}" for i in range(count)]
    return [threading.Thread(target=run, name=name, daemon=daemon) for name in names]
