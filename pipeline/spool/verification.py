"""Verifying a spool: every row, cursor, session and message by its own checksum, SQLite's structure, and that rows follow one another."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import apsw

from pipeline.spool.cursors import SELECT_CURSORS, parse_cursor
from pipeline.spool.ledger import SELECT_HEAD, parse_head
from pipeline.spool.letters import scan_letters
from pipeline.spool.originals import ORIGINALS_COLUMNS, are_intact
from pipeline.spool.records import scan_rows
from pipeline.state.stored_sessions import SESSION_COLUMNS, parse_session

STRUCTURE: Final = "PRAGMA quick_check(10)"
QUARANTINED: Final = "SELECT coalesce(sum(records), 0) FROM quarantine"
ORIGINALS: Final = f"SELECT {ORIGINALS_COLUMNS} FROM originals WHERE number > ? ORDER BY number LIMIT 1"  # noqa: S608 - our own names
SESSIONS: Final = f"SELECT {SESSION_COLUMNS} FROM sessions"  # noqa: S608 - our own names


@dataclass(frozen=True, slots=True)
class Verification:
    """What a spool came to.

    rows, records:  that are whole.
    dead_letters:   that there are.
    quarantined:    records set aside before.
    damage:         what is wrong, a line each; empty where nothing is.
    """

    rows: int
    records: int
    dead_letters: int
    quarantined: int
    damage: tuple[str, ...]


def verify(connection: apsw.Connection) -> Verification:
    """Look at everything; never stops at damage."""
    rows = records = letters = quarantined = 0
    damage = list(_guarded(lambda: _structure(connection)))
    end: int | None = None

    def look_at_rows() -> Iterator[str]:
        nonlocal rows, records, end
        for number, stored, row, why in scan_rows(connection):
            if row is None or stored is None:
                yield f"row {number}: {why}{f', {stored.records} records' if stored else ''}"
                end = None
                continue
            if end is not None and number < end:
                yield f"row {number}: begins before the one before it ends"
            rows, records, end = rows + 1, records + len(row.index), stored.end

    def look_at_letters() -> Iterator[str]:
        nonlocal letters
        for letter in scan_letters(connection):
            letters += 1
            if not letter.record:
                yield f"dead letter {letter.id} of {letter.consumer}: empty"

    def look_at_quarantine() -> Iterator[str]:
        nonlocal quarantined
        quarantined = connection.execute(QUARANTINED).get
        yield from ()

    for look in (look_at_rows, lambda: _lines(connection), lambda: _originals(connection), look_at_letters, look_at_quarantine):
        damage += _guarded(look)
    return Verification(rows, records, letters, quarantined, tuple(damage))


def _guarded(look: Callable[[], Iterator[str]]) -> Iterator[str]:
    """What a look finds, and the error that ended it."""
    try:
        yield from look()
    except (apsw.Error, UnicodeDecodeError, TypeError) as error:
        yield f"SQLite's structure: {error}"


def _structure(connection: apsw.Connection) -> Iterator[str]:
    for (line,) in connection.execute(STRUCTURE):
        if line != "ok":
            yield f"SQLite's structure: {line}"


def _lines(connection: apsw.Connection) -> Iterator[str]:
    try:
        parse_head(connection.execute(SELECT_HEAD).get)
    except (ValueError, TypeError):
        yield "the head: its checksum"
    for line in connection.execute(SELECT_CURSORS):
        try:
            parse_cursor(line)
        except (ValueError, TypeError):
            yield f"destination {line[0]}: its checksum"
    for session in connection.execute(SESSIONS):
        try:
            parse_session(session)
        except (ValueError, TypeError):
            yield f"VPN session {session[0]}: its checksum"


def _originals(connection: apsw.Connection) -> Iterator[str]:
    number = -1
    while (columns := connection.execute(ORIGINALS, (number,)).get) is not None:
        number = columns[0]
        if not are_intact(columns):
            yield f"messages of row {number}: checksum"
