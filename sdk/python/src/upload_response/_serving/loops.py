"""Event loops: which one, and how it is run."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

NAMES = ("auto", "asyncio", "uvloop")


def factory(name: str) -> Callable[[], asyncio.AbstractEventLoop]:
    """Return what makes a loop. auto: uvloop if it is installed."""
    if name not in NAMES:
        raise ValueError(f"a loop is one of {', '.join(NAMES)}, not {name}")
    if name != "asyncio":
        try:
            import uvloop  # noqa: PLC0415 - is not needed

            return uvloop.new_event_loop
        except ImportError:
            if name == "uvloop":
                raise
    return asyncio.new_event_loop


def run(
    main: Callable[[], Coroutine[Any, Any, None]], new_loop: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    """Run a coroutine in a loop of its own, as asyncio.run() does, which takes no factory
    before Python 3.12. What makes the coroutine is called when the loop is there: before
    Python 3.10 an asyncio.Event, for one, belongs to the loop that it finds when it is made.
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
