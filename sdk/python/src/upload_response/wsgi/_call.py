"""One call of a WSGI application."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any, BinaryIO, Union

from .._core.errors import Cancelled, InvalidResponse, LinkClosed
from .._core.exchange import Exchange
from .._core.outgoing import BUFFERED, ENDED, HEADERS_SENT, NOT_STARTED
from .._core.waiter import Waiter
from .._serving.failures import disconnected
from .._serving.http_rules import (
    HOP_BY_HOP,
    check_fields,
    check_status,
    has_no_body,
    is_token,
    warn_hop_by_hop,
)
from .._threads.response import Response
from ._files import FileWrapper

ExcInfo = Union[tuple[type[BaseException], BaseException, TracebackType], tuple[None, None, None], None]

_PLAIN, _LENGTH = range(2)
_MAX_NAMES = 1000


class _Kinds(dict[str, int]):
    """Caches the kind of each header name."""

    def __missing__(self, name: str) -> int:
        if not isinstance(name, str):
            raise TypeError
        if not is_token(name):
            raise InvalidResponse(f"not a valid header name: {name!r}")
        lower = name.lower()
        kind = _LENGTH if lower == "content-length" else _PLAIN
        if lower in HOP_BY_HOP:  # PEP 3333 forbids them, and the server drops them
            warn_hop_by_hop(lower)
        if len(self) < _MAX_NAMES:
            self[name] = kind
        return kind


class _Statuses(dict[str, int]):
    """Caches the status code of each status line."""

    def __missing__(self, line: str) -> int:
        if not isinstance(line, str) or not line[:3].isdigit() or line[3:4] not in ("", " "):
            raise InvalidResponse(f"a status is a str like '200 OK', not {line!r}")
        check_status(int(line[:3]))
        if len(self) < _MAX_NAMES:
            self[line] = int(line[:3])
        return int(line[:3])


_kinds = _Kinds()
_statuses = _Statuses()


def _fields(headers: list[tuple[str, str]]) -> tuple[bytes, int | None]:
    """Return flat fields, and the declared length of the body."""
    parts: list[str] = []
    length = None
    try:
        for name, value in headers:
            if _kinds[name] == _LENGTH:
                length = _length(value)
            parts += name, value
        flat = ("\0".join(parts) + "\0").encode("latin-1") if parts else b""
    except UnicodeEncodeError:
        raise InvalidResponse(f"a header is not Latin-1: {headers!r}") from None
    except InvalidResponse:
        raise
    except (TypeError, ValueError):
        raise TypeError(f"headers are a list of pairs of str, not {headers!r}") from None
    return check_fields(flat, len(parts)), length


def _length(value: str) -> int:
    if not (value.isascii() and value.isdigit()):
        raise InvalidResponse(f"a Content-Length is a number, not {value!r}")
    return int(value)


def _too_late(exc_info: Any) -> BaseException:
    """Return the error for a start_response() that would replace headers already sent."""
    error, traceback = exc_info[1:]
    if error is None:
        return InvalidResponse("start_response was called when the response had begun")
    told: BaseException = error.with_traceback(traceback)
    return told


class Call:
    """The response to one call: start_response(), write(), and the iterable."""

    __slots__ = ("_bodyless", "_called", "_exchange", "_length", "_sent", "_waiter")

    def __init__(self, exchange: Exchange, waiter: Waiter) -> None:
        self._exchange = exchange
        self._waiter = waiter
        self._called = False  # start_response() was called, even if it failed
        self._sent = 0
        self._length: int | None = None  # the declared Content-Length
        self._bodyless = False  # the response has no body

    def start_response(
        self, status: str, headers: list[tuple[str, str]], exc_info: ExcInfo = None
    ) -> Callable[[bytes], object]:
        """Start the response. With exc_info, replace one of which nothing was sent."""
        exchange = self._exchange
        if exc_info:
            try:
                if exchange.progress >= HEADERS_SENT:
                    raise _too_late(exc_info)
            finally:
                exc_info = None  # else there is a reference cycle
        elif self._called:
            raise InvalidResponse("start_response was called twice without exc_info")
        self._called = True
        code = _statuses[status]
        fields, self._length = _fields(headers)
        exchange.status, exchange.fields, exchange.progress = code, fields, BUFFERED
        self._bodyless = has_no_body(code, exchange.parts[0])
        return self.write

    # ------------------------------------------------------------- sending

    def _run(self, steps: Any) -> None:
        try:
            self._waiter.run(self._exchange, steps)
        except (Cancelled, LinkClosed) as error:
            raise disconnected(error) from error

    def _count(self, block: bytes) -> None:
        """Count a block before it is sent, or raise if it must not be sent."""
        if not isinstance(block, bytes):
            raise TypeError(f"a body is made of bytes, not {type(block).__name__}")
        if self._exchange.progress == NOT_STARTED:
            raise InvalidResponse("start_response was not called")
        sent = self._sent + len(block)
        if self._length is not None and sent > self._length and not self._bodyless:
            raise InvalidResponse(f"{sent} bytes are more than the Content-Length, {self._length}")
        self._sent = sent

    def write(self, block: bytes) -> None:
        """Send a block at once."""
        self._count(block)
        if block and not self._bodyless:
            self._run(self._exchange.write(block))
            self._run(self._exchange.flush())

    def _finish(self, block: bytes = b"") -> None:
        """Send the last block and the end."""
        exchange = self._exchange
        if exchange.progress == BUFFERED:
            exchange.buffered, exchange.buffered_size = (block,), len(block)
            try:
                if exchange.respond_whole():
                    return
            except (Cancelled, LinkClosed) as error:
                raise disconnected(error) from error
        elif block:
            self._run(exchange.write(block))
        self._run(exchange.end())

    def _declare(self, length: int) -> None:
        """Add a Content-Length, if that is still possible, and allowed."""
        exchange = self._exchange
        if self._length is not None or exchange.progress != BUFFERED or exchange.status in (204, 205, 304):
            return
        if length or exchange.parts[0] != "HEAD":  # the application may have left the body out
            self._length = length
            exchange.fields += b"content-length\0%d\0" % length

    def _send_last(self, block: bytes) -> None:
        self._count(block)
        self._declare(len(block))
        if self._bodyless:
            self._finish()
        elif self._length is None or self._sent == self._length:
            self._finish(block)
        else:
            raise InvalidResponse(f"{self._sent} bytes are fewer than the Content-Length, {self._length}")

    def _send_block(self, block: bytes) -> None:
        """Send a block. If it completes the Content-Length, and the request was read, send it and the
        end with one call.
        """
        exchange = self._exchange
        if len(block) + self._sent == self._length and block and exchange.complete and not self._bodyless:
            self._count(block)
            self._finish(block)
        else:
            self.write(block)

    def _send_file(self, file: BinaryIO, left: int) -> None:
        self._count(b"")
        self._declare(left)
        if not self._bodyless:
            count = left if self._length is None else min(left, self._length - self._sent)
            try:
                self._sent += Response(self._exchange, self._waiter).send_file(file, None, count)
            except (Cancelled, LinkClosed) as error:
                raise disconnected(error) from error
        self._send_last(b"")

    def send(self, result: Iterable[bytes]) -> None:
        """Send the iterable that the application has returned."""
        exchange = self._exchange
        if type(result) is list and len(result) == 1:
            block = result[0]
            if (
                type(block) is bytes
                and len(block) == self._length
                and exchange.progress == BUFFERED
                and not (self._sent or self._bodyless)
            ):  # most responses
                self._finish(block)
                return
        if isinstance(result, (list, tuple)):
            self._send_last(result[0] if len(result) == 1 else b"".join(result))
            return
        regular = result.regular_file() if isinstance(result, FileWrapper) else None
        if regular is not None:
            self._send_file(*regular)
            return
        for block in result:
            self._send_block(block)
            if self._bodyless and block:
                break
        if exchange.progress != ENDED:
            self._send_last(b"")
