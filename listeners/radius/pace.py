"""How many requests of a client are normalized before other sockets get their turn: as many as take a few milliseconds.

Most requests take the native engine microseconds. One that it leaves to the reference engine takes up to milliseconds, by the number of its attributes, and a
client may send nothing else: by number alone, a burst of them would hold everybody for seconds. So the number follows the time that the last ones took.
"""

from __future__ import annotations

from typing import Final

TURN_S: Final = 0.01
"""What a turn may take. It takes longer where the last ones were cheap and these aren't, and where one request alone does."""

FIRST: Final = 32
"""Requests of a client's first turn."""


class Pace:
    """One client's.

    Args:
        most: requests of a turn, however quick they are.

    size:  requests of the next turn.
    """

    def __init__(self, most: int) -> None:
        self._most: Final = most
        self.size = min(FIRST, most)

    def took(self, requests: int, seconds: float) -> None:
        """Learn from a turn."""
        if seconds > TURN_S:
            self.size = max(1, int(requests * TURN_S / seconds))
        elif requests >= self.size and seconds < TURN_S / 2:
            self.size = min(2 * self.size, self._most)
