"""One request and its response, without waiting.

What may have to wait is a generator: it yields where there is nothing to do until the
link has news, and whoever runs it sleeps there, in a thread or in an event loop. It is
written once for both.
"""

from __future__ import annotations

import ctypes
import errno
import itertools
import operator
import weakref
from collections.abc import Generator
from ctypes import byref, c_size_t
from typing import Any, NamedTuple, TypeVar

from ._buffers import Exported
from ._errors import Error, InvalidResponse, Reason, RequestEnded, ViewsAlive, from_errno
from ._headers import Headers, HeadersLike, flatten
from ._library import ALL_SLOTS, BODY, END, SLOT, TRAILERS, Header, lib
from ._link import Attachment, Link

T = TypeVar("T")
Steps = Generator[None, None, T]

# A response of so many bytes is kept here until its end, and goes out with one call.
SMALL = 16 << 10

# How far the response is. STARTED: the C SDK does not know of it yet.
NONE, STARTED, BEGUN, OVER = range(4)

_AGAIN = -errno.EAGAIN

_keys = itertools.count(1)


class Slot(NamedTuple):
    """A slot of a request; data is a read-only view of shared memory."""

    number: int
    kind: int
    data: memoryview
    time_ns: int


class Pin:
    """Keeps a request's slots where they are for as long as there are views of them: each
    exporter of one holds it, and the exchange until its response has ended. With the last
    of these the request is let go.

    Views die in any thread and at any point of any code, so there is no lock here: each
    step is one that the interpreter does not divide.
    """

    __slots__ = ("__weakref__", "attachment", "handed", "handle", "held")

    def __init__(self, attachment: Attachment, handle: int) -> None:
        self.attachment = attachment
        self.handle = handle
        self.held: dict[int, int] = {}  # exporter -> slot
        self.handed = 0  # this slot and those before go back when nothing holds them

    def drop(self, key: int) -> None:
        """Note that an exporter is gone."""
        self.held.pop(key, None)
        self.give_back()

    def give_back(self, release: Any = lib.ur_release) -> None:
        """Release the slots in front that nobody needs."""
        handed = self.handed  # before held: a slot is held before it counts as handed out
        held = list(self.held.values())
        number = min(min(held) - 1, handed) if held else handed
        if number > 0 and self.attachment.pointer is not None:
            release(self.attachment.pointer, self.handle, number)

    def __del__(self, let_go: Any = lib.ur_let_go) -> None:
        if self.attachment.pointer is not None:
            let_go(self.attachment.pointer, self.handle)


class Exchange:
    """The state of one request and its response."""

    # What most requests never change: there is an exchange for each.
    pin: Pin | None = None
    seen = 1  # the highest slot that was handed out
    rest: memoryview | None = None  # of a chunk that was read in part
    trailers: Headers | None = None
    progress = NONE
    status = 0
    fields = b""
    out: tuple[bytes, ...] = ()
    out_size = 0
    room: weakref.ref[Any] | None = None
    room_at: memoryview | None = None
    room_size = 0
    handle = 0

    def __init__(self, link: Link, taken: tuple[int, ...]) -> None:
        self.link = link
        self.handle, self.stream_id, length, self.body_at, self.body_length, self.http_version = taken
        self.parts = str(link.text[:length], "latin-1").split("\0")
        self.complete = self.body_length == 0  # all of the body was handed out

    def __del__(self) -> None:
        if self.handle:
            self.abort()

    def alive(self) -> int:
        """Return the link's pointer if the request has not ended."""
        if not self.handle:
            raise RequestEnded
        return self.link.pointer or self.link.alive()

    def check(self, code: int) -> None:
        """Raise the error that a function returned."""
        if code != 0:
            raise self.link.error(code, self.handle)

    @property
    def reason(self) -> Reason:
        """Why the request was cancelled."""
        pointer = self.alive()
        lib.ur_cancelled(pointer, self.handle)  # listens for the end of the server, too
        return Reason(lib.ur_reason(pointer, self.handle))

    def until_cancelled(self) -> Steps[Reason]:
        """Return why the request was cancelled, once it is."""
        while True:
            reason = self.reason
            if reason != Reason.NOT_CANCELLED:
                return reason
            yield

    # ------------------------------------------------------------- reading

    def _pinned(self) -> Pin:
        if self.pin is None:
            attachment = self.link.attachment
            if attachment is None:
                self.link.alive()
                raise RequestEnded
            self.pin = Pin(attachment, self.handle)
        return self.pin

    def _roomy_pin(self) -> Pin:
        pin = self._pinned()
        if len(pin.held) >= self.link.max_held:
            raise ViewsAlive(
                f"views hold {len(pin.held)} slots of this request: release() some, or copy what is kept"
            )
        return pin

    def _export(self, kind: Any, base: int, key: int) -> Any:
        exporter = kind.from_address(base)
        exporter.pin, exporter.key = self._pinned(), key
        return exporter

    def view(self, number: int, address: int, length: int) -> memoryview:
        """Return a view of a slot, which goes back when nothing refers to it any more."""
        link, pin = self.link, self._roomy_pin()
        key = next(_keys)
        pin.held[key] = number
        exporter = self._export(link.request_memory, link.requests_at, key)
        start = address - link.requests_at
        return memoryview(exporter).cast("B")[start : start + length].toreadonly()

    def next_chunk(self) -> Steps[memoryview | None]:
        """Return a view of the next slot of the body, or None at its end."""
        pointer = self.alive()
        if self.complete:
            return None
        if self.body_length > 0:  # it came with the request
            self.complete, self.seen = True, max(self.seen, 3)
            return self._hand_out(2, self.body_at, self.body_length)
        link = self.link
        self._roomy_pin()  # or say so, before a slot is taken
        while True:
            code = lib.ur_next_slot(pointer, self.handle, 0, link.slot_at)
            if code == 0:
                break
            if code != _AGAIN:
                self.check(code)
            yield
            pointer = self.alive()
        number, address, length, _, kind, _ = SLOT.unpack(link.slot)
        self.seen = max(self.seen, number)
        if kind == BODY:
            return self._hand_out(number, address, length)
        if kind == TRAILERS:
            self.trailers = self._read_trailers()
            pin = self._pinned()
            pin.handed = max(pin.handed, number)
            return (yield from self.next_chunk())
        self.complete = True
        return None

    def _hand_out(self, number: int, address: int, length: int) -> memoryview:
        view = self.view(number, address, length)
        pin = self._pinned()
        pin.handed = max(pin.handed, number)
        return view

    def _read_trailers(self) -> Headers:
        at, field, flat = c_size_t(), Header(), []
        code = lib.ur_trailer(self.link.slot_at, byref(at), byref(field))
        while code == 0:
            for address, length in ((field.name, field.name_length), (field.value, field.value_length)):
                flat.append(ctypes.string_at(address, length).decode("latin-1") if length else "")
            code = lib.ur_trailer(self.link.slot_at, byref(at), byref(field))
        if code != -errno.ENOENT:
            raise from_errno(code)
        return Headers(flat)

    def tail(self, number: int) -> Steps[Slot]:
        """Return a slot by its number. It does not go back by itself: see release."""
        pointer = self.alive()
        while True:
            code = lib.ur_tail(pointer, self.handle, number, 0, self.link.slot_at)
            if code == 0:
                break
            if code != _AGAIN:
                self.check(code)
            yield
            pointer = self.alive()
        number, address, length, time_ns, kind, _ = SLOT.unpack(self.link.slot)
        self.seen = max(self.seen, number)
        if kind == TRAILERS:
            self.trailers = self._read_trailers()
        data = memoryview(b"") if kind == END else self.view(number, address, length)
        return Slot(number, kind, data, time_ns)

    def look(self, number: int) -> Slot | None:
        """Return a slot by its number, or None if it is not there yet."""
        steps = self.tail(number)
        try:
            next(steps)
        except StopIteration as stop:
            slot: Slot = stop.value
            return slot
        return None

    def release(self, number: int = ALL_SLOTS) -> None:
        """Give slots back, as soon as there are no views of them."""
        pointer = self.alive()
        if self.seen < number < ALL_SLOTS:
            raise ValueError(f"slot {number} was not there yet")
        if number == ALL_SLOTS:
            self.rest, self.complete, self.body_length = None, True, -1
        elif self.body_length > 0:
            self.body_length = -1  # let the C SDK say what is gone
        pin = self.pin
        if pin is None or not pin.held:
            self.check(lib.ur_release(pointer, self.handle, number))
        if pin is not None:
            pin.handed = max(pin.handed, number)
            pin.give_back()

    def read(self, size: int = -1) -> Steps[bytes]:
        """Return so many bytes, or all; fewer only at the end of the body."""
        if self.body_length > 0 and not self.complete and not 0 <= size < self.body_length:
            self.alive()
            self.complete = True
            return ctypes.string_at(self.body_at, self.body_length)
        pieces: list[bytes] = []
        while size != 0:
            if self.rest is None:
                self.rest = yield from self.next_chunk()
            if self.rest is None:
                break
            pieces.append(self._take_rest(size))
            size -= len(pieces[-1]) if size > 0 else 0
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _take_rest(self, size: int) -> bytes:
        rest = self.rest
        assert rest is not None  # noqa: S101 - by both callers
        if 0 <= size < len(rest):
            self.rest = rest[size:]
            return bytes(rest[:size])
        self.rest = None
        return bytes(rest)

    def read_into(self, buffer: Any) -> Steps[int]:
        """Fill a buffer with what there is, at least one byte, and return how many."""
        with memoryview(buffer) as target, target.cast("B") as room:
            if not room:
                return 0
            if self.rest is None:
                self.rest = yield from self.next_chunk()
            if self.rest is None:
                return 0
            size = min(len(room), len(self.rest))
            room[:size] = self.rest[:size]
            self.rest = self.rest[size:] if size < len(self.rest) else None
            return size

    # ------------------------------------------------------------- writing

    def start(self, status: int, headers: HeadersLike = None) -> None:
        """Start the response."""
        if self.progress != NONE:
            self.alive()
            raise InvalidResponse("headers twice")
        pointer, fields, status = self.alive(), flatten(headers), operator.index(status)
        self.check(lib.ur_check_flat(status, fields, len(fields)))
        if len(fields) <= self.link.slot_size // 2:  # it fits, with all that is added to it
            self.fields, self.status, self.progress = fields, status, STARTED
            return
        # The first slot of a lane has room in any case.
        self.check(lib.ur_respond_flat(pointer, self.handle, status, fields, len(fields), 0))
        self.progress = BEGUN

    def _open(self) -> int:
        pointer = self.alive()
        if self.progress == NONE:
            raise InvalidResponse("a body before start()")
        if self.room is not None:
            self._close_room(0)
        return pointer

    def _begin(self) -> Steps[None]:
        """Hand what was kept here to the C SDK."""
        if self.progress != STARTED:
            return
        fields, out = self.fields, b"".join(self.out)
        self.check(lib.ur_respond_flat(self.alive(), self.handle, self.status, fields, len(fields), 0))
        self.progress, self.out, self.out_size = BEGUN, (), 0
        if out:
            yield from self._write_out(out)

    def _write_out(self, data: Any, done: int = 0) -> Steps[None]:
        link = self.link
        with Exported(data) as exported:
            while done < exported.size:
                code = lib.ur_write(
                    self.alive(),
                    self.handle,
                    exported.address + done,
                    exported.size - done,
                    0,
                    link.number_at,
                )
                done += link.number.value
                if code == _AGAIN:
                    yield
                elif code != 0:
                    self.check(code)

    def keep(self, data: Any) -> bool:
        """Keep a small piece of the response for its end. False: it has to be written."""
        if self.progress != STARTED or not self.handle:
            return False
        piece = (
            data if type(data) is bytes else data.encode() if type(data) is str else bytes(memoryview(data))
        )
        if self.out_size + len(piece) > SMALL:
            return False
        self.out += (piece,)
        self.out_size += len(piece)
        return True

    def write(self, data: Any) -> Steps[None]:
        """Add bytes to the body; a str as UTF-8."""
        if isinstance(data, str):
            data = data.encode()
        self._open()
        yield from self._begin()
        yield from self._write_out(data)

    def reserve(self, size: int = 1) -> Steps[memoryview]:
        """Return room for at most so many bytes, in shared memory."""
        self._open()
        yield from self._begin()
        link = self.link
        while True:
            code = lib.ur_reserve(self.alive(), self.handle, 0, link.pair_at, link.pair_at + 8)
            if code == 0:
                break
            if code != _AGAIN:
                self.check(code)
            yield
        address, most = link.pair
        start = address - link.responses_at
        exporter = self._export(link.response_memory, link.responses_at, 0)
        self.room_size = min(most, size) if size > 0 else most
        self.room_at = memoryview(exporter).cast("B")[start : start + self.room_size]
        self.room = weakref.ref(exporter)
        return self.room_at

    def _close_room(self, size: int) -> None:
        """Commit so much of the room. Nobody may write to it after that."""
        pointer, view, room = self.alive(), self.room_at, self.room
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
        self.check(lib.ur_commit(pointer, self.handle, size))

    def commit(self, size: int) -> None:
        """Make the first bytes of the reserved room part of the body."""
        self._close_room(size)

    def flush(self) -> Steps[None]:
        """Send what has been written so far."""
        self._open()
        yield from self._begin()
        self.check(lib.ur_flush(self.alive(), self.handle))

    def add_trailers(self, fields: HeadersLike) -> Steps[None]:
        """Add trailers."""
        self._open()
        flat = flatten(fields)
        yield from self._begin()
        while True:
            code = lib.ur_trailers_flat(self.alive(), self.handle, flat, len(flat), 0)
            if code != _AGAIN:
                return self.check(code)
            yield

    # ------------------------------------------------------------- ending

    def answer(self) -> bool:
        """End a response that was kept here, with one call. False: it takes more."""
        if self.progress != STARTED or self.pin is not None:
            return False
        pointer, link, fields = self.alive(), self.link, self.fields
        out = self.out
        body = out[0] if len(out) == 1 else b"".join(out)
        code = lib.ur_answer(
            pointer, self.handle, self.status, fields, len(fields), body, len(body), 0, link.number_at
        )
        if code == 0:
            self._ended()
            return True
        if code == _AGAIN:
            self.progress, self.out = BEGUN, (body[link.number.value :],)
            return False
        error = link.error(code, self.handle)
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
            code = lib.ur_end_response(self.alive(), self.handle, 0)
            if code != _AGAIN:
                break
            yield
        error = self.link.error(code, self.handle) if code != 0 else None
        if code != -errno.EINVAL:
            self._let_go()
        if error is not None:
            raise error

    def abort(self) -> None:
        """Break the response off, whatever has come of it."""
        pointer = self.link.pointer
        if self.handle and pointer is not None:
            lib.ur_abort_response(pointer, self.handle)
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
        handle = self.handle
        pinned = self.pin is not None
        self._ended()
        if not pinned and self.link.pointer is not None:
            lib.ur_let_go(self.link.pointer, handle)

    def _ended(self) -> None:
        self.link.active.discard(self.handle)
        self.handle = 0
        self.progress = OVER
        self.out = ()
        if self.pin is not None:
            self.pin = self.rest = self.room = self.room_at = None
