"""A real server, and what the tests share."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import upload_response as ur
from client import Reply, dial, exchange

if TYPE_CHECKING:
    from websockets.sync.connection import Connection

PATIENCE = float(os.environ.get("PATIENCE", "60"))  # seconds; only what is broken takes so long

SLOT = 16 << 10


def eventually(what: str, condition: Callable[[], Any]) -> Any:
    """Wait until a condition holds, and return what it returned."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.002)
    raise AssertionError(f"waited in vain for {what}")


def program() -> str:
    """Return the server's program, and build it if nobody has."""
    built = os.environ.get("UPLOAD_RESPONSE")
    if not built:
        built = str(Path(tempfile.gettempdir()) / f"upload-response-{os.getuid()}-{os.getpid()}")
        root = Path(__file__).parents[3]
        command = ["go", "build", "-buildvcs=false", "-o", built, "./cmd/upload-response"]
        subprocess.run(command, cwd=root, check=True, env={**os.environ, "CGO_ENABLED": "0"})
        os.environ["UPLOAD_RESPONSE"] = built
    return built


class Process:
    """A process whose lines are kept."""

    def __init__(self, command: list[str], **environment: str) -> None:
        self.lines: list[str] = []
        self._process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, **environment},
        )
        self.pid = self._process.pid
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as output:
            self.lines.extend(output)

    def says(self, pattern: str, count: int = 1) -> re.Match[str]:
        """Wait for the nth line that has a pattern."""

        def find() -> re.Match[str] | None:
            found = [m for m in map(re.compile(pattern).search, list(self.lines)) if m]
            if len(found) < count and self._process.poll() is not None and not self._reader.is_alive():
                raise AssertionError(f"the process ended without {pattern!r}:\n{''.join(self.lines)}")
            return found[count - 1] if len(found) >= count else None

        match: re.Match[str] = eventually(f"{pattern!r} in\n{''.join(self.lines)}", find)
        return match

    @property
    def ended(self) -> bool:
        """Whether it has ended."""
        return self._process.poll() is not None

    def signal(self, number: int) -> None:
        """Send a signal."""
        self._process.send_signal(number)

    def wait(self) -> int:
        """Wait for its end, and return its status."""
        status = self._process.wait(PATIENCE)
        self._reader.join()
        return status

    def end(self) -> None:
        """Kill it, if it still runs."""
        self._process.kill()
        self.wait()


class Server(Process):
    """The server, and a client for it."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.socket = str(folder / "ur.sock")
        self._calls = ThreadPoolExecutor(64)
        self._counted = 0
        self._start(*arguments)

    def _start(self, *arguments: str, port: int = 0) -> None:
        listen = f"127.0.0.1:{port}"
        sizes = ("--memory", "64MiB", "--slot-size", str(SLOT), "--header-limit", str(SLOT))
        settings = (*sizes, "--stall-timeout", "0")  # uploads wait for their test
        command = [program(), "serve", "--listen", listen, "--socket", self.socket, *settings, *arguments]
        super().__init__(command)
        self.port = int(self.says(r'msg=ready listen="?127.0.0.1:(\d+)')[1])

    def again(self) -> None:
        """Start it again in the same place."""
        self._counted = 0
        self._start(port=self.port)

    def worker(self, **options: Any) -> ur.Worker:
        """Return a worker that the server knows."""
        before = self.attached
        worker = ur.Worker(self.socket, **options)
        self.says("link attached", before + 1)
        return worker

    @property
    def attached(self) -> int:
        """How many links were attached."""
        return sum("link attached" in line for line in self.lines)

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> Future[Reply]:
        """Send a request, and return its reply when it is there."""
        return self._calls.submit(exchange, self.port, method, path, body, headers)

    def get(self, path: str, **headers: str) -> Future[Reply]:
        """Send a GET request."""
        return self.call("GET", path, **headers)

    def open(self, path: str = "/", **options: Any) -> Future[Connection]:
        """Open a WebSocket, and return it when that is accepted."""
        return self._calls.submit(dial, self.port, path, **options)

    def counts(self) -> dict[str, int]:
        """Return what the server holds, and what has happened."""
        self._counted += 1
        self.signal(signal.SIGUSR1)
        line = self.says(r"msg=stats .*", self._counted)
        return {name: int(value) for name, value in re.findall(r"([\w.]+)=(\d+)", line[0])}

    def end(self) -> None:
        """Kill it."""
        super().end()
        self._calls.shutdown()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A server of the test's own."""
    server = Server(tmp_path)
    yield server
    server.end()


class Scripts:
    """Python programs that are workers of a server."""

    def __init__(self, server: Server, folder: Path) -> None:
        self._server, self._folder = server, folder
        self._processes: list[Process] = []

    def start(self, text: str, **environment: str) -> Process:
        """Run a program."""
        path = self._folder / f"worker_{len(self._processes)}.py"
        path.write_text(textwrap.dedent(text))
        environment = {"UPLOAD_RESPONSE_SOCKET": self._server.socket, "PYTHONUNBUFFERED": "1", **environment}
        process = Process([sys.executable, "-W", "error", str(path)], **environment)
        self._processes.append(process)
        return process

    def attached(self, text: str, links: int = 1, **environment: str) -> Process:
        """Run a program, and wait until it has attached."""
        before = self._server.attached
        process = self.start(text, **environment)
        self._server.says("link attached", before + links)
        return process

    def end(self) -> None:
        """Kill them all."""
        for process in self._processes:
            process.end()


@pytest.fixture
def scripts(server: Server, tmp_path: Path) -> Iterator[Scripts]:
    """Programs that end with the test."""
    scripts = Scripts(server, tmp_path)
    yield scripts
    scripts.end()
