"""The rules of HTTP that the WSGI and the ASGI gateway share."""

from __future__ import annotations

import functools
import logging
import operator

from .._core.errors import InvalidResponse

log = logging.getLogger("upload_response")

# What a header may have: no control characters but the tab.
_ALLOWED = bytes(c for c in range(256) if c == 9 or (c >= 32 and c != 127))

_TOKEN = frozenset("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")


# Fields of one connection (RFC 9110 section 7.6.1), which the server drops from responses.
HOP_BY_HOP = frozenset(
    [
        *("connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection"),
        *("te", "trailer", "trailers", "transfer-encoding", "upgrade"),
    ]
)

_warned: set[str] = set()


def warn_hop_by_hop(name: str) -> None:
    """Say, once, that a field of an application does not reach the client."""
    if name not in _warned:
        _warned.add(name)
        log.warning("the application sends %s, which is a matter of the connection: it is dropped", name)


def is_token(name: str) -> bool:
    """Whether a header may have this name."""
    return bool(name) and _TOKEN.issuperset(name)


def check_fields(flat: bytes, parts: int) -> bytes:
    """Return flat fields in which so many parts are followed by a NUL each, or say that one
    of them has a character that it must not have.
    """
    if len(flat.translate(None, _ALLOWED)) != parts:  # those NULs, and nothing else
        raise InvalidResponse("a header contains a control character")
    return flat


def check_status(status: int) -> int:
    """Return a status that a response may have, or say that it may not."""
    status = operator.index(status)
    if not 200 <= status <= 999:
        raise InvalidResponse(f"a status is from 200 to 999, not {status}")
    return status


def has_no_body(status: int, method: str) -> bool:
    """Whether the response consists of its headers (RFC 9110 section 6.4.1)."""
    return method == "HEAD" or status in (204, 205, 304)


def root_bytes(root_path: str) -> bytes:
    """Return where an application is mounted as it is in a decoded path: UTF-8."""
    if root_path and not root_path.startswith("/"):
        raise ValueError(f"a root path begins with /, not {root_path!r}")
    return root_path.rstrip("/").encode("utf-8", "surrogateescape")  # as arguments of a command come


def is_below(root: str, path: str) -> bool:
    """Whether a path is that of the root, or below it."""
    return path.startswith(root) and path[len(root) : len(root) + 1] in ("", "/")


@functools.lru_cache(64)
def host_and_port(authority: str, scheme: str) -> tuple[str, str]:
    """Divide what the client called us."""
    host, colon, port = authority.rpartition(":")
    if not colon or not port.isascii() or not port.isdigit():
        host, port = authority.rstrip(":"), "443" if scheme in ("https", "wss") else "80"
    return host or "localhost", port
