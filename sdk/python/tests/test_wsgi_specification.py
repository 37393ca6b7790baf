"""PEP 3333 rule by rule: what it asks of a server, and the tests that show it; here and in
test_wsgi.py.

The application

    it is called with two positional arguments, for each request
        test_the_environ_is_a_dict_of_this_request_alone
    what it gives is sent block by block: each one before the next one is asked for
        test_each_block_is_sent_before_the_next_is_made
    blocks are bytes, and sent as they are
        test_bytes_are_sent_as_they_are
        test_a_failing_application_is_500_and_is_logged
    empty blocks mean nothing
        test_headers_wait_for_the_first_byte_of_the_body
    close() is called once, however the request ends
        test_close_is_called_once_on_every_path
        test_close_is_called_however_it_ends
        test_a_client_that_leaves_ends_the_iteration
        test_a_close_that_fails_is_logged_and_the_client_has_its_response

The environ

    it is a dict, which the application may change; its strings are str in Latin-1
        test_the_environ_is_a_dict_of_this_request_alone
    the variables of CGI; those that there are not are left out
        test_the_environ_has_what_the_specification_asks_for
        test_the_body_is_announced_if_its_length_is_known
    the URL can be made of them
        test_the_url_can_be_made_of_the_environ
        test_over_tls_the_environ_says_so
    HTTPS is on over TLS
        test_over_tls_the_environ_says_so
    wsgi.version, url_scheme, run_once
        test_the_environ_has_what_the_specification_asks_for
    wsgi.multithread and multiprocess say what is true
        test_the_environ_says_how_it_is_served
    wsgi.errors has write, writelines and flush, and is the server's log
        test_errors_are_written_where_the_server_logs
    wsgi.input has read, readline, readlines, and can be iterated; all arguments may be left out
        test_input_is_read_like_a_file
    it ends where the body ends
        test_a_chunked_upload_ends_where_it_ends
        test_input_ends_with_the_body_and_the_next_request_is_not_read

start_response

    it returns write()
        test_write_sends_at_once_and_before_what_is_returned
    status and headers are checked when it is called
        test_start_response_refuses_what_cannot_be_sent
    headers cannot concern the connection: where the specification wants an error we warn
        test_fields_of_the_connection_are_dropped_with_one_warning
    headers that come twice are sent twice, in their order
        test_values_of_a_header_keep_their_order
    headers that do not fit are an error
        test_headers_that_do_not_fit_are_500_and_logged
    the headers are kept until there is a byte of the body, or its end
        test_headers_wait_for_the_first_byte_of_the_body
        test_empty_blocks_do_not_begin_the_response
    it may be called as late as with the first block
        test_start_response_may_come_with_the_first_block
    a second call without exc_info is an error, also if the first one failed
        test_a_failing_application_is_500_and_is_logged
        test_a_second_start_without_exc_info_is_an_error_even_after_a_failed_one
    with exc_info it replaces what has not begun, and raises that when it is too late
        test_exc_info_replaces_a_response_that_has_not_begun
        test_exc_info_is_raised_again_when_it_is_too_late
        test_exc_info_without_an_exception_cannot_replace_what_has_begun

Content-Length

    it is added where it is known
        test_a_length_that_is_known_is_declared
    no more bytes are sent than it says; more are an error
        test_no_more_is_sent_than_was_declared
        test_writing_more_than_was_declared_is_an_error
    fewer bytes break off, and are logged
        test_a_wrong_length_of_a_whole_response_is_500
        test_a_wrong_length_of_a_streamed_response_breaks_it_off
    HEAD, 204 and 304 have no body
        test_head_has_the_headers_and_no_body
        test_a_status_without_a_body_has_none

write()

    written bytes are sent before those that are given, and at once
        test_what_is_written_goes_before_what_is_given

Files

    wsgi.file_wrapper takes a file and, if one likes, a block size; what it returns can be
    iterated, and has close() if the file has
        test_the_file_wrapper_is_an_iterable_like_others
        test_close_is_called_once_on_every_path
    a file is sent from where it stands, to its end or to the Content-Length
        test_a_file_is_sent_from_where_it_stands_and_closed
        test_a_file_that_is_shorter_than_declared_breaks_off

The rest

    Expect: 100-continue is answered when the body is read
        test_expect_is_answered_when_the_application_reads
    errors of the application are logged, and do not end the server
        test_a_failing_application_is_500_and_is_logged
    the validator of the standard library finds nothing
        test_the_validator_finds_nothing_on_either_side

What differs: an application that gives more blocks than its Content-Length has room for is
told so by an error when it gives them, where the PEP would have the server stop to iterate.
REMOTE_ADDR is empty for who connects by a Unix socket, and there is no REMOTE_PORT.
"""

from __future__ import annotations

import http.client
import json
import re
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from client import PATIENCE, Upload
from conftest import SLOT, Process, Server, eventually
from gateways import ask, cleared, log, raw, running

APP = "wsgi_specification_app:app"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("wsgi"), "--listen", "https://127.0.0.1:0", "--tls-self-signed")
    yield server
    server.end()


@pytest.fixture(scope="module")
def worker(server: Server) -> Iterator[Process]:
    """An application with four threads."""
    with running(server, "wsgi", APP, "--threads", "4", links=4) as process:
        yield process


@pytest.fixture
def url(server: Server, worker: Process) -> Iterator[Server]:
    """A server with the application."""
    with cleared(server, worker):
        yield server


def test_the_list_names_tests_that_there_are() -> None:
    named = set(re.findall(r"^ {8}(test_\w+)$", __doc__ or "", re.MULTILINE))
    text = "".join(path.read_text() for path in Path(__file__).parent.glob("test_wsgi*.py"))
    assert named - set(re.findall(r"^def (test_\w+)\(", text, re.MULTILINE)) == set()
    mine = set(re.findall(r"^def (test_\w+)\(", Path(__file__).read_text(), re.MULTILINE))
    assert mine - named == {"test_the_list_names_tests_that_there_are"}


# ------------------------------------------------------------------- environ


def test_the_environ_is_a_dict_of_this_request_alone(url: Server) -> None:
    for _ in range(5):
        seen = ask(url.port, "/types/caf%C3%A9?\xe9", "X-Odd: \xe9\xff")
        assert (seen["environ"], seen["strings"], seen["latin"]) == ("dict", ["str"], True)
        assert not seen["mine"]
        assert "CONTENT_TYPE" not in seen["keys"]
        assert "CONTENT_LENGTH" not in seen["keys"]


@pytest.mark.parametrize("path", ["/uri", "/uri/caf%C3%A9/x?a=1&b=%20", "/uri/%3Fx%25?y"])
def test_the_url_can_be_made_of_the_environ(url: Server, path: str) -> None:
    assert ask(url.port, path) == ["http://example.org:8080" + path, None]


def test_over_tls_the_environ_says_so(url: Server) -> None:
    port = int(url.says(r"https://127.0.0.1:(\d+)")[1])
    unverified = ssl.create_default_context()
    unverified.check_hostname, unverified.verify_mode = False, ssl.CERT_NONE
    connection = http.client.HTTPSConnection("127.0.0.1", port, context=unverified, timeout=PATIENCE)
    connection.request("GET", "/uri?x")
    assert json.loads(connection.getresponse().read()) == [f"https://127.0.0.1:{port}/uri?x", "on"]
    connection.close()


@pytest.mark.parametrize(("threads", "processes"), [(1, 1), (3, 1), (1, 2)])
def test_the_environ_says_how_it_is_served(tmp_path: Path, threads: int, processes: int) -> None:
    server = Server(tmp_path)
    try:
        words = ("--threads", str(threads), "--processes", str(processes))
        with running(server, "wsgi", APP, *words, links=threads * processes):
            assert ask(server.port, "/flags")[:2] == [threads > 1, processes > 1]
    finally:
        server.end()


def test_errors_are_written_where_the_server_logs(url: Server, worker: Process) -> None:
    url.get("/errors").result()
    for line in ("^written caf\xe9$", "^line one$", "^line two$"):
        worker.says(line)


def test_input_ends_with_the_body_and_the_next_request_is_not_read(url: Server) -> None:
    head = b"POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n"
    reply = raw(url.port, head + b"\r\none" + head + b"Connection: close\r\n\r\ntwo")
    assert reply.count(b'["one", "", ""]') == 1
    assert reply.endswith(b'["two", "", ""]')


def test_expect_is_answered_when_the_application_reads(url: Server) -> None:
    head = b"POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n"
    with (
        socket.create_connection(("127.0.0.1", url.port), PATIENCE) as client,
        client.makefile("rb") as reader,
    ):
        client.sendall(head)
        assert b" 100 " in reader.readline()
        client.sendall(b"one")
        assert reader.readline() == b"\r\n"
        assert b" 200 " in reader.readline()


# ------------------------------------------------------------ start_response


def test_values_of_a_header_keep_their_order(url: Server) -> None:
    reply = url.get("/headers").result()
    assert reply.headers.get_all("X-B") == ["1", "2", "0"]
    assert reply.headers.get_all("Set-Cookie") == ["a=b", "c=d"]


@pytest.mark.parametrize("how", ["", "&iterator"])
def test_headers_that_do_not_fit_are_500_and_logged(url: Server, worker: Process, how: str) -> None:
    reply = url.get(f"/large?{SLOT}{how}").result()
    assert (reply.status, reply.body) == (500, b"500 Internal Server Error\n")
    worker.says("HeadersTooLarge")


def test_headers_wait_for_the_first_byte_of_the_body(url: Server) -> None:
    request = b"GET /waits HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    with socket.create_connection(("127.0.0.1", url.port), PATIENCE) as client:
        client.sendall(request)
        eventually("the application", lambda: log(url) == ["waiting"])
        client.setblocking(False)
        with pytest.raises(BlockingIOError):
            client.recv(1)
        client.settimeout(PATIENCE)
        url.get("/go").result()
        reply = b"".join(iter(lambda: client.recv(1 << 16), b""))
    assert reply.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"done" in reply


def test_empty_blocks_do_not_begin_the_response(url: Server) -> None:
    reply = url.get("/changes").result()
    assert (reply.status, reply.body) == (503, b"late")
    assert (reply.headers["X-First"], reply.headers["X-Second"]) == (None, "2")


def test_a_second_start_without_exc_info_is_an_error_even_after_a_failed_one(
    url: Server, worker: Process
) -> None:
    assert url.get("/fails_first").result().status == 500
    worker.says("start_response was called twice without exc_info")
    assert url.get("/starts?twice").result().body == b"y"
    assert log(url) == ["InvalidResponse: start_response was called twice without exc_info"]


def test_exc_info_without_an_exception_cannot_replace_what_has_begun(url: Server) -> None:
    assert url.get("/starts?nobody").result().body == b"xy"
    assert url.get("/starts?begun").result().body == b"xy"
    assert log(url) == [
        "InvalidResponse: start_response was called when the response had begun",
        "LookupError: mine",
    ]


# ---------------------------------------------------------------------- body


def test_bytes_are_sent_as_they_are(url: Server) -> None:
    assert url.get("/binary").result().body == b"\r\n\n\r\0\xff\n"


def test_what_is_written_goes_before_what_is_given(url: Server) -> None:
    with Upload(url.port, "/writes", "GET") as client:
        client.finish()
        client.read_head()
        assert client.read_chunk() == b"written"
        url.get("/go").result()
        assert client.read_chunk() == b"given"
        assert client.read_chunk() == b""


def test_writing_more_than_was_declared_is_an_error(url: Server) -> None:
    reply = url.get("/exceeds").result()
    assert (reply.status, reply.body) == (200, b"abc")
    assert log(url) == ["4 bytes are more than the Content-Length, 3"]


def test_no_more_is_sent_than_was_declared(url: Server, worker: Process) -> None:
    reply = url.get("/goes_on").result()
    assert (reply.body, reply.complete) == (b"abcdef", True)
    worker.says("9 bytes are more than the Content-Length, 6")


@pytest.mark.parametrize(
    "how",
    ["well", "raises", "raises-late", "never-started", "length", "short", "text", "bare", "file"],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_close_is_called_once_on_every_path(url: Server, how: str, method: str) -> None:
    url.call(method, f"/closes?{how}").result()
    eventually("the close", lambda: log(url))
    assert log(url) == [f"closed {how}"]


def test_a_close_that_fails_is_logged_and_the_client_has_its_response(url: Server, worker: Process) -> None:
    reply = url.get("/cannot_close").result()
    assert (reply.status, reply.body) == (200, b"whole")
    worker.says("LookupError: cannot close")


def test_the_file_wrapper_is_an_iterable_like_others(url: Server) -> None:
    assert url.get("/files?default").result().body == b"x" * 100000
    assert url.get("/files?iterated").result().body == b"<abcdef>"
    assert url.get("/files?unclosable").result().body == b"abc"
    assert url.get("/files?empty").result().body == b""
    assert log(url) == ["closable: False"]
