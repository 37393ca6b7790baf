"""Both gateways under load, with clients that stream, dawdle and leave, and with worker
processes that are killed and stopped: what docs/faults.md promises holds.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from client import Reply, Upload
from conftest import Server, eventually
from gateways import at_rest, pids, running, slow_reader

KINDS = ["wsgi", "asgi"]
BODY = bytes(range(256)) * 1200  # more than a response of a link may have in flight


def options(kind: str) -> tuple[list[str], int]:
    """Return two processes, and how many links they have."""
    words = ["--processes", "2"]
    return ([*words, "--threads", "8"], 16) if kind == "wsgi" else (words, 2)


def stream(server: Server) -> None:
    reply = server.call(
        "POST", "/echo", iter([BODY[i : i + 7000] for i in range(0, len(BODY), 7000)])
    ).result()
    assert (reply.status, reply.body == BODY, reply.complete) == (200, True, True)


def small(server: Server) -> None:
    assert server.get("/early").result().body == b"early"


def dawdle(server: Server) -> None:
    """Send a piece when the one before has come back."""
    with Upload(server.port, "/pipe") as upload:
        upload.read_head()
        assert upload.read_chunk() == b"ready"
        for i in range(50):
            upload.send(b"%c" % (65 + i % 26))
            assert upload.read_chunk() == b"%c" % (65 + i % 26)
        upload.finish()
        assert upload.read_chunk() == b""


def leave_upload(server: Server) -> None:
    with Upload(server.port, "/echo") as upload:
        upload.send(b"x" * 20000)
        upload.reset()


def leave_download(server: Server) -> None:
    with Upload(server.port, "/endless", "GET") as client:
        client.finish()
        client.read_head()
        client.reset()


@pytest.mark.parametrize("kind", KINDS)
def test_clients_of_all_kinds_do_not_disturb_each_other(tmp_path: Path, kind: str) -> None:
    words, links = options(kind)
    server = Server(tmp_path, "--link-memory", "1MiB", "--max-links", "32")
    try:
        with running(server, kind, f"{kind}_app:app", *words, links=links) as process:
            stuck = [slow_reader(server.port, "/endless") for _ in range(3)]
            deeds: list[Callable[[Server], None]] = [stream, small, dawdle, leave_upload, leave_download]
            with ThreadPoolExecutor(10) as clients:
                for future in [clients.submit(deed, server) for _ in range(8) for deed in deeds]:
                    future.result()
            for connection in stuck:
                connection.close()
            at_rest(server)
            assert not [line for line in process.lines if "Traceback" in line or "ERROR" in line]
            counts = server.counts()
            assert (counts["evicted"], counts["lost"], counts["links"]) == (0, 0, links)
    finally:
        server.end()


class Load:
    """Small requests without a pause, until the end."""

    def __init__(self, server: Server, clients: int) -> None:
        self._server, self._over = server, threading.Event()
        self.replies: list[Reply] = []
        self._threads = [threading.Thread(target=self._ask) for _ in range(clients)]

    def _ask(self) -> None:
        while not self._over.is_set():
            self.replies.append(self._server.get("/early").result())

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def goes_on(self) -> None:
        """Wait until more good replies have come."""
        before = len(self.replies)
        eventually("more replies", lambda: [r.status for r in self.replies[before:]].count(200) >= 50)


@pytest.mark.parametrize("kind", KINDS)
def test_a_process_killed_under_load_takes_down_its_own_requests_only(server: Server, kind: str) -> None:
    words = ["--processes", "2"]
    with running(server, kind, f"{kind}_app:app", *words, links=2) as process, Load(server, 8) as load:
        for _ in range(3):
            load.goes_on()
            victim = min(pids(server.port, server, 2))
            os.kill(victim, signal.SIGKILL)
            process.says(f"worker process {victim} ended with -9")
        load.goes_on()
    for reply in load.replies:
        assert (
            (reply.status, reply.body) == (200, b"early") or reply.status in (502, 503) or not reply.complete
        )
    at_rest(server)


@pytest.mark.parametrize("kind", KINDS)
def test_a_process_stopped_under_load_costs_its_requests_a_deadline(tmp_path: Path, kind: str) -> None:
    server = Server(tmp_path, "--response-timeout", "500ms")
    stopped = 0
    try:
        words = ["--processes", "2"]
        with running(server, kind, f"{kind}_app:app", *words, links=2), Load(server, 8) as load:
            load.goes_on()
            stopped = min(pids(server.port, server, 2))
            os.kill(stopped, signal.SIGSTOP)
            load.goes_on()
            os.kill(stopped, signal.SIGCONT)
            eventually("it to serve again", lambda: stopped in pids(server.port, server, 1))
            load.goes_on()
        assert {reply.status for reply in load.replies} <= {200, 503, 504}
        assert all(reply.complete for reply in load.replies)
        at_rest(server)
    finally:
        if stopped:
            end(stopped)  # or it would hold its output open
        server.end()


def end(pid: int) -> None:
    """Kill a process, if there still is one."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("kind", KINDS)
def test_a_stopped_process_that_goes_on_serves_again(tmp_path: Path, kind: str) -> None:
    server = Server(tmp_path, "--response-timeout", "300ms", "--queue-timeout", "300ms")
    try:
        with (
            running(server, kind, f"{kind}_app:app") as process,
            Upload(server.port, "/steps", "GET") as client,
        ):
            client.finish()
            client.read_head()
            assert client.read_chunk() == b"first"
            process.signal(signal.SIGSTOP)
            assert b"second" not in client.read_rest()  # broken off
            assert server.get("/early").result().status in (503, 504)
            process.signal(signal.SIGCONT)
            if kind == "asgi":  # a thread of WSGI waits in the application, and is still busy
                eventually("a good reply", lambda: server.get("/early").result().status == 200)
    finally:
        server.end()


@pytest.mark.parametrize("kind", KINDS)
def test_a_process_killed_in_a_response_breaks_it_off(server: Server, kind: str) -> None:
    with (
        running(server, kind, f"{kind}_app:app"),
        Upload(server.port, "/steps", "GET") as client,
    ):
        client.finish()
        client.read_head()
        assert client.read_chunk() == b"first"
        pid = int(server.says(r"link attached.*pid=(\d+)")[1])
        os.kill(pid, signal.SIGKILL)
        assert b"0\r\n\r\n" not in client.read_rest()
    at_rest(server)
