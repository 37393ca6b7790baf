"""The messages of a WebSocket, without waiting."""

from __future__ import annotations

import ctypes
import errno
from typing import Any, NoReturn, Union

from .buffers import Exported
from .errors import InvalidResponse, WebSocketClosed
from .exchange import Exchange
from .ffi import BINARY, CLOSE, NOW, TEXT, lib
from .headers import HeadersLike, flatten
from .outgoing import BEGUN, NONE
from .request_handle import AGAIN, Steps
from .websocket_state import LONGEST_REASON, NO_CODE, SERVICE_RESTART, TOO_LARGE, WebSocketState

Message = Union[str, bytes]

_PROTOCOL = "sec-websocket-protocol"


def _closing(kind: int, payload: bytes) -> tuple[int, str]:
    """Return code and reason that a slot has which is no message."""
    if kind != CLOSE or len(payload) < 2:
        return NO_CODE, ""
    return int.from_bytes(payload[:2], "big"), payload[2:].decode("utf-8", "replace")


def _why_not(code: int, length: int) -> str:
    """Return why the C SDK refuses to close with a code and a reason of so many bytes."""
    if code == NO_CODE:
        return f"there is no reason without a code, and {NO_CODE} stands for none"
    if length > LONGEST_REASON:
        return f"a reason has at most {LONGEST_REASON} bytes, not {length}"
    return f"a WebSocket is closed with 1000 to 1003, 1007 to 1014 or 3000 to 4999, not with {code}"


class Messages:
    """The WebSocket of an exchange. What it knows it keeps there."""

    __slots__ = ("exchange", "socket")

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        if exchange.socket is None:
            exchange.socket = WebSocketState()
        self.socket = exchange.socket

    @property
    def subprotocols(self) -> list[str]:
        """Those that the client offers."""
        fields = self.exchange.request_fields
        offers = [value for name, value in zip(fields[::2], fields[1::2]) if name == _PROTOCOL]
        return [name.strip() for name in ",".join(offers).split(",") if name.strip()]

    def accept(self, subprotocol: str | None, headers: HeadersLike) -> Steps[None]:
        """Open the WebSocket."""
        exchange, socket = self.exchange, self.socket
        if exchange.progress != NONE:
            exchange.alive()
            raise InvalidResponse("this WebSocket was answered before")
        fields = self._answer(subprotocol, flatten(headers))
        while True:
            code = lib.ur_respond_flat(exchange.alive(), exchange.handle, 101, fields, len(fields), NOW)
            if code != AGAIN:
                break
            yield
        exchange.check(code)
        exchange.progress = BEGUN
        socket.accepted, socket.subprotocol = True, subprotocol
        exchange.release(1)  # what is not released counts as work to be done

    def _answer(self, subprotocol: str | None, fields: bytes) -> bytes:
        if _PROTOCOL.encode() in fields.lower().split(b"\0")[::2]:
            raise InvalidResponse(f"{_PROTOCOL} is said with subprotocol=, and not with a header")
        if subprotocol is None:
            return fields
        if subprotocol not in self.subprotocols:
            raise InvalidResponse(f"the client does not offer the subprotocol {subprotocol!r}")
        return fields + f"{_PROTOCOL}\0{subprotocol}\0".encode("latin-1")

    def _check_open(self) -> None:
        if self.socket.closed is not None:
            raise WebSocketClosed(*self.socket.closed)
        if not self.socket.accepted:
            self.exchange.alive()
            raise InvalidResponse("a message before accept()")

    # ------------------------------------------------------------- receive

    def receive(self) -> Steps[Message]:
        """Return the next message."""
        exchange, received = self.exchange, self.socket.received
        while True:
            self._check_open()
            found = exchange.next_slot()
            if found is None:
                if exchange.link.leaving:
                    yield from self._leave(SERVICE_RESTART, "")
                yield
                continue
            slot, address, length, kind, final = found
            payload = ctypes.string_at(address, length) if length else b""
            exchange.release(slot)
            if kind not in (TEXT, BINARY):
                self.socket.closed = _closing(kind, payload)
                continue
            if self.socket.max_size is not None and len(received) + length > self.socket.max_size:
                yield from self._leave(TOO_LARGE, f"a message of more than {self.socket.max_size} bytes")
            if received or not final:
                received += payload
            if final:
                payload = bytes(received) or payload
                received.clear()
                return payload.decode() if kind == TEXT else payload

    def _leave(self, code: int, reason: str) -> Steps[NoReturn]:
        """Close from where messages are received, and say so. One that somebody else is
        sending cannot be waited for.
        """
        if self.socket.half_sent or self.socket.torn:
            self.exchange.abort()
        else:
            yield from self.close(code, reason)
        self.socket.closed = code, reason
        raise WebSocketClosed(code, reason)

    # ---------------------------------------------------------------- send

    def send(self, data: Any, final: bool) -> Steps[None]:
        """Send a message, or a part of one: a str as text, anything else as binary."""
        kind = BINARY
        if isinstance(data, str):
            kind, data = TEXT, data.encode()
        self._check_open()
        exchange, link, done = self.exchange, self.exchange.link, 0
        with Exported(data) as exported:
            while True:
                buffers = link.borrow_buffers()
                code = lib.ur_send(
                    *(exchange.alive(), exchange.handle, kind, exported.address + done, exported.size - done),
                    *(final, NOW, buffers.number_at),
                )
                done += buffers.number.value
                link.return_buffers(buffers)
                if code != AGAIN:
                    break
                self.socket.torn = done > 0
                yield
        exchange.check(code)
        self.socket.torn, self.socket.half_sent = False, not final

    def close(self, code: int, reason: str) -> Steps[None]:
        """Close the WebSocket, and end the request. One that the client has closed is ended."""
        exchange, text = self.exchange, reason.encode()
        if self.socket.closed is None:
            self._check_open()
            while True:
                outcome = lib.ur_send_close(exchange.alive(), exchange.handle, code, text, len(text), NOW)
                if outcome != AGAIN:
                    break
                yield
            if outcome == -errno.EINVAL and not self.socket.half_sent:
                raise InvalidResponse(_why_not(code, len(text)))
            exchange.check(outcome)
            self.socket.closed = code, reason
        if exchange.handle:
            yield from exchange.end()
