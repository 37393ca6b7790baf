"""Applications of frameworks, unmodified: those of examples/."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from websockets.exceptions import InvalidStatus

from client import Upload, dial, vanish
from conftest import Process, Server, eventually
from gateways import at_rest, running

EXAMPLES = Path(__file__).parents[1] / "examples"


class Running(NamedTuple):
    """An example and who serves it."""

    name: str
    server: Server
    process: Process


@pytest.fixture(
    scope="module",
    params=[
        "wsgi flask_app:app",
        "wsgi django_app:app",
        "asgi django_app:async_app",
        "asgi starlette_app:app",
        "asgi fastapi_app:app",
    ],
)
def app(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    kind, name = request.param.split()
    pytest.importorskip(name.partition("_")[0])
    server = Server(tmp_path_factory.mktemp("framework"))
    options = ("--threads", "4") if kind == "wsgi" else ()
    links = 4 if kind == "wsgi" else 1
    with running(server, kind, name, "--app-dir", str(EXAMPLES), *options, links=links) as process:
        yield Running(request.param, server, process)
        at_rest(server)
    server.end()


def test_a_page_is_served(app: Running) -> None:
    reply = app.server.get("/").result()
    assert (reply.status, reply.body[:10]) == (200, b"hello from")
    assert reply.headers["Content-Type"].startswith("text/")


def test_an_upload_streams_in(app: Running) -> None:
    body = bytes(range(256)) * 8192
    reply = app.server.call("POST", "/digest", body).result()
    assert reply.body.decode().split() == [hashlib.sha256(body).hexdigest(), str(len(body))]


def test_a_chunked_upload_streams_in(app: Running) -> None:
    if app.name == "wsgi django_app:app":
        pytest.skip("under WSGI Django takes a body without a Content-Length for none")
    with Upload(app.server.port, "/digest") as upload:
        for _ in range(3):
            upload.send(b"x" * 10000)
        upload.finish()
        assert "200" in upload.read_head()
    reply = app.server.call("POST", "/digest", iter([b"x" * 10000] * 3)).result()
    assert reply.body.decode().split() == [hashlib.sha256(b"x" * 30000).hexdigest(), "30000"]


def test_a_download_streams_out(app: Running) -> None:
    reply = app.server.get("/count/30000").result()
    assert (reply.status, reply.complete) == (200, True)
    assert reply.body == b"".join(b"%d\n" % i for i in range(30000))


def test_a_client_that_leaves_a_download_leaves_nothing_behind(app: Running) -> None:
    app.process.lines.clear()
    with Upload(app.server.port, "/count/100000000", "GET") as client:
        client.finish()
        client.read_head()
        client.read_chunk()
        client.reset()
    at_rest(app.server)
    assert app.server.get("/").result().status == 200
    assert not [line for line in app.process.lines if "Traceback" in line], app.process.lines


def test_errors_are_the_frameworks_own(app: Running) -> None:
    assert app.server.get("/nowhere").result().status == 404
    assert app.server.get("/error").result().status == 500
    app.process.says("LookupError: in ")
    if "django" not in app.name:
        assert app.server.get("/teapot").result().status == 418


def test_websockets_talk(app: Running) -> None:
    if "starlette" not in app.name and "fastapi" not in app.name:
        pytest.skip("the framework has no WebSockets of its own")
    app.process.lines.clear()
    with dial(app.server.port, "/talk/me") as client:
        for text in ("hello", "x" * 100000):
            client.send(text)
            assert json.loads(client.recv(20)) == {"name": "me", "said": text}
        other = dial(app.server.port, "/talk/other")
        vanish(other)
        client.close(4000)
        assert client.close_code == 4000
    for path in ("/talk/nobody", "/nowhere"):
        with pytest.raises(InvalidStatus, match="403"):
            dial(app.server.port, path)
    at_rest(app.server)
    assert not [line for line in app.process.lines if "Traceback" in line], app.process.lines


def test_forms_and_json_are_read(app: Running) -> None:
    if "fastapi" in app.name:
        reply = app.server.call("POST", "/item", b'{"name": "x"}', Content_Type="application/json").result()
        assert json.loads(reply.body) == {"name": "x", "price": 0.0}
        eventually("the task", lambda: json.loads(app.server.get("/done").result().body) == ["x"])
        assert app.server.call("POST", "/item", b"{", Content_Type="application/json").result().status == 422
    elif "starlette" in app.name:
        assert app.server.get("/source").result().body == (EXAMPLES / "starlette_app.py").read_bytes()
    else:
        kind = "application/x-www-form-urlencoded"
        reply = app.server.call("POST", "/form", b"hello=world&a=%20b", Content_Type=kind).result()
        assert json.loads(reply.body) == {"hello": "world", "a": " b"}
