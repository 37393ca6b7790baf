"""Starts a command again when a source file has changed, and lets running requests finish."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import subprocess
import sys
from pathlib import Path

from .._serving.attach_log import READY
from .._serving.stop import stop_on_signals

log = logging.getLogger("upload_response")

_PERIOD = 0.3  # seconds between two looks at the files

# The most generations that may still finish their requests; beyond that the oldest is killed.
_MAX_DRAINING = 4

_SKIPPED = {"__pycache__", "node_modules", "site-packages"}

ModificationTimes = dict[str, int]


def modification_times(folder: Path) -> ModificationTimes:
    """Return the modification time of each source file below a folder, without environments."""
    found: ModificationTimes = {}
    for path, folders, files in os.walk(folder):
        folders[:] = [f for f in folders if f not in _SKIPPED and not f.startswith(".")]
        if "pyvenv.cfg" in files:
            folders.clear()
            continue
        for name in files:
            if name.endswith(".py"):
                file = os.path.join(path, name)
                with contextlib.suppress(FileNotFoundError):  # it was just removed
                    found[file] = os.stat(file).st_mtime_ns
    return found


class _Generation:
    """A process that serves the sources as they were when it started."""

    def __init__(self, command: list[str]) -> None:
        self._ready, told = os.pipe()
        os.set_blocking(self._ready, False)
        try:
            self._process = subprocess.Popen(  # noqa: S603 - our own command
                command, pass_fds=[told], env={**os.environ, READY: str(told)}
            )
        except BaseException:
            os.close(self._ready)
            raise
        finally:
            os.close(told)

    def ready(self) -> bool | None:
        """Return whether it has attached, or None if it has ended before that."""
        try:
            return True if os.read(self._ready, 1) else None
        except BlockingIOError:
            return False

    @property
    def ended(self) -> bool:
        return self._process.poll() is not None

    def drain(self) -> None:
        """Let it finish what is running, and end."""
        self._process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Kill it."""
        self._process.kill()

    def wait(self) -> None:
        """Wait for its end, and close the descriptor."""
        self._process.wait()
        os.close(self._ready)


class _Generations:
    """The process that serves, its successor, and those that finish requests of older sources."""

    def __init__(self, command: list[str]) -> None:
        self._command = command
        self._serving: _Generation | None = None
        self._successor: _Generation | None = None
        self._draining: list[_Generation] = []

    def start(self) -> None:
        """Start a process with the sources as they are now."""
        self._drain(self._successor)
        self._successor = _Generation(self._command)

    def take_over(self) -> None:
        """Let the successor take over once it has attached. If it fails, the process before it goes
        on serving.
        """
        successor = self._successor
        ready = False if successor is None else successor.ready()
        if ready:
            self._drain(self._serving)
            self._serving, self._successor = successor, None
        elif ready is None:
            self._drain(successor)
            self._successor = None
        for each in [each for each in self._draining if each.ended]:
            self._forget(each)

    def _drain(self, generation: _Generation | None) -> None:
        if generation is None:
            return
        generation.drain()
        self._draining.append(generation)
        if len(self._draining) > _MAX_DRAINING:
            self._draining[0].kill()
            self._forget(self._draining[0])

    def _forget(self, generation: _Generation) -> None:
        generation.wait()
        self._draining.remove(generation)

    def end(self) -> None:
        """Let all processes finish, and wait for them."""
        for each in (self._serving, self._successor):
            self._drain(each)
        while self._draining:
            self._forget(self._draining[0])


def keep_reloading(words: list[str], folder: Path) -> int:
    """Run the command in a process, and in a new one after each change below a folder, until SIGTERM
    or SIGINT arrives.
    """
    generations = _Generations(
        [sys.executable, "-m", "upload_response", *(w for w in words if w != "--reload")]
    )
    with stop_on_signals() as stop:
        before = modification_times(folder)
        generations.start()
        try:
            while not stop.wait(_PERIOD):
                generations.take_over()
                now = modification_times(folder)
                if now != before:
                    changed = min(set(now.items()) ^ set(before.items()))[0]
                    log.info("%s has changed, starting again", os.path.relpath(changed))
                    before = now
                    generations.start()
        finally:
            generations.end()
    return 0
