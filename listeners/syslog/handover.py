"""From whole messages to the intake: normalize, add what the listener itself rejected, hand in, remember the receipt.

Normalizing is pure computation on the event loop's thread. A large buffer is normalized a slice at a time, and the intake is awaited after
each, so that other sockets wait for one slice and not for half a MiB. A worker thread would be no help to them: whoever computes in Python
holds the interpreter, and the loop would wait for that (measured: docs/listeners/syslog.md).
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Final, Protocol

from listeners.syslog.reassembly import Cut
from pipeline.errors import SpoolError
from pipeline.log import Log, PeerLog
from pipeline.model import Batch, Frames, Origin, Reject
from pipeline.receipt import Receipt

SLICE_OCTETS: Final = 64 << 10

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
        self._receipts: Final[deque[Receipt]] = deque()

    async def hand(self, origin: Origin, cut: Cut) -> None:
        """Hand on what was cut; returns when the intake has taken it, which is how a full spool stops a sender."""
        for spans in slices(cut.spans, SLICE_OCTETS):
            for batch in self._batches(Frames(cut.buffer, spans, origin)):
                await self._submit(batch)
        if cut.rejected:
            await self._submit(Batch(b"", (), origin, sum(cut.rejected.values()), rejected=cut.rejected, rejects=cut.rejects))

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

    def _batches(self, frames: Frames) -> list[Batch]:
        """One batch; where a message makes the normalizer itself fail, one a message, so that only the culprit is rejected."""
        try:
            return [self._normalize(frames)]
        except Exception as error:  # noqa: BLE001 - a fault of ours must not let one message end the gateway again and again
            self._peer_log.warning("normalizer failed", peer=frames.origin.peer, exc_info=error)
        return list(self._one_by_one(frames))

    def _one_by_one(self, frames: Frames) -> Iterator[Batch]:
        for start, end in frames.pairs():
            try:
                yield self._normalize(replace(frames, spans=array("I", (start, end))))
            except Exception as error:  # noqa: BLE001 - the same; the error is kept beside its message
                reject = Reject(frames.buffer[start:end], "internal-error", 0, repr(error))
                yield Batch(b"", (), frames.origin, 1, rejected={reject.rule: 1}, rejects=(reject,))


def slices(spans: array[int], octets: int) -> Iterator[array[int]]:
    """`spans` in parts that reach over no more than so many octets of their buffer, or over one message."""
    first = 0
    while first < len(spans):
        last = bisect_right(spans, spans[first] + octets, first + 2)
        last -= last % 2
        yield spans[first:last]
        first = last
