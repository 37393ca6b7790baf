"""serve(): runs a handler in threads and processes."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import logging
import os
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Union, overload

from .._aio.worker import AsyncHandler, AsyncWorker
from .._core import native_threads
from .._core.errors import AttachError, Cancelled, LinkClosed, WebSocketClosed
from .._core.native_threads import LONGEST_SLEEP
from .._core.worker import WorkerOptions
from .._threads.request import Request
from .._threads.response import Response
from .._threads.worker import Worker
from .attach_log import attach_log
from .processes import supervise
from .stacks import printed, serves
from .stop import Stop, stop_on_signals

log = logging.getLogger("upload_response")

Handler = Callable[[Request, Response], object]
AnyHandler = Union[Handler, AsyncHandler]

_FIRST_PAUSE, _LONGEST_PAUSE = 0.02, 1.0  # seconds


def serve(
    handler: AnyHandler,
    *,
    socket: str | os.PathLike[str] | None = None,
    pool: str | None = None,
    processes: int = 1,
    threads: int = 1,
    lanes: int | None = None,
    name: str = "",
    max_held: int = 256,
    server_uid: int | None = None,
) -> None:
    """Serve requests with handler(request, response) until SIGTERM or SIGINT arrives.

    Then finish what is running, and return. While there is no server, wait for it. A coroutine
    function serves as many requests at the same time as there are lanes; any other handler serves
    one in each thread of each process.

    If the handler raises, the error is logged, and the client gets a 500 or an aborted response. A
    process that ends is started again.
    """
    if lanes is None:
        lanes = 256 if inspect.iscoroutinefunction(handler) else 1
    options = WorkerOptions(socket, pool, lanes, name, max_held, server_uid=server_uid)
    if processes > 1:
        supervise(lambda: _serve_threads(handler, options, threads), processes)
    else:
        _serve_threads(handler, options, threads)


def _serve_threads(handler: AnyHandler, options: WorkerOptions, threads: int) -> None:
    with stop_on_signals() as stop, printed() as stacks:
        options = replace(options, stacks=stacks)
        if threads == 1:
            keep_serving(handler, options, stop)
            return
        failures: list[BaseException] = []

        def run() -> None:
            try:
                keep_serving(handler, options, stop)
            except BaseException as error:
                failures.append(error)
                stop.set()

        workers = native_threads.threads(run, threads, daemon=False)
        for worker in workers:
            worker.start()
        stop.wait_until_set()
        for worker in workers:
            worker.join()
        if failures:
            raise failures[0]


def keep_serving(handler: AnyHandler, options: WorkerOptions, stop: Stop) -> None:
    """Serve one link after the other with a handler, until it is time to stop."""
    if inspect.iscoroutinefunction(handler):
        keep_attached(lambda: asyncio.run(_serve_loop(handler, options, stop)), stop)
    else:
        keep_attached(lambda: _serve_link(handler, options, stop), stop)  # type: ignore[arg-type]


def keep_attached(serve_link: Callable[[], None], stop: Stop) -> None:
    """Attach and serve, again and again, until it is time to stop."""
    pause = _FIRST_PAUSE
    while not stop:
        attachments = attach_log.attachments
        try:
            serve_link()
            pause = _FIRST_PAUSE
        except LinkClosed as error:
            log.warning("link lost: %s", error)
            attach_log.lost()
            pause = _FIRST_PAUSE
        except AttachError as error:
            if not error.may_pass:
                raise
            attach_log.failed(error, attachments)
            stop.wait(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)


def _serve_link(handler: Handler, options: WorkerOptions, stop: Stop) -> None:
    worker = Worker.attached(options)
    attach_log.attached(options, worker.server)
    with worker, stop.when_set(worker.drain):
        for request in worker:
            handle(handler, request)
            del request  # else it would live until the next one arrives


def handle(handler: Handler, request: Request) -> None:
    """Call a handler for a request, and end the response."""
    response = request.response
    try:
        with contextlib.suppress(WebSocketClosed):
            handler(request, response)
        if not response.started:
            raise RuntimeError("the handler did not answer")
        if not response.ended:
            response.end()
    except (Cancelled, LinkClosed) as error:
        log.debug("%s %s: %s", request.method, request.target, error)
    except Exception:
        log.exception("%s %s failed", request.method, request.target)
        request._exchange.fail()
    except BaseException:  # the process is ending, and the client need not wait for that
        request._exchange.fail()
        raise
    finally:
        response.abort()


serves(handle, lambda local: local["request"]._exchange)
serves(AsyncWorker._handle, lambda local: local["request"]._exchange)


async def _serve_loop(handler: Any, options: WorkerOptions, stop: Stop) -> None:
    loop = asyncio.get_running_loop()
    async with AsyncWorker.with_options(options) as worker:
        attach_log.attached(options, worker.server)
        _wake(loop)
        with printed(loop), stop.when_set(lambda: _drain_soon(loop, worker)):
            await worker.serve(handler)


def _wake(loop: asyncio.AbstractEventLoop) -> None:
    """Wake the loop regularly, so that it runs signal handlers."""
    loop.call_later(LONGEST_SLEEP, _wake, loop)


def _drain_soon(loop: asyncio.AbstractEventLoop, worker: AsyncWorker) -> None:
    worker.drain()
    loop.call_soon_threadsafe(worker.drain)  # wakes the loop from a signal handler


class Application:
    """A handler with its options, which the decorator worker() returns."""

    def __init__(self, handler: AnyHandler, options: dict[str, Any]) -> None:
        self.handler = handler
        self._options = options

    def __call__(self, request: Any, response: Any) -> Any:
        return self.handler(request, response)

    def serve(self, **options: Any) -> None:
        """Serve the handler, as serve() does. Options given here override those of the decorator."""
        serve(self.handler, **{**self._options, **options})


@overload
def worker(handler: AnyHandler) -> Application: ...
@overload
def worker(**options: Any) -> Callable[[AnyHandler], Application]: ...
def worker(handler: AnyHandler | None = None, **options: Any) -> Any:
    """Give a handler the options of serve() and a method serve(): @worker or @worker(threads=4)."""
    if handler is None:
        return lambda function: Application(function, options)
    return Application(handler, options)
