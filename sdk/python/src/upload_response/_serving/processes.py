"""Runs worker processes, and starts them again when they end."""

from __future__ import annotations

import ctypes
import logging
import multiprocessing
import multiprocessing.connection
import os
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

from .._core.errors import AttachError, CannotServe
from .._core.native_threads import LONGEST_SLEEP
from .stop import SIGNALS, Stop, stop_on_signals

log = logging.getLogger("upload_response")

_REFUSED = 78  # EX_CONFIG: the server refuses this worker for good
_CANNOT_SERVE = 70  # EX_SOFTWARE: the application cannot be started
_SHORT_LIFE, _PAUSE = 1.0, 0.5  # seconds; a process that ends sooner is started again after the pause
_PR_SET_PDEATHSIG = 1


def end_with_parent() -> None:
    """Have the kernel send SIGTERM to this process when its parent ends."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _can_flush() -> bool:
    """Flush standard output and error, as multiprocessing does around a process.

    Return False if that fails, which would make multiprocessing raise an error.
    """
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (AttributeError, ValueError):  # the stream is closed
            pass
        except OSError:
            return False
    return True


def _child(run: Callable[[], None], parent: int, streams: tuple[Any, Any]) -> None:
    """Serve in a child process, and exit with a status that says why, even if output fails."""
    sys.stdout, sys.stderr = streams
    try:
        _serve(run, parent)
    finally:
        if not _can_flush():
            sys.stdout = sys.stderr = None


def _serve(run: Callable[[], None], parent: int) -> None:
    """Serve until the parent ends, which also forwards signals: those of a terminal reach both.

    The signals are blocked until they have handlers of this process: to those of the parent, which
    a fork copies, they would be lost.
    """
    end_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    if os.getppid() != parent:
        return
    try:
        run()
    except AttachError as error:
        log.error("%s", error)
        raise SystemExit(_REFUSED) from None
    except CannotServe:
        raise SystemExit(_CANNOT_SERVE) from None


class _Children:
    def __init__(self, run: Callable[[], None]) -> None:
        self._run = run
        self._context = multiprocessing.get_context("fork")
        self.started: dict[Any, float] = {}

    def add(self) -> None:
        streams = sys.stdout, sys.stderr
        process = self._context.Process(target=_child, args=(self._run, os.getpid(), streams))
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        try:
            if not _can_flush():
                sys.stdout = sys.stderr = None
            process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            sys.stdout, sys.stderr = streams
        self.started[process] = time.monotonic()

    def ended(self, stop: Stop) -> list[Any]:
        """Wait until a process has ended, it is time to stop, or LONGEST_SLEEP has passed."""
        multiprocessing.connection.wait([*(p.sentinel for p in self.started), stop.fileno()], LONGEST_SLEEP)
        return [p for p in self.started if p.exitcode is not None]

    def replace(self, process: Any, stop: Stop) -> None:
        """Start another process in place of one that has ended."""
        process.join()
        lived = time.monotonic() - self.started.pop(process)
        if process.exitcode == _REFUSED:
            raise AttachError("the server refuses this worker: see the log")
        if process.exitcode == _CANNOT_SERVE:
            raise CannotServe
        log.warning("worker process %d ended with %d, starting another", process.pid, process.exitcode)
        if lived > _SHORT_LIFE or not stop.wait(_PAUSE):
            self.add()

    def end(self, timeout: float | None) -> None:
        """Let all processes finish what is running, and kill those that take longer than the timeout."""
        for process in self.started:
            process.terminate()
        until = None if timeout is None else time.monotonic() + timeout
        for process in self.started:
            process.join(None if until is None else max(0.0, until - time.monotonic()))
            if process.exitcode is None:
                log.warning("worker process %d does not end: killing it", process.pid)
                process.kill()
                process.join()


def supervise(run: Callable[[], None], processes: int, timeout: float | None = None) -> None:
    """Keep `processes` processes running until SIGTERM or SIGINT arrives."""
    children = _Children(run)
    with stop_on_signals() as stop:
        try:
            for _ in range(processes):
                children.add()
            while not stop:
                for process in children.ended(stop):
                    children.replace(process, stop)
        finally:
            children.end(timeout)
