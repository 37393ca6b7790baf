"""Responses for event loops."""

from __future__ import annotations

import asyncio
import os
from types import TracebackType
from typing import TYPE_CHECKING, BinaryIO

from .._core.exchange import Exchange
from .._core.headers import HeadersLike
from .._core.outgoing import ENDED, NOT_STARTED
from .._core.request_handle import Steps, T
from .._core.waiter import AsyncWaiter

if TYPE_CHECKING:
    from typing_extensions import Buffer


class AsyncResponse:
    """The response to a request: start, write, end."""

    __slots__ = ("_exchange", "_waiter")

    def __init__(self, exchange: Exchange, waiter: AsyncWaiter) -> None:
        self._exchange = exchange
        self._waiter = waiter

    async def _run(self, steps: Steps[T]) -> T:
        return await self._waiter.run(self._exchange, steps)

    @property
    def started(self) -> bool:
        """Whether start() was called."""
        return self._exchange.progress != NOT_STARTED

    @property
    def ended(self) -> bool:
        """Whether the response has ended, well or not."""
        return self._exchange.progress == ENDED

    async def interim(self, status: int, headers: HeadersLike = None) -> None:
        """Send an interim response, such as 103 Early Hints, at once. Its status is from 102 to 199."""
        await self._run(self._exchange.interim(status, headers))

    def start(self, status: int = 200, headers: HeadersLike = None) -> None:
        """Set the status and the headers, which are a mapping, or pairs, of str or bytes."""
        self._exchange.start(status, headers)

    async def write(self, data: Buffer | str) -> None:
        """Add the bytes of a contiguous buffer, or a str as UTF-8, to the body.

        They are copied before it returns. It waits while the client is too slow.
        """
        if not self._exchange.buffer(data):
            await self._run(self._exchange.write(data))

    async def reserve(self, size: int) -> memoryview:
        """Return room for at least one byte, and at most `size`, in shared memory.

        Fill it, drop what you made from it, and commit().
        """
        return await self._run(self._exchange.reserve(size))

    def commit(self, size: int) -> None:
        """Make the first bytes of the reserved room part of the body.

        The room and everything made from it are invalid after that.
        """
        self._exchange.commit(size)

    async def flush(self) -> None:
        """Send what was written so far."""
        await self._run(self._exchange.flush())

    async def trailers(self, fields: HeadersLike) -> None:
        """Send trailers. Only end() may follow."""
        await self._run(self._exchange.add_trailers(fields))

    async def end(self) -> None:
        """End the response."""
        if self._exchange.room is not None or not self._exchange.respond_whole():
            await self._run(self._exchange.end())

    def abort(self) -> None:
        """Abort the response: the client sees an error or an incomplete response."""
        self._exchange.abort()

    async def send_file(self, file: BinaryIO | int, offset: int = 0, count: int | None = None) -> int:
        """Read a file, or `count` bytes of it from an offset, into the shared memory of the body.

        Return the number of bytes. A thread of the loop's executor reads the file.
        """
        descriptor = file if isinstance(file, int) else file.fileno()
        loop = asyncio.get_running_loop()
        sent = 0
        while count is None or sent < count:
            room = await self.reserve(0 if count is None else count - sent)
            n = await loop.run_in_executor(None, os.preadv, descriptor, [room], offset + sent)
            self.commit(n)
            if n == 0:
                break
            sent += n
        return sent

    async def __aenter__(self) -> AsyncResponse:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None
    ) -> None:
        if kind is not None:
            self.abort()
        elif not self.ended:
            await self.end()
