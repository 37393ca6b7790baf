"""Where an application is mounted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import pytest

from conftest import Server
from gateways import ask, running
from upload_response import asgi, wsgi

ROOTS = ["/sub", "/api/rest", "/caf\xe9", "/\u5546\u5e97", "/a b"]

# What follows the root, and whether it is below it.
TARGETS = [("", True), ("/", True), ("/show", True), ("/d\xe9j\xe0/\u5546", True), ("way/show", False)]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("root"))
    yield server
    server.end()


@pytest.mark.parametrize("root", ROOTS)
def test_the_environ_reconstructs_the_url(server: Server, root: str) -> None:
    with running(server, "wsgi", "mounted_app:environ_app", "--root-path", root):
        for below, inside in [*TARGETS, *outside(root)]:
            path = root + below if inside is not None else below
            seen = ask(server.port, quote(path))
            assert quote(seen["SCRIPT_NAME"] + seen["PATH_INFO"], encoding="latin-1") == quote(path)
            assert native(seen["SCRIPT_NAME"]) == (root if inside else "")


@pytest.mark.parametrize("root", ROOTS)
def test_the_scope_reconstructs_the_url(server: Server, root: str) -> None:
    with running(server, "asgi", "mounted_app:scope_app", "--root-path", root):
        for below, inside in [*TARGETS, *outside(root)]:
            path = root + below if inside is not None else below
            seen = ask(server.port, quote(path))
            assert (seen["path"], seen["root_path"]) == (path, root if inside else "")


def outside(root: str) -> list[tuple[str, None]]:
    """Return paths that are not below the root."""
    return [("/", None), (root[:-1], None), ("/other" + root, None)]


def native(text: str) -> str:
    """Return the text of a native string of PEP 3333."""
    return text.encode("latin-1").decode()


@pytest.mark.parametrize("root", ROOTS)
@pytest.mark.parametrize("framework", ["flask", "starlette"])
def test_frameworks_find_themselves(server: Server, framework: str, root: str) -> None:
    pytest.importorskip(framework)
    kind = "wsgi" if framework == "flask" else "asgi"

    def paths(seen: dict[str, Any]) -> tuple[str, str, str]:
        """Return the path of the request's URL, below the root, and of the page's own."""
        return unquote(urlsplit(seen["url"]).path), seen["path"], unquote(urlsplit(seen["page"]).path)

    with running(server, kind, f"mounted_app:{framework}_app()", "--root-path", root):
        for path, below in [(root + "/x/\xe9", "/x/\xe9"), ("/elsewhere", "/elsewhere")]:
            assert paths(ask(server.port, quote(path))) == (path, below, path)


# What a proxy has removed, the path that it sends on, and where the application is then.
STRIPPED = [
    ("/api", "/x", "/api", "/x"),
    ("/api/", "/", "/api", "/"),
    ("/caf%C3%A9", "/%C3%A9", "/caf\xe9", "/\xe9"),
    ("/outer", "/sub/x", "/outer/sub", "/x"),
    ("api", "/x", "", "/x"),
    ("/", "/x", "", "/x"),
]


@pytest.fixture(scope="module")
def believing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("believing"), "--trust-proxy", "127.0.0.1")
    yield server
    server.end()


def test_the_environ_has_the_prefix_that_was_stripped(believing: Server) -> None:
    with running(believing, "wsgi", "mounted_app:environ_app", "--root-path", "/sub"):
        for prefix, target, root, path in STRIPPED:
            seen = ask(believing.port, target, f"X-Forwarded-Prefix: {prefix}")
            assert (native(seen["SCRIPT_NAME"]), native(seen["PATH_INFO"])) == (root, path)


def test_the_scope_has_the_prefix_that_was_stripped(believing: Server) -> None:
    with running(believing, "asgi", "mounted_app:scope_app", "--root-path", "/sub"):
        for prefix, target, root, path in STRIPPED:
            seen = ask(believing.port, target, f"X-Forwarded-Prefix: {prefix}")
            assert (seen["root_path"], seen["path"]) == (root, root + path)
            assert unquote(seen["raw_path"]) == root + path


@pytest.mark.parametrize(("kind", "app"), [("wsgi", "environ_app"), ("asgi", "scope_app")])
def test_a_client_cannot_say_where_the_application_is(server: Server, kind: str, app: str) -> None:
    with running(server, kind, f"mounted_app:{app}"):
        seen = ask(server.port, "/x", "X-Forwarded-Prefix: /evil")
        assert (seen.get("SCRIPT_NAME"), seen.get("root_path")) in [("", None), (None, "")]


@pytest.mark.parametrize("gateway", [wsgi, asgi])
def test_a_root_path_begins_with_a_slash(gateway: Any) -> None:
    with pytest.raises(ValueError, match="begins with /, not 'sub'"):
        gateway.serve(None, root_path="sub")
