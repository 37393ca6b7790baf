"""Fields of the connection, which applications send although they may not."""

from __future__ import annotations

import pytest

from conftest import Server
from gateways import running

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
        warned = [line for line in process.lines if "a matter of the connection: it is dropped" in line]
        names = DROPPED - {"x-listed"} - (ALLOWED if kind == "asgi" else set())
        assert sorted(line.split(" sends ")[1].split(",")[0] for line in warned) == sorted(names)
