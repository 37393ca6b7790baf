"""Uploads that a Python handler tails, beside what limits them: a raw TCP sink for a handler
that looks at the lengths only, and SHA-256 of as many bytes in memory for one that takes
their digest. The figures are medians over rounds, in which all are measured in turns.

    python bench/uploads.py --server ../../build/upload-response
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import os
import platform
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import upload_response as ur

PIECE = bytes((i * 2654435761 & 0xFFFFFFFF) >> 13 & 0xFF for i in range(1 << 20))


def lengths(request: ur.Request, response: ur.Response) -> None:
    """Add up the lengths of the chunks."""
    size = 0
    for chunk in request:
        size += len(chunk)
    response.start(200)
    response.write(str(size))


def digest(request: ur.Request, response: ur.Response) -> None:
    """Take the digest of the body."""
    sha = hashlib.sha256()
    for chunk in request:
        sha.update(chunk)
    response.start(200)
    response.write(sha.hexdigest())


def serve(request: ur.Request, response: ur.Response) -> None:
    """Do what the path says."""
    {"/lengths": lengths, "/digest": digest}[request.path](request, response)


def sink() -> None:
    """Take what comes over one connection after the other, and touch nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        print(listener.getsockname()[1], flush=True)
        buffer = bytearray(64 << 10)
        while True:
            connection, _ = listener.accept()
            with connection:
                while connection.recv_into(buffer):
                    pass


@contextlib.contextmanager
def process(*command: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """Run a process, and end it."""
    child = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, **environment},
    )
    try:
        yield child
    finally:
        child.send_signal(signal.SIGTERM)
        child.wait()
        assert child.stdout is not None
        child.stdout.close()


def line(child: subprocess.Popen[str], pattern: str) -> str:
    """Wait for a line, and return what the pattern finds in it."""
    assert child.stdout is not None
    for text in child.stdout:
        found = re.search(pattern, text)
        if found:
            return found[1]
    raise SystemExit("a process has ended")


def send(port: int, size: int, head: str = "") -> bytes:
    """Send so many bytes over a connection, and return what comes back until it ends."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(head.encode())
        for _ in range(size // len(PIECE)):
            connection.sendall(PIECE)
        if not head:
            connection.shutdown(socket.SHUT_WR)
        reply = b""
        while piece := connection.recv(1 << 16):
            reply += piece
        return reply


def upload(port: int, path: str, size: int, expected: str) -> None:
    """Upload so many bytes, and look whether they came."""
    head = f"POST {path} HTTP/1.1\r\nHost: bench\r\nContent-Length: {size}\r\nConnection: close\r\n\r\n"
    reply = send(port, size, head).decode()
    if expected not in reply:
        raise SystemExit(f"{path}: {reply!r}")


def alone(size: int) -> str:
    """Return the digest of so many bytes, which are in memory, 64 KiB at a time."""
    sha, view = hashlib.sha256(), memoryview(PIECE)
    for _ in range(size // len(PIECE)):
        for at in range(0, len(PIECE), 64 << 10):
            sha.update(view[at : at + (64 << 10)])
    return sha.hexdigest()


def seconds(deed: Callable[[], object]) -> float:
    """Return how long something takes."""
    begun = time.perf_counter()
    deed()
    return time.perf_counter() - begun


def measure(proxy: int, raw: int, size: int, rounds: int) -> None:
    """Measure all in turns, and print the figures."""
    sha = alone(size)
    deeds: dict[str, Callable[[], object]] = {
        "raw TCP sink": lambda: send(raw, size),
        "lengths": lambda: upload(proxy, "/lengths", size, str(size)),
        "sha256 alone": lambda: alone(size),
        "sha256": lambda: upload(proxy, "/digest", size, sha),
    }
    rates: dict[str, list[float]] = {name: [] for name in deeds}
    for _ in range(rounds):
        for name, deed in deeds.items():
            rates[name].append(size / seconds(deed) / 1e9)
    limits = {"lengths": "raw TCP sink", "sha256": "sha256 alone"}
    print(f"\n{platform.python_version()}, {os.cpu_count()} cores, {size >> 20} MiB, {rounds} rounds")
    print(f"{'':14}{'GB/s':>8}{'least':>8}{'most':>8}   to its limit")
    for name, found in rates.items():
        row = f"{name:14}{statistics.median(found):8.2f}{min(found):8.2f}{max(found):8.2f}"
        if name in limits:
            ratio = statistics.median(a / b for a, b in zip(found, rates[limits[name]]))
            row += f"   {ratio:.2f} of {limits[name]}"
        print(row)


def main() -> None:
    """Start all, and measure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("--server", default="upload-response", help="the program of the server")
    parser.add_argument("--mib", type=int, default=1024, help="of one upload (1024)")
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        path = str(Path(folder) / "w.sock")
        server = stack.enter_context(
            process(options.server, "serve", "--listen", "127.0.0.1:0", "--socket", path)
        )
        proxy = int(line(server, r"msg=ready listen=127.0.0.1:(\d+)"))
        stack.enter_context(process(sys.executable, __file__, "worker", UPLOAD_RESPONSE_SOCKET=path))
        line(server, "(link attached)")
        raw = stack.enter_context(process(sys.executable, __file__, "sink"))
        measure(proxy, int(line(raw, r"(\d+)")), options.mib << 20, options.rounds)


if __name__ == "__main__":
    roles: dict[str, Callable[[], None]] = {"worker": lambda: ur.serve(serve), "sink": sink}
    roles.get(sys.argv[1] if len(sys.argv) > 1 else "", main)()
