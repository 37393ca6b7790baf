"""Who waits for news of a request, when another one ends it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

import upload_response as ur
from client import Upload
from conftest import Server, eventually
from test_async import Run, attach, run
from test_async import take as take_async
from test_request import finish, take
from upload_response._threads import bell

__all__ = ["run"]

SOON = 20  # seconds: what is not told waits forever, or for PATIENT

PATIENT = 3600.0


def fill(response: ur.Response) -> None:
    """Write more than anybody takes."""
    response.start(200)
    while True:
        response.write(b"x" * (1 << 20))


async def fill_async(response: ur.AsyncResponse) -> None:
    """Write more than anybody takes."""
    response.start(200)
    while True:
        await response.write(b"x" * (1 << 20))


def end(response: ur.Response) -> None:
    """End a response well."""
    response.start(200)
    response.end()


async def end_async(response: ur.AsyncResponse) -> None:
    """End a response well."""
    response.start(200)
    await response.end()


READERS: dict[str, Callable[[Any], Any]] = {
    "next chunk": next,
    "whole body": lambda request: request.read(),
    "slot": lambda request: request.tail(2),
    "cancellation": lambda request: request.wait_cancelled(),
}

ASYNC_READERS: dict[str, Callable[[Any], Any]] = {
    **READERS,
    "next chunk": lambda request: request.__anext__(),
}


async def waits(worker: ur.AsyncWorker, count: int = 1) -> None:
    """Wait until so many tasks wait for news."""
    while sum(map(len, worker._waiting.values())) < count:
        await asyncio.sleep(0)


@pytest.mark.parametrize("reader", ASYNC_READERS)
@pytest.mark.parametrize("aborts", [False, True])
def test_a_task_that_reads_is_told_of_the_end(server: Server, run: Run, reader: str, aborts: bool) -> None:
    async def main() -> None:
        async with attach(server) as worker:
            with Upload(server.port):
                request = await take_async(worker)
                reading = asyncio.ensure_future(ASYNC_READERS[reader](request))
                await waits(worker)
                if aborts:
                    request.response.abort()
                else:
                    await end_async(request.response)
                with pytest.raises(ur.RequestEnded):
                    await asyncio.wait_for(reading, SOON)
                assert worker._waiting == {}

    run(main())


def test_a_task_that_waits_for_room_is_told_of_the_end(server: Server, run: Run) -> None:
    async def main() -> None:
        async with attach(server) as worker:
            with Upload(server.port):
                request = await take_async(worker)
                writing = asyncio.ensure_future(fill_async(request.response))
                reading = asyncio.ensure_future(request.read())
                await waits(worker, 2)
                request.response.abort()
                for task in (writing, reading):
                    with pytest.raises(ur.RequestEnded):
                        await asyncio.wait_for(task, SOON)

    run(main())


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have threads sleep until somebody wakes them."""
    monkeypatch.setattr(bell, "_SLICE", PATIENT)


class Waiting:
    """A thread that waits for a step which ends with RequestEnded."""

    def __init__(self, worker: ur.Worker, step: Callable[[], object]) -> None:
        self.told: list[str] = []
        self._step = step
        waiting = worker._bell._reasons
        count = len(waiting)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        eventually("the thread to wait", lambda: len(waiting) > count)

    def _run(self) -> None:
        with pytest.raises(ur.RequestEnded) as ended:
            self._step()
        self.told.append(str(ended.value))

    def ends(self) -> bool:
        """Return whether the thread was told soon."""
        self._thread.join(SOON)
        return self.told == ["the request has ended"]


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("ending", [end, lambda response: response.abort()])
def test_a_thread_that_reads_is_told_of_the_end(
    server: Server, reader: str, ending: Callable[[ur.Response], None]
) -> None:
    with server.worker() as worker, Upload(server.port):
        request = take(worker)
        reading = Waiting(worker, lambda: READERS[reader](request))
        ending(request.response)
        assert reading.ends()


@pytest.mark.usefixtures("patient")
def test_threads_that_wait_behind_the_sleeper_are_told_of_the_end(server: Server) -> None:
    with server.worker(lanes=2) as worker, Upload(server.port), Upload(server.port):
        other, request = take(worker), take(worker)
        sleeper = Waiting(worker, other.read)
        threads = [
            Waiting(worker, request.read),
            Waiting(worker, request.wait_cancelled),
            Waiting(worker, lambda: fill(request.response)),
        ]
        request.response.abort()
        assert all(each.ends() for each in threads)
        assert sleeper.told == []
        other.response.abort()
        assert sleeper.ends()


@pytest.mark.usefixtures("patient")
def test_an_end_between_the_look_and_the_wait_is_no_wait(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    with server.worker() as worker, Upload(server.port):
        request = take(worker)
        exchange, bell = request._exchange, worker._bell

        def end_first(*arguments: Any) -> None:
            request.response.abort()  # nobody is there to be told
            wait(*arguments)

        wait = bell.wait
        monkeypatch.setattr(bell, "wait", end_first)
        with pytest.raises(ur.RequestEnded):
            request.read()
        assert exchange.handle == 0


def test_a_task_left_behind_takes_nothing_of_the_next_request(server: Server, run: Run) -> None:
    """Both are on the same lane, and the first has not run when the next one waits."""

    async def main() -> None:
        async with attach(server, lanes=1) as worker:
            uploads = [Upload(server.port) for _ in range(2)]
            first = await take_async(worker)
            left = asyncio.ensure_future(first.read())
            await waits(worker)
            await end_async(first.response)
            second = await take_async(worker)
            reading = asyncio.ensure_future(second.read())
            await waits(worker)
            left.cancel()
            await asyncio.sleep(0)
            assert list(worker._waiting) == [second._exchange.handle]
            for upload in uploads:
                upload.send(b"mine")
                upload.finish()
            assert await asyncio.wait_for(reading, SOON) == b"mine"
            with pytest.raises((ur.RequestEnded, asyncio.CancelledError)):
                await left
            await end_async(second.response)
            for upload in uploads:
                upload.close()

    run(main())


@pytest.mark.usefixtures("patient")
def test_a_thread_left_behind_takes_nothing_of_the_next_request(server: Server) -> None:
    with server.worker() as worker, Upload(server.port) as one, Upload(server.port) as two:
        first = take(worker)
        left = Waiting(worker, first.read)
        end(first.response)
        second = take(worker)
        body: list[bytes] = []
        reading = threading.Thread(target=lambda: body.append(second.read()), daemon=True)
        reading.start()
        assert left.ends()
        for upload in (one, two):
            upload.send(b"mine")
            upload.finish()
        reading.join(SOON)
        assert body == [b"mine"]
        finish(second)


def test_a_request_that_another_thread_drops_makes_room_for_the_next_one(server: Server, run: Run) -> None:
    async def main() -> None:
        asyncio.get_running_loop().set_debug(True)  # what other threads must not call raises
        async with attach(server, lanes=1) as worker:
            replies = [server.get("/") for _ in range(2)]
            held = [await take_async(worker)]
            taking = asyncio.ensure_future(worker.next())
            while not worker._link._full:
                await asyncio.sleep(0)
            thread = threading.Thread(target=held.clear)
            thread.start()
            thread.join()
            request = await asyncio.wait_for(taking, SOON)
            assert request is not None
            await end_async(request.response)
            assert sorted(reply.result().status for reply in replies) == [200, 502]

    run(main())


# --------------------------------------------------------------------- drain


@pytest.mark.usefixtures("patient")
def test_a_thread_that_waits_is_told_of_a_drain_that_another_one_heard(server: Server) -> None:
    with server.worker(lanes=2) as worker:
        reply = server.get("/")
        request = take(worker)
        found: list[ur.Request | None] = []
        waiting = threading.Thread(target=lambda: found.append(worker.next()), daemon=True)
        waiting.start()
        eventually("the thread to wait", lambda: worker._bell._reasons)
        worker.drain()

        def heard() -> bool:
            with worker._taking:
                return bool(worker._link.take() == ())

        eventually("the server to agree", heard)
        finish(request)
        waiting.join(SOON)
        assert found == [None]
        assert reply.result().status == 200


def test_a_loop_is_told_of_a_drain_that_a_handler_heard(server: Server, run: Run) -> None:
    async def main() -> None:
        async with attach(server, lanes=2) as worker:

            async def handle(request: ur.AsyncRequest, response: ur.AsyncResponse) -> None:
                worker.drain()
                eventually("the server to agree", lambda: worker._link.take() == ())
                await end_async(response)

            reply = server.get("/")
            await asyncio.wait_for(worker.serve(handle), SOON)
            assert reply.result().status == 200

    run(main())
