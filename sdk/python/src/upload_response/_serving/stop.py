"""A flag that says that it is time to stop, and signals that set it."""

from __future__ import annotations

import contextlib
import os
import select
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from .._core.native_threads import LONGEST_SLEEP

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Stop:
    """A flag that is set once. Unlike a threading.Event, it can be set by a signal handler that
    interrupts the wait for it.
    """

    def __init__(self) -> None:
        self._read, self._write = os.pipe()
        self._is_set = False
        self._actions: dict[object, Callable[[], None]] = {}

    def __bool__(self) -> bool:
        return self._is_set

    def set(self) -> None:
        """Set the flag, wake all waiters, and run the actions."""
        if not self._is_set:
            self._is_set = True
            os.write(self._write, b"x")  # never read, so that it wakes every waiter
            for action in list(self._actions.values()):
                action()

    def wait(self, seconds: float) -> bool:
        """Wait for `seconds` at most, and return whether it is time to stop."""
        select.select([self._read], [], [], seconds)
        return self._is_set

    def wait_until_set(self) -> None:
        """Wait until it is time to stop."""
        while not self.wait(LONGEST_SLEEP):
            pass

    def fileno(self) -> int:
        """Return a descriptor that is readable once the flag is set."""
        return self._read

    @contextmanager
    def when_set(self, action: Callable[[], None]) -> Iterator[None]:
        """Run an action when the flag is set, or now if it is set already."""
        key = object()
        self._actions[key] = action
        try:
            if self._is_set:
                action()
            yield
        finally:
            del self._actions[key]

    def close(self) -> None:
        """Close the descriptors."""
        os.close(self._read)
        os.close(self._write)


@contextmanager
def stop_on_signals() -> Iterator[Stop]:
    """Let SIGTERM and SIGINT set a flag; a second one has its former effect.

    Only the main thread can handle signals: in another thread nothing sets the flag.
    """
    stop = Stop()
    before: dict[int, Any] = {}

    def on_signal(number: int, _: FrameType | None) -> None:
        signal.signal(number, before[number])
        stop.set()

    with contextlib.suppress(ValueError):  # this is another thread
        for number in map(int, SIGNALS):
            found = installed(number)
            signal.signal(number, on_signal)
            before[number] = found
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        stop.close()


def installed(number: int) -> Any:
    """Return the handler of a signal. One that Python did not install counts as the default."""
    handler = signal.getsignal(number)
    return signal.SIG_DFL if handler is None else handler
