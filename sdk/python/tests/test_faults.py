"""What happens when something goes wrong."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

import upload_response as ur
from client import Upload
from conftest import SLOT, Server
from test_request import finish, take


def in_child(check: object) -> int:
    """Call a function in a forked child, and return its exit status."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            check()  # type: ignore[operator]
            status = 0
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_an_attach_says_why_it_failed(server: Server, tmp_path: Path) -> None:
    with pytest.raises(
        ur.AttachError, match=r"cannot connect to .*nobody: No such file or directory$"
    ) as caught:
        ur.Worker(tmp_path / "nobody")
    assert caught.value.may_pass
    with pytest.raises(ur.AttachError, match="pool") as caught:
        ur.Worker(server.socket, pool="unknown")
    assert not caught.value.may_pass
    with pytest.raises(ur.AttachError, match="path"):
        ur.Worker("x" * 200)


def test_the_socket_and_the_pool_come_from_the_environment(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UPLOAD_RESPONSE_SOCKET", server.socket)
    ur.Worker().close()
    monkeypatch.setenv("UPLOAD_RESPONSE_POOL", "other")
    with pytest.raises(ur.AttachError, match="other"):
        ur.Worker()
    ur.Worker(pool="default").close()
    monkeypatch.delenv("UPLOAD_RESPONSE_SOCKET")
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/nonexistent")
    with pytest.raises(ur.AttachError, match=r"/nonexistent/upload-response\.sock"):
        ur.Worker()


def test_a_worker_knows_its_server(server: Server) -> None:
    with server.worker(name="ana") as worker:
        assert worker.server.pid == server.pid
        assert worker.server.name
        assert worker.slot_size == SLOT
        assert "link=ana" in "".join(server.lines)
    with pytest.raises(ur.LinkClosed):
        _ = worker.server


def test_use_after_close_is_told(server: Server) -> None:
    with server.worker() as worker:
        reply = server.call("POST", "/", b"x")
        request = take(worker)
        response = request.response
        response.start(200)
    worker.close()  # once more
    worker.drain()
    for step in (
        worker.next,
        request.read,
        response.end,
        response.flush,
        lambda: worker.counters,
        lambda: request.reason,
    ):
        with pytest.raises(ur.LinkClosed, match="the worker was closed"):
            step()
    response.abort()
    assert reply.result().status == 502


def test_a_client_that_goes_cancels_its_request(server: Server) -> None:
    with server.worker() as worker:
        upload = Upload(server.port)
        upload.send(b"part")
        request = take(worker)
        assert not request.cancelled
        request.check_cancelled()
        upload.reset()
        with pytest.raises(ur.Cancelled, match="client gone") as caught:
            request.read()
        assert caught.value.reason == ur.Reason.CLIENT_GONE
        assert request.cancelled
        with pytest.raises(ur.Cancelled):
            request.check_cancelled()
        request.response.start(200)
        with pytest.raises(ur.Cancelled):
            request.response.write(b"x" * 100000)
        with pytest.raises(ur.Cancelled) as caught:
            request.response.end()
        assert caught.value.reason == ur.Reason.CLIENT_GONE
        assert request.ended


def test_a_client_that_goes_wakes_a_writer(server: Server) -> None:
    with server.worker() as worker:
        upload = Upload(server.port)
        response = take(worker).response
        response.start(200)
        response.flush()
        upload.read_head()
        upload.reset()
        with pytest.raises(ur.Cancelled):
            response.write(bytes(64 << 20))


def test_a_server_that_is_killed_cancels_requests_and_ends_the_link(server: Server) -> None:
    with server.worker() as worker, Upload(server.port) as upload:
        request = take(worker)
        threading.Thread(target=server.signal, args=(9,)).start()
        with pytest.raises(ur.Cancelled, match="server gone"):
            request.read()
        request.response.abort()
        with pytest.raises(ur.LinkClosed, match="the server is gone"):
            worker.next(20)
        upload.read_rest()


def test_a_reason_of_the_future_is_a_reason() -> None:
    assert str(ur.Reason(99)) == "reason 99"
    assert ur.Reason(99) == 99
    assert str(ur.Cancelled(ur.Reason.TOO_LARGE)) == "the request was cancelled: too large"


def test_a_drained_worker_ends_its_iteration(server: Server) -> None:
    with server.worker() as worker:
        reply = server.get("/")
        paths = []
        for request in worker:
            paths.append(request.path)
            worker.drain()
            finish(request)
        assert paths == ["/"]
        assert worker.next() is None
        assert reply.result().status == 200


def test_a_drain_from_another_thread_wakes_the_worker(server: Server) -> None:
    with server.worker() as worker:
        threading.Thread(target=worker.drain).start()
        assert list(worker) == []


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_has_no_part_in_the_link(server: Server) -> None:
    with server.worker() as worker:
        reply = server.call("POST", "/", b"x" * 100)
        request = take(worker)
        view = next(request)
        descriptors = set(os.listdir("/proc/self/fd"))

        def check() -> None:
            for step in (worker.next, request.read, request.response.start, lambda: worker.counters):
                with pytest.raises(ur.Forked, match="after the fork"):
                    step()
            request.response.abort()
            worker.drain()
            worker.close()
            assert len(set(os.listdir("/proc/self/fd"))) < len(descriptors)
            with ur.Worker(server.socket) as own:  # it may have one of its own
                assert own.counters["requests"] == 0

        assert in_child(check) == 0
        assert bytes(view) == b"x" * 100
        finish(request)
        assert reply.result().status == 200
        next_reply = server.get("/")
        finish(take(worker))
        assert next_reply.result().status == 200


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_view_that_dies_in_a_child_does_not_go_back(server: Server) -> None:
    with server.worker() as worker:
        views = []
        reply = server.call("POST", "/", b"x" * 100)
        request = take(worker)
        views.append(next(request))
        assert in_child(views.clear) == 0
        assert request.tail(2).number == 2
        finish(request)
        assert bytes(views[0]) == b"x" * 100
        assert reply.result().status == 200


def test_a_request_in_the_hands_of_a_thread_left_behind_has_ended(server: Server) -> None:
    with server.worker() as worker:
        reply = server.get("/")
        request = take(worker)
        go, told = threading.Event(), []

        def late() -> None:
            go.wait()
            for step in (request.read, request.response.flush, request.response.end, lambda: next(request)):
                try:
                    step()
                except ur.RequestEnded as error:
                    told.append(str(error))

        thread = threading.Thread(target=late)
        thread.start()
        finish(request)
        go.set()
        thread.join()
        assert told == ["the request has ended"] * 4
        assert reply.result().body == b"done"
