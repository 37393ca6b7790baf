"""The file-like objects of WSGI: wsgi.input and wsgi.file_wrapper."""

from __future__ import annotations

import io
import os
import stat
import tempfile
from collections.abc import Iterator
from typing import Any

from .._core.errors import Cancelled, LinkClosed
from .._core.exchange import Exchange
from .._core.waiter import Waiter
from .._serving.failures import disconnected
from .._threads.request import Body


class _LineBody(Body):
    """The body as a raw stream, below the buffer for reading lines."""

    def readinto(self, buffer: Any) -> int:
        try:
            return super().readinto(buffer)
        except (Cancelled, LinkClosed) as error:
            raise disconnected(error) from error


class Input:
    """wsgi.input: the body of the request, read while the upload runs. It ends with the body.

    Reading is unbuffered until the first line is read.
    """

    __slots__ = ("_exchange", "_lines", "_waiter")

    def __init__(self, exchange: Exchange, waiter: Waiter) -> None:
        self._exchange = exchange
        self._waiter = waiter
        self._lines: io.BufferedReader | None = None

    def read(self, size: int | None = -1) -> bytes:
        """Return `size` bytes, or all; fewer only at the end."""
        size = -1 if size is None else size
        if self._lines is not None:
            return self._lines.read(size)
        try:
            return self._waiter.run(self._exchange, self._exchange.read(size))
        except (Cancelled, LinkClosed) as error:
            raise disconnected(error) from error

    def _buffered(self) -> io.BufferedReader:
        if self._lines is None:
            self._lines = io.BufferedReader(_LineBody(self._exchange, self._waiter), 64 << 10)
        return self._lines

    def readline(self, size: int | None = -1) -> bytes:
        """Return a line, or at most `size` bytes of it."""
        return self._buffered().readline(-1 if size is None else size)

    def readlines(self, hint: int | None = -1) -> list[bytes]:
        """Return the remaining lines, or lines of about `hint` bytes."""
        return self._buffered().readlines(-1 if hint is None else hint)

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        return next(self._buffered())


class FileWrapper:
    """wsgi.file_wrapper: an iterable of the blocks of a file. A response that consists of it is read
    into shared memory, from the position of the file.
    """

    def __init__(self, file: Any, block_size: int = 64 << 10) -> None:
        self._file, self._block_size = file, block_size
        if hasattr(file, "close"):
            self.close = file.close

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        block: bytes = self._file.read(self._block_size)
        if not block:
            raise StopIteration
        return block

    def regular_file(self) -> tuple[Any, int] | None:
        """Return the file and the bytes that are left of it, if it is a plain regular file.

        A descriptor is not enough: the file objects of gzip have one as well.
        """
        file = self._file
        if isinstance(file, tempfile._TemporaryFileWrapper):
            file = file.file
        raw = file.raw if isinstance(file, (io.BufferedReader, io.BufferedRandom)) else file
        if not isinstance(raw, io.FileIO) or not raw.readable():
            return None
        status = os.fstat(raw.fileno())
        return (file, max(0, status.st_size - file.tell())) if stat.S_ISREG(status.st_mode) else None
