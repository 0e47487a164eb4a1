"""Delivery: the loop that brings one destination what it wants from the spool, in order, at least once, for as long as it takes.

What can happen to an attempt, and what follows:

    the destination    then
    takes all          the cursor moves behind it, with the destination's state
    takes some         the cursor moves behind those, the rest is tried again
    fails              the rest is tried again, after a pause (`forwarders.pauses`)
    denies us          likewise, and the operator is called
    finds it too large the records are halved; one that is too large alone is parked
    refuses            the records are halved until those that are meant stand alone; who is at fault then, they or the destination,
                       is judged once all is known (`forwarders.faults`): they are parked, or the destination is paused and the operator called
    hangs              the attempt is given up after `timeout` and counts as failed

Dead letters that were requeued come before anything else. One that is refused again is a dead letter again, and blames nobody.

Nothing is given up but what drop-oldest gives up. Each destination has its own loop, so that none waits for another.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Final
from uuid import UUID

import trio

from forwarders.common_settings import RetrySettings
from forwarders.destination import Delivered, Destination
from forwarders.faults import Parcel, Verdict, judge
from forwarders.feed import Feed, cut
from forwarders.pauses import pause_after
from forwarders.watch import Watch
from pipeline.clock import wall_clock_ms
from pipeline.condition import Condition, State
from pipeline.errors import DeliveryError, Fault, SpoolError
from pipeline.log import Log, PeerLog
from pipeline.metrics import Metrics
from pipeline.spool.row import Row, Wants
from pipeline.spool.spool import Spool

RETIRE_S: Final = 5.0
"""Left to an attempt under way whose destination was changed or removed; what it took by then and didn't say is sent again."""

AGAIN: Final = DeliveryError("again", Fault.RETRY, detail="some of the records have to be sent again")
UNCLEAR: Final = DeliveryError("refused", Fault.RETRY)
AT_FAULT: Final = DeliveryError("refused", Fault.REFUSED)


class Delivery:
    """One destination's loop.

    Args:
        name: of the forwarder, its cursor and its counters' label.
        spool: where records come from.
        destination: where they go.
        wants: which of them; None for all.
        retry: pauses and the limit of an attempt.
        metrics: registry whose destination counters move here.
        log: for what the operator should know.
        random: from 0.0 to 1.0, so that many gateways don't come back at once.
        clock_ms: wall clock, ms since the Unix epoch.
    """

    def __init__(
        self,
        name: str,
        spool: Spool,
        destination: Destination,
        *,
        wants: Wants | None,
        retry: RetrySettings,
        metrics: Metrics,
        log: Log,
        random: Callable[[], float],
        clock_ms: Callable[[], int] = wall_clock_ms,
    ) -> None:
        self._name, self._spool, self._destination = name, spool, destination
        self._retry, self._metrics, self._random = retry, metrics, random
        metrics.delivered.labels(name)
        log = log.bind(destination=name)
        self._watch = Watch(name, metrics, log, clock_ms)
        self._parked_log = PeerLog(log, time.monotonic)
        self._feed = Feed(name, spool, wants=wants, limits=destination.limits, metrics=metrics)
        self._hand: list[Parcel] = []
        self._judging = False
        self._open = False
        self._finishing = self._retired = self._attempting = False
        self._waiting = trio.CancelScope()
        self._all = trio.CancelScope()

    @property
    def condition(self) -> Condition:
        """How the destination fares."""
        return self._watch.condition

    def forget(self) -> None:
        """Show no condition any more: the destination left the configuration."""
        self._watch.forget()

    def finish(self) -> None:
        """Make `run` return once the destination has everything that is in the spool, but for what it refuses and nobody can judge."""
        self._finishing = True
        self._waiting.cancel()

    def retire(self) -> None:
        """Make `run` return for another loop to go on where this one stands: at once, or when the attempt under way has ended, which is given a moment."""
        self._retired = True
        if self._attempting:
            self._all.deadline = min(self._all.deadline, trio.current_time() + RETIRE_S)
        else:
            self._all.cancel()

    async def run(self) -> None:
        """Deliver until cancelled, until caught up behind `finish`, or until retired.

        Raises:
            SpoolError: the spool can't be read.
        """
        with self._spool.serving(self._name):
            try:
                with trio.CancelScope() as self._all:
                    if self._retired:
                        return
                    await self._deliver()
            finally:
                self._drop()
                if self._open:
                    with trio.move_on_after(self._retry.timeout, shield=True):
                        await self._destination.close()

    async def _deliver(self) -> None:
        await self._greet()
        while True:
            await self._deliver_requeued()
            batch = await self._feed.next()
            if batch is not None:
                self._hand.append(Parcel(batch))
                await self._work(self._hand[-1])
                await self._conclude()
                continue
            self._move()
            if self._feed.caught_up and not self._spool.has_requeued(self._name):
                if self._finishing:
                    return
                await self._wait()

    async def _greet(self) -> None:
        """Open once before the first record comes, so that a wrong path or a closed port is told at the start and not at night."""
        try:
            with trio.fail_after(self._retry.timeout):
                await self._reopen()
        except (DeliveryError, trio.TooSlowError) as failed:
            error = failed if isinstance(failed, DeliveryError) else self._timeout()
            self._metrics.delivery_failures.labels(self._name, error.reason).inc()
            self._fault(error)
            await self._close()

    async def _wait(self) -> None:
        """Until there is more, or until what was refused and can't be judged should be tried once more."""
        pause = pause_after(UNCLEAR, self._watch.condition.failures, self._retry, self._random()) if self._hand else float("inf")
        with trio.CancelScope() as self._waiting, trio.move_on_after(pause) as patience:
            await self._spool.wait_for_more(self._name, self._feed.passed)
        if patience.cancelled_caught:
            self._judging = True
            self._watch.fault(State.REFUSING, self._hand[-1].refused[-1].error)
            await self._retry_hand()
            await self._conclude()

    # the hand

    async def _work(self, parcel: Parcel, took: Callable[[Row], None] | None = None) -> None:
        """Send a batch until nothing of it is open, or until the destination is known to be at fault.

        Args:
            parcel: the batch.
            took: told what is done with; of a batch from the spool unless given.
        """
        while (piece := parcel.next) is not None and (took or parcel.verdict is Verdict.OPEN):
            try:
                delivered = await self._attempt(piece)
            except DeliveryError as error:
                self._metrics.delivery_failures.labels(self._name, error.reason).inc()
                self._took(parcel.failed(error), Delivered(self._state, skipped=error.skipped), took)
                if error.fault in (Fault.RETRY, Fault.DENIED):
                    await self._close()
                    if parcel.next is not None:
                        await self._pause(error)
            else:
                self._took(parcel.took(delivered), delivered, took)
                if delivered.again:
                    self._metrics.delivery_failures.labels(self._name, AGAIN.reason).inc()
                    await self._pause(AGAIN)

    def _took(self, done: Row | None, delivered: Delivered, took: Callable[[Row], None] | None) -> None:
        if done is None:
            return
        if self._judging:
            self._watch.progress()
        else:
            self._watch.recovered()
        if took:
            took(done)
        else:
            self._metrics.delivered.labels(self._name).inc(len(done) - delivered.skipped)
        self._move(delivered.state)

    def _move(self, state: bytes | None = None) -> None:
        """Move the cursor to the first record that is still open."""
        waiting = [number for parcel in self._hand if (number := parcel.open_from) is not None]
        self._spool.advance(self._name, min(waiting, default=self._feed.passed), self._state if state is None else state)

    @property
    def _state(self) -> bytes:
        return self._spool.position(self._name).state

    async def _conclude(self) -> None:
        """Judge what is in hand until nothing is, or until more must be known."""
        while self._hand:
            verdict = judge(self._hand)
            if verdict is Verdict.UNCLEAR:
                return
            if verdict is Verdict.RECORDS and self._settle():
                break
            self._judging = True
            error = next(refused.error for parcel in self._hand for refused in parcel.refused)
            self._watch.fault(State.REFUSING if verdict is Verdict.DESTINATION else State.DEAD_LETTERS_FULL, error)
            await self._close()
            await trio.sleep(pause_after(AT_FAULT, 0, self._retry, self._random()))
            await self._deliver_requeued()
            await self._retry_hand()
        if self._judging:
            self._judging = False
            self._watch.recovered()

    def _settle(self) -> bool:
        """Park what was refused, and be done with the hand; False if there is no room for it all."""
        while self._hand:
            for refused in self._hand[0].refused:
                if not self._spool.park(self._name, refused.row, refused.error):
                    return False
                (entry,) = refused.row.entries()
                self._parked_log.warning(
                    "record parked", peer=self._name, uid=str(UUID(bytes=entry.uid)), reason=refused.error.reason, detail=refused.error.detail
                )
                self._hand[0].settle(refused)
                self._move()
            self._hand.pop(0)
        self._move()
        return True

    async def _retry_hand(self) -> None:
        self._drop()
        for parcel in self._hand:
            parcel.retry()
            await self._work(parcel)

    def _drop(self) -> None:
        """Let go of what drop-oldest gave up meanwhile."""
        self._hand = [parcel for parcel in self._hand if not parcel.drop(self._is_dropped)]
        rest = self._feed.rest
        if rest is not None and self._is_dropped(rest):
            self._feed.drop(rest)

    def _is_dropped(self, row: Row) -> bool:
        return self._spool.dropped(self._name, row)

    # dead letters

    async def _deliver_requeued(self) -> None:
        """Bring it the dead letters that were put before it again."""
        while (letters := await self._spool.requeued(self._name)) is not None:
            ids = dict(zip(letters.row.numbers, letters.ids, strict=True))
            for batch in cut(letters.row, self._destination.limits):
                parcel = Parcel(batch)
                await self._work(parcel, lambda done: self._answer(done, ids))  # noqa: B023 - called before the next turn
                for refused in parcel.refused:
                    self._answer(refused.row, ids, refused.error)

    def _answer(self, row: Row, ids: Mapping[int, int], refusal: DeliveryError | None = None) -> None:
        for number in row.numbers:
            self._spool.answer(self._name, ids[number], refusal)

    # the destination

    async def _attempt(self, piece: Row) -> Delivered:
        """One attempt; raises DeliveryError. What it came to is noted before a retirement takes effect, at the next await."""
        await trio.lowlevel.checkpoint_if_cancelled()
        self._attempting = True
        try:
            with trio.fail_after(self._retry.timeout):
                if not self._open:
                    await self._reopen()
                return await self._destination.deliver(piece)
        except trio.TooSlowError:
            raise self._timeout() from None
        finally:
            self._attempting = False
            if self._retired:
                self._all.cancel()

    def _timeout(self) -> DeliveryError:
        return DeliveryError("timeout", Fault.RETRY, detail=f"no answer within {self._retry.timeout:g} s")

    async def _reopen(self) -> None:
        self._open = True
        state = await self._destination.open(self._state)
        if state is not None and state != self._state:
            self._move(state)
            try:
                await self._spool.flush()
            except SpoolError as error:
                raise DeliveryError("spool", Fault.RETRY, detail=str(error)) from error

    def _fault(self, error: DeliveryError) -> None:
        self._watch.fault(State.DENIED if error.fault is Fault.DENIED else State.FAILING, error)

    async def _pause(self, error: DeliveryError) -> None:
        """Wait: longer each time, and never all gateways alike."""
        failures = self._watch.condition.failures
        self._fault(error)
        await trio.sleep(pause_after(error, failures, self._retry, self._random()))
        self._drop()

    async def _close(self) -> None:
        if self._open:
            self._open = False
            with trio.move_on_after(self._retry.timeout):
                await self._destination.close()
