"""Waits for a peer that somebody else may end: for a drain, or for whatever else a listener finds more important.

Cancelling a task would throw away what it has read. Here only the wait for the peer's next octets ends, and the task then hands on what it has.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

import trio

DRAIN: Final = "drain"


class Wait:
    """One task's waits for its peer.

    ended_by:  why no wait will be granted any more; None while they are.
    """

    __slots__ = ("_grace", "_latest", "_scope", "ended_by")

    def __init__(self) -> None:
        self._scope: trio.CancelScope | None = None
        self._grace, self._latest = 0.0, float("inf")
        self.ended_by: str | None = None

    def end(self, reason: str, latest: float = float("inf")) -> None:
        """End the wait under way and refuse those to come; the first reason stands, but for a drain, which any other one outdoes.

        Args:
            reason: why.
            latest: when every grace is over, of Trio's clock.
        """
        if self.ended_by is None or self.ended_by == DRAIN:
            self.ended_by = reason
        self._latest = min(self._latest, latest)
        self._hurry()

    async def until(self, event: Callable[[], Awaitable[None]], deadline: float = float("inf"), grace: float = 0.0) -> bool:
        """Await `event()`: True when it came, False when the wait was ended or `deadline` (of Trio's clock) passed.

        Args:
            event: what to wait for.
            deadline: until when.
            grace: seconds left to it by a drain: after it was asked for, or from now on if it was.
        """
        with trio.CancelScope(deadline=deadline) as scope:
            self._scope, self._grace = scope, grace
            if self.ended_by is not None:
                self._hurry()
            try:
                await event()
            finally:
                self._scope = None
        return not scope.cancelled_caught

    def _hurry(self) -> None:
        if self._scope is None:
            return
        now, grace = trio.current_time(), self._grace if self.ended_by == DRAIN else 0.0
        deadline = min(self._scope.deadline, now + grace, self._latest)
        if deadline > now:
            self._scope.deadline = deadline
        else:  # outright: a deadline is looked at behind the sockets, and whoever always has something to read would never meet it
            self._scope.cancel()


class Drain:
    """Every wait of the listener, so that one word ends them all."""

    def __init__(self) -> None:
        self._waits: Final[set[Wait]] = set()
        self._latest: float | None = None

    def join(self) -> Wait:
        """A wait that ends with the others; `leave` when its task is done."""
        wait = Wait()
        self._waits.add(wait)
        if self._latest is not None:
            wait.end(DRAIN, self._latest)
        return wait

    def leave(self, wait: Wait) -> None:
        """Forget a wait."""
        self._waits.discard(wait)

    def ask(self, patience: float = float("inf")) -> None:
        """End all waits, those to come too.

        Args:
            patience: seconds after which no grace holds any more.
        """
        self._latest = trio.current_time() + patience
        for wait in self._waits:
            wait.end(DRAIN, self._latest)
