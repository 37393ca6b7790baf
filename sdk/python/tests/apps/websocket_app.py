"""An ASGI application with a WebSocket for each test; what they note is at /log."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

from asgi_app import plain

Scope = dict[str, Any]
Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

events: list[Any] = []
going = asyncio.Event()  # lets something go on


async def accept(receive: Receive, send: Send, **more: Any) -> None:
    assert await receive() == {"type": "websocket.connect"}
    await send({"type": "websocket.accept", **more})


async def show(scope: Scope, receive: Receive, send: Send) -> None:
    types = {key: type(value).__name__ for key, value in scope.items()}
    await accept(receive, send)
    await send({"type": "websocket.send", "text": json.dumps({**plain(scope), "types": types})})
    await send({"type": "websocket.close"})


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Sends back what comes, and notes how it ends."""
    await accept(receive, send)
    while (message := await receive())["type"] == "websocket.receive":
        assert len(message) == 2
        await send({**message, "type": "websocket.send"})
    events.append(message)
    events.append(await receive())  # any number of times


async def keys(scope: Scope, receive: Receive, send: Send) -> None:
    """Sends messages in all the ways that there are to say them."""
    await accept(receive, send)
    for more in (
        {"text": "a"},
        {"text": "b", "bytes": None},
        {"text": None, "bytes": b"c"},
        {"bytes": bytearray(b"d")},
    ):
        await send({"type": "websocket.send", **more})
    await receive()


async def subprotocol(scope: Scope, receive: Receive, send: Send) -> None:
    """Accepts the last one that is offered, with headers."""
    headers = (
        [name, value] for name, value in [(b"x-a", b"1"), (b"set-cookie", b"b=c"), (b"set-cookie", b"d=e")]
    )
    await accept(receive, send, subprotocol=scope["subprotocols"][-1], headers=headers)
    await receive()


async def closes(scope: Scope, receive: Receive, send: Send) -> None:
    """Closes as the query says, and notes what it is told then."""
    await accept(receive, send)
    await send({"type": "websocket.send", "text": "last"})
    await send({"type": "websocket.close", **json.loads(bytes.fromhex(scope["query_string"].decode()))})
    events.append(await receive())
    try:
        await send({"type": "websocket.send", "text": "too late"})
    except OSError as error:
        events.append(type(error).__name__)


async def rejects(scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "websocket.close", "code": 4000, "reason": "no"})
    events.append(await receive())


async def denies(scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    headers = [(b"x-why", b"because"), (b"content-type", b"text/plain")]
    await send({"type": "websocket.http.response.start", "status": 401, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": b"not ", "more_body": True})
    await send({"type": "websocket.http.response.body", "body": b"you"})
    events.append(await receive())


async def returns(scope: Scope, receive: Receive, send: Send) -> None:
    """Says nothing."""


async def returns_open(scope: Scope, receive: Receive, send: Send) -> None:
    await accept(receive, send)


async def returns_denying(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "websocket.http.response.start", "status": 401, "headers": []})


async def raises(scope: Scope, receive: Receive, send: Send) -> None:
    raise LookupError("before")


async def raises_open(scope: Scope, receive: Receive, send: Send) -> None:
    await accept(receive, send)
    raise LookupError("in the middle")


async def lost(scope: Scope, receive: Receive, send: Send) -> None:
    """Notes how it learns that the client is gone."""
    await accept(receive, send)
    events.append(await receive())
    try:
        await send({"type": "websocket.send", "text": "to nobody"})
    except OSError as error:
        events.append(type(error).__name__)
        raise


async def endless(scope: Scope, receive: Receive, send: Send) -> None:
    """Sends until it hears otherwise."""
    await accept(receive, send)
    try:
        while True:
            await send({"type": "websocket.send", "bytes": b"x" * 10000})
    except OSError as error:
        events.append(type(error).__name__)
        events.append(await receive())


async def pushes(scope: Scope, receive: Receive, send: Send) -> None:
    """Receives in one task, and sends in others; all at once."""
    await accept(receive, send)

    async def push(letter: str) -> None:
        for _ in range(3):
            await send({"type": "websocket.send", "text": letter * 100000})

    async def listen() -> None:
        while (await receive())["type"] == "websocket.receive":
            pass

    await asyncio.gather(listen(), *map(push, "abcd"))
    events.append("all")


async def waits_early(scope: Scope, receive: Receive, send: Send) -> None:
    """A task receives before the other one has accepted."""
    await receive()
    receiving = asyncio.ensure_future(receive())
    await asyncio.sleep(0)
    await send({"type": "websocket.accept"})
    events.append((await receiving)["text"])


async def gone_early(scope: Scope, receive: Receive, send: Send) -> None:
    """Does not answer before the client has gone."""
    await receive()
    events.append("asked")
    events.append(await receive())
    try:
        await send({"type": "websocket.accept"})
    except OSError as error:
        events.append(type(error).__name__)


async def idles(scope: Scope, receive: Receive, send: Send) -> None:
    """Neither sends nor receives before somebody says so."""
    await accept(receive, send)
    await going.wait()
    await send({"type": "websocket.send", "text": "still here"})
    await receive()


async def stays(scope: Scope, receive: Receive, send: Send) -> None:
    """Does not end by itself, and receives nothing."""
    await accept(receive, send)
    await asyncio.sleep(3600)


async def order(scope: Scope, receive: Receive, send: Send) -> None:
    """Breaks the rule that the query names, and says what it was told."""
    how = scope["query_string"].decode()
    accepting: Message = {"type": "websocket.accept"}
    wrong: dict[str, tuple[list[Message], Message]] = {
        "send-first": ([], {"type": "websocket.send", "text": "x"}),
        "body-first": ([], {"type": "websocket.http.response.body", "body": b"x"}),
        "http": ([], {"type": "http.response.start", "status": 200, "headers": []}),
        "protocol-header": ([], {**accepting, "headers": [(b"sec-websocket-protocol", b"chat")]}),
        "protocol": ([], {**accepting, "subprotocol": "other"}),
        "text-headers": ([], {**accepting, "headers": [("a", "b")]}),
        "newline": ([], {**accepting, "headers": [(b"a", b"b\r\nc: d")]}),
        "accept-twice": ([accepting], accepting),
        "deny-late": ([accepting], {"type": "websocket.http.response.start", "status": 401}),
        "both": ([accepting], {"type": "websocket.send", "text": "x", "bytes": b"x"}),
        "neither": ([accepting], {"type": "websocket.send"}),
        "bytes-text": ([accepting], {"type": "websocket.send", "text": b"x"}),
        "text-bytes": ([accepting], {"type": "websocket.send", "bytes": "x"}),
        "number": ([accepting], {"type": "websocket.send", "bytes": 5}),
        "code": ([accepting], {"type": "websocket.close", "code": 999}),
    }
    before, message = wrong[how]
    await receive()
    for each in before:
        await send(each)
    try:
        await send(message)
    except Exception as error:
        if not before:
            await send(accepting)
        await send({"type": "websocket.send", "text": f"{type(error).__name__}: {error}"})


SOCKETS = {name: page for name, page in globals().items() if asyncio.iscoroutinefunction(page)}


async def say(send: Send, value: Any) -> None:
    body = json.dumps(value).encode()
    await send(
        {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]}
    )
    await send({"type": "http.response.body", "body": body})


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    assert scope["type"] in ("http", "websocket")
    name = scope["path"].strip("/")
    if scope["type"] == "websocket":
        await SOCKETS[name](scope, receive, send)
        return
    if name == "clear":
        events.clear()
        going.clear()
    elif name == "go":
        going.set()
    await say(send, events)
