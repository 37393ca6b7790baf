"""Starts a command again when a source file has changed: what is running goes on meanwhile."""

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

_PERIOD = 0.3  # seconds between two looks

# Generations that finish what is running; the oldest of more is killed.
_MAX_DRAINING = 4

_SKIPPED = {"__pycache__", "node_modules", "site-packages"}

ModificationTimes = dict[str, int]


def modification_times(folder: Path) -> ModificationTimes:
    """Return when each source file below a folder was changed, environments left out."""
    found: ModificationTimes = {}
    for path, folders, files in os.walk(folder):
        folders[:] = [f for f in folders if f not in _SKIPPED and not f.startswith(".")]
        if "pyvenv.cfg" in files:
            folders.clear()
            continue
        for name in files:
            if name.endswith(".py"):
                file = os.path.join(path, name)
                with contextlib.suppress(FileNotFoundError):  # it was there a moment ago
                    found[file] = os.stat(file).st_mtime_ns
    return found


class _Generation:
    """A process that serves the sources as they were when it was started."""

    def __init__(self, command: list[str]) -> None:
        self._ready, told = os.pipe()
        os.set_blocking(self._ready, False)
        try:
            self._process = subprocess.Popen(  # noqa: S603 - our own
                command, pass_fds=[told], env={**os.environ, READY: str(told)}
            )
        except BaseException:
            os.close(self._ready)
            raise
        finally:
            os.close(told)

    def ready(self) -> bool | None:
        """Return whether it has attached; None: it has ended without."""
        try:
            return True if os.read(self._ready, 1) else None
        except BlockingIOError:
            return False

    @property
    def ended(self) -> bool:
        return self._process.poll() is not None

    def drain(self) -> None:
        """Have it finish what is running, and end."""
        self._process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it now."""
        self._process.kill()

    def wait(self) -> None:
        """Wait for its end, and forget it."""
        self._process.wait()
        os.close(self._ready)


class _Generations:
    """The process that serves, the one that is to come after it, and those that finish what
    was running when their sources changed.
    """

    def __init__(self, command: list[str]) -> None:
        self._command = command
        self._serving: _Generation | None = None
        self._coming: _Generation | None = None
        self._draining: list[_Generation] = []

    def start(self) -> None:
        """Start one with the sources as they are."""
        self._drain(self._coming)
        self._coming = _Generation(self._command)

    def take_over(self) -> None:
        """Let the one that comes take over when it has attached. If it fails, the one before
        it goes on.
        """
        coming = self._coming
        ready = False if coming is None else coming.ready()
        if ready:
            self._drain(self._serving)
            self._serving, self._coming = coming, None
        elif ready is None:
            self._drain(coming)
            self._coming = None
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
        """Have all finish, and wait for that."""
        for each in (self._serving, self._coming):
            self._drain(each)
        while self._draining:
            self._forget(self._draining[0])


def keep_reloading(words: list[str], folder: Path) -> int:
    """Run the command in a process of its own, and in another one after each change below a
    folder, until SIGTERM or SIGINT comes.
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
