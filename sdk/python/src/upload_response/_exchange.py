"""One request and its response, without waiting. It is written once for threads and for
event loops.
"""

from __future__ import annotations

import errno

from ._errors import Error
from ._incoming import Incoming
from ._library import NOW, lib, number
from ._link import Link, Taken
from ._outgoing import BEGUN, NONE, OVER, STARTED, Outgoing
from ._place import AGAIN, Steps
from ._socket import Socket

# What was to be sent breaks a rule, so that nothing has been: the request goes on.
_NOT_BEGUN = (-errno.EINVAL, -errno.EMSGSIZE)

_ASKS = (b"GET\0ws\0", b"GET\0wss\0")


class Exchange(Incoming, Outgoing):
    """The state of one request and its response. Whoever makes one ends it."""

    stream_id: int
    http_version: int
    head: bytes
    socket: Socket | None = None  # once it was asked for
    _parts: list[str] | None = None

    def __init__(self, link: Link, taken: Taken) -> None:
        self.link = link
        self.handle, self.stream_id, self.head, self.body_at, self.body_length, self.http_version = taken
        self.complete = self.body_length == 0 or (self.body_length < 0 and self.asks_for_websocket)

    @property
    def parts(self) -> list[str]:
        """Method, scheme, authority, target, name and value of each header, and "". The text
        is Latin-1.
        """
        if self._parts is None:
            self._parts = self.head.decode("latin-1").split("\0")
        return self._parts

    @property
    def asks_for_websocket(self) -> bool:
        """Whether the client asks for a WebSocket."""
        return self.head.startswith(_ASKS)

    # ------------------------------------------------------------- ending

    def answer(self) -> bool:
        """End a response that was kept here, with one call. False: it takes more."""
        if self.progress != STARTED or self.pin is not None:
            return False
        link, fields, out = self.link, self.fields, self.out
        body = out[0] if len(out) == 1 else b"".join(out)
        scratch = link.borrow()
        code = lib.ur_answer(
            *(link.attachment or link.alive(), number(self.handle), self.status),
            *(fields, number(len(fields)), body, number(len(body)), NOW, scratch.number_argument),
        )
        written = scratch.number.value if code == AGAIN else 0
        link.give_back(scratch)
        if code == 0:
            self._ended()
            return True
        if code == AGAIN:
            self.progress, self.out = BEGUN, (body[written:],)
            return False
        if code == -errno.EBUSY:  # interim responses are in the way
            return False
        error = link.error(code, self.handle)
        if code not in _NOT_BEGUN:
            self._ended()
        raise error

    def end(self) -> Steps[None]:
        """End the response; and the request, as soon as there are no views of it."""
        self._open()
        if self.answer():
            return
        yield from self._begin()
        for left in self.out:
            yield from self._write_out(left)
        self.out = ()
        while True:
            code = lib.ur_end_response(self.alive(), self.handle, NOW)
            if code != AGAIN:
                break
            yield
        error = self.link.error(code, self.handle) if code != 0 else None
        if code != -errno.EINVAL:
            self._let_go()
        if error is not None:
            raise error

    def abort(self) -> None:
        """Break the response off, whatever has come of it."""
        at = self.link.attachment
        if self.handle and at is not None:
            lib.ur_abort_response(at, self.handle)
            self._let_go()
        self._ended()

    def fail(self) -> None:
        """Answer with 500 if nothing of the response is out; else break it off."""
        if self.progress in (NONE, STARTED):
            self.progress, self.out, self.out_size = NONE, (), 0
            self.start(500, {"content-type": "text/plain; charset=utf-8"})
            self.keep("500 Internal Server Error\n")
            try:
                for _ in self.end():
                    break  # no room even for that
            except Error:
                pass
        self.abort()

    def _let_go(self) -> None:
        handle, at = self.handle, self.link.attachment
        pinned = self.pin is not None
        self._ended()
        if not pinned and at is not None:
            lib.ur_let_go(at, handle)

    def _ended(self) -> None:
        self.link.ended(self.handle)
        self.handle = 0
        self.progress = OVER
        self.out = ()
        if self.pin is not None:
            self.pin = self.rest = self.room = self.room_at = self.fetched = None


class DroppedExchange(Exchange):
    """An exchange that breaks off by itself when nobody holds it any more."""

    def __del__(self) -> None:
        if self.handle:
            self.abort()
