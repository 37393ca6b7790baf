"""The scope of an ASGI request."""

from __future__ import annotations

import functools
from typing import Any
from urllib.parse import unquote_to_bytes

from .._core.exchange import CLIENT, Exchange, client_address
from .._serving.http_rules import host_and_port, is_below, root_bytes

ASGI = {"version": "3.0", "spec_version": "2.5"}

_VERSIONS = {1: "1.1", 2: "2", 3: "3"}

# The most cached lists of names, and bytes of one. Clients choose the names, so both are bounded.
_MAX_LISTS, _MAX_LENGTH = 256, 2048

_EXTENSIONS: dict[str, dict[Any, Any]] = {
    "http.response.trailers": {},
    "http.response.pathsend": {},
    "http.response.zerocopysend": {},
    "http.response.early_hint": {},
}

# Fields of an HTTP/1.1 handshake, for applications that look at them. They do not reach workers, and
# HTTP/2 and 3 have none. There is no sec-websocket-key: the server has answered it.
_HANDSHAKE = [(b"upgrade", b"websocket"), (b"connection", b"Upgrade"), (b"sec-websocket-version", b"13")]

_WEBSOCKET_EXTENSIONS: dict[str, dict[Any, Any]] = {"websocket.http.response": {}}


@functools.lru_cache(64)
def _server(authority: bytes, scheme: bytes) -> tuple[str, tuple[str, int]]:
    """Return the scheme as text, and the name and port of the server."""
    text = scheme.decode("latin-1")
    host, port = host_and_port(authority.decode("latin-1"), text)
    return text or "http", (host, int(port))


# What the server, or a proxy that it trusts, has removed from the beginning of the path.
_PREFIX = b"x-forwarded-prefix"


def _stripped(prefix: bytes) -> tuple[bytes, str]:
    """Return an escaped prefix as it is, and as text; nothing if it is no path."""
    raw = prefix.rstrip(b"/") if prefix.startswith(b"/") else b""
    return raw, unquote_to_bytes(raw).decode("utf-8", "replace")


class _Names(dict[bytes, tuple[tuple[bytes, ...], bool, bool]]):
    """Caches the names of headers, whether the first one is the client's address, and whether there
    is a prefix. Most clients send the same names every time.
    """

    def __missing__(self, flat: bytes) -> tuple[tuple[bytes, ...], bool, bool]:
        names = tuple(flat.split(b"\0")[:-1])
        named = names[:1] == (CLIENT,)
        found = names[named:], named, _PREFIX in names
        if len(flat) <= _MAX_LENGTH:
            if len(self) >= _MAX_LISTS:
                self.clear()
            self[flat] = found
        return found


class Scopes:
    """Makes scopes. root_path: where the application is mounted; state: that of the lifespan."""

    def __init__(self, root_path: str, state: dict[str, Any]) -> None:
        self._root_path, self._state = root_bytes(root_path).decode("utf-8", "replace"), state
        self._names = _Names()

    def make(self, exchange: Exchange) -> dict[str, Any]:
        """Return the scope of a request."""
        method, scheme, authority, target, *values = exchange.head.split(b"\0")
        names, named, mounted = self._names[exchange.names]
        client = client_address(values.pop(0).decode("latin-1")) if named else None
        headers = [(b"host", authority), *zip(names, values)] if authority else [*zip(names, values)]
        text, server = _server(authority, scheme)
        raw_path, _, query = target.partition(b"?")
        path_bytes = raw_path if b"%" not in raw_path else unquote_to_bytes(raw_path)
        path, root = path_bytes.decode("utf-8", "replace"), self._root_path
        root = root if not root or is_below(root, path) else ""
        if mounted:
            raw_prefix, prefix = _stripped(values[names.index(_PREFIX)])
            root, path, raw_path = prefix + root, prefix + path, raw_prefix + raw_path
        return {
            "type": "http",
            "asgi": ASGI.copy(),
            "http_version": _VERSIONS.get(exchange.http_version, "1.1"),
            "method": method.decode("latin-1").upper(),
            "scheme": text,
            "path": path,
            "raw_path": raw_path,
            "query_string": query,
            "root_path": root,
            "headers": headers,
            "client": client,
            "server": server,
            "extensions": _EXTENSIONS.copy(),
            "state": self._state.copy(),
        }

    def make_websocket(self, exchange: Exchange, subprotocols: list[str]) -> dict[str, Any]:
        """Return the scope of a WebSocket."""
        scope = self.make(exchange)
        del scope["method"]
        scope["type"], scope["subprotocols"] = "websocket", subprotocols
        scope["headers"] += _HANDSHAKE
        scope["extensions"] = _WEBSOCKET_EXTENSIONS.copy()
        return scope
