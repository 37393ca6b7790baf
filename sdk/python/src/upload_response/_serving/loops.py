"""Chooses an event loop, and runs it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

NAMES = ("auto", "asyncio", "uvloop")


def factory(name: str) -> Callable[[], asyncio.AbstractEventLoop]:
    """Return the function that makes a loop of this name. auto: uvloop if it is installed."""
    if name not in NAMES:
        raise ValueError(f"a loop is one of {', '.join(NAMES)}, not {name}")
    if name != "asyncio":
        try:
            import uvloop  # noqa: PLC0415 - it is optional

            return uvloop.new_event_loop
        except ImportError:
            if name == "uvloop":
                raise
    return asyncio.new_event_loop


def run(
    main: Callable[[], Coroutine[Any, Any, None]], new_loop: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    """Run a coroutine in a new loop, as asyncio.run() does, which takes no factory before Python 3.12.

    The coroutine is made when the loop exists: before Python 3.10, an asyncio.Event belongs to the
    loop that is current when it is made.
    """
    loop = new_loop()
    try:
        asyncio.set_event_loop(loop)
        loop.run_until_complete(main())
    finally:
        try:
            _cancel_all(loop)
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.run_until_complete(loop.shutdown_default_executor())
        finally:
            asyncio.set_event_loop(None)
            loop.close()


def _cancel_all(loop: asyncio.AbstractEventLoop) -> None:
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    if tasks:
        loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
