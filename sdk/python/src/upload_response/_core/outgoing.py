"""The response direction of an exchange: writes it without waiting."""

from __future__ import annotations

import operator
import weakref
from typing import Any

from .buffers import Exported
from .errors import InvalidResponse, ViewsAlive
from .ffi import NOW, lib
from .headers import HeadersLike, flatten
from .request_handle import AGAIN, RequestHandle, Steps

# A response of up to so many bytes is buffered until its end and sent with one call.
MAX_BUFFERED = 16 << 10

# The progress of a response. BUFFERED: it was started, and the C SDK does not know of it yet.
NOT_STARTED, BUFFERED, HEADERS_SENT, ENDED = range(4)


class Outgoing(RequestHandle):
    """The response direction."""

    progress = NOT_STARTED
    status = 0
    fields = b""
    buffered: tuple[bytes, ...] = ()
    buffered_size = 0
    room: weakref.ref[Any] | None = None
    room_at: memoryview | None = None
    room_size = 0

    def start(self, status: int, headers: HeadersLike = None) -> None:
        """Start the response with its status and headers."""
        if self.progress != NOT_STARTED:
            self.alive()
            raise InvalidResponse("headers twice")
        at, fields, status = self.alive(), flatten(headers), operator.index(status)
        self.check(lib.ur_check_flat(status, fields, len(fields)))
        if len(fields) <= self.link.slot_size // 2:  # they fit, with what the C SDK adds
            self.fields, self.status, self.progress = fields, status, BUFFERED
            return
        # The first slot of a lane always has room; one after interim responses may not.
        code = lib.ur_respond_flat(at, self.handle, status, fields, len(fields), NOW)
        if code == AGAIN:
            self.fields, self.status, self.progress = fields, status, BUFFERED
            return
        self.check(code)
        self.progress = HEADERS_SENT

    def interim(self, status: int, headers: HeadersLike = None) -> Steps[None]:
        """Send an interim response, before start()."""
        if self.progress != NOT_STARTED:
            self.alive()
            raise InvalidResponse("an interim response after start()")
        yield from self.send_interim(operator.index(status), flatten(headers))

    def send_interim(self, status: int, fields: bytes) -> Steps[None]:
        """Send an interim response, which may follow start() until that is sent."""
        while True:
            code = lib.ur_interim_flat(self.alive(), self.handle, status, fields, len(fields), NOW)
            if code != AGAIN:
                return self.check(code)
            yield

    def _check_open(self) -> None:
        self.alive()
        if self.progress == NOT_STARTED:
            raise InvalidResponse("a body before start()")
        if self.room is not None:
            self._commit_room(0)

    def _send_headers(self) -> Steps[None]:
        """Pass what is buffered to the C SDK."""
        if self.progress != BUFFERED:
            return
        fields, out = self.fields, b"".join(self.buffered)
        while True:
            code = lib.ur_respond_flat(self.alive(), self.handle, self.status, fields, len(fields), NOW)
            if code != AGAIN:
                break
            yield
        self.check(code)
        self.progress, self.buffered, self.buffered_size = HEADERS_SENT, (), 0
        if out:
            yield from self._write_through(out)

    def _write_through(self, data: Any, done: int = 0) -> Steps[None]:
        link = self.link
        with Exported(data) as exported:
            while done < exported.size:
                buffers = link.borrow_buffers()
                code = lib.ur_write(
                    *(self.alive(), self.handle, exported.address + done, exported.size - done, NOW),
                    buffers.number_at,
                )
                done += buffers.number.value
                link.return_buffers(buffers)
                if code == AGAIN:
                    yield
                elif code != 0:
                    self.check(code)

    def buffer(self, data: Any) -> bool:
        """Buffer a small piece of the response. Return False if it has to be written."""
        if self.progress != BUFFERED or not self.handle:
            return False
        piece = (
            data if type(data) is bytes else data.encode() if type(data) is str else bytes(memoryview(data))
        )
        if self.buffered_size + len(piece) > MAX_BUFFERED:
            return False
        self.buffered += (piece,)
        self.buffered_size += len(piece)
        return True

    def write(self, data: Any) -> Steps[None]:
        """Add bytes to the body; a str is encoded as UTF-8."""
        if isinstance(data, str):
            data = data.encode()
        self._check_open()
        yield from self._send_headers()
        yield from self._write_through(data)

    def reserve(self, size: int = 1) -> Steps[memoryview]:
        """Return room for at most `size` bytes in shared memory."""
        self._check_open()
        yield from self._send_headers()
        link = self.link
        while True:
            buffers = link.borrow_buffers()
            code = lib.ur_reserve(self.alive(), self.handle, NOW, buffers.pair_at, buffers.pair_at + 8)
            address, most = buffers.pair
            link.return_buffers(buffers)
            if code == 0:
                break
            if code != AGAIN:
                self.check(code)
            yield
        start = address - link.responses_at
        exporter = self.export(link.response_memory, link.responses_at, 0)
        self.room_size = min(most, size) if size > 0 else most
        self.room_at = memoryview(exporter).cast("B")[start : start + self.room_size]
        self.room = weakref.ref(exporter)
        return self.room_at

    def _commit_room(self, size: int) -> None:
        """Commit the first bytes of the room, after which nobody may write to it."""
        at, view, room = self.alive(), self.room_at, self.room
        if room is None or view is None:
            raise InvalidResponse("nothing was reserved")
        if not 0 <= size <= self.room_size:
            raise InvalidResponse(f"{size} bytes are more than the {self.room_size} that were reserved")
        try:
            view.release()
        except BufferError:
            raise ViewsAlive("something still uses the reserved room") from None
        if room() is not None:
            raise ViewsAlive("a view of the reserved room is still alive")
        self.room = self.room_at = None
        self.check(lib.ur_commit(at, self.handle, size))

    def commit(self, size: int) -> None:
        """Make the first bytes of the reserved room part of the body."""
        self._commit_room(size)

    def flush(self) -> Steps[None]:
        """Send what was written so far."""
        self._check_open()
        yield from self._send_headers()
        self.check(lib.ur_flush(self.alive(), self.handle))

    def add_trailers(self, fields: HeadersLike) -> Steps[None]:
        """Add trailers."""
        self._check_open()
        flat = flatten(fields)
        yield from self._send_headers()
        while True:
            code = lib.ur_trailers_flat(self.alive(), self.handle, flat, len(flat), NOW)
            if code != AGAIN:
                return self.check(code)
            yield
