"""Intake: the bounded door to the spool, where listeners share its room fairly and every message is accounted for.

- **Share**: so many octets of each listener's records may wait for their commit. A full share makes `submit` wait, and so stops that listener alone.
- **Group commit**: whatever waits when a commit ends goes into the next one, taken in turns: always from the listener that has the least in it yet.
- **Accounting**: `received = normalized + duplicate + filtered + rejected + control` per listener. The counters move here and nowhere else, all at
  once, when a batch's fate is known, so that they reconcile at every moment.

A spool that can't write (full disk, full quota) is tried again with everything still waiting: listeners stop reading, nobody is acknowledged, and
nothing is given up before `run` is cancelled. What was read by the time the gateway is told to stop goes over a quota.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf
from typing import Final

import trio
from prometheus_client import Counter

from pipeline.errors import SpoolError
from pipeline.metrics import Metrics
from pipeline.model import Batch
from pipeline.receipt import Receipt
from pipeline.rejects import OTHER, Rejects
from pipeline.spool.spool import Bookmark, Committed, Signal, Spool, SpoolDamagedError, Submission

SHARE_OCTETS: Final = 8 << 20
GROUP_OCTETS: Final = 4 << 20
SUBMISSION_OCTETS: Final = 512  # what a submission takes besides its records, so that many small ones are bounded too
MAX_LABELS: Final = 512
CURSOR_LINGER_S: Final = 0.05
GROUP_LINGER_S: Final = 0.01
UNASKED_LINGER_S: Final = 0.04  # besides, while nobody waits for an answer
BUSY_S: Final = 0.05
BUSY_OCTETS: Final = 64 << 10  # a commit so soon behind one so large waits for company too: a transaction costs as much as hundreds of records
RETRY_S: Final = 1.0
NOT_COMMITTED: Final = Committed()


@dataclass(frozen=True, slots=True)
class _Waiting:
    submission: Submission
    receipt: Receipt
    octets: int


@dataclass(slots=True)
class _Share:
    """What one listener has waiting.

    queue:   its submissions, oldest first.
    octets:  of all that isn't settled yet, the group being committed included.
    room:    set when some of it was.
    door:    those who wait for room, first come first served.
    totals:  its counters of what was received, normalized, duplicate, control.
    named:   its counters by name; a peer can't make it more than MAX_LABELS of each.
    """

    totals: tuple[Counter, Counter, Counter, Counter]
    queue: deque[_Waiting] = field(default_factory=deque)
    octets: int = 0
    room: Signal = field(default_factory=Signal)
    door: trio.Lock = field(default_factory=trio.Lock)
    named: dict[Counter, dict[str, Counter]] = field(default_factory=dict)


class Intake:
    """The door; one per spool.

    Args:
        spool: where batches go.
        metrics: the registry whose accounting counters move here.
        rejects: ring that remembers rejected messages.
        share_octets: what one listener may have waiting. A single larger batch is let in when nothing else of that listener waits.

    Once it has ended, `given_up` is how many messages were read and never committed: those that it had let in, and those that never got there.
    """

    def __init__(self, spool: Spool, metrics: Metrics, rejects: Rejects, *, share_octets: int = SHARE_OCTETS) -> None:
        self._spool, self._metrics, self._rejects, self._share_octets = spool, metrics, rejects, share_octets
        self._shares: Final[dict[str, _Share]] = {}
        self._unsettled: dict[Receipt, _Waiting] = {}
        self._hurry = trio.Event()
        self._empty = trio.Event()
        self._empty.set()
        self.given_up = 0
        self.commits_ended = 0  # taken or refused: whoever sees it move knows that nothing hangs
        self._finishing = self._closed = False

    async def submit(self, batch: Batch, *, bookmark: Bookmark | None = None, keep_rejects: bool = False, only: str = "") -> Receipt:
        """Hand a batch in; waits while this listener's share is full.

        Args:
            batch: what a normalizer made of one Frames. One without records needs no commit: it is counted, and its receipt is settled.
            bookmark: what becomes true with the batch, in the same transaction.
            keep_rejects: whether its rejects are stored with it.
            only: the one consumer that gets its records; empty for all.

        Raises:
            SpoolError: the intake has closed; nothing was counted.
        """
        share = self._shares.get(batch.origin.listener) or self._open_share(batch.origin.listener)
        octets = len(batch.records) + sum(map(len, batch.originals)) + SUBMISSION_OCTETS + len(bookmark.fragment or b"" if bookmark else b"")
        if keep_rejects:
            octets += sum(len(reject.raw) for reject in batch.rejects)
        async with share.door:
            while share.octets and share.octets + octets > self._share_octets and not self._closed:
                await share.room.wait()
        if self._closed:
            raise SpoolError("intake", "closed")
        receipt = Receipt(self._asked)
        if not batch.index and bookmark is None and not (keep_rejects and batch.rejects):
            self._account(batch, duplicates=0)
            receipt.settle()
            return receipt
        waiting = _Waiting(Submission(batch, bookmark, keep_rejects, only), receipt, octets)
        share.queue.append(waiting)
        share.octets += octets
        self._unsettled[receipt] = waiting
        if self._empty.is_set():
            self._empty = trio.Event()
        self._spool.work.set()
        if self._is_full:
            self._hurry.set()
        return receipt

    def _asked(self) -> None:
        """Somebody waits for a receipt."""
        self._hurry.set()

    @property
    def _is_full(self) -> bool:
        """Whether a group has grown enough."""
        return sum(share.octets for share in self._shares.values()) >= GROUP_OCTETS

    def finish(self) -> None:
        """Take what waits past every quota from now on: nothing comes behind it, and what was read can't be read again. The disk may still refuse."""
        self._finishing = True
        self._spool.work.set()
        self._hurry.set()

    def give_up(self, listener: str, messages: int) -> None:
        """Count messages that were read and will never be committed."""
        self._metrics.uncommitted.labels(listener).inc(messages)
        self.given_up += messages

    def _open_share(self, listener: str) -> _Share:
        metrics = self._metrics
        received, normalized, duplicate, control = (
            counter.labels(listener) for counter in (metrics.received, metrics.normalized, metrics.duplicate, metrics.control)
        )
        return self._shares.setdefault(listener, _Share((received, normalized, duplicate, control)))

    @property
    def _blocked(self) -> bool:
        blockade = self._spool.blockade
        return blockade is not None and not (self._finishing and blockade.consumer)

    @property
    def has_work(self) -> bool:
        """Whether something waits that the spool would take."""
        return bool(self._unsettled) and not self._blocked

    async def drained(self) -> None:
        """Return once everything submitted so far, and whatever joined it meanwhile, is settled."""
        await self._empty.wait()

    async def run(self) -> None:
        """Commit what waits, for ever. To be cancelled once `drained`; what still waits then fails, and is counted as uncommitted.

        Raises:
            SpoolDamagedError: the spool can't go on.
        """
        busy_until = -inf
        try:
            while True:
                await self._spool.work.wait()
                if not self._unsettled:
                    with trio.move_on_after(CURSOR_LINGER_S):  # a cursor alone waits a moment for company
                        await self._spool.work.wait()
                if self._unsettled and trio.current_time() < busy_until:
                    await self._linger()
                group = self._next_group()
                await self._commit(group)
                busy_until = trio.current_time() + BUSY_S if sum(waiting.octets for waiting in group) >= BUSY_OCTETS else -inf
                if self._unsettled and not self._blocked:
                    self._spool.work.set()
        finally:
            self._close()

    async def _linger(self) -> None:
        """Let a group grow: for a moment, and for some more while nobody waits for what is in it."""
        if self._finishing or self._is_full:
            return
        await trio.sleep(GROUP_LINGER_S)
        if self._finishing or self._is_full or any(receipt.awaited for receipt in self._unsettled):
            return
        self._hurry = trio.Event()
        with trio.move_on_after(UNASKED_LINGER_S):
            await self._hurry.wait()

    def _next_group(self) -> list[_Waiting]:
        """Batches for one commit, taken in turns; none while the spool takes nothing in."""
        group: list[_Waiting] = []
        if self._blocked:
            return group
        taken = {listener: 0 for listener, share in self._shares.items() if share.queue}
        while taken and sum(taken.values()) < GROUP_OCTETS:
            listener = min(taken, key=taken.__getitem__)
            queue = self._shares[listener].queue
            group.append(queue.popleft())
            taken[listener] += group[-1].octets
            if not queue:
                del taken[listener]
        return group

    async def _commit(self, group: list[_Waiting]) -> None:
        submissions = [waiting.submission for waiting in group]
        while True:
            try:
                committed = await self._spool.commit(submissions)
                self.commits_ended += 1
                break
            except SpoolDamagedError:
                raise
            except SpoolError:  # the spool says why in its blockade
                self.commits_ended += 1
                await trio.sleep(RETRY_S)
        for waiting, came_to in zip(group, committed, strict=True):
            self._account(waiting.submission.batch, duplicates=came_to.duplicates)
            self._settle(waiting, came_to)

    def _settle(self, waiting: _Waiting, came_to: Committed = NOT_COMMITTED, *, error: SpoolError | None = None) -> None:
        del self._unsettled[waiting.receipt]
        share = self._shares[waiting.submission.batch.origin.listener]
        share.octets -= waiting.octets
        share.room.set()
        waiting.receipt.settle(duplicates=came_to.duplicates, number=came_to.end, error=error)
        if not self._unsettled:
            self._empty.set()

    def _close(self) -> None:
        """Fail whatever still waits, so that nobody acknowledges it."""
        self._closed = True
        for waiting in list(self._unsettled.values()):
            batch = waiting.submission.batch
            self.give_up(batch.origin.listener, batch.received)
            self._settle(waiting, error=SpoolError("spool", "closed before the batch was committed"))
        for share in self._shares.values():
            share.room.set()

    def _account(self, batch: Batch, *, duplicates: int) -> None:
        """Move every counter of the accounting, for one batch whose fate is known."""
        listener, metrics = batch.origin.listener, self._metrics
        share = self._shares[listener]
        for counter, count in zip(share.totals, (batch.received, len(batch.index) - duplicates, duplicates, batch.control), strict=True):
            counter.inc(count)
        for named, tally in ((metrics.filtered, batch.filtered), (metrics.rejected, batch.rejected), (metrics.warned, batch.warnings)):
            if tally:
                _tally(named, listener, tally, share.named.setdefault(named, {}))
        self._rejects.add(batch)


def _tally(named: Counter, listener: str, tally: Mapping[str, int], known: dict[str, Counter]) -> None:
    """Count by name; `known` are the listener's counters so far."""
    for name, count in tally.items():
        counter = known.get(name)
        if counter is None:
            label = name if len(known) < MAX_LABELS else OTHER
            counter = known.setdefault(label, named.labels(listener, label))
        counter.inc(count)
