"""Who the client is: what the server says, in every kind of worker, and nothing else."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from client import PATIENCE
from conftest import Scripts, Server
from gateways import running


class Door(NamedTuple):
    """A server that trusts its proxies, and how to come in through a Unix socket."""

    server: Server
    path: str

    def ask(self, *headers: str, unix: bool = False) -> tuple[dict[str, Any], tuple[str, int]]:
        """Return what an application saw of a request, and its origin."""
        with socket.socket(socket.AF_UNIX if unix else socket.AF_INET) as connection:
            connection.settimeout(PATIENCE)
            connection.connect(self.path if unix else ("127.0.0.1", self.server.port))
            head = ["GET /show HTTP/1.1", "Host: test", "Connection: close", *headers, "", ""]
            connection.sendall("\r\n".join(head).encode("latin-1"))
            reply = b""
            while piece := connection.recv(1 << 16):
                reply += piece
            body = reply.partition(b"\r\n\r\n")[2]
            if not body.startswith(b"{"):
                body = body.partition(b"\r\n")[2].rpartition(b"\r\n0\r\n")[0]
            return json.loads(body), connection.getsockname()


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    folder = tmp_path_factory.mktemp("door")
    path = str(folder / "http.sock")
    server = Server(folder, "--listen", f"unix:{path}", "--trust-proxy", "127.0.0.1")
    yield Door(server, path)
    server.end()


SPOOFED = ("Upload-Response-Client: 7.7.7.7:7", "Upload_Response_Client: 7.7.7.7:7", "X-Real-IP: 7.7.7.7")

# What proxies say, and who the client is then.
SAID = {
    "X-Forwarded-For: 6.6.6.6, 203.0.113.5": ("203.0.113.5", 0),
    "X-Forwarded-For: 203.0.113.5:40001": ("203.0.113.5", 40001),
    'Forwarded: for=6.6.6.6, for="[2001:db8::1]:443"': ("2001:db8::1", 443),
    "X-Forwarded-For: 6.6.6.6, unknown": None,
}


def check(door: Door, client_of: Callable[[dict[str, Any]], Any]) -> None:
    """Look at what a worker takes for its client, by whatever way that comes."""
    for said, client in SAID.items():
        seen, own = door.ask(said)
        assert client_of(seen) == (client or own), said
    seen, own = door.ask(*SPOOFED[:2])
    assert client_of(seen) == own
    assert "7.7.7.7" not in json.dumps(seen)
    seen, _ = door.ask("X-Forwarded-For: 6.6.6.6", *SPOOFED, unix=True)  # which nobody trusts
    assert client_of(seen) is None
    assert "6.6.6.6" not in json.dumps(seen)
    assert "7.7.7.7" not in json.dumps(seen)


def test_a_wsgi_application_is_told_one_address(door: Door) -> None:
    def client_of(environ: dict[str, Any]) -> Any:
        assert "HTTP_UPLOAD_RESPONSE_CLIENT" not in environ
        if not environ["REMOTE_ADDR"]:
            assert "REMOTE_PORT" not in environ
            return None
        return environ["REMOTE_ADDR"], int(environ["REMOTE_PORT"])

    with running(door.server, "wsgi", "wsgi_app:app"):
        check(door, client_of)


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_an_asgi_application_is_told_one_address(door: Door, loop: str) -> None:
    def client_of(scope: dict[str, Any]) -> Any:
        assert "upload-response-client" not in json.dumps(scope)
        return scope["client"] and tuple(scope["client"])

    with running(door.server, "asgi", "asgi_app:app", "--loop", loop):
        check(door, client_of)


def test_a_worker_is_told_one_address(door: Door, tmp_path: Path) -> None:
    def client_of(seen: dict[str, Any]) -> Any:
        assert seen["names"] == seen["raw"]
        assert "upload-response-client" not in seen["names"]
        return seen["client"] and tuple(seen["client"])

    scripts = Scripts(door.server, tmp_path)
    scripts.attached("""
        import json
        import upload_response as ur

        def show(request, response):
            seen = {
                "client": request.client,
                "headers": list(request.headers.pairs()),
                "names": [name for name, _ in request.headers.pairs()],
                "raw": [name.decode() for name, _ in request.raw_headers],
            }
            response.start(200, {"content-type": "application/json"})
            response.write(json.dumps(seen))

        ur.serve(show)
    """)
    try:
        check(door, client_of)
    finally:
        scripts.end()
