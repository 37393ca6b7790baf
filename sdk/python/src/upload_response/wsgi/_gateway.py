"""Serves a WSGI application."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from .._core.exchange import Exchange
from .._core.ffi import WAIT_STREAM
from .._core.waiter import Waiter
from .._core.worker import WorkerOptions
from .._serving.attach_log import attach_log
from .._serving.failures import fail, refuse_websocket
from .._serving.http_rules import root_bytes
from .._serving.serve import keep_attached
from .._serving.service import Service
from .._serving.stacks import printed, serves
from .._serving.stop import Stop
from .._threads.worker import Worker
from ._call import Call
from ._environ import Environs

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication


class Gateway:
    """Serves requests with an application."""

    def __init__(self, app: WSGIApplication, environs: Environs) -> None:
        self._app, self._environs = app, environs

    def handle(self, exchange: Exchange, waiter: Waiter) -> None:
        """Call the application for a request. WSGI has no WebSockets."""
        if exchange.asks_for_websocket:
            refuse_websocket(exchange)
            return
        call = Call(exchange, waiter)
        try:
            result = self._app(self._environs.make(exchange, waiter), call.start_response)
            try:
                call.send(result)
            finally:
                close = getattr(result, "close", None)
                if close is not None:
                    close()
        except Exception as error:
            fail(exchange, error)
        finally:
            if exchange.handle:  # the process is ending, and the client need not wait for that
                exchange.fail()

    def serve_link(self, options: WorkerOptions, stop: Stop) -> None:
        """Attach, and serve requests until the link ends."""
        worker = Worker.attached(options)
        attach_log.attached(options, worker.server)
        link, bell = worker._link, worker._bell
        with worker, stop.when_set(worker.drain):
            while True:
                seen = bell.rounds
                taken = link.take()
                if taken:
                    self.handle(Exchange(link, taken), bell)
                elif taken is None:
                    bell.wait(link, WAIT_STREAM, seen)
                else:
                    return


serves(Gateway.handle, lambda local: local["exchange"])


def serve(
    app: WSGIApplication,
    *,
    socket: str | os.PathLike[str] | None = None,
    pool: str | None = None,
    processes: int = 1,
    threads: int = 1,
    name: str = "",
    root_path: str = "",
    graceful_timeout: float = 30.0,
    server_uid: int | None = None,
) -> None:
    """Serve a WSGI application until SIGTERM or SIGINT arrives.

    Then finish what is running, for graceful_timeout seconds at most, and return. Each thread of
    each process serves one request at a time. While there is no server, wait for it. A process
    that ends is started again. root_path: the SCRIPT_NAME where the application is mounted.
    """
    options = WorkerOptions(socket, pool, 1, name, server_uid=server_uid)
    run(lambda: app, options, Service(processes, graceful_timeout), threads, root_path)


def run(
    load: Callable[[], WSGIApplication],
    options: WorkerOptions,
    service: Service,
    threads: int,
    root_path: str,
) -> None:
    """Serve an application that each process loads by itself."""
    root_bytes(root_path)  # raises at once if it is invalid

    def process() -> None:
        environs = Environs(root_path, multithread=threads > 1, multiprocess=service.processes > 1)
        gateway = Gateway(load(), environs)
        with printed() as stacks:
            attached = replace(options, stacks=stacks)
            service.run_threads(
                lambda stop: keep_attached(lambda: gateway.serve_link(attached, stop), stop), threads
            )

    service.run(process)
