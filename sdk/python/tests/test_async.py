"""AsyncWorker: many requests on one event loop."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

import upload_response as ur
from client import Upload
from conftest import SLOT, Server, eventually
from test_response import interims


@pytest.fixture(params=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Iterator[Callable[[Awaitable[Any]], Any]]:
    """Run a coroutine on an event loop."""
    if request.param == "uvloop":
        loop = pytest.importorskip("uvloop").new_event_loop()
    else:
        loop = asyncio.new_event_loop()
    try:
        yield loop.run_until_complete
    finally:
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()


@asynccontextmanager
async def attach(server: Server, **options: Any) -> AsyncIterator[ur.AsyncWorker]:
    """Enter a worker, and wait until the server knows of it."""
    before = server.attached
    async with ur.AsyncWorker(server.socket, **options) as worker:
        server.says("link attached", before + 1)
        yield worker


async def take(worker: ur.AsyncWorker) -> ur.AsyncRequest:
    """Return the next request."""
    request = await asyncio.wait_for(worker.next(), 20)
    assert request is not None
    return request


async def finish(request: ur.AsyncRequest, body: bytes = b"done") -> None:
    """Answer a request."""
    request.response.start(200)
    await request.response.write(body)
    await request.response.end()


async def echo(request: ur.AsyncRequest, response: ur.AsyncResponse) -> None:
    """Send the body back as it comes."""
    response.start(200)
    async for chunk in request:
        await response.write(chunk)


Run = Callable[[Awaitable[Any]], Any]


def test_a_request_is_read_and_answered(server: Server, run: Run) -> None:
    async def main() -> None:
        async with attach(server) as worker:
            reply = server.call("POST", "/x?y", b"a" * 100000, X="1")
            request = await take(worker)
            assert (request.method, request.path, request.query, request.headers["x"]) == (
                "POST",
                "/x",
                "y",
                "1",
            )
            buffer = bytearray(10)
            assert await request.readinto(buffer) == 10
            assert len(await request.read(5)) == 5
            assert sum([len(chunk) async for chunk in request]) == 99985
            assert await request.read() == b""
            await finish(request)
            assert reply.result().body == b"done"

    run(main())


def test_hundreds_of_requests_are_in_flight_on_one_link(tmp_path: Path, run: Run) -> None:
    count = 300
    server = Server(tmp_path, "--num-streams", "400")
    bodies = [os.urandom(1000 + 50 * i) for i in range(count)]

    async def main() -> None:
        async with attach(server, lanes=count) as worker:
            uploads = [Upload(server.port, f"/{i}") for i in range(count)]
            requests = {}
            for _ in range(count):
                request = await take(worker)
                requests[int(request.path[1:])] = request
            assert worker.counters["active"] == count
            tasks = [asyncio.ensure_future(requests[i].read()) for i in range(count)]
            await asyncio.sleep(0)
            for upload, body in zip(uploads, bodies):
                upload.send(body)
                upload.finish()
            assert await asyncio.gather(*tasks) == bodies
            for i in reversed(range(count)):
                await finish(requests[i], bodies[i])
            for upload, body in zip(uploads, bodies):
                assert "200" in upload.read_head()
                upload.close()
                assert body

    try:
        run(main())
        eventually("all streams to be let go", lambda: server.counts()["active_streams"] == 0)
    finally:
        server.end()


def test_interim_responses_come_before_the_response(server: Server, run: Run) -> None:
    async def main() -> None:
        async with attach(server) as worker:
            reply = asyncio.ensure_future(asyncio.to_thread(interims, server.port))
            request = await take(worker)
            await request.response.interim(103, {"Link": "</a.css>"})
            await finish(request)
            early, final = (await reply).split(b"HTTP/1.1 ")[1:]
            assert early.startswith(b"103 ")
            assert b"Link: </a.css>" in early
            assert final.endswith(b"done")

    run(main())


def test_handlers_run_side_by_side(server: Server, run: Run) -> None:
    async def main() -> None:
        async with attach(server) as worker:
            serving = asyncio.ensure_future(worker.serve(echo))
            loop = asyncio.get_running_loop()
            bodies = [os.urandom(i * 9999) for i in range(40)]
            replies = [asyncio.wrap_future(server.call("POST", "/", body), loop=loop) for body in bodies]
            for body, reply in zip(bodies, await asyncio.gather(*replies)):
                assert reply.body == body
            worker.drain()
            await asyncio.wait_for(serving, 20)

    run(main())


def test_a_lane_that_becomes_free_serves_the_next_one(server: Server, run: Run) -> None:
    """Also when it becomes free without a ring of the server."""

    async def main() -> None:
        async def handler(request: ur.AsyncRequest, response: ur.AsyncResponse) -> None:
            await asyncio.sleep(0.05 if request.path == "/slow" else 0)
            response.start(200)

        async with attach(server, lanes=1) as worker:
            serving = asyncio.ensure_future(worker.serve(handler))
            loop = asyncio.get_running_loop()
            for _ in range(2):
                for path in ["/"] * 30 + ["/slow"] * 2:  # after quick ones some are given ahead
                    replies = [server.get(path) for _ in range(4)]
                    for reply in replies:
                        assert (await asyncio.wrap_future(reply, loop=loop)).status == 200
            worker.drain()
            await asyncio.wait_for(serving, 20)

    run(main())


def test_a_slow_client_holds_its_writer_back_and_nobody_else(server: Server, run: Run) -> None:
    async def main() -> None:
        async with attach(server) as worker:
            upload = Upload(server.port)
            slow = await take(worker)
            slow.response.start(200)
            written = 0

            async def write() -> None:
                nonlocal written
                while written < 64 << 20:
                    await slow.response.write(b"x" * SLOT)
                    written += SLOT

            task = asyncio.ensure_future(write())
            while not worker._waiting:
                await asyncio.sleep(0)
            assert written < 64 << 20
            loop = asyncio.get_running_loop()
            for _ in range(20):
                reply = asyncio.wrap_future(server.get("/"), loop=loop)
                await finish(await take(worker))
                assert (await reply).body == b"done"
            assert not task.done()
            upload.reset()
            with pytest.raises(ur.Cancelled):
                await asyncio.wait_for(task, 20)
            slow.response.abort()

    run(main())


def test_a_client_that_goes_is_told_to_whom_it_concerns(server: Server, run: Run) -> None:
    async def main() -> None:
        async with attach(server) as worker:
            upload = Upload(server.port)
            request = await take(worker)
            watching = asyncio.ensure_future(request.wait_cancelled())
            reading = asyncio.ensure_future(request.read())
            await asyncio.sleep(0)
            upload.reset()
            assert await asyncio.wait_for(watching, 20) == ur.Reason.CLIENT_GONE
            with pytest.raises(ur.Cancelled) as caught:
                await asyncio.wait_for(reading, 20)
            assert caught.value.reason == ur.Reason.CLIENT_GONE
            request.response.abort()

    run(main())


def test_a_client_that_goes_cancels_the_handler(server: Server, run: Run) -> None:
    async def main() -> None:
        started, ended = asyncio.Event(), asyncio.Event()

        async def handler(request: ur.AsyncRequest, response: ur.AsyncResponse) -> None:
            started.set()
            try:
                await asyncio.get_running_loop().create_future()
            finally:
                ended.set()

        async with attach(server) as worker:
            serving = asyncio.ensure_future(worker.serve(handler))
            upload = Upload(server.port)
            await asyncio.wait_for(started.wait(), 20)
            upload.reset()
            await asyncio.wait_for(ended.wait(), 20)
            worker.drain()
            await asyncio.wait_for(serving, 20)
            assert worker.counters["active"] == 0

    run(main())


def test_a_task_that_is_cancelled_leaves_its_request_usable(server: Server, run: Run) -> None:
    async def main() -> None:
        async with attach(server) as worker:
            waiting = asyncio.ensure_future(worker.next())
            await asyncio.sleep(0)
            waiting.cancel()
            with Upload(server.port) as upload:
                request = await take(worker)
                reading = asyncio.ensure_future(request.read())
                await asyncio.sleep(0)
                reading.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await reading
                assert worker._waiting == {}
                upload.send(b"x")
                upload.finish()
                assert await request.read() == b"x"
                await finish(request)
                assert "200" in upload.read_head()

    run(main())


def test_the_end_of_the_server_ends_everything(server: Server, run: Run) -> None:
    async def main() -> None:
        async with attach(server) as worker:
            upload = Upload(server.port)
            request = await take(worker)
            reading = asyncio.ensure_future(request.read())
            taking = asyncio.ensure_future(worker.next())
            await asyncio.sleep(0)
            server.signal(9)
            with pytest.raises(ur.Cancelled, match="server gone"):
                await asyncio.wait_for(reading, 20)
            with pytest.raises(ur.LinkClosed):
                await asyncio.wait_for(taking, 20)
            upload.close()

    run(main())


def test_close_wakes_who_waits(server: Server, run: Run) -> None:
    async def main() -> None:
        async with attach(server) as worker:
            taking = asyncio.ensure_future(worker.next())
            await asyncio.sleep(0)
            with pytest.raises(ur.Error, match="entered before"):
                await worker.__aenter__()
            worker.close()
            with pytest.raises(ur.LinkClosed, match="the worker was closed"):
                await asyncio.wait_for(taking, 20)
            worker.close()

    run(main())


def test_room_files_flushes_and_trailers(server: Server, run: Run, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(os.urandom(100000))

    async def main() -> None:
        async with attach(server) as worker:
            with Upload(server.port) as upload:
                upload.finish()
                response = (await take(worker)).response
                response.start(200, {"trailer": "x-sum"})
                room = await response.reserve(3)
                room[:] = b"abc"
                response.commit(3)
                await response.flush()
                assert "200" in upload.read_head()
                assert upload.read_chunk() == b"abc"
                with path.open("rb") as file:
                    assert await response.send_file(file, 10, 20000) == 20000
                await response.trailers({"x-sum": "7"})
                await response.end()
                got = b""
                while chunk := upload.read_chunk():
                    got += chunk
                assert got == path.read_bytes()[10:20010]
                assert "7" in upload.read_head()

    run(main())


def test_slots_and_contexts_work_as_elsewhere(server: Server, run: Run) -> None:
    async def main() -> None:
        async with attach(server) as worker:
            reply = server.call("POST", "/", b"two")
            request = await take(worker)
            slot = await request.tail(2)
            assert bytes(slot.data) == b"two"
            async with request.response as response:
                response.start(200)
            assert response.ended
            assert reply.result().status == 200
            reply = server.get("/")
            request = await take(worker)
            with pytest.raises(KeyError):
                async with request.response:
                    raise KeyError
            assert reply.result().status == 502

    run(main())
