"""The errors of this package, and the one place where a number of the C SDK becomes one.
The package's own description draws them as a tree.
"""

from __future__ import annotations

import errno
import os
from enum import IntEnum


class Reason(IntEnum):
    """Why a request was cancelled. A number that is not here is one, too."""

    NOT_CANCELLED = 0
    CLIENT_GONE = 1
    DEADLINE = 2
    INVALID = 3
    SERVER_SHUTDOWN = 4
    CLIENT_SLOW = 5
    TOO_LARGE = 6
    FINISHED = 7
    SERVER_GONE = 8

    @classmethod
    def _missing_(cls, value: object) -> Reason | None:
        if not isinstance(value, int):
            return None
        member = int.__new__(cls, value)
        member._name_ = f"REASON_{value}"
        member._value_ = value
        return member

    def __str__(self) -> str:
        return self.name.lower().replace("_", " ")


class Error(Exception):
    """The base of all errors of this package."""


class AttachError(Error):
    """No link could be made."""

    def __init__(self, message: str, code: int = 0, *, may_pass: bool = False) -> None:
        super().__init__(message)
        self.errno = code
        self.may_pass = may_pass


class LinkClosed(Error):
    """The link is over: its server is gone, or it was closed. Attach again."""


class Forked(Error):
    """The link was made before a fork, and belongs to the parent. Attach after the fork."""

    def __init__(self) -> None:
        super().__init__("this link belongs to the parent process: attach after the fork")


class Cancelled(Error):
    """Nobody wants the response any more."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(f"the request was cancelled: {reason}")
        self.reason = reason


class RequestEnded(Error):
    """The request, or its response, has ended."""

    def __init__(self, message: str = "the request has ended") -> None:
        super().__init__(message)


class WebSocketClosed(Error):
    """The WebSocket is closed: by the client, if receive() says so the first time, or here."""

    def __init__(self, code: int, reason: str = "") -> None:
        super().__init__(f"the WebSocket is closed: {code} {reason}".rstrip())
        self.code = code
        self.reason = reason


class Released(Error):
    """The slot was given back."""

    def __init__(self, message: str = "the slot was given back") -> None:
        super().__init__(message)


class MalformedRequest(Error):
    """Headers or trailers that cannot be decoded."""


class InvalidResponse(Error, ValueError):
    """What was to be sent breaks a rule of HTTP, or comes out of turn."""


class HeadersTooLarge(InvalidResponse):
    """The headers, or the trailers, do not fit one slot."""

    def __init__(self) -> None:
        super().__init__("the headers do not fit one slot")


class ViewsAlive(Error, BufferError):
    """A view of the shared memory is in the way."""


class Timeout(Error, TimeoutError):
    """Not within the given time."""

    def __init__(self) -> None:
        super().__init__("not within the given time")


class CannotServe(Exception):
    """A process cannot serve, and another one could not either. The log says why already."""


_TURN = "status, headers or trailers that HTTP does not allow, or a body or message out of turn"
_INVALID = {
    errno.EINVAL: _TURN,
    errno.EALREADY: "headers twice",
}


def from_errno(code: int, *, reason: int = 0, why: str = "") -> Error:
    """Return the error for what a function of the C SDK returned, which is -errno."""
    code = -code
    if code == errno.ECANCELED:
        return Cancelled(Reason(reason))
    if code == errno.ESTALE:
        return RequestEnded()
    if code == errno.ECHILD:
        return Forked()
    if code in (errno.ENOTCONN, errno.EPROTO):
        return LinkClosed(why or "the link is closed")
    if code == errno.ENOENT:
        return Released()
    if code == errno.ETIMEDOUT:
        return Timeout()
    if code == errno.EBADMSG:
        return MalformedRequest("headers or trailers that cannot be decoded")
    if code == errno.EMSGSIZE:
        return HeadersTooLarge()
    if code in _INVALID:
        return InvalidResponse(_INVALID[code])
    return Error(os.strerror(code))
