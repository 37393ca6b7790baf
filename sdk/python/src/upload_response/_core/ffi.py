"""The foreign function interface: finds the C library and declares its functions.

All functions except ur_attach are called without blocking and with the GIL held (PyDLL). That
is cheaper, and it keeps two threads, or a finalizer and the code that it interrupts, from using
a link at the same time. A free-threaded interpreter takes a lock of this module instead.
"""

from __future__ import annotations

import ctypes
import functools
import os
import struct
import sys
import threading
from ctypes import POINTER, c_char, c_char_p, c_int, c_int32, c_size_t, c_uint32, c_uint64, c_void_p
from pathlib import Path
from typing import Any, Callable

NOW = 0
MAX_SLOTS = 16  # slots that one call returns
ALL_SLOTS = 2**64 - 1
BODY, TRAILERS, END, TEXT, BINARY, CLOSE = 2, 3, 4, 7, 8, 9
WAIT_STREAM, WAIT_NEWS = 1, 2
BELL_EVENTFD = 1


class Options(ctypes.Structure):
    """ur_options."""

    _fields_ = (
        ("socket", c_char_p),
        ("pool", c_char_p),
        ("name", c_char_p),
        ("sdk", c_char_p),
        ("sdk_version", c_char_p),
        ("lanes", c_uint32),
        ("bell", c_uint32),
        ("timeout_ms", c_int32),
        ("layout_min", c_uint32),
        ("layout_max", c_uint32),
        ("refusal", c_char * 256),
        ("server_uid", c_uint32),
        ("stacks", c_uint32),
        ("reserved", c_uint64 * 7),
    )


class Counters(ctypes.Structure):
    """ur_counters."""

    _fields_ = tuple(
        (name, c_uint64)
        for name in (
            *("requests", "passed_over", "ended", "aborted", "cancelled"),
            *("slots_in", "bytes_in", "slots_out", "bytes_out"),
            *("sleeps", "rings", "active", "buffers", "buffers_free"),
        )
    )


class Header(ctypes.Structure):
    """ur_header: two ur_str."""

    _fields_ = (
        ("name", c_void_p),
        ("name_length", c_size_t),
        ("value", c_void_p),
        ("value_length", c_size_t),
    )


class Memory(ctypes.Structure):
    """ur_memory."""

    _fields_ = (
        ("requests", c_void_p),
        ("requests_size", c_size_t),
        ("responses", c_void_p),
        ("responses_size", c_size_t),
    )


# ur_slot, ur_flat_request, and ur_flat_request followed by the length of the names. They are unpacked in one
# step: to read one field through ctypes costs as much as a call.
SLOT = struct.Struct("=QQQqII")
FLAT_REQUEST = struct.Struct("=QQQQQQII")
SPLIT_REQUEST = struct.Struct("=QQQQQQIIQ")

LINK, REQUEST, BYTES = c_void_p, c_uint64, c_void_p

SIGNATURES: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "ur_options_init": (None, (POINTER(Options),)),
    "ur_default_socket": (c_int, (c_char_p, c_size_t)),
    "ur_is_temporary": (c_int, (c_int,)),
    "ur_close": (None, (LINK,)),
    "ur_drain": (c_int, (LINK,)),
    "ur_server_drains": (c_int, (LINK,)),
    "ur_error_text": (c_char_p, (LINK,)),
    "ur_slot_size": (c_size_t, (LINK,)),
    "ur_server": (None, (LINK, POINTER(c_uint32), POINTER(c_char_p), POINTER(c_uint64))),
    "ur_response_timeout_ms": (c_uint64, (LINK,)),
    "ur_get_counters": (c_int, (LINK, POINTER(Counters))),
    "ur_get_memory": (None, (LINK, POINTER(Memory))),
    "ur_fd": (c_int, (LINK,)),
    "ur_arm": (c_int, (LINK, c_uint32)),
    "ur_disarm": (c_int, (LINK,)),
    "ur_next_split": (c_int, (LINK, c_int, BYTES, BYTES, c_size_t, BYTES)),
    "ur_sleep": (c_int, (LINK, c_uint32, c_int, c_int, c_void_p, c_void_p)),
    "ur_ready": (c_int, (LINK, BYTES)),
    "ur_tail": (c_int, (LINK, REQUEST, c_uint64, c_int, BYTES)),
    "ur_next_slot": (c_int, (LINK, REQUEST, c_int, BYTES)),
    "ur_next_slots": (c_int, (LINK, REQUEST, BYTES, c_int)),
    "ur_release": (c_int, (LINK, REQUEST, c_uint64)),
    "ur_trailer": (c_int, (BYTES, POINTER(c_size_t), POINTER(Header))),
    "ur_cancelled": (c_int, (LINK, REQUEST)),
    "ur_reason": (c_uint32, (LINK, REQUEST)),
    "ur_interim_flat": (c_int, (LINK, REQUEST, c_int, BYTES, c_size_t, c_int)),
    "ur_respond_flat": (c_int, (LINK, REQUEST, c_int, BYTES, c_size_t, c_int)),
    "ur_check_flat": (c_int, (c_int, BYTES, c_size_t)),
    "ur_trailers_flat": (c_int, (LINK, REQUEST, BYTES, c_size_t, c_int)),
    "ur_respond_whole_flat": (c_int, (LINK, REQUEST, c_int, BYTES, c_int, BYTES, c_int)),
    "ur_unsent": (c_size_t, (LINK, REQUEST)),
    "ur_write": (c_int, (LINK, REQUEST, BYTES, c_size_t, c_int, BYTES)),
    "ur_reserve": (c_int, (LINK, REQUEST, c_int, BYTES, BYTES)),
    "ur_commit": (c_int, (LINK, REQUEST, c_size_t)),
    "ur_flush": (c_int, (LINK, REQUEST)),
    "ur_send": (c_int, (LINK, REQUEST, c_uint32, BYTES, c_size_t, c_int, c_int, BYTES)),
    "ur_send_close": (c_int, (LINK, REQUEST, c_int, BYTES, c_size_t, c_int)),
    "ur_end": (c_int, (LINK, REQUEST, c_int)),
    "ur_abort": (c_int, (LINK, REQUEST)),
    "ur_end_response": (c_int, (LINK, REQUEST, c_int)),
    "ur_abort_response": (c_int, (LINK, REQUEST)),
    "ur_let_go": (c_int, (LINK, REQUEST)),
}
ATTACH = (c_int, (POINTER(c_void_p), POINTER(Options)))

# Functions that every request calls. ctypes takes a tenth of a microsecond to convert one
# argument, so these get converted arguments: 64-bit numbers and pointers from the functions
# below, and the link from its Attachment. A plain int arrives as a C int.
PRECONVERTED = frozenset(
    [
        *("ur_next_split", "ur_respond_whole_flat", "ur_next_slot", "ur_next_slots", "ur_release"),
        *("ur_sleep", "ur_arm", "ur_disarm", "ur_ready"),
    ]
)

pointer = c_void_p.from_param
number = c_uint64.from_param


def path() -> str:
    """Return the path of the library: $UPLOAD_RESPONSE_LIBRARY, or the one in the package."""
    return os.environ.get("UPLOAD_RESPONSE_LIBRARY") or str(
        Path(__file__).parents[1] / "_lib" / "libupload_response.so"
    )


def _one_at_a_time(function: Callable[..., Any], lock: threading.RLock) -> Callable[..., Any]:
    @functools.wraps(function)
    def locked(*arguments: Any) -> Any:
        with lock:
            return function(*arguments)

    return locked


def _around_sleep() -> tuple[Any, ...]:
    """Return the functions with which ur_sleep releases the GIL and takes it again."""
    functions = ctypes.pythonapi.PyEval_SaveThread, ctypes.pythonapi.PyEval_RestoreThread
    return tuple(pointer(ctypes.cast(function, c_void_p).value) for function in functions)


class Library:
    """The functions of the library, as attributes."""

    def __init__(self, name: str) -> None:
        quick, slow = ctypes.PyDLL(name), ctypes.CDLL(name)
        has_lock = getattr(sys, "_is_gil_enabled", lambda: True)()
        lock = threading.RLock()
        for function_name, (result, arguments) in SIGNATURES.items():
            function = getattr(quick, function_name)
            function.restype = result
            if function_name not in PRECONVERTED:
                function.argtypes = arguments
            setattr(self, function_name, function if has_lock else _one_at_a_time(function, lock))
        self.leave, self.enter = _around_sleep() if has_lock else self._without_lock(slow, lock)
        self.ur_attach = slow.ur_attach
        self.ur_attach.restype, self.ur_attach.argtypes = ATTACH

    def _without_lock(self, slow: Any, lock: threading.RLock) -> tuple[Any, Any]:
        """Have ur_sleep release our lock while it sleeps."""
        self.ur_sleep = _one_at_a_time(slow.ur_sleep, lock)
        self._callbacks = (
            ctypes.CFUNCTYPE(c_void_p)(lock.release),
            ctypes.CFUNCTYPE(None, c_void_p)(lambda _: lock.acquire()),
        )
        return self._callbacks

    def __getattr__(self, name: str) -> Any:  # for the type checker: all are set above
        raise AttributeError(name)


def _load() -> Library:
    name = path()
    try:
        return Library(name)
    except (OSError, AttributeError) as error:
        raise ImportError(f"upload_response: cannot use the C library {name}: {error}") from None


lib = _load()
