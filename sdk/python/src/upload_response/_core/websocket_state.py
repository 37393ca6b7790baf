"""What is kept of a WebSocket from one call to the next."""

from __future__ import annotations

from typing import Any

# Codes of RFC 6455 section 7.4, and of the registry that it began.
NORMAL, NO_CODE, ABNORMAL, TOO_LARGE, SERVICE_RESTART = 1000, 1005, 1006, 1009, 1012

MAX_REASON = 123  # bytes; more do not fit a frame


class WebSocketState:
    """The state of a WebSocket."""

    accepted = False
    subprotocol: str | None = None
    max_size: int | None = 16 << 20  # bytes of a message that is received
    closed: tuple[int, str] | None = None  # code and reason
    send_lock: Any = None  # a lock of threads, or of tasks: who sends or closes has it
    half_sent = False  # a message is out in part
    torn = False  # and its send() was given up

    def __init__(self) -> None:
        # What has come of a message of which not all has: a receive() may be given up.
        self.received = bytearray()
