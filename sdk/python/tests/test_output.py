"""Workers whose output nobody takes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from conftest import Server, eventually
from gateways import APPS

NOISY = """
    import logging, os, sys
    import upload_response as ur

    def handler(request, response):
        ur_log.warning("a request")
        if request.path == "/exits":
            os._exit(3)
        response.start(200)
        response.write(str(os.getpid()))

    ur_log = logging.getLogger("upload_response")
    logging.basicConfig(level=logging.DEBUG)
    print("starting")
    if __name__ == "__main__":
        ur.serve(handler, processes=int(sys.argv[1]))
"""

OUTPUTS = ["full", "gone", "closed"]


@contextmanager
def worker(server: Server, words: list[str], output: str, links: int) -> Iterator[subprocess.Popen[bytes]]:
    """Run a worker whose output is a full disk, a pipe that nobody reads, or none at all."""
    if output == "full":
        target = os.open("/dev/full", os.O_WRONLY)
    else:
        reader, target = os.pipe()
        os.close(reader)
    command = [sys.executable, *words]
    if output == "closed":
        command = ["sh", "-c", 'exec "$@" >&- 2>&-', "sh", *command]
    before = server.attached
    environment = {**os.environ, "UPLOAD_RESPONSE_SOCKET": server.socket, "PYTHONUNBUFFERED": ""}
    process = subprocess.Popen(command, stdout=target, stderr=target, env=environment)
    os.close(target)
    try:
        eventually(
            "the worker to attach", lambda: server.attached >= before + links or process.poll() is not None
        )
        assert process.poll() is None
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("processes", [1, 2])
def test_output_that_nobody_takes_ends_no_worker(
    server: Server, tmp_path: Path, output: str, processes: int
) -> None:
    path = tmp_path / "noisy.py"
    path.write_text(textwrap.dedent(NOISY))
    with worker(server, [str(path), str(processes)], output, processes) as process:
        for _ in range(20):
            assert server.get("/").result().status == 200
        if processes > 1:  # another one is started, which is said, too
            server.get("/exits").result()
            server.says("link attached", processes + 1)
            assert server.get("/").result().status == 200
        assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        process.wait(60)


@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize(("kind", "page"), [("wsgi", "/errors"), ("asgi", "/raises"), ("wsgi", "/raises")])
def test_errors_that_nobody_reads_are_none_of_the_clients(
    server: Server, output: str, kind: str, page: str
) -> None:
    app = "wsgi_specification_app:app" if page == "/errors" else f"{kind}_app:app"
    words = ["-m", "upload_response", kind, app, "--app-dir", str(APPS)]
    with worker(server, words, output, 1) as process:
        for _ in range(3):
            assert server.get(page).result().status == (200 if page == "/errors" else 500)
        assert process.poll() is None


@pytest.mark.parametrize("output", OUTPUTS)
def test_a_refusal_ends_all_processes_wherever_the_output_goes(
    server: Server, tmp_path: Path, output: str
) -> None:
    path = tmp_path / "refused.py"
    path.write_text(
        "import upload_response as ur\nprint('x')\nur.serve(print, processes=2, pool='unknown')\n"
    )
    with worker(server, [str(path)], output, 0) as process:
        assert process.wait(60) != 0
