"""From whole messages to the intake: normalize, add what the listener itself rejected, hand in, remember the receipt.

Normalizing is pure computation on the event loop's thread. A large buffer is normalized a slice at a time, and the intake is awaited after
each, so that other sockets wait for one slice: as much as the engine does in a few milliseconds. A worker thread would be no help to them:
whoever computes in Python holds the interpreter, and the loop would wait for that (measured: docs/listeners/syslog.md).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import Final, Protocol

from listeners.normalizing import SLICE_OCTETS, Normalize, normalize_guarded, slices
from listeners.syslog.reassembly import Cut
from pipeline.errors import SpoolError
from pipeline.index import EMPTY
from pipeline.log import Log, PeerLog
from pipeline.model import Batch, Frames, Origin
from pipeline.receipt import Receipt


class Intake(Protocol):
    """The door to the spool, `pipeline.intake.Intake`: waits while this listener's share is full."""

    async def submit(self, batch: Batch) -> Receipt:
        """Hand a batch in."""

    def give_up(self, listener: str, messages: int) -> None:
        """Count messages that were read and won't be handed in."""


class Handover:
    """The way from every socket of the listener to the intake.

    Args:
        normalize: Frames to Batch, pure.
        turn_octets: how much of a buffer to normalize at a time.
        intake: where batches go.
        log: for what is the gateway's own fault.
        peer_log: for what is a peer's.
    """

    def __init__(self, normalize: Normalize, intake: Intake, log: Log, peer_log: PeerLog, turn_octets: Callable[[], int] = lambda: SLICE_OCTETS) -> None:
        self._normalize: Final = normalize
        self._turn_octets: Final = turn_octets
        self._intake: Final = intake
        self._log: Final = log
        self._peer_log: Final = peer_log
        self._receipts: Final[deque[Receipt]] = deque()

    async def hand(self, origin: Origin, cut: Cut) -> None:
        """Hand on what was cut; returns when the intake has taken it, which is how a full spool stops a sender. What it hasn't taken by the end is counted."""
        left = cut.messages
        try:
            for spans in slices(cut.spans, self._turn_octets()):
                for batch in normalize_guarded(self._normalize, Frames(cut.buffer, spans, origin), self._peer_log):
                    await self._submit(batch)
                    left -= batch.received
            if cut.rejected:
                await self._submit(Batch(b"", EMPTY, origin, left, rejected=cut.rejected, rejects=cut.rejects))
                left = 0
        finally:
            if left:  # the drain is over, or the intake has closed
                self._intake.give_up(origin.listener, left)

    async def hand_all(self, brought: Iterable[tuple[Origin, Cut]]) -> None:
        """Hand on what was cut at once for several origins, in order."""
        behind = iter(brought)
        try:
            for origin, cut in behind:
                await self.hand(origin, cut)
        finally:
            for origin, cut in behind:
                self._intake.give_up(origin.listener, cut.messages)

    async def _submit(self, batch: Batch) -> None:
        if batch.rejected:
            origin = batch.origin
            self._peer_log.warning("messages rejected", peer=origin.peer, listener=origin.listener, transport=origin.transport, rules=batch.rejected)
        receipt = await self._intake.submit(batch)
        if not receipt.settled:
            self._receipts.append(receipt)
        while self._receipts and self._receipts[0].settled:
            self._receipts.popleft()

    async def settled(self) -> None:
        """Return when every batch handed in is on stable storage, or has failed to get there (which is logged)."""
        while self._receipts:
            try:
                await self._receipts.popleft().wait()
            except SpoolError as error:
                self._log.error("events not committed", error=str(error))
