"""Threads that share a worker."""

from __future__ import annotations

import queue
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

import upload_response as ur
from client import Upload
from conftest import Server, eventually
from test_request import finish, take


def echo(request: ur.Request) -> None:
    """Send each piece of the body back as it comes."""
    with request.response as response:
        response.start(200)
        for chunk in request:
            response.write(chunk)
            response.flush()


def test_each_thread_serves_a_request_of_its_own(server: Server) -> None:
    with server.worker(lanes=20) as worker, ThreadPoolExecutor(20) as pool:
        uploads = [Upload(server.port) for _ in range(20)]
        served = [pool.submit(echo, take(worker)) for _ in uploads]
        waits = threading.Thread(target=worker.next)  # and one waits for a request meanwhile
        waits.start()
        for i in range(30):
            order = [uploads[(7 * i + j) % 20] for j in range(20)]
            for n, upload in enumerate(order):
                upload.send(b"%d" % (n * i))
            for n, upload in reversed(list(enumerate(order))):
                if i == 0:
                    upload.read_head()
                assert upload.read_chunk() == b"%d" % (n * i)
        for upload in uploads:
            upload.finish()
            assert upload.read_chunk() == b""
            upload.close()
        for each in served:
            each.result()
        worker.drain()
        waits.join()


def test_threads_may_take_requests_in_turns(server: Server) -> None:
    served: queue.Queue[int] = queue.Queue()

    def serve(number: int) -> None:
        for request in worker:
            finish(request, request.read().decode())
            served.put(number)

    with server.worker(lanes=4) as worker:
        threads = [threading.Thread(target=serve, args=(n,)) for n in range(4)]
        for thread in threads:
            thread.start()
        for _ in range(20):
            replies = [server.call("POST", "/", b"%d" % n * 1000 * n) for n in range(20)]
            assert [reply.result().body for reply in replies] == [b"%d" % n * 1000 * n for n in range(20)]
        worker.drain()
        for thread in threads:
            thread.join()
        assert served.qsize() == 400


def test_who_waits_for_a_lane_is_told_when_one_is_free(server: Server) -> None:
    with server.worker() as worker:
        for _ in range(50):  # quick ones, so that the server gives some ahead
            replies = [server.get("/") for _ in range(4)]
            for _ in replies:
                finish(take(worker))
            for reply in replies:
                assert reply.result().status == 200
        replies = [server.get("/") for _ in range(4)]
        for _ in replies:
            request = take(worker)
            eventually("it to be asked for", lambda: server.counts()["active_streams"] >= 1)
            threading.Timer(0.05, finish, (request,)).start()
            del request
        for reply in replies:
            assert reply.result().status == 200


def test_a_thread_may_wait_for_the_client_to_go(server: Server) -> None:
    with server.worker(lanes=2) as worker, ThreadPoolExecutor(1) as pool:
        upload = Upload(server.port)
        gone = pool.submit(take(worker).wait_cancelled)
        reply = server.get("/")
        finish(take(worker))
        assert reply.result().status == 200
        assert not gone.done()
        upload.reset()
        assert gone.result() == ur.Reason.CLIENT_GONE


def test_close_ends_the_waits_of_all_threads(server: Server) -> None:
    with server.worker(lanes=4) as worker:
        upload = Upload(server.port)
        request = take(worker)
        told: queue.Queue[str] = queue.Queue()

        def wait(step: object) -> None:
            with pytest.raises(ur.LinkClosed, match="the worker was closed") as caught:
                step()  # type: ignore[operator]
            told.put(str(caught.value))

        threads = [threading.Thread(target=wait, args=(step,)) for step in (worker.next, request.read)]
        for thread in threads:
            thread.start()
        eventually("both to wait", lambda: len(worker._bell._reasons) == 2)
        worker.close()
        for thread in threads:
            thread.join()
        assert told.qsize() == 2
        upload.close()


def test_a_wait_may_have_an_end_while_others_go_on(server: Server) -> None:
    with server.worker(lanes=2) as worker, Upload(server.port) as upload:
        request = take(worker)
        thread = threading.Thread(target=echo, args=(request,))
        thread.start()
        for _ in range(3):
            with pytest.raises(ur.Timeout):
                worker.next(0.01)
        upload.send(b"x")
        upload.read_head()
        assert upload.read_chunk() == b"x"
        with pytest.raises(ur.Timeout):
            worker.next(0.01)
        upload.finish()
        thread.join()
