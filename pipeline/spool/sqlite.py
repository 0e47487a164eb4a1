"""SqliteSpool: the embedded spool, the async face of its ledger.

The event loop owns what changes between commits (cursors, dead letters, damaged rows that were met). A transaction takes a snapshot of it to a worker
thread and brings back what it decided.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

import trio

from pipeline.clock import wall_clock_ms
from pipeline.errors import DeliveryError, SpoolError
from pipeline.metrics import Metrics
from pipeline.spool.cursors import Cursor, renew_cursors, restore_cursors, unknown_destination
from pipeline.spool.database import FILE_NAME, translated
from pipeline.spool.files import OpenFiles, open_files
from pipeline.spool.gauges import hide_consumer, show_consumer, show_outcome
from pipeline.spool.ledger import Outcome, Standing, Work
from pipeline.spool.letter_box import LetterBox
from pipeline.spool.letters import Requeue, Requeued, read_requeued
from pipeline.spool.memory import SpoolMemory
from pipeline.spool.originals import read_originals
from pipeline.spool.reader import SpoolReader
from pipeline.spool.recent import RecentRows
from pipeline.spool.row import Row
from pipeline.spool.salvage import mark_damaged
from pipeline.spool.settings import Consumer, OnFull, SpoolSettings
from pipeline.spool.spool import Blockade, Committed, Position, Signal, SpoolDamagedError, SpoolStatus, Submission
from pipeline.spool.status import read_status
from pipeline.spool.stored_row import Damaged
from pipeline.state.sessions import Sessions

MAX_STATE_OCTETS: Final = 4096


def open_spool(
    state_dir: Path,
    settings: SpoolSettings,
    consumers: Sequence[Consumer],
    metrics: Metrics,
    *,
    clock_ms: Callable[[], int] = wall_clock_ms,
    vfs: str | None = None,
) -> SqliteSpool:
    """Lock a state directory and open its spool, making both where they are missing. Blocks: for a second per GiB at worst, longer when it salvages.

    Args:
        state_dir: of one gateway.
        settings: [spool].
        consumers: every configured forwarder.
        metrics: registry whose spool counters and gauges move here.
        clock_ms: wall clock, ms since the Unix epoch.
        vfs: SQLite's file layer, the system's unless a test brings its own.

    Raises:
        SpoolError: another process holds the directory, the disk refuses, or a newer Tidegate wrote it. Never for damage.
    """
    return SqliteSpool(open_files(state_dir, settings, vfs), settings, consumers, metrics, clock_ms)


class SqliteSpool(SpoolMemory):
    """The spool of one state directory; made by `open_spool`.

    work:      see Spool.
    turned:    set when it stops taking records in, goes on, or stops for another reason.
    salvaged:  what had to be saved from a damaged file to open it; None normally.
    """

    def __init__(
        self,
        files: OpenFiles,
        settings: SpoolSettings,
        consumers: Sequence[Consumer],
        metrics: Metrics,
        clock_ms: Callable[[], int],
    ) -> None:
        super().__init__(SpoolReader(files.reader, files.state_dir))
        self._files, self._ledger, self._path = files, files.ledger, files.state_dir / FILE_NAME
        self._settings, self._metrics, self._clock_ms, self.salvaged = settings, metrics, clock_ms, files.salvaged
        ledger = files.ledger
        self._head = ledger.head
        self._cursors: Final = restore_cursors(
            ledger.restored.cursors,
            consumers,
            oldest=ledger.restored.oldest,
            head=self._head.number,
            now_ms=clock_ms(),
            all_from_oldest=files.salvaged is not None,
        )
        self._letters: Final = LetterBox(ledger.restored.letters, metrics)
        self._damaged: dict[int, Damaged] = {}
        self._forgotten: set[str] = set()
        self._recent: Final = RecentRows()
        self._more_to_prune = True
        self._grown = trio.Event()
        self._blockade: Blockade | None = None
        self._writing: Final = trio.Lock()
        self._passing: Final = {name: trio.lowlevel.ParkingLot() for name in self._cursors}
        self._threads: Final = trio.CapacityLimiter(1)
        self.work: Final = Signal()
        self.turned: Final = Signal()
        self.work.set()
        self._show(self._cursors.values())

    def _show(self, cursors: Iterable[Cursor]) -> None:
        """Show gauges and counters of consumers from the start."""
        for cursor in cursors:
            show_consumer(self._metrics, cursor.name, partial(self._lag_seconds, cursor))
            self._letters.show(cursor.name)

    @property
    def blockade(self) -> Blockade | None:
        return self._blockade

    @property
    def sessions(self) -> Sessions:
        """The table of VPN sessions, to ask."""
        return self._ledger.sessions

    def position(self, consumer: str) -> Position:
        stored = self._cursors[consumer].stored
        return Position(stored.cursor, stored.state)

    async def commit(self, group: Sequence[Submission]) -> tuple[Committed, ...]:
        async with self._writing:
            work = self._snapshot(group)
            if not (group or work.letters or work.damaged or work.forgotten or self._more_to_prune or any(standing.dirty for standing in work.standings)):
                return ()
            try:
                outcome = await self._transact(work)
            except SpoolDamagedError:
                raise
            except SpoolError as error:
                if group:  # what destinations took may free the room that the group needs
                    rest = replace(work, group=())
                    with suppress(SpoolError):
                        self._apply(rest, await self._transact(rest))
                self._block(Blockade("", str(error)))
                raise
            self._apply(work, outcome)
            return outcome.committed

    def _snapshot(self, group: Sequence[Submission], requeues: Sequence[Requeue] = ()) -> Work:
        now_ms = self._clock_ms()
        for cursor in list(self._cursors.values()):
            removed_at_ms = cursor.stored.removed_at_ms
            if removed_at_ms is not None and not cursor.served and now_ms - removed_at_ms > self._settings.keep_removed * 1000:
                self._forget(cursor.name)
        standings = [Standing(cursor.stored, cursor.consumer, cursor.claimed, cursor.dirty, cursor.undecided) for cursor in self._cursors.values()]
        return Work(group, standings, tuple(self._forgotten), self._letters.work(requeues), tuple(self._damaged.values()), now_ms)

    async def _transact(self, work: Work) -> Outcome:
        def transact() -> Outcome:
            self._files.check_in_place()
            with translated(f"spool {self._path}"):
                return self._ledger.transact(work)

        started = trio.current_time()
        try:
            outcome = await trio.to_thread.run_sync(transact, limiter=self._threads)
        except SpoolDamagedError:
            mark_damaged(self._files.state_dir)
            raise
        self._metrics.commits.inc()
        self._metrics.commit_seconds.observe(trio.current_time() - started)
        return outcome

    def _apply(self, work: Work, outcome: Outcome) -> None:
        """Take over what a transaction made durable."""
        for standing in work.standings:
            cursor = self._cursors.get(standing.stored.name)
            if cursor is not None and (cursor.stored, cursor.undecided) == (standing.stored, standing.undecided):
                cursor.dirty = False
        for line, in_hand in outcome.moved:
            cursor = self._cursors[line.name]
            standing = next(standing for standing in work.standings if standing.stored.name == line.name)
            newer = (cursor.stored, cursor.undecided) != (standing.stored, standing.undecided)
            self._metrics.lost.labels(line.name).inc(cursor.drop_to(line.cursor, line.lost - standing.stored.lost, in_hand, standing.claimed))
            cursor.dirty = newer
            self._passing[line.name].unpark_all()
        for name, lag in outcome.lags.items():
            if name not in self._cursors:  # forgotten meanwhile
                continue
            self._cursors[name].oldest_at_ms = lag.oldest_at_ms
            self._metrics.lag_bytes.labels(name).set(lag.octets)
        self._letters.settle(work.letters, outcome.requeued, outcome.brought)
        self._forgotten.difference_update(work.forgotten)
        for damaged in work.damaged:
            self._damaged.pop(damaged.number, None)
        show_outcome(self._metrics, self._head, outcome)
        self._ledger.sessions.take(outcome.sessions)
        self._metrics.sessions.set(self._ledger.sessions.open)
        self._more_to_prune = outcome.more
        if outcome.more:
            self.work.set()
        self._recent.add(outcome.fresh)
        self._block(outcome.blockade)
        grown = outcome.head.number > self._head.number or any(outcome.requeued) or bool(outcome.brought)
        self._head = outcome.head
        if grown:
            self._grown.set()
            self._grown = trio.Event()

    def _block(self, blockade: Blockade | None) -> None:
        if blockade != self._blockade:
            self.turned.set()
        self._blockade = blockade
        self._metrics.spool_full.set(blockade is not None)

    @contextmanager
    def serving(self, consumer: str) -> Iterator[None]:
        cursor = self._cursors[consumer]
        cursor.served = True
        try:
            yield
        finally:
            cursor.served = False
            self._metrics.lost.labels(consumer).inc(cursor.let_go())
            self.work.set()

    async def read(self, consumer: str, behind: int | None = None) -> Row | None:
        cursor = self._cursors[consumer]
        if cursor.consumer is not None and cursor.consumer.on_full is OnFull.DROP_OLDEST:
            async with self._writing:  # a transaction that may drop has to know what was handed out
                return await self._read(cursor, behind)
        return await self._read(cursor, behind)

    async def _read(self, cursor: Cursor, behind: int | None) -> Row | None:
        while (at := max(cursor.stored.cursor, behind or 0)) < (head := self._head.number):
            row = self._recent.get(at) or await self._reader.row(at, head)
            if isinstance(row, Row):
                cursor.claimed = row.end
                return row if row.first >= at else row.split(at - row.first)[1]
            if row is not None:
                self._damaged[row.number] = row
            end = head if row is None else row.end
            if at == cursor.stored.cursor:
                self._move(cursor, end, cursor.stored.state)
            else:
                behind = end
                self.work.set()
        cursor.claimed = max(cursor.claimed, behind or 0)
        return None

    async def originals(self, row: Row) -> tuple[bytes, ...]:
        try:
            found = await self._reader.ask(partial(read_originals, number=row.first, records=len(row.index)))
        except ValueError:
            self._metrics.originals_damaged.inc()
            found = ()
        return tuple(found[place] for place in row.chosen) if found else (b"",) * len(row)

    async def wait_for_more(self, consumer: str, behind: int | None = None) -> None:
        cursor = self._cursors[consumer]
        while max(cursor.stored.cursor, 0 if behind is None else max(behind, cursor.claimed)) >= self._head.number and not self._letters.has_requeued(consumer):
            await self._grown.wait()

    def advance(self, consumer: str, cursor: int, state: bytes) -> None:
        if len(state) > MAX_STATE_OCTETS:
            raise ValueError(f"a destination's state of {len(state)} octets")
        self._move(self._cursors[consumer], cursor, state)

    def _move(self, cursor: Cursor, number: int, state: bytes) -> None:
        cursor.stored = replace(cursor.stored, cursor=max(cursor.stored.cursor, number), state=state)
        if number >= cursor.claimed:
            cursor.undecided = 0
        cursor.dirty = True
        self._passing[cursor.name].unpark_all()
        self.work.set()

    async def passed(self, consumer: str, number: int) -> bool:
        cursor = self._cursors[consumer]
        lost = cursor.stored.lost
        while cursor.stored.cursor < number:
            await self._passing[consumer].park()
        await trio.lowlevel.checkpoint()
        return cursor.stored.lost == lost

    def dropped(self, consumer: str, row: Row) -> bool:
        cursor = self._cursors[consumer]
        if cursor.stored.cursor < row.end:
            return False
        cursor.stored = replace(cursor.stored, lost=cursor.stored.lost + len(row))
        cursor.undecided = max(0, cursor.undecided - len(row))
        cursor.dirty = True
        self._metrics.lost.labels(consumer).inc(len(row))
        return True

    def park(self, consumer: str, row: Row, refusal: DeliveryError) -> bool:
        owner = self._cursors[consumer].consumer
        self.work.set()
        return self._letters.park(consumer, row, refusal, None if owner is None else owner.dead_letters)

    def has_requeued(self, consumer: str) -> bool:
        return self._letters.has_requeued(consumer)

    def letters_before(self, consumer: str) -> int:
        """How many letters are before a consumer, and have no answer yet."""
        return self._letters.waiting(consumer)

    async def wait_for_room(self, consumer: str, limit: int) -> None:
        """Return once fewer than `limit` letters are before a consumer, and it has refused fewer than may be kept: what comes now it may refuse too."""
        owner = self._cursors[consumer].consumer
        most = max(1, owner.dead_letters) if owner else 1
        while self.letters_before(consumer) >= limit or self._letters.refused(consumer) >= most:
            await self._passing[consumer].park()

    async def requeued(self, consumer: str) -> Requeued | None:
        if not self._letters.has_requeued(consumer):
            return None
        async with self._writing:  # else a commit between the reading and the answers that wait would show letters that are gone
            return await self._reader.ask(partial(read_requeued, consumer=consumer, answered=self._letters.answered()))

    def answer(self, consumer: str, letter: int, refusal: DeliveryError | None = None) -> None:
        self._letters.answer(consumer, letter, refusal)
        self._passing[consumer].unpark_all()
        self.work.set()

    async def requeue(self, request: Requeue) -> int:
        """Put dead letters before their destination once more, durably; how many.

        Raises:
            SpoolError: the spool doesn't know the destination, or can't be written.
        """
        cursor = self._cursors.get(request.consumer)
        if cursor is None:
            raise unknown_destination(request.consumer)
        if cursor.consumer is None:
            raise SpoolError(f"destination {request.consumer}", "it left the configuration", "configure it again first")
        async with self._writing:
            work = self._snapshot((), (request,))
            outcome = await self._transact(work)
            self._apply(work, outcome)
        return outcome.requeued[0]

    async def flush(self) -> None:
        await self.commit(())

    async def renew(self, consumers: Sequence[Consumer]) -> None:
        """Take over another configuration's consumers: who left it keeps its place, who is new gets one, as at a start. `flush` makes it durable.

        Raises:
            SpoolError: the spool can't be read, or hasn't yet given up the place of one that was forgotten; nothing has changed then.
        """
        async with self._writing:  # a transaction under way brings rows, and may prune others
            oldest = await self._reader.ask(lambda connection: connection.execute("SELECT min(number) FROM rows").get)
            back = next((consumer.name for consumer in consumers if consumer.name in self._forgotten), None)
            if back is not None:
                raise SpoolError(f"destination {back}", "its former place isn't given up yet", "try again when the spool can be written")
            head = self._head.number
            fresh = renew_cursors(self._cursors, consumers, oldest=head if oldest is None else oldest, head=head, now_ms=self._clock_ms())
            self._cursors.update(fresh)
            self._passing.update({name: trio.lowlevel.ParkingLot() for name in fresh.keys() - self._passing.keys()})
            self._show(fresh.values())
            self.work.set()

    async def forget(self, consumer: str) -> None:
        """Give up the place of a consumer that left the configuration, and its dead letters.

        Raises:
            SpoolError: there is none such, it is configured, or it is still being served.
        """
        cursor = self._cursors.get(consumer)
        if cursor is None:
            raise unknown_destination(consumer)
        if cursor.consumer is not None:
            raise SpoolError(f"destination {consumer}", "it is configured", "take it out of the configuration first")
        if cursor.served:
            raise SpoolError(f"destination {consumer}", "it has just left the configuration, and is still being served", "try again in a minute")
        self._forget(consumer)
        await self.flush()

    def _forget(self, name: str) -> None:
        del self._cursors[name]
        self._letters.forget(name)
        self._forgotten.add(name)
        hide_consumer(self._metrics, name)

    def _lag_seconds(self, cursor: Cursor) -> float:
        return cursor.lag_seconds(self._head.number, self._clock_ms())

    async def status(self) -> SpoolStatus:
        settings = self._settings
        question = partial(read_status, path=self._path, now_ms=self._clock_ms(), max_bytes=settings.max_bytes, keep_removed_s=settings.keep_removed)
        return await self._reader.ask(partial(question, blockade=self._blockade))

    async def close(self) -> None:
        try:
            with suppress(SpoolError):  # the disk refuses: what destinations took since the last commit they get once more
                await self.flush()
        finally:
            self._files.close()
