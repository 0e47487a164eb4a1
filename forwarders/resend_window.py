"""What a receiver's system acknowledged and its program may not have read: sent once more when the connection breaks.

TCP acknowledges for the receiver's system. What lies in that system's buffer when the program ends is lost, and nobody says how much it was; so the
last octets, as many as such a buffer holds, are remembered for a while:

    the connection ended by    sent again
    RST, or in silence         everything remembered: something was unread
    FIN                        what was acknowledged in the last seconds before it: the program had read all, and may not have kept the last of it

A batch is sent again on a few connections at most, so that a link too slow for the window gets on.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final

SETTLING_S: Final = 5.0
MOST_TIMES: Final = 5


@dataclass(frozen=True, slots=True)
class Batch:
    """What one call sent: framed messages, how many, and when they were acknowledged (seconds of a clock that only moves on)."""

    octets: bytes
    messages: int
    at: float
    times: int = 0


class ResendWindow:
    """Batches in the order they were sent.

    Args:
        octets: to remember at most; a batch of more isn't remembered.
    """

    def __init__(self, octets: int) -> None:
        self._limit: Final = octets
        self._acknowledged: deque[Batch] = deque()
        self._again: deque[Batch] = deque()
        self._octets = 0

    def __len__(self) -> int:
        """Octets remembered."""
        return self._octets

    @property
    def next(self) -> Batch | None:
        """What has to be sent again before anything new."""
        return self._again[0] if self._again else None

    def repeated(self, at: float) -> None:
        """`next` was acknowledged again."""
        batch = self._again.popleft()
        self._octets -= len(batch.octets)
        if batch.times + 1 < MOST_TIMES:
            self.acknowledged(batch.octets, batch.messages, at, batch.times + 1)

    def acknowledged(self, octets: bytes, messages: int, at: float, times: int = 0) -> None:
        """New messages were acknowledged."""
        self._acknowledged.append(Batch(octets, messages, at, times))
        self._octets += len(octets)
        while self._octets > self._limit and self._acknowledged:
            self._octets -= len(self._acknowledged.popleft().octets)

    def lost(self) -> None:
        """The connection broke: all has to be sent again."""
        self._again.extendleft(reversed(self._acknowledged))
        self._acknowledged.clear()

    def ended(self, at: float) -> None:
        """The receiver ended the connection in good order at `at`: what had settled by then is as good as kept."""
        while self._acknowledged and self._acknowledged[0].at < at - SETTLING_S:
            self._octets -= len(self._acknowledged.popleft().octets)
        self.lost()
