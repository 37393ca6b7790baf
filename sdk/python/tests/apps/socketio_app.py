"""Sends back what comes, by python-socketio."""

from __future__ import annotations

from typing import Any

import socketio  # type: ignore[import-untyped,unused-ignore]

server: Any = socketio.AsyncServer(async_mode="asgi", transports=["polling", "websocket"])


@server.event  # type: ignore[untyped-decorator,unused-ignore]
async def echo(sid: str, message: Any) -> Any:
    """Answer with the message."""
    return message


@server.event  # type: ignore[untyped-decorator,unused-ignore]
async def leave(sid: str) -> None:
    """End the connection from here, which answers the poll that waits."""
    await server.disconnect(sid)


app = socketio.ASGIApp(server)
