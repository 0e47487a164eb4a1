"""Octets of request bodies in flight: a common bound, of which one address has only a share.

Whoever finds it full waits, in order of arrival. A request that waits for its own address' share holds nobody else up; one that
waits for the common bound does, else large bodies would never have their turn.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Final

import trio


@dataclass(eq=False, slots=True)
class Waiting:
    """A reservation not yet granted."""

    peer: str
    octets: int
    granted: trio.Event = field(default_factory=trio.Event)


class BodyBudget:
    """Reservations of octets.

    Args:
        limit: octets in all.
        per_peer: of those, for one address; a single body must fit.
    """

    def __init__(self, limit: int, per_peer: int) -> None:
        self._limit: Final = limit
        self._per_peer: Final = per_peer
        self._held: Final[Counter[str]] = Counter()
        self._waiting: Final[dict[Waiting, None]] = {}
        self.octets = 0

    async def reserve(self, peer: str, octets: int) -> None:
        """Return once `octets` are reserved for `peer`; `release` gives them back. Cancelled, nothing is reserved."""
        waiting = Waiting(peer, octets)
        self._waiting[waiting] = None
        self._grant()
        try:
            await waiting.granted.wait()
        except trio.Cancelled:
            if waiting.granted.is_set():
                self.release(peer, octets)
            else:
                del self._waiting[waiting]
                self._grant()
            raise

    def release(self, peer: str, octets: int) -> None:
        """Give octets back, which may end the wait of others."""
        self.octets -= octets
        self._held[peer] -= octets
        if not self._held[peer]:
            del self._held[peer]
        self._grant()

    def _grant(self) -> None:
        for waiting in tuple(self._waiting):
            if self._held[waiting.peer] + waiting.octets > self._per_peer:
                continue
            if self.octets + waiting.octets > self._limit:
                break
            del self._waiting[waiting]
            self.octets += waiting.octets
            self._held[waiting.peer] += waiting.octets
            waiting.granted.set()
