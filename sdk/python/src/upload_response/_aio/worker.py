"""A worker for event loops: many requests in progress on one link."""

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

# The most requests to begin in one round of the event loop, so that other tasks get their turn.
_MAX_PER_ROUND = 64


class AsyncWorker(WorkerBase):
    """A worker for an event loop. `async with` attaches it, and `async for` yields its requests.

    It belongs to the event loop in which it was entered.
    """

    # Whenever the loop may go to sleep the link is armed: the server rings the bell for the news
    # that we wait for. A ring disarms it, and the end of the same round of the loop arms it again,
    # so that each round announces itself once.

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
        """Take the options for attaching, which happens when it is entered.

        lanes: requests served at the same time. max_held: slots of one request that views may
        hold. server_uid: a user whose server to trust, besides our own user and root.
        """
        self._options = WorkerOptions(socket, pool, lanes, name, max_held, attach_timeout, server_uid)
        self._loop: asyncio.AbstractEventLoop = None  # type: ignore[assignment] # until __aenter__
        self._thread = 0  # the thread of the loop
        self._armed = 0  # the reasons to ring, or 0
        self._arming = False
        self._next_waiter: asyncio.Future[None] | None = None  # set while next() waits
        self._begin: Callable[[Taken], None] | None = None  # set during for_each()
        self._drained: asyncio.Future[None] | None = None  # the end
        self._buffers = ResultBuffers()
        self._waiting: dict[int, list[asyncio.Future[None]]] = {}  # for news, by handle
        self._tasks: dict[int, asyncio.Task[None]] = {}  # to cancel with their request, by handle

    @classmethod
    def with_options(cls, options: WorkerOptions) -> AsyncWorker:
        """Return a worker that will attach with these options."""
        worker = cls()
        worker._options = options
        return worker

    async def __aenter__(self) -> AsyncWorker:
        if self._loop is not None:
            raise Error("this worker was entered before: each worker has one link")
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
        """End the link. Requests in progress are aborted; views of them stay valid."""
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
        """Call a function in the loop. A request may end in any thread: the one that drops the last
        reference to it.
        """
        if native_threads.get_ident() == self._thread:
            step(*arguments)
        elif not self._loop.is_closed():
            with contextlib.suppress(RuntimeError):  # the loop was closed after all
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
        elif code != 0:  # the link is dead: no bell will ring, and the socket stays readable
            self._loop.remove_reader(self._link.fd)
            self._wake_all()

    def _wake_ready(self, at: Attachment) -> None:
        """Wake the tasks that wait for requests with news."""
        buffers = self._buffers
        while lib.ur_ready(at.argument, buffers.number_argument) == 0:
            self._wake(buffers.number.value, at)

    def _deliver(self) -> None:
        """Take requests, or wake the task that waits for one."""
        if self._link.leaving:
            for handle in list(self._waiting):  # tasks that receive messages close now
                self.wake(handle)
        if self._begin is not None:
            self._take_all()
        waiter, self._next_waiter = self._next_waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def wake(self, handle: int) -> None:
        """Wake the tasks that wait for news of a request."""
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
        """Wait for the next request. Return None when none will come after drain()."""
        while True:
            taken = self._link.take()
            if taken is not None:
                return AsyncRequest(AbortOnDropExchange(self._link, taken), self) if taken else None
            await self._wait_for_request()

    async def _wait_for_request(self) -> None:
        """Wait until a request may have arrived."""
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
            del request  # else it would live until the next one arrives

    async def for_each(self, begin: Callable[[Taken], None]) -> None:
        """Call a function with each request until drain(). The loop calls it, so that no task has to
        be woken.
        """
        self._begin, self._drained = begin, self._loop.create_future()
        try:
            self._take_all()
            self._arm_soon()
            await self._drained
        finally:
            self._begin = self._drained = None

    def _take_all(self) -> None:
        """Begin the requests that have arrived, and notice when no more will come."""
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
        """Serve each request in a task of its own until drain(). The task is cancelled when the
        client goes away.
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
