"""What the gateways do when a client disconnects, or an application fails."""

from __future__ import annotations

import contextlib
import logging

from .._core.errors import Cancelled, LinkClosed, Reason
from .._core.exchange import Exchange
from .._core.outgoing import BUFFERED, NOT_STARTED

log = logging.getLogger("upload_response")


class Disconnected(Cancelled, ConnectionError):
    """The client has gone, or nobody wants the response for another reason. It is an OSError,
    which is what applications expect.
    """

    def __init__(self, reason: Reason = Reason.CLIENT_GONE) -> None:
        Cancelled.__init__(self, reason)


def disconnected(error: Cancelled | LinkClosed) -> Disconnected:
    """Return what an application is told of an error."""
    return Disconnected(error.reason if isinstance(error, Cancelled) else Reason.SERVER_GONE)


def caused_by_disconnect(error: BaseException) -> bool:
    """Whether an application failed because its client has gone."""
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        if isinstance(cause, (Cancelled, LinkClosed)):
            return True
        seen.add(id(cause))
        cause = cause.__cause__ or cause.__context__
    return False


def fail(exchange: Exchange, error: BaseException | None, message: str = "failed") -> None:
    """Log a failure, and have the client see 500 or a response that breaks off. One that is
    due to the client is not worth a line.
    """
    method, target = exchange.parts[0], exchange.parts[3]
    if error is not None and caused_by_disconnect(error):
        log.debug("%s %s: %s", method, target, error)
        exchange.abort()
        return
    log.error("%s %s %s", method, target, message, exc_info=error)
    if exchange.progress == BUFFERED:
        exchange.progress = NOT_STARTED
    if exchange.handle:
        exchange.fail()


def refuse_websocket(exchange: Exchange) -> None:
    """Answer who asks for a WebSocket where there are none."""
    exchange.start(501, {"content-type": "text/plain; charset=utf-8"})
    exchange.buffer("501 Not Implemented: no WebSockets here\n")
    with contextlib.suppress(Cancelled, LinkClosed):
        exchange.respond_whole()
