"""Nothing is lost over thousands of requests, whatever became of them: by default a few, with
LEAK_REQUESTS=100000 (make soak-python) as many as that.
"""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from client import Upload
from conftest import Process, Scripts, Server, eventually
from gateways import running

REQUESTS = int(os.environ.get("LEAK_REQUESTS", "2000"))  # of each kind of worker
ROUNDS = 4
BATCH = 25

HANDLER = """
import logging
import upload_response as ur

held = []

{async_def} handler(request, response):
    if request.path == "/raises":
        chunk = {wait}request.{next}()
        raise KeyError
    if request.path == "/drop":
        return response.abort()
    if request.path == "/hold":
        held.append({wait}request.{next}())
        del held[:-2]
    if request.path == "/clear":
        held.clear()
    response.start(200)
    {async_for} chunk in request:
        {wait}response.write(chunk)
        if request.path == "/late":
            {wait}response.flush()
            raise KeyError

logging.disable()
if __name__ == "__main__":
    ur.serve(handler)
"""


@pytest.fixture(params=["thread", "loop", "wsgi", "asgi"])
def worker(request: pytest.FixtureRequest, server: Server, scripts: Scripts) -> Iterator[Process]:
    """A worker that serves what spoil() asks for, and may fail at it."""
    kind: str = request.param
    if kind in ("wsgi", "asgi"):
        with running(server, kind, f"{kind}_app:app", "--log-level", "error") as process:
            yield process
        return
    words = {"async_def": "def", "async_for": "for", "wait": "", "next": "__next__"}
    if kind == "loop":
        words = {"async_def": "async def", "async_for": "async for", "wait": "await ", "next": "__anext__"}
    text = HANDLER
    for name, word in words.items():
        text = text.replace("{" + name + "}", word)
    yield scripts.attached(text)


def leave(server: Server, chance: random.Random) -> None:
    """Begin an exchange, and go at some point of it without a goodbye."""
    path, method = chance.choice([("/echo", "POST"), ("/endless", "POST"), ("/early", "GET")])
    with Upload(server.port, path, method) as upload:
        for _ in range(chance.randrange(4)):
            upload.send(b"x" * chance.randrange(1, 20000))
        if chance.random() < 0.3:
            upload.finish()
        upload.reset()


def spoil(server: Server, count: int, seed: int) -> None:
    """Send requests that end in every way there is."""
    chance = random.Random(seed)
    for _ in range(count // BATCH):
        replies = []
        for _ in range(BATCH):
            if chance.random() < 0.3:
                leave(server, chance)
                continue
            path = chance.choice(["/echo"] * 4 + ["/early", "/raises", "/late", "/drop", "/hold"])
            replies.append(server.call("POST", path, b"x" * chance.randrange(60000)))
        for reply in replies:
            reply.result()


def resident(pid: int) -> int:
    """Return the resident memory of a process that is its own, in KiB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("RssAnon")).split()[1])


def test_nothing_is_lost(server: Server, worker: Process) -> None:
    held = []  # descriptors, and memory
    for seed in range(ROUNDS):
        spoil(server, REQUESTS // ROUNDS, seed)
        assert server.get("/clear").result().status == 200
        eventually("all streams to be let go", lambda: server.counts()["active_streams"] == 0)
        worker.lines.clear()
        held.append((len(os.listdir(f"/proc/{worker.pid}/fd")), resident(worker.pid)))
    half = ROUNDS // 2 - 1  # by then all that is kept for good is there
    assert held[-1][0] == held[half][0], held
    assert held[-1][1] < held[half][1] + 4096, held
    counts = eventually(
        "all buffers to be free", lambda: (c := server.counts())["free_buffers"] == c["total_buffers"] and c
    )
    assert counts["evicted"] == counts["lost"] == 0
    worker.signal(signal.SIGTERM)
    assert worker.wait() == 0
