"""ASGI 3 sentence by sentence: what its parts ask of a server, and the tests that show it;
here, in test_asgi.py, test_asgi_websocket.py and test_command.py.

Main part, 3.0

    the application is called once for each connection, with a scope of its own
        test_each_request_has_a_scope_of_its_own
        test_requests_of_one_connection_are_served_apart
    a scope is a dict with type and asgi["version"]
        test_the_scope_has_what_the_specification_asks_for
    strings are str or bytes as said, keys are str, messages have plain types only
        test_strings_and_keys_are_of_the_types_that_are_asked_for
    send returns when all is done, or the connection is closed
        test_each_piece_is_sent_before_send_returns
        test_sending_to_a_client_that_left_is_an_os_error
    an invalid event - unknown type, missing keys, wrong types - is raised out of send
        test_what_breaks_a_rule_is_raised_into_the_application
        test_an_invalid_event_is_raised_and_a_valid_one_may_follow
        test_an_invalid_piece_is_raised_and_a_valid_one_may_follow
        test_an_invalid_event_of_a_websocket_is_raised_and_a_valid_one_may_follow
        test_an_invalid_close_is_raised_and_a_valid_one_may_follow
    additional keys are no errors
        test_additional_keys_do_no_harm
        test_additional_keys_of_a_websocket_do_no_harm
    an error that comes out of the application ends it, and its connection
        test_a_failure_before_the_body_is_500_and_logged
        test_a_failure_in_the_body_breaks_the_response_off_and_is_logged
        test_a_failure_after_the_accept_is_1011_and_logged
    messages after the end are no errors
        test_what_comes_after_the_end_is_ignored
    an error of send that comes out of the application is no error of the server
        test_an_error_of_send_that_comes_out_is_not_logged
    extensions is a dict of dicts
        test_strings_and_keys_are_of_the_types_that_are_asked_for

HTTP, 2.5

    the scope of a request lasts as long as that, and not as the connection
        test_each_request_has_a_scope_of_its_own
    requests of one HTTP/2 connection have scopes of their own, and get their responses
        test_requests_of_one_connection_are_served_apart
    header fields come as they were sent: in their order, with those that come twice
        test_headers_are_pairs_of_bytes_in_lower_case_and_order_host_first
        test_fields_of_http2_come_as_they_were_sent
    there are no pseudo headers; :authority is the first header, as host
        test_fields_of_http2_come_as_they_were_sent
    the method is in upper case
        test_the_method_is_in_upper_case
    the path is decoded, raw_path and query_string are not
        test_the_scope_has_what_the_specification_asks_for
        test_a_path_that_is_not_utf_8_does_no_harm
    root_path is where the application is mounted, and path has it
        test_a_root_path_is_where_the_application_is_mounted
    state is a shallow copy of the lifespan's
        test_state_is_copied_into_each_scope_and_its_objects_are_shared
    chunked bodies are decoded
        test_the_body_is_received_while_the_upload_runs
    more_body says whether there is more
        test_a_request_without_a_body_is_one_empty_message
        test_a_body_comes_in_messages_and_the_last_one_says_so
    Transfer-Encoding of the application is ignored
        test_headers_may_be_any_iterables_and_transfer_encoding_is_ignored
    values of a header keep their order; those that HTTP does not allow are refused
        test_values_of_a_header_keep_their_order
        test_an_invalid_event_is_raised_and_a_valid_one_may_follow
        test_headers_that_do_not_fit_are_raised_and_the_client_sees_500
    with trailers the response is not over before they have come
        test_a_response_with_trailers_waits_for_them
    data is flushed before send returns
        test_each_piece_is_sent_before_send_returns
    a body without more_body completes the response
        test_keys_that_are_missing_have_their_defaults
    sending on a closed connection raises an OSError, which is not logged
        test_sending_to_a_client_that_left_is_an_os_error
        test_an_error_of_send_that_comes_out_is_not_logged
    receive says http.disconnect after the response, and after the client has gone
        test_after_the_response_receive_says_disconnect
        test_a_client_that_leaves_is_a_disconnect_and_sending_an_os_error

WebSocket, 2.5

    the server handles pings and fragments
        test_a_ping_is_answered_without_the_application
        test_fragments_are_one_message
    if the application dies the socket is closed, and the other way round
        test_a_failure_after_the_accept_is_1011_and_logged
        test_a_client_that_is_gone_is_a_disconnect_with_1006_and_sending_an_os_error
    the handshake waits for the application
        test_the_handshake_waits_for_the_application
    who is denied sees 403
        test_a_close_before_the_accept_is_403
    subprotocol and headers go with the answer; no header sec-websocket-protocol
        test_a_subprotocol_and_headers_go_with_the_answer
        test_what_breaks_a_rule_is_raised_into_the_application
    a message has exactly one of text and bytes
        test_messages_of_both_kinds_go_both_ways
        test_a_message_has_one_of_two_keys
        test_what_breaks_a_rule_is_raised_into_the_application
    a disconnect has code and reason, 1005 if there was none
        test_a_close_of_the_client_is_a_disconnect_with_its_code
        test_a_close_without_a_code_is_1005
    sending on a closed socket raises an OSError, which is not logged
        test_sending_to_a_client_that_is_gone_is_an_os_error
    a close has the code of the message, or 1000
        test_an_application_closes_with_a_code

Lifespan, 2.0

    it runs once in each event loop that serves, in the same loop as the requests
        test_the_lifespan_is_of_the_loop_that_serves
    its state is empty at first
        test_the_lifespan_is_of_the_loop_that_serves
    an application that raises goes without, and gets no events
        test_an_application_needs_no_lifespan
    no request comes before the startup is complete
        test_the_lifespan_is_of_the_loop_that_serves
    after lifespan.startup.failed the message is logged, and the server exits
        test_an_application_that_cannot_start_ends_it_all
    the shutdown comes after the last request, and is waited for
        test_what_does_not_finish_in_time_is_cancelled_before_the_shutdown
        test_the_end_waits_for_the_shutdown
    after lifespan.shutdown.failed the message is logged, and the server exits
        test_what_goes_wrong_in_the_lifespan_is_logged

Extensions

    a WebSocket may be denied with a response
        test_an_application_may_deny_with_a_response_of_its_own
    zerocopysend, from an offset or from where the file stands, leaves it open
        test_parts_of_files_are_sent_as_pieces_of_the_body
    pathsend sends a file, once
        test_a_path_is_sent_as_the_body
    early hints are sent as Link, any number of times
        test_early_hints_go_before_the_response
        test_early_hints_that_come_too_late_are_ignored
    trailers, in one message or several
        test_trailers_follow_the_body
        test_invalid_trailers_are_raised_and_valid_ones_may_follow

What differs: the server sends header fields of different names in any order, which means
nothing in HTTP (RFC 9110 section 5.3), and it sends trailers to clients that have not said
TE: trailers, too, which pass over them. Applications of ASGI 2 are refused at the start;
asgiref.compatibility makes new ones of them.
"""

from __future__ import annotations

import json
import re
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from client import Upload, dial, http2
from conftest import SLOT, Process, Server, eventually
from gateways import ask, at_rest, cleared, log, raw, running


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("asgi"))
    yield server
    server.end()


@pytest.fixture(scope="module")
def worker(server: Server) -> Iterator[Process]:
    with running(server, "asgi", "specification_app:app") as process:
        yield process


@pytest.fixture
def url(server: Server, worker: Process) -> Iterator[Server]:
    """A server with the application."""
    with cleared(server, worker):
        yield server


START: Any = {"type": "http.response.start", "status": 200}
END: Any = {"type": "http.response.body", "body": b"whole"}
ACCEPT: Any = {"type": "websocket.accept"}
SAY: Any = {"type": "websocket.send", "text": "whole"}


def target(*messages: Any) -> str:
    return "/messages?" + repr(list(messages)).encode().hex()


def told(server: Server) -> list[Any]:
    """Wait for the end of an application, and return what it was told."""
    return eventually("the application", lambda: log(server)[-1:] == ["over"] and log(server))[:-1]  # type: ignore[no-any-return]


def test_the_list_names_tests_that_there_are() -> None:
    named = set(re.findall(r"^ {8}(test_\w+)$", __doc__ or "", re.MULTILINE))
    text = "".join(path.read_text() for path in Path(__file__).parent.glob("test_asgi*.py"))
    text += (Path(__file__).parent / "test_command.py").read_text()
    assert named - set(re.findall(r"^def (test_\w+)\(", text, re.MULTILINE)) == set()
    mine = set(re.findall(r"^def (test_\w+)\(", Path(__file__).read_text(), re.MULTILINE))
    assert mine - named == {"test_the_list_names_tests_that_there_are"}


# ------------------------------------------------------------------ main part


def test_each_request_has_a_scope_of_its_own(url: Server) -> None:
    first, second = (ask(url.port, "/mutates?x=1") for _ in range(2))
    for seen in (first, second):
        assert "mine" not in str(seen)


def test_strings_and_keys_are_of_the_types_that_are_asked_for(url: Server) -> None:
    assert json.loads(url.call("POST", "/types", b"body").result().body) == {
        "scope": "dict",
        "keys": ["str"],
        "message": {"type": "str", "body": "bytes", "more_body": "bool"},
        "headers": ["bytes"],
        "extensions": ["dict"],
        "address": ["str", "int", "str", "int"],
    }


def start(**more: Any) -> dict[str, Any]:
    return {**START, **more}


@pytest.mark.parametrize(
    ("message", "error"),
    [
        ({}, "KeyError"),
        ({"type": None}, "ValueError"),
        ({"type": "http.response.start"}, "KeyError"),
        (start(status="200"), "TypeError"),
        (start(status=200.5), "TypeError"),
        (start(status=101), "InvalidResponse"),
        (start(headers=None), "TypeError"),
        (start(headers=[(b"a",)]), "TypeError"),
        (start(headers=[(b"a", b"b", b"c")]), "TypeError"),
        (start(headers=[(b"a", None)]), "TypeError"),
        (start(headers=[("a", "b")]), "TypeError"),
        (start(headers=[(b":status", b"200")]), "InvalidResponse"),
        (start(headers=[(b"a b", b"c")]), "InvalidResponse"),
        (start(headers=[(b"", b"c")]), "InvalidResponse"),
        (start(headers=[(b"caf\xe9", b"c")]), "InvalidResponse"),
        ({"type": "http.response.early_hint"}, "KeyError"),
        ({"type": "http.response.early_hint", "links": b"</a>"}, "TypeError"),
    ],
)
def test_an_invalid_event_is_raised_and_a_valid_one_may_follow(url: Server, message: Any, error: str) -> None:
    reply = url.get(target(message, START, END)).result()
    assert (reply.status, reply.body) == (200, b"whole")
    first, *others = told(url)
    assert first.partition(":")[0] == error
    assert others == ["ok", "ok"]


@pytest.mark.parametrize(
    ("message", "error"),
    [
        ({"type": "http.response.body", "body": None}, "TypeError"),
        ({"type": "http.response.body", "body": [1]}, "TypeError"),
        ({"type": "http.response.pathsend"}, "KeyError"),
        ({"type": "http.response.zerocopysend"}, "KeyError"),
    ],
)
def test_an_invalid_piece_is_raised_and_a_valid_one_may_follow(url: Server, message: Any, error: str) -> None:
    assert url.get(target(START, message, END)).result().body == b"whole"
    ok, failed, last = told(url)
    assert (ok, failed.partition(":")[0], last) == ("ok", error, "ok")


@pytest.mark.parametrize("name", ["a", b":a", b"a b"])
def test_invalid_trailers_are_raised_and_valid_ones_may_follow(url: Server, name: Any) -> None:
    wrong = {"type": "http.response.trailers", "headers": [(name, b"c")]}
    right = {"type": "http.response.trailers", "headers": [(b"x-last", b"c")]}
    query = target(start(trailers=True), END, wrong, right).encode()
    reply = raw(url.port, b"GET %s HTTP/1.1\r\nHost: x\r\nTE: trailers\r\nConnection: close\r\n\r\n" % query)
    assert reply.lower().endswith(b"\r\n0\r\nx-last: c\r\n\r\n")
    assert told(url)[2].partition(":")[0] == ("TypeError" if name == "a" else "InvalidResponse")


def test_additional_keys_do_no_harm(url: Server) -> None:
    assert url.get(target(start(mine=1), {**END, "mine": None})).result().body == b"whole"
    assert told(url) == ["ok", "ok"]


def test_an_error_of_send_that_comes_out_is_not_logged(url: Server, worker: Process) -> None:
    with Upload(url.port, "/disconnected", "GET") as client:
        client.finish()
        client.read_head()
        client.read_chunk()
        client.reset()
    at_rest(url)
    assert url.get("/log").result().status == 200
    assert worker.lines == []


# ---------------------------------------------------------------------- HTTP


def request(path: str, *fields: tuple[str, str]) -> list[tuple[str, str]]:
    pseudo = [(":method", "GET"), (":scheme", "http"), (":authority", "example.org"), (":path", path)]
    return [*pseudo, *fields]


def test_requests_of_one_connection_are_served_apart(url: Server) -> None:
    paths = [f"/scopes/{i}" for i in range(5)]
    replies = http2(url.port, *(request(path + "?5") for path in paths))
    assert [json.loads(body) for _, body in replies] == [[5, path] for path in paths]


def test_fields_of_http2_come_as_they_were_sent(url: Server) -> None:
    fields = [("x-b", "1"), ("x-a", "2"), ("x-b", "3"), ("cookie", "a=b"), ("cookie", "c=d")]
    ((_, body),) = http2(url.port, request("/mutates", *fields))
    seen = json.loads(body)
    assert seen["http_version"] == "2"
    assert seen["headers"][0] == ["b'host'", "b'example.org'"]
    names = [name for name, _ in seen["headers"]]
    assert names.count("b'host'") == 1
    assert not [name for name in names if name.startswith("b':")]
    assert [value for name, value in seen["headers"] if name == "b'x-b'"] == ["b'1'", "b'3'"]
    cookies = [value for name, value in seen["headers"] if name == "b'cookie'"]
    assert cookies in (["b'a=b'", "b'c=d'"], ["b'a=b; c=d'"])  # HTTP/2 may join those


def test_the_method_is_in_upper_case(url: Server) -> None:
    assert ask(url.port, "/mutates", method="purge")["method"] == "PURGE"


def test_values_of_a_header_keep_their_order(url: Server) -> None:
    headers = [
        (b"x-b", b"1"),
        (b"set-cookie", b"a=b"),
        (b"x-b", b"2"),
        (b"set-cookie", b"c=d"),
        (b"x-b", b"0"),
    ]
    reply = url.get(target(start(headers=headers), END)).result()
    assert reply.headers.get_all("x-b") == ["1", "2", "0"]
    assert reply.headers.get_all("set-cookie") == ["a=b", "c=d"]


def test_headers_that_do_not_fit_are_raised_and_the_client_sees_500(url: Server, worker: Process) -> None:
    reply = url.get(f"/large?{SLOT}").result()
    assert (reply.status, reply.body) == (500, b"500 Internal Server Error\n")
    worker.says("HeadersTooLarge")


def test_a_response_with_trailers_waits_for_them(url: Server) -> None:
    request = b"GET /waits_for_trailers HTTP/1.1\r\nHost: x\r\nTE: trailers\r\nConnection: close\r\n\r\n"
    with socket.create_connection(("127.0.0.1", url.port), 60) as client, client.makefile("rb") as reader:
        client.sendall(request)
        head = b"".join(iter(reader.readline, b"\r\n"))
        assert b"chunked" in head.lower()
        assert [reader.readline() for _ in range(2)] == [b"5\r\n", b"whole\r\n"]
        client.setblocking(False)
        with pytest.raises(BlockingIOError):
            client.recv(1, socket.MSG_PEEK)
        client.settimeout(60)
        url.get("/go").result()
        assert reader.read().lower() == b"0\r\nx-last: 1\r\n\r\n"


# ----------------------------------------------------------------- WebSocket


@pytest.mark.parametrize(
    ("message", "error"),
    [
        ({}, "KeyError"),
        ({"type": "websocket.connect"}, "ValueError"),
        ({**ACCEPT, "headers": [(b":status", b"200")]}, "InvalidResponse"),
        ({**ACCEPT, "headers": [(b"a b", b"c")]}, "InvalidResponse"),
        ({**ACCEPT, "headers": [(b"a",)]}, "TypeError"),
        ({**ACCEPT, "subprotocol": b"chat"}, "InvalidResponse"),
        ({"type": "websocket.http.response.start"}, "KeyError"),
        ({"type": "websocket.http.response.start", "status": 401.5}, "TypeError"),
    ],
)
def test_an_invalid_event_of_a_websocket_is_raised_and_a_valid_one_may_follow(
    url: Server, message: Any, error: str
) -> None:
    with dial(url.port, target("receive", message, ACCEPT, SAY)) as client:
        assert client.recv(20) == "whole"
    connect, first, *others = told(url)
    assert connect == {"type": "websocket.connect"}
    assert first.partition(":")[0] == error
    assert others == ["ok", "ok"]


@pytest.mark.parametrize(
    ("message", "error"),
    [
        ({"type": "websocket.close", "code": "1000"}, "TypeError"),
        ({"type": "websocket.close", "code": 99}, "InvalidResponse"),
        ({"type": "websocket.close", "code": None}, "TypeError"),
        ({"type": "websocket.close", "reason": 5}, "TypeError"),
        ({"type": "websocket.close", "reason": b"no"}, "TypeError"),
    ],
)
def test_an_invalid_close_is_raised_and_a_valid_one_may_follow(url: Server, message: Any, error: str) -> None:
    with dial(url.port, target(ACCEPT, message, SAY)) as client:
        assert client.recv(20) == "whole"
    assert told(url)[1].partition(":")[0] == error


def test_additional_keys_of_a_websocket_do_no_harm(url: Server) -> None:
    messages = [{**message, "mine": 1} for message in (ACCEPT, SAY, {"type": "websocket.close"})]
    with dial(url.port, target(*messages)) as client:
        assert client.recv(20) == "whole"
    assert told(url) == ["ok"] * 3


def test_a_ping_is_answered_without_the_application(url: Server) -> None:
    with dial(url.port, target(ACCEPT, "receive", "receive")) as client:
        assert client.ping(b"hello").wait(20)
    assert told(url)[2]["type"] == "websocket.disconnect"


def test_the_handshake_waits_for_the_application(url: Server) -> None:
    fields = ("Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13")
    key = "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="
    with socket.create_connection(("127.0.0.1", url.port), 60) as client:
        client.sendall("\r\n".join(["GET /slow HTTP/1.1", "Host: x", *fields, key, "", ""]).encode())
        eventually("the application to be asked", lambda: log(url) == ["asked"])
        client.setblocking(False)
        with pytest.raises(BlockingIOError):
            client.recv(1)
        client.settimeout(60)
        url.get("/go").result()
        assert client.recv(12) == b"HTTP/1.1 101"


# ------------------------------------------------------------------ lifespan


@pytest.mark.parametrize("processes", ["1", "2"])
def test_the_lifespan_is_of_the_loop_that_serves(server: Server, processes: str) -> None:
    own = ("--processes", processes)
    with running(server, "asgi", "specification_app:app", *own, links=int(processes)):
        for _ in range(10):
            startups, loops, loop = json.loads(server.get("/loop").result().body)
            assert (startups, loops) == (["begun", "done"], [loop])


def test_the_end_waits_for_the_shutdown(server: Server) -> None:
    with running(server, "asgi", "specification_app:app") as process:
        process.signal(signal.SIGTERM)
        assert process.wait() == 0
    assert [line for line in process.lines if line.startswith("shutdown")] == [
        "shutdown begun\n",
        "shutdown done\n",
    ]
