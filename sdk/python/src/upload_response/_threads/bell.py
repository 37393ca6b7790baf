"""Lets threads wait for a link: one of them sleeps at its bell, the others wait for that one."""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import time

from .._core.errors import Timeout
from .._core.ffi import WAIT_NEWS, lib
from .._core.link import Link
from .._core.native_threads import LONGEST_SLEEP, Condition
from .._core.request_handle import RequestHandle, Steps, T

_SLICE = LONGEST_SLEEP

# The results of ur_sleep when something other than the bell ended the sleep.
_NO_RING = (-errno.ETIMEDOUT, -errno.EINTR)


class Bell:
    """Threads that can do nothing sleep here until there may be news.

    One thread sleeps on the descriptors for all of them. Each ring ends a round, after which every
    thread looks for itself, so that news of requests need not be sorted.

    A thread reads `rounds`, looks, and then waits for the end of that round: news that arrive
    between the look and the wait end the round as well.
    """

    def __init__(self) -> None:
        self.rounds = 0
        self._numbers = itertools.count(1)
        self._changed = Condition()
        self._reasons: list[int] = []  # for which each waiting thread waits
        self.waiting: list[int] = []  # the handles of their requests, or 0
        self._sleeper = False  # a thread sleeps on the descriptors
        self._armed = 0  # the reasons that the sleeper has announced
        self._wake_read, self._wake_write = os.pipe()  # wakes the sleeper, to announce more reasons
        os.set_blocking(self._wake_read, False)

    def __del__(self) -> None:
        os.close(self._wake_read)
        os.close(self._wake_write)

    def wait(
        self,
        link: Link,
        reasons: int,
        seen: int,
        deadline: float | None = None,
        request: RequestHandle | None = None,
    ) -> None:
        """Sleep until there may be news, or the round `seen` is over; the end of `request` counts as
        news. Raise Timeout at the deadline.
        """
        handle = 0 if request is None else request.handle
        with self._changed:
            self._reasons.append(reasons)
            self.waiting.append(handle)  # before the look at the handle; its end writes the handle first
            try:
                while self.rounds == seen and (request is None or request.handle):
                    left = _SLICE if deadline is None else min(_SLICE, deadline - time.monotonic())
                    if left <= 0:
                        raise Timeout
                    if self._sleeper:
                        self._wait_for_sleeper(reasons, left)
                    else:
                        self._sleep(link, left)
            finally:
                self._reasons.remove(reasons)
                self.waiting.remove(handle)
                if self._reasons and not self._sleeper:
                    self._changed.notify()  # another one has to sleep now

    def run(self, request: RequestHandle, steps: Steps[T], deadline: float | None = None) -> T:
        """Run the steps, sleep where they have to wait, and return their result."""
        try:
            while True:
                seen = self.rounds
                next(steps)
                self.wait(request.link, WAIT_NEWS, seen, deadline, request)
        except StopIteration as stop:
            value: T = stop.value
            return value

    def _wait_for_sleeper(self, reasons: int, seconds: float) -> None:
        if reasons & ~self._armed:
            self._armed |= reasons  # one wake-up is enough
            os.write(self._wake_write, b"x")
        self._changed.wait(seconds)

    def _sleep(self, link: Link, seconds: float) -> None:
        """Sleep on the descriptors. The lock is released during the sleep."""
        at = link.alive()
        armed = 0
        for reasons in self._reasons:
            armed |= reasons
        self._armed, self._sleeper = armed, True
        self._changed.release()
        try:
            milliseconds = int(seconds * 1000) + 1
            code = lib.ur_sleep(at.argument, armed, milliseconds, self._wake_read, lib.leave, lib.enter)
        finally:
            self._changed.acquire()
            self._sleeper = False
        if code not in (0, -errno.ENOTCONN, *_NO_RING):  # when the link is dead, the next look says why
            raise link.error(code)
        if code == -errno.EINTR:
            with contextlib.suppress(BlockingIOError):
                os.read(self._wake_read, 4096)
        self.rounds = next(self._numbers)  # in any case: ur_sleep has dropped the news that arrived
        if len(self._reasons) > 1:
            self._changed.notify_all()

    def end_round(self, _: int = 0) -> None:
        """Make all threads look. It takes no lock: the finalizer of a request may call it at any
        point of any code.
        """
        self.rounds = next(self._numbers)
        os.write(self._wake_write, b"x")
