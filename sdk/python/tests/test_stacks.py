"""A worker prints its stacks on a signal, with what each request does, and goes on."""

from __future__ import annotations

import importlib.util
import os
import re
import signal
import socket
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

import upload_response as ur
from conftest import PATIENCE, Process, Scripts, Server, eventually

SIGNAL = 40

WSGI = """
    import ctypes, threading, time
    from upload_response import wsgi

    def hang():
        print("hanging", flush=True)
        threading.Lock().acquire(timeout=100) and threading.Event().wait()

    def spin():
        print("hanging", flush=True)
        while True:
            pass

    def hold_gil():
        print("hanging", flush=True)
        ctypes.PyDLL(None).sleep(1000)

    def app(environ, start_response):
        {"/hang": hang, "/spin": spin, "/gil": hold_gil}.get(environ["PATH_INFO"], lambda: None)()
        start_response("200 OK", [])
        return [b"ok"]

    wsgi.serve(app, threads=2, graceful_timeout=0)
"""

ASGI = """
    import asyncio, time
    from upload_response import asgi

    async def inner():
        print("hanging", flush=True)
        await asyncio.Event().wait()

    async def hang():
        await inner()

    async def block():
        print("hanging", flush=True)
        time.sleep(1000)

    async def app(scope, receive, send):
        if scope["type"] != "http":
            raise ValueError
        if scope["path"] == "/hang":
            await hang()
        if scope["path"] == "/block":
            await block()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"ok"})

    asgi.serve(app, graceful_timeout=0, loop=LOOP)
"""

NATIVE = """
    import asyncio, threading
    import upload_response as ur

    def hang(request, response):
        if request.path == "/hang":
            print("hanging", flush=True)
            threading.Event().wait()
        response.start(200)
        response.write("ok")

    async def hang_in_task(request, response):
        if request.path == "/hang":
            print("hanging", flush=True)
            await asyncio.Event().wait()
        response.start(200)
        await response.write("ok")

    ur.serve(OPTIONS)
"""


def ask_for_stacks(server: Server, worker: Process, path: str) -> None:
    """Have a worker hang in a request, and ask for its stacks."""
    reply = server.get(path)
    worker.says("hanging")
    worker.signal(SIGNAL)
    reply.cancel()


def stack_of(worker: Process, head: str) -> str:
    """Return the lines below the first with this text, as far as they are indented."""
    lines = list(worker.lines)
    at = next(i for i, line in enumerate(lines) if head in line) + 1
    end = next(i for i in range(at, len(lines) + 1) if i == len(lines) or not lines[i].startswith(" "))
    return "".join(lines[at:end])


def thread_of(worker: Process, request: str) -> str:
    """Wait for the end of the report, and return the stack of the thread that serves a request."""
    found = worker.says(rf"{re.escape(request)} in thread (0x\w+)")
    worker.says("end of requests")
    return stack_of(worker, f"hread {found[1]}")


@pytest.mark.parametrize(("path", "function"), [("/hang", "hang"), ("/spin", "spin")])
def test_the_stack_of_a_thread_is_printed_with_its_request(
    server: Server, scripts: Scripts, path: str, function: str
) -> None:
    worker = scripts.attached(WSGI, links=2)
    ask_for_stacks(server, worker, f"{path}?why=not")
    assert f" in {function}\n" in thread_of(worker, f"GET {path}?why=not")
    assert server.get("/").result().body == b"ok"  # the other thread


def test_stacks_are_printed_while_c_code_holds_the_gil(server: Server, scripts: Scripts) -> None:
    worker = scripts.attached(WSGI, links=2)
    ask_for_stacks(server, worker, "/gil")
    worker.says(r" in hold_gil$")
    assert not any("requests of worker" in line for line in worker.lines)  # which takes the GIL


LOOPS = ["asyncio", *(["uvloop"] if importlib.util.find_spec("uvloop") else [])]


@pytest.mark.parametrize("loop", LOOPS)
def test_the_stack_of_a_task_that_waits_is_printed(server: Server, scripts: Scripts, loop: str) -> None:
    worker = scripts.attached(ASGI.replace("LOOP", repr(loop)))
    ask_for_stacks(server, worker, "/hang")
    worker.says("end of requests")
    functions = re.findall(r" in (\w+)\n", stack_of(worker, "GET /hang in a task (most recent call first):"))
    assert functions[-3:] == ["hang", "app", "run"]
    assert "inner" in functions
    assert server.get("/").result().body == b"ok"


@pytest.mark.parametrize("loop", LOOPS)
def test_a_task_that_blocks_its_loop_is_found_in_the_thread(
    server: Server, scripts: Scripts, loop: str
) -> None:
    worker = scripts.attached(ASGI.replace("LOOP", repr(loop)))
    ask_for_stacks(server, worker, "/block")
    assert " in block\n" in thread_of(worker, "GET /block")


@pytest.mark.parametrize("options", ["hang", "hang, threads=2", "hang, processes=2"])
def test_serve_prints_stacks_of_threads(server: Server, scripts: Scripts, options: str) -> None:
    worker = scripts.attached(NATIVE.replace("OPTIONS", options), links=2 if "=" in options else 1)
    if "processes" in options:
        hang_in_process(server, worker)
        worker.says(r" in hang$")
        return
    ask_for_stacks(server, worker, "/hang")
    assert " in hang\n" in thread_of(worker, "GET /hang")


def hang_in_process(server: Server, worker: Process) -> None:
    """Ask the children of a worker for their stacks: their parent serves nothing, and prints none."""
    server.get("/hang")
    worker.says("hanging")
    children = Path(f"/proc/{worker.pid}/task/{worker.pid}/children").read_text().split()
    assert len(children) == 2
    try:
        for count, child in enumerate(map(int, children), 1):
            os.kill(child, SIGNAL)
            worker.says("end of requests", count)
    finally:
        for child in map(int, children):  # one of them hangs, and would outlive its parent
            os.kill(child, signal.SIGKILL)


def test_serve_prints_stacks_of_tasks(server: Server, scripts: Scripts) -> None:
    worker = scripts.attached(NATIVE.replace("OPTIONS", "hang_in_task"))
    ask_for_stacks(server, worker, "/hang")
    worker.says("end of requests")
    assert " in hang_in_task\n" in stack_of(worker, "GET /hang in a task (most recent call first):")
    assert server.get("/").result().body == b"ok"


# ------------------------------------------------------------- the hello


@contextmanager
def listening(path: str) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(path)
        listener.listen()
        listener.settimeout(PATIENCE)
        yield listener


def hello(listener: socket.socket) -> bytes:
    """Take one worker, and return its hello."""
    connection, _ = listener.accept()
    with connection:
        return connection.recv(4096)


def announced(packet: bytes) -> int:
    """Return the signal in a hello."""
    found = re.search(rb"\xa6stacks(.)", packet, re.DOTALL)
    assert found is not None
    return found[1][0]


BEGIN = "import signal, faulthandler, upload_response as ur\n"


@pytest.mark.parametrize(
    ("before", "number"),
    [
        ("", SIGNAL),
        ("signal.signal(40, lambda *_: None)", 0),
        ("signal.signal(40, signal.SIG_IGN)", 0),
        ("faulthandler.register(40)", 0),
        ("signal.signal(signal.SIGUSR2, lambda *_: None)", SIGNAL),
    ],
)
def test_a_hello_names_the_signal_unless_the_program_uses_it(
    tmp_path: Path, before: str, number: int
) -> None:
    path = str(tmp_path / "ur.sock")
    with listening(path) as listener:
        process = Process([sys.executable, "-c", f"{BEGIN}{before}\nur.serve(print, socket={path!r})"])
        try:
            assert announced(hello(listener)) == number
        finally:
            process.end()


def test_a_worker_without_serve_announces_no_signal(tmp_path: Path) -> None:
    path = str(tmp_path / "ur.sock")
    with listening(path) as listener:
        with ThreadPoolExecutor(1) as threads:
            attached = threads.submit(ur.Worker, path)
            assert announced(hello(listener)) == 0
        assert isinstance(attached.exception(), ur.AttachError)


def test_the_handler_goes_when_nobody_serves_any_more() -> None:
    script = """
        import faulthandler, os, signal
        from upload_response._serving.stacks import SIGNAL, printed

        def caught():
            status = open("/proc/self/status").read()
            return int(status.split("SigCgt:")[1].split()[0], 16) >> (SIGNAL - 1) & 1

        for _ in range(2):
            with printed() as number, printed() as again:
                assert number == again == SIGNAL
                assert caught()
            assert not caught()
            assert signal.getsignal(SIGNAL) == signal.SIG_DFL
        print("restored")
    """
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(script)],
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.stdout == "restored\n", done.stderr


def test_a_report_is_short_and_names_every_other_task(server: Server, scripts: Scripts) -> None:
    text = ASGI.replace("LOOP", repr("asyncio")).replace(
        "    async def hang():\n",
        "    kept = []\n\n    async def hang():\n"
        "        kept.extend(asyncio.create_task(asyncio.sleep(1000)) for _ in range(3000))\n",
    )
    worker = scripts.attached(text)
    ask_for_stacks(server, worker, "/hang")
    worker.says(r"GET /hang in a task")
    worker.says(r"task Task-\d+ \(most recent call first\)")
    eventually("the next request to be served", lambda: server.get("/").result().body == b"ok")
    start = next(i for i, line in enumerate(worker.lines) if "requests of worker" in line)
    assert sum(map(len, worker.lines[start:])) < 70000
