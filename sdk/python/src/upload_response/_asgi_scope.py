"""The scope of an ASGI request."""

from __future__ import annotations

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
}


class Scopes:
    """Makes scopes. root_path: where the application is mounted; state: the lifespan's."""

    def __init__(self, root_path: str, state: dict[str, Any]) -> None:
        self._root_path, self._state = root_path, state

    def make(self, exchange: Exchange) -> dict[str, Any]:
        """Return the scope of a request."""
        parts = exchange.parts
        method, scheme, authority, target = parts[:4]
        path, _, query = target.partition("?")
        raw_path = path.encode("latin-1")
        scheme = scheme or "http"
        host, port = host_and_port(authority, scheme)
        flat = "\0".join(parts[4:-1]).encode("latin-1").split(b"\0")
        names, values = flat[::2], flat[1::2]
        client = None  # the server says the address, and nobody else; it does not say the port
        if _CLIENT in names:
            client = (values[names.index(_CLIENT)].decode("latin-1"), 0)
        headers = list(zip(names, values))
        if authority:
            headers.insert(0, (b"host", authority.encode("latin-1")))
        return {
            "type": "http",
            "asgi": ASGI.copy(),
            "http_version": _VERSIONS.get(exchange.http_version, "1.1"),
            "method": method,
            "scheme": scheme,
            "path": raw_path.decode("utf-8", "replace")
            if "%" not in path
            else unquote_to_bytes(raw_path).decode("utf-8", "replace"),
            "raw_path": raw_path,
            "query_string": query.encode("latin-1"),
            "root_path": self._root_path,
            "headers": headers,
            "client": client,
            "server": (host, int(port)),
            "extensions": _EXTENSIONS.copy(),
            "state": self._state.copy(),
        }
