"""The index of a row as it is stored: one column per field of Entry, little-endian, so that a filter never needs the records.

    octets      what
    4           n, number of records
    4           t, octets of the texts
    4 n         length of each record in octets, its LF not included; records follow one another
    8 n         time_ms, signed
    4 n         class_uid
    4 n         status_id
    4 n         event_code, as a place in the texts
    4 n         computer, as a place in the texts
    n           weak, 0 or 1
    16 n        uid
    t           the texts, a JSON array of distinct strings

It is compressed and checksummed with its row (docs/spool.md).
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from itertools import accumulate
from typing import Final

import orjson

from pipeline.model import Entry

HEAD: Final = struct.Struct("<II")
COLUMNS: Final = "<{n}I{n}q{n}I{n}I{n}I{n}I{n}B"
COLUMN_COUNT: Final = 7
UID_OCTETS: Final = 16


def encode_index(index: Sequence[Entry]) -> bytes:
    """The columns of entries whose records follow one another from offset 0."""
    texts: dict[str, int] = {}
    columns = (
        *(entry.end - entry.start for entry in index),
        *(entry.time_ms for entry in index),
        *(entry.class_uid for entry in index),
        *(entry.status_id for entry in index),
        *(texts.setdefault(entry.event_code, len(texts)) for entry in index),
        *(texts.setdefault(entry.computer, len(texts)) for entry in index),
        *(entry.weak for entry in index),
    )
    encoded = orjson.dumps(list(texts))
    n = len(index)
    return b"".join((HEAD.pack(n, len(encoded)), struct.pack(COLUMNS.format(n=n), *columns), *(entry.uid for entry in index), encoded))


def parse_index(data: bytes) -> tuple[Entry, ...]:
    """What `encode_index` wrote.

    Raises:
        ValueError: it didn't write this.
    """
    try:
        n, text_octets = HEAD.unpack_from(data)
        columns = struct.Struct(COLUMNS.format(n=n))
        uids_at = HEAD.size + columns.size
        texts_at = uids_at + UID_OCTETS * n
        if texts_at + text_octets != len(data):
            raise ValueError("an index of another length")
        values = columns.unpack_from(data, HEAD.size)
        texts = orjson.loads(data[texts_at:])
        lengths, times, classes, statuses, codes, computers, weak = (values[at * n : (at + 1) * n] for at in range(COLUMN_COUNT))
        ends = list(accumulate(lengths, lambda end, length: end + 1 + length, initial=-1))
        return tuple(
            Entry(
                ends[at] + 1,
                ends[at + 1],
                data[uids_at + UID_OCTETS * at : uids_at + UID_OCTETS * (at + 1)],
                bool(weak[at]),
                classes[at],
                texts[codes[at]],
                statuses[at],
                times[at],
                texts[computers[at]],
            )
            for at in range(n)
        )
    except (struct.error, IndexError, TypeError, KeyError) as error:
        raise ValueError("not an index") from error
