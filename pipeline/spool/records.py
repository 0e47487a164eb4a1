"""Looking at what lies in the spool, beside whoever uses it: its records from either end, one row at a time, so that nobody who writes has to wait."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

import apsw

from pipeline.index import Entry
from pipeline.spool.row import Row
from pipeline.spool.stored_row import ROW, StoredRow, parse_row

FIRST: Final = "SELECT number FROM rows ORDER BY number LIMIT 1"
LAST: Final = "SELECT number FROM rows ORDER BY number DESC LIMIT 1"
AFTER: Final = "SELECT number FROM rows WHERE number > ? ORDER BY number LIMIT 1"
BEFORE: Final = "SELECT number FROM rows WHERE number < ? ORDER BY number DESC LIMIT 1"


class FoundRow(NamedTuple):
    """A row as it was found.

    row:  None where it is damaged; `why` says how.
    """

    number: int
    stored: StoredRow | None
    row: Row | None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Kept:
    """A record in the spool, and when it was committed, ms since the Unix epoch."""

    number: int
    kept_at_ms: int
    entry: Entry
    record: bytes


def scan_rows(connection: apsw.Connection, *, newest_first: bool = False) -> Iterator[FoundRow]:
    """Every row there is; one that goes meanwhile is left out.

    Raises:
        apsw.Error: the tables themselves can't be read.
    """
    first, following = (LAST, BEFORE) if newest_first else (FIRST, AFTER)
    number = connection.execute(first).get
    while number is not None:
        try:
            columns = connection.execute(ROW, (number,)).get
            stored = None if columns is None else StoredRow(*columns)
        except apsw.CorruptError as error:
            yield FoundRow(number, None, None, str(error))
        else:
            if stored is not None:
                yield _parsed(stored)
        number = connection.execute(following, (number,)).get


def _parsed(stored: StoredRow) -> FoundRow:
    try:
        row = parse_row(stored)
    except ValueError as error:
        return FoundRow(stored.number, stored, None, str(error))
    if row.index.offsets[-1] != len(row.records) or len(row.index) != stored.records or row.records.count(b"\n") < len(row.index):
        return FoundRow(stored.number, stored, None, "its index speaks of other records")
    return FoundRow(stored.number, stored, row)


def scan_records(connection: apsw.Connection) -> Iterator[Kept]:
    """Every record that can be read, the newest first.

    Raises:
        apsw.Error: the tables themselves can't be read.
    """
    for _number, stored, row, _why in scan_rows(connection, newest_first=True):
        if stored is not None and row is not None:
            entries = tuple(row.index)
            for place in range(len(entries) - 1, -1, -1):
                entry = entries[place]
                yield Kept(row.first + place, stored.kept_at_ms, entry, row.records[entry.start : entry.end])
