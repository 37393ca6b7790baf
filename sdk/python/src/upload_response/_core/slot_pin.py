"""Slots of a request, and the pin that keeps them in place."""

from __future__ import annotations

import time
from typing import Any, NamedTuple

from .ffi import lib, number
from .link import Attachment


class Slot(NamedTuple):
    """A slot of a request. `data` is a read-only view of shared memory; `final` is True for the
    last slot of a WebSocket message.
    """

    number: int
    kind: int
    data: memoryview
    time_ns: int
    final: bool = False


class SlotPin:
    """Keeps the slots of a request in place while views of them exist.

    Each exporter of a slot holds the pin, and so does the exchange until its response has ended.
    The last of them lets go of the request.

    Views die in any thread and at any point of any code, so there is no lock here: each step is
    atomic in the interpreter.
    """

    # The longest time that slots are kept to be released together, in seconds: the server takes a
    # worker that releases nothing for one that does nothing.
    longest_delay = 0.05

    __slots__ = ("__weakref__", "_argument", "attachment", "due", "handed", "handle", "held", "since")

    def __init__(self, attachment: Attachment, handle: int) -> None:
        self.attachment = attachment
        self.handle, self._argument = handle, number(handle)
        self.held: dict[int, int] = {}  # exporter -> slot
        self.handed = 0  # slots up to this one may be released once nothing holds them
        self.due = 0  # but only when all up to this one may be released, or some are late
        self.since = 0.0  # when slots were released, or began to be kept for that

    def release_front(
        self, release: Any = lib.ur_release, number: Any = number, clock: Any = time.monotonic
    ) -> None:
        """Release the first slots, up to the first one that is held."""
        handed = self.handed  # read before held: a slot is held before it counts as handed out
        held = [*self.held.values()]
        last = min(min(held) - 1, handed) if held else handed
        if last <= 0 or not self.attachment.open:
            return
        if last < self.due:
            now = clock()
            if now - self.since < self.longest_delay:
                return
            self.since = now
        release(self.attachment.argument, self._argument, number(last))

    def release_together(self, due: int) -> None:
        """Release slots from now on when all up to this one may be released, or some are late."""
        self.due, self.since = due, time.monotonic()

    def release_now(self) -> None:
        """Release what is possible now, and from now on each slot at once."""
        if self.due > 0:
            self.due = 0
            self.release_front()

    def __del__(self, let_go: Any = lib.ur_let_go) -> None:
        if self.attachment.open:
            let_go(self.attachment, self.handle)
