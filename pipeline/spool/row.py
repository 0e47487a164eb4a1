"""Row: consecutive records of the spool as one consumer gets them, and the pieces a delivery makes of it.

Every record in the spool has a number, counted from 0 without gaps in the order of commit. A cursor is such a number: the first record its
consumer hasn't taken. Filtering and bisecting choose among the places of the index; buffer and index are shared and never copied for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from pipeline.index import Entry, Index, join_indexes

Wants = Callable[[Entry], bool]
"""A consumer's filter: decides by the index alone."""


@dataclass(frozen=True, slots=True)
class Row:
    """Records of one stored row, or those of them that a consumer wants.

    records:  OCSF records of the whole row as newline-delimited JSON, each ended by LF.
    index:    of the whole row.
    first:    number of the row's first record.
    chosen:   places of the chosen records in the index, ascending.
    end:      where the cursor stands once all of them are taken.
    """

    records: bytes
    index: Index
    first: int
    chosen: Sequence[int]
    end: int

    @classmethod
    def whole(cls, records: bytes, index: Index, first: int) -> Row:
        """Every record of a row."""
        return cls(records, index, first, range(len(index)), first + len(index))

    def __len__(self) -> int:
        return len(self.chosen)

    @property
    def numbers(self) -> Sequence[int]:
        """The chosen records' numbers, ascending."""
        if isinstance(self.chosen, range):
            return range(self.first + self.chosen.start, self.first + self.chosen.stop)
        return [self.first + place for place in self.chosen]

    def entries(self) -> Iterator[Entry]:
        """Each chosen record's, in order; spans are octets of `records`, the LF not included."""
        if len(self.chosen) == len(self.index):
            return iter(self.index)
        return map(self.index.__getitem__, self.chosen)

    def texts(self) -> Iterator[bytes]:
        """Each chosen record as one JSON text, without its LF."""
        records, offsets = self.records, self.index.offsets
        return (records[offsets[place] : offsets[place + 1] - 1] for place in self.chosen)

    def ndjson(self) -> bytes:
        """The chosen records, each ended by LF."""
        if not self.chosen:
            return b""
        if len(self.chosen) == len(self.index):
            return self.records
        first, last, offsets = self.chosen[0], self.chosen[-1], self.index.offsets
        if last - first + 1 == len(self.chosen):
            return self.records[offsets[first] : offsets[last + 1]]
        return b"".join(self.records[offsets[place] : offsets[place + 1]] for place in self.chosen)

    def select(self, wants: Wants) -> Row:
        """The records that `wants` chooses; the end stays, so that the others are passed with them."""
        chosen = [place for place, entry in zip(self.chosen, self.entries(), strict=True) if wants(entry)]
        return self if len(chosen) == len(self) else replace(self, chosen=chosen)

    def split(self, at: int) -> tuple[Row, Row]:
        """The first `at` records (0 < at < len), and the rest."""
        return replace(self, chosen=self.chosen[:at], end=self.first + self.chosen[at]), replace(self, chosen=self.chosen[at:])

    def pick(self, places: Sequence[int]) -> Row:
        """Those of the chosen records that stand at these places among them, ascending and at least one."""
        chosen = [self.chosen[place] for place in places]
        return replace(self, chosen=chosen, end=self.end if places[-1] == len(self) - 1 else self.first + chosen[-1] + 1)


def follows(row: Row, earlier: Row) -> bool:
    """Whether a row begins where an earlier one ends, so that they can be joined."""
    return row.first == earlier.first + len(earlier.index)


def join_rows(rows: Sequence[Row]) -> Row:
    """Rows of which each follows the one before, at least one, as one."""
    if len(rows) == 1:
        return rows[0]
    chosen: list[int] = []
    for row in rows:
        at = row.first - rows[0].first
        chosen += row.chosen if at == 0 else [at + place for place in row.chosen]
    index = join_indexes(row.index for row in rows)
    return Row(b"".join(row.records for row in rows), index, rows[0].first, range(len(index)) if len(chosen) == len(index) else chosen, rows[-1].end)
