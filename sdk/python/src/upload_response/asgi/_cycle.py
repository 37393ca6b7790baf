"""One request of an ASGI application: receive and send, and the order of their messages."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, NoReturn

from .._aio.response import AsyncResponse
from .._aio.worker import AsyncWorker
from .._core.errors import Cancelled, InvalidResponse, LinkClosed, Reason, RequestEnded
from .._core.exchange import Exchange
from .._core.outgoing import BUFFERED
from .._core.request_handle import Steps, T
from .._serving.failures import Disconnected, fail
from .._serving.http_rules import HOP_BY_HOP, check_fields, check_status, is_token, warn_hop_by_hop

Message = dict[str, Any]
Scope = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

# The message that the application has to send next. DONE: none. GONE: nobody wants more.
START, BODY, TRAILERS, OPEN, DONE, GONE = range(6)

_EXPECTED = {
    START: "http.response.start",
    BODY: "http.response.body",
    TRAILERS: "http.response.trailers",
    DONE: "nothing more",
}

_FILES = ("http.response.pathsend", "http.response.zerocopysend")
_HINT = "http.response.early_hint"
_KINDS = frozenset([*_FILES, _HINT, *list(_EXPECTED.values())[:3]])

# The errors of the SDK when nobody wants the response any more, or the request has ended.
DISCONNECT_ERRORS = (Cancelled, LinkClosed, RequestEnded)

_DISCONNECT = "http.disconnect"


_MAX_NAMES = 1000

# ASGI lets an application send these without effect: trailers have a message of their own.
_ALLOWED = ("trailer", "transfer-encoding")

_names: set[bytes] = set()  # valid names that were seen before


def _check_name(name: bytes) -> None:
    if not is_token(name.decode("latin-1")):
        raise InvalidResponse(f"not a valid header name: {name!r}")
    lower = name.decode("latin-1").lower()
    if lower in HOP_BY_HOP and lower not in _ALLOWED:
        warn_hop_by_hop(lower)
    if len(_names) < _MAX_NAMES:
        _names.add(name)


def fields_of(headers: Iterable[Iterable[bytes]]) -> bytes:
    """Return headers as flat fields, or raise if they are invalid."""
    parts: list[bytes] = []
    try:
        for name, value in headers:
            parts += (name, value)
        flat = b"\0".join(parts) + b"\0" if parts else b""
        names = parts[::2]
        if not _names.issuperset(names):
            for name in names:
                _check_name(name)
    except InvalidResponse:
        raise
    except (TypeError, ValueError):
        raise TypeError(f"headers are pairs of bytes, not {headers!r}") from None
    return check_fields(flat, len(parts))


# The rounds of the loop in which a task that receives http.disconnect cancels a task of another
# task. A few more do no harm.
_LOOP_ROUNDS = 8


class Cycle:
    """A request and its response, as the application sees them."""

    # Most requests never change these.
    _state = START
    _received = False  # the last piece of the request's body was received
    _trailers = False  # trailers follow the body
    _trailer_fields: tuple[tuple[bytes, bytes], ...] = ()  # the trailers so far
    _stopped = False  # cancelled because the process ends
    _is_receiving = False  # a task waits in receive, or got http.disconnect there
    _gone_reason = Reason.CLIENT_GONE  # if it is GONE
    task: asyncio.Task[None] | None = None

    def __init__(self, exchange: Exchange, worker: AsyncWorker, running: set[Cycle]) -> None:
        running.add(self)
        self._running = running  # contains self until the task ends
        self._exchange = exchange
        self._worker = worker
        self._handle = exchange.handle

    async def run(self, app: Application, scope: Scope) -> None:
        """Call the application, and make sure that there is a response."""
        try:
            await app(scope, self.receive, self.send)
            if self._state < DONE:
                await self._returned()
        except asyncio.CancelledError as error:
            self._fail(error, "was stopped" if self._stopped else "failed")
        except Exception as error:
            self._fail(error)
        finally:
            if self._exchange.handle:  # the process is ending, and the client need not wait for that
                self._exchange.fail()
            self._running.discard(self)

    async def _returned(self) -> None:
        """Handle an application that has returned before its last message."""
        self._fail(None, f"returned without {_EXPECTED[self._state]}")

    def stop(self) -> None:
        """Cancel the application because the process ends."""
        self._stopped = True
        if self.task is not None:
            self.task.cancel()

    def _fail(self, error: BaseException | None, message: str = "failed") -> None:
        fail(self._exchange, error, message)
        self._set_state(DONE)

    def _set_state(self, state: int) -> None:
        """Note that nothing more is to be sent, and wake the tasks in receive."""
        self._state = state
        self._worker.wake(self._handle)

    def _set_gone(self, error: Exception) -> None:
        """Note that nobody wants the response any more."""
        if self._state < DONE:
            self._gone_reason = error.reason if isinstance(error, Cancelled) else Reason.SERVER_GONE
            self._set_state(GONE)

    async def _raise_disconnected(self) -> NoReturn:
        """Raise Disconnected in a task that sends. A task that waits in receive runs first and may
        cancel this one: frameworks clean up better then.
        """
        for _ in range(_LOOP_ROUNDS if self._is_receiving else 0):
            await asyncio.sleep(0)
        raise Disconnected(self._gone_reason) from None

    async def _run(self, steps: Steps[T]) -> T:
        try:
            return await self._worker.run(self._exchange, steps)
        except DISCONNECT_ERRORS as error:
            self._set_gone(error)
            await self._raise_disconnected()

    # ------------------------------------------------------------- receive

    async def receive(self) -> Message:
        """Return a piece of the body; after the last one, wait for the end of the request."""
        if self._state >= DONE:
            return {"type": _DISCONNECT}
        try:
            self._is_receiving = True
            if not self._received:
                return await self._piece()
            await self._worker.run(self._exchange, self._exchange.until_cancelled())
        except DISCONNECT_ERRORS as error:
            self._set_gone(error)
        except asyncio.CancelledError:
            self._is_receiving = False
            raise
        return {"type": _DISCONNECT}

    async def _piece(self) -> Message:
        """Return a copy of a piece of the body, which releases its slot."""
        exchange, run = self._exchange, self._worker.run
        if exchange.complete or exchange.body_length > 0:
            body = await run(exchange, exchange.read()) if not exchange.complete else b""
        else:
            chunk = await run(exchange, exchange.next_chunk())
            body = b"" if chunk is None else bytes(chunk)
        self._received, self._is_receiving = exchange.complete, False
        return {"type": "http.request", "body": body, "more_body": not exchange.complete}

    # ---------------------------------------------------------------- send

    async def send(self, message: Message) -> None:
        """Send a message of the response; wait while the client is too slow."""
        kind, state = message["type"], self._state
        if kind == "http.response.body" and state == BODY:
            if message.get("more_body", False) or self._trailers or not self._respond_whole(message):
                await self._send_piece(message)
        elif kind == "http.response.start" and state == START:
            self._start(message)
        elif kind == "http.response.trailers" and state == TRAILERS:
            await self._add_trailers(message)
        elif kind in _FILES and state == BODY:
            await self._file(message)
        elif kind == _HINT and state < DONE:
            await self._send_early_hint(message)
        elif kind not in _KINDS:
            raise ValueError(f"there is no message {kind!r} here")
        elif state == GONE:
            await self._raise_disconnected()
        elif state != DONE:  # after the end messages are ignored, as the specification says
            raise RuntimeError(f"{kind} was sent where {_EXPECTED[state]} has to come")

    def _start(self, message: Message) -> None:
        status, fields = check_status(message["status"]), fields_of(message.get("headers", ()))
        exchange = self._exchange
        exchange.status, exchange.fields, exchange.progress = status, fields, BUFFERED
        self._trailers = bool(message.get("trailers", False))
        self._state = BODY

    async def _send_early_hint(self, message: Message) -> None:
        """Send links ahead of the response, if that was not sent yet."""
        if self._exchange.progress <= BUFFERED:
            links = fields_of((b"link", link) for link in message["links"])
            await self._run(self._exchange.send_interim(103, links))

    async def _send_piece(self, message: Message) -> None:
        """Send a piece of the body."""
        if self._state == GONE:
            await self._raise_disconnected()
        await self._body(message.get("body", b""), message.get("more_body", False))

    async def _body(self, body: bytes, more: bool) -> None:
        if not isinstance(body, (bytes, bytearray, memoryview)):
            raise TypeError(f"a body is made of bytes, not {type(body).__name__}")
        if not more and not self._trailers:
            await self._finish(body)
            return
        await self._run(self._exchange.write(body))
        await self._body_sent(more)

    async def _body_sent(self, more: bool) -> None:
        if more:
            await self._run(self._exchange.flush())
        elif self._trailers:
            self._state = TRAILERS
        else:
            await self._finish(b"")

    def _respond_whole(self, message: Message) -> bool:
        """Send the whole response with one call. Return False if that takes more calls, or fails."""
        exchange, body = self._exchange, message.get("body", b"")
        if exchange.progress != BUFFERED or type(body) is not bytes:
            return False
        exchange.buffered, exchange.buffered_size = (body,), len(body)
        try:
            answered = exchange.respond_whole()
        except DISCONNECT_ERRORS as error:
            self._set_gone(error)
            return False
        if answered:
            self._set_state(DONE)
        return answered

    async def _finish(self, body: bytes) -> None:
        """Send the last piece and the end. The exchange has what _respond_whole() could not send."""
        if body and not self._exchange.buffered:
            await self._run(self._exchange.write(body))
        await self._run(self._exchange.end())
        self._set_state(DONE)

    async def _add_trailers(self, message: Message) -> None:
        fields = [(name, value) for name, value in message.get("headers", ())]
        fields_of(fields)  # raises if they are invalid
        self._trailer_fields += tuple(fields)
        if not message.get("more_trailers", False):
            if self._trailer_fields:
                await self._run(self._exchange.add_trailers(self._trailer_fields))
            await self._finish(b"")

    async def _file(self, message: Message) -> None:
        """Send a file, or a part of one, which a thread reads."""
        if message["type"] == "http.response.zerocopysend":
            await self._send_part(message)
            await self._body_sent(message.get("more_body", False))
            return
        file = await asyncio.get_running_loop().run_in_executor(None, open, message["path"], "rb")
        with file:
            await self._send_file(file.fileno(), 0, None)
        await self._body_sent(False)

    async def _send_part(self, message: Message) -> None:
        file, offset, count = message["file"], message.get("offset"), message.get("count")
        descriptor = file if isinstance(file, int) else file.fileno()
        if offset is not None:
            await self._send_file(descriptor, offset, count)
            return
        here = os.lseek(descriptor, 0, os.SEEK_CUR)
        os.lseek(descriptor, here + await self._send_file(descriptor, here, count), os.SEEK_SET)

    async def _send_file(self, descriptor: int, offset: int, count: int | None) -> int:
        try:
            return await AsyncResponse(self._exchange, self._worker).send_file(descriptor, offset, count)
        except DISCONNECT_ERRORS as error:
            self._set_gone(error)
            await self._raise_disconnected()
