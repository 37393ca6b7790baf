"""A WSGI application with a path for each rule of PEP 3333."""

from __future__ import annotations

import io
import json
import sys
import threading
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any
from wsgiref.util import request_uri

from wsgi_app import Closing, clear, early, events, go, going, log, raises, text

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

PAGES: Any = {each.__name__: each for each in (clear, early, go, log, raises)}


def page(function: Any) -> Any:
    PAGES[function.__name__] = function
    return function


def say(start: StartResponse, value: Any) -> list[bytes]:
    text(start)
    return [json.dumps(value).encode()]


# ------------------------------------------------------------------- environ


@page
def types(environ: WSGIEnvironment, start: StartResponse) -> list[bytes]:
    """Says of what types all is, with what it was called, and changes it."""
    strings = {key: type(value).__name__ for key, value in environ.items() if "." not in key}
    latin = all(ord(c) < 256 for value in environ.values() if isinstance(value, str) for c in value)
    seen = {
        "environ": type(environ).__name__,
        "strings": sorted(set(strings.values())),
        "latin": latin,
        "mine": "mine" in environ,
        "keys": sorted(strings),
    }
    environ["mine"] = "x"
    environ.pop("wsgi.version")
    return say(start, seen)


@page
def uri(environ: WSGIEnvironment, start: StartResponse) -> list[bytes]:
    return say(start, [request_uri(environ), environ.get("HTTPS")])


@page
def flags(environ: WSGIEnvironment, start: StartResponse) -> list[bytes]:
    return say(start, [environ["wsgi.multithread"], environ["wsgi.multiprocess"], threading.active_count()])


@page
def errors(environ: WSGIEnvironment, start: StartResponse) -> list[bytes]:
    stream = environ["wsgi.errors"]
    stream.write("written caf\xe9\n")
    stream.writelines(["line one\n", "line two\n"])
    stream.flush()
    return say(start, "")


@page
def body(environ: WSGIEnvironment, start: StartResponse) -> list[bytes]:
    """Reads more than there is."""
    source = environ["wsgi.input"]
    return say(start, [each.decode() for each in (source.read(1000), source.read(), source.readline())])


# ------------------------------------------------------------ start_response


@page
def starts(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
    """Starts in the way that the query names, and notes what it is told."""
    how, headers = environ["QUERY_STRING"], [("Content-Type", "text/plain")]
    begin: Any = start
    write = begin("200 OK", headers)
    try:
        if how == "nobody":
            write(b"x")
            begin("500 Oops", headers, (None, None, None))
        elif how == "begun":
            write(b"x")
            begin("500 Oops", headers, (LookupError, LookupError("mine"), None))
        elif how == "twice":
            begin("500 Oops", headers)
    except Exception as error:
        events.append(f"{type(error).__name__}: {error}")
    return [b"y"]


@page
def fails_first(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
    """Starts again after an error, without exc_info."""
    try:
        start("OK", [])
    except ValueError:
        start("200 OK", [])
    return [b"y"]


@page
def changes(environ: WSGIEnvironment, start: StartResponse) -> list[bytes]:
    """Replaces the response when empty blocks have been given, so that it has not begun."""

    def blocks() -> Iterator[bytes]:
        start("200 OK", [("X-First", "1")])
        yield b""
        yield b""
        try:
            raise LookupError
        except LookupError:
            start("503 Later", [("X-Second", "2")], sys.exc_info())
        yield b"late"

    result: Any = blocks()
    return result  # type: ignore[no-any-return]


@page
def waits(environ: WSGIEnvironment, start: StartResponse) -> Iterator[bytes]:
    """Gives nothing before somebody has asked for /go; its headers have to wait."""
    text(start)
    yield b""
    events.append("waiting")
    going.wait(60)
    yield b"done"


@page
def headers(environ: WSGIEnvironment, start: StartResponse) -> list[bytes]:
    start("200 OK", [("X-B", "1"), ("Set-Cookie", "a=b"), ("X-B", "2"), ("Set-Cookie", "c=d"), ("X-B", "0")])
    return [b"x"]


@page
def large(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
    """Has as many bytes of headers as the query says."""
    size, _, how = environ["QUERY_STRING"].partition("&")
    start("200 OK", [("X-Large", "x" * int(size))])
    return iter([b"x"]) if how else [b"x"]


# ---------------------------------------------------------------------- body


@page
def binary(environ: WSGIEnvironment, start: StartResponse) -> list[bytes]:
    text(start)
    return [b"\r\n\n\r\0\xff", b"", b"\n"]


@page
def writes(environ: WSGIEnvironment, start: StartResponse) -> Iterator[bytes]:
    """Writes, and gives more when somebody has asked for /go."""
    write = start("200 OK", [("Content-Type", "text/plain")])
    write(b"written")

    def blocks() -> Iterator[bytes]:
        going.wait(60)
        yield b"given"

    return blocks()


@page
def exceeds(environ: WSGIEnvironment, start: StartResponse) -> list[bytes]:
    """Writes more than it has declared."""
    write = start("200 OK", [("Content-Length", "3")])
    write(b"abc")
    try:
        write(b"d")
    except ValueError as error:
        events.append(str(error))
    return []


@page
def goes_on(environ: WSGIEnvironment, start: StartResponse) -> Iterator[bytes]:
    """Gives more than it has declared."""
    start("200 OK", [("Content-Length", "6")])
    yield b"abc"
    yield b"def"
    yield b"ghi"


@page
def closes(environ: WSGIEnvironment, start: StartResponse) -> Any:
    """Returns what notes that it was closed, on the path that the query names."""
    how = environ["QUERY_STRING"]

    def blocks() -> Iterator[bytes]:
        if how == "raises":
            raise LookupError
        yield b"abc"
        if how == "raises-late":
            raise LookupError

    if how == "length":
        start("200 OK", [("Content-Length", "2")])
    elif how == "short":
        start("200 OK", [("Content-Length", "4")])
    elif how == "bare":
        start("204 No Content", [])
    elif how != "never-started":
        text(start)
    given: Iterable[Any] = ["text"] if how == "text" else blocks()
    if how == "file":
        file: Any = io.BytesIO(b"abc")
        file.close = lambda: events.append("closed file")
        return environ["wsgi.file_wrapper"](file)
    return Closing(how, given)


class Unclosable(Closing):
    """An iterable whose close() fails."""

    def close(self) -> None:
        raise LookupError("cannot close")


@page
def cannot_close(environ: WSGIEnvironment, start: StartResponse) -> Any:
    text(start)
    return Unclosable("", [b"whole"])


class Reader:
    """A file that has nothing but read."""

    def __init__(self) -> None:
        self._blocks = [b"", b"abc"]

    def read(self, size: int) -> bytes:
        return self._blocks.pop()


@page
def files(environ: WSGIEnvironment, start: StartResponse) -> Any:
    """Uses the wrapper in the way that the query names."""
    wrap, how = environ["wsgi.file_wrapper"], environ["QUERY_STRING"]
    text(start)
    if how == "default":
        return wrap(io.BytesIO(b"x" * 100000))
    if how == "iterated":  # by a middleware, say
        return [b"<", *wrap(io.BytesIO(b"abcdef"), 4), b">"]
    if how == "unclosable":
        wrapped = wrap(Reader(), 10)
        events.append(f"closable: {hasattr(wrapped, 'close')}")
        return wrapped
    return wrap(io.BytesIO(b""))


def app(*arguments: Any, **named: Any) -> Iterable[bytes]:
    assert len(arguments) == 2
    assert not named
    environ, start = arguments
    result: Iterable[bytes] = PAGES[environ["PATH_INFO"].strip("/").partition("/")[0]](environ, start)
    return result
