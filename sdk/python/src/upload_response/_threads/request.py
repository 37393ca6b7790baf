"""Requests for threads."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import TYPE_CHECKING

from .._core.errors import Reason
from .._core.exchange import Exchange
from .._core.request_head import RequestHead
from .._core.slot_pin import Slot
from .._core.waiter import Waiter
from .response import Response
from .websocket import WebSocket

if TYPE_CHECKING:
    from typing_extensions import Buffer


class Body(io.RawIOBase):
    """The body of a request as a raw stream."""

    def __init__(self, exchange: Exchange, waiter: Waiter) -> None:
        self._exchange, self._waiter = exchange, waiter

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Buffer) -> int:
        """Fill a buffer with what has arrived, at least one byte except at the end."""
        return self._waiter.run(self._exchange, self._exchange.read_into(buffer))


class Request(RequestHead):
    """A request. Iteration yields its body, as it arrives, in read-only memoryviews of shared memory.

    A view keeps its slot while the view, or anything made from it, exists.
    """

    __slots__ = ("_waiter",)

    def __init__(self, exchange: Exchange, waiter: Waiter) -> None:
        super().__init__(exchange)
        self._waiter = waiter

    @property
    def response(self) -> Response:
        """The response to this request."""
        return Response(self._exchange, self._waiter)

    @property
    def websocket(self) -> WebSocket | None:
        """The WebSocket that the client asks for, or None."""
        return WebSocket(self._exchange, self._waiter) if self._exchange.asks_for_websocket else None

    def __iter__(self) -> Iterator[memoryview]:
        return self

    def __next__(self) -> memoryview:
        exchange = self._exchange
        if exchange.rest is not None:
            rest, exchange.rest = exchange.rest, None
            return rest
        chunk = exchange.fetched_chunk()
        if chunk is None:
            chunk = self._waiter.run(exchange, exchange.next_chunk())
        if chunk is None:
            raise StopIteration
        return chunk

    def read(self, size: int = -1) -> bytes:
        """Return `size` bytes of the body, or all of it; fewer only at the end."""
        return self._waiter.run(self._exchange, self._exchange.read(size))

    def readinto(self, buffer: Buffer) -> int:
        """Fill a buffer with what has arrived of the body, at least one byte.

        Return the number of bytes, which is 0 at the end.
        """
        return self._waiter.run(self._exchange, self._exchange.read_into(buffer))

    def file(self, buffer_size: int = 64 << 10) -> io.BufferedReader:
        """Return the body as a buffered binary file."""
        return io.BufferedReader(Body(self._exchange, self._waiter), buffer_size)

    def wait_cancelled(self) -> Reason:
        """Wait until the request is cancelled, and return why."""
        return self._waiter.run(self._exchange, self._exchange.until_cancelled())

    def tail(self, number: int) -> Slot:
        """Wait for a slot, and return it; slot 1 has the headers. Only release() gives it back."""
        return self._waiter.run(self._exchange, self._exchange.tail(number))
