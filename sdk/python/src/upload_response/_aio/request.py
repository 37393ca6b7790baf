"""A request, for an event loop."""

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
    """A request. `async for` gives its body, as it comes, in read-only memoryviews of shared
    memory. A view keeps its slot for as long as it, or anything made from it, lives.
    """

    __slots__ = ("_waiter",)

    def __init__(self, exchange: Exchange, waiter: AsyncWaiter) -> None:
        super().__init__(exchange)
        self._waiter = waiter

    async def _run(self, steps: Steps[T]) -> T:
        return await self._waiter.run(self._exchange, steps)

    @property
    def response(self) -> AsyncResponse:
        """The response to it."""
        return AsyncResponse(self._exchange, self._waiter)

    @property
    def websocket(self) -> AsyncWebSocket | None:
        """The WebSocket that the client asks for, if it does."""
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
