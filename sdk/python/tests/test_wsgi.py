"""The WSGI gateway, over the wire: what PEP 3333 promises to applications."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from websockets.exceptions import InvalidStatus

from client import Upload, dial
from conftest import SLOT, Process, Server, eventually
from gateways import ask, at_rest, log, raw, running, slow_reader


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("wsgi"))
    yield server
    server.end()


@pytest.fixture(scope="module")
def worker(server: Server) -> Iterator[Process]:
    """An application with four threads."""
    with running(server, "wsgi", "wsgi_app:app", "--threads", "4", links=4) as process:
        yield process


@pytest.fixture(autouse=True)
def clean(server: Server, worker: Process) -> Iterator[None]:
    server.get("/clear").result()
    worker.lines.clear()
    yield
    at_rest(server)


def happened(server: Server, event: str) -> None:
    eventually(event, lambda: event in log(server))


# ------------------------------------------------------------------- environ


def test_the_environ_has_what_the_specification_asks_for(server: Server) -> None:
    seen = ask(server.port, "/show/caf%C3%A9%2Fx?a=1&b=%20", "Content-Type: text/x", "Accept: a, b")
    assert seen["REQUEST_METHOD"] == "GET"
    assert (seen["SCRIPT_NAME"], seen["QUERY_STRING"]) == ("", "a=1&b=%20")
    assert seen["PATH_INFO"].encode("latin-1").decode() == "/show/caf\u00e9/x"
    assert (seen["SERVER_NAME"], seen["SERVER_PORT"]) == ("example.org", "8080")
    assert (seen["SERVER_PROTOCOL"], seen["wsgi.url_scheme"]) == ("HTTP/1.1", "http")
    assert (seen["REMOTE_ADDR"], seen["HTTP_HOST"]) == ("127.0.0.1", "example.org:8080")
    assert (seen["CONTENT_TYPE"], seen["HTTP_ACCEPT"]) == ("text/x", "a, b")
    assert "HTTP_CONTENT_TYPE" not in seen
    assert seen["wsgi.version"] == [1, 0]
    assert (seen["wsgi.multithread"], seen["wsgi.multiprocess"]) == (True, False)
    assert (seen["wsgi.run_once"], seen["wsgi.input_terminated"]) == (False, True)
    assert seen["SERVER_SOFTWARE"].startswith("upload-response/")
    assert seen["REQUEST_URI"] == "/show/caf%C3%A9%2Fx?a=1&b=%20"


def test_headers_that_come_twice_are_joined(server: Server) -> None:
    seen = ask(server.port, "/", "X-A: 1", "Cookie: a=b", "x-a: 2", "Cookie: c=d")
    assert seen["HTTP_X_A"] == "1, 2"
    assert seen["HTTP_COOKIE"] == "a=b; c=d"


def test_a_header_cannot_pass_for_another_one(server: Server) -> None:
    seen = ask(server.port, "/", "X_Forwarded_For: 6.6.6.6", "X-Forwarded-For: 7.7.7.7", "Proxy: http://evil")
    assert seen["REMOTE_ADDR"] == seen["HTTP_X_FORWARDED_FOR"] == "127.0.0.1"
    assert "HTTP_PROXY" not in seen


def test_the_body_is_announced_if_its_length_is_known(server: Server) -> None:
    assert ask(server.port, "/", "Content-Length: 0", method="POST")["CONTENT_LENGTH"] == "0"
    assert "CONTENT_LENGTH" not in ask(server.port, "/")


@pytest.mark.parametrize(
    ("host", "name", "port"),
    [("a.example", "a.example", "80"), ("[::1]:81", "[::1]", "81"), ("[::1]", "[::1]", "80")],
)
def test_the_host_is_divided(server: Server, host: str, name: str, port: str) -> None:
    seen = ask(server.port, "/", f"Host: {host}")
    assert (seen["SERVER_NAME"], seen["SERVER_PORT"]) == (name, port)


# --------------------------------------------------------------------- input


@pytest.mark.parametrize(
    ("how", "pieces"),
    [
        ("all", ["one\ntwo\nthree"]),
        ("twice", ["one", "\ntwo\nthree", "", ""]),
        ("line", ["one\n", "tw", "o\n", "thr", "ee"]),
        ("lines", ["one\n", "two\n", "three", "|"]),
        ("hint", ["one\n", "two\n", "|", "three"]),
        ("iterate", ["one\n", "two\n", "three"]),
        ("nothing", [""]),
    ],
)
def test_input_is_read_like_a_file(server: Server, how: str, pieces: list[str]) -> None:
    reply = server.call("POST", f"/read?{how}", b"one\ntwo\nthree").result()
    assert json.loads(reply.body) == pieces


@pytest.mark.parametrize("size", [0, 1, SLOT, SLOT + 1, 1 << 20])
def test_a_body_of_any_size_comes_and_goes(server: Server, size: int) -> None:
    body = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    assert server.call("POST", "/echo", body).result().body == body
    assert server.call("POST", "/size", body).result().body == str(size).encode()
    assert server.call("POST", "/size", iter([body[: size // 2] or b"x", b"y"])).result().status == 200


def test_the_body_is_read_while_the_upload_runs(server: Server) -> None:
    with Upload(server.port, "/pipe") as upload:
        assert "200" in upload.read_head()
        assert upload.read_chunk() == b"ready"
        for piece in (b"a", b"b"):
            upload.send(piece)
            assert upload.read_chunk() == piece
        upload.finish()
        assert upload.read_chunk() == b""


def test_a_chunked_upload_ends_where_it_ends(server: Server) -> None:
    with Upload(server.port, "/size") as upload:
        upload.send(b"x" * 70000)
        upload.finish()
        assert "Content-Length: 5" in upload.read_head()


def test_a_body_that_nobody_reads_does_not_matter(server: Server) -> None:
    assert server.call("POST", "/early", b"x" * 200000).result().body == b"early"
    with Upload(server.port, "/early") as upload:  # the end never comes
        upload.send(b"x")
        assert "200" in upload.read_head()


def test_an_application_that_reads_is_told_that_its_client_has_gone(server: Server, worker: Process) -> None:
    with Upload(server.port, "/leaves") as upload:
        upload.send(b"x")
        happened(server, "reading")
        upload.reset()
    happened(server, "Disconnected: the request was cancelled: client gone")
    at_rest(server)
    assert not [line for line in worker.lines if "Traceback" in line]  # nobody's fault


# ------------------------------------------------------------ start_response


@pytest.mark.parametrize(
    "rule",
    [
        *("status-text", "status-int", "status-low", "status-joined"),
        *("newline", "nul", "name", "empty-name"),
        *("bytes", "triple", "unicode", "length"),
    ],
)
def test_start_response_refuses_what_cannot_be_sent(server: Server, rule: str) -> None:
    reply = server.get(f"/bad?{rule}").result()
    assert reply.status == 200
    kind, _, message = reply.body.decode().partition(": ")
    assert kind == ("TypeError" if rule in ("bytes", "triple") else "InvalidResponse"), (rule, message)
    assert message


def test_a_failing_application_is_500_and_is_logged(server: Server, worker: Process) -> None:
    for path, message in (
        ("/raises", "LookupError: at once"),
        ("/failing?early", "LookupError: in the middle"),
        ("/never_starts", "start_response was not called"),
        ("/starts_twice", "twice without exc_info"),
        ("/lengths?str", "made of bytes, not str"),
    ):
        reply = server.get(path).result()
        assert (reply.status, reply.body) == (500, b"500 Internal Server Error\n")
        worker.says(message)
    worker.says(r"ERROR \d+ GET /raises failed")
    worker.says("Traceback")


def test_a_failure_after_the_first_block_breaks_the_response_off(server: Server, worker: Process) -> None:
    assert not server.get("/failing?late").result().complete
    worker.says("LookupError: in the middle")


def test_exc_info_replaces_a_response_that_has_not_begun(server: Server) -> None:
    reply = server.get("/replaces?early").result()
    assert (reply.status, reply.body) == (500, b"replaced")
    assert (reply.headers["X-First"], reply.headers["X-Second"]) == (None, "2")


def test_exc_info_is_raised_again_when_it_is_too_late(server: Server, worker: Process) -> None:
    assert not server.get("/replaces?late").result().complete
    worker.says("LookupError: to be told")


def test_start_response_may_come_with_the_first_block(server: Server) -> None:
    reply = server.get("/starts_lazily").result()
    assert (reply.status, reply.body) == (201, b"lazy")


def test_write_sends_at_once_and_before_what_is_returned(server: Server) -> None:
    assert server.get("/writes").result().body == b"one two three"


# --------------------------------------------------------------------- body


def test_each_block_is_sent_before_the_next_is_made(server: Server) -> None:
    with Upload(server.port, "/steps", "GET") as client:
        client.finish()
        client.read_head()
        assert client.read_chunk() == b"first"
        server.get("/go").result()
        assert client.read_chunk() == b"second"


@pytest.mark.parametrize(
    ("query", "length", "body"),
    [
        ("none", "0", b""),
        ("one", "3", b"abc"),
        ("tuple", "6", b"abcdef"),
        ("iterator", None, b"abcdef"),
        ("iterator=6", "6", b"abcdef"),
        ("empty", "0", b""),
        ("empty=0", "0", b""),
    ],
)
def test_a_length_that_is_known_is_declared(
    server: Server, query: str, length: str | None, body: bytes
) -> None:
    reply = server.get(f"/lengths?{query}").result()
    assert (reply.status, reply.body, reply.complete) == (200, body, True)
    assert length is None or reply.headers["Content-Length"] == length


@pytest.mark.parametrize("query", ["one=4", "one=2", "tuple=7", "none=1"])
def test_a_wrong_length_of_a_whole_response_is_500(server: Server, worker: Process, query: str) -> None:
    assert server.get(f"/lengths?{query}").result().status == 500
    worker.says("than the Content-Length")


@pytest.mark.parametrize("query", ["iterator=7", "iterator=5"])
def test_a_wrong_length_of_a_streamed_response_breaks_it_off(
    server: Server, worker: Process, query: str
) -> None:
    assert not server.get(f"/lengths?{query}").result().complete
    worker.says("than the Content-Length")


def test_there_are_no_websockets(server: Server, worker: Process) -> None:
    with pytest.raises(InvalidStatus) as refused:
        dial(server.port, "/show")
    assert refused.value.response.status_code == 501
    assert server.get("/early").result().body == b"early"


@pytest.mark.parametrize("query", ["one=3", "iterator", "iterator=6", "tuple"])
def test_head_has_the_headers_and_no_body(server: Server, query: str) -> None:
    reply = server.call("HEAD", f"/lengths?{query}").result()
    assert (reply.status, reply.body) == (200, b"")
    if query != "iterator":
        assert reply.headers["Content-Length"] == {"one=3": "3", "iterator=6": "6", "tuple": "6"}[query]


@pytest.mark.parametrize("status", [204, 304])
def test_a_status_without_a_body_has_none(server: Server, status: int) -> None:
    reply = server.get(f"/bare?{status}").result()
    assert (reply.status, reply.body, reply.headers["X-A"]) == (status, b"", "b")
    assert reply.headers["Content-Length"] is None


# -------------------------------------------------------------------- close


def test_close_is_called_however_it_ends(server: Server) -> None:
    server.get("/closing").result()
    server.get("/failing?late").result()
    server.call("HEAD", "/closing").result()
    eventually("three closes", lambda: log(server) == ["closed well", "closed failing", "closed well"])


def test_a_client_that_leaves_ends_the_iteration(server: Server, worker: Process) -> None:
    with Upload(server.port, "/endless", "GET") as client:
        client.finish()
        client.read_head()
        client.read_chunk()
        client.reset()
    happened(server, "closed endless")
    assert not [line for line in worker.lines if "Traceback" in line]


def test_a_client_that_takes_nothing_holds_the_application_back(server: Server) -> None:
    with slow_reader(server.port, "/endless"):
        assert server.get("/early").result().body == b"early"
        assert log(server) == []
    happened(server, "closed endless")


# --------------------------------------------------------------------- files


@pytest.mark.parametrize(
    ("kind", "size", "length"),
    [
        ("plain", 50000, "50000"),
        ("raw", 50000, "50000"),
        ("offset", 49990, "49990"),
        ("length", 100, "100"),
        ("memory", 50000, None),
        ("gzip", 50000, None),
    ],
)
def test_a_file_is_sent_from_where_it_stands_and_closed(
    server: Server, kind: str, size: int, length: str | None
) -> None:
    reply = server.get(f"/file?{kind}").result()
    assert (reply.body, reply.complete) == ((b"0123456789" * 5000)[:size], True)
    happened(server, f"closed {kind}")
    head = server.call("HEAD", f"/file?{kind}").result()
    if length is not None:
        assert reply.headers["Content-Length"] == head.headers["Content-Length"] == length


def test_a_file_that_is_shorter_than_declared_breaks_off(server: Server, worker: Process) -> None:
    assert not server.get("/file?long").result().complete
    worker.says("50000 bytes are fewer than the Content-Length, 60000")


# ------------------------------------------------------------------- wsgiref


@pytest.mark.parametrize("body", [b"", b"one\ntwo\nthree", b"x" * 100000])
def test_the_validator_finds_nothing_on_either_side(server: Server, worker: Process, body: bytes) -> None:
    reply = server.call("POST", "/valid", body).result()
    assert (reply.status, reply.body) == (200, b"=" + body)
    worker.says("^validated$")


def test_pipelined_requests_are_answered_in_turn(server: Server) -> None:
    request = b"GET /early HTTP/1.1\r\nHost: x\r\n\r\n"
    last = request.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    reply = raw(server.port, request * 3 + last)
    assert reply.count(b"early") == 4
