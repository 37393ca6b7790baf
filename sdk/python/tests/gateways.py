"""Applications as workers, and what the tests of both gateways share."""

from __future__ import annotations

import json
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from client import PATIENCE
from conftest import Process, Server, eventually

APPS = Path(__file__).parent / "apps"


def command(server: Server, kind: str, app: str, *options: str, **environment: str) -> Process:
    """Run a command of the package."""
    words = [sys.executable, "-W", "error", "-m", "upload_response", kind, app, *options]
    variables = {"UPLOAD_RESPONSE_SOCKET": server.socket, "PYTHONUNBUFFERED": "1", **environment}
    return Process(words, **variables)


@contextmanager
def running(server: Server, kind: str, app: str, *options: str, links: int = 1) -> Iterator[Process]:
    """Run an application, from when it is attached."""
    before = server.attached
    process = command(server, kind, app, "--app-dir", str(APPS), *options)
    try:
        eventually("the worker to attach", lambda: server.attached >= before + links or process.ended)
        assert not process.ended, "".join(process.lines)
        yield process
    finally:
        process.end()


def raw(port: int, request: bytes) -> bytes:
    """Send bytes, and return all that comes until the connection ends."""
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as connection:
        connection.sendall(request)
        reply = b""
        while piece := connection.recv(1 << 16):
            reply += piece
        return reply


def ask(port: int, target: str, *headers: str, method: str = "GET") -> Any:
    """Send a request with any headers, and return the JSON of its reply."""
    lines = [f"{method} {target} HTTP/1.1", "Connection: close", *headers]
    if not any(line.lower().startswith("host:") for line in headers):
        lines.insert(1, "Host: example.org:8080")
    reply = raw(port, "".join(line + "\r\n" for line in [*lines, ""]).encode("latin-1"))
    head, _, body = reply.partition(b"\r\n\r\n")
    if b"chunked" in head.lower():
        body = body.partition(b"\r\n")[2].rpartition(b"\r\n0\r\n")[0]
    return json.loads(body)


def at_rest(server: Server) -> None:
    """Wait until nothing of a request is left in the server."""
    eventually("all streams to end", lambda: server.counts()["active_streams"] == 0)


def log(server: Server) -> list[Any]:
    """Return what the application has noted."""
    events: list[Any] = json.loads(server.get("/log").result().body)
    return events


@contextmanager
def cleared(server: Server, worker: Process) -> Iterator[None]:
    """Begin with nothing noted, and end with nothing left in the server."""
    server.get("/clear").result()
    worker.lines.clear()
    yield
    at_rest(server)


def slow_reader(port: int, path: str) -> socket.socket:
    """Return a connection whose client has asked, and takes nothing."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.connect(("127.0.0.1", port))
    connection.sendall(f"GET {path} HTTP/1.1\r\nHost: test\r\n\r\n".encode())
    return connection


def pids(port: int, server: Server, count: int) -> set[int]:
    """Ask until so many processes have answered, and return their ids."""
    found: set[int] = set()

    def look() -> bool:
        for reply in [server.get("/pid") for _ in range(8)]:
            found.add(int(reply.result().body))
        return len(found) >= count

    eventually(f"{count} processes to answer", look)
    return {pid for pid in found if os.path.exists(f"/proc/{pid}")}
