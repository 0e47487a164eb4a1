"""What a destination is: one place records go to. The delivery loop (`forwarders.delivery`) does everything that isn't particular to it.

A destination is told its own last word. The state that `deliver` returns is stored in the same transaction as the cursor behind those records, and
handed to `open` at the next start: an offset, a sequence number, nothing. It neither retries nor filters nor remembers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from pipeline.spool.row import Row


@dataclass(frozen=True, slots=True)
class Delivered:
    """What became of a row that a destination is done with.

    state:    to keep with the cursor behind it; at most 4 KiB.
    skipped:  records that the destination has no form for: it counted each with its reason, and the loop doesn't call them delivered.
    """

    state: bytes = b""
    skipped: int = 0


class Destination(Protocol):
    """Where one forwarder's records go. Calls never overlap."""

    async def open(self, state: bytes) -> bytes | None:
        """Get ready; called once at the start, and again after every failure, before the next attempt.

        Args:
            state: what it last returned, `b""` at first.

        Returns:
            The state from here on, made durable before anything is delivered; None if it stays.

        Raises:
            DeliveryError: it can't be reached; tried again while `retriable`.
        """

    async def deliver(self, row: Row) -> Delivered:
        """Hand over all records of `row` (at least one), in order.

        Returns:
            The state to keep with the cursor behind them, and how many of them it skipped.

        Raises:
            DeliveryError: not all were taken; `taken` says how many surely were. Not `retriable` means that a record itself is
                refused: the loop finds out which by halving, parks it and goes on. A destination that refuses everything (a wrong
                password, an unknown path) is `retriable`: the operator has to act, and nothing may be given up meanwhile.
        """

    async def close(self) -> None:
        """Let go; never raises DeliveryError. May be followed by `open`."""
