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

serve() runs a handler in threads and processes. Below it, a Worker is one link to the server and
yields a Request, with its Response, for each iteration; AsyncWorker does so in an event loop.
The modules asgi and wsgi serve web applications.

Errors, all of which this package exports:

Error
    AttachError        a worker could not attach; may_pass: another attempt may succeed
    LinkClosed         the link has ended: the server is gone, or the worker was closed
    Forked             the link belongs to the parent process
    Cancelled          nobody wants the response any more; reason says why
    RequestEnded       the request or its response has already ended
    WebSocketClosed    either side has closed the WebSocket; code and reason say more
    Released           the slot was released before
    MalformedRequest   the headers or trailers cannot be decoded
    InvalidResponse    also a ValueError: the response breaks a rule of HTTP
        HeadersTooLarge    the headers do not fit one slot
    ViewsAlive         also a BufferError: impossible while a view of the memory exists
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
