"""Logs the wait for a server: once when it begins, and once when a worker has attached."""

from __future__ import annotations

import contextlib
import logging
import os
import threading

from .._core.errors import AttachError
from .._core.link import Server, default_socket
from .._core.worker import WorkerOptions
from .processes import end_with_parent

# The variable with the descriptor of a pipe, to which a process writes when it has attached.
READY = "UPLOAD_RESPONSE_READY_FD"

log = logging.getLogger("upload_response")


class AttachLog:
    """The log of the threads of a process, which wait for the same server."""

    def __init__(self) -> None:
        self.attachments = 0
        self._lock = threading.Lock()
        self._waiting = self._logged = False
        self._ready: int | None = None  # the descriptor that READY names

    def lost(self) -> None:
        """Note that a link was lost, which its thread has logged."""
        with self._lock:
            self._waiting = True

    def failed(self, error: AttachError, attachments: int) -> None:
        """Log, once, that we wait for the server.

        attachments: their number when the attempt began that failed. Another thread may have
        attached since.
        """
        with self._lock:
            if self._logged or attachments != self.attachments:
                return
            self._waiting = self._logged = True
        log.warning("waiting for the server: %s", error)

    def attached(self, options: WorkerOptions, server: Server) -> None:
        """Log that a worker has attached, if the log says that we wait, and report it as READY asks."""
        with self._lock:
            self.attachments += 1
            waited = self._waiting
            self._waiting = self._logged = False
            self._report()
        if waited:
            log.info("attached to %s, process %d", options.socket or default_socket(), server.pid)

    def _report(self) -> None:
        ready, self._ready = self._ready, None
        if ready is not None:
            with contextlib.suppress(OSError):  # the reader has ended
                os.write(ready, b"x")
            os.close(ready)

    def read_environment(self) -> None:
        """Look whether READY is set. If it is, this process ends with its parent, which set it."""
        ready = os.environ.pop(READY, "")
        if ready.isdigit():
            self._ready = int(ready)
            os.set_inheritable(self._ready, False)
            end_with_parent()


attach_log = AttachLog()
