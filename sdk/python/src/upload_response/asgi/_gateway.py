"""Serves an ASGI application."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from .._aio.worker import AsyncWorker
from .._core.errors import AttachError, CannotServe, LinkClosed
from .._core.exchange import Exchange
from .._core.link import Taken
from .._core.worker import WorkerOptions
from .._serving import loops
from .._serving.attach_log import attach_log
from .._serving.http_rules import root_bytes
from .._serving.service import Service
from .._serving.stacks import printed, serves
from .._serving.stop import SIGNALS, installed
from ._cycle import Application, Cycle
from ._lifespan import Lifespan, StartupFailed
from ._scope import Scopes
from ._websocket import WebSocketCycle

log = logging.getLogger("upload_response")

_FIRST_PAUSE, _LONGEST_PAUSE = 0.02, 1.0  # seconds

_LAST_STEPS = 5.0  # seconds that a cancelled request has to clean up


class Gateway:
    """Serves requests with an application, in one event loop."""

    def __init__(
        self, app: Application, options: WorkerOptions, root_path: str, graceful_timeout: float
    ) -> None:
        self._app, self._options, self._root_path = app, options, root_path
        self._graceful_timeout = graceful_timeout  # seconds that running requests have at the end
        self._running: set[Cycle] = set()
        self._worker: AsyncWorker | None = None

    async def serve(self) -> None:
        """Start the application, serve requests, and let the application clean up."""
        self._stop = asyncio.Event()
        self._handle_signals()
        lifespan = Lifespan(self._app)
        try:
            await lifespan.startup()
        except StartupFailed as error:
            log.error("the application could not start: %s", error)
            raise CannotServe from None
        self._scopes = Scopes(self._root_path, lifespan.state)
        try:
            with printed(asyncio.get_running_loop()) as stacks:
                self._options = replace(self._options, stacks=stacks)
                await self._keep_attached()
        finally:
            await lifespan.shutdown()

    # ------------------------------------------------------------- the end

    def _handle_signals(self) -> None:
        """Let SIGTERM and SIGINT stop the gateway; a second one has its former effect.

        An ignored SIGINT is handled, too: a shell ignores it for what it starts in the background,
        and whoever sends one means it.
        """
        if threading.current_thread() is threading.main_thread():
            loop = asyncio.get_running_loop()
            for number in SIGNALS:
                before = installed(number)
                loop.add_signal_handler(number, self._on_signal, number, before)

    def _on_signal(self, number: int, before: Any) -> None:
        asyncio.get_running_loop().remove_signal_handler(number)
        signal.signal(number, before)
        self._stop.set()
        if self._worker is not None:
            self._worker.drain()

    async def _finish(self) -> None:
        """Wait for the running requests, and cancel those that take too long."""
        tasks = [cycle.task for cycle in self._running if cycle.task is not None]
        if not tasks:
            return
        _, late = await asyncio.wait(tasks, timeout=self._graceful_timeout)
        if not late:
            return
        log.error("%d requests did not finish within %g seconds", len(late), self._graceful_timeout)
        for cycle in list(self._running):
            cycle.stop()
        await asyncio.wait(late, timeout=_LAST_STEPS)

    # ------------------------------------------------------------- serving

    async def _keep_attached(self) -> None:
        """Attach and serve, again and again, until it is time to stop."""
        pause = _FIRST_PAUSE
        while not self._stop.is_set():
            attachments = attach_log.attachments
            try:
                async with AsyncWorker.with_options(self._options) as worker:
                    attach_log.attached(self._options, worker.server)
                    pause = _FIRST_PAUSE
                    await self._serve_link(worker)
            except LinkClosed as error:
                log.warning("link lost: %s", error)
                attach_log.lost()
            except AttachError as error:
                if not error.may_pass:
                    raise
                attach_log.failed(error, attachments)
                await self._pause(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._stop.wait(), seconds)

    async def _serve_link(self, worker: AsyncWorker) -> None:
        self._worker = worker
        try:
            if self._stop.is_set():
                worker.drain()
            await worker.for_each(self._beginner(worker))
            await self._finish()
        finally:
            self._worker = None

    def _beginner(self, worker: AsyncWorker) -> Callable[[Taken], None]:
        """Return the function that starts a task for a request."""
        link, scopes, app, running = worker._link, self._scopes, self._app, self._running
        create_task = asyncio.get_running_loop().create_task

        def begin(taken: Taken) -> None:
            exchange = Exchange(link, taken)
            if exchange.asks_for_websocket:
                websocket = WebSocketCycle(exchange, worker, running)
                cycle: Cycle = websocket
                scope = scopes.make_websocket(exchange, websocket.subprotocols)
            else:
                cycle, scope = Cycle(exchange, worker, running), scopes.make(exchange)
            cycle.task = create_task(cycle.run(app, scope))

        return begin


serves(Cycle.run, lambda local: local["self"]._exchange)


def serve(
    app: Application,
    *,
    socket: str | os.PathLike[str] | None = None,
    pool: str | None = None,
    processes: int = 1,
    concurrency: int = 256,
    name: str = "",
    root_path: str = "",
    graceful_timeout: float = 30.0,
    loop: str = "auto",
    server_uid: int | None = None,
) -> None:
    """Serve an ASGI application until SIGTERM or SIGINT arrives.

    Then finish what is running, for graceful_timeout seconds at most, and return. Each process has
    an event loop, uvloop if it is installed, and serves `concurrency` requests at the same time.
    While there is no server, wait for it. A process that ends is started again. root_path: the
    path where the application is mounted.
    """
    options = WorkerOptions(socket, pool, concurrency, name, server_uid=server_uid)
    run(lambda: app, options, Service(processes, graceful_timeout), root_path, loops.factory(loop))


def run(
    load: Callable[[], Application],
    options: WorkerOptions,
    service: Service,
    root_path: str,
    new_loop: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    """Serve an application that each process loads by itself."""
    root_bytes(root_path)  # raises at once if it is invalid

    def process() -> None:
        loops.run(
            lambda: Gateway(load(), options, root_path, service.graceful_timeout).serve(),
            new_loop,
        )

    service.run(process)
