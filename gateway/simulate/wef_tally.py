"""What simulated domain controllers did, counted so that it adds up."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Final

MAX_REASONS: Final = 32


@dataclass(slots=True)
class Tally:
    """What deliveries did; sent == acked + unacked + withdrawn, always.

    sent:         events sent for the first time.
    acked:        events whose batch was acknowledged.
    withdrawn:    events sent whose subscription ended or began anew before an acknowledgement; in the latter case it reads them from the log again.
    resent:       events sent once more, since nobody acknowledged them; every time counts.
    batches:      messages with events that were acknowledged.
    heartbeats:   of those without.
    failures:     messages that weren't acknowledged.
    abandonments:  how often a subscription was given up until the next refresh.
    overwritten:  events gone from a log before they were read.
    oversize:     events that fit no envelope.
    """

    sent: int = 0
    acked: int = 0
    withdrawn: int = 0
    resent: int = 0
    batches: int = 0
    heartbeats: int = 0
    failures: int = 0
    abandonments: int = 0
    overwritten: int = 0
    oversize: int = 0

    @property
    def unacked(self) -> int:
        """Events sent that nobody acknowledged."""
        return self.sent - self.acked - self.withdrawn


@dataclass(slots=True)
class Account:
    """What all machines of a simulation did together.

    tally:         of their deliveries.
    enumerations:  that were answered.
    reasons:       why something wasn't, by reason.
    by_event_id:   events acknowledged.
    """

    tally: Tally = field(default_factory=Tally)
    enumerations: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    by_event_id: Counter[str] = field(default_factory=Counter)

    def note(self, reason: str) -> None:
        """Count a reason; a collector can't make it many."""
        self.reasons[reason if reason in self.reasons or len(self.reasons) < MAX_REASONS else "other"] += 1
