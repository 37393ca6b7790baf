"""A worker for threads."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from types import TracebackType

from .._core import native_threads
from .._core.exchange import AbortOnDropExchange
from .._core.ffi import WAIT_STREAM
from .._core.worker import WorkerBase, WorkerOptions
from .bell import Bell
from .request import Request


class Worker(WorkerBase):
    """An attached worker. Iteration yields its requests. Threads may share it."""

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
        """Attach to a server.

        lanes: requests served at the same time. max_held: slots of one request that views may
        hold. server_uid: a user whose server to trust, besides our own user and root.
        """
        self._attach(WorkerOptions(socket, pool, lanes, name, max_held, attach_timeout, server_uid))

    @classmethod
    def attached(cls, options: WorkerOptions) -> Worker:
        """Return a worker that is attached with these options."""
        worker = cls.__new__(cls)
        worker._attach(options)
        return worker

    def _attach(self, options: WorkerOptions) -> None:
        super().__init__(options.attach())
        self._bell = Bell()
        self._link.on_room = self._link.on_end = self._bell.end_round
        self._link.waiting = self._bell.waiting
        self._taking = native_threads.lock()

    def next(self, timeout: float | None = None) -> Request | None:
        """Wait for the next request. Return None when none will come after drain()."""
        deadline = None if timeout is None else time.monotonic() + timeout
        link, bell = self._link, self._bell
        while True:
            link.alive()  # in a forked child another thread may hold the lock without end
            seen = bell.rounds
            with self._taking:
                taken = link.take()
            if taken is not None:
                return Request(AbortOnDropExchange(link, taken), bell) if taken else None
            bell.wait(link, WAIT_STREAM, seen, deadline)

    def close(self) -> None:
        """End the link. Requests in progress are aborted; views of them stay valid."""
        super().close()
        self._bell.end_round()

    def __iter__(self) -> Iterator[Request]:
        while True:
            request = self.next()
            if request is None:
                return
            yield request
            del request  # else it would live until the next one arrives

    def __enter__(self) -> Worker:
        return self

    def __exit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        self.close()
