"""Runs the steps of an exchange in a thread."""

from __future__ import annotations

from ._exchange import Exchange, Steps, T
from ._library import WAIT_NEWS


def run(exchange: Exchange, steps: Steps[T]) -> T:
    """Run steps, and sleep where they have to wait."""
    try:
        while True:
            next(steps)
            exchange.link.wait(WAIT_NEWS)
    except StopIteration as stop:
        value: T = stop.value
        return value
