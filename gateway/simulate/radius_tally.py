"""What a simulated network access server did, counted so that it adds up, and how long the answers took."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from gateway.simulate.radius_sessions import Status

MAX_REASONS: Final = 32
RESOLUTION: Final = 0.02
LEAST_S: Final = 1e-6


class Latencies:
    """Times, kept as how many there were of each length to within 2 per cent: so few numbers that any count of them fits memory."""

    def __init__(self) -> None:
        self._counts: Counter[int] = Counter()

    def take(self, seconds: float) -> None:
        """One more."""
        self._counts[math.floor(math.log(max(seconds, LEAST_S)) / RESOLUTION)] += 1

    def quantile(self, share: float) -> float:
        """Seconds that this share of them, 0.0 to 1.0, took at most; 0 if there are none."""
        wanted = share * self._counts.total()
        reached = 0
        for bucket, count in sorted(self._counts.items()):
            reached += count
            if reached >= wanted:
                return math.exp((bucket + 0.5) * RESOLUTION)
        return 0.0


@dataclass(slots=True)
class Tally:
    """What clients did; sent == answered + unanswered + under way, always.

    sent:        requests, each counted once.
    answered:    requests that a holder of the secret answered.
    unanswered:  requests that were given up.
    resent:      how often a request was sent once more.
    stray:       answers to no request under way.
    reasons:     why other answers weren't believed, and other hindrances.
    by_status:   requests answered.
    latencies:   from a request's first sending to its answer.
    """

    sent: int = 0
    answered: int = 0
    unanswered: int = 0
    resent: int = 0
    stray: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    by_status: Counter[Status] = field(default_factory=Counter)
    latencies: Latencies = field(default_factory=Latencies)

    def take(self, status: Status, seconds: float) -> None:
        """A request was answered."""
        self.answered += 1
        self.by_status[status] += 1
        self.latencies.take(seconds)

    def note(self, reason: str) -> None:
        """Count a reason; a server can't make it many."""
        self.reasons[reason if reason in self.reasons or len(self.reasons) < MAX_REASONS else "other"] += 1
