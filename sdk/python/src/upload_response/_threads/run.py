"""Runs the steps of an exchange in a thread."""

from __future__ import annotations

from .._core.exchange import Exchange
from .._core.ffi import WAIT_NEWS
from .._core.request_handle import Steps, T


def run(exchange: Exchange, steps: Steps[T], deadline: float | None = None) -> T:
    """Run steps, and sleep where they have to wait."""
    link = exchange.link
    bell = link.bell
    try:
        while True:
            seen = bell.rounds
            next(steps)
            bell.wait(link, WAIT_NEWS, seen, deadline, exchange)
    except StopIteration as stop:
        value: T = stop.value
        return value
