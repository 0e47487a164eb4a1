"""How batches become rows: what was kept before is left out, and the rest is joined into rows of up to 1 MiB."""

from __future__ import annotations

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
        """Take entries whose records follow one another through the whole of `records`."""
        if self.octets and self.octets + len(records) > ROW_OCTETS:
            self.close()
        self.index.extend(entries if self.octets == 0 else [_moved(entry, self.octets + entry.start) for entry in entries])
        self.parts.append(records)
        self.octets += len(records)

    def close(self) -> None:
        if self.index:
            self.rows.append(ComposedRow(self.parts[0] if len(self.parts) == 1 else b"".join(self.parts), tuple(self.index)))
        self.parts, self.index, self.octets = [], [], 0


def _moved(entry: Entry, start: int) -> Entry:
    end = start + entry.end - entry.start
    return Entry(start, end, entry.uid, entry.weak, entry.class_uid, entry.event_code, entry.status_id, entry.time_ms, entry.computer)


def compose(batches: Sequence[Batch], known: Callable[[bytes], bool]) -> Composition:
    """Join batches into rows.

    A record with a weak uid is always kept: equal weak uids may be different events.

    Args:
        batches: in order of commit.
        known: whether a record with this key was kept before this group.
    """
    composer, duplicates, keys = _Composer(), [], dict[bytes, None]()
    for batch in batches:
        fresh = []
        for entry in batch.index:
            if not entry.weak:
                if entry.uid in keys or known(entry.uid):
                    continue
                keys[entry.uid] = None
            fresh.append(entry)
        duplicates.append(len(batch.index) - len(fresh))
        if len(batch.records) <= ROW_OCTETS and sum(entry.end - entry.start + 1 for entry in fresh) == len(batch.records):
            composer.add(batch.records, fresh)
        else:
            for entry in fresh:
                composer.add(batch.records[entry.start : entry.end + 1], (_moved(entry, 0),))
    composer.close()
    return Composition(tuple(composer.rows), tuple(duplicates), b"".join(keys))
