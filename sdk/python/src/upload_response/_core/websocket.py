"""The part of a WebSocket that threads and event loops share."""

from __future__ import annotations

from .exchange import Exchange
from .websocket_messages import Messages


class WebSocketBase:
    """Base of WebSocket and AsyncWebSocket."""

    __slots__ = ("_exchange", "_messages")

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._messages = Messages(exchange)

    @property
    def subprotocols(self) -> list[str]:
        """The subprotocols that the client offers."""
        return self._messages.subprotocols

    @property
    def subprotocol(self) -> str | None:
        """The subprotocol that accept() chose."""
        return self._messages.state.subprotocol

    @property
    def accepted(self) -> bool:
        """Whether accept() was called."""
        return self._messages.state.accepted

    @property
    def close_code(self) -> int | None:
        """The close code of either side, or None while it is open. 1005: closed without a code."""
        closed = self._messages.state.closed
        return None if closed is None else closed[0]

    @property
    def close_reason(self) -> str | None:
        """The reason for closing it, or None while it is open."""
        closed = self._messages.state.closed
        return None if closed is None else closed[1]

    @property
    def max_size(self) -> int | None:
        """The most bytes of a received message, or None for no limit."""
        return self._messages.state.max_size

    @max_size.setter
    def max_size(self, size: int | None) -> None:
        self._messages.state.max_size = size

    def _abort_if_torn(self) -> None:
        """Abort if a send() was interrupted inside a message: only the rest of that could follow."""
        if self._messages.state.torn:
            self._exchange.abort()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._exchange.parts[3]}>"
