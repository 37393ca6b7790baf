"""Views of shared memory: a slot lives exactly as long as its views."""

from __future__ import annotations

import ctypes
import gc
import threading
import weakref
from typing import Any

import pytest

import upload_response as ur
from client import Upload
from conftest import SLOT, Server, eventually
from test_request import finish, take
from upload_response._core.slot_pin import SlotPin

BODY = bytes(range(256)) * 512  # eight slots


def released(request: ur.Request) -> int:
    """Return how many slots the request has given back."""
    number = 0
    while True:
        try:
            request.tail(number + 1)
        except ur.Released:
            number += 1
        else:
            return number


def begun(server: Server, worker: ur.Worker) -> tuple[Any, ur.Request]:
    """Return a reply to come, and its request, all of which is there."""
    reply = server.call("POST", "/", BODY)
    request = take(worker)
    last = next(n for n in range(2, 100) if request.tail(n).kind == 4)
    assert last > 3
    return reply, request


def test_a_view_is_shared_memory_and_read_only(server: Server) -> None:
    with server.worker() as worker:
        _, request = begun(server, worker)
        view = next(request)
        link = worker._link
        memory = (ctypes.c_ubyte * 1).from_buffer_copy(view[:1])
        address = ctypes.addressof(view.obj) if isinstance(view.obj, ctypes.Array) else 0
        assert address == link.requests_at
        assert memory[0] == BODY[0]
        assert view.readonly
        assert (view.format, view.itemsize, view.ndim) == ("B", 1, 1)
        with pytest.raises(TypeError):
            view[0] = 1
        with pytest.raises(TypeError):
            view[:8].cast("Q")[0] = 1


@pytest.mark.parametrize(("delay", "given_back"), [(3600.0, 0), (0.0, 6)])
def test_slots_of_a_client_that_is_ahead_go_back_together_unless_the_program_is_slow(
    server: Server, monkeypatch: pytest.MonkeyPatch, delay: float, given_back: int
) -> None:
    monkeypatch.setattr(SlotPin, "longest_delay", delay)
    with server.worker() as worker:
        reply = server.call("POST", "/", bytes(20 * SLOT))
        request = take(worker)
        request.tail(21)  # waits until there are enough to be fetched together
        for _ in range(5):
            next(request)
        assert released(request) == given_back
        finish(request)
        reply.result()


def test_a_slot_goes_back_with_its_view(server: Server) -> None:
    with server.worker() as worker:
        _, request = begun(server, worker)
        assert released(request) == 0
        view = next(request)
        assert released(request) == 0
        del view
        assert released(request) == 2


@pytest.mark.parametrize("derive", ["slice", "cast", "copy", "readonly", "iterator", "weakref", "cycle"])
def test_a_slot_lives_as_long_as_anything_made_from_its_view(server: Server, derive: str) -> None:
    ways: dict[str, Any] = {
        "slice": lambda v: v[5:7][1:],
        "cast": lambda v: v[:8].cast("Q"),
        "copy": memoryview,
        "readonly": lambda v: v.toreadonly(),
        "iterator": iter,
        "weakref": lambda v: [v, weakref.ref(v)],
        "cycle": lambda v: [v, []],
    }
    with server.worker() as worker:
        _, request = begun(server, worker)
        view = next(request)
        derived = ways[derive](view)
        if derive == "cycle":
            derived[1].append(derived)
        del view
        gc.collect()
        assert released(request) == 0
        del derived
        gc.collect()
        assert released(request) == 2


def test_numpy_shares_the_memory_and_keeps_the_slot(server: Server) -> None:
    numpy = pytest.importorskip("numpy")
    with server.worker() as worker:
        _, request = begun(server, worker)
        view = next(request)
        array = numpy.frombuffer(view, dtype="u1")
        assert (
            array.__array_interface__["data"][0] == numpy.frombuffer(memoryview(view), dtype="u1").ctypes.data
        )
        link = worker._link
        assert link.requests_at < array.ctypes.data < link.requests_at + ctypes.sizeof(link.request_memory)
        assert not array.flags.writeable
        part = array[10:20].reshape(2, 5).T
        del view, array
        assert released(request) == 0
        assert part.tobytes(order="F") == BODY[10:20]
        del part
        assert released(request) == 2


def test_slots_go_back_in_order_whatever_the_order_of_their_views(server: Server) -> None:
    with server.worker() as worker:
        _, request = begun(server, worker)
        views: list[Any] = [next(request) for _ in range(4)]
        views[1] = views[2] = None
        assert released(request) == 1  # the headers
        views[0] = None
        assert released(request) == 4
        views[3] = None
        assert released(request) == 5


def test_a_view_that_is_released_is_told_from_one_that_is_not(server: Server) -> None:
    with server.worker() as worker:
        _, request = begun(server, worker)
        view = next(request)
        view.release()
        assert released(request) == 2
        with pytest.raises(ValueError, match="released"):
            view[0]


def test_the_slots_that_views_can_hold_are_limited(server: Server) -> None:
    with server.worker(max_held=3) as worker:
        reply, request = begun(server, worker)
        views = [next(request) for _ in range(3)]
        with pytest.raises(ur.ViewsAlive, match="hold 3 slots"):
            next(request)
        with pytest.raises(BufferError):
            request.read()
        assert b"".join(views) == BODY[: sum(map(len, views))]
        views.clear()
        request.read()
        finish(request)
        assert reply.result().status == 200


def test_giving_back_what_is_viewed_waits_for_the_view(server: Server) -> None:
    with server.worker() as worker:
        _, request = begun(server, worker)
        views = [next(request) for _ in range(3)]
        request.release()
        assert released(request) == 1
        assert bytes(views[0]) == BODY[: len(views[0])]
        views.clear()
        with pytest.raises(ur.Released):
            request.tail(100)


@pytest.mark.parametrize("end", ["end", "abort", "drop"])
def test_a_view_outlives_its_request_and_the_memory_is_not_used_again(server: Server, end: str) -> None:
    with server.worker() as worker:
        reply, request = begun(server, worker)
        view = next(request)
        content = bytes(view)
        if end == "end":
            finish(request)
        elif end == "abort":
            request.response.abort()
        else:
            del request
        assert reply.result().status == (200 if end == "end" else 502)
        for i in range(100):  # enough to use every buffer again and again
            other = server.call("POST", "/", bytes([i]) * 20 * SLOT)
            request = take(worker)
            assert request.read() == bytes([i]) * 20 * SLOT
            finish(request)
            assert other.result().status == 200
        assert bytes(view) == content
        eventually("the other streams to be let go", lambda: server.counts()["active_streams"] == 1)
        del view
        eventually("the stream to be let go", lambda: server.counts()["active_streams"] == 0)
        assert worker.counters["active"] == 0


def test_a_view_outlives_a_cancelled_request(server: Server) -> None:
    with server.worker() as worker, Upload(server.port) as upload:
        upload.send(b"keep me")
        request = take(worker)
        view = next(request)
        upload.reset()
        with pytest.raises(ur.Cancelled) as caught:
            next(request)
        assert caught.value.reason == ur.Reason.CLIENT_GONE
        request.response.abort()
        eventually("the exchange to be over", lambda: server.counts()["client_gone"])
        assert bytes(view) == b"keep me"
        assert server.counts()["active_streams"] == 1
        del view
        eventually("the stream to be let go", lambda: server.counts()["active_streams"] == 0)


def test_a_view_outlives_its_worker(server: Server) -> None:
    with server.worker() as worker:
        reply, request = begun(server, worker)
        view = next(request)
        content = bytes(view)
    assert worker.closed
    assert reply.result().status == 502
    with pytest.raises(ur.LinkClosed, match="the worker was closed"):
        next(request)
    del worker, request
    gc.collect()
    with server.worker() as other:
        for i in range(100):
            call = server.call("POST", "/", bytes([i]) * 20 * SLOT)
            request = take(other)
            request.read()
            finish(request)
            assert call.result().status == 200
        assert bytes(view) == content
        assert server.counts()["links"] == 2
        del view
        eventually("the link to end", lambda: server.counts()["links"] == 1)


def test_a_view_outlives_the_server(server: Server) -> None:
    with server.worker() as worker:
        _, request = begun(server, worker)
        view = next(request)
        content = bytes(view)
        server.signal(9)
        server.wait()
        with pytest.raises(ur.LinkClosed):
            worker.next(20)
    del worker, request
    assert bytes(view) == content


def test_room_outlives_an_abort_without_harm_to_others(server: Server) -> None:
    with server.worker() as worker:
        reply, request = begun(server, worker)
        request.response.start(200)
        room = request.response.reserve(100)
        request.response.abort()
        assert not reply.result().complete
        for _ in range(30):
            call = server.get("/")
            request = take(worker)
            request.response.start(200)
            request.response.write(b"g" * 3 * SLOT)
            room[:] = b"b" * len(room)
            request.response.end()
            assert call.result().body == b"g" * 3 * SLOT
        del room
        eventually("the stream to be let go", lambda: server.counts()["active_streams"] == 0)


def test_views_may_die_in_any_thread(server: Server) -> None:
    with server.worker(max_held=1000) as worker:
        for _ in range(20):
            reply = server.call("POST", "/", BODY * 4)
            request = take(worker)
            lists: list[list[memoryview]] = [[], [], [], []]
            for i, view in enumerate(request):
                lists[i % 4].append(view)
                if i % 9 == 8:
                    thread = threading.Thread(target=lists[i % 4].clear)
                    thread.start()
            del view
            threads = [threading.Thread(target=each.clear) for each in lists]
            for each in threads:
                each.start()
            finish(request)
            for each in threads:
                each.join()
            thread.join()
            assert reply.result().status == 200
            lists.clear()
        eventually("all streams to be let go", lambda: server.counts()["active_streams"] == 0)
        assert worker.counters["active"] == 0
