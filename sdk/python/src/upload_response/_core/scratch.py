"""Where functions of the C SDK put what they return."""

from __future__ import annotations

import ctypes
from ctypes import addressof, c_uint64

from .ffi import MOST_SLOTS, SLOT, pointer


class Scratch:
    """Belongs to one call at a time, from before it until what it returned has been read:
    another thread may call in between.
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
        self.slots = ctypes.create_string_buffer(MOST_SLOTS * SLOT.size)
        self.slot = (ctypes.c_char * SLOT.size).from_buffer(self.slots)  # the first of them
        self.number = c_uint64()
        self.pair = (c_uint64 * 2)()
        self.slot_at, self.number_at, self.pair_at = map(addressof, (self.slot, self.number, self.pair))
        self.slot_argument, self.number_argument = pointer(self.slot_at), pointer(self.number_at)
