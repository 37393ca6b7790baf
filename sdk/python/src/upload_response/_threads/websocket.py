"""WebSockets for threads."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from .._core import native_threads
from .._core.errors import WebSocketClosed
from .._core.exchange import Exchange
from .._core.headers import HeadersLike
from .._core.waiter import Waiter
from .._core.websocket import WebSocketBase
from .._core.websocket_messages import Message
from .._core.websocket_state import NORMAL

if TYPE_CHECKING:
    from typing_extensions import Buffer


class WebSocket(WebSocketBase):
    """The WebSocket that a client asks for: accept, receive and send, close.

    One thread may receive while others send. It is closed with 1000 when the response ends.
    """

    __slots__ = ("_waiter",)

    def __init__(self, exchange: Exchange, waiter: Waiter) -> None:
        super().__init__(exchange)
        self._waiter = waiter

    def accept(self, subprotocol: str | None = None, headers: HeadersLike = None) -> None:
        """Open the WebSocket, with one of the subprotocols that the client offers, or none.

        A handler that does not accept responds as to any other request.
        """
        self._messages.state.send_lock = native_threads.lock()
        self._waiter.run(self._exchange, self._messages.accept(subprotocol, headers))

    def receive(self, timeout: float | None = None) -> Message:
        """Return the next message: text as str, binary as bytes.

        Raise WebSocketClosed if the client has closed, or a message had more than max_size bytes,
        and Cancelled if the client is gone.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        return self._waiter.run(self._exchange, self._messages.receive(), deadline)

    def __iter__(self) -> Iterator[Message]:
        return self

    def __next__(self) -> Message:
        try:
            return self.receive()
        except WebSocketClosed:
            raise StopIteration from None

    def send(self, data: Buffer | str, *, final: bool = True) -> None:
        """Send a message: a str as text, a contiguous buffer as binary.

        With final=False it is a part of a message. It waits while the client is too slow.
        """
        with self._messages.state.send_lock or native_threads.lock():
            try:
                self._waiter.run(self._exchange, self._messages.send(data, final))
            except BaseException:
                self._abort_if_torn()
                raise

    def close(self, code: int = NORMAL, reason: str = "") -> None:
        """Close with a code and a reason of at most 123 bytes, and end the request."""
        with self._messages.state.send_lock or native_threads.lock():
            self._waiter.run(self._exchange, self._messages.close(code, reason))
