"""WebSockets, from both ends: for threads and for event loops."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

import upload_response as ur
from client import vanish
from conftest import SLOT, Server
from test_async import Run, attach, run
from test_async import take as take_async
from test_request import finish, take

if TYPE_CHECKING:
    from websockets.sync.connection import Connection

__all__ = ["run"]


@contextmanager
def opened(server: Server, worker: ur.Worker, **options: Any) -> Iterator[tuple[ur.WebSocket, Connection]]:
    """Open a WebSocket, and give both ends of it."""
    waiting = server.open(**options)
    request = take(worker)
    websocket = request.websocket
    assert websocket is not None
    websocket.accept()
    client = waiting.result()
    try:
        yield websocket, client
    finally:
        request.response.abort()
        client.close()


def closing(client: Connection) -> tuple[int, str]:
    """Wait for the close, and return what it says."""
    with pytest.raises(ConnectionClosed) as closed:
        list(iter(lambda: client.recv(20), None))
    assert closed.value.rcvd is not None
    return closed.value.rcvd.code, closed.value.rcvd.reason


def test_only_who_asks_for_a_websocket_has_one(server: Server) -> None:
    with server.worker() as worker:
        reply = server.get("/")
        request = take(worker)
        assert request.websocket is None
        finish(request)
        assert reply.result().body == b"done"
        with opened(server, worker, path="/a?b") as (websocket, _):
            assert repr(websocket) == "<WebSocket /a?b>"


def test_the_handshake_is_a_request_without_a_body(server: Server) -> None:
    with server.worker() as worker:
        waiting = server.open("/a?b", additional_headers={"X-Mine": "1"})
        request = take(worker)
        assert (request.method, request.scheme, request.target) == ("GET", "ws", "/a?b")
        assert request.headers["x-mine"] == "1"
        assert "sec-websocket-key" not in request.headers
        assert (request.has_body, request.read()) == (False, b"")
        request.response.start(403, {"x-why": "closed"})
        request.response.write("not today")
        request.response.end()
        with pytest.raises(InvalidStatus) as refused:
            waiting.result()
        response = refused.value.response
        assert (response.status_code, response.body) == (403, b"not today")
        assert response.headers["x-why"] == "closed"


@pytest.mark.parametrize("size", [0, 1, 125, SLOT - 1, SLOT, SLOT + 1, 5 * SLOT + 7, 3 << 20])
def test_messages_of_any_size_go_both_ways(server: Server, size: int) -> None:
    binary, text = os.urandom(size), "\xe9" * (size // 2)
    with server.worker() as worker, opened(server, worker) as (websocket, client):
        for message in (text, binary):
            client.send(message)
            assert websocket.receive(20) == message
            sending = threading.Thread(target=websocket.send, args=[message])
            sending.start()
            assert client.recv(20) == message
            sending.join()


def test_any_contiguous_buffer_is_a_binary_message(server: Server) -> None:
    with server.worker() as worker, opened(server, worker) as (websocket, client):
        for data in (bytearray(b"abc"), memoryview(b"xabcx")[1:4]):
            websocket.send(data)
            assert client.recv(20) == b"abc"
        with pytest.raises(TypeError):
            websocket.send(5)  # type: ignore[arg-type]
        websocket.send(b"still open")
        assert client.recv(20) == b"still open"


def test_messages_may_come_and_go_in_parts(server: Server) -> None:
    with server.worker() as worker, opened(server, worker) as (websocket, client):
        client.send(["one ", "", "and ", "a half"])
        assert websocket.receive(20) == "one and a half"
        for part in ("caf", "\xe9", ""):
            websocket.send(part, final=not part)
        assert client.recv(20) == "caf\xe9"
        websocket.send(b"x", final=False)
        with pytest.raises(ur.InvalidResponse):
            websocket.send("text within binary")
        with pytest.raises(ur.InvalidResponse):
            websocket.close()  # within a message


def test_slots_of_messages_can_be_looked_at(server: Server) -> None:
    with server.worker() as worker:
        waiting = server.open()
        request = take(worker)
        assert request.websocket is not None
        request.websocket.accept()
        client = waiting.result()
        client.send("")
        client.send([b"ab", b"c"])
        slots = [request.tail(number) for number in (2, 3, 4, 5)]
        assert [(s.kind, bytes(s.data), s.final) for s in slots] == [
            (7, b"", True),
            (8, b"ab", False),
            (8, b"c", False),
            (8, b"", True),
        ]
        del slots
        request.release(5)
        request.response.end()
        assert closing(client) == (1000, "")


def test_one_of_the_offered_subprotocols_is_accepted(server: Server) -> None:
    with server.worker() as worker:
        waiting = server.open(subprotocols=["chat", "superchat"])
        websocket = take(worker).websocket
        assert websocket is not None
        assert websocket.subprotocols == ["chat", "superchat"]
        with pytest.raises(ur.InvalidResponse, match="does not offer"):
            websocket.accept("other")
        with pytest.raises(ur.InvalidResponse, match="subprotocol="):
            websocket.accept(headers={"Sec-WebSocket-Protocol": "chat"})
        assert not websocket.accepted
        websocket.accept("superchat", {"X-A": "1", "Set-Cookie": "b=c"})
        assert (websocket.accepted, websocket.subprotocol) == (True, "superchat")
        client = waiting.result()
        assert client.subprotocol == "superchat"
        assert client.response is not None
        assert (client.response.headers["x-a"], client.response.headers["set-cookie"]) == ("1", "b=c")
        websocket.close()


@pytest.mark.parametrize(("code", "reason"), [(1000, ""), (4321, "caf\xe9"), (None, "")])
def test_a_client_that_closes_ends_the_iteration(server: Server, code: int | None, reason: str) -> None:
    with server.worker() as worker, opened(server, worker) as (websocket, client):
        client.send("last")
        if code is None:
            client.socket.sendall(bytes([0x88, 0x80, 0, 0, 0, 0]))
        else:
            closer = threading.Thread(target=client.close, args=[code, reason])
            closer.start()
        assert list(websocket) == ["last"]
        assert (websocket.close_code, websocket.close_reason) == (code or 1005, reason)
        for step in (websocket.receive, lambda: websocket.send("x")):
            with pytest.raises(ur.WebSocketClosed) as closed:
                step()
            assert (closed.value.code, closed.value.reason) == (code or 1005, reason)
        websocket.close()
        if code is not None:
            closer.join()
            assert (client.close_code, client.close_reason) == (code, "")


@pytest.mark.parametrize(("code", "reason"), [(1000, ""), (4321, "caf\xe9"), (1011, "x" * 123)])
def test_a_worker_closes_with_a_code(server: Server, code: int, reason: str) -> None:
    with server.worker() as worker, opened(server, worker) as (websocket, client):
        websocket.send("last")
        websocket.close(code, reason)
        assert client.recv(20) == "last"
        assert closing(client) == (code, reason)
        assert websocket.close_code == code
        for step in (websocket.receive, lambda: websocket.send("x")):
            with pytest.raises(ur.WebSocketClosed, match=str(code)):
                step()
        websocket.close()  # does nothing more


def test_the_end_of_the_response_closes(server: Server) -> None:
    with server.worker() as worker:
        for end, code in ((ur.Response.end, 1000), (ur.Response.abort, 1011)):
            waiting = server.open()
            request = take(worker)
            assert request.websocket is not None
            request.websocket.accept()
            end(request.response)
            assert closing(waiting.result())[0] == code


def test_a_client_that_is_gone_is_a_cancellation(server: Server) -> None:
    with server.worker() as worker, opened(server, worker) as (websocket, client):
        vanish(client)
        with pytest.raises(ur.Cancelled) as cancelled:
            websocket.receive(20)
        assert cancelled.value.reason == ur.Reason.CLIENT_GONE
        with pytest.raises(ur.Cancelled):
            websocket.send("x")


@pytest.mark.parametrize("parts", [["x" * 101], ["x" * 50, "x" * 50, "x"]])
def test_a_message_that_is_too_large_closes(server: Server, parts: list[str]) -> None:
    with server.worker() as worker, opened(server, worker) as (websocket, client):
        websocket.max_size = 100
        client.send("x" * 100)
        assert len(websocket.receive(20)) == 100
        client.send(parts)
        with pytest.raises(ur.WebSocketClosed) as closed:
            websocket.receive(20)
        assert closed.value.code == 1009
        assert closing(client) == (1009, "a message of more than 100 bytes")


def test_what_is_out_of_turn_is_refused(server: Server) -> None:
    with server.worker() as worker:
        waiting = server.open()
        request = take(worker)
        websocket, response = request.websocket, request.response
        assert websocket is not None
        steps: list[Callable[[], object]] = [websocket.receive, lambda: websocket.send("x"), websocket.close]
        for step in steps:
            with pytest.raises(ur.InvalidResponse, match=r"before accept\(\)"):
                step()
        with pytest.raises(ur.InvalidResponse):
            response.start(101)
        websocket.accept()
        client = waiting.result()
        steps = [
            websocket.accept,
            response.start,
            lambda: response.write("x"),
            lambda: response.trailers({"a": "b"}),
        ]
        for step in steps:
            with pytest.raises(ur.InvalidResponse):
                step()
        codes = "closed with 1000 to 1003, 1007 to 1014 or 3000 to 4999, not with "
        for code, reason, message in (
            *((code, "", f"{codes}{code}$") for code in (0, 999, 1004, 1006, 1015, 2999, 5000)),
            (1000, "x" * 124, "a reason has at most 123 bytes, not 124"),
            (1005, "why", "no reason without a code"),
        ):
            with pytest.raises(ur.InvalidResponse, match=message):
                websocket.close(code, reason)
        websocket.close(1001)
        assert closing(client)[0] == 1001


def test_a_receive_that_gives_up_loses_nothing(server: Server) -> None:
    with server.worker() as worker, opened(server, worker) as (websocket, client):
        more, said = threading.Event(), threading.Event()

        def parts() -> Iterator[str]:
            yield "some"
            said.set()
            more.wait(20)
            yield " more"

        sending = threading.Thread(target=client.send, args=[parts()])
        sending.start()
        said.wait(20)
        for _ in range(3):
            with pytest.raises(ur.Timeout):
                websocket.receive(0.01)
        more.set()
        assert websocket.receive(20) == "some more"
        sending.join()


def test_threads_may_send_at_once(server: Server) -> None:
    with server.worker() as worker, opened(server, worker) as (websocket, client):
        messages = {letter * (3 * SLOT) for letter in "abcdef"}
        threads = [threading.Thread(target=websocket.send, args=[each]) for each in messages]
        for thread in threads:
            thread.start()
        assert {client.recv(20) for _ in threads} == messages
        for thread in threads:
            thread.join()


def test_a_close_in_one_thread_ends_the_receive_of_another(server: Server) -> None:
    with server.worker() as worker, opened(server, worker) as (websocket, client):
        got: list[Any] = []
        receiving = threading.Thread(target=lambda: got.append(list(websocket)))
        receiving.start()
        client.send("first")
        websocket.close(4000)
        receiving.join()
        assert got in ([["first"]], [[]])
        assert closing(client)[0] == 4000


def test_a_drain_closes_for_who_receives(server: Server) -> None:
    with server.worker() as worker, opened(server, worker) as (websocket, client):
        client.send("before")
        assert websocket.receive(20) == "before"
        worker.drain()
        with pytest.raises(ur.WebSocketClosed) as closed:
            websocket.receive(20)
        assert closed.value.code == 1012
        assert closing(client)[0] == 1012
        assert list(worker) == []


def test_everything_comes_back(server: Server) -> None:
    with server.worker(lanes=4) as worker:
        for _ in range(20):
            with opened(server, worker) as (websocket, client):
                client.send(b"x" * SLOT)
                websocket.send(websocket.receive(20))
                client.recv(20)
                websocket.close()
        counts = server.counts()
        assert counts["active_streams"] <= 1
        assert worker.counters["active"] == 0


# -------------------------------------------------------------- event loops


async def accept(
    server: Server, worker: ur.AsyncWorker, **options: Any
) -> tuple[ur.AsyncWebSocket, Connection]:
    """Open a WebSocket, and return both ends."""
    waiting = asyncio.wrap_future(server.open(**options))
    websocket = (await take_async(worker)).websocket
    assert websocket is not None
    await websocket.accept()
    return websocket, await waiting


def test_many_talk_at_once_on_one_loop(server: Server, run: Run) -> None:
    async def handler(request: ur.AsyncRequest, response: ur.AsyncResponse) -> None:
        websocket = request.websocket
        if websocket is None:
            response.start(426)
            return
        await websocket.accept()
        async for message in websocket:
            await websocket.send(message)

    def talk(client: Connection) -> None:
        for size in (0, 1, SLOT, 100000):
            client.send("x" * size)
            client.send(b"y" * size)
            assert (client.recv(20), client.recv(20)) == ("x" * size, b"y" * size)
        client.close(4000)
        assert client.close_code == 4000

    async def main() -> None:
        loop = asyncio.get_running_loop()
        async with attach(server, lanes=16) as worker:
            serving = asyncio.ensure_future(worker.serve(handler))
            clients = await asyncio.gather(*(asyncio.wrap_future(server.open()) for _ in range(8)))
            await asyncio.gather(*(loop.run_in_executor(None, talk, client) for client in clients))
            assert (await asyncio.wrap_future(server.get("/"))).status == 426
            worker.drain()
            await asyncio.wait_for(serving, 20)

    run(main())


def test_a_receive_that_is_cancelled_loses_nothing(server: Server, run: Run) -> None:
    async def main() -> None:
        async with attach(server) as worker:
            websocket, client = await accept(server, worker)
            for _ in range(3):
                with pytest.raises(asyncio.TimeoutError):
                    await asyncio.wait_for(websocket.receive(), 0.01)
            await asyncio.to_thread(client.send, ["a", "b"])
            assert await asyncio.wait_for(websocket.receive(), 20) == "ab"
            await websocket.close(4000, "bye")
            assert await asyncio.to_thread(closing, client) == (4000, "bye")

    run(main())


def test_a_send_that_is_cancelled_in_the_middle_breaks_off(server: Server, run: Run) -> None:
    async def main() -> None:
        async with attach(server) as worker:
            websocket, client = await accept(server, worker, max_queue=1)
            sending = asyncio.ensure_future(websocket.send(b"x" * (64 << 20)))
            await asyncio.wait([sending], timeout=0.2)
            assert not sending.done()
            sending.cancel()
            with pytest.raises(asyncio.CancelledError):
                await sending
            with pytest.raises(ur.RequestEnded):
                await websocket.send(b"y")
            with pytest.raises(ConnectionClosed):
                await asyncio.to_thread(client.recv, 20)

    run(main())


def test_tasks_may_send_at_once(server: Server, run: Run) -> None:
    async def main() -> None:
        async with attach(server) as worker:
            websocket, client = await accept(server, worker)
            messages = {letter * (300 * SLOT) for letter in "abcd"}
            sending = [asyncio.ensure_future(websocket.send(each)) for each in messages]
            got = await asyncio.to_thread(lambda: {client.recv(20) for _ in messages})
            assert got == messages
            await asyncio.gather(*sending)
            await websocket.close()
            await asyncio.to_thread(client.close)

    run(main())


def test_a_close_of_one_task_ends_the_receive_of_another(server: Server, run: Run) -> None:
    async def main() -> None:
        async with attach(server) as worker:
            websocket, client = await accept(server, worker)
            receiving = asyncio.ensure_future(websocket.receive())
            await asyncio.sleep(0)
            await websocket.close(4000)
            with pytest.raises(ur.WebSocketClosed, match="4000"):
                await asyncio.wait_for(receiving, 20)
            await asyncio.to_thread(client.close)

    run(main())


def test_a_task_whose_client_is_gone_is_cancelled(server: Server, run: Run) -> None:
    async def main() -> None:
        ended = asyncio.get_running_loop().create_future()

        async def handler(request: ur.AsyncRequest, _: ur.AsyncResponse) -> None:
            assert request.websocket is not None
            await request.websocket.accept()
            try:
                await request.websocket.receive()
            except BaseException as error:
                ended.set_result(type(error))
                raise

        async with attach(server) as worker:
            serving = asyncio.ensure_future(worker.serve(handler))
            vanish(await asyncio.wrap_future(server.open()))
            assert await asyncio.wait_for(ended, 20) in (asyncio.CancelledError, ur.Cancelled)
            worker.drain()
            await asyncio.wait_for(serving, 20)

    run(main())


def test_a_drain_closes_for_the_task_that_receives(server: Server, run: Run) -> None:
    async def main() -> None:
        async with attach(server) as worker:
            websocket, client = await accept(server, worker)
            receiving = asyncio.ensure_future(websocket.receive())
            await asyncio.sleep(0)
            worker.drain()
            with pytest.raises(ur.WebSocketClosed, match="1012"):
                await asyncio.wait_for(receiving, 20)
            assert (await asyncio.to_thread(closing, client))[0] == 1012
            assert await worker.next() is None

    run(main())
