"""Nothing is lost over thousands of requests, whatever became of them."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from client import Upload
from conftest import Scripts, Server, eventually

REQUESTS = 600  # of each kind, in each round


def resident(pid: int) -> int:
    """Return the resident memory of a process that is its own, in KiB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("RssAnon")).split()[1])


def spoil(server: Server) -> None:
    """Send requests that end in every way there is."""
    for _ in range(REQUESTS // 20):
        replies = [server.call("POST", "/echo", b"x" * 50000) for _ in range(10)]
        replies += [server.call("POST", path, b"x" * 20000) for path in ("/raise", "/late", "/drop", "/hold")]
        for _ in range(3):
            upload = Upload(server.port, "/echo")
            upload.send(b"x" * 20000)
            upload.reset()
        for reply in replies:
            reply.result()


@pytest.mark.parametrize("kind", ["thread", "loop"])
def test_nothing_is_lost(server: Server, scripts: Scripts, kind: str) -> None:
    wait = {"thread": "", "loop": "await "}[kind]
    worker = scripts.attached(
        f"""
        import logging
        import upload_response as ur

        held = []

        {"async " if kind == "loop" else ""}def handler(request, response):
            if request.path == "/raise":
                chunk = {wait}request.__{"a" if kind == "loop" else ""}next__()
                raise KeyError
            if request.path == "/drop":
                return response.abort()
            if request.path == "/hold":
                held.append({wait}request.__{"a" if kind == "loop" else ""}next__())
                del held[:-2]
            response.start(200)
            {"async " if kind == "loop" else ""}for chunk in request:
                {wait}response.write(chunk)
            if request.path == "/late":
                {wait}response.flush()
                raise KeyError
            if request.path == "/end":
                held.clear()

        logging.disable()
        if __name__ == "__main__":
            ur.serve(handler)
        """
    )
    spoil(server)
    spoil(server)
    assert server.get("/end").result().status == 200
    descriptors, memory = len(os.listdir(f"/proc/{worker.pid}/fd")), resident(worker.pid)
    spoil(server)
    spoil(server)
    assert server.get("/end").result().status == 200
    assert len(os.listdir(f"/proc/{worker.pid}/fd")) == descriptors
    assert resident(worker.pid) < memory + 4096
    eventually("all streams to be let go", lambda: server.counts()["active_streams"] == 0)
    counts = eventually(
        "all buffers to be free", lambda: (c := server.counts())["free_buffers"] == c["total_buffers"] and c
    )
    assert counts["evicted"] == counts["lost"] == 0
    worker.signal(signal.SIGTERM)
    assert worker.wait() == 0
