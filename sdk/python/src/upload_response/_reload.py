"""Starts a command again when a source file has changed."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import subprocess
import sys
from pathlib import Path

from ._stop import Stop, stop_on_signals

log = logging.getLogger("upload_response")

_PERIOD = 0.3  # seconds between two looks

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


def keep_reloading(words: list[str], folder: Path) -> int:
    """Run the command in a process of its own, and again after each change below a folder,
    until SIGTERM or SIGINT comes. One that fails is left until something changes.
    """
    command = [sys.executable, "-m", "upload_response", *(w for w in words if w != "--reload")]
    with stop_on_signals() as stop:
        before = times(folder)
        while not stop:
            process = subprocess.Popen(command)  # noqa: S603 - our own
            before = _until_change(before, folder, stop)
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
            process.wait()
    return 0


def _until_change(before: Times, folder: Path, stop: Stop) -> Times:
    while not stop.wait(_PERIOD):
        now = times(folder)
        if now != before:
            changed = min(set(now.items()) ^ set(before.items()))[0]
            log.info("%s has changed, starting again", os.path.relpath(changed))
            return now
    return before
