"""What a client sees of a response."""

from __future__ import annotations

import array
import itertools
import os
import signal
import socket
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest

import upload_response as ur
from client import Reply, Upload
from conftest import SLOT, Server
from test_request import take


def answer(server: Server, *steps: Any) -> Reply:
    """Take one request, do steps with its response, and return what the client saw."""
    with server.worker() as worker:
        reply = server.get("/")
        response = take(worker).response
        for step in steps:
            step(response)
        if not response.ended:
            response.end()
        return reply.result()


def test_status_headers_and_body_arrive(server: Server) -> None:
    reply = answer(
        server,
        lambda r: r.start(
            HTTPStatus.CREATED, [("X-A", "1"), (b"x-b", b"caf\xe9"), ("Set-Cookie", "a"), ("set-cookie", "b")]
        ),
        lambda r: r.write("h\xe9llo "),
        lambda r: r.write(bytearray(b"world")),
    )
    assert reply.status == 201
    assert reply.headers["x-a"] == "1"
    assert reply.headers["x-b"] == "caf\xe9"
    assert reply.headers.get_all("set-cookie") == ["a", "b"]
    assert reply.body == "h\xe9llo world".encode()
    assert reply.headers["content-length"] == "12"  # small enough to be counted


def test_a_response_may_be_empty(server: Server) -> None:
    reply = answer(server, lambda r: r.start(204))
    assert (reply.status, reply.body) == (204, b"")


@pytest.mark.parametrize("size", [1, SLOT - 1, SLOT, SLOT + 1, 16 << 10, (16 << 10) + 1, 3 << 20])
def test_a_body_of_any_size_arrives(server: Server, size: int) -> None:
    body = os.urandom(size)
    assert answer(server, lambda r: r.start(), lambda r: r.write(body)).body == body
    half = size // 2
    pieces = (lambda r: r.start(), lambda r: r.write(body[:half]), lambda r: r.write(memoryview(body)[half:]))
    assert answer(server, *pieces).body == body


def test_any_contiguous_buffer_can_be_written(server: Server) -> None:
    numbers = array.array("I", range(10000))
    reply = answer(
        server,
        lambda r: r.start(),
        lambda r: r.write(numbers),
        lambda r: r.write(memoryview(numbers)[:3]),
        lambda r: r.write(memoryview(b"").cast("B")),
    )
    assert reply.body == numbers.tobytes() + numbers[:3].tobytes()


ur_small = 100000  # more than is kept until the end


@pytest.mark.parametrize("size", [10, 1 << 20])
def test_what_is_not_bytes_is_refused(server: Server, size: int) -> None:
    def write(r: ur.Response) -> None:
        for wrong in (5, None, [1, 2], 1.5):
            with pytest.raises(TypeError):
                r.write(wrong)  # type: ignore[arg-type]
        if size > ur_small:
            with pytest.raises(BufferError):
                r.write(memoryview(bytes(2 * size))[::2])
        r.write(b"right")

    assert b"right" in answer(server, lambda r: r.start(), write).body


def test_a_flush_sends_what_is_there(server: Server) -> None:
    with server.worker() as worker, Upload(server.port) as upload:
        response = take(worker).response
        response.start(200, {"x": "y"})
        response.flush()
        assert "X: y" in upload.read_head()
        response.write(b"now")
        response.flush()
        assert upload.read_chunk() == b"now"
        upload.finish()
        response.end()
        assert upload.read_chunk() == b""


def test_trailers_follow_the_body(server: Server) -> None:
    with server.worker() as worker, Upload(server.port) as upload:
        upload.finish()
        response = take(worker).response
        response.start(200, {"trailer": "x-sum"})
        response.write(b"body")
        response.trailers({"X-Sum": "42"})
        with pytest.raises(ur.InvalidResponse):
            response.write(b"x" * 100000)
        response.end()
        upload.read_head()
        assert upload.read_chunk() == b"body"
        assert upload.read_chunk() == b""
        assert "42" in upload.read_head()


def test_room_is_filled_in_place(server: Server) -> None:
    def fill(r: ur.Response) -> None:
        for text in (b"first ", b"second"):
            room = r.reserve(100)
            assert not room.readonly
            assert 0 < len(room) <= 100
            room[: len(text)] = text
            r.commit(len(text))
            with pytest.raises(ValueError, match="released"):
                room[0] = 1
        assert len(r.reserve(1 << 30)) > 100

    assert answer(server, lambda r: r.start(), fill).body == b"first second"


def test_room_cannot_be_used_after_its_commit(server: Server) -> None:
    def misuse(r: ur.Response) -> None:
        room = r.reserve(10)
        part = room[2:4]
        with pytest.raises(ur.ViewsAlive):
            r.commit(10)
        del part
        r.commit(0)
        with pytest.raises(ur.InvalidResponse, match="nothing was reserved"):
            r.commit(1)
        room = r.reserve(10)
        with pytest.raises(ur.InvalidResponse, match="11 bytes are more than the 10"):
            r.commit(11)
        held = memoryview(room)
        with pytest.raises(ur.ViewsAlive):
            r.write(b"x" * 100000)
        held.release()
        r.commit(0)

    assert answer(server, lambda r: r.start(), misuse).body == b""


def test_a_file_is_sent(server: Server, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(os.urandom(300000))
    content = path.read_bytes()

    def send(r: ur.Response) -> None:
        with path.open("rb") as file:
            file.read(10)
            assert r.send_file(file, count=90) == 90
            assert file.tell() == 100
            assert r.send_file(file) == 299900
            assert r.send_file(file, offset=5, count=7) == 7
            assert r.send_file(file.fileno(), offset=299999, count=100) == 1

    assert answer(server, lambda r: r.start(), send).body == content[10:] + content[5:12] + content[-1:]


def test_a_pipe_is_sent(server: Server) -> None:
    read, write = os.pipe()
    os.write(write, b"from a pipe")
    os.close(write)
    with os.fdopen(read, "rb"):
        assert answer(server, lambda r: r.start(), lambda r: r.send_file(read)).body == b"from a pipe"


def test_what_breaks_a_rule_is_refused_and_can_be_put_right(server: Server) -> None:
    def misuse(r: ur.Response) -> None:
        with pytest.raises(ur.InvalidResponse):
            r.write(b"x" * 100000)
        with pytest.raises(ur.InvalidResponse):
            r.end()
        for status, headers in ((199, {}), (1000, {}), (200, {"a b": "c"}), (200, {"a": "b\r\nc: d"})):
            with pytest.raises(ur.InvalidResponse):
                r.start(status, headers)
        with pytest.raises(ur.HeadersTooLarge):
            r.start(200, {"big": "x" * SLOT})
        with pytest.raises(TypeError):
            r.start("200")  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="NUL"):
            r.start(200, {"a": "b\0c\0d"})
        with pytest.raises(TypeError, match="int"):
            r.start(200, {"content-length": 5})  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="latin-1"):
            r.start(200, {"a": "\u20ac"})
        r.start(200)
        with pytest.raises(ur.InvalidResponse, match="twice"):
            r.start(200)
        r.write(b"right")

    assert answer(server, misuse).body == b"right"


def interims(port: int, path: str = "/") -> bytes:
    """Return all that comes to a client, interim responses too."""
    with socket.create_connection(("127.0.0.1", port), 60) as client, client.makefile("rb") as reader:
        client.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        return reader.read()


def test_interim_responses_come_before_the_response(server: Server) -> None:
    with server.worker() as worker, ThreadPoolExecutor() as pool:
        reply = pool.submit(interims, server.port)
        response = take(worker).response
        response.interim(103, {"Link": "</a.css>; rel=preload"})
        response.interim(102)
        for status in (99, 100, 101, 200):
            with pytest.raises(ur.InvalidResponse):
                response.interim(status)
        with pytest.raises(ur.HeadersTooLarge):
            response.interim(103, {"big": "x" * SLOT})
        response.start(200, {"x-final": "1"})
        with pytest.raises(ur.InvalidResponse, match=r"after start\(\)"):
            response.interim(103)
        response.end()
        with pytest.raises(ur.RequestEnded):
            response.interim(103)
        early, processing, final = reply.result().split(b"HTTP/1.1 ")[1:]
        assert early.startswith(b"103 ")
        assert b"\r\nLink: </a.css>; rel=preload\r\n" in early
        assert processing.startswith(b"102 ")
        assert final.startswith(b"200 ")
        assert b"X-Final: 1" in final
        assert b"</a.css>" not in final


@pytest.mark.parametrize("size", [10, SLOT - 100])
def test_a_response_behind_interim_ones_waits_for_room(server: Server, size: int) -> None:
    """The server is stopped, so that they fill all that there is."""
    with server.worker() as worker, ThreadPoolExecutor() as pool:
        reply = pool.submit(interims, server.port)
        response = take(worker).response
        server.signal(signal.SIGSTOP)
        steps, count = response._exchange.interim(103, {"x": "y" * (SLOT // 2)}), 0
        while not list(itertools.islice(steps, 1)):
            count += 1
            steps = response._exchange.interim(103, {"x": "y" * (SLOT // 2)})
        response.start(200, {"x-final": "z" * size})
        response.write("body")
        ending = pool.submit(response.end)
        server.signal(signal.SIGCONT)
        ending.result(60)
        *early, final = reply.result().split(b"HTTP/1.1 ")[1:]
        assert len(early) == count
        assert final.startswith(b"200 ")
        assert b"z" * size in final
        assert final.endswith(b"\r\n\r\nbody") or b"body\r\n0\r\n" in final


def test_a_length_that_is_promised_is_sent(server: Server) -> None:
    reply = answer(
        server, lambda r: r.start(200, {"Content-Length": "200000"}), lambda r: r.write(b"x" * 200000)
    )
    assert reply.headers["content-length"] == "200000"
    assert len(reply.body) == 200000


def test_an_abort_before_the_start_is_an_error_for_the_client(server: Server) -> None:
    assert answer(server, lambda r: r.abort()).status == 502
    assert (
        answer(server, lambda r: r.start(), lambda r: r.write(b"kept back"), lambda r: r.abort()).status
        == 502
    )


def test_an_abort_after_the_start_never_looks_complete(server: Server) -> None:
    steps = (lambda r: r.start(), lambda r: r.write(b"part"), lambda r: r.flush(), lambda r: r.abort())
    assert not answer(server, *steps).complete


def test_a_response_is_a_context(server: Server) -> None:
    def use(r: ur.Response) -> None:
        with r:
            r.start(200)
            r.write(b"closed by itself")

    def fail(r: ur.Response) -> None:
        r.start(200)
        with pytest.raises(KeyError), r:
            raise KeyError

    assert answer(server, use).body == b"closed by itself"
    assert answer(server, fail).status == 502


def test_use_after_the_end_is_told(server: Server) -> None:
    def misuse(r: ur.Response) -> None:
        r.start(200)
        r.end()
        assert r.ended
        for step in (
            r.flush,
            r.end,
            lambda: r.write(b"x"),
            lambda: r.reserve(1),
            lambda: r.start(200),
            lambda: r.trailers({"a": "b"}),
        ):
            with pytest.raises(ur.RequestEnded):
                step()
        r.abort()  # harmless

    assert answer(server, misuse).status == 200


def test_a_request_that_is_dropped_is_aborted(server: Server) -> None:
    with server.worker() as worker:
        reply = server.get("/")
        take(worker)
        assert reply.result().status == 502
        assert worker.counters["aborted"] == 1


def test_headers_may_fill_a_slot(server: Server) -> None:
    most = SLOT - 18 - 1 - 4 - 2  # the frame, the count, the name, the length of the value
    with pytest.raises(ur.HeadersTooLarge):
        answer(server, lambda r: r.start(200, {"big": "x" * (most + 1)}))
    reply = answer(server, lambda r: r.start(200, {"big": "x" * most}), lambda r: r.write(b"body"))
    assert len(reply.headers["big"]) == most
    assert reply.body == b"body"
