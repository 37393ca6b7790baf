"""One request and its response, written once for threads and for event loops."""

from __future__ import annotations

import errno

from .errors import Error
from .ffi import NOW, lib, number
from .incoming import Incoming
from .link import Link, Taken
from .outgoing import BUFFERED, ENDED, HEADERS_SENT, NOT_STARTED, Outgoing
from .request_handle import AGAIN, Steps
from .websocket_state import WebSocketState

# The response broke a rule, so that nothing was sent: the request goes on.
_REFUSED = (-errno.EINVAL, -errno.EMSGSIZE)

_respond_whole = lib.ur_respond_whole_flat

# A length is passed to the C SDK as an int.
_MAX_AT_ONCE = 1 << 30

_WEBSOCKET_STARTS = (b"GET\0ws\0", b"GET\0wss\0")

# The field, always the first, in which the server names the client's address. It is missing for a
# client that has none.
CLIENT = b"upload-response-client"


def client_address(text: str) -> tuple[str, int]:
    """Split the address of a client, as 203.0.113.7:40001 or [2001:db8::1]:443."""
    address, _, port = text.rpartition(":")
    return address.strip("[]"), int(port)


class Exchange(Incoming, Outgoing):
    """The state of one request and its response. Release: end() or abort()."""

    stream_id: int
    http_version: int
    head: bytes  # method, scheme, authority, target and field values, each followed by a NUL
    names: bytes  # field names, each followed by a NUL
    websocket: WebSocketState | None = None  # once a caller has asked for it
    _parts: list[str] | None = None

    def __init__(self, link: Link, taken: Taken) -> None:
        self.link = link
        self.handle, self.stream_id, self.head, self.names, self.body_at, self.body_length, version = taken
        self.http_version = version
        self.complete = self.body_length == 0 or (self.body_length < 0 and self.asks_for_websocket)

    @property
    def parts(self) -> list[str]:
        """Return method, scheme, authority, target, each field value, and "", decoded as Latin-1."""
        if self._parts is None:
            self._parts = self.head.decode("latin-1").split("\0")
        return self._parts

    @property
    def first(self) -> int:
        """Return the index of the first field that the client sent, after the one with its address."""
        return 1 if self.names.startswith(CLIENT + b"\0") else 0

    @property
    def client(self) -> tuple[str, int] | None:
        """Return address and port of the client, or None if it has no address."""
        return client_address(self.parts[4]) if self.first else None

    @property
    def request_fields(self) -> list[str]:
        """Return the names and values of the fields in turn."""
        first = self.first
        names = self.names.decode("latin-1").split("\0")[first:]
        return [part for pair in zip(names, self.parts[4 + first : -1]) for part in pair]

    @property
    def asks_for_websocket(self) -> bool:
        """Return whether the client asks for a WebSocket."""
        return self.head.startswith(_WEBSOCKET_STARTS)

    # ------------------------------------------------------------- ending

    def respond_whole(self) -> bool:
        """Send a buffered response and its end with one call. Return False if that takes more calls."""
        if self.progress != BUFFERED or self.pin is not None:
            return False
        out = self.buffered
        body = out[0] if len(out) == 1 else b"".join(out)
        if len(body) > _MAX_AT_ONCE:
            return False
        link, fields = self.link, self.fields
        at = link.attachment or link.alive()
        code = _respond_whole(
            at.argument, number(self.handle), self.status, fields, len(fields), body, len(body)
        )
        if code == 0:
            self._mark_ended()
            return True
        if code == AGAIN:
            self.progress, self.buffered = HEADERS_SENT, (body[len(body) - lib.ur_unsent(at, self.handle) :],)
            return False
        if code == -errno.EBUSY:  # interim responses wait to be sent
            return False
        error = link.error(code, self.handle)
        if code not in _REFUSED:
            self._mark_ended()
        raise error

    def end(self) -> Steps[None]:
        """End the response, and the request as soon as no views of it exist."""
        self._check_open()
        if self.respond_whole():
            return
        yield from self._send_headers()
        for left in self.buffered:
            yield from self._write_through(left)
        self.buffered = ()
        while True:
            code = lib.ur_end_response(self.alive(), self.handle, NOW)
            if code != AGAIN:
                break
            yield
        error = self.link.error(code, self.handle) if code != 0 else None
        if code != -errno.EINVAL:
            self._release_request()
        if error is not None:
            raise error

    def abort(self) -> None:
        """Abort the response, in any state."""
        at = self.link.attachment
        if self.handle and at is not None:
            lib.ur_abort_response(at, self.handle)
            self._release_request()
        self._mark_ended()

    def fail(self) -> None:
        """Respond with 500 if nothing was sent yet, or abort the response."""
        if self.progress in (NOT_STARTED, BUFFERED):
            self.progress, self.buffered, self.buffered_size = NOT_STARTED, (), 0
            self.start(500, {"content-type": "text/plain; charset=utf-8"})
            self.buffer("500 Internal Server Error\n")
            try:
                for _ in self.end():
                    break  # not even that has room
            except Error:
                pass
        self.abort()

    def _release_request(self) -> None:
        handle, at = self.handle, self.link.attachment
        pinned = self.pin is not None
        self._mark_ended()
        if not pinned and at is not None:
            lib.ur_let_go(at, handle)

    def _mark_ended(self) -> None:
        handle, self.handle = self.handle, 0
        self.progress = ENDED
        self.buffered = ()
        if self.pin is not None:
            self.pin = self.rest = self.room = self.room_at = self.fetched = None
        if handle:
            self.link.ended(handle)  # last: whoever waits looks at the above


class AbortOnDropExchange(Exchange):
    """An exchange that aborts when the last reference to it is dropped."""

    def __del__(self) -> None:
        if self.handle:
            self.abort()
