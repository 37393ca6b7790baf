"""Buffers that pass between Python and C: those of a caller, and those for results."""

from __future__ import annotations

import ctypes
from ctypes import addressof, byref, c_int, c_ssize_t, c_uint64, c_void_p, py_object
from typing import Any

from .ffi import MAX_SLOTS, SLOT, pointer


class _Buffer(ctypes.Structure):
    """Py_buffer."""

    _fields_ = (
        ("address", c_void_p),
        ("object", c_void_p),
        ("size", c_ssize_t),
        ("item_size", c_ssize_t),
        ("read_only", c_int),
        ("dimensions", c_int),
        *((name, c_void_p) for name in ("format", "shape", "strides", "suboffsets", "internal")),
    )


_get = ctypes.pythonapi.PyObject_GetBuffer
_get.restype, _get.argtypes = c_int, (py_object, c_void_p, c_int)
_release = ctypes.pythonapi.PyBuffer_Release
_release.restype, _release.argtypes = None, (c_void_p,)


class Exported:
    """Holds a contiguous buffer, so that its bytes do not move."""

    __slots__ = ("_buffer", "address", "size")

    def __init__(self, data: Any) -> None:
        self._buffer = _Buffer()
        _get(data, byref(self._buffer), 0)  # raises BufferError or TypeError
        self.address: int = self._buffer.address or 0
        self.size: int = self._buffer.size

    def __enter__(self) -> Exported:
        return self

    def __exit__(self, *_: object) -> None:
        _release(byref(self._buffer))


class ResultBuffers:
    """Memory that functions of the C SDK write their results to. It belongs to one call, from
    before the call until its results have been read: another thread may call in between.
    """

    __slots__ = (
        "number",
        "number_argument",
        "number_at",
        "pair",
        "pair_at",
        "slot",
        "slot_argument",
        "slot_at",
        "slots",
    )

    def __init__(self) -> None:
        self.slots = ctypes.create_string_buffer(MAX_SLOTS * SLOT.size)
        self.slot = (ctypes.c_char * SLOT.size).from_buffer(self.slots)  # the first of them
        self.number = c_uint64()
        self.pair = (c_uint64 * 2)()
        self.slot_at, self.number_at, self.pair_at = map(addressof, (self.slot, self.number, self.pair))
        self.slot_argument, self.number_argument = pointer(self.slot_at), pointer(self.number_at)
