"""A request as the C SDK knows it: its link, and its number there."""

from __future__ import annotations

import errno
from collections.abc import Generator
from typing import Any, TypeVar

from .errors import Reason, RequestEnded
from .ffi import lib
from .link import Attachment, Link
from .slot_pin import SlotPin

T = TypeVar("T")

# An operation that may have to wait is a generator: it yields where it can do nothing until the
# link has news. A waiter runs it, and sleeps there in a thread or in an event loop.
Steps = Generator[None, None, T]

AGAIN = -errno.EAGAIN


class RequestHandle:
    """The part of an exchange that both directions share."""

    # Most requests never change the attributes that are set on the class.
    link: Link
    handle = 0  # 0: the response has ended
    pin: SlotPin | None = None

    def alive(self) -> Attachment:
        """Return the attachment of the link, or raise if the request or the link has ended."""
        if not self.handle:
            raise RequestEnded
        return self.link.attachment or self.link.alive()

    def check(self, code: int) -> None:
        """Raise the error for -errno, as a function returned it."""
        if code != 0:
            raise self.link.error(code, self.handle)

    @property
    def reason(self) -> Reason:
        """Return why the request was cancelled, or NOT_CANCELLED."""
        at = self.alive()
        lib.ur_cancelled(at, self.handle)  # also notices that the server has ended
        return Reason(lib.ur_reason(at, self.handle))

    def until_cancelled(self) -> Steps[Reason]:
        """Return why the request was cancelled, once it is."""
        while True:
            reason = self.reason
            if reason != Reason.NOT_CANCELLED:
                return reason
            yield

    def pinned(self) -> SlotPin:
        """Return the pin that keeps the memory of the request in place."""
        if self.pin is None:
            self.pin = SlotPin(self.link.alive(), self.handle)
        return self.pin

    def export(self, kind: Any, base: int, key: int) -> Any:
        """Return an object that exports a segment and holds the pin."""
        exporter = kind.from_address(base)
        exporter.pin, exporter.key = self.pinned(), key
        return exporter
