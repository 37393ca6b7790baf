"""What a request says of itself before its body."""

from __future__ import annotations

from .errors import Cancelled, Reason
from .exchange import Exchange
from .ffi import ALL_SLOTS
from .headers import Headers
from .slot_pin import Slot


class RequestHead:
    """The head of a request. Text is Latin-1, which has every byte; nothing of the path is
    decoded.
    """

    __slots__ = ("_exchange", "_headers")

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._headers: Headers | None = None

    @property
    def method(self) -> str:
        """As GET."""
        return self._exchange.parts[0]

    @property
    def scheme(self) -> str:
        """As http."""
        return self._exchange.parts[1]

    @property
    def authority(self) -> str:
        """As example.org:8080; the Host header of HTTP/1.1."""
        return self._exchange.parts[2]

    @property
    def target(self) -> str:
        """The path with the query."""
        return self._exchange.parts[3]

    @property
    def path(self) -> str:
        """The path without the query, as it came."""
        return self._exchange.parts[3].partition("?")[0]

    @property
    def query(self) -> str:
        """What follows the question mark, as it came."""
        return self._exchange.parts[3].partition("?")[2]

    @property
    def client(self) -> tuple[str, int] | None:
        """The address and the port of the client, as the server knows them; the port is 0 if
        nobody knows it. None: it has no address, as over a Unix socket.
        """
        return self._exchange.client

    @property
    def http_version(self) -> int:
        """1 for HTTP/1.1 and 1.0, 2 for HTTP/2, 3 for HTTP/3."""
        return self._exchange.http_version

    @property
    def stream_id(self) -> int:
        """Unique among the requests of the server, and in its logs."""
        return self._exchange.stream_id

    @property
    def headers(self) -> Headers:
        """The headers."""
        if self._headers is None:
            self._headers = Headers(self._exchange.request_fields)
        return self._headers

    @property
    def raw_headers(self) -> list[tuple[bytes, bytes]]:
        """The headers as pairs of bytes; names are lower-case."""
        exchange = self._exchange
        first = exchange.first
        return list(zip(exchange.names.split(b"\0")[first:], exchange.head.split(b"\0")[4 + first : -1]))

    @property
    def has_body(self) -> bool:
        """Whether there may be a body that was not handed out: False is certain."""
        return not self._exchange.complete

    @property
    def trailers(self) -> Headers:
        """The trailers; empty until the body was read to its end."""
        return self._exchange.trailers or Headers([])

    @property
    def cancelled(self) -> bool:
        """Whether nobody wants the response any more."""
        return self._exchange.reason != Reason.NOT_CANCELLED

    @property
    def reason(self) -> Reason:
        """Why it was cancelled."""
        return self._exchange.reason

    @property
    def ended(self) -> bool:
        """Whether the response has ended."""
        return not self._exchange.handle

    def check_cancelled(self) -> None:
        """Raise Cancelled if nobody wants the response any more."""
        reason = self._exchange.reason
        if reason != Reason.NOT_CANCELLED:
            raise Cancelled(reason)

    def look(self, number: int) -> Slot | None:
        """Return a slot by its number, as tail() does, or None if it is not there yet."""
        return self._exchange.look(number)

    def release(self, number: int = ALL_SLOTS) -> None:
        """Give the slots up to a number back; without one, say that nothing more of the
        body is wanted. Slots of which there are views go back when those are gone.
        """
        self._exchange.release(number)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.method} {self.target}>"
