"""Responses for threads."""

from __future__ import annotations

import os
from types import TracebackType
from typing import TYPE_CHECKING, BinaryIO

from .._core.exchange import Exchange
from .._core.headers import HeadersLike
from .._core.outgoing import ENDED, NOT_STARTED
from .._core.waiter import Waiter

if TYPE_CHECKING:
    from typing_extensions import Buffer


class Response:
    """The response to a request: start, write, end."""

    __slots__ = ("_exchange", "_waiter")

    def __init__(self, exchange: Exchange, waiter: Waiter) -> None:
        self._exchange = exchange
        self._waiter = waiter

    @property
    def started(self) -> bool:
        """Whether start() was called."""
        return self._exchange.progress != NOT_STARTED

    @property
    def ended(self) -> bool:
        """Whether the response has ended, well or not."""
        return self._exchange.progress == ENDED

    def interim(self, status: int, headers: HeadersLike = None) -> None:
        """Send an interim response, such as 103 Early Hints, at once. Its status is from 102 to 199."""
        self._waiter.run(self._exchange, self._exchange.interim(status, headers))

    def start(self, status: int = 200, headers: HeadersLike = None) -> None:
        """Set the status and the headers, which are a mapping, or pairs, of str or bytes."""
        self._exchange.start(status, headers)

    def write(self, data: Buffer | str) -> None:
        """Add the bytes of a contiguous buffer, or a str as UTF-8, to the body.

        They are copied before it returns. It waits while the client is too slow.
        """
        if not self._exchange.buffer(data):
            self._waiter.run(self._exchange, self._exchange.write(data))

    def reserve(self, size: int) -> memoryview:
        """Return room for at least one byte, and at most `size`, in shared memory.

        Fill it, drop what you made from it, and commit().
        """
        return self._waiter.run(self._exchange, self._exchange.reserve(size))

    def commit(self, size: int) -> None:
        """Make the first bytes of the reserved room part of the body.

        The room and everything made from it are invalid after that.
        """
        self._exchange.commit(size)

    def flush(self) -> None:
        """Send what was written so far."""
        self._waiter.run(self._exchange, self._exchange.flush())

    def trailers(self, fields: HeadersLike) -> None:
        """Send trailers. Only end() may follow."""
        self._waiter.run(self._exchange, self._exchange.add_trailers(fields))

    def end(self) -> None:
        """End the response."""
        if self._exchange.room is not None or not self._exchange.respond_whole():
            self._waiter.run(self._exchange, self._exchange.end())

    def abort(self) -> None:
        """Abort the response: the client sees an error or an incomplete response."""
        self._exchange.abort()

    def send_file(self, file: BinaryIO | int, offset: int | None = None, count: int | None = None) -> int:
        """Read a file, or `count` bytes of it, into the shared memory of the body.

        Return the number of bytes. Without an offset, read from the position of the file.
        """
        descriptor = file if isinstance(file, int) else file.fileno()
        if offset is None and not isinstance(file, int):
            offset = file.tell()
        sent = 0
        while count is None or sent < count:
            room = self.reserve(0 if count is None else count - sent)
            n = (
                os.readv(descriptor, [room])
                if offset is None
                else os.preadv(descriptor, [room], offset + sent)
            )
            del room
            self.commit(n)
            if n == 0:
                break
            sent += n
        if offset is not None and not isinstance(file, int):
            file.seek(offset + sent)
        return sent

    def __enter__(self) -> Response:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        if kind is not None:
            self.abort()
        elif not self.ended:
            self.end()
