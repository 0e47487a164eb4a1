"""Waits for a peer that somebody else may end: for a drain, or to take back the memory an unfinished message holds.

Cancelling a task would throw away what it has read. Here only the wait for the peer's next octets ends, and the task then hands on what it has.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

import trio

DRAIN: Final = "drain"
MEMORY: Final = "memory"


class Wait:
    """One task's waits for its peer.

    ended_by:  why no wait will be granted any more; None while they are.
    """

    __slots__ = ("_scope", "ended_by")

    def __init__(self) -> None:
        self._scope: trio.CancelScope | None = None
        self.ended_by: str | None = None

    def end(self, reason: str) -> None:
        """End the wait under way and refuse those to come; the first reason stands."""
        self.ended_by = self.ended_by or reason
        if self._scope is not None:
            self._scope.cancel()

    async def until(self, event: Callable[[], Awaitable[None]], deadline: float = float("inf")) -> bool:
        """Await `event()`: True when it came, False when the wait was ended or `deadline` (of Trio's clock) passed."""
        with trio.CancelScope(deadline=deadline) as scope:
            self._scope = scope
            if self.ended_by is not None:
                scope.cancel()
            try:
                await event()
            finally:
                self._scope = None
        return not scope.cancelled_caught


class Drain:
    """Every wait of the listener, so that one word ends them all."""

    def __init__(self) -> None:
        self._waits: Final[set[Wait]] = set()
        self._asked = False

    def join(self) -> Wait:
        """A wait that ends with the others; `leave` when its task is done."""
        wait = Wait()
        self._waits.add(wait)
        if self._asked:
            wait.end(DRAIN)
        return wait

    def leave(self, wait: Wait) -> None:
        """Forget a wait."""
        self._waits.discard(wait)

    def ask(self) -> None:
        """End all waits, those to come too."""
        self._asked = True
        for wait in self._waits:
            wait.end(DRAIN)


class Holdings:
    """Octets of unfinished messages, which all connections together may hold only so many of.

    Past the limit the connection that holds most is ended: whoever sends whole messages holds next to nothing, so it is never the honest one.

    Args:
        limit: octets in all.
    """

    def __init__(self, limit: int) -> None:
        self._limit: Final = limit
        self._held: Final[dict[Wait, int]] = {}
        self.octets = 0

    def hold(self, wait: Wait, octets: int) -> None:
        """Say what the connection waiting in `wait` holds now."""
        self.octets += octets - self._held.pop(wait, 0)
        if octets:
            self._held[wait] = octets
        while self.octets > self._limit:
            greediest = max(self._held, key=self._held.__getitem__)
            self.octets -= self._held.pop(greediest)
            greediest.end(MEMORY)
