"""Fields of the connection, which applications send although they may not."""

from __future__ import annotations

import signal

import pytest

from conftest import Server
from gateways import raw, running

DROPPED = {
    *("connection", "x-listed", "keep-alive", "proxy-authenticate", "proxy-connection"),
    *("te", "trailer", "transfer-encoding", "upgrade"),
}

ALLOWED = {"trailer", "transfer-encoding"}  # of ASGI applications, to no effect


@pytest.mark.parametrize("kind", ["wsgi", "asgi"])
def test_fields_of_the_connection_are_dropped_with_one_warning(server: Server, kind: str) -> None:
    with running(server, kind, f"hop_app:{kind}_app") as process:
        for _ in range(3):
            reply = server.get("/").result()
            assert (reply.status, reply.body, reply.headers["X-Mine"]) == (200, b"done", "1")
            assert reply.headers["Content-Length"] == "4"
            assert not DROPPED & {name.lower() for name in reply.headers}
        process.signal(signal.SIGTERM)
        process.wait()  # and all that it has said is there
        warned = [line for line in process.lines if "which concerns the connection: it is dropped" in line]
        names = DROPPED - {"x-listed"} - (ALLOWED if kind == "asgi" else set())
        assert sorted(line.split(" sends ")[1].split(",")[0] for line in warned) == sorted(names)


@pytest.mark.parametrize("kind", ["wsgi", "asgi"])
@pytest.mark.parametrize("body", ["", "length", "text"])
def test_a_205_has_no_body(server: Server, kind: str, body: str) -> None:
    with running(server, kind, f"hop_app:{kind}_reset"):
        for method in ("GET", "POST", "HEAD"):
            reply = server.call(method, f"/?{body}").result()
            assert (reply.status, reply.body, reply.headers["Content-Length"]) == (205, b"", "0")


@pytest.mark.parametrize(("kind", "said"), [("wsgi", "HTTP/1.1"), ("asgi", "1.1")])
def test_http_1_0_counts_as_1_1(server: Server, kind: str, said: str) -> None:
    with running(server, kind, f"hop_app:{kind}_reset"):
        reply = raw(server.port, b"GET / HTTP/1.0\r\n\r\n")
        assert f"\r\nx-version: {said}\r\n" in reply.decode().lower().replace("http", "HTTP")
