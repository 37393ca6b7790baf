"""An ASGI application that misbehaves: what its paths do is in main_test.go."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from misbehave_wsgi import eat, hold_gil, leave, spin

lock = asyncio.Lock()


async def hang() -> None:
    await lock.acquire()
    await lock.acquire()


async def sleep() -> None:
    await asyncio.sleep(1e6)


async def deadlock() -> None:
    """Wait in the loop for a lock that only another task could release."""
    held = threading.Lock()
    held.acquire()
    held.acquire()


BLOCKING: dict[str, Callable[[], None]] = {
    "/spin": spin,
    "/gil": hold_gil,
    "/eat": eat,
    "/exit": leave,
    "/abort": os.abort,
}
DEEDS: dict[str, Callable[[], Awaitable[None]]] = {"/hang": hang, "/sleep": sleep, "/deadlock": deadlock}


async def read_all(receive: Any, pause: float = 0) -> AsyncIterator[bytes]:
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ConnectionError
        more = message.get("more_body", False)
        yield message.get("body", b"")
        await asyncio.sleep(pause)


async def drip() -> AsyncIterator[bytes]:
    for _ in range(20):
        yield b"x"
        await asyncio.sleep(0.1)


async def body_of(path: str, receive: Any) -> AsyncIterator[bytes]:
    if path == "/echo":
        async for chunk in read_all(receive):
            yield chunk
    elif path == "/slow":
        async for chunk in drip():
            yield chunk
    elif path == "/slow-read":
        yield b"%d" % sum([len(chunk) async for chunk in read_all(receive, 0.1)])
    else:
        yield b"ok\n"


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    if scope["type"] != "http":
        raise RuntimeError("only HTTP")
    path = scope["path"]
    BLOCKING.get(path, lambda: None)()
    if path in DEEDS:
        await DEEDS[path]()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    async for chunk in body_of(path, receive):
        await send({"type": "http.response.body", "body": chunk, "more_body": True})
    await send({"type": "http.response.body", "body": b""})
