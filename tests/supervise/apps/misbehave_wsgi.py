"""A WSGI application that misbehaves: what its paths do is in main_test.go."""

from __future__ import annotations

import ctypes
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

if os.path.exists(os.environ.get("DIES_WHILE", "")):
    raise RuntimeError("dies at its start")

lock = threading.Lock()
eaten: list[bytearray] = []


def hang() -> None:
    lock.acquire()
    lock.acquire()


def sleep() -> None:
    time.sleep(1e6)


def spin() -> None:
    while True:
        pass


def hold_gil() -> None:
    """Hold the lock of the interpreter: no thread of this process runs Python any more."""
    ctypes.PyDLL(None).sleep(1_000_000)


def eat() -> None:
    eaten.append(bytearray(b"x") * (96 << 20))


def leave() -> None:
    os._exit(3)


DEEDS: dict[str, Callable[[], None]] = {
    "/hang": hang,
    "/sleep": sleep,
    "/spin": spin,
    "/gil": hold_gil,
    "/eat": eat,
    "/exit": leave,
    "/abort": os.abort,
}


def drip() -> Iterator[bytes]:
    for _ in range(20):
        yield b"x"
        time.sleep(0.1)


def read_all(body: Any, pause: float = 0) -> Iterator[bytes]:
    while chunk := body.read(64 << 10):
        yield chunk
        time.sleep(pause)


def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    path = environ["PATH_INFO"]
    body = environ["wsgi.input"]
    DEEDS.get(path, lambda: None)()
    start_response("200 OK", [("Content-Type", "text/plain")])
    if path == "/echo":
        return read_all(body)
    if path == "/slow":
        return drip()
    if path == "/slow-read":
        return [b"%d" % sum(map(len, read_all(body, 0.1)))]
    return [b"ok\n"]
