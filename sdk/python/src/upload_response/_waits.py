"""What is said while there is no server: once when the wait begins, and when it is over."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from ._link import default_socket

if TYPE_CHECKING:
    from ._errors import AttachError
    from ._link import Server
    from ._worker import Options

log = logging.getLogger("upload_response")


class Waits:
    """The waits of a process, whose threads wait for the same server."""

    def __init__(self) -> None:
        self._waiting = self._said = False

    def begin(self) -> None:
        """Note that the server is gone, which was said."""
        self._waiting = True

    def say(self, error: AttachError) -> None:
        """Say what we wait for."""
        if not self._said:
            self._waiting = self._said = True
            log.warning("waiting for the server: %s", error)

    def end(self, options: Options, server: Server) -> None:
        """Say that we are attached, if somebody was told that we were not."""
        if self._waiting:
            self._waiting = self._said = False
            log.info("attached to %s, process %d", options.socket or default_socket(), server.pid)


waits = Waits()
