"""What a spool remembers of the sources that feed it: bookmarks and signs of life, gaps, record IDs, and what they sent that wasn't understood.

It is written within the transaction that holds the batch, and so is true exactly when the batch is there:

    bookmarks    per (subscription, client): the fragment octet for octet, when it was first heard, when its last event and its last heartbeat came, from where
    gaps         position reports: a client began anew at a position of its own; `before` is what we had, NULL for a client that had none
    record_ids   per (computer, channel): the highest EventRecordID of the last batch that had one
    rejects      messages that weren't understood, whole; the oldest leave when there are too many, counted exactly

Every table is bounded, by what is configured (bookmarks: subscriptions times authenticated clients) or by a number here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import apsw

from pipeline.model import Origin, Reject, Transport
from pipeline.spool.spool import Bookmark, Submission

MAX_GAPS: Final = 10_000
MAX_RECORD_IDS: Final = 200_000
MAX_REJECTS: Final = 10_000
MAX_REJECT_OCTETS: Final = 32 << 20
TRIM_AFTER: Final = 4096
"""Record IDs saved between two looks at how many there are."""

SOURCE_COLUMNS: Final = {
    "bookmarks": "subscription, client, fragment, seen_at_ms, first_seen_ms, event_at_ms, heartbeat_at_ms, address",
    "gaps": "id, subscription, client, at_ms, before, after",
    "record_ids": "computer, channel, record_id, seen_at_ms",
    "rejects": "id, listener, transport, peer, identity, received_at_ns, rule, offset, detail, raw",
}
"""Tables that are saved from a damaged file; the first column orders them."""

SAVE_BOOKMARK: Final = """
INSERT INTO bookmarks (subscription, client, fragment, seen_at_ms, first_seen_ms, event_at_ms, heartbeat_at_ms, address) VALUES (?1, ?2, ?3, ?4, ?4, ?5, ?6, ?7)
ON CONFLICT DO UPDATE SET fragment = coalesce(excluded.fragment, fragment), seen_at_ms = excluded.seen_at_ms,
    event_at_ms = coalesce(excluded.event_at_ms, event_at_ms), heartbeat_at_ms = coalesce(excluded.heartbeat_at_ms, heartbeat_at_ms),
    address = excluded.address"""
SAVE_GAP: Final = """
INSERT INTO gaps (subscription, client, at_ms, before, after)
VALUES (?1, ?2, ?3, (SELECT fragment FROM bookmarks WHERE subscription = ?1 AND client = ?2), ?4)"""
TRIM_GAPS: Final = "DELETE FROM gaps WHERE id <= (SELECT max(id) FROM gaps) - ?"
SAVE_RECORD_ID: Final = """
INSERT INTO record_ids (computer, channel, record_id, seen_at_ms) VALUES (?, ?, ?, ?)
ON CONFLICT DO UPDATE SET record_id = excluded.record_id, seen_at_ms = excluded.seen_at_ms"""
TRIM_RECORD_IDS: Final = """
DELETE FROM record_ids WHERE (computer, channel) IN
    (SELECT computer, channel FROM record_ids ORDER BY seen_at_ms LIMIT max(0, (SELECT count(*) FROM record_ids) - ?))"""
SAVE_REJECT: Final = "INSERT INTO rejects (listener, transport, peer, identity, received_at_ns, rule, offset, detail, raw) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
RECOUNT: Final = """
UPDATE reject_totals SET (kept, octets) = (SELECT count(*), coalesce(sum(length(raw)), 0) FROM rejects)
WHERE (kept, octets) != (SELECT count(*), coalesce(sum(length(raw)), 0) FROM rejects)"""
"""What was saved from a damaged file was never counted."""
OLDEST_REJECTS: Final = "SELECT id, length(raw) FROM rejects ORDER BY id"
LAST_REJECTS: Final = "SELECT listener, transport, peer, identity, received_at_ns, rule, offset, detail, raw FROM rejects ORDER BY id DESC LIMIT ?"
SOURCES: Final = """
SELECT subscription, client, address, first_seen_ms, seen_at_ms, event_at_ms, heartbeat_at_ms,
    (SELECT count(*) FROM gaps WHERE gaps.subscription = bookmarks.subscription AND gaps.client = bookmarks.client AND before IS NOT NULL)
FROM bookmarks ORDER BY subscription, client"""


@dataclass(frozen=True, slots=True)
class SourceStatus:
    """One client of one subscription, as the spool knows it; times in ms since the Unix epoch.

    address:                      it was last heard from.
    first_seen_ms, seen_at_ms:    when it was first and last heard.
    event_at_ms, heartbeat_at_ms: when its last events and its last heartbeat came; None for never.
    gaps:                         position reports that skipped from a known position to another, as far as they are kept.
    """

    subscription: str
    client: str
    address: str
    first_seen_ms: int
    seen_at_ms: int
    event_at_ms: int | None
    heartbeat_at_ms: int | None
    gaps: int


class SourceTables:
    """The writing side; all of it within the ledger's transaction.

    Args:
        connection: the one that writes.

    Raises:
        apsw.Error: what is stored can't be read.
    """

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection: Final = connection
        self._until_trim = 0
        connection.execute(RECOUNT)

    def save(self, group: Sequence[Submission], now_ms: int) -> int:
        """Write what a group says of its sources; returns how many rejects were dropped for it."""
        dropped = 0
        for submission in group:
            if submission.bookmark is not None:
                self._save_bookmark(submission.bookmark, now_ms)
            if submission.keep_rejects and submission.batch.rejects:
                dropped += self._save_rejects(submission.batch.origin, submission.batch.rejects)
        return dropped

    def _save_bookmark(self, mark: Bookmark, now_ms: int) -> None:
        connection = self._connection
        if mark.gaps:
            connection.executemany(SAVE_GAP, [(mark.subscription, mark.client, mark.seen_at_ms, mark.fragment)] * mark.gaps)
            connection.execute(TRIM_GAPS, (MAX_GAPS,))
        heard = (mark.seen_at_ms, None) if mark.events else (None, mark.seen_at_ms)
        connection.execute(SAVE_BOOKMARK, (mark.subscription, mark.client, mark.fragment, mark.seen_at_ms, *heard, mark.address))
        connection.executemany(SAVE_RECORD_ID, ((computer, channel, number, now_ms) for (computer, channel), number in mark.record_ids.items()))
        self._until_trim -= len(mark.record_ids)
        if self._until_trim < 0:
            self._until_trim = TRIM_AFTER
            connection.execute(TRIM_RECORD_IDS, (MAX_RECORD_IDS,))

    def _save_rejects(self, origin: Origin, rejects: Sequence[Reject]) -> int:
        connection, before = self._connection, (origin.listener, origin.transport.value, origin.peer, origin.identity, origin.received_at_ns)
        connection.executemany(SAVE_REJECT, ((*before, reject.rule, reject.offset, reject.detail, reject.raw) for reject in rejects))
        kept, octets = connection.execute("SELECT kept, octets FROM reject_totals").get
        kept, octets = kept + len(rejects), octets + sum(len(reject.raw) for reject in rejects)
        gone: list[tuple[int]] = []
        for number, size in connection.execute(OLDEST_REJECTS):
            if kept <= MAX_REJECTS and octets <= MAX_REJECT_OCTETS:
                break
            gone.append((number,))
            kept, octets = kept - 1, octets - size
        connection.executemany("DELETE FROM rejects WHERE id = ?", gone)
        connection.execute("UPDATE reject_totals SET kept = ?, octets = ?, dropped = dropped + ?", (kept, octets, len(gone)))
        return len(gone)


def read_bookmarks(connection: apsw.Connection, client: str, subscriptions: Sequence[str]) -> Mapping[str, bytes]:
    """The fragments kept for a client, by subscription; those without one left out.

    Raises:
        apsw.Error: they can't be read.
    """
    query = "SELECT fragment FROM bookmarks WHERE subscription = ? AND client = ?"
    found = ((name, connection.execute(query, (name, client)).get) for name in subscriptions)
    return {name: fragment for name, fragment in found if isinstance(fragment, bytes)}


def read_sources(connection: apsw.Connection) -> Iterator[SourceStatus]:
    """Every client of every subscription.

    Raises:
        apsw.Error: they can't be read.
    """
    return (SourceStatus(*line) for line in connection.execute(SOURCES))


def read_record_ids(connection: apsw.Connection) -> Mapping[tuple[str, str], int]:
    """EventRecordID by (computer, channel).

    Raises:
        apsw.Error: they can't be read.
    """
    return {(computer, channel): number for computer, channel, number in connection.execute("SELECT computer, channel, record_id FROM record_ids")}


def read_rejects(connection: apsw.Connection, limit: int) -> list[tuple[Origin, Reject]]:
    """The newest rejects, oldest of them first.

    Raises:
        apsw.Error: they can't be read.
        ValueError: a transport that nobody wrote.
    """
    lines = connection.execute(LAST_REJECTS, (limit,)).fetchall()
    return [
        (Origin(listener, Transport(transport), peer, at, identity), Reject(raw, rule, offset, detail))
        for listener, transport, peer, identity, at, rule, offset, detail, raw in reversed(lines)
    ]
