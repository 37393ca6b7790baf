"""A WSGI application with a path for each test."""

from __future__ import annotations

import gzip
import io
import json
import os
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any
from wsgiref.validate import validator

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

events: list[str] = []
going = threading.Event()  # lets a response go on


def text(start: StartResponse, *more: tuple[str, str]) -> None:
    start("200 OK", [("Content-Type", "text/plain"), *more])


def show(environ: WSGIEnvironment, start: StartResponse) -> list[bytes]:
    text(start)
    return [
        json.dumps(
            {k: v if isinstance(v, (str, bool, tuple)) else str(v) for k, v in environ.items()}
        ).encode()
    ]


def pid(environ: WSGIEnvironment, start: StartResponse) -> list[bytes]:
    text(start)
    return [str(os.getpid()).encode()]


def log(environ: WSGIEnvironment, start: StartResponse) -> list[bytes]:
    text(start)
    return [json.dumps(events).encode()]


def clear(environ: WSGIEnvironment, start: StartResponse) -> list[bytes]:
    events.clear()
    going.clear()
    text(start)
    return []


def echo(environ: WSGIEnvironment, start: StartResponse) -> Iterator[bytes]:
    text(start)
    while block := environ["wsgi.input"].read(1000):
        yield block


def size(environ: WSGIEnvironment, start: StartResponse) -> list[bytes]:
    total = 0
    while block := environ["wsgi.input"].read(1 << 16):
        total += len(block)
    text(start)
    return [str(total).encode()]


def read(environ: WSGIEnvironment, start: StartResponse) -> list[bytes]:
    """Reads in the way that the query says."""
    body = environ["wsgi.input"]
    how = environ["QUERY_STRING"]
    got: Any
    if how == "all":
        got = [body.read()]
    elif how == "twice":
        got = [body.read(3), body.read(), body.read(), body.read(5)]
    elif how == "line":
        got = [body.readline(), body.readline(2), body.readline(), body.read(3), body.read()]
    elif how == "lines":
        got = [*body.readlines(), b"|", *body.readlines()]
    elif how == "hint":
        got = [*body.readlines(4), b"|", *body]
    elif how == "iterate":
        got = list(body)
    else:
        got = [body.read(0)]
    text(start)
    return [json.dumps([piece.decode() for piece in got]).encode()]


class Closing:
    """An iterable that says when it was closed."""

    def __init__(self, name: str, blocks: Iterable[bytes]) -> None:
        self.name, self.blocks = name, iter(blocks)

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        return next(self.blocks)

    def close(self) -> None:
        events.append(f"closed {self.name}")


def closing(environ: WSGIEnvironment, start: StartResponse) -> Closing:
    text(start)
    return Closing("well", [b"a", b"", b"b"])


def failing(environ: WSGIEnvironment, start: StartResponse) -> Closing:
    """Fails before or after the first block, as the query says."""

    def blocks() -> Iterator[bytes]:
        if environ["QUERY_STRING"] == "late":
            yield b"a"
        raise LookupError("in the middle")

    text(start)
    return Closing("failing", blocks())


def endless(environ: WSGIEnvironment, start: StartResponse) -> Closing:
    def blocks() -> Iterator[bytes]:
        while True:
            yield b"x" * 10000

    text(start)
    return Closing("endless", blocks())


def steps(environ: WSGIEnvironment, start: StartResponse) -> Iterator[bytes]:
    """Gives a block, and the next one when somebody has asked for /go."""
    text(start)
    yield b"first"
    going.wait(60)
    yield b"second"


def go(environ: WSGIEnvironment, start: StartResponse) -> list[bytes]:
    going.set()
    text(start)
    return []


def writes(environ: WSGIEnvironment, start: StartResponse) -> list[bytes]:
    write = start("200 OK", [("Content-Type", "text/plain")])
    write(b"one ")
    write(b"")
    write(b"two ")
    return [b"three"]


def raises(environ: WSGIEnvironment, start: StartResponse) -> list[bytes]:
    raise LookupError("at once")


def never_starts(environ: WSGIEnvironment, start: StartResponse) -> list[bytes]:
    return [b"x"]


def starts_lazily(environ: WSGIEnvironment, start: StartResponse) -> Iterator[bytes]:
    start("201 Created", [("Content-Type", "text/plain")])
    yield b"lazy"


def starts_twice(environ: WSGIEnvironment, start: StartResponse) -> list[bytes]:
    text(start)
    text(start)
    return [b"x"]


def replaces(environ: WSGIEnvironment, start: StartResponse) -> Iterator[bytes]:
    """Replaces the start of the response with an error's, too late if the query says so."""
    text(start, ("X-First", "1"))
    if environ["QUERY_STRING"] == "late":
        yield b"a"
    try:
        raise LookupError("to be told")
    except LookupError:
        start("500 Oops", [("Content-Type", "text/plain"), ("X-Second", "2")], sys.exc_info())
    yield b"replaced"


def bad(environ: WSGIEnvironment, start: StartResponse) -> list[bytes]:
    """Breaks the rule that the query names, and says what it was told."""
    status: Any = "200 OK"
    headers: Any = [("Content-Type", "text/plain")]
    rules: dict[str, tuple[Any, Any]] = {
        "status-text": ("OK", headers),
        "status-int": (200, headers),
        "status-low": ("199 Low", headers),
        "status-joined": ("2000", headers),
        "newline": (status, [("X-A", "b\r\nSet-Cookie: c=d")]),
        "nul": (status, [("X-A", "b\0c")]),
        "name": (status, [("X A", "b")]),
        "empty-name": (status, [("", "b")]),
        "bytes": (status, [(b"X-A", b"b")]),
        "triple": (status, [("X-A", "b", "c")]),
        "unicode": (status, [("X-A", "\u20ac")]),
        "length": (status, [("Content-Length", "many")]),
    }
    status, headers = rules[environ["QUERY_STRING"]]
    try:
        start(status, headers)
    except Exception as error:
        start("200 OK", [("Content-Type", "text/plain")], sys.exc_info())
        return [f"{type(error).__name__}: {error}".encode()]
    return [b"nothing"]


def lengths(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
    """Answers with so many blocks of three bytes, and the Content-Length of the query."""
    how, _, length = environ["QUERY_STRING"].partition("=")
    text(start, *([("Content-Length", length)] if length else []))
    blocks: dict[str, Callable[[], Iterable[bytes]]] = {
        "none": list,
        "one": lambda: [b"abc"],
        "tuple": lambda: (b"abc", b"def"),
        "iterator": lambda: iter([b"abc", b"def"]),
        "empty": lambda: iter([b"", b""]),
        "str": lambda: ["abc"],  # type: ignore[list-item]
    }
    return blocks[how]()


def bare(environ: WSGIEnvironment, start: StartResponse) -> list[bytes]:
    start(environ["QUERY_STRING"] + " Bare", [("X-A", "b")])
    return [b"no body goes with that"]


def early(environ: WSGIEnvironment, start: StartResponse) -> list[bytes]:
    text(start)
    return [b"early"]


def pipe(environ: WSGIEnvironment, start: StartResponse) -> Iterator[bytes]:
    """Says first, then gives what comes, as it comes."""
    text(start)
    yield b"ready"
    while block := environ["wsgi.input"].read(1):
        yield block


def leaves(environ: WSGIEnvironment, start: StartResponse) -> list[bytes]:
    """Notes what reading says when the client has gone."""
    events.append("reading")
    try:
        environ["wsgi.input"].read()
    except OSError as error:
        events.append(f"{type(error).__name__}: {error}")
        raise
    text(start)
    return [b"whole"]


def file(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
    """Returns a file of the kind that the query names."""
    wrap = environ["wsgi.file_wrapper"]
    content = b"0123456789" * 5000
    kind = environ["QUERY_STRING"]
    opened: Any
    if kind == "memory":
        opened = io.BytesIO(content)
    elif kind == "gzip":
        opened = tempfile.TemporaryFile()
        opened.write(gzip.compress(content))
        opened.seek(0)
        opened = gzip.GzipFile(fileobj=opened)
    else:
        opened = tempfile.NamedTemporaryFile(buffering=0) if kind == "raw" else tempfile.NamedTemporaryFile()
        opened.write(content)
        opened.seek(0)
    if kind == "offset":
        opened.read(10)
    close = opened.close

    def noted() -> None:
        close()
        events.append(f"closed {kind}")

    opened.close = noted
    more = {"length": [("Content-Length", "100")], "long": [("Content-Length", "60000")]}.get(kind, [])
    text(start, *more)
    result: Iterable[bytes] = wrap(opened, 4096)
    return result


def exits(environ: WSGIEnvironment, start: StartResponse) -> list[bytes]:
    raise SystemExit(3)


def valid(environ: WSGIEnvironment, start: StartResponse) -> Any:
    """Lets the standard library's validator look at both sides."""

    def inner(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        body = environ["wsgi.input"]
        got = body.read(2) + body.readline() + b"".join(body.readlines()) + b"".join(body)
        write = start("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(got) + 1))])
        del write
        environ["wsgi.errors"].write("validated\n")
        return [b"=", got]

    return validator(inner)(environ, start)


def app(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
    name = environ["PATH_INFO"].strip("/").partition("/")[0]
    page: Any = globals().get(name, show)
    result: Iterable[bytes] = page(environ, start)
    return result


def factory() -> Any:
    return app
