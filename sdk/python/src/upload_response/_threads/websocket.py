"""A WebSocket, for threads that wait."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from .._core import native_threads
from .._core.errors import WebSocketClosed
from .._core.exchange import Exchange
from .._core.headers import HeadersLike
from .._core.websocket_messages import Message, Messages
from .._core.websocket_state import NORMAL
from .run import run

if TYPE_CHECKING:
    from typing_extensions import Buffer


class WebSocketBase:
    """What WebSockets for threads and those for event loops have in common."""

    __slots__ = ("_exchange", "_messages")

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._messages = Messages(exchange)

    @property
    def subprotocols(self) -> list[str]:
        """Those that the client offers."""
        return self._messages.subprotocols

    @property
    def subprotocol(self) -> str | None:
        """The one that was accepted."""
        return self._messages.socket.subprotocol

    @property
    def accepted(self) -> bool:
        """Whether accept() was called."""
        return self._messages.socket.accepted

    @property
    def close_code(self) -> int | None:
        """The code with which it was closed, by either side; 1005: without one."""
        closed = self._messages.socket.closed
        return None if closed is None else closed[0]

    @property
    def close_reason(self) -> str | None:
        """The reason with which it was closed."""
        closed = self._messages.socket.closed
        return None if closed is None else closed[1]

    @property
    def max_size(self) -> int | None:
        """The most bytes that a message may have which is received; None: any number."""
        return self._messages.socket.max_size

    @max_size.setter
    def max_size(self, size: int | None) -> None:
        self._messages.socket.max_size = size

    def _give_up(self) -> None:
        """Break off if a send() was given up in the middle: nothing but the rest could follow."""
        if self._messages.socket.torn:
            self._exchange.abort()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._exchange.parts[3]}>"


class WebSocket(WebSocketBase):
    """The WebSocket that a client asks for: accept, receive and send, close. One thread may
    receive while others send. It is closed with 1000 when the response ends.
    """

    __slots__ = ()

    def accept(self, subprotocol: str | None = None, headers: HeadersLike = None) -> None:
        """Open it; with one of the subprotocols that the client offers, if you like. Whoever
        does not answers the request as any other.
        """
        self._messages.socket.turn = native_threads.lock()
        run(self._exchange, self._messages.accept(subprotocol, headers))

    def receive(self, timeout: float | None = None) -> Message:
        """Return the next message: text as str, binary as bytes. WebSocketClosed: the client
        has closed, or a message had more than max_size bytes. Cancelled: the client is gone.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        return run(self._exchange, self._messages.receive(), deadline)

    def __iter__(self) -> Iterator[Message]:
        return self

    def __next__(self) -> Message:
        try:
            return self.receive()
        except WebSocketClosed:
            raise StopIteration from None

    def send(self, data: Buffer | str, *, final: bool = True) -> None:
        """Send a message: a str as text, any contiguous buffer as binary; or a part of one, if
        it is not final. It waits when the client does not take it.
        """
        with self._messages.socket.turn or native_threads.lock():
            try:
                run(self._exchange, self._messages.send(data, final))
            except BaseException:
                self._give_up()
                raise

    def close(self, code: int = NORMAL, reason: str = "") -> None:
        """Close it, with a code and a reason of at most 123 bytes, and end the request."""
        with self._messages.socket.turn or native_threads.lock():
            run(self._exchange, self._messages.close(code, reason))
