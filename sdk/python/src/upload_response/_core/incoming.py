"""The request direction of an exchange: reads its slots without waiting."""

from __future__ import annotations

import ctypes
import errno
import itertools
from ctypes import byref, c_size_t
from typing import Any

from .errors import Released, ViewsAlive, from_errno
from .ffi import ALL_SLOTS, BODY, END, MAX_SLOTS, NOW, SLOT, TRAILERS, Header, lib, number
from .headers import Headers
from .request_handle import AGAIN, RequestHandle, Steps
from .slot_pin import Slot, SlotPin

_keys = itertools.count(1)


def _read_trailers(slot_at: int) -> Headers:
    at, field, flat = c_size_t(), Header(), []
    code = lib.ur_trailer(slot_at, byref(at), byref(field))
    while code == 0:
        for address, length in ((field.name, field.name_length), (field.value, field.value_length)):
            flat.append(ctypes.string_at(address, length).decode("latin-1") if length else "")
        code = lib.ur_trailer(slot_at, byref(at), byref(field))
    if code != -errno.ENOENT:
        raise from_errno(code)
    return Headers(flat)


class Incoming(RequestHandle):
    """The request direction."""

    seen = 1  # the highest slot that the C SDK has returned
    fetched: list[Any] | None = None  # slots to hand out, in reverse order
    released = 0  # the highest slot that the program has released
    rest: memoryview | None = None  # the unread part of a chunk
    trailers: Headers | None = None
    complete = False  # the whole body was handed out
    body_at = 0
    body_length = -1  # of a body that came with the headers

    def _pin_with_room(self) -> SlotPin:
        pin = self.pin or self.pinned()
        if len(pin.held) >= self.link.max_held:
            raise ViewsAlive(
                f"views hold {len(pin.held)} slots of this request: release() some, or copy what you keep"
            )
        return pin

    def view(self, slot: int, address: int, length: int) -> memoryview:
        """Return a view of a slot. The slot stays until the last reference to the view is gone."""
        link, pin = self.link, self._pin_with_room()
        key = next(_keys)
        pin.held[key] = slot
        exporter = self.export(link.request_memory, link.requests_at, key)
        start = address - link.requests_at
        return memoryview(exporter).cast("B")[start : start + length].toreadonly()

    def _hand_out(self, slot: int, address: int, length: int) -> memoryview:
        """Return a view of a slot that is released with the view."""
        view = self.view(slot, address, length)
        pin: Any = self.pin
        pin.handed = max(pin.handed, slot)
        return view

    def next_slot(self) -> tuple[int, int, int, int, int] | None:
        """Return number, address, length, kind and final flag of the next slot, or None if it has
        not arrived.
        """
        link = self.link
        buffers = link.borrow_buffers()
        code = lib.ur_next_slot(self.alive().argument, number(self.handle), NOW, buffers.slot_argument)
        if code != 0:
            link.return_buffers(buffers)
            if code != AGAIN:
                self.check(code)
            return None
        slot, address, length, _, kind, final = SLOT.unpack(buffers.slot)
        self.seen = max(self.seen, slot)
        if kind == TRAILERS:
            self.trailers = _read_trailers(buffers.slot_at)
        link.return_buffers(buffers)
        return slot, address, length, kind, final

    def _fetch(self) -> bool:
        """Fetch the slots of the body that have arrived. Return False if there are none."""
        link = self.link
        buffers = link.borrow_buffers()
        count = lib.ur_next_slots(
            self.alive().argument, number(self.handle), buffers.slot_argument, MAX_SLOTS
        )
        if count < 1:
            link.return_buffers(buffers)
            if count != AGAIN:
                self.check(count)
            return False
        self.fetched = fetched = [*SLOT.iter_unpack(buffers.slots.raw[: count * SLOT.size])]
        self.seen = max(self.seen, fetched[-1][0])
        if fetched[0][4] == TRAILERS:
            self.trailers = _read_trailers(buffers.slot_at)
        link.return_buffers(buffers)
        pin = self.pinned()
        if count == MAX_SLOTS:  # the client is far ahead: release them together, which wakes the server once
            pin.release_together(fetched[-1][0])
        else:
            pin.release_now()
        fetched.reverse()
        return True

    def fetched_chunk(self) -> memoryview | None:
        """Return a view of the next fetched slot, or None if there is none or it ends the body."""
        fetched = self.fetched
        if not fetched or not self.handle or self.link.attachment is None:
            return None
        slot, address, length, _, kind, _ = fetched[-1]
        if slot <= self.released:
            raise Released
        if kind != BODY:
            return None
        pin = self._pin_with_room()
        del fetched[-1]
        link, key = self.link, next(_keys)
        pin.held[key] = slot
        exporter = link.request_memory.from_address(link.requests_at)
        exporter.pin, exporter.key = pin, key
        start = address - link.requests_at
        view = memoryview(exporter).cast("B")[start : start + length].toreadonly()
        if slot > pin.handed:  # noqa: PLR1730 - max() takes longer
            pin.handed = slot
        return view

    def next_chunk(self) -> Steps[memoryview | None]:
        """Return a view of the next slot of the body, or None at the end."""
        self.alive()
        if self.complete:
            return None
        if self.body_length > 0:  # it came with the headers
            self.complete, self.seen = True, max(self.seen, 3)
            return self._hand_out(2, self.body_at, self.body_length)
        while True:
            chunk = self.fetched_chunk()
            if chunk is not None:
                return chunk
            if not self.fetched:
                self._pin_with_room()  # raises before a slot is taken
                if not self._fetch():
                    if self.pin is not None:
                        self.pin.release_now()
                    yield
                continue
            slot, _, _, _, kind, _ = self.fetched.pop()
            if kind == END:
                self.complete = True
                return None
            pin = self.pinned()
            pin.handed = max(pin.handed, slot)

    def _tail(self, slot: int) -> tuple[int, int, int, int, int, int] | None:
        """Return number, address, length, time, kind and final flag of a slot, or None if it has
        not arrived.
        """
        link = self.link
        buffers = link.borrow_buffers()
        code = lib.ur_tail(self.alive(), self.handle, slot, NOW, buffers.slot_at)
        if code not in (0, AGAIN):
            self.check(code)
        if code == AGAIN:
            link.return_buffers(buffers)
            return None
        slot, address, length, time_ns, kind, final = SLOT.unpack(buffers.slot)
        self.seen = max(self.seen, slot)
        if kind == TRAILERS:
            self.trailers = _read_trailers(buffers.slot_at)
        link.return_buffers(buffers)
        return slot, address, length, time_ns, kind, final

    def look(self, slot: int) -> Slot | None:
        """Return a slot by its number, or None if it has not arrived. Release: release()."""
        found = self._tail(slot)
        if found is None:
            return None
        slot, address, length, time_ns, kind, final = found
        data = self.view(slot, address, length) if length else memoryview(b"")
        return Slot(slot, kind, data, time_ns, bool(final))

    def tail(self, slot: int) -> Steps[Slot]:
        """Return a slot by its number, once it has arrived."""
        while True:
            found = self.look(slot)
            if found is not None:
                return found
            yield

    def release(self, slot: int = ALL_SLOTS) -> None:
        """Release the slots up to a number, as soon as no views of them exist."""
        at = self.alive()
        if self.seen < slot < ALL_SLOTS:
            raise ValueError(f"slot {slot} has not arrived yet")
        if slot == ALL_SLOTS:
            self.rest, self.complete, self.body_length = None, True, -1
        elif self.body_length > 0:
            self.body_length = -1  # the C SDK knows which slots are gone
        self.released = max(self.released, slot)
        pin = self.pin
        if pin is None or not pin.held:
            self.check(lib.ur_release(at, number(self.handle), number(slot)))
        if pin is not None:
            pin.due, pin.handed = 0, max(pin.handed, slot)
            pin.release_front()

    def read(self, size: int = -1) -> Steps[bytes]:
        """Return `size` bytes, or all; fewer only at the end of the body."""
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
        assert rest is not None  # noqa: S101 - both callers see to that
        if 0 <= size < len(rest):
            self.rest = rest[size:]
            return bytes(rest[:size])
        self.rest = None
        return bytes(rest)

    def read_into(self, buffer: Any) -> Steps[int]:
        """Fill a buffer with what has arrived, at least one byte, and return the number of bytes."""
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
