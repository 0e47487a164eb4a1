"""The messages that records came in, as they lie beside their row (`originals`): compressed, checksummed, read by who passes them on and by nobody else.

The body is the length of each record's message in 4 octets, little-endian, 0 where none was kept; then the messages, one behind the other.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import Final, NamedTuple

import apsw

from kernel import compress, decompress

LEVEL: Final = 1
MAX_OCTETS: Final = 256 << 20  # of one row's messages, decompressed; far beyond what is ever written
CHECKED: Final = struct.Struct("<2q")

ORIGINALS_COLUMNS: Final = "number, octets, checksum, body"
INSERT_ORIGINALS: Final = f"INSERT INTO originals ({ORIGINALS_COLUMNS}) VALUES (?, ?, ?, ?)"  # noqa: S608 - no value in it
SELECT_ORIGINALS: Final = f"SELECT {ORIGINALS_COLUMNS} FROM originals WHERE number = ?"  # noqa: S608 - no value in it


class StoredOriginals(NamedTuple):
    """The columns of `originals` (pipeline.spool.schema)."""

    number: int
    octets: int
    checksum: int
    body: bytes

    def crc(self) -> int:
        """What `checksum` has to be."""
        return zlib.crc32(self.body, zlib.crc32(CHECKED.pack(self.number, self.octets)))


def encode_originals(number: int, originals: Sequence[bytes]) -> StoredOriginals:
    """Compress and checksum the messages of a row.

    Args:
        number: of the row's first record.
        originals: one for each of its records.
    """
    plain = b"".join((struct.pack(f"<{len(originals)}I", *map(len, originals)), *originals))
    stored = StoredOriginals(number, len(plain), 0, compress(plain, LEVEL))
    return stored._replace(checksum=stored.crc())


def are_intact(columns: Sequence[int | float | str | bytes | None]) -> bool:
    """Whether the columns are those that were committed, as far as their checksum tells."""
    try:
        stored = StoredOriginals._make(columns)
        return stored.crc() == stored.checksum
    except (struct.error, TypeError):
        return False


def parse_originals(stored: StoredOriginals, records: int) -> tuple[bytes, ...]:
    """What `encode_originals` was given.

    Args:
        stored: the columns.
        records: of the row.

    Raises:
        ValueError: it is damaged, or another row's.
    """
    if not are_intact(stored) or not 4 * records <= stored.octets <= MAX_OCTETS:
        raise ValueError("checksum")
    plain = decompress(stored.body, stored.octets)
    ends = list(accumulate(struct.unpack_from(f"<{records}I", plain), initial=4 * records))
    if ends[-1] != len(plain):
        raise ValueError("messages of another length")
    return tuple(plain[start:end] for start, end in pairwise(ends))


def read_originals(connection: apsw.Connection, number: int, records: int) -> tuple[bytes, ...]:
    """The messages of the row that begins with record `number`, empty where none was kept with any of its records.

    Raises:
        ValueError: they are damaged.
        apsw.Error: the database can't be read.
    """
    columns = connection.execute(SELECT_ORIGINALS, (number,)).get
    return () if columns is None else parse_originals(StoredOriginals(*columns), records)
