"""The driver of the conformance suite for threads: a thread for each request of a worker
that they share. It carries out the scripts of conformance_driver.py; what is awaited there
waits here in its thread, so that a script never yields.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import defaultdict
from collections.abc import Coroutine
from typing import Any

import upload_response as ur
from conformance_driver import Script, lanes, links, say, say_end


class Waiting:
    """An object whose methods wait by themselves, some of which can be awaited."""

    def __init__(self, plain: Any, *names: str) -> None:
        self._plain = plain
        for name in names:
            setattr(self, name, self._awaitable(name))

    def _awaitable(self, name: str) -> Any:
        async def call(*arguments: Any, **options: Any) -> Any:
            return getattr(self._plain, name)(*arguments, **options)

        return call

    def __getattr__(self, name: str) -> Any:
        return getattr(self._plain, name)


def waiting(request: ur.Request) -> Any:
    """Return a request that a script can use."""
    both: Any = Waiting(request, "tail", "wait_cancelled")
    both.response = Waiting(request.response, *("interim", "write", "reserve", "flush", "trailers", "end"))
    both.websocket = request.websocket and Waiting(request.websocket, "accept", "send", "close")
    return both


class Gates:
    """The gates of a link: whom they hold, until they are opened."""

    def __init__(self) -> None:
        self._open: defaultdict[str, threading.Event] = defaultdict(threading.Event)

    def let(self, gate: str) -> None:
        """Open a gate."""
        self._open[gate].set()

    async def hold(self, gate: str, request: Any) -> None:
        """Wait until a gate is open, or the request is cancelled."""
        while not self._open[gate].wait(0.02):
            request.check_cancelled()


def run(script: Coroutine[Any, Any, None]) -> None:
    """Run what never yields."""
    try:
        script.send(None)
    except StopIteration:
        return
    raise AssertionError("a script has yielded")


class Driver:
    """The links, and the signal that drains them."""

    def __init__(self) -> None:
        self.stopping = False
        self.links: dict[int, ur.Worker] = {}

    def stop(self, *_: object) -> None:
        """Drain all links."""
        self.stopping = True
        for link, worker in list(self.links.items()):
            worker.drain()
            say("- draining", link)

    def serve(self, link: int, worker: ur.Worker) -> None:
        """Serve a link until it is drained or dead."""
        gates, end = Gates(), "drained"
        threads: list[threading.Thread] = []
        try:
            for request in worker:
                threads.append(self.begin(request, gates, link))
                del request
        except ur.LinkClosed:
            end = "gone"
        for thread in threads:
            thread.join()
        say_end(link, worker.counters, end)

    def begin(self, request: ur.Request, gates: Any, link: int) -> threading.Thread:
        """Carry out the script of a request, in a thread."""
        script = Script(waiting(request), gates)
        thread = threading.Thread(target=lambda: run(script.run(link)))
        thread.start()
        return thread

    def keep(self, link: int) -> None:
        """Attach a link, again and again."""
        while not self.stopping:
            try:
                with ur.Worker(lanes=lanes()) as worker:
                    self.links[link] = worker
                    say("- attached", link)
                    if self.stopping:
                        worker.drain()
                    self.serve(link, worker)
            except ur.AttachError as error:
                if not error.may_pass:
                    say("- refused", error)
                    os._exit(3)
                time.sleep(0.01)  # until a server is there
            finally:
                self.links.pop(link, None)

    def run(self) -> None:
        """Keep all links until SIGTERM."""
        signal.signal(signal.SIGTERM, self.stop)
        threads = [threading.Thread(target=self.keep, args=(link,)) for link in links()]
        for thread in threads:
            thread.start()
        for thread in threads:
            while thread.is_alive():
                thread.join(0.1)  # a signal is handled in between


if __name__ == "__main__":
    Driver().run()
