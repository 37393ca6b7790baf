"""The environ of PEP 3333."""

from __future__ import annotations

import sys
from typing import Any
from urllib.parse import unquote

from ._exchange import Exchange
from ._gateway import host_and_port
from ._version import VERSION
from ._wsgi_files import FileWrapper, Input

_MOST_NAMES = 1000  # clients choose them

_PROTOCOLS = {1: "HTTP/1.1", 2: "HTTP/2", 3: "HTTP/3"}

_OMITTED = ""


class _Keys(dict[str, str]):
    """The key of each header. Of a name with an underscore there is none: it would pass for
    another one. Nor of Proxy, which programs take for a variable of their own.
    """

    def __missing__(self, name: str) -> str:
        key = "HTTP_" + name.upper().replace("-", "_")
        if "_" in name or name == "proxy":
            key = _OMITTED
        if len(self) < _MOST_NAMES:
            self[name] = key
        return key


class Environs:
    """Makes environs. What is the same for all requests of a process is made once."""

    def __init__(self, root_path: str, *, multithread: bool, multiprocess: bool) -> None:
        self._keys = _Keys({"content-type": "CONTENT_TYPE", "content-length": "CONTENT_LENGTH"})
        self._key_of = self._keys.__getitem__
        self._root = root_path
        self._same: dict[str, Any] = {
            "SCRIPT_NAME": root_path,
            "SERVER_SOFTWARE": f"upload-response/{VERSION}",
            "wsgi.version": (1, 0),
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": multithread,
            "wsgi.multiprocess": multiprocess,
            "wsgi.run_once": False,
            "wsgi.file_wrapper": FileWrapper,
            "wsgi.input_terminated": True,
        }

    def make(self, exchange: Exchange) -> dict[str, Any]:
        """Return the environ of a request."""
        parts = exchange.parts
        environ = self._same.copy()
        environ["REQUEST_METHOD"], scheme, authority, target = parts[:4]
        path, _, environ["QUERY_STRING"] = target.partition("?")
        environ["wsgi.url_scheme"] = scheme = scheme or "http"
        if scheme == "https":
            environ["HTTPS"] = "on"
        environ["REQUEST_URI"] = target
        if "%" in path:
            path = unquote(path, "latin-1")
        environ["PATH_INFO"] = self._inner(path) if self._root else path
        environ["SERVER_PROTOCOL"] = _PROTOCOLS.get(exchange.http_version, "HTTP/1.1")
        environ["SERVER_NAME"], environ["SERVER_PORT"] = host_and_port(authority, scheme)
        environ["wsgi.input"] = Input(exchange)
        if authority:
            environ["HTTP_HOST"] = authority
        keys, values = [*map(self._key_of, parts[4:-1:2])], parts[5:-1:2]
        count = len(environ) + len(keys)
        environ.update(zip(keys, values))
        if len(environ) != count or _OMITTED in environ:
            self._join(environ, keys, values)
        environ["REMOTE_ADDR"] = environ.get("HTTP_X_FORWARDED_FOR", "")  # the server says it, nobody else
        return environ

    def _join(self, environ: dict[str, Any], keys: list[str], values: list[str]) -> None:
        """Join what comes more than once, and leave out what is to be left out."""
        found: dict[str, str] = {}
        for key, value in zip(keys, values):
            before = found[key] + ("; " if key == "HTTP_COOKIE" else ", ") if key in found else ""
            found[key] = before + value
        environ.update(found)
        environ.pop(_OMITTED, None)

    def _inner(self, path: str) -> str:
        """Return the path below the root, if it is there."""
        below = path[len(self._root) :]
        return below if path.startswith(self._root) and below[:1] in ("", "/") else path
