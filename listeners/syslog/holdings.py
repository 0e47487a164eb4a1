"""The memory that unfinished messages hold, bounded for all connections of the listener together."""

from __future__ import annotations

from typing import Final

from listeners.drain import Wait

MEMORY: Final = "memory"


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
