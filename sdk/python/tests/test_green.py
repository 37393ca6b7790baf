"""Applications that have patched threads with gevent or eventlet."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from conftest import Server
from gateways import command, running

SOON = 20  # seconds

SLEEPS = """
    {patch}

    import threading, time

    here, beats = [], []

    def beat():
        while True:
            beats.append(1)
            time.sleep(0.01)

    threading.Thread(target=beat, daemon=True).start()

    def app(environ, start_response):
        if environ["PATH_INFO"] == "/together":
            here.append(1)
            while len(here) < 2:
                time.sleep(0.01)
        count = len(beats)
        while len(beats) == count:  # others go on meanwhile
            time.sleep(0.01)
        body = environ["wsgi.input"].read()
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"slept ", body]
"""


def write(folder: Path, patch: str) -> None:
    (folder / "sleeps.py").write_text(textwrap.dedent(SLEEPS.format(patch=patch)))


@pytest.mark.parametrize("patch", ["", "from gevent import monkey; monkey.patch_all()"])
@pytest.mark.parametrize("options", [("--threads", "3"), ("--threads", "2", "--processes", "2")])
def test_threads_serve_at_once_also_where_gevent_has_patched_them(
    server: Server, tmp_path: Path, patch: str, options: tuple[str, ...]
) -> None:
    if patch:
        pytest.importorskip("gevent")
    write(tmp_path, patch)
    links = 3 if len(options) == 2 else 4
    with running(server, "wsgi", "sleeps:app", "--app-dir", str(tmp_path), *options, links=links) as process:
        for _ in range(3):
            replies = [server.call("POST", "/", b"x" * 50000) for _ in range(8)]
            assert [reply.result().body for reply in replies] == [b"slept " + b"x" * 50000] * 8
        if links == 3:
            both = [server.get("/together") for _ in range(2)]
            assert [reply.result(SOON).status for reply in both] == [200, 200]
        process.signal(15)
        assert process.wait() == 0


def test_where_eventlet_has_patched_threads_it_says_so_and_ends(server: Server, tmp_path: Path) -> None:
    pytest.importorskip("eventlet")
    write(
        tmp_path, "import warnings; warnings.simplefilter('ignore'); import eventlet; eventlet.monkey_patch()"
    )
    process = command(server, "wsgi", "sleeps:app", "--app-dir", str(tmp_path))
    assert process.wait() == 1
    assert len(process.lines) == 1
    assert "eventlet has patched threads" in process.lines[0]
