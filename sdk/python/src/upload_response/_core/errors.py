"""The errors of this package, and the only place where an errno of the C SDK becomes one of them.

The docstring of the package draws them as a tree.
"""

from __future__ import annotations

import errno
import os
from enum import IntEnum


class Reason(IntEnum):
    """Why a request was cancelled. Numbers that a later server may send are members as well."""

    NOT_CANCELLED = 0
    CLIENT_GONE = 1
    """The client closed its connection, or reset the request."""
    DEADLINE = 2
    """The worker exceeded the server's response timeout."""
    INVALID = 3
    """The worker sent something that the protocol does not allow."""
    SERVER_SHUTDOWN = 4
    """The server is shutting down."""
    CLIENT_SLOW = 5
    """The client was too slow, and others waited."""
    TOO_LARGE = 6
    """The request was larger than the server's limit."""
    FINISHED = 7
    """The server is done with the request."""
    SERVER_GONE = 8
    """The server ended, or closed the link."""

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
    """Base of all errors of this package."""


class AttachError(Error):
    """A worker could not attach. `errno` says why; with `may_pass` another attempt may succeed."""

    def __init__(self, message: str, code: int = 0, *, may_pass: bool = False) -> None:
        super().__init__(message)
        self.errno = code
        self.may_pass = may_pass


class LinkClosed(Error):
    """The link has ended: the server is gone, or the worker was closed. Attach again."""


class Forked(Error):
    """The link was made before a fork and belongs to the parent process. Attach after the fork."""

    def __init__(self) -> None:
        super().__init__("this link belongs to the parent process: attach after the fork")


class Cancelled(Error):
    """The request was cancelled: nobody wants the response any more. `reason` says why."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(f"the request was cancelled: {reason}")
        self.reason = reason


class RequestEnded(Error):
    """The request or its response has already ended."""

    def __init__(self, message: str = "the request has ended") -> None:
        super().__init__(message)


class WebSocketClosed(Error):
    """The WebSocket is closed, by the client or by the worker. `code` and `reason` say more."""

    def __init__(self, code: int, reason: str = "") -> None:
        super().__init__(f"the WebSocket is closed: {code} {reason}".rstrip())
        self.code = code
        self.reason = reason


class Released(Error):
    """The slot was released before."""

    def __init__(self, message: str = "the slot was given back") -> None:
        super().__init__(message)


class MalformedRequest(Error):
    """The headers or trailers of the request cannot be decoded."""


class InvalidResponse(Error, ValueError):
    """The response breaks a rule of HTTP, or a part of it comes out of turn."""


class HeadersTooLarge(InvalidResponse):
    """The headers or trailers of the response do not fit one slot."""

    def __init__(self) -> None:
        super().__init__("the headers do not fit one slot")


class ViewsAlive(Error, BufferError):
    """The operation is impossible while a view of the shared memory exists."""


class Timeout(Error, TimeoutError):
    """The operation did not finish within the given time."""

    def __init__(self) -> None:
        super().__init__("not within the given time")


class CannotServe(Exception):
    """A process cannot serve, nor could another one. The log already says why."""


_TURN = "status, headers or trailers that HTTP does not allow, or a body or message out of turn"
_INVALID = {
    errno.EINVAL: _TURN,
    errno.EALREADY: "headers twice",
}


def from_errno(code: int, *, reason: int = 0, why: str = "") -> Error:
    """Return the error for -errno, as functions of the C SDK return it."""
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
