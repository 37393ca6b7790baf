"""The messages of a WebSocket: sends and receives them without waiting."""

from __future__ import annotations

import ctypes
import errno
from typing import Any, NoReturn, Union

from .buffers import Exported
from .errors import InvalidResponse, WebSocketClosed
from .exchange import Exchange
from .ffi import BINARY, CLOSE, NOW, TEXT, lib
from .headers import HeadersLike, flatten
from .outgoing import HEADERS_SENT, NOT_STARTED
from .request_handle import AGAIN, Steps
from .websocket_state import MAX_REASON, NO_CODE, SERVICE_RESTART, TOO_LARGE, WebSocketState

Message = Union[str, bytes]

_PROTOCOL = "sec-websocket-protocol"


def _close_of(kind: int, payload: bytes) -> tuple[int, str]:
    """Return code and reason of a slot that ends the WebSocket."""
    if kind != CLOSE or len(payload) < 2:
        return NO_CODE, ""
    return int.from_bytes(payload[:2], "big"), payload[2:].decode("utf-8", "replace")


def _why_invalid(code: int, length: int) -> str:
    """Return why the C SDK refuses a code, with a reason of `length` bytes."""
    if code == NO_CODE:
        return f"there is no reason without a code, and {NO_CODE} stands for none"
    if length > MAX_REASON:
        return f"a reason has at most {MAX_REASON} bytes, not {length}"
    return f"a WebSocket is closed with 1000 to 1003, 1007 to 1014 or 3000 to 4999, not with {code}"


class Messages:
    """The WebSocket of an exchange, which also holds its state."""

    __slots__ = ("exchange", "state")

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        if exchange.websocket is None:
            exchange.websocket = WebSocketState()
        self.state = exchange.websocket

    @property
    def subprotocols(self) -> list[str]:
        """Return the subprotocols that the client offers."""
        fields = self.exchange.request_fields
        offers = [value for name, value in zip(fields[::2], fields[1::2]) if name == _PROTOCOL]
        return [name.strip() for name in ",".join(offers).split(",") if name.strip()]

    def accept(self, subprotocol: str | None, headers: HeadersLike) -> Steps[None]:
        """Open the WebSocket."""
        exchange, state = self.exchange, self.state
        if exchange.progress != NOT_STARTED:
            exchange.alive()
            raise InvalidResponse("this WebSocket was answered before")
        fields = self._accept_fields(subprotocol, flatten(headers))
        while True:
            code = lib.ur_respond_flat(exchange.alive(), exchange.handle, 101, fields, len(fields), NOW)
            if code != AGAIN:
                break
            yield
        exchange.check(code)
        exchange.progress = HEADERS_SENT
        state.accepted, state.subprotocol = True, subprotocol
        exchange.release(1)  # a slot that is not released counts as unfinished work

    def _accept_fields(self, subprotocol: str | None, fields: bytes) -> bytes:
        if _PROTOCOL.encode() in fields.lower().split(b"\0")[::2]:
            raise InvalidResponse(f"{_PROTOCOL} is said with subprotocol=, and not with a header")
        if subprotocol is None:
            return fields
        if subprotocol not in self.subprotocols:
            raise InvalidResponse(f"the client does not offer the subprotocol {subprotocol!r}")
        return fields + f"{_PROTOCOL}\0{subprotocol}\0".encode("latin-1")

    def _check_open(self) -> None:
        if self.state.closed is not None:
            raise WebSocketClosed(*self.state.closed)
        if not self.state.accepted:
            self.exchange.alive()
            raise InvalidResponse("a message before accept()")

    # ------------------------------------------------------------- receive

    def receive(self) -> Steps[Message]:
        """Return the next message."""
        exchange, received = self.exchange, self.state.received
        while True:
            self._check_open()
            found = exchange.next_slot()
            if found is None:
                if exchange.link.leaving:
                    yield from self._close_and_raise(SERVICE_RESTART, "")
                yield
                continue
            slot, address, length, kind, final = found
            payload = ctypes.string_at(address, length) if length else b""
            exchange.release(slot)
            if kind not in (TEXT, BINARY):
                self.state.closed = _close_of(kind, payload)
                continue
            if self.state.max_size is not None and len(received) + length > self.state.max_size:
                yield from self._close_and_raise(
                    TOO_LARGE, f"a message of more than {self.state.max_size} bytes"
                )
            if received or not final:
                received += payload
            if final:
                payload = bytes(received) or payload
                received.clear()
                return payload.decode() if kind == TEXT else payload

    def _close_and_raise(self, code: int, reason: str) -> Steps[NoReturn]:
        """Close while receiving, and raise. A message that is being sent cannot be completed."""
        if self.state.half_sent or self.state.torn:
            self.exchange.abort()
        else:
            yield from self.close(code, reason)
        self.state.closed = code, reason
        raise WebSocketClosed(code, reason)

    # ---------------------------------------------------------------- send

    def send(self, data: Any, final: bool) -> Steps[None]:
        """Send a message or a part of one: a str as text, a buffer as binary."""
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
                self.state.torn = done > 0
                yield
        exchange.check(code)
        self.state.torn, self.state.half_sent = False, not final

    def close(self, code: int, reason: str) -> Steps[None]:
        """Close the WebSocket and end the request, also if the client has closed it."""
        exchange, text = self.exchange, reason.encode()
        if self.state.closed is None:
            self._check_open()
            while True:
                outcome = lib.ur_send_close(exchange.alive(), exchange.handle, code, text, len(text), NOW)
                if outcome != AGAIN:
                    break
                yield
            if outcome == -errno.EINVAL and not self.state.half_sent:
                raise InvalidResponse(_why_invalid(code, len(text)))
            exchange.check(outcome)
            self.state.closed = code, reason
        if exchange.handle:
            yield from exchange.end()
