"""An ASGI application with a path for each test."""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
from collections.abc import Awaitable, Callable
from typing import Any

Scope = dict[str, Any]
Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

events: list[str] = []
going = asyncio.Event()  # lets a response go on


async def start(send: Send, status: int = 200, **more: Any) -> None:
    headers = [(b"content-type", b"text/plain")]
    await send({"type": "http.response.start", "status": status, "headers": headers, **more})


async def body(send: Send, data: bytes = b"", more: bool = False) -> None:
    await send({"type": "http.response.body", "body": data, "more_body": more})


async def say(send: Send, value: Any) -> None:
    await start(send)
    await body(send, value if isinstance(value, bytes) else json.dumps(value).encode())


def plain(value: Any) -> Any:
    """Return a value as JSON has it; bytes as b'...'."""
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(each) for each in value]
    return repr(value) if isinstance(value, bytes) else value


async def show(scope: Scope, receive: Receive, send: Send) -> None:
    types = {key: type(value).__name__ for key, value in scope.items()}
    await say(send, {**plain(scope), "types": types})


async def pid(scope: Scope, receive: Receive, send: Send) -> None:
    await say(send, os.getpid())


async def log(scope: Scope, receive: Receive, send: Send) -> None:
    await say(send, events)


async def clear(scope: Scope, receive: Receive, send: Send) -> None:
    events.clear()
    going.clear()
    await say(send, b"")


async def go(scope: Scope, receive: Receive, send: Send) -> None:
    going.set()
    await say(send, b"")


async def state(scope: Scope, receive: Receive, send: Send) -> None:
    """Changes its copy, and what all copies share."""
    scope["state"]["own"] = scope["state"].get("own", 0) + 1
    scope["state"]["shared"].append("x")
    await say(send, {"own": scope["state"]["own"], "shared": len(scope["state"]["shared"])})


async def pieces(scope: Scope, receive: Receive, send: Send) -> None:
    """Shows the messages of the body, and the one after it."""
    got: list[Any] = []
    while True:
        message = await receive()
        got.append([message["type"], len(message["body"]), message["more_body"]])
        if not message["more_body"]:
            break
    await say(send, got)
    events.append((await receive())["type"])


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    await start(send)
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        more = message["more_body"]
        await body(send, message["body"], more)


async def pipe(scope: Scope, receive: Receive, send: Send) -> None:
    """Says first, then gives what comes, as it comes."""
    await start(send)
    await body(send, b"ready", True)
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        more = message["more_body"]
        await body(send, message["body"], more)


async def early(scope: Scope, receive: Receive, send: Send) -> None:
    await say(send, b"early")


async def steps(scope: Scope, receive: Receive, send: Send) -> None:
    """Sends a piece, and the next one when somebody has asked for /go."""
    await start(send)
    await body(send, b"first", True)
    await going.wait()
    await body(send, b"second", False)


async def start_only(scope: Scope, receive: Receive, send: Send) -> None:
    """Starts a response, and replaces it with a failure."""
    await start(send)
    raise LookupError("after the start")


async def empty_pieces(scope: Scope, receive: Receive, send: Send) -> None:
    await start(send)
    await send({"type": "http.response.body", "more_body": True})
    await send({"type": "http.response.body", "body": b"x", "more_body": True})
    await send({"type": "http.response.body"})


async def no_headers(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 202})
    await body(send, b"x")


async def iterators(scope: Scope, receive: Receive, send: Send) -> None:
    headers = (
        [name, value] for name, value in [(b"x-a", b"1"), (b"x-a", b"2"), (b"transfer-encoding", b"chunked")]
    )
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await body(send, b"x")


async def raises(scope: Scope, receive: Receive, send: Send) -> None:
    raise LookupError("at once")


async def raises_late(scope: Scope, receive: Receive, send: Send) -> None:
    await start(send)
    await body(send, b"x" * 100000, True)
    raise LookupError("in the middle")


async def raises_after(scope: Scope, receive: Receive, send: Send) -> None:
    await say(send, b"whole")
    raise LookupError("after the end")


async def cancels(scope: Scope, receive: Receive, send: Send) -> None:
    raise asyncio.CancelledError


async def returns(scope: Scope, receive: Receive, send: Send) -> None:
    """Says nothing."""


async def returns_started(scope: Scope, receive: Receive, send: Send) -> None:
    await start(send)


async def returns_unfinished(scope: Scope, receive: Receive, send: Send) -> None:
    await start(send)
    await body(send, b"x" * 100000, True)


async def background(scope: Scope, receive: Receive, send: Send) -> None:
    """Goes on after its response."""
    await say(send, b"whole")
    await going.wait()
    events.append("background")


async def ignored(scope: Scope, receive: Receive, send: Send) -> None:
    """Sends more after the end."""
    await say(send, b"whole")
    await body(send, b"more")
    await start(send)
    events.append("ignored")


async def order(scope: Scope, receive: Receive, send: Send) -> None:
    """Breaks the rule that the query names, and says what it was told."""
    how = scope["query_string"].decode()
    wrong: dict[str, list[Message]] = {
        "body-first": [{"type": "http.response.body", "body": b"x"}],
        "trailers-first": [{"type": "http.response.trailers", "headers": []}],
        "unknown": [{"type": "http.response.nonsense"}],
        "websocket": [{"type": "websocket.accept"}],
        "hint-newline": [{"type": "http.response.early_hint", "links": [b"</a>\r\nb: c"]}],
        "hint-text": [{"type": "http.response.early_hint", "links": ["</a>"]}],
        "status": [{"type": "http.response.start", "status": 99}],
        "text-headers": [{"type": "http.response.start", "status": 200, "headers": [("a", "b")]}],
        "newline": [{"type": "http.response.start", "status": 200, "headers": [(b"a", b"b\r\nc: d")]}],
        "nul": [{"type": "http.response.start", "status": 200, "headers": [(b"a", b"b\0c")]}],
    }
    try:
        for message in wrong[how]:
            await send(message)
    except Exception as error:
        await say(send, f"{type(error).__name__}: {error}")


async def order_started(scope: Scope, receive: Receive, send: Send) -> None:
    """As order, after the start."""
    how = scope["query_string"].decode()
    wrong: dict[str, Message] = {
        "start-twice": {"type": "http.response.start", "status": 200},
        "text-body": {"type": "http.response.body", "body": "text"},
        "trailers": {"type": "http.response.trailers", "headers": []},
    }
    await start(send)
    try:
        await send(wrong[how])
    except Exception as error:
        await body(send, f"{type(error).__name__}: {error}".encode())


async def waits(scope: Scope, receive: Receive, send: Send) -> None:
    """Waits for the client to go, and tries to send then."""
    message = await receive()
    events.append("waiting")
    while message["type"] == "http.request":
        message = await receive()
    events.append(message["type"])
    events.append((await receive())["type"])
    try:
        await start(send)
    except OSError as error:
        events.append(type(error).__name__)
        raise


async def endless(scope: Scope, receive: Receive, send: Send) -> None:
    """Sends until that says that nobody takes it."""
    await start(send)
    try:
        while True:
            await body(send, b"x" * 10000, True)
    except OSError as error:
        events.append(type(error).__name__)
        events.append((await receive())["type"])
        raise


async def listens(scope: Scope, receive: Receive, send: Send) -> None:
    """Cancels its sending task when the client goes, as Django does."""

    async def stream() -> None:
        await start(send)
        while True:
            await body(send, b"x" * 10000, True)

    async def listen() -> None:
        while (await receive())["type"] == "http.request":
            pass

    tasks = [asyncio.create_task(listen()), asyncio.create_task(stream())]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    tasks[1].cancel()
    await asyncio.wait(tasks)
    events.append("cancelled" if tasks[1].cancelled() else repr(tasks[1].exception()))


async def tells(scope: Scope, receive: Receive, send: Send) -> None:
    """One task waits for the disconnect while another one answers."""

    async def listen() -> None:
        while (message := await receive())["type"] == "http.request":
            pass
        events.append(message["type"])

    task = asyncio.create_task(listen())
    await going.wait()
    await say(send, b"told")
    await task
    events.append("told")


async def trailers(scope: Scope, receive: Receive, send: Send) -> None:
    await start(send, trailers=True)
    await body(send, b"with ", True)
    await body(send, b"trailers")
    await send({"type": "http.response.trailers", "headers": [(b"x-first", b"1")], "more_trailers": True})
    await send({"type": "http.response.trailers", "headers": [(b"x-second", b"2")]})


async def hints(scope: Scope, receive: Receive, send: Send) -> None:
    """Sends links when the query says so: all before or after the start, or one each."""
    how, links = scope["query_string"], [b"</a.css>; rel=preload", b"</b.js>; rel=preload"]
    kind = "http.response.early_hint"
    before = {b"first": links, b"started": [], b"twice": links[:1]}[how]
    if before:
        await send({"type": kind, "links": before})
    await start(send)
    if links[len(before) :]:
        await send({"type": kind, "links": links[len(before) :]})
    await body(send, b"whole")


async def late_hints(scope: Scope, receive: Receive, send: Send) -> None:
    await start(send)
    await body(send, b"wh", True)
    await send({"type": "http.response.early_hint", "links": [b"</a.css>"]})
    await body(send, b"ole")
    await send({"type": "http.response.early_hint", "links": [b"</a.css>"]})
    events.append("ignored")


async def no_trailers(scope: Scope, receive: Receive, send: Send) -> None:
    await start(send, trailers=True)
    await body(send, b"x")


async def path(scope: Scope, receive: Receive, send: Send) -> None:
    with tempfile.NamedTemporaryFile() as file:
        file.write(b"0123456789" * 5000)
        file.flush()
        await start(send)
        await send({"type": "http.response.pathsend", "path": file.name})


async def no_path(scope: Scope, receive: Receive, send: Send) -> None:
    await start(send)
    await send({"type": "http.response.pathsend", "path": "/nonexistent"})


async def parts(scope: Scope, receive: Receive, send: Send) -> None:
    with tempfile.TemporaryFile() as file:
        file.write(b"0123456789")
        file.flush()
        file.seek(3)
        await start(send)
        kind = "http.response.zerocopysend"
        await send({"type": kind, "file": file, "offset": 8, "more_body": True})
        await send({"type": kind, "file": file, "count": 2, "more_body": True})
        await body(send, b"|", True)
        await send({"type": kind, "file": file})


async def sleeps(scope: Scope, receive: Receive, send: Send) -> None:
    """Does not end by itself."""
    await start(send)
    await body(send, b"x", True)
    try:
        await asyncio.sleep(3600)
    finally:
        print("stopped", flush=True)


PAGES = {name: page for name, page in globals().items() if asyncio.iscoroutinefunction(page)}


async def lifespan(scope: Scope, receive: Receive, send: Send) -> None:
    assert (await receive()) == {"type": "lifespan.startup"}
    scope["state"]["shared"] = []
    scope["state"]["versions"] = scope["asgi"]
    print("starting", flush=True)
    await send({"type": "lifespan.startup.complete"})
    assert (await receive()) == {"type": "lifespan.shutdown"}
    print("shutting down", flush=True)
    await send({"type": "lifespan.shutdown.complete"})


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "lifespan":
        await lifespan(scope, receive, send)
        return
    assert scope["type"] == "http"
    name = scope["path"].strip("/").partition("/")[0]
    await PAGES.get(name, show)(scope, receive, send)


async def without(scope: Scope, receive: Receive, send: Send) -> None:
    """Knows nothing of lifespans."""
    assert scope["type"] == "http"
    await say(send, scope["state"])


async def silent(scope: Scope, receive: Receive, send: Send) -> None:
    """Returns from its lifespan without a word."""
    if scope["type"] == "http":
        await say(send, b"silent")


async def cannot_start(scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "lifespan.startup.failed", "message": "no database"})
    raise LookupError("said already")


async def cannot_stop(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "http":
        await say(send, b"yes")
        return
    await receive()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await send({"type": "lifespan.shutdown.failed", "message": "the database hangs"})


async def dies(scope: Scope, receive: Receive, send: Send) -> None:
    """Has a lifespan that ends with an error."""
    if scope["type"] == "http":
        await say(send, b"yes")
        return
    await receive()
    await send({"type": "lifespan.startup.complete"})
    raise LookupError("in the lifespan")
