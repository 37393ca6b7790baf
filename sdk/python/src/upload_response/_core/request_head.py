"""The head of a request: what precedes the body."""

from __future__ import annotations

from .errors import Cancelled, Reason
from .exchange import Exchange
from .ffi import ALL_SLOTS
from .headers import Headers
from .slot_pin import Slot


class RequestHead:
    """The head of a request. Text is decoded as Latin-1, which maps every byte; percent signs are
    not decoded.
    """

    __slots__ = ("_exchange", "_headers")

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._headers: Headers | None = None

    @property
    def method(self) -> str:
        """The method, such as GET."""
        return self._exchange.parts[0]

    @property
    def scheme(self) -> str:
        """The scheme, such as http."""
        return self._exchange.parts[1]

    @property
    def authority(self) -> str:
        """The authority, such as example.org:8080: the Host header in HTTP/1.1."""
        return self._exchange.parts[2]

    @property
    def target(self) -> str:
        """The path and the query, as the client sent them."""
        return self._exchange.parts[3]

    @property
    def path(self) -> str:
        """The path without the query, as the client sent it."""
        return self._exchange.parts[3].partition("?")[0]

    @property
    def query(self) -> str:
        """The query after the question mark, as the client sent it."""
        return self._exchange.parts[3].partition("?")[2]

    @property
    def client(self) -> tuple[str, int] | None:
        """Address and port of the client, as the server knows them, or None over a Unix socket.

        The port is 0 if it is unknown.
        """
        return self._exchange.client

    @property
    def http_version(self) -> int:
        """The major version of HTTP: 1 for HTTP/1.1 and 1.0, 2, or 3."""
        return self._exchange.http_version

    @property
    def stream_id(self) -> int:
        """The number of the request, unique in the server and found in its logs."""
        return self._exchange.stream_id

    @property
    def headers(self) -> Headers:
        """The headers of the request."""
        if self._headers is None:
            self._headers = Headers(self._exchange.request_fields)
        return self._headers

    @property
    def raw_headers(self) -> list[tuple[bytes, bytes]]:
        """The headers as pairs of bytes, with lower-case names."""
        exchange = self._exchange
        first = exchange.first
        return list(zip(exchange.names.split(b"\0")[first:], exchange.head.split(b"\0")[4 + first : -1]))

    @property
    def has_body(self) -> bool:
        """Whether more of the body may come: False once all of it was read."""
        return not self._exchange.complete

    @property
    def trailers(self) -> Headers:
        """The trailers; empty until the body was read to the end."""
        return self._exchange.trailers or Headers([])

    @property
    def cancelled(self) -> bool:
        """Whether the request was cancelled, so that nobody wants the response any more."""
        return self._exchange.reason != Reason.NOT_CANCELLED

    @property
    def reason(self) -> Reason:
        """Why the request was cancelled."""
        return self._exchange.reason

    @property
    def ended(self) -> bool:
        """Whether the response has ended."""
        return not self._exchange.handle

    def check_cancelled(self) -> None:
        """Raise Cancelled if the request was cancelled."""
        reason = self._exchange.reason
        if reason != Reason.NOT_CANCELLED:
            raise Cancelled(reason)

    def look(self, number: int) -> Slot | None:
        """Return a slot by its number, as tail() does, or None if it has not arrived."""
        return self._exchange.look(number)

    def release(self, number: int = ALL_SLOTS) -> None:
        """Release the slots up to a number; without one, discard the rest of the body.

        Slots with views are released when the views are gone.
        """
        self._exchange.release(number)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.method} {self.target}>"
