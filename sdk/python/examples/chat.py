"""A chat: an ASGI application without a framework, with a WebSocket for each who is there.

python -m upload_response asgi chat:app

Open http://127.0.0.1:8080/ in two windows, and http://127.0.0.1:8080/?room=other in a third.
The rooms are in the memory of one process: with --processes 2 there would be two of each.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import Any
from urllib.parse import parse_qs

PAGE = b"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Chat</title>
<style>
  body { font: 1rem/1.5 system-ui, sans-serif; max-width: 40rem; margin: 2rem auto; padding: 0 1rem }
  ol { list-style: none; padding: 0; min-height: 10rem }
  form { display: flex; gap: .5rem }
  input { font: inherit; padding: .3rem }
  [name=text] { flex: 1 }
  b { margin-right: .5rem }
  .note { color: #666 }
</style>
<h1>Chat</h1>
<ol aria-live="polite"></ol>
<form>
  <input name="who" aria-label="Your name" placeholder="Your name" size="10" required>
  <input name="text" aria-label="What you say" placeholder="What you say" autocomplete="off" required>
  <button>Say</button>
</form>
<script>
  const form = document.forms[0], list = document.querySelector("ol");
  function show(who, text) {
    const line = document.createElement("li");
    if (who) line.append(Object.assign(document.createElement("b"), {textContent: who}));
    else line.className = "note";
    line.append(text);
    list.append(line);
  }
  function open() {
    const socket = new WebSocket(location.href.replace(/^http/, "ws"));
    socket.onmessage = event => { const said = JSON.parse(event.data); show(said.who, said.text); };
    socket.onclose = event => { show("", `closed (${event.code}), trying again`); setTimeout(open, 1000); };
    form.onsubmit = event => {
      event.preventDefault();
      socket.send(JSON.stringify({who: form.who.value, text: form.text.value}));
      form.text.value = "";
    };
  }
  open();
</script>
"""

LONGEST = 1000  # characters of what somebody says

# What each who is in a room has still to hear.
Queue = asyncio.Queue[str]
rooms: dict[str, set[Queue]] = {}


def tell(room: set[Queue], who: str, text: str) -> None:
    """Say something to all. Who is too slow to hear it misses it, and holds nobody up."""
    for queue in room:
        with contextlib.suppress(asyncio.QueueFull):
            queue.put_nowait(json.dumps({"who": who, "text": text}))


def heard(message: dict[str, Any]) -> tuple[str, str] | None:
    """Return what a client says: who, and what. None: it makes no sense."""
    try:
        said = json.loads(message.get("text") or "")
        return str(said["who"])[:LONGEST], str(said["text"])[:LONGEST]
    except (ValueError, KeyError, TypeError):
        return None


async def deliver(queue: Queue, send: Any) -> None:
    with contextlib.suppress(OSError):  # the client is gone: receive says so, too
        while True:
            await send({"type": "websocket.send", "text": await queue.get()})


async def chat(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Be in a room."""
    name = parse_qs(scope["query_string"].decode("latin-1")).get("room", ["lobby"])[0]
    room, queue = rooms.setdefault(name, set()), Queue(100)
    await receive()
    await send({"type": "websocket.accept"})
    room.add(queue)
    tell(room, "", f"{len(room)} in {name}")
    delivering = asyncio.create_task(deliver(queue, send))
    try:
        while (message := await receive())["type"] == "websocket.receive":
            said = heard(message)
            if said is not None:
                tell(room, *said)
    finally:
        delivering.cancel()
        room.discard(queue)
        tell(room, "", f"{len(room)} in {name}")
        if not room:
            rooms.pop(name, None)


async def page(send: Any) -> None:
    headers = [(b"content-type", b"text/html; charset=utf-8")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": PAGE})


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    if scope["type"] == "websocket":
        await chat(scope, receive, send)
    elif scope["type"] == "http":
        await page(send)
    else:
        raise NotImplementedError(scope["type"])  # there is nothing to start or to stop
