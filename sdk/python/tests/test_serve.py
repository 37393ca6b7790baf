"""serve(): processes, threads, signals, and handlers that fail."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosedError, ConnectionClosedOK, InvalidStatus

from client import Upload, dial
from conftest import Scripts, Server, eventually

ECHO = """
    import logging, os, sys, threading
    import upload_response as ur

    def handler(request, response):
        if request.path == "/pid":
            response.start(200)
            response.write(str(os.getpid()))
            return
        if request.path == "/thread":
            response.start(200)
            response.write(threading.current_thread().name)
            return
        response.start(200)
        for chunk in request:
            response.write(chunk)

    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    if __name__ == "__main__":
        ur.serve(handler, {options})
        print("served")
"""


def test_a_handler_answers(server: Server, scripts: Scripts) -> None:
    scripts.attached(ECHO.format(options=""))
    body = os.urandom(1 << 20)
    assert server.call("POST", "/", body).result().body == body


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_lets_what_is_running_finish(server: Server, scripts: Scripts, number: int) -> None:
    worker = scripts.attached(ECHO.format(options=""))
    with Upload(server.port) as upload:
        upload.send(b"x" * 100000)
        assert "200" in upload.read_head()
        worker.signal(number)
        upload.finish()
        size = 0
        while chunk := upload.read_chunk():
            size += len(chunk)
        assert size == 100000
    assert worker.wait() == 0
    assert worker.lines[-1] == "served\n"


def caught(pid: int) -> bool:
    """Return whether a process catches SIGTERM."""
    status = Path(f"/proc/{pid}/status").read_text()
    mask = next(line.split()[1] for line in status.splitlines() if line.startswith("SigCgt"))
    return bool(int(mask, 16) >> (signal.SIGTERM - 1) & 1)


def test_the_second_signal_ends_it_at_once(server: Server, scripts: Scripts) -> None:
    worker = scripts.attached(ECHO.format(options=""))
    with Upload(server.port) as upload:
        upload.send(b"x" * 100000)
        assert "200" in upload.read_head()
        worker.signal(signal.SIGTERM)
        eventually("the first signal to be heard", lambda: not caught(worker.pid))
        worker.signal(signal.SIGTERM)
        assert upload.read_rest() != b""
    assert worker.wait() == -signal.SIGTERM


def test_threads_have_a_link_each(server: Server, scripts: Scripts) -> None:
    worker = scripts.attached(ECHO.format(options="threads=3"), links=3)
    assert server.counts()["links"] == 3
    assert server.get("/thread").result().body.startswith(b"upload-response-")
    worker.signal(signal.SIGTERM)
    assert worker.wait() == 0


def test_processes_are_started_again(server: Server, scripts: Scripts) -> None:
    worker = scripts.attached(ECHO.format(options="processes=2"), links=2)
    pid = int(server.get("/pid").result().body)
    assert pid != worker.pid
    os.kill(pid, signal.SIGKILL)
    worker.says("ended with -9, starting another")
    server.says("link attached", 3)
    eventually("the old link to go", lambda: server.counts()["links"] == 2)
    assert server.get("/pid").result().status == 200
    worker.signal(signal.SIGTERM)
    assert worker.wait() == 0
    assert worker.lines[-1] == "served\n"
    eventually("all links to go", lambda: server.counts()["links"] == 0)


def test_processes_end_with_their_parent(server: Server, scripts: Scripts) -> None:
    worker = scripts.attached(ECHO.format(options="processes=2"), links=2)
    worker.signal(signal.SIGKILL)
    eventually("all links to go", lambda: server.counts()["links"] == 0)


def test_a_signal_to_the_whole_group_lets_what_is_running_finish(server: Server, scripts: Scripts) -> None:
    worker = scripts.attached(ECHO.format(options="processes=2"), links=2)
    with Upload(server.port) as upload:
        upload.send(b"x" * 100000)
        assert "200" in upload.read_head()
        for child in Path(f"/proc/{worker.pid}/task/{worker.pid}/children").read_text().split():
            os.kill(int(child), signal.SIGINT)  # as a terminal does
        worker.signal(signal.SIGINT)
        upload.finish()
        while upload.read_chunk():
            pass
    assert worker.wait() == 0


SIGNAL_AT_THE_FORK = """
    import os, signal

    def signalled_at_once():
        if not os.path.exists("signalled"):
            open("signalled", "w").close()
            os.kill(os.getpid(), signal.SIGTERM)

    os.register_at_fork(after_in_child=signalled_at_once)
"""


def test_a_signal_ends_a_process_that_has_only_just_been_forked(
    server: Server, scripts: Scripts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    worker = scripts.attached(SIGNAL_AT_THE_FORK + ECHO.format(options="processes=2"), links=2)
    worker.says("ended with -15, starting another")
    worker.signal(signal.SIGTERM)
    assert worker.wait() == 0


def test_a_server_that_comes_back_is_found_again(server: Server, scripts: Scripts) -> None:
    worker = scripts.attached(ECHO.format(options=""))
    server.signal(signal.SIGKILL)
    server.wait()
    worker.says("WARNING link lost: the server is gone")
    server.again()
    server.says("link attached")
    assert server.call("POST", "/", b"again").result().body == b"again"
    worker.signal(signal.SIGTERM)
    assert worker.wait() == 0


def test_a_worker_may_come_before_its_server(server: Server, scripts: Scripts) -> None:
    server.signal(signal.SIGTERM)
    server.wait()
    worker = scripts.start(ECHO.format(options=""))
    server.again()
    server.says("link attached")
    worker.signal(signal.SIGTERM)
    assert worker.wait() == 0


def test_a_signal_ends_a_worker_that_waits_for_its_server(server: Server, scripts: Scripts) -> None:
    worker = scripts.attached(ECHO.format(options=""))
    server.signal(signal.SIGKILL)
    server.wait()
    worker.says("link lost")
    worker.signal(signal.SIGTERM)
    assert worker.wait() == 0


@pytest.mark.parametrize(
    "options", ["pool='unknown'", "pool='unknown', processes=2", "pool='unknown', threads=2"]
)
def test_a_worker_that_is_refused_ends(server: Server, scripts: Scripts, options: str) -> None:
    worker = scripts.start(ECHO.format(options=options))
    assert worker.wait() == 1
    assert "AttachError" in "".join(worker.lines)


FAILING = """
    import logging, os, sys
    import upload_response as ur

    def handler(request, response):
        if request.path == "/early":
            raise KeyError("early")
        if request.path == "/kept":
            response.start(200)
            response.write("kept back")
            raise KeyError("kept")
        if request.path == "/viewed":
            chunk = next(request)
            raise KeyError("viewed")
        if request.path == "/late":
            response.start(200)
            response.write(b"part")
            response.flush()
            raise KeyError("late")
        if request.path == "/bad":
            response.start(200, {{"a": "b\\r\\nc"}})
        if request.path == "/exit":
            sys.exit(7)
        if request.path == "/interrupt":
            raise KeyboardInterrupt
        if request.path == "/twice":
            response.start(200)
            response.end()
            response.write(b"x" * 100000)
        if request.path == "/fine":
            response.start(200)
            response.end()

    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    if __name__ == "__main__":
        ur.serve(handler, {options})
"""


def test_a_handler_that_raises_is_a_500_and_is_logged(server: Server, scripts: Scripts) -> None:
    worker = scripts.attached(FAILING.format(options=""))
    for path in ("/early", "/kept", "/viewed"):
        reply = server.call("POST", path, b"body").result()
        assert (reply.status, reply.body) == (500, b"500 Internal Server Error\n")
        worker.says(f"ERROR POST {path} failed")
        worker.says(f"KeyError: '{path[1:]}'")
    assert server.get("/bad").result().status == 500
    worker.says("InvalidResponse")
    assert server.get("/none").result().status == 500
    worker.says("the handler did not answer")
    assert server.get("/twice").result().status == 200
    worker.says("RequestEnded")
    assert not server.get("/late").result().complete
    assert server.get("/fine").result().status == 200
    eventually("all streams to be let go", lambda: server.counts()["active_streams"] == 0)


@pytest.mark.parametrize("threads", [1, 2])
def test_a_handler_that_exits_ends_the_worker_and_not_its_client(
    server: Server, scripts: Scripts, threads: int
) -> None:
    worker = scripts.attached(FAILING.format(options=f"threads={threads}"), links=threads)
    assert server.get("/exit").result().status == 500
    assert worker.wait() == 7


def test_an_interrupt_in_a_handler_ends_the_worker(server: Server, scripts: Scripts) -> None:
    worker = scripts.attached(FAILING.format(options=""))
    assert server.get("/interrupt").result().status == 500
    assert worker.wait() in (-signal.SIGINT, 130)
    assert "KeyboardInterrupt" in "".join(worker.lines)


def test_a_handler_whose_client_goes_is_not_an_error(server: Server, scripts: Scripts) -> None:
    worker = scripts.attached(ECHO.format(options=""))
    with Upload(server.port) as upload:
        upload.send(b"x" * 100000)
        assert "200" in upload.read_head()
        upload.reset()
    eventually("the client to be missed", lambda: server.counts()["client_gone"] == 1)
    assert server.get("/pid").result().status == 200
    worker.signal(signal.SIGTERM)
    assert worker.wait() == 0
    assert worker.lines == ["served\n"]


def test_a_thread_left_behind_does_not_keep_a_request(server: Server, scripts: Scripts) -> None:
    worker = scripts.attached(
        """
        import threading
        import upload_response as ur

        go = threading.Event()

        def late(request):
            go.wait()
            try:
                request.read()
            except ur.RequestEnded as error:
                print("late:", error)

        def handler(request, response):
            if request.path == "/go":
                go.set()
            else:
                threading.Thread(target=late, args=(request,)).start()
            response.start(200)

        if __name__ == "__main__":
            ur.serve(handler)
        """
    )
    assert server.call("POST", "/", b"x").result().status == 200
    assert server.get("/go").result().status == 200
    worker.says("late: the request has ended")
    worker.signal(signal.SIGTERM)
    assert worker.wait() == 0


def test_the_decorator_makes_a_worker(server: Server, scripts: Scripts) -> None:
    worker = scripts.attached(
        """
        import upload_response as ur

        @ur.worker(threads=2)
        def first(request, response):
            response.start(200)
            response.write("decorated")

        @ur.worker
        def other(request, response):
            first(request, response)

        if __name__ == "__main__":
            other.serve(threads=2)
            ur.serve(first)
        """,
        links=2,
    )
    assert server.get("/").result().body == b"decorated"
    worker.signal(signal.SIGTERM)
    server.says("link attached", 3)
    assert server.get("/").result().body == b"decorated"
    worker.signal(signal.SIGTERM)
    assert worker.wait() == 0


def test_a_coroutine_function_serves_many_requests_at_once(server: Server, scripts: Scripts) -> None:
    worker = scripts.attached(
        """
        import asyncio
        import upload_response as ur

        waiting = []

        async def handler(request, response):
            if request.path == "/fail":
                raise KeyError("failed")
            waiting.append(asyncio.get_running_loop().create_future())
            mine = waiting[-1]
            if len(waiting) == 10:
                for each in waiting:
                    each.set_result(len(waiting))
            response.start(200)
            await response.write(str(await mine))

        if __name__ == "__main__":
            ur.serve(handler)
            print("served")
        """
    )
    assert server.get("/fail").result().status == 500
    worker.says("KeyError: 'failed'")
    replies = [server.get("/") for _ in range(10)]
    assert {reply.result().body for reply in replies} == {b"10"}
    worker.signal(signal.SIGTERM)
    assert worker.wait() == 0
    assert worker.lines[-1] == "served\n"


TALK = """
    import logging
    import upload_response as ur

    def handler(request, response):
        websocket = request.websocket
        if request.path == "/plain":
            response.start(200)
            response.write("no websocket")
        elif request.path == "/raises":
            raise LookupError("before")
        else:
            websocket.accept()
            if request.path == "/raises-open":
                raise LookupError("in the middle")
            if request.path == "/echo":
                for message in websocket:
                    websocket.send(message)
            if request.path == "/unguarded":
                websocket.receive()

    async def coroutine(request, response):
        websocket = request.websocket
        if request.path == "/plain":
            response.start(200)
            await response.write("no websocket")
        elif request.path == "/raises":
            raise LookupError("before")
        else:
            await websocket.accept()
            if request.path == "/raises-open":
                raise LookupError("in the middle")
            if request.path == "/echo":
                async for message in websocket:
                    await websocket.send(message)
            if request.path == "/unguarded":
                await websocket.receive()

    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    if __name__ == "__main__":
        ur.serve({handler})
        print("served")
"""


@pytest.mark.parametrize("handler", ["handler", "coroutine"])
def test_a_handler_talks_over_a_websocket(server: Server, scripts: Scripts, handler: str) -> None:
    worker = scripts.attached(TALK.format(handler=handler))
    with dial(server.port, "/echo") as client:
        client.send("hello")
        assert client.recv(20) == "hello"
        client.close(4000)
        assert client.close_code == 4000
    with dial(server.port, "/returns") as client, pytest.raises(ConnectionClosedOK):
        client.recv(20)
    client = dial(server.port, "/unguarded")  # what receive() raises then is no error
    client.close(4000)
    assert client.close_code == 4000
    with pytest.raises(ConnectionClosedError, match="1011"):
        dial(server.port, "/raises-open").recv(20)
    for path, status, text in (("/plain", 200, b"no websocket"), ("/raises", 500, b"500 Internal")):
        with pytest.raises(InvalidStatus) as refused:
            dial(server.port, path)
        assert refused.value.response.status_code == status
        assert (refused.value.response.body or b"").startswith(text)
    worker.says("LookupError: before")
    errors = [line for line in worker.lines if line.startswith("LookupError: ")]
    assert errors == ["LookupError: in the middle\n", "LookupError: before\n"]
    with dial(server.port, "/echo") as client:
        worker.signal(signal.SIGTERM)
        with pytest.raises(ConnectionClosedError, match="1012"):
            client.recv(20)
    assert worker.wait() == 0
    assert worker.lines[-1] == "served\n"


ELSEWHERE = """
    import asyncio, signal, threading, time
    import upload_response as ur

    def hit():
        time.sleep(0.2)  # until all others sleep
        signal.pthread_kill(threading.get_ident(), signal.{name})

    def handler(request, response):
        threading.Thread(target=hit, daemon=True).start()
        response.start(200)

    async def coroutine(request, response):
        handler(request, response)

    def application(environ, start_response):
        threading.Thread(target=hit, daemon=True).start()
        start_response("200 OK", [])
        return [b""]

    async def asgi_application(scope, receive, send):
        if scope["type"] == "http":
            threading.Thread(target=hit, daemon=True).start()
            await send({{"type": "http.response.start", "status": 200}})
            await send({{"type": "http.response.body"}})

    if __name__ == "__main__":
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # as a shell has it for what runs in the background
        {serve}
        print("served")
"""


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
@pytest.mark.parametrize(
    "serve",
    [
        "ur.serve(handler)",
        "ur.serve(handler, threads=2)",
        "ur.serve(coroutine)",
        "from upload_response import wsgi; wsgi.serve(application)",
        "from upload_response import asgi; asgi.serve(asgi_application)",
        "from upload_response import asgi; asgi.serve(asgi_application, loop='asyncio')",
    ],
)
def test_a_signal_that_does_not_wake_the_main_thread_is_heard(
    server: Server, scripts: Scripts, serve: str, name: str
) -> None:
    """One that comes to another thread; one that comes right before a sleep is no different."""
    worker = scripts.attached(ELSEWHERE.format(serve=serve, name=name), links=2 if "threads" in serve else 1)
    assert server.get("/").result().status == 200
    assert worker.wait() == 0
    assert worker.lines[-1] == "served\n"
