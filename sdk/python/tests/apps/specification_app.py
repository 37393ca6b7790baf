"""An ASGI application that sends the messages that its query has, and notes what it is told."""

from __future__ import annotations

import ast
import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

from asgi_app import plain, say

Scope = dict[str, Any]
Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

events: list[Any] = []
loops: list[int] = []  # of the lifespan
startups: list[str] = []
going = asyncio.Event()


async def messages(scope: Scope, receive: Receive, send: Send) -> None:
    """Sends what the query has; receives where that says so."""
    for message in ast.literal_eval(bytes.fromhex(scope["query_string"].decode()).decode()):
        try:
            if message == "receive":
                events.append(plain(await receive()))
            else:
                await send(message)
                events.append("ok")
        except Exception as error:
            events.append(f"{type(error).__name__}: {error}")
    events.append("over")


async def scopes(scope: Scope, receive: Receive, send: Send) -> None:
    """Waits until there are as many requests as the query says; says what each has of its own."""
    events.append(id(scope))
    if len(events) == int(scope["query_string"]):
        going.set()
    await going.wait()
    await say(send, [len(set(events)), scope["raw_path"].decode()])


async def types(scope: Scope, receive: Receive, send: Send) -> None:
    """Says of what types the first message is, and the keys of all dicts."""
    message = await receive()
    keys = [*scope, *scope["asgi"], *scope["extensions"], *message]
    await say(
        send,
        {
            "scope": type(scope).__name__,
            "keys": sorted({type(key).__name__ for key in keys}),
            "message": {key: type(value).__name__ for key, value in message.items()},
            "headers": sorted({type(part).__name__ for pair in scope["headers"] for part in pair}),
            "extensions": sorted({type(value).__name__ for value in scope["extensions"].values()}),
            "address": [type(part).__name__ for pair in (scope["client"], scope["server"]) for part in pair],
        },
    )


async def mutates(scope: Scope, receive: Receive, send: Send) -> None:
    """Changes its scope in all places."""
    seen = plain(scope)
    for each in (scope["asgi"], scope["extensions"], scope["state"], scope):
        each["mine"] = True
    await say(send, seen)


async def loop(scope: Scope, receive: Receive, send: Send) -> None:
    await say(send, [startups, loops, id(asyncio.get_running_loop())])


async def disconnected(scope: Scope, receive: Receive, send: Send) -> None:
    """Lets the error out that sending raises."""
    await send({"type": "http.response.start", "status": 200})
    while True:
        await send({"type": "http.response.body", "body": b"x" * 10000, "more_body": True})


async def large(scope: Scope, receive: Receive, send: Send) -> None:
    """Has as many bytes of headers as the query says."""
    value = b"x" * int(scope["query_string"])
    await send({"type": "http.response.start", "status": 200, "headers": [(b"x-large", value)]})
    await send({"type": "http.response.body", "body": b"x"})


async def waits_for_trailers(scope: Scope, receive: Receive, send: Send) -> None:
    """Sends the trailers when somebody has asked for /go."""
    await send({"type": "http.response.start", "status": 200, "trailers": True})
    await send({"type": "http.response.body", "body": b"whole", "more_body": True})
    await send({"type": "http.response.body"})
    await going.wait()
    await send({"type": "http.response.trailers", "headers": [(b"x-last", b"1")]})


async def slow(scope: Scope, receive: Receive, send: Send) -> None:
    """Accepts a WebSocket when somebody has asked for /go."""
    assert await receive() == {"type": "websocket.connect"}
    events.append("asked")
    await going.wait()
    await send({"type": "websocket.accept"})
    await receive()


async def go(scope: Scope, receive: Receive, send: Send) -> None:
    going.set()
    await say(send, b"")


async def log(scope: Scope, receive: Receive, send: Send) -> None:
    await say(send, events)


async def clear(scope: Scope, receive: Receive, send: Send) -> None:
    events.clear()
    going.clear()
    await say(send, b"")


PAGES = {name: page for name, page in globals().items() if asyncio.iscoroutinefunction(page)}


async def lifespan(scope: Scope, receive: Receive, send: Send) -> None:
    """Takes its time to start, and says when it has."""
    assert scope["state"] == {}
    assert await receive() == {"type": "lifespan.startup"}
    startups.append("begun")
    await asyncio.sleep(0.2)
    startups.append("done")
    loops.append(id(asyncio.get_running_loop()))
    await send({"type": "lifespan.startup.complete"})
    await receive()
    print("shutdown begun", flush=True)
    await asyncio.sleep(0.2)
    print("shutdown done", flush=True)
    await send({"type": "lifespan.shutdown.complete"})


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "lifespan":
        await lifespan(scope, receive, send)
    else:
        await PAGES[scope["path"].strip("/").partition("/")[0]](scope, receive, send)


async def nosy(scope: Scope, receive: Receive, send: Send) -> None:
    """Has no lifespan, and would note an event of it."""
    if scope["type"] == "lifespan":
        raise LookupError("no lifespan here")
    await say(send, json.dumps("served").encode())
