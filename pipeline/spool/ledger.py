"""The writing half of the spool: one transaction after the other on the one connection that writes, blocking, with no task or clock.

A transaction takes a group of batches, the cursors and whatever else waits, and makes all of it durable or nothing. What it decided comes back as an
Outcome; what the ledger itself remembers (head, duplicates) changes only behind a successful commit.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, islice
from typing import Final, NamedTuple

import apsw

from kernel import SessionPlan
from pipeline.index import Entry
from pipeline.spool.composition import ComposedRow, compose
from pipeline.spool.cursors import SAVE_CURSOR, SELECT_CURSORS, StoredCursor, parse_cursor
from pipeline.spool.duplicates import Chunk, DuplicateTable
from pipeline.spool.letters import LetterWork, count_letters, save_letters
from pipeline.spool.originals import INSERT_ORIGINALS, encode_originals
from pipeline.spool.row import Row
from pipeline.spool.settings import Consumer, OnFull, SpoolSettings
from pipeline.spool.sources import SourceTables
from pipeline.spool.spool import Blockade, Committed, Submission
from pipeline.spool.stored_row import INSERT, Damaged, encode_row, read_row
from pipeline.state.sessions import Sessions
from pipeline.state.stored_sessions import read_sessions, save_sessions

CHECKPOINT_PAGES: Final = 2048
PRUNE_ROWS: Final = 256  # per transaction: freeing a whole spool at once would fill the write-ahead log

SELECT_HEAD: Final = "SELECT number, octets, rows, quarantined, checksum FROM head"
SAVE_HEAD: Final = "UPDATE head SET (number, octets, rows, quarantined, checksum) = (?, ?, ?, ?, ?)"
STANDS_IN: Final = "SELECT before, kept_at_ms, number + records FROM rows WHERE number <= ? ORDER BY number DESC LIMIT 1"
STANDS_BEFORE: Final = "SELECT before, kept_at_ms, number + records FROM rows WHERE number > ? ORDER BY number LIMIT 1"
PASSED: Final = "SELECT number FROM rows WHERE number < ? LIMIT 1"
PRUNE: Final = "DELETE FROM rows WHERE number IN (SELECT number FROM rows WHERE number < ? ORDER BY number LIMIT ?)"
PRUNE_ORIGINALS: Final = "DELETE FROM originals WHERE number < coalesce((SELECT min(number) FROM rows), ?)"


@dataclass(frozen=True, slots=True)
class Head:
    """How far the log got.

    number:       that the next record gets.
    octets:       of all rows ever stored.
    rows:         that there are now.
    quarantined:  records set aside, ever.
    """

    number: int
    octets: int
    rows: int
    quarantined: int

    def line(self) -> tuple[int, int, int, int, int]:
        """Its columns, in the order of SELECT_HEAD."""
        columns = (self.number, self.octets, self.rows, self.quarantined)
        return (*columns, zlib.crc32(repr(columns).encode()) if any(columns) else 0)


def parse_head(line: Sequence[object]) -> Head:
    """A line of SELECT_HEAD.

    Raises:
        ValueError: it is damaged.
    """
    head = Head(*line[:-1])  # type: ignore[arg-type]  # a damaged line may hold anything; the checksum knows
    if head.line() != tuple(line):
        raise ValueError("the head's checksum")
    return head


@dataclass(frozen=True, slots=True)
class Standing:
    """A consumer in the spool's eyes.

    claimed:    number behind the records it was last handed: what drop-oldest may not count as lost, since it may yet be delivered.
    dirty:      whether its line has to be written.
    undecided:  records of those that were passed all the same: the disk counts them as lost, which they are if the process ends now.
    """

    stored: StoredCursor
    consumer: Consumer | None
    claimed: int
    dirty: bool
    undecided: int = 0


class Moved(NamedTuple):
    """A cursor that drop-oldest moved: its line, and how many records it passed that are in somebody's hands."""

    line: StoredCursor
    in_hand: int


@dataclass(frozen=True, slots=True)
class Work:
    """What one transaction makes durable.

    group:      batches and bookmarks.
    standings:  every consumer that has a place.
    forgotten:  consumers whose place is given up.
    letters:    what happens to dead letters.
    damaged:    rows that couldn't be read.
    now_ms:     wall clock.
    """

    group: Sequence[Submission]
    standings: Sequence[Standing]
    forgotten: Sequence[str]
    letters: LetterWork
    damaged: Sequence[Damaged]
    now_ms: int


@dataclass(frozen=True, slots=True)
class Lag:
    """How far a consumer is behind: octets of rows, and when the oldest of them was committed."""

    octets: int = 0
    oldest_at_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a transaction came to.

    committed:    per submission.
    fresh:        the new rows, as they would be read.
    moved:        cursors that drop-oldest moved.
    lags:         of every consumer.
    head:         after it.
    octets:       of the rows there are.
    evicted:      duplicate keys that left before their time.
    known:        duplicate keys remembered.
    blockade:     why nothing more is taken in.
    more:         whether there are rows left that nobody needs.
    dropped:      stored rejects that left to make room.
    requeued:     letters that each request put before its destination again.
    sessions:     what it changed in the table of sessions, which has yet to take it over.
    brought:      letters to each consumer that came with the group.
    """

    committed: tuple[Committed, ...]
    fresh: tuple[Row, ...]
    moved: tuple[Moved, ...]
    lags: Mapping[str, Lag]
    head: Head
    octets: int
    evicted: int
    known: int
    blockade: Blockade | None
    more: bool
    dropped: int
    requeued: tuple[int, ...]
    sessions: SessionPlan
    brought: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Restored:
    """What a ledger found when it was opened.

    cursors:  every consumer's line.
    letters:  dead letters by consumer, and how many of them are before it again.
    oldest:   number of the oldest record there is; the head where there is none.
    """

    cursors: tuple[StoredCursor, ...]
    letters: Mapping[str, tuple[int, int]]
    oldest: int


class Ledger:
    """The writer.

    sessions: the table of sessions as of the transactions whose Outcome it was given to take over (`Sessions.take`).

    Args:
        connection: from `database.open_writer`.
        settings: of the spool.

    Raises:
        apsw.Error: what is stored can't be read.
        ValueError, TypeError: what is stored is damaged.
    """

    def __init__(self, connection: apsw.Connection, settings: SpoolSettings) -> None:
        self._connection, self._settings = connection, settings
        self._wal_pages = 0
        self._sources: Final = SourceTables(connection)
        connection.set_wal_hook(self._count_wal_pages)
        self.head = parse_head(connection.execute(SELECT_HEAD).get)
        self.restored: Final = Restored(
            tuple(parse_cursor(line) for line in connection.execute(SELECT_CURSORS)),
            count_letters(connection),
            self._oldest(),
        )
        self._known = DuplicateTable(settings.duplicates.max, int(settings.duplicates.keep * 1000))
        self._known.load(Chunk(*line) for line in connection.execute("SELECT number, kept_at_ms, keys FROM keys ORDER BY number"))
        self.sessions: Final = Sessions(settings.sessions)
        self.sessions.load(read_sessions(connection))

    def _oldest(self) -> int:
        first = self._connection.execute("SELECT number FROM rows ORDER BY number LIMIT 1").get
        return self.head.number if first is None else first

    def transact(self, work: Work) -> Outcome:
        """Make `work` durable.

        Raises:
            apsw.Error: nothing of it was stored.
        """
        connection = self._connection
        self._checkpoint_if_due()
        composition = compose(
            [submission.batch for submission in work.group],
            self._known.known,
            [submission.only for submission in work.group],
            self._settings.duplicates.witness,
        )
        sessions = self.sessions.plan(composition.changes, work.now_ms)
        chunk = Chunk(self._known.next_number(self.head.number), work.now_ms, composition.keys)
        connection.execute("BEGIN IMMEDIATE")
        try:
            leaving, evicted = self._store_keys(chunk)
            head, fresh = self._store_rows(composition.rows, work)
            head = self._quarantine(head, work)
            dropped = self._sources.save(work.group, work.now_ms)
            save_sessions(connection, sessions)
            requeued = save_letters(connection, replace(work.letters, brought=composition.letters), work.now_ms)
            moved, lags = self._settle_cursors(work, head)
            standing = {standing.stored.name: standing.stored for standing in work.standings} | {line.name: line for line, _ in moved}
            pruned = self._prune(min((line.cursor for line in standing.values()), default=head.number), head)
            head = replace(head, rows=head.rows - pruned)
            octets = self._octets(head)
            if head != self.head:
                connection.execute(SAVE_HEAD, head.line())
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        committed = self._settle_submissions(work.group, composition.duplicates)
        self.head = head
        self._known.drop(leaving)
        if chunk.keys:
            self._known.add(chunk)
        self._checkpoint_if_due()
        blockade = self._blockade(work.standings, standing, lags, octets)
        more = pruned == PRUNE_ROWS
        brought = Counter(letter.consumer for letter in composition.letters)
        return Outcome(committed, fresh, moved, lags, head, octets, evicted, len(self._known), blockade, more, dropped, requeued, sessions, brought)

    def _settle_submissions(self, group: Sequence[Submission], duplicates: Sequence[int]) -> tuple[Committed, ...]:
        kept = (0 if submission.only else len(submission.batch.index) - count for submission, count in zip(group, duplicates, strict=True))
        ends = islice(accumulate(kept, initial=self.head.number), 1, None)
        return tuple(map(Committed, duplicates, ends))

    def _store_keys(self, chunk: Chunk) -> tuple[tuple[Chunk, ...], int]:
        leaving, evicted = self._known.outgrown(len(chunk), chunk.kept_at_ms)
        self._connection.executemany("DELETE FROM keys WHERE number = ?", ((old.number,) for old in leaving))
        if chunk.keys:
            self._connection.execute("INSERT INTO keys (number, kept_at_ms, keys) VALUES (?, ?, ?)", (chunk.number, chunk.kept_at_ms, chunk.keys))
        return leaving, evicted

    def _store_rows(self, rows: Iterable[ComposedRow], work: Work) -> tuple[Head, tuple[Row, ...]]:
        number, octets, fresh = self.head.number, self.head.octets, []
        for row in rows:
            end = number + len(row.index)
            if work.standings:  # rows that nobody reads would go in the same transaction
                originals = encode_originals(number, row.originals) if row.originals else None
                stored = encode_row(row, number=number, before=octets, kept_at_ms=work.now_ms, beside=len(originals.body) if originals else 0)
                self._connection.execute(INSERT, stored)
                if originals:
                    self._connection.execute(INSERT_ORIGINALS, originals)
                octets += stored.octets
                fresh.append(Row.whole(row.records, row.index, number))
            number = end
        return replace(self.head, number=number, octets=octets, rows=self.head.rows + len(fresh)), tuple(fresh)

    def _quarantine(self, head: Head, work: Work) -> Head:
        """Set damaged rows aside, with what can be had of them; one that can't be moved stays until it is pruned."""
        for number, end, why in work.damaged:
            if self._connection.execute("SELECT 1 FROM quarantine WHERE number = ?", (number,)).get:
                continue
            note = (number, end - number, work.now_ms, why)
            try:
                with self._connection:
                    self._connection.execute("INSERT INTO quarantine SELECT ?1, ?2, ?3, ?4, entries, body FROM rows WHERE number = ?1", note)
                    self._connection.execute("DELETE FROM rows WHERE number = ?", (number,))
                head = replace(head, rows=head.rows - 1)
            except apsw.CorruptError:
                self._connection.execute("INSERT INTO quarantine VALUES (?, ?, ?, ?, NULL, NULL)", note)
            head = replace(head, quarantined=head.quarantined + end - number)
        return head

    def _settle_cursors(self, work: Work, head: Head) -> tuple[tuple[Moved, ...], dict[str, Lag]]:
        """Write what changed, and let those move on that drop rather than block."""
        moved, lags = [], {}
        for standing in work.standings:
            line, in_hand, lag = standing.stored, 0, self._lag(standing.stored.cursor, head)
            consumer = standing.consumer
            if consumer is not None and consumer.on_full is OnFull.DROP_OLDEST and lag.octets >= self._limit(consumer):
                line, in_hand = self._drop_oldest(standing, consumer, head)
                if line != standing.stored:
                    moved.append(Moved(line, in_hand))
                    lag = self._lag(line.cursor, head)
            if standing.dirty or line != standing.stored:
                self._connection.execute(SAVE_CURSOR, replace(line, lost=line.lost + in_hand + standing.undecided).line())
            lags[line.name] = lag
        self._connection.executemany("DELETE FROM consumers WHERE name = ?", ((name,) for name in work.forgotten))
        self._connection.executemany("DELETE FROM dead_letters WHERE consumer = ?", ((name,) for name in work.forgotten))
        return tuple(moved), lags

    def _limit(self, consumer: Consumer) -> int:
        return min(consumer.quota or self._settings.max_bytes, self._settings.max_bytes)

    def _lag(self, cursor: int, head: Head) -> Lag:
        if cursor >= head.number:
            return Lag()
        for query in (STANDS_IN, STANDS_BEFORE):
            for before, kept_at_ms, end in self._connection.execute(query, (cursor,)):
                if end > cursor:
                    return Lag(head.octets - before, kept_at_ms)
        return Lag()

    def _drop_oldest(self, standing: Standing, consumer: Consumer, head: Head) -> Moved:
        """Move past whole rows until the lag is below the limit, counting what is lost to this consumer; the newest row always stays."""
        line = standing.stored
        cursor, lost, in_hand, limit = line.cursor, line.lost, 0, self._limit(consumer)
        newest = self._connection.execute("SELECT number FROM rows ORDER BY number DESC LIMIT 1").get
        while newest is not None and cursor < newest and self._lag(cursor, head).octets >= limit:
            row = read_row(self._connection, cursor, head.number)
            if row is None:
                break
            if isinstance(row, Row):
                wants = consumer.wants or _everything
                wanted = [number for number, entry in zip(row.numbers, row.entries(), strict=True) if number >= cursor and wants(entry)]
                claimed = sum(number < standing.claimed for number in wanted)
                lost, in_hand = lost + len(wanted) - claimed, in_hand + claimed
            cursor = row.end
        return Moved(replace(line, cursor=cursor, lost=lost), in_hand)

    def _prune(self, tail: int, head: Head) -> int:
        """Delete rows that everybody has passed, all before the one that holds record `tail`, and no more than PRUNE_ROWS; how many."""
        if tail < head.number:
            tail = self._connection.execute("SELECT number FROM rows WHERE number <= ? ORDER BY number DESC LIMIT 1", (tail,)).get or 0
        if self._connection.execute(PASSED, (tail,)).get is None:
            return 0
        self._connection.execute(PRUNE, (tail, PRUNE_ROWS))
        pruned = self._connection.changes()
        if pruned:
            self._connection.execute(PRUNE_ORIGINALS, (head.number,))
        return pruned

    def _octets(self, head: Head) -> int:
        before = self._connection.execute("SELECT before FROM rows ORDER BY number LIMIT 1").get
        return 0 if before is None else head.octets - before

    def _blockade(self, standings: Sequence[Standing], lines: Mapping[str, StoredCursor], lags: Mapping[str, Lag], octets: int) -> Blockade | None:
        for standing in standings:
            consumer = standing.consumer
            if consumer is not None and consumer.on_full is OnFull.BLOCK and lags[consumer.name].octets >= self._limit(consumer) and consumer.quota:
                return Blockade(consumer.name, f"its quota of {consumer.quota} octets is full")
        if octets < self._settings.max_bytes:
            return None
        slowest = min(lines.values(), key=lambda line: line.cursor)
        return Blockade(slowest.name, f"the spool's {self._settings.max_bytes} octets are full")

    def _count_wal_pages(self, _connection: apsw.Connection, _name: str, pages: int) -> int:
        self._wal_pages = pages
        return apsw.SQLITE_OK

    def _checkpoint_if_due(self) -> None:
        """Move the write-ahead log into the database. Failing is no harm: it grows until the disk refuses a commit, and that one says so."""
        if self._wal_pages >= CHECKPOINT_PAGES:
            try:
                self._connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
            except (apsw.FullError, apsw.IOError, apsw.BusyError, apsw.LockedError):
                return

    def close(self) -> None:
        """Checkpoint and let go of the file."""
        self._connection.close()


def _everything(_entry: Entry) -> bool:
    return True
