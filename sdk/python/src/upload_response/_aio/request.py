"""Requests for event loops."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._core.errors import Reason
from .._core.exchange import Exchange
from .._core.request_handle import Steps, T
from .._core.request_head import RequestHead
from .._core.slot_pin import Slot
from .._core.waiter import AsyncWaiter
from .response import AsyncResponse
from .websocket import AsyncWebSocket

if TYPE_CHECKING:
    from typing_extensions import Buffer


class AsyncRequest(RequestHead):
    """A request. `async for` yields its body, as it arrives, in read-only memoryviews of shared memory.

    A view keeps its slot while the view, or anything made from it, exists.
    """

    __slots__ = ("_waiter",)

    def __init__(self, exchange: Exchange, waiter: AsyncWaiter) -> None:
        super().__init__(exchange)
        self._waiter = waiter

    async def _run(self, steps: Steps[T]) -> T:
        return await self._waiter.run(self._exchange, steps)

    @property
    def response(self) -> AsyncResponse:
        """The response to this request."""
        return AsyncResponse(self._exchange, self._waiter)

    @property
    def websocket(self) -> AsyncWebSocket | None:
        """The WebSocket that the client asks for, or None."""
        return AsyncWebSocket(self._exchange, self._waiter) if self._exchange.asks_for_websocket else None

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
        """Return `size` bytes of the body, or all of it; fewer only at the end."""
        return await self._run(self._exchange.read(size))

    async def readinto(self, buffer: Buffer) -> int:
        """Fill a buffer with what has arrived of the body, at least one byte.

        Return the number of bytes, which is 0 at the end.
        """
        return await self._run(self._exchange.read_into(buffer))

    async def tail(self, number: int) -> Slot:
        """Wait for a slot, and return it; slot 1 has the headers. Only release() gives it back."""
        return await self._run(self._exchange.tail(number))

    async def wait_cancelled(self) -> Reason:
        """Wait until the request is cancelled, and return why."""
        return await self._run(self._exchange.until_cancelled())
