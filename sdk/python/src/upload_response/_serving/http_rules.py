"""The rules of HTTP that the WSGI and the ASGI gateway share."""

from __future__ import annotations

import functools
import logging
import operator

from .._core.errors import InvalidResponse

log = logging.getLogger("upload_response")

# The bytes that a field value may have: no control characters except the tab.
_ALLOWED = bytes(c for c in range(256) if c == 9 or (c >= 32 and c != 127))

_TOKEN = frozenset("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")


# Fields that concern one connection (RFC 9110 section 7.6.1). The server drops them from responses.
HOP_BY_HOP = frozenset(
    [
        *("connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection"),
        *("te", "trailer", "trailers", "transfer-encoding", "upgrade"),
    ]
)

_warned: set[str] = set()


def warn_hop_by_hop(name: str) -> None:
    """Log, once for each name, that a field of the application does not reach the client."""
    if name not in _warned:
        _warned.add(name)
        log.warning("the application sends %s, which concerns the connection: it is dropped", name)


def is_token(name: str) -> bool:
    """Return whether a field may have this name."""
    return bool(name) and _TOKEN.issuperset(name)


def check_fields(flat: bytes, parts: int) -> bytes:
    """Return flat fields with `parts` names and values, each followed by a NUL.

    Raise InvalidResponse if one of them has a character that is not allowed.
    """
    if len(flat.translate(None, _ALLOWED)) != parts:  # the NULs, and nothing else
        raise InvalidResponse("a header contains a control character")
    return flat


def check_status(status: int) -> int:
    """Return the status, or raise InvalidResponse if a response may not have it."""
    status = operator.index(status)
    if not 200 <= status <= 999:
        raise InvalidResponse(f"a status is from 200 to 999, not {status}")
    return status


def has_no_body(status: int, method: str) -> bool:
    """Return whether a response has no body (RFC 9110 section 6.4.1)."""
    return method == "HEAD" or status in (204, 205, 304)


def root_bytes(root_path: str) -> bytes:
    """Return the root path of an application as bytes of a decoded path, in UTF-8."""
    if root_path and not root_path.startswith("/"):
        raise ValueError(f"a root path begins with /, not {root_path!r}")
    return root_path.rstrip("/").encode("utf-8", "surrogateescape")  # as Python decodes command lines


def is_below(root: str, path: str) -> bool:
    """Return whether a path is the root or below it."""
    return path.startswith(root) and path[len(root) : len(root) + 1] in ("", "/")


@functools.lru_cache(64)
def host_and_port(authority: str, scheme: str) -> tuple[str, str]:
    """Split the authority of a request into the name and the port of the server."""
    host, colon, port = authority.rpartition(":")
    if not colon or not port.isascii() or not port.isdigit():
        host, port = authority.rstrip(":"), "443" if scheme in ("https", "wss") else "80"
    return host or "localhost", port
