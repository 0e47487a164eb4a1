"""Delivery: the loop that brings one destination what it wants from the spool, in order, at least once, for as long as it takes.

What can happen to an attempt, and what follows:

    the destination   then
    takes all         the cursor moves behind it, with the destination's state
    takes some        the cursor moves behind those, the rest is tried again
    fails             the rest is tried again, after a pause that doubles up to a limit
    refuses           the records are halved and tried again, until the one that is meant stands alone: it is parked, with the reason
    hangs             the attempt is given up after `timeout` and counts as failed

Nothing is given up but what drop-oldest gives up. Each destination has its own loop, so that none waits for another.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

import trio

from forwarders.common_settings import RetrySettings
from forwarders.destination import Delivered, Destination
from pipeline.errors import DeliveryError, Fault, SpoolError
from pipeline.log import Log
from pipeline.metrics import Metrics
from pipeline.spool.row import Row, Wants
from pipeline.spool.spool import Spool

MAX_DOUBLINGS: Final = 16
DEAD_LETTERS_FULL: Final = "dead-letters-full"


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
    ) -> None:
        self._name, self._spool, self._destination, self._wants = name, spool, destination, wants
        self._retry, self._metrics, self._random = retry, metrics, random
        self._log = log.bind(destination=name)
        metrics.delivered.labels(name)
        self._open = False
        self._failures = 0
        self._finishing = False
        self._waiting = trio.CancelScope()

    def finish(self) -> None:
        """Make `run` return once the destination has everything that is in the spool."""
        self._finishing = True
        self._waiting.cancel()

    async def run(self) -> None:
        """Deliver until cancelled, or until caught up behind `finish`.

        Raises:
            SpoolError: the spool can't be read.
        """
        try:
            await self._greet()
            while True:
                row = await self._spool.read(self._name)
                if row is not None:
                    await self._deliver(row)
                elif self._finishing:
                    return
                else:
                    with trio.CancelScope() as self._waiting:
                        await self._spool.wait_for_more(self._name)
        finally:
            if self._open:
                with trio.move_on_after(self._retry.timeout, shield=True):
                    await self._destination.close()

    async def _greet(self) -> None:
        """Open once before the first record comes, so that a wrong path or a closed port is told at the start and not at night."""
        try:
            with trio.fail_after(self._retry.timeout):
                await self._reopen()
        except (DeliveryError, trio.TooSlowError) as error:
            reason = error.reason if isinstance(error, DeliveryError) else "timeout"
            self._metrics.delivery_failures.labels(self._name, reason).inc()
            self._log.warning("destination can't be opened, records will wait for it", reason=reason, detail=getattr(error, "detail", ""))
            await self._close()

    async def _deliver(self, row: Row) -> None:
        """Bring a row to its end: every record of it taken, parked, skipped or dropped."""
        wanted = row if self._wants is None else row.select(self._wants)
        if len(wanted) < len(row):
            self._metrics.skipped.labels(self._name, "filter").inc(len(row) - len(wanted))
        if not wanted:
            self._spool.advance(self._name, wanted.end, self._state)
            await trio.lowlevel.checkpoint()
            return
        pieces = deque([wanted])
        while pieces:
            piece = pieces.popleft()
            try:
                delivered = await self._attempt(piece)
            except DeliveryError as error:
                pieces.extendleft(reversed(await self._after(error, piece)))
            else:
                self._took(piece, delivered)

    @property
    def _state(self) -> bytes:
        return self._spool.position(self._name).state

    def _took(self, piece: Row, delivered: Delivered) -> None:
        if self._failures:
            self._log.info("destination takes records again", failures=self._failures)
        self._failures = 0
        self._metrics.delivered.labels(self._name).inc(len(piece) - delivered.skipped)
        self._spool.advance(self._name, piece.end, delivered.state)

    async def _attempt(self, piece: Row) -> Delivered:
        """One attempt; raises DeliveryError."""
        try:
            with trio.fail_after(self._retry.timeout):
                if not self._open:
                    await self._reopen()
                return await self._destination.deliver(piece)
        except trio.TooSlowError:
            raise DeliveryError("timeout", Fault.RETRY, detail=f"no answer within {self._retry.timeout:g} s") from None

    async def _reopen(self) -> None:
        self._open = True
        state = await self._destination.open(self._state)
        if state is not None and state != self._state:
            self._spool.advance(self._name, self._spool.position(self._name).cursor, state)
            try:
                await self._spool.flush()
            except SpoolError as error:
                raise DeliveryError("spool", Fault.RETRY, detail=str(error)) from error

    async def _after(self, error: DeliveryError, piece: Row) -> tuple[Row, ...]:
        """What a failed attempt leaves to be tried."""
        self._metrics.delivery_failures.labels(self._name, error.reason).inc()
        if error.taken >= len(piece):
            self._took(piece, Delivered(self._state))
            return ()
        if error.taken > 0:
            taken, piece = piece.split(error.taken)
            self._took(taken, Delivered(self._state))
        if error.fault in (Fault.RETRY, Fault.DENIED):
            await self._pause(error)
            return () if self._spool.dropped(self._name, piece) else (piece,)
        if len(piece) > 1:
            return piece.split(len(piece) // 2)
        return await self._park(error, piece)

    async def _park(self, error: DeliveryError, piece: Row) -> tuple[Row, ...]:
        if not self._spool.park(self._name, piece, error):
            await self._pause(DeliveryError(DEAD_LETTERS_FULL, Fault.RETRY, detail=str(error)))
            return () if self._spool.dropped(self._name, piece) else (piece,)
        self._log.warning("record parked", uid=next(piece.entries()).uid.hex(), reason=error.reason, detail=error.detail)
        self._spool.advance(self._name, piece.end, self._state)
        return ()

    async def _pause(self, error: DeliveryError) -> None:
        """Close what failed, and wait: longer each time, and never all gateways alike."""
        await self._close()
        delay = min(self._retry.longest, self._retry.first * 2 ** min(self._failures, MAX_DOUBLINGS)) * (0.5 + 0.5 * self._random())
        if self._failures == 0:
            self._log.warning("destination fails, records wait for it", reason=error.reason, detail=error.detail)
        self._failures += 1
        await trio.sleep(delay)

    async def _close(self) -> None:
        if self._open:
            self._open = False
            with trio.move_on_after(self._retry.timeout):
                await self._destination.close()
