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


def wsgi_reset(environ: Any, start_response: Any) -> list[bytes]:
    """Answer with a 205 that has a body, which it cannot have."""
    wanted = environ["QUERY_STRING"]
    fields = [("X-Version", environ["SERVER_PROTOCOL"])]
    start_response("205 Reset Content", fields + ([("Content-Length", "4")] if wanted == "length" else []))
    return [b"done"] if wanted else []


async def asgi_reset(scope: Any, receive: Any, send: Any) -> None:
    """Answer with a 205 that has a body, which it cannot have."""
    assert scope["type"] == "http"
    wanted, headers = scope["query_string"], [(b"x-version", scope["http_version"].encode())]
    headers += [(b"content-length", b"4")] if wanted == b"length" else []
    await send({"type": "http.response.start", "status": 205, "headers": headers})
    await send({"type": "http.response.body", "body": b"done" if wanted else b""})
