"""Where a request is: its link, and its number there."""

from __future__ import annotations

import errno
from collections.abc import Generator
from typing import Any, TypeVar

from .errors import Reason, RequestEnded
from .ffi import lib
from .link import Attachment, Link
from .slot_pin import SlotPin

T = TypeVar("T")

# What may have to wait is a generator: it yields where there is nothing to do until the
# link has news, and whoever runs it sleeps there, in a thread or in an event loop.
Steps = Generator[None, None, T]

AGAIN = -errno.EAGAIN


class RequestHandle:
    """What the two directions of an exchange have in common."""

    # There is one for each request, and most never need what is set on the class.
    link: Link
    handle = 0  # 0: it has ended
    pin: SlotPin | None = None

    def alive(self) -> Attachment:
        """Return what the C SDK knows the link by, if the request has not ended."""
        if not self.handle:
            raise RequestEnded
        return self.link.attachment or self.link.alive()

    def check(self, code: int) -> None:
        """Raise the error that a function returned."""
        if code != 0:
            raise self.link.error(code, self.handle)

    @property
    def reason(self) -> Reason:
        """Why the request was cancelled."""
        at = self.alive()
        lib.ur_cancelled(at, self.handle)  # listens for the end of the server, too
        return Reason(lib.ur_reason(at, self.handle))

    def until_cancelled(self) -> Steps[Reason]:
        """Return why the request was cancelled, once it is."""
        while True:
            reason = self.reason
            if reason != Reason.NOT_CANCELLED:
                return reason
            yield

    def pinned(self) -> SlotPin:
        """Return what keeps the memory of the request for as long as it is held."""
        if self.pin is None:
            self.pin = SlotPin(self.link.alive(), self.handle)
        return self.pin

    def export(self, kind: Any, base: int, key: int) -> Any:
        """Return an exporter of a segment, which holds the pin."""
        exporter = kind.from_address(base)
        exporter.pin, exporter.key = self.pinned(), key
        return exporter
