"""The state of a WebSocket between two calls."""

from __future__ import annotations

from typing import Any

# Close codes of RFC 6455 section 7.4, and of the IANA registry that it established.
NORMAL, NO_CODE, ABNORMAL, TOO_LARGE, SERVICE_RESTART = 1000, 1005, 1006, 1009, 1012

MAX_REASON = 123  # bytes, the room in a close frame


class WebSocketState:
    """The state of a WebSocket."""

    accepted = False
    subprotocol: str | None = None
    max_size: int | None = 16 << 20  # bytes of a received message
    closed: tuple[int, str] | None = None  # the close code and reason
    send_lock: Any = None  # of threads or of tasks; held to send and to close
    half_sent = False  # a message was sent in part
    torn = False  # and its send() was interrupted

    def __init__(self) -> None:
        # The first part of a message: a receive() may be interrupted and go on later.
        self.received = bytearray()
