"""Dead letters: records that a destination refused for good, as they lie in the spool (`dead_letters`), and how they come before it again.

    parked      by `Spool.park`, with the destination's reason
    requeued    by the operator (`tidegate spool requeue`): the destination's loop delivers it before anything else
    delivered   it goes, in the transaction that knows of its delivery
    refused     it is a dead letter again, with the new reason, until it is requeued once more

Records that are for one destination alone (`Submission.only`) take the same way, as letters that nobody has refused yet: they are brought before it at once.

So a requeued letter comes before its destination once, and whatever ends the process meanwhile, it either still waits or is gone because it was taken.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import apsw
import orjson

from pipeline.index import UID_OCTETS, Entry, Index, join_indexes
from pipeline.spool.row import Row

LETTER_COLUMNS: Final = "id, consumer, number, uid, parked_at_ms, reason, detail, record, requeued_at_ms, entry"
INSERT: Final = "INSERT INTO dead_letters (consumer, number, uid, parked_at_ms, reason, detail, record, entry) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
BRING: Final = """
INSERT INTO dead_letters (consumer, number, uid, parked_at_ms, reason, detail, record, entry, requeued_at_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?4)
"""
DELETE: Final = "DELETE FROM dead_letters WHERE id = ?"
REFUSE: Final = "UPDATE dead_letters SET requeued_at_ms = NULL, reason = ?, detail = ? WHERE id = ?"
REQUEUE: Final = """
UPDATE dead_letters SET requeued_at_ms = :now_ms WHERE consumer = :consumer AND requeued_at_ms IS NULL AND (:reason IS NULL OR reason = :reason)
"""
WITH_UID: Final = " AND uid = :uid"
COUNT: Final = "SELECT consumer, count(*), count(requeued_at_ms) FROM dead_letters GROUP BY consumer"
WAITING: Final = f"SELECT {LETTER_COLUMNS} FROM dead_letters WHERE consumer = ? AND requeued_at_ms IS NOT NULL ORDER BY id"  # noqa: S608 - our own names
EVERY: Final = f"SELECT {LETTER_COLUMNS} FROM dead_letters WHERE id > ? ORDER BY id LIMIT ?"  # noqa: S608 - our own names

MAX_LETTERS: Final = 1000
MAX_OCTETS: Final = 1 << 20  # of the letters handed out at once, unless one is larger by itself


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A record to park.

    entry:  the index of this record alone, as it is stored.
    """

    consumer: str
    number: int
    uid: bytes
    reason: str
    detail: str
    record: bytes
    entry: bytes


class StoredLetter(NamedTuple):
    """The columns of `dead_letters` (pipeline.spool.schema)."""

    id: int
    consumer: str
    number: int
    uid: bytes
    parked_at_ms: int
    reason: str
    detail: str
    record: bytes
    requeued_at_ms: int | None
    entry: bytes | None

    def own_index(self) -> Index:
        """The index of its record alone; where none was kept, or it is damaged, what the record itself says of it."""
        try:
            index = Index.parse(self.entry or b"")
        except ValueError:
            return Index.of([_entry(self)])
        return index if index.offsets == (0, len(self.record) + 1) else Index.of([_entry(self)])


def _entry(letter: StoredLetter) -> Entry:
    """Whether its uid is weak isn't said anywhere, and a weak one is never collapsed: it is called so."""
    try:
        record = orjson.loads(letter.record)
    except ValueError:
        record = None
    return Entry(
        0,
        len(letter.record),
        letter.uid.rjust(UID_OCTETS, b"\0")[-UID_OCTETS:],
        weak=True,
        class_uid=_number(record, "class_uid", range(1 << 32)),
        event_code=_text(record, "metadata", "event_code"),
        status_id=_number(record, "status_id", range(1 << 32)),
        time_ms=_number(record, "time", range(-(1 << 63), 1 << 63)),
        computer=_text(record, "device", "hostname"),
    )


def _number(record: object, key: str, allowed: range) -> int:
    found = record.get(key) if isinstance(record, dict) else None
    return found if type(found) is int and found in allowed else 0


def _text(record: object, table: str, key: str) -> str:
    inner = record.get(table) if isinstance(record, dict) else None
    found = inner.get(key) if isinstance(inner, dict) else None
    return found if isinstance(found, str) else ""


@dataclass(frozen=True, slots=True)
class Requeue:
    """Letters to put before their destination again: all of its, those with a reason, those with these uids."""

    consumer: str
    reason: str | None = None
    uids: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """What a destination said to a requeued letter: it took it, or refused it again for `refusal`, a reason and a detail."""

    id: int
    refusal: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Requeued:
    """Letters that are before their destination again.

    ids:  theirs, in order.
    row:  their records; their numbers aren't those that they had.
    """

    ids: tuple[int, ...]
    row: Row


@dataclass(frozen=True, slots=True)
class LetterWork:
    """What one transaction does with dead letters, in this order."""

    parked: Sequence[DeadLetter] = ()
    answers: Sequence[Answer] = ()
    requeues: Sequence[Requeue] = ()
    brought: Sequence[DeadLetter] = ()

    def __bool__(self) -> bool:
        return bool(self.parked or self.answers or self.requeues or self.brought)


def save_letters(connection: apsw.Connection, work: LetterWork, now_ms: int) -> tuple[int, ...]:
    """Do it; how many letters each request put before its destination."""
    for insert, letters in ((INSERT, work.parked), (BRING, work.brought)):
        columns = ((each.consumer, each.number, each.uid, now_ms, each.reason, each.detail, each.record, each.entry) for each in letters)
        connection.executemany(insert, columns)
    for answer in work.answers:
        if answer.refusal is None:
            connection.execute(DELETE, (answer.id,))
        else:
            connection.execute(REFUSE, (*answer.refusal, answer.id))
    return tuple(sum(_requeue(connection, request, now_ms)) for request in work.requeues)


def _requeue(connection: apsw.Connection, request: Requeue, now_ms: int) -> Iterator[int]:
    bindings: dict[str, int | str | bytes | None] = {"now_ms": now_ms, "consumer": request.consumer, "reason": request.reason}
    for uid in request.uids or (None,):
        connection.execute(REQUEUE if uid is None else REQUEUE + WITH_UID, bindings if uid is None else bindings | {"uid": uid})
        yield connection.changes()


def count_letters(connection: apsw.Connection) -> dict[str, tuple[int, int]]:
    """How many letters each consumer has, and how many of them are before it again."""
    return {consumer: (letters, requeued) for consumer, letters, requeued in connection.execute(COUNT)}


def read_requeued(connection: apsw.Connection, consumer: str, answered: Iterable[int]) -> Requeued | None:
    """The oldest requeued letters of a consumer, about MAX_OCTETS; None where there are none.

    Args:
        connection: any.
        consumer: whose.
        answered: letters whose answer is on its way to the disk.
    """
    skipped, found, octets = set(answered), list[StoredLetter](), 0
    for columns in connection.execute(WAITING, (consumer,)):
        letter = StoredLetter(*columns)
        if letter.id in skipped:
            continue
        octets += len(letter.record) + 1
        if found and (octets > MAX_OCTETS or len(found) >= MAX_LETTERS):
            break
        found.append(letter)
    if not found:
        return None
    records = b"".join(letter.record + b"\n" for letter in found)
    return Requeued(tuple(letter.id for letter in found), Row.whole(records, join_indexes(letter.own_index() for letter in found), found[0].number))


def scan_letters(connection: apsw.Connection) -> Iterator[StoredLetter]:
    """Every letter, oldest first, read a few at a time, so that nobody who writes has to wait."""
    last = 0
    while letters := [
        StoredLetter(*columns)  # type: ignore[arg-type]  # the table is strict
        for columns in connection.execute(EVERY, (last, MAX_LETTERS)).fetchall()
    ]:
        yield from letters
        last = letters[-1].id
