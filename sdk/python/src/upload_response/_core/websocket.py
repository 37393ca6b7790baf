"""What WebSockets for threads and for event loops have in common."""

from __future__ import annotations

from .exchange import Exchange
from .websocket_messages import Messages


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
        return self._messages.state.subprotocol

    @property
    def accepted(self) -> bool:
        """Whether accept() was called."""
        return self._messages.state.accepted

    @property
    def close_code(self) -> int | None:
        """The code with which it was closed, by either side; 1005: without one."""
        closed = self._messages.state.closed
        return None if closed is None else closed[0]

    @property
    def close_reason(self) -> str | None:
        """The reason with which it was closed."""
        closed = self._messages.state.closed
        return None if closed is None else closed[1]

    @property
    def max_size(self) -> int | None:
        """The most bytes that a message may have which is received; None: any number."""
        return self._messages.state.max_size

    @max_size.setter
    def max_size(self, size: int | None) -> None:
        self._messages.state.max_size = size

    def _abort_if_torn(self) -> None:
        """Break off if a send() was given up in the middle: nothing but the rest could follow."""
        if self._messages.state.torn:
            self._exchange.abort()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._exchange.parts[3]}>"
