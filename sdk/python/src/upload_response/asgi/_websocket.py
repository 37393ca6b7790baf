"""One WebSocket of an ASGI application: receive and send, and the order of their messages."""

from __future__ import annotations

import asyncio
import operator
from typing import Any

from .._aio.websocket import AsyncWebSocket
from .._aio.worker import AsyncWorker
from .._core.errors import Cancelled, Error, Reason, WebSocketClosed
from .._core.exchange import Exchange
from .._core.request_handle import Steps
from .._core.websocket_state import ABNORMAL, MAX_REASON, NORMAL, SERVICE_RESTART
from .._serving.failures import Disconnected
from ._cycle import BODY, DISCONNECT_ERRORS, DONE, GONE, OPEN, START, Cycle, Message, fields_of

_ACCEPT, _SEND, _CLOSE = "websocket.accept", "websocket.send", "websocket.close"
_RESPOND, _RESPOND_MORE = "websocket.http.response.start", "websocket.http.response.body"

# The messages that the application may send in each state.
_EXPECTED = {
    START: (_ACCEPT, _CLOSE, _RESPOND),
    BODY: (_RESPOND_MORE,),
    OPEN: (_SEND, _CLOSE),
}
_KINDS = frozenset(kind for kinds in _EXPECTED.values() for kind in kinds)


def _reason(message: Message) -> str:
    """Return the part of the reason that fits a close frame."""
    reason = message.get("reason") or ""
    if not isinstance(reason, str):
        raise TypeError(f"a reason is a str, not {reason!r}")
    return reason.encode()[:MAX_REASON].decode("utf-8", "ignore")


class WebSocketCycle(Cycle):
    """A WebSocket, as the application sees it."""

    _connected = False  # the application got websocket.connect
    _close_code, _close_reason = ABNORMAL, ""  # for websocket.disconnect

    def __init__(self, exchange: Exchange, worker: AsyncWorker, running: set[Cycle]) -> None:
        super().__init__(exchange, worker, running)
        self._websocket = AsyncWebSocket(exchange, worker)
        self._websocket.max_size = None  # the server has a limit of its own

    @property
    def subprotocols(self) -> list[str]:
        """Return the subprotocols that the client offers."""
        return self._websocket.subprotocols

    async def _returned(self) -> None:
        if self._state == OPEN:
            await self._close({})
        else:
            self._fail(None, f"returned without {_EXPECTED[self._state][0]}")

    def _fail(self, error: BaseException | None, message: str = "failed") -> None:
        """Close with 1011, or with 1012 if the process ends."""
        if self._stopped and self._state == OPEN:
            self._close_at_once()
        super()._fail(error, message)

    def _close_at_once(self) -> None:
        try:
            for _ in self._websocket._messages.close(SERVICE_RESTART, ""):
                break  # no room for the close frame
        except Error:
            pass

    # ------------------------------------------------------------- receive

    async def receive(self) -> Message:
        """Return the next message, or websocket.disconnect."""
        if not self._connected:
            self._connected = True
            return {"type": "websocket.connect"}
        if self._state >= DONE:
            return self._disconnect()
        try:
            self._is_receiving = True
            await self._worker.run(self._exchange, self._until_answered())
            if self._state != OPEN:
                return self._disconnect()
            message = await self._websocket.receive()
        except WebSocketClosed as closed:
            await self._closed(closed)
        except DISCONNECT_ERRORS as error:
            self._set_gone(error)
        except asyncio.CancelledError:
            self._is_receiving = False
            raise
        else:
            return {"type": "websocket.receive", "text" if isinstance(message, str) else "bytes": message}
        return self._disconnect()

    def _disconnect(self) -> Message:
        return {"type": "websocket.disconnect", "code": self._close_code, "reason": self._close_reason}

    def _until_answered(self) -> Steps[None]:
        """Wait until the application has accepted or refused. Raise Cancelled if the client goes first."""
        while self._state < OPEN:
            reason = self._exchange.reason
            if reason != Reason.NOT_CANCELLED:
                raise Cancelled(reason)
            yield

    async def _closed(self, closed: WebSocketClosed) -> None:
        """Reply to the close frame of the client, after which nobody wants more messages."""
        self._close_code, self._close_reason = closed.code, closed.reason
        if self._state < DONE:
            self._set_state(GONE)
        try:
            await self._websocket.close()
        except Error:  # a message was sent in part, or the client has gone
            self._exchange.abort()

    # ---------------------------------------------------------------- send

    async def send(self, message: Message) -> None:
        """Send a message; wait while the client is too slow."""
        kind, state = message["type"], self._state
        if kind not in _KINDS:
            raise ValueError(f"there is no message {kind!r} here")
        if state == GONE:
            await self._raise_disconnected()
        if state == DONE:
            raise Disconnected(Reason.FINISHED)
        if kind not in _EXPECTED[state]:
            raise RuntimeError(f"{kind} was sent where {' or '.join(_EXPECTED[state])} has to come")
        if kind == _SEND:
            await self._send_message(message)
        elif kind == _ACCEPT:
            await self._accept(message)
        elif kind == _RESPOND:
            self._start(message)
        elif kind == _RESPOND_MORE:
            await self._send_piece(message)
        elif state == OPEN:
            await self._close(message)
        else:
            self._start({"status": 403, "headers": [(b"content-length", b"0")]})
            await self._send_piece({})

    async def _accept(self, message: Message) -> None:
        flat = fields_of(message.get("headers") or ())
        parts = flat.split(b"\0")
        try:
            await self._websocket.accept(message.get("subprotocol"), zip(parts[:-1:2], parts[1::2]))
        except DISCONNECT_ERRORS as error:
            self._set_gone(error)
            await self._raise_disconnected()
        self._state = OPEN
        self._worker.wake(self._handle)

    async def _send_message(self, message: Message) -> None:
        text, data = message.get("text"), message.get("bytes")
        said: Any = data if text is None else text
        if (text is None) == (data is None) or isinstance(text, bytes) or isinstance(data, str):
            raise TypeError("a message has either a str as text, or bytes as bytes")
        try:
            await self._websocket.send(said)
        except WebSocketClosed:
            self._set_gone(Disconnected())
            await self._raise_disconnected()
        except DISCONNECT_ERRORS as error:
            self._set_gone(error)
            await self._raise_disconnected()

    async def _close(self, message: Message) -> None:
        code, reason = operator.index(message.get("code", NORMAL)), _reason(message)
        try:
            await self._websocket.close(code, reason)
        except DISCONNECT_ERRORS as error:
            self._set_gone(error)
            await self._raise_disconnected()
        self._close_code, self._close_reason = code, reason
        self._set_state(DONE)
