"""A link to the server: attach, sleep, close."""

from __future__ import annotations

import ctypes
import errno
import os
import select
import time
import weakref
from ctypes import byref, c_char_p, c_uint32, c_uint64, c_void_p
from typing import Any, NamedTuple

from ._errors import AttachError, Error, Forked, LinkClosed, Timeout, from_errno
from ._library import BELL_EVENTFD, SLOT, TAKEN, Counters, Memory, Options, lib
from ._version import VERSION

# The longest that we sleep in one go: a signal that comes right before the sleep does
# not end it.
_SLICE_MS = 1000


class Server(NamedTuple):
    """Who is at the other end."""

    pid: int
    name: str
    instance: int


class Attachment:
    """The C link. It is freed, and the memory unmapped, when nobody holds it any more:
    the Link, and each request of which there are views.
    """

    __slots__ = ("__weakref__", "pointer")

    def __init__(self, pointer: int) -> None:
        self.pointer: int | None = pointer
        _attachments.add(self)

    def forget(self, close: Any = lib.ur_close) -> None:
        """Free the link; in a forked child, what of it is there."""
        pointer, self.pointer = self.pointer, None
        if pointer is not None:
            close(pointer)

    __del__ = forget


class RequestMemory:
    """What an exporter of request memory has; its types are made for each link, since
    their size is the segment's.
    """

    __slots__ = ()

    def __del__(self) -> None:
        self.pin.drop(self.key)  # type: ignore[attr-defined]


def _exporter(name: str, size: int, *bases: type) -> Any:
    """Return a type of objects that export so many bytes."""
    return type(name, (*bases, ctypes.c_ubyte * size), {"__slots__": ("key", "pin")})


def _bytes(value: str | bytes | os.PathLike[str]) -> bytes:
    return os.fsencode(value)


def _attach(options: Options) -> int:
    pointer = c_void_p()
    code = lib.ur_attach(byref(pointer), byref(options))
    if code == 0 and pointer.value is not None:
        return pointer.value
    refusal = options.refusal.decode("utf-8", "replace") or os.strerror(-code)
    text = refusal if code > -1 else f"{refusal} ({os.strerror(-code)})"
    raise AttachError(f"{text}", -code, may_pass=bool(lib.ur_try_again(code)))


class Link:
    """An attached link. It is used by one thread at a time, as far as waiting goes."""

    def __init__(
        self,
        socket: str | bytes | os.PathLike[str],
        pool: str,
        name: str,
        lanes: int,
        max_held: int,
        timeout: float,
    ) -> None:
        self.max_held = max_held  # slots of a request that views may hold
        options = Options()
        lib.ur_options_init(byref(options))
        options.socket, options.pool, options.name = _bytes(socket), pool.encode(), name.encode()
        options.sdk, options.sdk_version = b"python", VERSION.encode()
        options.lanes, options.bell = lanes, BELL_EVENTFD
        options.timeout_ms = max(1, int(timeout * 1000))
        self._keep(_attach(options))

    def _keep(self, pointer: int) -> None:
        self.pointer: int | None = pointer
        self.attachment: Attachment | None = Attachment(pointer)
        self.forked = False
        self.active: set[int] = set()  # requests whose response has not ended
        self.slot_size = int(lib.ur_slot_size(pointer))
        self.fd = int(lib.ur_fd(pointer))
        self._poller = select.poll()
        self._poller.register(self.fd, select.POLLIN)
        self._sleeping = False

        memory = Memory()
        lib.ur_get_memory(pointer, byref(memory))
        self.requests_at: int = memory.requests or 0
        self.responses_at: int = memory.responses or 0
        self.request_memory = _exporter("RequestMemory", memory.requests_size, RequestMemory)
        self.response_memory = _exporter("ResponseMemory", memory.responses_size)

        # Where the C functions put what they return; read before the next call.
        self.slot = ctypes.create_string_buffer(SLOT.size)
        self.taken = ctypes.create_string_buffer(TAKEN.size)
        self.number = c_uint64()
        self.pair = (c_uint64 * 2)()
        self.text = memoryview(ctypes.create_string_buffer(self.slot_size)).cast("B")
        self.slot_at, self.taken_at = ctypes.addressof(self.slot), ctypes.addressof(self.taken)
        self.number_at, self.pair_at = ctypes.addressof(self.number), ctypes.addressof(self.pair)
        self.text_at = ctypes.addressof(self.text.obj)  # type: ignore[arg-type]
        _links.add(self)

    def alive(self) -> int:
        """Return the pointer, or raise what says why there is none."""
        if self.pointer is None:
            raise Forked if self.forked else LinkClosed("the worker was closed")
        return self.pointer

    def error(self, code: int, handle: int = 0) -> Error:
        """Return the error for what a function returned."""
        pointer = self.alive()
        reason = lib.ur_reason(pointer, handle) if code == -errno.ECANCELED else 0
        return from_errno(code, reason=reason, why=lib.ur_why(pointer).decode("utf-8", "replace"))

    def wait(self, reasons: int, deadline: float | None = None) -> None:
        """Sleep until there may be something to do. News of requests is dropped: whoever
        waits looks for itself.
        """
        pointer = self.alive()
        if self._sleeping:
            raise Error("another thread waits for this worker: have one for each thread")
        code = lib.ur_arm(pointer, reasons)
        if code == 0:
            self._sleeping = True
            try:
                self._sleep(deadline)
            finally:
                self._sleeping = False
                if self.pointer is not None:
                    lib.ur_disarm(self.pointer)
        elif code == -errno.EAGAIN:
            while lib.ur_news(pointer, self.number_at) == 0:
                pass
        elif code != -errno.ENOTCONN:  # then the next look says more
            raise self.error(code)

    def _sleep(self, deadline: float | None) -> None:
        left = float(_SLICE_MS) if deadline is None else (deadline - time.monotonic()) * 1000
        if left <= 0:
            raise Timeout
        self._poller.poll(min(left, _SLICE_MS))

    def take(self) -> tuple[int, ...] | None:
        """Take the next request: handle, stream id, length of its text, address and length
        of its whole body or -1, HTTP version. None: there is none now. Empty: after a drain,
        the last one has come.
        """
        pointer = self.pointer or self.alive()
        code = lib.ur_take(pointer, 0, self.taken_at, self.text_at, self.slot_size)
        if code == 0:
            handle, stream_id, length, _, body, body_length, whole, version = TAKEN.unpack(self.taken)
            self.active.add(handle)
            return handle, stream_id, length, body, body_length if whole else -1, version
        if code == -errno.EAGAIN:
            return None
        if code == -errno.ESHUTDOWN:
            return ()
        raise self.error(code)

    def drain(self) -> None:
        """Ask the server for no more requests."""
        if self.pointer is not None:
            lib.ur_drain(self.pointer)

    def server(self) -> Server:
        """Return who is at the other end."""
        pid, name, instance = c_uint32(), c_char_p(), c_uint64()
        lib.ur_server(self.alive(), byref(pid), byref(name), byref(instance))
        return Server(pid.value, (name.value or b"").decode("utf-8", "replace"), instance.value)

    def counters(self) -> dict[str, int]:
        """Return the C SDK's counters."""
        counters = Counters()
        lib.ur_get_counters(self.alive(), byref(counters))
        return {name: getattr(counters, name) for name, *_ in Counters._fields_}

    def close(self) -> None:
        """End the link. While there are views of its memory the server has to keep that:
        then the responses end here, and the rest when the last view is gone.
        """
        pointer, kept = self.pointer, weakref.ref(self.attachment) if self.attachment else None
        self.pointer = self.attachment = None
        if pointer is not None and kept is not None and kept() is not None:
            for handle in self.active:
                lib.ur_abort_response(pointer, handle)
            lib.ur_drain(pointer)
        self.active.clear()

    def forget(self) -> None:
        """Leave the link to the parent process; called in a forked child."""
        self.forked = self.forked or self.pointer is not None
        self.pointer = self.attachment = None


_links: weakref.WeakSet[Link] = weakref.WeakSet()
_attachments: weakref.WeakSet[Attachment] = weakref.WeakSet()


def _after_fork() -> None:
    for attachment in list(_attachments):
        attachment.forget()
    for link in list(_links):
        link.forget()


os.register_at_fork(after_in_child=_after_fork)
