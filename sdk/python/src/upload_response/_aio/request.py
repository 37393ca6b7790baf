"""A request and its response, for an event loop."""

from __future__ import annotations

import asyncio
import os
from types import TracebackType
from typing import TYPE_CHECKING, BinaryIO

from .._core.errors import Reason
from .._core.exchange import Exchange
from .._core.headers import HeadersLike
from .._core.outgoing import NONE, OVER
from .._core.request_handle import Steps, T
from .._core.request_head import Head
from .._core.slot_pin import Slot
from .websocket import AsyncWebSocket

if TYPE_CHECKING:
    from typing_extensions import Buffer

    from .worker import AsyncWorker


class AsyncRequest(Head):
    """A request. `async for` gives its body, as it comes, in read-only memoryviews of shared
    memory. A view keeps its slot for as long as it, or anything made from it, lives.
    """

    __slots__ = ("_worker",)

    def __init__(self, exchange: Exchange, worker: AsyncWorker) -> None:
        super().__init__(exchange)
        self._worker = worker

    async def _run(self, steps: Steps[T]) -> T:
        return await self._worker.run(self._exchange, steps)

    @property
    def response(self) -> AsyncResponse:
        """The response to it."""
        return AsyncResponse(self._exchange, self._worker)

    @property
    def websocket(self) -> AsyncWebSocket | None:
        """The WebSocket that the client asks for, if it does."""
        return AsyncWebSocket(self._exchange, self._worker) if self._exchange.asks_for_websocket else None

    def __aiter__(self) -> AsyncRequest:
        return self

    async def __anext__(self) -> memoryview:
        exchange = self._exchange
        if exchange.rest is not None:
            rest, exchange.rest = exchange.rest, None
            return rest
        chunk = exchange.fetched_chunk()
        if chunk is None:
            chunk = await self._run(exchange.next_chunk())
        if chunk is None:
            raise StopAsyncIteration
        return chunk

    async def read(self, size: int = -1) -> bytes:
        """Return so many bytes of the body, or all of it; fewer only at its end."""
        return await self._run(self._exchange.read(size))

    async def readinto(self, buffer: Buffer) -> int:
        """Fill a buffer with what there is of the body, at least one byte, and return how
        many; 0 at the end.
        """
        return await self._run(self._exchange.read_into(buffer))

    async def tail(self, number: int) -> Slot:
        """Return a slot by its number; the headers are slot 1. Such a slot goes back with
        release(), and not by itself.
        """
        return await self._run(self._exchange.tail(number))

    async def wait_cancelled(self) -> Reason:
        """Wait until nobody wants the response any more, and return why."""
        return await self._run(self._exchange.until_cancelled())


class AsyncResponse:
    """The response to a request: start, write, end."""

    __slots__ = ("_exchange", "_worker")

    def __init__(self, exchange: Exchange, worker: AsyncWorker) -> None:
        self._exchange = exchange
        self._worker = worker

    async def _run(self, steps: Steps[T]) -> T:
        return await self._worker.run(self._exchange, steps)

    @property
    def started(self) -> bool:
        """Whether start() was called."""
        return self._exchange.progress != NONE

    @property
    def ended(self) -> bool:
        """Whether the response has ended, well or not."""
        return self._exchange.progress == OVER

    async def interim(self, status: int, headers: HeadersLike = None) -> None:
        """Send a response that precedes the final one, such as 103 Early Hints, at once. Its
        status is from 102 to 199.
        """
        await self._run(self._exchange.interim(status, headers))

    def start(self, status: int = 200, headers: HeadersLike = None) -> None:
        """Say status and headers: a mapping, or pairs of str or bytes."""
        self._exchange.start(status, headers)

    async def write(self, data: Buffer | str) -> None:
        """Add bytes, of any contiguous buffer, to the body; a str as UTF-8. They are taken
        before it returns. It waits when the client does not take them.
        """
        if not self._exchange.keep(data):
            await self._run(self._exchange.write(data))

    async def reserve(self, size: int) -> memoryview:
        """Return room for at most so many bytes, at least one, in shared memory. Fill it, let
        go of what you made from it, and commit().
        """
        return await self._run(self._exchange.reserve(size))

    def commit(self, size: int) -> None:
        """Make the first bytes of the reserved room part of the body. The room, and what was
        made from it, cannot be used after that.
        """
        self._exchange.commit(size)

    async def flush(self) -> None:
        """Send what was written so far."""
        await self._run(self._exchange.flush())

    async def trailers(self, fields: HeadersLike) -> None:
        """Add trailers; only end() may follow."""
        await self._run(self._exchange.add_trailers(fields))

    async def end(self) -> None:
        """End the response."""
        if self._exchange.room is not None or not self._exchange.answer():
            await self._run(self._exchange.end())

    def abort(self) -> None:
        """Break the response off: the client sees an error, or less than all of it."""
        self._exchange.abort()

    async def send_file(self, file: BinaryIO | int, offset: int = 0, count: int | None = None) -> int:
        """Write a file, or so many bytes of it from an offset, into the body without a copy in
        between, and return how many. A thread of the loop's executor reads it.
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
