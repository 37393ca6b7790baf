"""Slots of a request, and what keeps them where they are."""

from __future__ import annotations

from typing import Any, NamedTuple

from ._library import lib
from ._link import Attachment


class Slot(NamedTuple):
    """A slot of a request; data is a read-only view of shared memory. final: it is the last
    one of a message.
    """

    number: int
    kind: int
    data: memoryview
    time_ns: int
    final: bool = False


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
        if number > 0 and self.attachment.open:
            release(self.attachment, self.handle, number)

    def __del__(self, let_go: Any = lib.ur_let_go) -> None:
        if self.attachment.open:
            let_go(self.attachment, self.handle)
