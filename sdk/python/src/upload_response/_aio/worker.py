"""A worker for an event loop: many requests in flight on one link."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from types import TracebackType

from .._core import native_threads
from .._core.buffers import ResultBuffers
from .._core.errors import Cancelled, Error, LinkClosed, Reason, WebSocketClosed
from .._core.exchange import AbortOnDropExchange, Exchange
from .._core.ffi import WAIT_NEWS, WAIT_STREAM, lib
from .._core.link import Attachment, Link, Taken
from .._core.request_handle import RequestHandle, Steps, T
from .._core.worker import WorkerBase, WorkerOptions
from .request import AsyncRequest
from .response import AsyncResponse

log = logging.getLogger("upload_response")

AsyncHandler = Callable[[AsyncRequest, AsyncResponse], Awaitable[object]]

# So many requests are begun in one round of the loop: who waits for something else has
# its turn, too.
_MAX_PER_ROUND = 64


class AsyncWorker(WorkerBase):
    """An attached worker; `async for` gives its requests. It belongs to the event loop that
    it was entered in.

    The link is armed, that is, the server rings for what we wait for, whenever the loop may
    go to sleep. A ring disarms it; it is armed again at the end of the same round of the
    loop, so that one round costs one announcement.
    """

    def __init__(
        self,
        socket: str | os.PathLike[str] | None = None,
        *,
        pool: str | None = None,
        lanes: int = 256,
        name: str = "",
        max_held: int = 256,
        attach_timeout: float = 10.0,
        server_uid: int | None = None,
    ) -> None:
        """It attaches when it is entered. lanes: requests that are served at once; max_held:
        slots of one request that views may hold; server_uid: a user whose server is believed,
        beside our own and root.
        """
        self._options = WorkerOptions(socket, pool, lanes, name, max_held, attach_timeout, server_uid)
        self._loop: asyncio.AbstractEventLoop = None  # type: ignore[assignment] # until it is entered
        self._thread = 0  # the loop's
        self._armed = 0  # the reasons
        self._arming = False
        self._next_waiter: asyncio.Future[None] | None = None  # who waits for a request
        self._begin: Callable[[Taken], None] | None = None  # or what is called with each
        self._drained: asyncio.Future[None] | None = None  # there will be no more of them
        self._buffers = ResultBuffers()
        self._waiting: dict[int, list[asyncio.Future[None]]] = {}  # for news of a request
        self._tasks: dict[int, asyncio.Task[None]] = {}  # that end when their request is cancelled

    @classmethod
    def with_options(cls, options: WorkerOptions) -> AsyncWorker:
        """Return a worker that will attach so."""
        worker = cls()
        worker._options = options
        return worker

    async def __aenter__(self) -> AsyncWorker:
        if self._loop is not None:
            raise Error("this worker was entered before: each has one link")
        self._loop = asyncio.get_running_loop()
        link: Link = await self._loop.run_in_executor(None, self._options.attach)
        super().__init__(link)
        self._thread = native_threads.get_ident()
        link.on_room, link.on_end, link.waiting = self._on_room, self._on_end, self._waiting
        self._loop.add_reader(link.fd, self._on_bell)
        self._arm_soon()
        return self

    async def __aexit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the link. Requests in progress break off; views of them stay what they are."""
        if not self.closed:
            self._loop.remove_reader(self._link.fd)
        super().close()
        self._wake_all()

    # ------------------------------------------------------------ the bell

    def _on_bell(self) -> None:
        at = self._link.attachment
        if at is not None:
            self._armed = 0
            lib.ur_disarm(at.argument)
            if self._waiting or self._tasks:
                self._wake_ready(at)
            self._deliver()
            self._arm_soon()

    def _on_room(self) -> None:
        self._in_loop(self._arm_soon)

    def _on_end(self, handle: int) -> None:
        self._in_loop(self.wake, handle)

    def _in_loop(self, step: Callable[..., None], *arguments: int) -> None:
        """Have the loop take a step: a request may end in any thread, where the last that
        holds it lets go.
        """
        if native_threads.get_ident() == self._thread:
            step(*arguments)
        elif not self._loop.is_closed():
            with contextlib.suppress(RuntimeError):  # it was closed after all
                self._loop.call_soon_threadsafe(step, *arguments)

    def _arm_soon(self) -> None:
        if not self._arming:
            self._arming = True
            self._loop.call_soon(self._arm)

    def _arm(self) -> None:
        self._arming = False
        at = self._link.attachment
        if at is None:
            return
        wanted = self._next_waiter is not None or self._begin is not None
        self._armed = WAIT_NEWS | (WAIT_STREAM if wanted else 0)
        code = lib.ur_arm(at.argument, self._armed)
        if code == -errno.EAGAIN:
            self._armed = 0
            self._wake_ready(at)
            self._deliver()
            self._arm_soon()
        elif code != 0:  # dead: nothing will ring any more, and the socket stays readable
            self._loop.remove_reader(self._link.fd)
            self._wake_all()

    def _wake_ready(self, at: Attachment) -> None:
        """Wake those who wait for news of a request."""
        buffers = self._buffers
        while lib.ur_news(at.argument, buffers.number_argument) == 0:
            self._wake(buffers.number.value, at)

    def _deliver(self) -> None:
        """Wake those for whom there may be something else."""
        if self._link.leaving:
            for handle in list(self._waiting):  # for messages, perhaps
                self.wake(handle)
        if self._begin is not None:
            self._take_all()
        waiter, self._next_waiter = self._next_waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def wake(self, handle: int) -> None:
        """Wake those who wait for news of a request."""
        for waiter in self._waiting.pop(handle, ()):
            if not waiter.done():
                waiter.set_result(None)

    def _wake(self, handle: int, at: Attachment) -> None:
        self.wake(handle)
        task = self._tasks.get(handle)
        if task is not None and lib.ur_reason(at, handle) != Reason.NOT_CANCELLED:
            del self._tasks[handle]
            task.cancel()

    def _wake_all(self) -> None:
        if self._begin is not None:
            self._take_all()
        for handle in list(self._waiting):
            self.wake(handle)
        waiter, self._next_waiter = self._next_waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    async def _wait_for_news(self, handle: int) -> None:
        waiter = self._loop.create_future()
        group = self._waiting.setdefault(handle, [])
        group.append(waiter)
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter in group:
                group.remove(waiter)
            if not group and self._waiting.get(handle) is group:
                del self._waiting[handle]
            raise

    async def run(self, request: RequestHandle, steps: Steps[T]) -> T:
        """Run the steps, let the event loop go on where they have to wait, and return their result."""
        try:
            while True:
                next(steps)
                await self._wait_for_news(request.handle)
        except StopIteration as stop:
            value: T = stop.value
            return value

    # ------------------------------------------------------------ requests

    async def next(self) -> AsyncRequest | None:
        """Return the next request, or None after drain() when the last has come."""
        while True:
            taken = self._link.take()
            if taken is not None:
                return AsyncRequest(AbortOnDropExchange(self._link, taken), self) if taken else None
            await self._wait_for_request()

    async def _wait_for_request(self) -> None:
        """Wait until there may be a request."""
        if self._next_waiter is None:
            self._next_waiter = self._loop.create_future()
        if self._armed and not self._armed & WAIT_STREAM:
            self._armed = 0
            self._arm_soon()
        await asyncio.shield(self._next_waiter)

    async def __aiter__(self) -> AsyncIterator[AsyncRequest]:
        while True:
            request = await self.next()
            if request is None:
                return
            yield request
            del request  # or it would live until the next one comes

    async def for_each(self, begin: Callable[[Taken], None]) -> None:
        """Have a function called with each request that comes, until drain(). It is called
        by the loop: without a task that would have to be woken.
        """
        self._begin, self._drained = begin, self._loop.create_future()
        try:
            self._take_all()
            self._arm_soon()
            await self._drained
        finally:
            self._begin = self._drained = None

    def _take_all(self) -> None:
        """Begin the requests that there are, and say when no more will come."""
        begin, drained = self._begin, self._drained
        if begin is None or drained is None or drained.done():
            return
        try:
            for _ in range(_MAX_PER_ROUND):
                taken = self._link.take()
                if not taken:
                    break
                begin(taken)
            if taken == ():
                drained.set_result(None)
        except Error as error:
            drained.set_exception(error)

    # ------------------------------------------------------------ handlers

    async def serve(self, handler: AsyncHandler) -> None:
        """Serve every request in a task of its own, until drain(). The task is cancelled when
        its client goes.
        """
        running: set[asyncio.Task[None]] = set()

        def begin(taken: Taken) -> None:
            request = AsyncRequest(Exchange(self._link, taken), self)
            handle: int = taken[0]
            task = self._loop.create_task(self._handle(handler, request, handle))
            self._tasks[handle] = task
            running.add(task)
            task.add_done_callback(running.discard)

        try:
            await self.for_each(begin)
        finally:
            if running:
                await asyncio.wait(running)

    async def _handle(self, handler: AsyncHandler, request: AsyncRequest, handle: int) -> None:
        response = request.response
        try:
            with contextlib.suppress(WebSocketClosed):
                await handler(request, response)
            if not response.started:
                raise RuntimeError("the handler did not answer")
            if not response.ended:
                await response.end()
        except (Cancelled, LinkClosed) as error:
            log.debug("%s %s: %s", request.method, request.target, error)
        except asyncio.CancelledError:
            log.debug("%s %s: cancelled", request.method, request.target)
        except Exception:
            log.exception("%s %s failed", request.method, request.target)
            request._exchange.fail()
        finally:
            self._tasks.pop(handle, None)
            response.abort()
