"""A response, for threads that wait."""

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
        """Send a response that precedes the final one, such as 103 Early Hints, at once. Its
        status is from 102 to 199.
        """
        self._waiter.run(self._exchange, self._exchange.interim(status, headers))

    def start(self, status: int = 200, headers: HeadersLike = None) -> None:
        """Say status and headers: a mapping, or pairs of str or bytes."""
        self._exchange.start(status, headers)

    def write(self, data: Buffer | str) -> None:
        """Add bytes, of any contiguous buffer, to the body; a str as UTF-8. They are taken
        before it returns. It waits when the client does not take them.
        """
        if not self._exchange.buffer(data):
            self._waiter.run(self._exchange, self._exchange.write(data))

    def reserve(self, size: int) -> memoryview:
        """Return room for at most so many bytes, at least one, in shared memory. Fill it, let
        go of what you made from it, and commit().
        """
        return self._waiter.run(self._exchange, self._exchange.reserve(size))

    def commit(self, size: int) -> None:
        """Make the first bytes of the reserved room part of the body. The room, and nothing
        made from it, can be used after that.
        """
        self._exchange.commit(size)

    def flush(self) -> None:
        """Send what was written so far."""
        self._waiter.run(self._exchange, self._exchange.flush())

    def trailers(self, fields: HeadersLike) -> None:
        """Add trailers; only end() may follow."""
        self._waiter.run(self._exchange, self._exchange.add_trailers(fields))

    def end(self) -> None:
        """End the response."""
        if self._exchange.room is not None or not self._exchange.respond_whole():
            self._waiter.run(self._exchange, self._exchange.end())

    def abort(self) -> None:
        """Break the response off: the client sees an error, or less than all of it."""
        self._exchange.abort()

    def send_file(self, file: BinaryIO | int, offset: int | None = None, count: int | None = None) -> int:
        """Write a file, or so many bytes of it, into the body without a copy in between, and
        return how many. Without an offset it is read from where it stands.
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
