"""Where every consumer of the spool stands, those that left the configuration included."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from pipeline.errors import SpoolError
from pipeline.spool.settings import Consumer, Start

CURSOR_LINE: Final = "name, cursor, state, lost, removed_at_ms, checksum"
SELECT_CURSORS: Final = "SELECT name, cursor, state, lost, removed_at_ms, checksum FROM consumers"
SAVE_CURSOR: Final = "INSERT OR REPLACE INTO consumers (name, cursor, state, lost, removed_at_ms, checksum) VALUES (?, ?, ?, ?, ?, ?)"


@dataclass(frozen=True, slots=True)
class StoredCursor:
    """A consumer's line in the spool.

    cursor:         number of the first record it hasn't taken.
    state:          its destination's, opaque.
    lost:           records dropped because its quota was full, ever.
    removed_at_ms:  when it was first missing from the configuration, ms since the Unix epoch; None while it is there.
    """

    name: str
    cursor: int
    state: bytes = b""
    lost: int = 0
    removed_at_ms: int | None = None

    def line(self) -> tuple[str, int, bytes, int, int | None, int]:
        """Its columns, in the order of CURSOR_LINE."""
        columns = (self.name, self.cursor, self.state, self.lost, self.removed_at_ms)
        return (*columns, zlib.crc32(repr(columns).encode()))


def parse_cursor(line: Sequence[object]) -> StoredCursor:
    """A line of CURSOR_LINE.

    Raises:
        ValueError: it is damaged.
    """
    stored = StoredCursor(*line[:-1])  # type: ignore[arg-type]  # a damaged line may hold anything; the checksum knows
    if stored.line() != tuple(line):
        raise ValueError("a consumer's checksum")
    return stored


@dataclass(slots=True)
class Cursor:
    """A consumer as it stands now, ahead of the disk by what the next commit brings.

    consumer:      its settings; None for one that left the configuration.
    claimed:       number behind the records last handed out: what lies between the cursor and here is in somebody's hands.
    dirty:         whether the disk has yet to learn of it.
    undecided:     records that drop-oldest passed while they were in somebody's hands, and of which nobody has said yet whether they were taken. The
                   disk knows them as lost, since they are if the process ends now.
    served:        whether somebody reads for it: its place can't be given up meanwhile.
    oldest_at_ms:  commit time of the oldest record it hasn't taken, None if it has caught up; as of the last commit.
    """

    stored: StoredCursor
    consumer: Consumer | None
    claimed: int
    dirty: bool
    oldest_at_ms: int | None = None
    undecided: int = 0
    served: bool = False

    @property
    def name(self) -> str:
        return self.stored.name

    def let_go(self) -> int:
        """Nothing is in anybody's hands any more: what was, and was passed meanwhile, is lost; how many records those are."""
        lost, self.undecided, self.claimed = self.undecided, 0, self.stored.cursor
        if lost:
            self.stored = replace(self.stored, lost=self.stored.lost + lost)
            self.dirty = True
        return lost

    def drop_to(self, number: int, lost: int, in_hand: int, claimed: int) -> int:
        """Take over what drop-oldest did, once it is durable; how many records are known to be lost by it.

        Args:
            number: of the first record that was left.
            lost: records that nobody had in hand.
            in_hand: those that somebody had.
            claimed: number behind the records in somebody's hands as far as the transaction knew.
        """
        if self.stored.cursor < claimed:  # else all of them were decided meanwhile
            self.undecided += in_hand
        let_go = self.let_go() if self.claimed < claimed else 0
        self.stored = replace(self.stored, cursor=max(self.stored.cursor, number), lost=self.stored.lost + lost)
        return lost + let_go

    def lag_seconds(self, head: int, now_ms: int) -> float:
        """Age of the oldest record it hasn't taken, where `head` is the number that the next record gets."""
        if self.oldest_at_ms is None or self.stored.cursor >= head:
            return 0.0
        return max(0, now_ms - self.oldest_at_ms) / 1000


def restore_cursors(
    stored: Sequence[StoredCursor],
    consumers: Sequence[Consumer],
    *,
    oldest: int,
    head: int,
    now_ms: int,
    all_from_oldest: bool,
) -> dict[str, Cursor]:
    """Match what the spool knows with what the configuration says.

    Args:
        stored: lines of the spool.
        consumers: the configured ones.
        oldest: number of the oldest record there is.
        head: number of the next record to come.
        now_ms: wall clock, for those that are missing from the configuration for the first time.
        all_from_oldest: whether one that the spool doesn't know may have been lost to damage, and better begins at the oldest record.
    """
    configured = {consumer.name: consumer for consumer in consumers}
    cursors = {}
    for line in stored:
        consumer = configured.pop(line.name, None)
        removed_at_ms = None if consumer else now_ms if line.removed_at_ms is None else line.removed_at_ms
        wanted = StoredCursor(line.name, min(line.cursor, head), line.state, line.lost, removed_at_ms)
        cursors[line.name] = Cursor(wanted, consumer, wanted.cursor, wanted != line)
    for name, consumer in configured.items():
        start = oldest if all_from_oldest or consumer.start is Start.BEGINNING else head
        cursors[name] = Cursor(StoredCursor(name, start), consumer, start, dirty=True)
    return cursors


def renew_cursors(cursors: Mapping[str, Cursor], consumers: Sequence[Consumer], *, oldest: int, head: int, now_ms: int) -> Mapping[str, Cursor]:
    """Match the places there are with another configuration: who left it keeps its place, who is new gets one.

    Args:
        cursors: as they stand; those that go on are changed.
        consumers: the configured ones from now on.
        oldest: number of the oldest record there is.
        head: number of the next record to come.
        now_ms: wall clock, for those that leave.

    Returns:
        The new ones.
    """
    configured = {consumer.name: consumer for consumer in consumers}
    for cursor in cursors.values():
        cursor.consumer = configured.pop(cursor.name, None)
        if (cursor.consumer is None) != (cursor.stored.removed_at_ms is not None):
            cursor.stored = replace(cursor.stored, removed_at_ms=now_ms if cursor.consumer is None else None)
            cursor.dirty = True
    return restore_cursors((), tuple(configured.values()), oldest=oldest, head=head, now_ms=now_ms, all_from_oldest=False)


def unknown_destination(name: str) -> SpoolError:
    """What to say of a name that no consumer has."""
    return SpoolError(f"destination {name}", "the spool doesn't know it", "tidegate spool status lists those it knows")
