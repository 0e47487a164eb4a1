"""What a destination is: one place records go to. The delivery loop (`forwarders.delivery`) does everything that isn't particular to it.

A destination is told its own last word. The state that `deliver` returns is stored in the same transaction as the cursor behind those records, and
handed to `open` at the next start: an offset, a sequence number, nothing. It neither retries nor filters nor remembers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, NamedTuple, Protocol

from pipeline.spool.row import Row

BATCH_OCTETS: Final = 1 << 20
"""For a destination that has no limit of its own and likes to be given more at once than arrives at once."""


class Promise(StrEnum):
    """What it means that a destination took a record."""

    ACKNOWLEDGED = "acknowledged"
    """It said that it has it."""

    RECEIVED = "received"
    """Its system's TCP said that it arrived; what its program made of it isn't known."""

    HANDED_OVER = "handed-over"
    """This system's network took it; whether it arrived isn't known."""


class Refusal(NamedTuple):
    """Why a destination refuses one record for good: a reason of low cardinality, and its own words."""

    reason: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one `deliver` may get; a record that is larger by itself comes alone.

    Small rows are joined up to these limits. With none at all a destination gets the spool's rows as they are, up to 2 MiB each.

    records:  how many at most.
    octets:   of newline-delimited JSON at most.
    """

    records: int | None = None
    octets: int | None = None


@dataclass(frozen=True, slots=True)
class Delivered:
    """What became of a row that a destination is done with. A place is a record's among the chosen ones of the row, from 0.

    state:    to keep with the cursor behind it; at most 4 KiB.
    skipped:  records that the destination has no form for: it counted each with its reason, and the loop doesn't call them delivered.
    refused:  records it refuses for good and told apart by itself: they are parked.
    again:    places of records it didn't take this time, to be sent again alone.
    """

    state: bytes = b""
    skipped: int = 0
    refused: Mapping[int, Refusal] = field(default_factory=dict)
    again: Sequence[int] = ()


class Destination(Protocol):
    """Where one forwarder's records go. Calls never overlap."""

    @property
    def limits(self) -> Limits:
        """What one `deliver` may get."""

    async def open(self, state: bytes) -> bytes | None:
        """Get ready; called once at the start, and again after every failure, before the next attempt.

        Args:
            state: what it last returned, `b""` at first.

        Returns:
            The state from here on, made durable before anything is delivered; None if it stays.

        Raises:
            DeliveryError: it can't be reached (RETRY), or doesn't let us in (DENIED).
        """

    async def deliver(self, row: Row) -> Delivered:
        """Hand over all records of `row` (at least one), in order.

        Returns:
            The state to keep with the cursor behind them, and which of them it didn't take.

        Raises:
            DeliveryError: not all were taken; `taken` says how many surely were. REFUSED means that a record itself is refused: the
                loop finds out which by halving, and parks it. A destination that refuses everything (a wrong password, an unknown path) is
                DENIED: the operator has to act, and nothing may be given up meanwhile.
        """

    async def close(self) -> None:
        """Let go; never raises DeliveryError. May be followed by `open`."""
