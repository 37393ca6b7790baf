"""The part of a worker that threads and event loops share."""

from __future__ import annotations

import os
from dataclasses import dataclass

from .link import Link, Server


@dataclass(frozen=True)
class WorkerOptions:
    """The options for attaching."""

    socket: str | os.PathLike[str] | None = None
    pool: str | None = None
    lanes: int = 1
    name: str = ""
    max_held: int = 256
    attach_timeout: float = 10.0
    server_uid: int | None = None
    stacks: int = 0  # the signal on which this process prints its stacks; 0: none

    def attach(self) -> Link:
        """Attach, and return the link."""
        pool = self.pool or os.environ.get("UPLOAD_RESPONSE_POOL") or "default"
        return Link(
            *(self.socket or "", pool, self.name, self.lanes, self.max_held, self.attach_timeout),
            self.server_uid or 0,
            self.stacks,
        )


class WorkerBase:
    """Base of Worker and AsyncWorker."""

    def __init__(self, link: Link) -> None:
        self._link = link

    @property
    def slot_size(self) -> int:
        """The size of a slot in bytes."""
        return self._link.slot_size

    @property
    def server(self) -> Server:
        """The server to which the worker is attached."""
        return self._link.server()

    @property
    def counters(self) -> dict[str, int]:
        """Counters of what this link has done so far."""
        return self._link.counters()

    @property
    def closed(self) -> bool:
        """Whether close() was called."""
        return self._link.attachment is None

    def drain(self) -> None:
        """Ask the server for no more requests. Those already assigned still arrive; then the
        iteration ends.

        It can be called from any thread and from a signal handler.
        """
        self._link.drain()

    def close(self) -> None:
        """End the link. Requests in progress are aborted; views of them stay valid."""
        self._link.close()
