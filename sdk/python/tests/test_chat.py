"""The example of a chat."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from client import dial, vanish
from conftest import Process, Server
from gateways import at_rest, running

if TYPE_CHECKING:
    from websockets.sync.connection import Connection

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.fixture
def worker(server: Server) -> Iterator[Process]:
    with running(server, "asgi", "chat:app", "--app-dir", str(EXAMPLES)) as process:
        yield process
        at_rest(server)


def heard(client: Connection) -> tuple[str, str]:
    said = json.loads(client.recv(20))
    return said["who"], said["text"]


def test_all_in_a_room_hear_what_one_says(server: Server, worker: Process) -> None:
    with dial(server.port) as first:
        assert heard(first) == ("", "1 in lobby")
        with dial(server.port) as second, dial(server.port, "/?room=other") as other:
            assert heard(first) == heard(second) == ("", "2 in lobby")
            assert heard(other) == ("", "1 in other")
            for nonsense in ("", "{", "[]", "{}", b"\xff"):
                first.send(nonsense)
            first.send(json.dumps({"who": "me", "text": "hello <b>"}))
            assert heard(first) == heard(second) == ("me", "hello <b>")
            vanish(second)
            assert heard(first) == ("", "1 in lobby")
            with pytest.raises(TimeoutError):
                other.recv(0.1)
    assert not [line for line in worker.lines if "Traceback" in line]


def test_the_page_opens_a_websocket(server: Server, worker: Process) -> None:
    reply = server.get("/?room=other").result()
    assert (reply.status, reply.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert re.search(rb"new WebSocket\(", reply.body)
