"""WebSockets of the ASGI gateway, over the wire: what the specification promises."""

from __future__ import annotations

import json
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.frames import Close

from client import dial, http2_message, vanish
from conftest import SLOT, Process, Server, eventually
from gateways import cleared, log, running

if TYPE_CHECKING:
    from websockets.sync.connection import Connection

LOST = {"type": "websocket.disconnect", "code": 1006, "reason": ""}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("asgi"), "--response-timeout", "1s")
    yield server
    server.end()


@pytest.fixture(scope="module", params=["asyncio", "uvloop"])
def worker(server: Server, request: pytest.FixtureRequest) -> Iterator[Process]:
    with running(server, "asgi", "websocket_app:app", "--loop", request.param) as process:
        yield process


@pytest.fixture
def url(server: Server, worker: Process) -> Iterator[Server]:
    """A server with the application."""
    with cleared(server, worker):
        yield server


def happened(server: Server, *events: Any) -> None:
    eventually(str(events), lambda: log(server)[-len(events) :] == [*events])


def quiet(worker: Process) -> bool:
    return not [line for line in worker.lines if "Traceback" in line or "ERROR" in line]


def closing(client: Connection) -> Close:
    """Wait for the close, and return it."""
    with pytest.raises(ConnectionClosed) as closed:
        list(iter(lambda: client.recv(20), None))
    assert closed.value.rcvd is not None
    return closed.value.rcvd


# --------------------------------------------------------------------- scope


def test_the_scope_has_what_the_specification_asks_for(url: Server) -> None:
    headers = {"X-Odd": "1", "Origin": "http://example.org"}
    connection = socket.create_connection(("127.0.0.1", url.port))
    own = connection.getsockname()[1]  # before the application can close it
    options = {"additional_headers": headers, "subprotocols": ["chat", "superchat"], "sock": connection}
    with dial(url.port, "/show?a=1&b=%20", **options) as client:
        seen = json.loads(client.recv(20))
    assert seen["type"] == "websocket"
    assert seen["asgi"] == {"version": "3.0", "spec_version": "2.5"}
    assert (seen["http_version"], seen["scheme"], seen["path"]) == ("1.1", "ws", "/show")
    assert (seen["raw_path"], seen["query_string"]) == ("b'/show'", "b'a=1&b=%20'")
    assert (seen["root_path"], seen["client"], seen["server"]) == (
        "",
        ["127.0.0.1", own],
        ["127.0.0.1", url.port],
    )
    assert seen["subprotocols"] == ["chat", "superchat"]
    assert seen["extensions"] == {"websocket.http.response": {}}
    assert "method" not in seen
    assert (seen["types"]["path"], seen["types"]["state"]) == ("str", "dict")
    names = [name for name, _ in seen["headers"]]
    assert names[0] == "b'host'"
    assert {"b'x-odd'", "b'origin'"} < set(names)
    assert ["b'sec-websocket-protocol'", "b'chat, superchat'"] in seen["headers"]


HANDSHAKE = [["upgrade", "websocket"], ["connection", "Upgrade"], ["sec-websocket-version", "13"]]


@pytest.mark.parametrize("version", ["1.1", "2"])
def test_the_headers_say_what_a_handshake_of_http_1_says(url: Server, version: str) -> None:
    if version == "2":
        seen = json.loads(http2_message(url.port, "/show"))
    else:
        with dial(url.port, "/show") as client:
            seen = json.loads(client.recv(20))
    assert seen["http_version"] == version
    shown = [[repr(part.encode()) for part in field] for field in HANDSHAKE]
    names = [name for name, _ in shown]
    assert [field for field in seen["headers"] if field[0] in names] == shown
    assert not [name for name, _ in seen["headers"] if "sec-websocket-key" in name]


# ------------------------------------------------------------------- messages


@pytest.mark.parametrize("size", [0, 1, SLOT, SLOT + 1, 1 << 20])
def test_messages_of_both_kinds_go_both_ways(url: Server, size: int) -> None:
    with dial(url.port, "/echo") as client:
        for message in ("x" * size, b"\xff" * size):
            client.send(message)
            assert client.recv(20) == message


def test_fragments_are_one_message(url: Server) -> None:
    with dial(url.port, "/echo") as client:
        client.send([b"a", b"", b"bc"])
        assert client.recv(20) == b"abc"
        client.send(["caf", "\xe9"])
        assert client.recv(20) == "caf\xe9"


def test_a_message_has_one_of_two_keys(url: Server) -> None:
    with dial(url.port, "/keys") as client:
        assert [client.recv(20) for _ in range(4)] == ["a", "b", b"c", b"d"]


def test_tasks_may_send_at_once_and_receive_meanwhile(url: Server) -> None:
    with dial(url.port, "/pushes") as client:
        got = [client.recv(20) for _ in range(12)]
        assert sorted(got) == sorted(letter * 100000 for letter in "abcd" for _ in range(3))
    happened(url, "all")


# ----------------------------------------------------------------- handshake


def test_a_subprotocol_and_headers_go_with_the_answer(url: Server) -> None:
    with dial(url.port, "/subprotocol", subprotocols=["chat", "superchat"]) as client:
        assert client.subprotocol == "superchat"
        assert client.response is not None
        assert client.response.headers["x-a"] == "1"
        assert client.response.headers.get_all("set-cookie") == ["b=c", "d=e"]


def refusal(url: Server, path: str) -> tuple[int, bytes]:
    with pytest.raises(InvalidStatus) as refused:
        dial(url.port, path)
    return refused.value.response.status_code, bytes(refused.value.response.body or b"")


def test_a_close_before_the_accept_is_403(url: Server, worker: Process) -> None:
    assert refusal(url, "/rejects") == (403, b"")
    happened(url, LOST)
    assert quiet(worker)


def test_an_application_may_deny_with_a_response_of_its_own(url: Server, worker: Process) -> None:
    with pytest.raises(InvalidStatus) as refused:
        dial(url.port, "/denies")
    response = refused.value.response
    assert (response.status_code, response.body, response.headers["x-why"]) == (401, b"not you", "because")
    happened(url, LOST)
    assert quiet(worker)


def test_who_receives_before_the_accept_waits_for_it(url: Server) -> None:
    with dial(url.port, "/waits_early") as client:
        client.send("hello")
        happened(url, "hello")
        assert closing(client).code == 1000


# --------------------------------------------------------------------- close


@pytest.mark.parametrize(("code", "reason"), [(1000, ""), (4321, "caf\xe9"), (1001, "")])
def test_a_close_of_the_client_is_a_disconnect_with_its_code(
    url: Server, worker: Process, code: int, reason: str
) -> None:
    client = dial(url.port, "/echo")
    client.close(code, reason)
    assert client.close_code == code
    told = {"type": "websocket.disconnect", "code": code, "reason": reason}
    happened(url, told, told)
    assert quiet(worker)


def test_a_close_without_a_code_is_1005(url: Server) -> None:
    client = dial(url.port, "/echo")
    client.socket.sendall(bytes([0x88, 0x80, 0, 0, 0, 0]))
    told = {"type": "websocket.disconnect", "code": 1005, "reason": ""}
    happened(url, told, told)


@pytest.mark.parametrize(
    ("message", "code", "reason"),
    [
        ({}, 1000, ""),
        ({"code": 4321, "reason": "caf\xe9"}, 4321, "caf\xe9"),
        ({"reason": None}, 1000, ""),
        ({"reason": "\xe9" * 100}, 1000, "\xe9" * 61),  # 123 bytes at most
    ],
)
def test_an_application_closes_with_a_code(url: Server, message: Any, code: int, reason: str) -> None:
    with dial(url.port, "/closes?" + json.dumps(message).encode().hex()) as client:
        assert client.recv(20) == "last"
        assert closing(client) == Close(code, reason)
    happened(url, {"type": "websocket.disconnect", "code": code, "reason": reason}, "Disconnected")


def test_an_application_that_returns_has_closed(url: Server, worker: Process) -> None:
    with dial(url.port, "/returns_open") as client:
        assert closing(client).code == 1000
    assert quiet(worker)


# ------------------------------------------------------------- disconnecting


def test_a_client_that_is_gone_is_a_disconnect_with_1006_and_sending_an_os_error(
    url: Server, worker: Process
) -> None:
    vanish(dial(url.port, "/lost"))
    happened(url, LOST, "Disconnected")
    assert quiet(worker)


def test_sending_to_a_client_that_is_gone_is_an_os_error(url: Server, worker: Process) -> None:
    client = dial(url.port, "/endless")
    client.recv(20)
    vanish(client)
    happened(url, "Disconnected", LOST)
    assert quiet(worker)


def test_a_client_that_takes_nothing_holds_only_its_own_task_back(url: Server) -> None:
    client = dial(url.port, "/endless", max_queue=1)
    with dial(url.port, "/echo") as other:
        for _ in range(20):
            other.send("quick")
            assert other.recv(20) == "quick"
    vanish(client)
    happened(url, "Disconnected", LOST)


def test_an_application_that_says_and_hears_nothing_is_left_in_peace(url: Server) -> None:
    """For longer than the response timeout of this server."""
    with dial(url.port, "/idles") as client:
        with pytest.raises(TimeoutError):
            client.recv(1.5)
        url.get("/go").result()
        assert client.recv(20) == "still here"


# ------------------------------------------------------------------ failures


@pytest.mark.parametrize(
    ("page", "error"),
    [
        ("send-first", "RuntimeError"),
        ("body-first", "RuntimeError"),
        ("http", "ValueError"),
        ("protocol-header", "InvalidResponse"),
        ("protocol", "InvalidResponse"),
        ("text-headers", "TypeError"),
        ("newline", "InvalidResponse"),
        ("accept-twice", "RuntimeError"),
        ("deny-late", "RuntimeError"),
        ("both", "TypeError"),
        ("neither", "TypeError"),
        ("bytes-text", "TypeError"),
        ("text-bytes", "TypeError"),
        ("number", "TypeError"),
        ("code", "InvalidResponse"),
    ],
)
def test_what_breaks_a_rule_is_raised_into_the_application(url: Server, page: str, error: str) -> None:
    with dial(url.port, f"/order?{page}") as client:
        told = client.recv(20)
        assert isinstance(told, str)
        assert told.startswith(error + ": ")
        assert page != "code" or told.endswith("1007 to 1014 or 3000 to 4999, not with 999")
        assert closing(client).code == 1000


@pytest.mark.parametrize(
    ("page", "message"),
    [
        ("raises", "LookupError: before"),
        ("returns", "ERROR .* GET /returns returned without websocket.accept"),
        ("returns_denying", "returned without websocket.http.response.body"),
    ],
)
def test_a_failure_before_the_accept_is_500_and_logged(
    url: Server, worker: Process, page: str, message: str
) -> None:
    assert refusal(url, f"/{page}") == (500, b"500 Internal Server Error\n")
    worker.says(message)


def test_a_failure_after_the_accept_is_1011_and_logged(url: Server, worker: Process) -> None:
    with dial(url.port, "/raises_open") as client:
        assert closing(client).code == 1011
    worker.says("LookupError: in the middle")


# ------------------------------------------------------------------- the end


@pytest.mark.parametrize("page", ["echo", "stays"])
def test_a_worker_that_ends_tells_its_clients_to_come_again(tmp_path: Path, page: str) -> None:
    """Those that receive are told at once, the others after the graceful timeout."""
    server = Server(tmp_path)
    try:
        patience = "0.2" if page == "stays" else "60"
        with running(server, "asgi", "websocket_app:app", "--graceful-timeout", patience) as process:
            with dial(server.port, f"/{page}") as client:
                process.signal(signal.SIGTERM)
                assert closing(client).code == 1012
            assert process.wait() == 0
    finally:
        server.end()


def test_a_link_that_is_lost_is_a_disconnect(tmp_path: Path) -> None:
    server = Server(tmp_path)
    try:
        with running(server, "asgi", "websocket_app:app") as process:
            client = dial(server.port, "/endless", max_queue=1)
            client.recv(20)
            server.signal(signal.SIGKILL)
            server.wait()
            server.again()
            server.says("link attached")
            happened(server, "Disconnected", LOST)
            assert quiet(process)
            with pytest.raises(ConnectionClosed):
                list(iter(lambda: client.recv(20), None))
    finally:
        server.end()
