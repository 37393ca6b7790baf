"""The ASGI gateway, over the wire: what the specification promises to applications."""

from __future__ import annotations

import json
import re
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from client import Upload
from conftest import SLOT, Process, Server, eventually
from gateways import APPS, ask, cleared, command, log, raw, running, slow_reader


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("asgi"))
    yield server
    server.end()


@pytest.fixture(scope="module", params=["asyncio", "uvloop"])
def worker(server: Server, request: pytest.FixtureRequest) -> Iterator[Process]:
    with running(server, "asgi", "asgi_app:app", "--loop", request.param) as process:
        yield process


@pytest.fixture
def clean(server: Server, worker: Process) -> Iterator[Process]:
    with cleared(server, worker):
        yield worker


@pytest.fixture
def url(server: Server, clean: Process) -> Server:
    """A server with the application."""
    return server


def happened(server: Server, *events: str) -> None:
    eventually(str(events), lambda: log(server)[-len(events) :] == [*events])


def quiet(worker: Process) -> bool:
    return not [line for line in worker.lines if "Traceback" in line or "ERROR" in line]


# --------------------------------------------------------------------- scope


def test_the_scope_has_what_the_specification_asks_for(url: Server) -> None:
    seen = ask(url.port, "/show/caf%C3%A9%2Fx?a=1&b=%20", "X-Odd: \xe9", "X-A: 1", "X-A: 2")
    assert seen["type"] == "http"
    assert seen["asgi"] == {"version": "3.0", "spec_version": "2.5"}
    assert (seen["http_version"], seen["method"], seen["scheme"]) == ("1.1", "GET", "http")
    assert seen["path"] == "/show/caf\u00e9/x"
    assert (seen["raw_path"], seen["query_string"]) == ("b'/show/caf%C3%A9%2Fx'", "b'a=1&b=%20'")
    assert (seen["root_path"], seen["client"]) == ("", ["127.0.0.1", seen["client"][1]])
    assert seen["server"] == ["example.org", 8080]
    assert set(seen["extensions"]) == {
        "http.response.trailers",
        "http.response.pathsend",
        "http.response.zerocopysend",
        "http.response.early_hint",
    }
    types = seen["types"]
    assert (types["raw_path"], types["query_string"], types["path"]) == ("bytes", "bytes", "str")


def test_headers_are_pairs_of_bytes_in_lower_case_and_order_host_first(url: Server) -> None:
    headers = ask(url.port, "/show", "X-B: 1", "X-A: 2", "x-b: \xe9")["headers"]
    assert headers[0] == ["b'host'", "b'example.org:8080'"]
    mine = [pair for pair in headers if pair[0] in ("b'x-a'", "b'x-b'")]
    assert sorted(mine) == [["b'x-a'", "b'2'"], ["b'x-b'", "b'1'"], ["b'x-b'", "b'\\xe9'"]]
    assert mine.index(["b'x-b'", "b'1'"]) < mine.index(["b'x-b'", "b'\\xe9'"])


def test_the_client_cannot_say_who_it_is(url: Server) -> None:
    seen = ask(url.port, "/show", "X-Forwarded-For: 6.6.6.6", "X-A: x-forwarded-for", "X-B: 7.7.7.7")
    assert seen["client"][0] == "127.0.0.1"


def test_a_path_that_is_not_utf_8_does_no_harm(url: Server) -> None:
    seen = ask(url.port, "/show/%ff?%ff")
    assert (seen["path"], seen["raw_path"]) == ("/show/\ufffd", "b'/show/%ff'")


def test_state_is_copied_into_each_scope_and_its_objects_are_shared(url: Server) -> None:
    first, second = (json.loads(url.get("/state").result().body) for _ in range(2))
    assert (first["own"], second["own"]) == (1, 1)
    assert second["shared"] == first["shared"] + 1
    assert ask(url.port, "/show")["state"]["versions"] == {"version": "3.0", "spec_version": "2.0"}


# ------------------------------------------------------------------- receive


def test_a_request_without_a_body_is_one_empty_message(url: Server) -> None:
    assert json.loads(url.get("/pieces").result().body) == [["http.request", 0, False]]


@pytest.mark.parametrize("size", [1, SLOT, 3 * SLOT + 5])
def test_a_body_comes_in_messages_and_the_last_one_says_so(url: Server, size: int) -> None:
    got = json.loads(url.call("POST", "/pieces", b"x" * size).result().body)
    assert sum(length for _, length, _ in got) == size
    assert [more for *_, more in got] == [True] * (len(got) - 1) + [False]


def test_after_the_response_receive_says_disconnect(url: Server) -> None:
    url.get("/pieces").result()
    happened(url, "http.disconnect")


@pytest.mark.parametrize("size", [0, 1, SLOT, SLOT + 1, 1 << 20])
def test_a_body_of_any_size_comes_and_goes(url: Server, size: int) -> None:
    body = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    assert url.call("POST", "/echo", body).result().body == body


def test_the_body_is_received_while_the_upload_runs(url: Server) -> None:
    with Upload(url.port, "/echo") as upload:
        upload.send(b"a")
        upload.read_head()
        assert upload.read_chunk() == b"a"
        upload.send(b"b")
        assert upload.read_chunk() == b"b"
        upload.finish()
        assert upload.read_chunk() == b""


def test_a_body_that_nobody_receives_does_not_matter(url: Server) -> None:
    assert url.call("POST", "/early", b"x" * 200000).result().body == b"early"
    with Upload(url.port, "/early") as upload:  # the end never comes
        upload.send(b"x")
        assert "200" in upload.read_head()


def test_expect_is_answered_when_the_application_receives(url: Server) -> None:
    head = "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"
    with socket.create_connection(("127.0.0.1", url.port), 60) as client, client.makefile("rb") as reader:
        client.sendall(head.encode())
        assert b" 100 " in reader.readline()
        client.sendall(b"12345")
        assert reader.readline() == b"\r\n"
        assert b" 200 " in reader.readline()


# ------------------------------------------------------------- disconnecting


def test_a_client_that_leaves_is_a_disconnect_and_sending_an_os_error(url: Server, worker: Process) -> None:
    with Upload(url.port, "/waits") as upload:
        upload.send(b"x")
        happened(url, "waiting")
        upload.reset()
    happened(url, "waiting", "http.disconnect", "http.disconnect", "Disconnected")
    assert quiet(worker)


def test_sending_to_a_client_that_left_is_an_os_error(url: Server, worker: Process) -> None:
    with Upload(url.port, "/endless", "GET") as client:
        client.finish()
        client.read_head()
        client.read_chunk()
        client.reset()
    happened(url, "Disconnected", "http.disconnect")
    assert quiet(worker)


def test_who_waits_in_receive_may_cancel_who_sends(url: Server) -> None:
    with Upload(url.port, "/listens") as client:
        client.finish()
        client.read_head()
        client.read_chunk()
        client.reset()
    happened(url, "cancelled")


def test_a_client_that_takes_nothing_holds_only_its_own_task_back(url: Server) -> None:
    with slow_reader(url.port, "/endless"):
        for _ in range(20):
            assert url.get("/early").result().body == b"early"
        assert log(url) == []
    happened(url, "Disconnected", "http.disconnect")


def test_who_waits_in_receive_is_told_that_the_response_has_ended(url: Server) -> None:
    reply = url.get("/tells")
    url.get("/go").result()
    assert reply.result().body == b"told"
    happened(url, "http.disconnect", "told")


# ---------------------------------------------------------------------- send


def test_each_piece_is_sent_before_send_returns(url: Server) -> None:
    with Upload(url.port, "/steps", "GET") as client:
        client.finish()
        client.read_head()
        assert client.read_chunk() == b"first"
        url.get("/go").result()
        assert client.read_chunk() == b"second"
        assert client.read_chunk() == b""


def test_keys_that_are_missing_have_their_defaults(url: Server) -> None:
    assert url.get("/empty_pieces").result().body == b"x"
    reply = url.get("/no_headers").result()
    assert (reply.status, reply.body) == (202, b"x")


def test_headers_may_be_any_iterables_and_transfer_encoding_is_ignored(url: Server) -> None:
    reply = url.get("/iterators").result()
    assert (reply.body, reply.headers.get_all("X-A")) == (b"x", ["1", "2"])


def test_head_has_no_body(url: Server) -> None:
    reply = url.call("HEAD", "/early").result()
    assert (reply.status, reply.body) == (200, b"")


@pytest.mark.parametrize(
    ("page", "rule", "error"),
    [
        ("order", "body-first", "RuntimeError"),
        ("order", "trailers-first", "RuntimeError"),
        ("order", "unknown", "ValueError"),
        ("order", "websocket", "ValueError"),
        ("order", "status", "InvalidResponse"),
        ("order", "text-headers", "TypeError"),
        ("order", "newline", "InvalidResponse"),
        ("order", "hint-newline", "InvalidResponse"),
        ("order", "hint-text", "TypeError"),
        ("order", "nul", "InvalidResponse"),
        ("order_started", "start-twice", "RuntimeError"),
        ("order_started", "text-body", "TypeError"),
        ("order_started", "trailers", "RuntimeError"),
    ],
)
def test_what_breaks_a_rule_is_raised_into_the_application(
    url: Server, page: str, rule: str, error: str
) -> None:
    reply = url.get(f"/{page}?{rule}").result()
    assert (reply.status, reply.complete) == (200, True)
    assert reply.body.decode().strip('"').startswith(error + ": ")


def test_what_comes_after_the_end_is_ignored(url: Server) -> None:
    assert url.get("/ignored").result().body == b"whole"
    happened(url, "ignored")


def test_an_application_may_go_on_after_its_response(url: Server) -> None:
    assert url.get("/background").result().body == b"whole"
    url.get("/go").result()
    happened(url, "background")


# ------------------------------------------------------------------ failures


@pytest.mark.parametrize(
    ("page", "message"),
    [
        ("raises", "LookupError: at once"),
        ("start_only", "LookupError: after the start"),
        ("returns", "ERROR .* GET /returns returned without http.response.start"),
        ("returns_started", "returned without http.response.body"),
        ("cancels", "CancelledError"),
        ("no_path", "FileNotFoundError"),
    ],
)
def test_a_failure_before_the_body_is_500_and_logged(
    url: Server, worker: Process, page: str, message: str
) -> None:
    reply = url.get(f"/{page}").result()
    assert (reply.status, reply.body) == (500, b"500 Internal Server Error\n")
    worker.says(message)


@pytest.mark.parametrize(
    ("page", "message"),
    [
        ("raises_late", "LookupError: in the middle"),
        ("returns_unfinished", "returned without http.response.body"),
        ("no_trailers", "returned without http.response.trailers"),
    ],
)
def test_a_failure_in_the_body_breaks_the_response_off_and_is_logged(
    url: Server, worker: Process, page: str, message: str
) -> None:
    assert not url.get(f"/{page}").result().complete
    worker.says(message)


def test_a_failure_after_the_response_is_logged(url: Server, worker: Process) -> None:
    assert url.get("/raises_after").result().body == b"whole"
    worker.says("LookupError: after the end")


# ---------------------------------------------------------------- extensions


def test_trailers_follow_the_body(url: Server) -> None:
    reply = raw(url.port, b"GET /trailers HTTP/1.1\r\nHost: x\r\nTE: trailers\r\nConnection: close\r\n\r\n")
    assert re.search(rb"\r\n0\r\n(?i:x-first: 1\r\nx-second: 2)\r\n\r\n$", reply), reply
    assert url.get("/trailers").result().body == b"with trailers"


@pytest.mark.parametrize("when", ["first", "started", "twice"])
def test_early_hints_go_before_the_response(url: Server, when: str) -> None:
    request = f"GET /hints?{when} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    hints, _, response = raw(url.port, request.encode()).partition(b"HTTP/1.1 200")
    links = [line for line in hints.splitlines() if line.lower().startswith(b"link: ")]
    assert links == [b"Link: </a.css>; rel=preload", b"Link: </b.js>; rel=preload"]
    assert hints.count(b"HTTP/1.1 103") == (2 if when == "twice" else 1)
    assert b"</a.css>" not in response
    assert response.endswith(b"whole") or b"whole\r\n0\r\n" in response


def test_early_hints_that_come_too_late_are_ignored(url: Server) -> None:
    assert url.get("/late_hints").result().body == b"whole"
    happened(url, "ignored")


def test_a_path_is_sent_as_the_body(url: Server) -> None:
    assert url.get("/path").result().body == b"0123456789" * 5000


def test_parts_of_files_are_sent_as_pieces_of_the_body(url: Server) -> None:
    assert url.get("/parts").result().body == b"89" + b"34" + b"|" + b"56789"


# ------------------------------------------------------------------ lifespan


def run_to_the_end(process: Process, number: int = signal.SIGTERM) -> tuple[int, list[str]]:
    process.signal(number)
    return process.wait(), process.lines


def test_the_lifespan_is_around_all_requests(server: Server) -> None:
    with running(server, "asgi", "asgi_app:app") as process:
        process.says("^starting$")
        status, lines = run_to_the_end(process)
    assert status == 0
    assert [line for line in lines if " INFO " not in line] == ["starting\n", "shutting down\n"]


@pytest.mark.parametrize("app", ["without", "silent"])
def test_an_application_needs_no_lifespan(server: Server, app: str) -> None:
    with running(server, "asgi", f"asgi_app:{app}") as process:
        status, lines = run_to_the_end(process)
    assert status == 0
    assert not [line for line in lines if " INFO " not in line]


@pytest.mark.parametrize("processes", ["1", "2"])
def test_an_application_that_cannot_start_ends_it_all(server: Server, processes: str) -> None:
    options = ("--app-dir", str(APPS), "--processes", processes)
    process = command(server, "asgi", "asgi_app:cannot_start", *options)
    assert process.wait() == 1
    assert "the application could not start: no database" in "".join(process.lines)
    assert "Traceback" not in "".join(process.lines)


@pytest.mark.parametrize(
    ("app", "message"),
    [("cannot_stop", "could not shut down: the database hangs"), ("dies", "LookupError: in the lifespan")],
)
def test_what_goes_wrong_in_the_lifespan_is_logged(server: Server, app: str, message: str) -> None:
    with running(server, "asgi", f"asgi_app:{app}") as process:
        status, lines = run_to_the_end(process)
    assert status == 0
    assert message in "".join(lines)


def test_what_does_not_finish_in_time_is_cancelled_before_the_shutdown(tmp_path: Path) -> None:
    own = Server(tmp_path)
    try:
        with (
            running(own, "asgi", "asgi_app:app", "--graceful-timeout", "0") as process,
            Upload(own.port, "/sleeps", "GET") as client,
        ):
            client.finish()
            client.read_head()
            assert client.read_chunk() == b"x"
            status, lines = run_to_the_end(process)
            assert client.read_rest() == b""
    finally:
        own.end()
    assert status == 0
    said = [line for line in lines if line in ("stopped\n", "shutting down\n")]
    assert said == ["stopped\n", "shutting down\n"]
    assert "1 requests did not finish" in "".join(lines)
