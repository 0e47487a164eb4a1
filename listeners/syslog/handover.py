"""From whole messages to the intake: normalize, add what the listener itself rejected, hand in, remember the receipt.

Normalizing is pure computation. A small buffer is normalized where it stands; a large one, which the reference engine may need tens of
milliseconds for, on one worker thread, so that sockets are served meanwhile (measured: docs/listeners/syslog.md).
"""

from __future__ import annotations

from array import array
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Final, Protocol

import trio

from listeners.syslog.reassembly import Cut
from pipeline.errors import SpoolError
from pipeline.log import Log, PeerLog
from pipeline.model import Batch, Frames, Origin, Reject
from pipeline.receipt import Receipt

INLINE_OCTETS: Final = 64 << 10

Normalize = Callable[[Frames], Batch]


class Intake(Protocol):
    """The door to the spool, `pipeline.intake.Intake`: waits while this listener's share is full."""

    async def submit(self, batch: Batch) -> Receipt:
        """Hand a batch in."""


class Handover:
    """The way from every socket of the listener to the intake.

    Args:
        normalize: Frames to Batch, pure.
        intake: where batches go.
        log: for what is the gateway's own fault.
        peer_log: for what is a peer's.
    """

    def __init__(self, normalize: Normalize, intake: Intake, log: Log, peer_log: PeerLog) -> None:
        self._normalize: Final = normalize
        self._intake: Final = intake
        self._log: Final = log
        self._peer_log: Final = peer_log
        self._worker: Final = trio.CapacityLimiter(1)
        self._receipts: Final[deque[Receipt]] = deque()

    async def hand(self, origin: Origin, cut: Cut) -> None:
        """Hand on what was cut; returns when the intake has taken it, which is how a full spool stops a sender."""
        if not cut:
            return
        frames = Frames(cut.buffer, cut.spans, origin)
        octets = sum(end - start for start, end in frames.pairs()) if len(cut.buffer) > INLINE_OCTETS else 0
        batches = await trio.to_thread.run_sync(self._batches, frames, limiter=self._worker) if octets > INLINE_OCTETS else self._batches(frames)
        if cut.rejected:
            batches[-1] = with_rejects(batches[-1], cut)
        for batch in batches:
            if batch.rejected:
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

    def _batches(self, frames: Frames) -> list[Batch]:
        """One batch; where a message makes the normalizer itself fail, one a message, so that only the culprit is rejected."""
        try:
            return [self._normalize(frames)]
        except Exception as error:  # noqa: BLE001 - a fault of ours must not let one message end the gateway again and again
            self._log.error("normalizer failed", exc_info=error, peer=frames.origin.peer)
        return list(self._one_by_one(frames))

    def _one_by_one(self, frames: Frames) -> Iterator[Batch]:
        for start, end in frames.pairs():
            try:
                yield self._normalize(replace(frames, spans=array("I", (start, end))))
            except Exception as error:  # noqa: BLE001 - the same; the error is kept beside its message
                reject = Reject(frames.buffer[start:end], "internal-error", 0, repr(error))
                yield Batch(b"", (), frames.origin, 1, rejected={reject.rule: 1}, rejects=(reject,))


def with_rejects(batch: Batch, cut: Cut) -> Batch:
    """The batch, with the messages the listener rejected received and rejected too."""
    return replace(
        batch,
        received=batch.received + sum(cut.rejected.values()),
        rejected=Counter(batch.rejected) + Counter(cut.rejected),
        rejects=(*batch.rejects, *cut.rejects),
    )
