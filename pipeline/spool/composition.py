"""How batches become rows: what was kept before is left out, and the rest is joined into rows of up to 1 MiB."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from pipeline.model import Batch, Entry

ROW_OCTETS: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class ComposedRow:
    """Records that follow one another, and their index."""

    records: bytes
    index: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Composition:
    """What a group comes to.

    rows:        in order.
    duplicates:  per batch, how many of its records were kept before, in this group or an earlier one.
    keys:        of the records that have one, 16 octets each.
    """

    rows: tuple[ComposedRow, ...]
    duplicates: tuple[int, ...]
    keys: bytes


@dataclass(slots=True)
class _Composer:
    rows: list[ComposedRow] = field(default_factory=list)
    parts: list[bytes] = field(default_factory=list)
    index: list[Entry] = field(default_factory=list)
    octets: int = 0

    def add(self, records: bytes, entries: Sequence[Entry]) -> None:
        """Take entries that follow one another in `records`, in as many rows as they need."""
        at = 0
        while at < len(entries):
            start = entries[at].start
            room = ROW_OCTETS - self.octets
            until = bisect_right(entries, start + room, at, key=_end)
            if until == at:
                if self.octets:
                    self.close()
                    continue
                until = at + 1  # larger than a row: it gets one of its own
            self._append(records, entries[at:until])
            at = until

    def _append(self, records: bytes, entries: Sequence[Entry]) -> None:
        start, end = entries[0].start, entries[-1].end + 1
        by = self.octets - start
        self.index.extend([_moved(entry, by) for entry in entries] if by else entries)
        self.parts.append(records[start:end])
        self.octets += end - start

    def close(self) -> None:
        if self.index:
            self.rows.append(ComposedRow(self.parts[0] if len(self.parts) == 1 else b"".join(self.parts), tuple(self.index)))
        self.parts, self.index, self.octets = [], [], 0


def _end(entry: Entry) -> int:
    return entry.end + 1


def _moved(entry: Entry, by: int) -> Entry:
    return Entry(
        entry.start + by,
        entry.end + by,
        entry.uid,
        entry.weak,
        entry.class_uid,
        entry.event_code,
        entry.status_id,
        entry.time_ms,
        entry.computer,
    )


def compose(batches: Sequence[Batch], known: Callable[[bytes], bool]) -> Composition:
    """Join batches into rows.

    A record with a weak uid is always kept: equal weak uids may be different events.

    Args:
        batches: in order of commit.
        known: whether a record with this key was kept before this group.
    """
    composer, duplicates, keys = _Composer(), [], dict[bytes, None]()
    for batch in batches:
        run: list[Entry] = []
        kept = 0
        for entry in batch.index:
            if not entry.weak:
                if entry.uid in keys or known(entry.uid):
                    continue
                keys[entry.uid] = None
            if run and entry.start != run[-1].end + 1:  # something between them is left out
                composer.add(batch.records, run)
                run = []
            run.append(entry)
            kept += 1
        composer.add(batch.records, run)
        duplicates.append(len(batch.index) - kept)
    composer.close()
    return Composition(tuple(composer.rows), tuple(duplicates), b"".join(keys))
