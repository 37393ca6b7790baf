"""The environ of PEP 3333."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterable
from typing import Any
from urllib.parse import unquote

from .._core.exchange import CLIENT, Exchange, client_address
from .._core.waiter import Waiter
from .._serving.http_rules import host_and_port, is_below, root_bytes
from .._version import VERSION
from ._files import FileWrapper, Input

# The most cached lists of names, and bytes of one. Clients choose the names, so both are bounded.
_MAX_LISTS, _MAX_LENGTH = 256, 2048

_PROTOCOLS = {1: "HTTP/1.1", 2: "HTTP/2", 3: "HTTP/3"}

_OMITTED = ""

_CLIENT = CLIENT.decode()

# What the server, or a proxy that it trusts, has removed from the beginning of the path.
_PREFIX = "HTTP_X_FORWARDED_PREFIX"

# The keys of what precedes the field values in the head of a request.
_HEAD_KEYS = ("REQUEST_METHOD", "wsgi.url_scheme", "HTTP_HOST", "REQUEST_URI")


def _key(name: str) -> str:
    """Return the key of a header. A name with an underscore has none, since it would pass for
    another one; nor has Proxy, since programs take HTTP_PROXY for a setting of theirs.
    """
    if name in ("content-type", "content-length"):
        return name.upper().replace("-", "_")
    return _OMITTED if "_" in name or name == "proxy" else "HTTP_" + name.upper().replace("-", "_")


def _stripped(prefix: str) -> str:
    """Return an escaped prefix as a native string; nothing if it is no path."""
    return unquote(prefix, "latin-1").rstrip("/") if prefix.startswith("/") else ""


class _Keys(dict[bytes, tuple[tuple[str, ...], bool]]):
    """Caches the keys of header names, and whether each occurs once. Most clients send the same
    names every time.
    """

    def __missing__(self, names: bytes) -> tuple[tuple[str, ...], bool]:
        listed = names.decode("latin-1").split("\0")[:-1]
        named = listed[:1] == [_CLIENT]
        keys = (*_HEAD_KEYS, *["REMOTE_ADDR"][:named], *map(_key, listed[named:]))
        found = keys, len({*keys, _OMITTED}) > len(keys)
        if len(names) <= _MAX_LENGTH:
            if len(self) >= _MAX_LISTS:
                self.clear()
            self[names] = found
        return found


class Errors:
    """wsgi.errors: standard error, even if it is closed or takes nothing."""

    def write(self, text: str) -> int:
        """Write text, if that is possible."""
        with contextlib.suppress(AttributeError, OSError, ValueError):
            sys.stderr.write(text)
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write lines."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Flush standard error, if that is possible."""
        with contextlib.suppress(AttributeError, OSError, ValueError):
            sys.stderr.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(sys.stderr, name)


class Environs:
    """Makes environs, from the part that all requests of a process share."""

    def __init__(self, root_path: str, *, multithread: bool, multiprocess: bool) -> None:
        self._keys = _Keys()
        self._root = root_bytes(root_path).decode("latin-1")  # a native string, like PATH_INFO
        self._same: dict[str, Any] = {
            "SCRIPT_NAME": "",
            "SERVER_SOFTWARE": f"upload-response/{VERSION}",
            "wsgi.version": (1, 0),
            "wsgi.errors": Errors(),
            "wsgi.multithread": multithread,
            "wsgi.multiprocess": multiprocess,
            "wsgi.run_once": False,
            "wsgi.file_wrapper": FileWrapper,
            "wsgi.input_terminated": True,
        }

    def make(self, exchange: Exchange, waiter: Waiter) -> dict[str, Any]:
        """Return the environ of a request."""
        parts = exchange.parts
        keys, once = self._keys[exchange.names]
        environ = self._same.copy()
        environ.update(zip(keys, parts))
        if not once:
            self._join(environ, keys, parts)
        scheme, authority, target = parts[1:4]
        if not authority:
            self._has_no_host(environ, keys)
        if not scheme:
            environ["wsgi.url_scheme"] = scheme = "http"
        path, _, environ["QUERY_STRING"] = target.partition("?")
        if scheme == "https":
            environ["HTTPS"] = "on"
        if "%" in path:
            path = unquote(path, "latin-1")
        environ["PATH_INFO"] = path
        if self._root and is_below(self._root, path):
            environ["SCRIPT_NAME"], environ["PATH_INFO"] = self._root, path[len(self._root) :]
        if _PREFIX in environ:
            environ["SCRIPT_NAME"] = _stripped(environ[_PREFIX]) + environ["SCRIPT_NAME"]
        environ["SERVER_PROTOCOL"] = _PROTOCOLS.get(exchange.http_version, "HTTP/1.1")
        environ["SERVER_NAME"], environ["SERVER_PORT"] = host_and_port(authority, scheme)
        environ["wsgi.input"] = Input(exchange, waiter)
        if "REMOTE_ADDR" in environ:
            environ["REMOTE_ADDR"], port = client_address(environ["REMOTE_ADDR"])
            environ["REMOTE_PORT"] = str(port)
        else:
            environ["REMOTE_ADDR"] = ""
        return environ

    def _has_no_host(self, environ: dict[str, Any], keys: tuple[str, ...]) -> None:
        if keys.count("HTTP_HOST") == 1:
            del environ["HTTP_HOST"]

    def _join(self, environ: dict[str, Any], keys: tuple[str, ...], parts: list[str]) -> None:
        """Join the values of repeated headers, and drop omitted ones."""
        found: dict[str, str] = {}
        first = len(_HEAD_KEYS)
        for key, value in zip(keys[first:], parts[first:]):
            before = found[key] + ("; " if key == "HTTP_COOKIE" else ", ") if key in found else ""
            found[key] = before + value
        environ.update(found)
        environ.pop(_OMITTED, None)
