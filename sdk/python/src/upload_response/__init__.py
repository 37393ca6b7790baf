"""Workers for upload-response, a streaming HTTP proxy over shared memory.

    import hashlib, upload_response as ur

    def digest(request, response):
        h = hashlib.sha256()
        for chunk in request:        # read-only memoryviews of shared memory
            h.update(chunk)
        response.start(200, {"content-type": "text/plain"})
        response.write(h.hexdigest() + "\\n")

    if __name__ == "__main__":
        ur.serve(digest, processes=2)

Below serve() are Worker, which is one link and gives its requests when iterated, Request
and Response; AsyncWorker is the same for an event loop.

The errors, all of them in this package:

Error
    AttachError        no link could be made; may_pass: trying again makes sense
    LinkClosed         the link is over: its server is gone, or it was closed
    Forked             the link belongs to the parent process
    Cancelled          nobody wants the response any more; reason says why
    RequestEnded       the request has ended
    WebSocketClosed    by either side; code and reason say more
    Released           the slot was given back
    MalformedRequest   headers or trailers that cannot be decoded
    InvalidResponse    also a ValueError: what was to be sent breaks a rule
        HeadersTooLarge    it does not fit one slot
    ViewsAlive         also a BufferError: a view of the memory is in the way
    Timeout            also a TimeoutError: not within the given time
"""

from ._aio.request import AsyncRequest
from ._aio.response import AsyncResponse
from ._aio.websocket import AsyncWebSocket
from ._aio.worker import AsyncWorker
from ._core.errors import (
    AttachError,
    Cancelled,
    Error,
    Forked,
    HeadersTooLarge,
    InvalidResponse,
    LinkClosed,
    MalformedRequest,
    Reason,
    Released,
    RequestEnded,
    Timeout,
    ViewsAlive,
    WebSocketClosed,
)
from ._core.headers import Headers
from ._core.link import Server
from ._core.slot_pin import Slot
from ._serving.serve import serve, worker
from ._threads.request import Request
from ._threads.response import Response
from ._threads.websocket import WebSocket
from ._threads.worker import Worker
from ._version import VERSION as __version__

__all__ = [
    "AsyncRequest",
    "AsyncResponse",
    "AsyncWebSocket",
    "AsyncWorker",
    "AttachError",
    "Cancelled",
    "Error",
    "Forked",
    "Headers",
    "HeadersTooLarge",
    "InvalidResponse",
    "LinkClosed",
    "MalformedRequest",
    "Reason",
    "Released",
    "Request",
    "RequestEnded",
    "Response",
    "Server",
    "Slot",
    "Timeout",
    "ViewsAlive",
    "WebSocket",
    "WebSocketClosed",
    "Worker",
    "__version__",
    "serve",
    "worker",
]
