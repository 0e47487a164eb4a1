"""Row: consecutive records of the spool as one consumer gets them, and the pieces a delivery makes of it.

Every record in the spool has a number, counted from 0 without gaps in the order of commit. A cursor is such a number: the first record its
consumer hasn't taken. Filtering and bisecting choose among the index; the buffer is shared and never copied for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from pipeline.model import Entry

Wants = Callable[[Entry], bool]
"""A consumer's filter: decides by the index alone."""


@dataclass(frozen=True, slots=True)
class Row:
    """Records of one stored row, or those of them that a consumer wants.

    records:  OCSF records as newline-delimited JSON, each ended by LF; may hold more than `index` names.
    index:    one Entry per chosen record, in order; spans are octets of `records`, the LF not included.
    numbers:  the chosen records' numbers, ascending.
    end:      where the cursor stands once all of them are taken.
    """

    records: bytes
    index: tuple[Entry, ...]
    numbers: Sequence[int]
    end: int

    def __len__(self) -> int:
        return len(self.index)

    def texts(self) -> Iterator[bytes]:
        """Each chosen record as one JSON text, without its LF."""
        records = self.records
        return (records[entry.start : entry.end] for entry in self.index)

    def ndjson(self) -> bytes:
        """The chosen records, each ended by LF."""
        if not self.index:
            return b""
        if self.numbers[-1] - self.numbers[0] + 1 == len(self.index):
            return self.records[self.index[0].start : self.index[-1].end + 1]
        return b"".join(self.records[entry.start : entry.end + 1] for entry in self.index)

    def select(self, wants: Wants) -> Row:
        """The records that `wants` chooses; the end stays, so that the others are passed with them."""
        chosen = [at for at, entry in enumerate(self.index) if wants(entry)]
        if len(chosen) == len(self.index):
            return self
        return Row(self.records, tuple(self.index[at] for at in chosen), [self.numbers[at] for at in chosen], self.end)

    def split(self, at: int) -> tuple[Row, Row]:
        """The first `at` records (0 < at < len), and the rest."""
        return (
            Row(self.records, self.index[:at], self.numbers[:at], self.numbers[at]),
            Row(self.records, self.index[at:], self.numbers[at:], self.end),
        )
