"""A worker: one link, and the requests that come over it."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType

from .._core import native_threads
from .._core.exchange import DroppedExchange
from .._core.ffi import WAIT_STREAM
from .._core.link import Link, Server
from .bell import Bell
from .request import Request


@dataclass(frozen=True)
class Options:
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


class Worker(WorkerBase):
    """An attached worker; iterating gives its requests. Threads may share it."""

    def __init__(
        self,
        socket: str | os.PathLike[str] | None = None,
        *,
        pool: str | None = None,
        lanes: int = 1,
        name: str = "",
        max_held: int = 256,
        attach_timeout: float = 10.0,
        server_uid: int | None = None,
    ) -> None:
        """Attach. lanes: requests that are served at once; max_held: slots of one request
        that views may hold; server_uid: a user whose server is believed, beside our own and
        root.
        """
        self._attach(Options(socket, pool, lanes, name, max_held, attach_timeout, server_uid))

    @classmethod
    def attached(cls, options: Options) -> Worker:
        """Return a worker that is attached so."""
        worker = cls.__new__(cls)
        worker._attach(options)
        return worker

    def _attach(self, options: Options) -> None:
        super().__init__(options.attach())
        self._link.bell = Bell()
        self._link.on_room = self._link.on_end = self._link.bell.end_round
        self._link.waiting = self._link.bell.waiting
        self._taking = native_threads.lock()

    def next(self, timeout: float | None = None) -> Request | None:
        """Return the next request, or None after drain() when the last has come."""
        deadline = None if timeout is None else time.monotonic() + timeout
        link = self._link
        while True:
            link.alive()  # in a forked child the lock may be anybody's
            seen = link.bell.rounds
            with self._taking:
                taken = link.take()
            if taken is not None:
                return Request(DroppedExchange(link, taken)) if taken else None
            link.bell.wait(link, WAIT_STREAM, seen, deadline)

    def close(self) -> None:
        """End the link. Requests in progress break off; views of them stay what they are."""
        super().close()
        self._link.bell.end_round()

    def __iter__(self) -> Iterator[Request]:
        while True:
            request = self.next()
            if request is None:
                return
            yield request
            del request  # or it would live until the next one comes

    def __enter__(self) -> Worker:
        return self

    def __exit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        self.close()
