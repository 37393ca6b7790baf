"""Slots of a request, and what keeps them where they are."""

from __future__ import annotations

from typing import Any, NamedTuple

from .ffi import lib, number
from .link import Attachment


class Slot(NamedTuple):
    """A slot of a request; data is a read-only view of shared memory. final: it is the last
    one of a message.
    """

    number: int
    kind: int
    data: memoryview
    time_ns: int
    final: bool = False


class SlotPin:
    """Keeps a request's slots where they are for as long as there are views of them: each
    exporter of one holds it, and the exchange until its response has ended. With the last
    of these the request is let go.

    Views die in any thread and at any point of any code, so there is no lock here: each
    step is one that the interpreter does not divide.
    """

    __slots__ = ("__weakref__", "_argument", "attachment", "due", "handed", "handle", "held")

    def __init__(self, attachment: Attachment, handle: int) -> None:
        self.attachment = attachment
        self.handle, self._argument = handle, number(handle)
        self.held: dict[int, int] = {}  # exporter -> slot
        self.handed = 0  # this slot and those before go back when nothing holds them
        self.due = 0  # but not before they go up to this one

    def release_front(self, release: Any = lib.ur_release, number: Any = number) -> None:
        """Release the slots in front that nobody needs."""
        handed = self.handed  # before held: a slot is held before it counts as handed out
        held = [*self.held.values()]
        last = min(min(held) - 1, handed) if held else handed
        if last >= self.due and last > 0 and self.attachment.open:
            release(self.attachment.argument, self._argument, number(last))

    def release_now(self) -> None:
        """Release them now, and from now on each one at once."""
        if self.due > 0:
            self.due = 0
            self.release_front()

    def __del__(self, let_go: Any = lib.ur_let_go) -> None:
        if self.attachment.open:
            let_go(self.attachment, self.handle)
