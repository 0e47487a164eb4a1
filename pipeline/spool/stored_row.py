"""A row as it lies in the spool: compressed, checksummed, found by number.

Every row answers for itself: a CRC-32 covers its columns and both blobs, so that whatever the disk or a repair made of it, it is either what was
committed or known to be damaged.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from typing import Final, NamedTuple

import apsw

from kernel import compress, decompress
from pipeline.index import Index
from pipeline.spool.composition import ComposedRow
from pipeline.spool.row import Row

LEVEL: Final = 1
MAX_OCTETS: Final = 256 << 20  # of one row, decompressed; far beyond what is ever written
CHECKED: Final = struct.Struct("<7q")

COLUMNS: Final = "number, records, before, octets, body_octets, entries_octets, kept_at_ms, checksum, entries, body"
AT_OR_BEFORE: Final = "SELECT number FROM rows WHERE number <= ? ORDER BY number DESC LIMIT 1"
AFTER: Final = "SELECT number FROM rows WHERE number > ? ORDER BY number LIMIT 1"
ROW: Final = f"SELECT {COLUMNS} FROM rows WHERE number = ?"  # noqa: S608 - no value in it
INSERT: Final = f"INSERT INTO rows ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608 - no value in it


class StoredRow(NamedTuple):
    """The columns of `rows` (pipeline.spool.database)."""

    number: int
    records: int
    before: int
    octets: int
    body_octets: int
    entries_octets: int
    kept_at_ms: int
    checksum: int
    entries: bytes
    body: bytes

    @property
    def end(self) -> int:
        """Number behind its last record."""
        return self.number + self.records

    def crc(self) -> int:
        """What `checksum` has to be."""
        return zlib.crc32(self.body, zlib.crc32(self.entries, zlib.crc32(CHECKED.pack(*self[:7]))))


def encode_row(row: ComposedRow, *, number: int, before: int, kept_at_ms: int, beside: int = 0) -> StoredRow:
    """Compress and checksum a row.

    Args:
        row: what to store.
        number: of its first record.
        before: octets of all rows ever stored before it.
        kept_at_ms: time of the commit, ms since the Unix epoch.
        beside: compressed octets of what is stored beside it, which count as its own.
    """
    index = row.index.columns
    entries, body = compress(index, LEVEL), compress(row.records, LEVEL)
    stored = StoredRow(number, len(row.index), before, len(entries) + len(body) + beside, len(row.records), len(index), kept_at_ms, 0, entries, body)
    return stored._replace(checksum=stored.crc())


def is_intact(columns: Sequence[int | float | str | bytes | None]) -> bool:
    """Whether the columns of a row are those that were committed, as far as its checksum tells."""
    try:
        stored = StoredRow._make(columns)
        return stored.crc() == stored.checksum
    except (struct.error, TypeError):
        return False


def parse_row(stored: StoredRow) -> Row:
    """What `encode_row` was given.

    Raises:
        ValueError: it is damaged.
    """
    if not is_intact(stored) or stored.body_octets > MAX_OCTETS or stored.entries_octets > MAX_OCTETS:
        raise ValueError("checksum")
    index = Index.parse(decompress(stored.entries, stored.entries_octets))
    return Row.whole(decompress(stored.body, stored.body_octets), index, stored.number)


class Damaged(NamedTuple):
    """A row that can't be read.

    number:  of its first record.
    end:     number behind its last one: where the next row begins, or the log's head.
    """

    number: int
    end: int
    why: str


def read_row(connection: apsw.Connection, cursor: int, head: int) -> Row | Damaged | None:
    """The row that has record number `cursor`, or the next one where there is none such.

    A row's own word for its length counts only once its checksum holds.

    Args:
        connection: any.
        cursor: below `head`.
        head: number that the next record to come gets.

    Raises:
        apsw.Error: the database can't be read.
    """
    for query in (AT_OR_BEFORE, AFTER):
        number = connection.execute(query, (cursor,)).get
        if number is None:
            continue
        try:
            row = parse_row(StoredRow(*connection.execute(ROW, (number,)).get))
        except (ValueError, apsw.CorruptError) as error:
            following = connection.execute(AFTER, (max(cursor, number),)).get
            return Damaged(number, head if following is None else following, str(error))
        if row.end > cursor:
            return row
    return None
