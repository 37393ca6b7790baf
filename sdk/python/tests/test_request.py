"""What a worker sees of a request."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable

import pytest

import upload_response as ur
from client import Upload
from conftest import SLOT, Server, eventually


def finish(request: ur.Request, text: str = "done") -> None:
    """Answer a request."""
    request.response.start(200)
    request.response.write(text)
    request.response.end()


def take(worker: ur.Worker) -> ur.Request:
    """Return the next request."""
    request = worker.next(20)
    assert request is not None
    return request


def test_the_head_is_what_the_client_sent(server: Server) -> None:
    with server.worker() as worker:
        reply = server.call("PUT", "/a%20b/c?x=1&y=%C3%A9", b"", Accept="text/html", X_Odd="caf\xe9")
        request = take(worker)
        assert (request.method, request.scheme, request.http_version) == ("PUT", "http", 1)
        assert (request.path, request.query) == ("/a%20b/c", "x=1&y=%C3%A9")
        assert request.target == "/a%20b/c?x=1&y=%C3%A9"
        assert request.authority == f"127.0.0.1:{server.port}"
        assert request.headers["ACCEPT"] == "text/html"
        assert request.headers["x-odd"] == "caf\xe9"
        assert (b"x-odd", b"caf\xe9") in request.raw_headers
        assert request.stream_id > 0
        assert repr(request) == "<Request PUT /a%20b/c?x=1&y=%C3%A9>"
        finish(request)
        assert reply.result().status == 200
        assert request.path == "/a%20b/c"  # after the end, too


def test_headers_that_come_twice_are_joined_and_can_be_had_apart() -> None:
    headers = ur.Headers(["accept", "a", "cookie", "x=1", "accept", "b", "cookie", "y=2"])
    assert headers["Accept"] == "a, b"
    assert headers["cookie"] == "x=1; y=2"
    assert headers.get_all("ACCEPT") == ["a", "b"]
    assert headers.get_all("none") == []
    assert "none" not in headers
    assert "Accept" in headers
    assert list(headers) == ["accept", "cookie"]
    assert list(headers.pairs())[2] == ("accept", "b")
    assert len(headers) == 2
    assert headers.get("none") is None


@pytest.mark.parametrize("size", [0, 1, 63, SLOT - 1, SLOT, SLOT + 1, 5 * SLOT + 7, 1 << 20])
def test_a_body_of_any_size_is_read_byte_for_byte(server: Server, size: int) -> None:
    body = hashlib.shake_128(b"%d" % size).digest(size)
    ways: dict[str, Callable[[ur.Request], bytes]] = {
        "chunks": lambda r: b"".join(map(bytes, r)),
        "read": lambda r: r.read(),
        "pieces": lambda r: b"".join(iter(lambda: r.read(1000), b"")),
        "file": lambda r: r.file().read(),
        "lines": lambda r: b"".join(r.file(4096)),
    }
    with server.worker() as worker:
        for name, way in ways.items():
            reply = server.call("POST", "/", body)
            request = take(worker)
            assert way(request) == body, name
            assert request.read() == b""
            assert list(request) == []
            finish(request)
            assert reply.result().body == b"done"


def test_reading_in_different_ways_goes_on_where_the_last_one_stopped(server: Server) -> None:
    body = bytes(range(256)) * 300
    with server.worker() as worker:
        reply = server.call("POST", "/", body)
        request = take(worker)
        buffer = bytearray(100)
        got = request.read(10)
        got += buffer[: request.readinto(buffer)]
        got += bytes(next(request))
        got += request.file(8192).read()
        assert got == body
        assert request.readinto(buffer) == 0
        assert request.readinto(bytearray()) == 0
        finish(request)
        assert reply.result().status == 200


def test_a_read_of_some_bytes_waits_for_all_of_them(server: Server) -> None:
    with server.worker() as worker, Upload(server.port) as upload:
        upload.send(b"abc")
        request = take(worker)
        assert request.read(2) == b"ab"
        upload.send(b"def")
        assert request.read(4) == b"cdef"
        upload.finish()
        assert request.read(4) == b""
        finish(request)
        assert "200" in upload.read_head()


def test_chunks_are_there_while_the_upload_goes_on(server: Server) -> None:
    with server.worker() as worker, Upload(server.port) as upload:
        request = take(worker)
        response = request.response
        response.start(200)
        for i in range(20):
            upload.send(b"piece %d" % i)
            response.write(next(request))
            response.flush()
            if i == 0:
                assert "200" in upload.read_head()
            assert upload.read_chunk() == b"piece %d" % i
        assert request.has_body
        upload.finish()
        assert list(request) == []
        assert not request.has_body
        response.end()
        assert upload.read_chunk() == b""


def test_trailers_are_there_after_the_body(server: Server) -> None:
    with server.worker() as worker, Upload(server.port) as upload:
        upload.send(b"body")
        upload.finish("X-Sum: 42\r\nX-Sum: 43\r\n")
        request = take(worker)
        assert dict(request.trailers) == {}
        assert request.read() == b"body"
        assert request.trailers.get_all("x-sum") == ["42", "43"]
        finish(request)
        assert "200" in upload.read_head()


def test_slots_can_be_had_by_their_number(server: Server) -> None:
    with server.worker() as worker, Upload(server.port) as upload:
        upload.send(b"two")
        request = take(worker)
        assert bytes(request.tail(1).data[:4]) == b"HPKS"
        two = request.tail(2)
        assert (two.number, two.kind, bytes(two.data)) == (2, 2, b"two")
        assert two.time_ns > 0
        assert request.look(3) is None
        assert bytes(request.tail(2).data) == b"two"  # any number of times
        upload.send(b"three")
        assert bytes(request.tail(3).data) == b"three"
        with pytest.raises(ValueError, match="slot 9"):
            request.release(9)
        del two
        request.release(2)
        with pytest.raises(ur.Released):
            request.tail(2)
        assert bytes(request.tail(3).data) == b"three"
        upload.finish()
        end = request.tail(4)
        assert (end.kind, len(end.data)) == (4, 0)
        request.release(4)
        finish(request)
        assert "200" in upload.read_head()


def test_a_body_that_is_not_wanted_is_thrown_away(server: Server) -> None:
    with server.worker() as worker:
        reply = server.call("POST", "/", b"x" * (1 << 20))
        request = take(worker)
        request.release()
        assert request.read() == b""
        with pytest.raises(ur.Released):
            request.tail(2)
        finish(request)
        assert reply.result().body == b"done"


def test_a_timeout_is_an_error_of_its_own(server: Server) -> None:
    with server.worker() as worker:
        with pytest.raises(TimeoutError):
            worker.next(0.001)
        with pytest.raises(ur.Timeout):
            worker.next(0)


def test_several_requests_can_be_in_progress_on_one_worker(server: Server) -> None:
    with server.worker(lanes=8) as worker:
        replies = {path: server.call("POST", path, path.encode() * 5000) for path in ("/a", "/bb", "/ccc")}
        requests = [take(worker) for _ in replies]
        for request in reversed(requests):
            finish(request, hashlib.sha1(request.read()).hexdigest())
        for path, reply in replies.items():
            assert reply.result().body.decode() == hashlib.sha1(path.encode() * 5000).hexdigest()
        eventually("all to be let go", lambda: worker.counters["active"] == 0)


def test_the_body_as_a_file_is_a_file_in_all_ways(server: Server) -> None:
    with server.worker() as worker:
        reply = server.call("POST", "/", b"line 1\nline 2\nthe rest")
        request = take(worker)
        with request.file() as file:
            assert isinstance(file, io.BufferedReader)
            assert file.readable()
            assert not file.writable()
            assert file.readline() == b"line 1\n"
            assert list(file) == [b"line 2\n", b"the rest"]
        finish(request)
        assert reply.result().status == 200
