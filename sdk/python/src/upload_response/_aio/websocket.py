"""WebSockets for event loops."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from .._core.errors import WebSocketClosed
from .._core.exchange import Exchange
from .._core.headers import HeadersLike
from .._core.request_handle import Steps, T
from .._core.waiter import AsyncWaiter
from .._core.websocket import WebSocketBase
from .._core.websocket_messages import Message
from .._core.websocket_state import NORMAL

if TYPE_CHECKING:
    from typing_extensions import Buffer


class AsyncWebSocket(WebSocketBase):
    """The WebSocket that a client asks for: accept, receive and send, close.

    One task may receive while others send. It is closed with 1000 when the response ends.
    """

    __slots__ = ("_waiter",)

    def __init__(self, exchange: Exchange, waiter: AsyncWaiter) -> None:
        super().__init__(exchange)
        self._waiter = waiter

    async def _run(self, steps: Steps[T]) -> T:
        return await self._waiter.run(self._exchange, steps)

    async def accept(self, subprotocol: str | None = None, headers: HeadersLike = None) -> None:
        """Open the WebSocket, with one of the subprotocols that the client offers, or none.

        A handler that does not accept responds as to any other request.
        """
        self._messages.state.send_lock = asyncio.Lock()
        await self._run(self._messages.accept(subprotocol, headers))

    async def receive(self) -> Message:
        """Return the next message: text as str, binary as bytes.

        Raise WebSocketClosed if the client has closed, or a message had more than max_size bytes,
        and Cancelled if the client is gone.
        """
        return await self._run(self._messages.receive())

    def __aiter__(self) -> AsyncWebSocket:
        return self

    async def __anext__(self) -> Message:
        try:
            return await self.receive()
        except WebSocketClosed:
            raise StopAsyncIteration from None

    async def send(self, data: Buffer | str, *, final: bool = True) -> None:
        """Send a message: a str as text, a contiguous buffer as binary.

        With final=False it is a part of a message. It waits while the client is too slow.
        """
        async with self._messages.state.send_lock or asyncio.Lock():
            try:
                await self._run(self._messages.send(data, final))
            except BaseException:
                self._abort_if_torn()
                raise

    async def close(self, code: int = NORMAL, reason: str = "") -> None:
        """Close with a code and a reason of at most 123 bytes, and end the request."""
        async with self._messages.state.send_lock or asyncio.Lock():
            await self._run(self._messages.close(code, reason))
