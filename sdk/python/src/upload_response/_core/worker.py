"""What the workers for threads and for event loops have in common."""

from __future__ import annotations

import os
from dataclasses import dataclass

from .link import Link, Server


@dataclass(frozen=True)
class WorkerOptions:
    """How to attach."""

    socket: str | os.PathLike[str] | None = None
    pool: str | None = None
    lanes: int = 1
    name: str = ""
    max_held: int = 256
    attach_timeout: float = 10.0
    server_uid: int | None = None

    def attach(self) -> Link:
        """Return a new link."""
        pool = self.pool or os.environ.get("UPLOAD_RESPONSE_POOL") or "default"
        return Link(
            *(self.socket or "", pool, self.name, self.lanes, self.max_held, self.attach_timeout),
            self.server_uid or 0,
        )


class WorkerBase:
    """What the worker for threads and that for event loops have in common."""

    def __init__(self, link: Link) -> None:
        self._link = link

    @property
    def slot_size(self) -> int:
        """The most bytes that a slot can have."""
        return self._link.slot_size

    @property
    def server(self) -> Server:
        """Who is at the other end."""
        return self._link.server()

    @property
    def counters(self) -> dict[str, int]:
        """What this link has done so far."""
        return self._link.counters()

    @property
    def closed(self) -> bool:
        """Whether it was closed here."""
        return self._link.attachment is None

    def drain(self) -> None:
        """Ask for no more requests: those that were assigned still come, then the iteration
        ends. It can be called from any thread, and from a signal handler.
        """
        self._link.drain()

    def close(self) -> None:
        """End the link. Requests in progress break off; views of them stay what they are."""
        self._link.close()
