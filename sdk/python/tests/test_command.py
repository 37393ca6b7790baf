"""python -m upload_response: options, errors, signals, processes, reloading."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from client import Upload
from conftest import Process, Server, eventually
from gateways import APPS, at_rest, command, pids, running

KINDS = ["wsgi", "asgi"]

SHAPES = """
def wsgi(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"wsgi"]

async def asgi(scope, receive, send):
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"asgi"})

class Instance:
    async def __call__(self, scope, receive, send):
        await asgi(scope, receive, send)

instance = Instance()

def factory():
    return wsgi

def either(*arguments): ...
"""


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "upload_response", *words],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize("kind", [*KINDS, "auto"])
def test_help_is_readable(kind: str) -> None:
    result = run(kind, "--help")
    assert result.returncode == 0
    assert "MODULE:APP" in result.stdout
    assert "--graceful-timeout" in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 80


@pytest.mark.parametrize(
    ("app", "answer"), [("wsgi", b"wsgi"), ("asgi", b"asgi"), ("instance", b"asgi"), ("factory()", b"wsgi")]
)
def test_auto_finds_out_which_kind_of_application_it_is(
    server: Server, tmp_path: Path, app: str, answer: bytes
) -> None:
    (tmp_path / "shapes.py").write_text(SHAPES)
    with running(server, "auto", f"shapes:{app}", "--app-dir", str(tmp_path), "--threads", "2"):
        assert server.get("/").result().body == answer


def test_auto_asks_when_it_cannot_know(server: Server, tmp_path: Path) -> None:
    (tmp_path / "shapes.py").write_text(SHAPES)
    process = command(server, "auto", "shapes:either", "--app-dir", str(tmp_path))
    assert process.wait() == 1
    assert "shapes:either may be a WSGI or an ASGI application" in "".join(process.lines)


def test_a_command_is_needed_and_the_version_can_be_asked_for() -> None:
    assert run().returncode == 2
    assert run("--version").stdout.startswith("upload-response ")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["wsgi", "nowhere:app"], "there is no module 'nowhere' in"),
        (["wsgi", "nowhere.below:app"], "there is no module 'nowhere' in"),
        (["wsgi", "wsgi_app:nothing"], "there is no 'nothing' in wsgi_app"),
        (["wsgi", "wsgi_app"], "an application is module:app or module:factory(), not 'wsgi_app'"),
        (["wsgi", "wsgi_app:events"], "is no application: it cannot be called"),
        (["wsgi", "asgi_app:app"], "asgi_app:app does not take 2 arguments: is it an ASGI application?"),
        (["asgi", "wsgi_app:app"], "wsgi_app:app does not take 3 arguments: is it a WSGI application?"),
        (["asgi", "asgi_app:app", "--chdir", "/nonexistent"], "/nonexistent"),
        (["asgi", "asgi_app:app", "--pool", "a b"], "pool"),
    ],
)
@pytest.mark.parametrize("processes", ["1", "2"])
def test_what_cannot_work_is_one_line_and_status_1(
    server: Server, words: list[str], message: str, processes: str
) -> None:
    process = command(server, *words, "--app-dir", str(APPS), "--processes", processes)
    assert process.wait() == 1
    text = "".join(process.lines)
    assert message in text
    assert "Traceback" not in text
    assert text.count(message) == 1 or processes == "2"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("1 / 0", "ZeroDivisionError"),
        ("import nowhere_at_all", "No module named 'nowhere_at_all'"),
        ("def app(): raise LookupError('in the factory')", "LookupError: in the factory"),
    ],
)
def test_an_import_that_fails_has_its_traceback(
    server: Server, tmp_path: Path, source: str, message: str
) -> None:
    (tmp_path / "broken.py").write_text(source)
    process = command(server, "wsgi", "broken:app()", "--app-dir", str(tmp_path))
    assert process.wait() == 1
    text = "".join(process.lines)
    assert message in text
    assert "Traceback" in text
    assert "broken.py" in text


@pytest.mark.parametrize("words", [["--processes", "0"], ["--threads", "x"], ["--root-path", "sub"]])
def test_an_option_that_cannot_be_is_a_usage_error(words: list[str]) -> None:
    result = run("wsgi", "wsgi_app:app", *words)
    assert result.returncode == 2
    assert words[0] in result.stderr


def test_an_application_can_come_out_of_a_factory(server: Server) -> None:
    with running(server, "wsgi", "wsgi_app:factory()"):
        assert server.get("/early").result().body == b"early"


@pytest.mark.parametrize("kind", KINDS)
def test_a_root_path_is_where_the_application_is_mounted(server: Server, kind: str) -> None:
    with running(server, kind, f"{kind}_app:app", "--root-path", "/sub/"):
        inside, outside = (server.get(path).result().body for path in ("/sub/show", "/subway/show"))
    if kind == "wsgi":
        assert b'"SCRIPT_NAME": "/sub"' in inside
        assert b'"PATH_INFO": "/show"' in inside
        assert b'"PATH_INFO": "/subway/show"' in outside
    else:
        assert b'"root_path": "/sub"' in inside
        assert b'"path": "/sub/show"' in inside  # it is part of it, unlike PATH_INFO


def test_chdir_comes_before_the_rest(server: Server, tmp_path: Path) -> None:
    (tmp_path / "here.py").write_text(
        "import os\ndef app(environ, start):\n    start('200 OK', [])\n    return [os.getcwd().encode()]\n"
    )
    with running(server, "wsgi", "here:app", "--chdir", str(tmp_path), "--app-dir", "."):
        assert server.get("/").result().body == str(tmp_path).encode()


# ------------------------------------------------------- signals, processes


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("processes", ["1", "2"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_lets_what_is_running_finish(server: Server, kind: str, processes: str, number: int) -> None:
    page = "/pipe" if kind == "wsgi" else "/echo"
    count = int(processes)
    with (
        running(server, kind, f"{kind}_app:app", "--processes", processes, links=count) as process,
        Upload(server.port, page) as upload,
    ):
        upload.send(b"a")
        upload.read_head()
        got = upload.read_chunk()
        process.signal(number)
        if count == 2:
            server.says("link left")  # that of the other process
        upload.send(b"b")
        upload.finish()
        while chunk := upload.read_chunk():
            got += chunk
        assert got == (b"readyab" if kind == "wsgi" else b"ab")
        assert process.wait() == 0


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("processes", ["1", "2"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_is_heard_also_in_the_background(
    server: Server, kind: str, processes: str, number: int
) -> None:
    """A shell without job control has SIGINT ignored in what it starts there."""
    words = [sys.executable, "-m", "upload_response", kind, f"{kind}_app:app", "--app-dir", str(APPS)]
    options = ["--processes", processes, "--socket", server.socket]
    process = Process(["sh", "-c", 'trap "" INT; exec "$@"', "sh", *words, *options])
    try:
        server.says("link attached", int(processes))
        assert server.get("/early").result().body == b"early"
        process.signal(number)
        assert process.wait() == 0
    finally:
        process.end()


def test_a_thread_that_does_not_finish_in_time_ends_with_its_process(server: Server) -> None:
    with (
        running(server, "wsgi", "wsgi_app:app", "--graceful-timeout", "0.01") as process,
        Upload(server.port, "/steps", "GET") as client,
    ):
        client.finish()
        client.read_head()
        assert client.read_chunk() == b"first"
        process.signal(signal.SIGTERM)
        assert process.wait() == 1
        assert b"second" not in client.read_rest()
        process.says("1 requests did not finish within 0.01 seconds")


@pytest.mark.parametrize("kind", KINDS)
def test_a_process_that_dies_is_started_again(server: Server, kind: str) -> None:
    with running(server, kind, f"{kind}_app:app", "--processes", "2", links=2) as process:
        before = pids(server.port, server, 2)
        os.kill(min(before), signal.SIGKILL)
        process.says(f"worker process {min(before)} ended with -9, starting another")
        eventually("a new process", lambda: pids(server.port, server, 2) - before)


def test_a_stopped_process_is_killed_at_the_end(server: Server) -> None:
    options = ("--processes", "2", "--graceful-timeout", "0")
    with running(server, "wsgi", "wsgi_app:app", *options, links=2) as process:
        stopped = min(pids(server.port, server, 2))
        os.kill(stopped, signal.SIGSTOP)
        process.signal(signal.SIGTERM)
        process.says(f"worker process {stopped} does not end: killing it")
        assert process.wait() == 0


def test_an_application_that_exits_ends_its_process(server: Server) -> None:
    with running(server, "wsgi", "wsgi_app:app") as process:
        assert server.get("/exits").result().status == 500
        assert process.wait() == 3


@pytest.mark.parametrize("kind", KINDS)
def test_a_server_that_comes_back_is_found_again(server: Server, kind: str) -> None:
    with running(server, kind, f"{kind}_app:app") as process:
        Process.end(server)
        process.says("link lost")
        server.lines.clear()
        server.again()
        server.says("link attached")
        assert server.get("/early").result().body == b"early"


@pytest.mark.parametrize("kind", KINDS)
def test_a_server_that_is_not_there_yet_is_waited_for(tmp_path: Path, kind: str) -> None:
    socket = str(tmp_path / "ur.sock")
    words = [sys.executable, "-m", "upload_response", kind, f"{kind}_app:app", "--log-level", "debug"]
    process = Process([*words, "--socket", socket, "--app-dir", str(APPS)])
    try:
        process.says("waiting for the server")
        server = Server(tmp_path)
        server.says("link attached")
        server.end()
    finally:
        process.end()


def test_pool_and_socket_come_from_the_environment_too(tmp_path: Path) -> None:
    server = Server(tmp_path, "--route", "/=web")
    try:
        process = command(server, "asgi", "asgi_app:app", "--app-dir", str(APPS), UPLOAD_RESPONSE_POOL="web")
        server.says("link attached.*pool=web")
        process.end()
    finally:
        server.end()


# ----------------------------------------------------------------- reloading


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    folder.mkdir()
    return folder / "changing.py"


def write(path: Path, text: str) -> None:
    code = f"""
        def app(environ, start_response):
            start_response("200 OK", [])
            return [b"{text}"]
        """
    replace(path, code)


def replace(path: Path, code: str) -> None:
    """Change a source file in one step, so that nobody sees a part of it, or two changes."""
    draft = path.with_suffix(".draft")
    draft.write_text(textwrap.dedent(code))
    before = path.stat().st_mtime_ns if path.exists() else 0
    os.utime(draft, ns=(0, max(draft.stat().st_mtime_ns, before + 1)))  # both may be in one clock tick
    draft.replace(path)


def test_a_change_of_a_source_file_starts_it_again(server: Server, source: Path) -> None:
    write(source, "one")
    with running(server, "wsgi", "changing:app", "--app-dir", str(source.parent), "--reload") as process:
        assert server.get("/").result().body == b"one"
        write(source, "two!")
        eventually("the new text", lambda: server.get("/").result().body == b"two!")
        source.write_text("this is no Python")
        process.says("SyntaxError")
        write(source, "three")
        eventually("the text after an error", lambda: server.get("/").result().body == b"three")
        process.signal(signal.SIGTERM)
        assert process.wait() == 0
    at_rest(server)


# The texts differ in length: Python takes compiled code for that of a source of the same second
# and length.
ENDLESS = """
    import time

    def app(environ, start_response):
        start_response("200 OK", [])
        if environ["PATH_INFO"] != "/endless":
            return [b"{text}"]
        def ticks():
            while True:
                yield f"{text} {{time.monotonic()}}\\n".encode()
                time.sleep(0.01)
        return ticks()
    """


def ticks(client: Upload) -> Iterator[tuple[str, float]]:
    """Read an endless response: its text, and when it was said."""
    rest = b""
    while True:
        *lines, rest = (rest + client.read_chunk()).split(b"\n")
        for line in lines:
            text, at = line.split()
            yield text.decode(), float(at)


def serves(server: Server, text: str) -> None:
    eventually(f"the text {text!r}", lambda: server.get("/").result().body == text.encode())


def test_a_change_is_served_while_a_response_goes_on(server: Server, source: Path) -> None:
    replace(source, ENDLESS.format(text="old"))
    options = ("--app-dir", str(source.parent), "--reload", "--graceful-timeout", "3600")
    with running(server, "wsgi", "changing:app", *options) as process:
        with Upload(server.port, "/endless", "GET") as client:
            client.finish()
            client.read_head()
            said = ticks(client)
            assert next(said)[0] == "old"
            for text in ("newer", "newest"):
                replace(source, ENDLESS.format(text=text))
                serves(server, text)
            served = time.monotonic()
            assert next(text for text, at in said if at > served) == "old"
        process.signal(signal.SIGTERM)
        assert process.wait() == 0


def test_what_served_goes_on_while_the_new_text_is_none(server: Server, source: Path) -> None:
    write(source, "one")
    with running(server, "wsgi", "changing:app", "--app-dir", str(source.parent), "--reload") as process:
        source.write_text("this is no Python")
        process.says("SyntaxError")
        assert server.get("/").result().body == b"one"


def test_nothing_is_left_of_a_reloader_that_is_killed(server: Server, source: Path) -> None:
    write(source, "one")
    with running(server, "wsgi", "changing:app", "--app-dir", str(source.parent), "--reload") as process:
        process.signal(signal.SIGKILL)
        eventually("the link to end", lambda: server.counts()["links"] == 0)
