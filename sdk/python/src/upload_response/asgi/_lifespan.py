"""The lifespan of an ASGI application: its startup and its shutdown."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from ._cycle import Application, Message

log = logging.getLogger("upload_response")

_VERSIONS = {"version": "3.0", "spec_version": "2.0"}


_LAST_STEPS = 1.0  # seconds that an application has after its last message


class StartupFailed(Exception):
    """The application sent lifespan.startup.failed."""


class Lifespan:
    """The lifespan of an application in one event loop."""

    def __init__(self, app: Application) -> None:
        self._app = app
        self.state: dict[str, Any] = {}
        self._events: asyncio.Queue[Message] = asyncio.Queue()
        self._replies: dict[str, asyncio.Future[Message]] = {}
        self._task: asyncio.Task[None] | None = None

    async def _run(self) -> None:
        scope = {"type": "lifespan", "asgi": _VERSIONS.copy(), "state": self.state}
        try:
            await self._app(scope, self._events.get, self._send)
        except Exception as error:
            self._report(error)

    def _report(self, error: Exception) -> None:
        """Log that the lifespan failed. Before startup it means that there is no lifespan, and a
        failure that a message has reported is not logged again.
        """
        outcomes = [reply.result()["type"] for reply in self._replies.values() if reply.done()]
        if not outcomes:
            log.debug("the application has no lifespan", exc_info=error)
        elif not outcomes[-1].endswith(".failed"):
            log.error("the lifespan of the application failed", exc_info=error)

    async def _send(self, message: Message) -> None:
        kind: str = message["type"]
        event, _, outcome = kind.rpartition(".")
        reply = self._replies.get(event)
        if reply is None or outcome not in ("complete", "failed"):
            raise RuntimeError(f"{kind} was sent, which nobody waits for")
        if reply.done():
            raise RuntimeError(f"{kind} was sent after {reply.result()['type']}")
        reply.set_result(message)

    async def _tell(self, event: str) -> Message | None:
        """Send an event to the application, and return the reply, or None if it ends without one."""
        task = self._task
        if task is None or task.done():
            return None
        reply = self._replies[event] = asyncio.get_running_loop().create_future()
        self._events.put_nowait({"type": event})
        await asyncio.wait([task, reply], return_when=asyncio.FIRST_COMPLETED)
        return reply.result() if reply.done() else None

    async def startup(self) -> None:
        """Start the application. One without a lifespan is served all the same."""
        self._task = asyncio.get_running_loop().create_task(self._run())
        reply = await self._tell("lifespan.startup")
        if reply is not None and reply["type"] == "lifespan.startup.failed":
            await self._end()
            raise StartupFailed(reply.get("message", ""))

    async def shutdown(self) -> None:
        """Let the application clean up."""
        reply = await self._tell("lifespan.shutdown")
        if reply is not None and reply["type"] == "lifespan.shutdown.failed":
            log.error("the application could not shut down: %s", reply.get("message", ""))
        await self._end()

    async def _end(self) -> None:
        """Let the application return, or cancel it."""
        task = self._task
        if task is not None:
            await asyncio.wait([task], timeout=_LAST_STEPS)
            task.cancel()
