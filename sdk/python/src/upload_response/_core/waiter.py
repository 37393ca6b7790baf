"""What runs the steps of an exchange, and waits between them: a thread or a task."""

from __future__ import annotations

from typing import Protocol

from .request_handle import RequestHandle, Steps, T


class Waiter(Protocol):
    """Waits in the calling thread."""

    def run(self, request: RequestHandle, steps: Steps[T], deadline: float | None = None) -> T:
        """Run the steps, sleep where they have to wait, and return their result."""


class AsyncWaiter(Protocol):
    """Waits in the calling task."""

    async def run(self, request: RequestHandle, steps: Steps[T]) -> T:
        """Run the steps, let the event loop go on where they have to wait, and return their result."""
