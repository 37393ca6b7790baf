"""Starts a command again when a source file has changed: what is running goes on meanwhile."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import subprocess
import sys
from pathlib import Path

from .._serving.stop import stop_on_signals
from .._serving.waits import READY

log = logging.getLogger("upload_response")

_PERIOD = 0.3  # seconds between two looks

# Generations that finish what is running; the oldest of more is killed.
_MOST_LEAVING = 4

_PASSED_OVER = {"__pycache__", "node_modules", "site-packages"}

Times = dict[str, int]


def times(folder: Path) -> Times:
    """Return when each source file below a folder was changed, environments left out."""
    found: Times = {}
    for path, folders, files in os.walk(folder):
        folders[:] = [f for f in folders if f not in _PASSED_OVER and not f.startswith(".")]
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

    def leave(self) -> None:
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
        self._leaving: list[_Generation] = []

    def start(self) -> None:
        """Start one with the sources as they are."""
        self._leave(self._coming)
        self._coming = _Generation(self._command)

    def look(self) -> None:
        """Let the one that comes take over when it has attached. If it fails, the one before
        it goes on.
        """
        coming = self._coming
        ready = False if coming is None else coming.ready()
        if ready:
            self._leave(self._serving)
            self._serving, self._coming = coming, None
        elif ready is None:
            self._leave(coming)
            self._coming = None
        for each in [each for each in self._leaving if each.ended]:
            self._forget(each)

    def _leave(self, generation: _Generation | None) -> None:
        if generation is None:
            return
        generation.leave()
        self._leaving.append(generation)
        if len(self._leaving) > _MOST_LEAVING:
            self._leaving[0].kill()
            self._forget(self._leaving[0])

    def _forget(self, generation: _Generation) -> None:
        generation.wait()
        self._leaving.remove(generation)

    def end(self) -> None:
        """Have all finish, and wait for that."""
        for each in (self._serving, self._coming):
            self._leave(each)
        while self._leaving:
            self._forget(self._leaving[0])


def keep_reloading(words: list[str], folder: Path) -> int:
    """Run the command in a process of its own, and in another one after each change below a
    folder, until SIGTERM or SIGINT comes.
    """
    generations = _Generations(
        [sys.executable, "-m", "upload_response", *(w for w in words if w != "--reload")]
    )
    with stop_on_signals() as stop:
        before = times(folder)
        generations.start()
        try:
            while not stop.wait(_PERIOD):
                generations.look()
                now = times(folder)
                if now != before:
                    changed = min(set(now.items()) ^ set(before.items()))[0]
                    log.info("%s has changed, starting again", os.path.relpath(changed))
                    before = now
                    generations.start()
        finally:
            generations.end()
    return 0
