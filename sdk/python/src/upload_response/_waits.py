"""What is said while there is no server: once when the wait begins, and when it is over."""

from __future__ import annotations

import contextlib
import logging
import os
from typing import TYPE_CHECKING

from ._link import default_socket
from ._processes import end_with_parent

if TYPE_CHECKING:
    from ._errors import AttachError
    from ._link import Server
    from ._worker import Options

# Names the descriptor of a pipe which is written to when a process has attached.
READY = "UPLOAD_RESPONSE_READY_FD"

log = logging.getLogger("upload_response")


class Waits:
    """The waits of a process, whose threads wait for the same server."""

    def __init__(self) -> None:
        self._waiting = self._said = False
        self._asks: int | None = None  # to be told that we are attached

    def begin(self) -> None:
        """Note that the server is gone, which was said."""
        self._waiting = True

    def say(self, error: AttachError) -> None:
        """Say what we wait for."""
        if not self._said:
            self._waiting = self._said = True
            log.warning("waiting for the server: %s", error)

    def end(self, options: Options, server: Server) -> None:
        """Say that we are attached, if somebody was told that we were not, or asks."""
        self._tell()
        if self._waiting:
            self._waiting = self._said = False
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
