"""Runs a gateway in threads and processes, and ends it in time."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .._core import native_threads
from .processes import supervise
from .stop import Stop, stop_on_signals

log = logging.getLogger("upload_response")

# The time that a process may take to end, after its graceful timeout, before it is killed.
_GRACE = 5.0  # seconds


@dataclass(frozen=True)
class Service:
    """The options for running a gateway."""

    processes: int = 1
    graceful_timeout: float = 30.0  # seconds that running requests have at the end

    def __post_init__(self) -> None:
        if self.processes < 1:
            raise ValueError(f"{self.processes} processes cannot serve")

    def run(self, process: Callable[[], None]) -> None:
        """Run a function, in this process or in several, until SIGTERM or SIGINT arrives."""
        if self.processes > 1:
            supervise(process, self.processes, self.graceful_timeout + _GRACE)
        else:
            process()

    def run_threads(self, thread: Callable[[Stop], None], count: int) -> None:
        """Run threads until they are told to stop, and have stopped. Those that are late end with
        the process.

        The main thread only waits, so that no signal handler interrupts an application.
        """
        if count < 1:
            raise ValueError(f"{count} threads cannot serve")
        failures: list[BaseException] = []
        with stop_on_signals() as stop:

            def run() -> None:
                try:
                    thread(stop)
                except BaseException as error:
                    failures.append(error)
                    stop.set()

            threads = native_threads.threads(run, count, daemon=True)
            for each in threads:
                each.start()
            stop.wait_until_set()
            self._join(threads)
        if failures:
            raise failures[0]

    def _join(self, threads: list[Any]) -> None:
        until = time.monotonic() + self.graceful_timeout
        for each in threads:
            each.join(max(0.0, until - time.monotonic()))
        late = sum(each.is_alive() for each in threads)
        if late:
            log.error("%d requests did not finish within %g seconds", late, self.graceful_timeout)
            logging.shutdown()
            os._exit(1)
