"""python-socketio and its own client: an application that looks at the handshake of a WebSocket."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from conftest import Server
from gateways import running

socketio = pytest.importorskip("socketio")
pytest.importorskip("aiohttp")

SOON = 20  # seconds


@pytest.mark.parametrize(
    ("transports", "ends_as"),
    [(["polling"], "polling"), (["websocket"], "websocket"), (["polling", "websocket"], "websocket")],
)
def test_its_client_talks_in_each_of_its_ways(server: Server, transports: list[str], ends_as: str) -> None:
    async def talk() -> None:
        client: Any = socketio.AsyncClient(reconnection=False)
        await client.connect(f"http://127.0.0.1:{server.port}", transports=transports, wait_timeout=SOON)
        try:
            assert client.transport() == ends_as
            for message in ("hello", b"\x00\xff" * 5000):
                assert await client.call("echo", message, timeout=SOON) == message
            await client.emit("leave")
            await client.wait()
        finally:
            await client.disconnect()

    with running(server, "asgi", "socketio_app:app") as worker:
        asyncio.run(asyncio.wait_for(talk(), 3 * SOON))
        assert not [line for line in worker.lines if "Traceback" in line]
