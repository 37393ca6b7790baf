"""A link to the server: attaches, takes requests, closes."""

from __future__ import annotations

import ctypes
import errno
import os
import stat
import weakref
from collections.abc import Callable, Collection
from ctypes import addressof, byref, c_char_p, c_uint32, c_uint64, c_void_p
from typing import Any, NamedTuple

from .._version import VERSION
from .buffers import ResultBuffers
from .errors import AttachError, Error, Forked, LinkClosed, from_errno
from .ffi import (
    BELL_EVENTFD,
    FLAT_REQUEST,
    NOW,
    SPLIT_REQUEST,
    Counters,
    Memory,
    Options,
    lib,
    number,
    pointer,
)

_next_split = lib.ur_next_split

_MAX_PATH = 108  # bytes of a socket's path

# A request: handle, stream id, head without field names, field names, address and length of a body
# that is complete (else -1), HTTP version. Empty: the link was drained, and no more will come.
Taken = tuple[Any, ...]


class Server(NamedTuple):
    """The server of a link: its process id, its name and version, and a number for each start."""

    pid: int
    name: str
    instance: int


class Attachment:
    """Owns the link of the C SDK and is an argument of its functions, so that a call holds it.

    The link is freed, and its memory unmapped, with the last reference: those of the Link, of
    each request with views, and of each call in progress.
    """

    __slots__ = ("__weakref__", "_as_parameter_", "_at", "argument")

    def __init__(self, at: int) -> None:
        self._at: int | None = at
        self.argument = self._as_parameter_ = pointer(at)  # to pass the former is faster
        _attachments.add(self)

    @property
    def open(self) -> bool:
        """Return whether it may be used, which is false in a forked child."""
        return self._at is not None

    def forget(self, close: Any = lib.ur_close) -> None:
        """Free the link, or in a forked child the part of it that exists there."""
        at, self._at = self._at, None
        if at is not None:
            close(at)

    __del__ = forget


class RequestMemory:
    """Base of the types that export request memory. Each link has a type of its own, with the
    size of its segment.
    """

    __slots__ = ()

    pin: Any
    key: int

    def __del__(self) -> None:
        pin = self.pin
        pin.held.pop(self.key, None)
        pin.release_front()


def _exporter(name: str, size: int, *bases: type) -> Any:
    """Return a type of objects that export `size` bytes."""
    return type(name, (*bases, ctypes.c_ubyte * size), {"__slots__": ("key", "pin")})


def _bytes(value: str | bytes | os.PathLike[str]) -> bytes:
    return os.fsencode(value)


def default_socket() -> str:
    """Return the path of the socket that an unnamed server listens on, or "" if there is none."""
    path = ctypes.create_string_buffer(_MAX_PATH)
    return os.fsdecode(path.value) if lib.ur_default_socket(path, len(path)) == 0 else ""


def _is_no_socket(path: str) -> bool:
    """Return whether the path is of something that is not a socket."""
    try:
        return not stat.S_ISSOCK(os.stat(path).st_mode)  # noqa: PTH116 - Path("") is a folder
    except OSError:
        return False


def _attach(options: Options) -> Attachment:
    at = c_void_p()
    code = lib.ur_attach(byref(at), byref(options))
    if code == 0 and at.value is not None:
        return Attachment(at.value)
    if code == -errno.ECONNREFUSED:
        path = os.fsdecode(options.socket) or default_socket()
        if _is_no_socket(path):
            raise AttachError(f"cannot attach to {path}: it is not a socket", -code)
    refusal, why = options.refusal.decode("utf-8", "replace"), os.strerror(-code)
    if not refusal.endswith(why):
        refusal = f"{refusal} ({why})" if refusal else why
    raise AttachError(refusal, -code, may_pass=bool(lib.ur_is_temporary(code)))


class Link:
    """An attached link. Threads may share it: the GIL serializes the calls of the C SDK."""

    on_room: Callable[[], None]  # called when a lane becomes free and somebody waits
    waiting: Collection[int] = ()  # handles of requests with somebody waiting
    on_end: Callable[[int], None]  # called when one of those requests ends

    def __init__(
        self,
        socket: str | bytes | os.PathLike[str],
        pool: str,
        name: str,
        lanes: int,
        max_held: int,
        timeout: float,
        server_uid: int = 0,
        stacks: int = 0,
    ) -> None:
        if not 0 <= server_uid < 2**32:
            raise ValueError(f"server_uid is the number of a user, not {server_uid}")
        self.max_held = max_held  # slots of one request that views may hold
        self._lanes = lanes
        options = Options()
        lib.ur_options_init(byref(options))
        options.socket, options.pool, options.name = _bytes(socket), pool.encode(), name.encode()
        options.sdk, options.sdk_version = b"python", VERSION.encode()
        options.lanes, options.bell = lanes, BELL_EVENTFD
        options.timeout_ms, options.server_uid = max(1, int(timeout * 1000)), server_uid
        options.stacks = stacks
        self._keep(_attach(options))

    def _keep(self, at: Attachment) -> None:
        self.attachment: Attachment | None = at
        self.forked = False
        self.active: set[int] = set()  # handles of requests whose response has not ended
        self._full = False  # all lanes are busy, and somebody wanted another request
        self.leaving = False  # drain() was called
        self.slot_size = int(lib.ur_slot_size(at))
        self.fd = int(lib.ur_fd(at))

        memory = Memory()
        lib.ur_get_memory(at, byref(memory))
        self.requests_at: int = memory.requests or 0
        self.responses_at: int = memory.responses or 0
        self.request_memory = _exporter("RequestMemory", memory.requests_size, RequestMemory)
        self.response_memory = _exporter("ResponseMemory", memory.responses_size)

        self._free_buffers: list[ResultBuffers] = []  # not in use by a call
        self._taken = ctypes.create_string_buffer(SPLIT_REQUEST.size)
        self._text = ctypes.create_string_buffer(self.slot_size)
        taken_at = addressof(self._taken)
        self._split_arguments = (
            *(NOW, pointer(taken_at), pointer(addressof(self._text)), number(self.slot_size)),
            pointer(taken_at + FLAT_REQUEST.size),
        )
        _links.add(self)

    def alive(self) -> Attachment:
        """Return the attachment, or raise the error that says why there is none."""
        if self.attachment is None:
            raise Forked if self.forked else LinkClosed("the worker was closed")
        return self.attachment

    def error(self, code: int, handle: int = 0) -> Error:
        """Return the error for -errno, as a function returned it."""
        at = self.alive()
        reason = lib.ur_reason(at, handle) if code == -errno.ECANCELED else 0
        return from_errno(code, reason=reason, why=lib.ur_error_text(at).decode("utf-8", "replace"))

    def borrow_buffers(self) -> ResultBuffers:
        """Return memory for the results of a call. Release: return_buffers, or drop it."""
        try:
            return self._free_buffers.pop()
        except IndexError:
            return ResultBuffers()

    def return_buffers(self, buffers: ResultBuffers) -> None:
        """Take back what was borrowed, for another call."""
        self._free_buffers.append(buffers)

    def take(self) -> Taken | None:
        """Take the next request, or return None if there is none now.

        Preconditions: one thread calls it at a time.
        """
        at = self.attachment or self.alive()
        code = _next_split(at.argument, *self._split_arguments)
        if code == 0:
            handle, stream_id, end, _, body, length, whole, version, names = SPLIT_REQUEST.unpack(self._taken)
            self.active.add(handle)
            text, names_at = self._text, end - names
            head, names = text[:names_at], text[names_at:end]
            return handle, stream_id, head, names, body, length if whole else -1, version
        if code == -errno.EAGAIN:
            self._full = len(self.active) >= self._lanes
            return None
        if code == -errno.ESHUTDOWN:
            return ()
        raise self.error(code)

    def ended(self, handle: int) -> None:
        """Note that a response has ended, and wake those who wait for it.

        Finalizers call it at any point of any code, in any thread.
        """
        self.active.discard(handle)
        if handle in self.waiting:
            self.on_end(handle)
        if self._full:
            self._full = False
            self.on_room()

    def drain(self) -> None:
        """Tell the server to assign no more requests."""
        self.leaving = True
        at = self.attachment
        if at is not None:
            lib.ur_drain(at)

    def server(self) -> Server:
        """Return the server at the other end."""
        pid, name, instance = c_uint32(), c_char_p(), c_uint64()
        lib.ur_server(self.alive(), byref(pid), byref(name), byref(instance))
        return Server(pid.value, (name.value or b"").decode("utf-8", "replace"), instance.value)

    def counters(self) -> dict[str, int]:
        """Return the counters of the C SDK."""
        counters = Counters()
        lib.ur_get_counters(self.alive(), byref(counters))
        return {name: getattr(counters, name) for name, *_ in Counters._fields_}

    def close(self) -> None:
        """End the link. Its responses end now; its memory stays until the last view is gone."""
        kept = weakref.ref(self.attachment) if self.attachment is not None else None
        self.attachment = None
        at = kept() if kept is not None else None
        if at is not None:
            for handle in list(self.active):
                lib.ur_abort_response(at, handle)
            lib.ur_drain(at)
        self.active.clear()

    def forget(self) -> None:
        """Leave the link to the parent process. Preconditions: this is a forked child."""
        self.forked = self.forked or self.attachment is not None
        self.attachment = None


_links: weakref.WeakSet[Link] = weakref.WeakSet()
_attachments: weakref.WeakSet[Attachment] = weakref.WeakSet()


def _after_fork() -> None:
    for attachment in list(_attachments):
        attachment.forget()
    for link in list(_links):
        link.forget()


os.register_at_fork(after_in_child=_after_fork)
