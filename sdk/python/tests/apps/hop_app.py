"""Sends fields of the connection, which are not the application's to send."""

from __future__ import annotations

from typing import Any

FIELDS = [
    ("Connection", "keep-alive, X-Listed"),
    ("X-Listed", "1"),
    ("Keep-Alive", "timeout=5"),
    ("Proxy-Authenticate", "Basic"),
    ("Proxy-Connection", "keep-alive"),
    ("TE", "trailers"),
    ("Trailer", "X-Sum"),
    ("tRANSFER-eNCODING", "chunked"),
    ("Upgrade", "h2c"),
    ("X-Mine", "1"),
    ("Content-Length", "4"),
]


def wsgi_app(environ: Any, start_response: Any) -> list[bytes]:
    """Answer with all of them."""
    start_response("200 OK", FIELDS)
    return [b"done"]


async def asgi_app(scope: Any, receive: Any, send: Any) -> None:
    """Answer with all of them."""
    assert scope["type"] == "http"
    headers = [(name.encode(), value.encode()) for name, value in FIELDS]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"done"})
