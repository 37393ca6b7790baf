"""What is said while there is no server: once when the wait begins, and when it is over."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from typing import TYPE_CHECKING

from .._core.link import default_socket
from .processes import end_with_parent

if TYPE_CHECKING:
    from .._core.errors import AttachError
    from .._core.link import Server
    from .._core.worker import WorkerOptions

# Names the descriptor of a pipe which is written to when a process has attached.
READY = "UPLOAD_RESPONSE_READY_FD"

log = logging.getLogger("upload_response")


class Waits:
    """The waits of a process, whose threads wait for the same server."""

    def __init__(self) -> None:
        self.attached = 0  # how often we were
        self._lock = threading.Lock()
        self._waiting = self._said = False
        self._asks: int | None = None  # to be told that we are attached

    def begin(self) -> None:
        """Note that the server is gone, which was said."""
        with self._lock:
            self._waiting = True

    def say(self, error: AttachError, attached: int) -> None:
        """Say what we wait for. With how often we were attached when the attempt began that
        came to nothing: another thread may have had more luck since.
        """
        with self._lock:
            if self._said or attached != self.attached:
                return
            self._waiting = self._said = True
        log.warning("waiting for the server: %s", error)

    def end(self, options: WorkerOptions, server: Server) -> None:
        """Say that we are attached, if somebody was told that we were not, or asks."""
        with self._lock:
            self.attached += 1
            waited = self._waiting
            self._waiting = self._said = False
            self._tell()
        if waited:
            log.info("attached to %s, process %d", options.socket or default_socket(), server.pid)

    def _tell(self) -> None:
        told, self._asks = self._asks, None
        if told is not None:
            with contextlib.suppress(OSError):  # who asked has ended
                os.write(told, b"x")
            os.close(told)

    def expect(self) -> None:
        """Look whether somebody asks to be told that we are attached. We end when it does."""
        asks = os.environ.pop(READY, "")
        if asks.isdigit():
            self._asks = int(asks)
            os.set_inheritable(self._asks, False)
            end_with_parent()


waits = Waits()
