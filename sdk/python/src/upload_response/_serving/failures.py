"""What the gateways do when a client disconnects, or an application fails."""

from __future__ import annotations

import contextlib
import logging

from .._core.errors import Cancelled, LinkClosed, Reason
from .._core.exchange import Exchange
from .._core.outgoing import BUFFERED, NOT_STARTED

log = logging.getLogger("upload_response")


class Disconnected(Cancelled, ConnectionError):
    """The client has disconnected, or the request was cancelled for another reason.

    It is an OSError, as applications expect.
    """

    def __init__(self, reason: Reason = Reason.CLIENT_GONE) -> None:
        Cancelled.__init__(self, reason)


def disconnected(error: Cancelled | LinkClosed) -> Disconnected:
    """Return the error that the application gets for an error of the SDK."""
    return Disconnected(error.reason if isinstance(error, Cancelled) else Reason.SERVER_GONE)


def caused_by_disconnect(error: BaseException) -> bool:
    """Return whether an application failed because the client has disconnected."""
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        if isinstance(cause, (Cancelled, LinkClosed)):
            return True
        seen.add(id(cause))
        cause = cause.__cause__ or cause.__context__
    return False


def fail(exchange: Exchange, error: BaseException | None, message: str = "failed") -> None:
    """Log a failure, and respond with 500 or abort the response. A failure that the client caused
    is logged for debugging only.
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
    """Refuse a WebSocket where the gateway has none."""
    exchange.start(501, {"content-type": "text/plain; charset=utf-8"})
    exchange.buffer("501 Not Implemented: no WebSockets here\n")
    with contextlib.suppress(Cancelled, LinkClosed):
        exchange.respond_whole()
