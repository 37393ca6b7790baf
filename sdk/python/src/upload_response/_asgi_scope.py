"""The scope of an ASGI request."""

from __future__ import annotations

import functools
from typing import Any
from urllib.parse import unquote_to_bytes

from ._exchange import Exchange
from ._gateway import host_and_port

ASGI = {"version": "3.0", "spec_version": "2.5"}

_VERSIONS = {1: "1.1", 2: "2", 3: "3"}

_CLIENT = b"x-forwarded-for"

_EXTENSIONS: dict[str, dict[Any, Any]] = {
    "http.response.trailers": {},
    "http.response.pathsend": {},
    "http.response.zerocopysend": {},
    "http.response.early_hint": {},
}

_WEBSOCKET_EXTENSIONS: dict[str, dict[Any, Any]] = {"websocket.http.response": {}}


@functools.lru_cache(64)
def _server(authority: bytes, scheme: bytes) -> tuple[str, int]:
    host, port = host_and_port(authority.decode("latin-1"), scheme.decode("latin-1"))
    return host, int(port)


class Scopes:
    """Makes scopes. root_path: where the application is mounted; state: the lifespan's."""

    def __init__(self, root_path: str, state: dict[str, Any]) -> None:
        self._root_path, self._state = root_path, state

    def make(self, exchange: Exchange) -> dict[str, Any]:
        """Return the scope of a request."""
        parts = exchange.head.split(b"\0")
        method, scheme, authority, target, *names = parts[:4] + parts[4:-1:2]
        raw_path, _, query = target.partition(b"?")
        headers = [*zip(names, parts[5:-1:2])]
        client = None  # the server says the address, and nobody else; it does not say the port
        if _CLIENT in names:
            client = (headers[names.index(_CLIENT)][1].decode("latin-1"), 0)
        if authority:
            headers.insert(0, (b"host", authority))
        path = raw_path if b"%" not in raw_path else unquote_to_bytes(raw_path)
        return {
            "type": "http",
            "asgi": ASGI.copy(),
            "http_version": _VERSIONS.get(exchange.http_version, "1.1"),
            "method": method.decode("latin-1").upper(),
            "scheme": scheme.decode("latin-1") or "http",
            "path": path.decode("utf-8", "replace"),
            "raw_path": raw_path,
            "query_string": query,
            "root_path": self._root_path,
            "headers": headers,
            "client": client,
            "server": _server(authority, scheme),
            "extensions": _EXTENSIONS.copy(),
            "state": self._state.copy(),
        }

    def make_websocket(self, exchange: Exchange, subprotocols: list[str]) -> dict[str, Any]:
        """Return the scope of a WebSocket."""
        scope = self.make(exchange)
        del scope["method"]
        scope["type"], scope["subprotocols"] = "websocket", subprotocols
        scope["extensions"] = _WEBSOCKET_EXTENSIONS.copy()
        return scope
