"""How batches become rows: what was kept before is left out, and the rest is joined into rows of up to 1 MiB.

A record is known again by its uid, unless that is weak (equal weak uids may be different events), and by its alias, where it has one: what tells that
a peer sends the same message again. Both keys of a record that is kept are remembered. Of a duplicate:

- known by its uid alone: its alias is remembered too. The message came another way, and when it is sent again its uid need not be the same (a RADIUS
  Accounting-On without a time of its own has one from its arrival);
- known by its alias: its uid isn't remembered. A uid that came of a retransmission may be that of another event, which must not be lost.

Records for one consumer alone come to no row: they are letters to it (`pipeline.spool.letters`), and known again by keys of its own.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import chain, repeat
from typing import Final

from pipeline.index import Index, Run, join_runs
from pipeline.model import Batch, SessionChange
from pipeline.spool.duplicates import KEY_OCTETS, split_keys
from pipeline.spool.letters import DeadLetter

ROW_OCTETS: Final = 1 << 20
BROUGHT: Final = "replayed"
"""Reason of a letter that no destination has refused."""

Known = Callable[[bytes], bytes]
"""Which of some keys were kept before: from 16 octets a key to 1 or 0 for each."""


@dataclass(frozen=True, slots=True)
class ComposedRow:
    """Records that follow one another, their index, and the messages they came in: none if empty, `b""` for a record without."""

    records: bytes
    index: Index
    originals: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Composition:
    """What a group comes to.

    rows:        in order.
    duplicates:  per batch, how many of its records were kept before, in this group or an earlier one.
    keys:        to remember, 16 octets each.
    changes:     what the records that are kept say of sessions, in order.
    letters:     records for one consumer alone.
    """

    rows: tuple[ComposedRow, ...]
    duplicates: tuple[int, ...]
    keys: bytes
    changes: tuple[SessionChange, ...] = ()
    letters: tuple[DeadLetter, ...] = ()


@dataclass(slots=True)
class _Composer:
    rows: list[ComposedRow] = field(default_factory=list)
    parts: list[bytes] = field(default_factory=list)
    runs: list[Run] = field(default_factory=list)
    originals: list[Sequence[bytes]] = field(default_factory=list)
    changes: list[SessionChange] = field(default_factory=list)
    octets: int = 0

    def add(self, batch: Batch, start: int, stop: int) -> None:
        """Take records `start` to `stop` of a batch, in as many rows as they need."""
        self.changes += filter(None, batch.sessions[start:stop])
        if stop - start == len(batch.index) and self.octets + len(batch.records) <= ROW_OCTETS:
            self._append(batch, batch.records, Run(batch.index, start, stop))
            return
        offsets = batch.index.offsets
        while start < stop:
            until = bisect_right(offsets, offsets[start] + ROW_OCTETS - self.octets, start + 1, stop + 1) - 1
            if until == start:
                if self.octets:
                    self.close()
                    continue
                until = start + 1  # larger than a row: it gets one of its own
            self._append(batch, batch.records[offsets[start] : offsets[until]], Run(batch.index, start, until))
            start = until

    def _append(self, batch: Batch, records: bytes, run: Run) -> None:
        self.parts.append(records)
        self.runs.append(run)
        self.originals.append(batch.originals[run.start : run.stop] or (b"",) * (run.stop - run.start))
        self.octets += len(records)

    def close(self) -> None:
        if self.octets:
            originals = tuple(chain.from_iterable(self.originals))
            records = self.parts[0] if len(self.parts) == 1 else b"".join(self.parts)
            self.rows.append(ComposedRow(records, join_runs(self.runs), originals if any(originals) else ()))
        self.parts, self.runs, self.originals, self.octets = [], [], [], 0


def compose(batches: Sequence[Batch], known: Known, only: Sequence[str] = ()) -> Composition:
    """Join batches into rows.

    Args:
        batches: in order of commit.
        known: which keys were kept before this group.
        only: per batch, the one consumer that gets it, empty for all; none if empty.
    """
    composer, duplicates, keys, letters = _Composer(), [], dict[bytes, None](), list[DeadLetter]()
    for batch, consumer in zip(batches, only or repeat(""), strict=False):
        weak, uids, aliases = batch.index.weak, batch.index.uids, batch.aliases
        if consumer:
            again = frozenset(_duplicates(weak, _own(uids, consumer), _own(aliases, consumer), known, keys))
            letters += (_letter(batch, place, consumer) for place in range(len(weak)) if place not in again)
            duplicates.append(len(again))
            continue
        left_out = 0
        start = 0
        for place in _duplicates(weak, uids, aliases, known, keys):
            composer.add(batch, start, place)
            start = place + 1
            left_out += 1
        composer.add(batch, start, len(batch.index))
        duplicates.append(left_out)
    composer.close()
    return Composition(tuple(composer.rows), tuple(duplicates), b"".join(keys), tuple(composer.changes), tuple(letters))


def _own(keys: bytes, consumer: str) -> bytes:
    """Keys under which a consumer alone knows what these stand for."""
    person = blake2b(consumer.encode(), digest_size=KEY_OCTETS).digest()
    return b"".join(blake2b(key, digest_size=KEY_OCTETS, person=person).digest() for key in split_keys(keys))


def _letter(batch: Batch, place: int, consumer: str) -> DeadLetter:
    entry = batch.index[place]
    return DeadLetter(consumer, 0, entry.uid, BROUGHT, "", batch.records[entry.start : entry.end], batch.index.part(place, place + 1).columns)


def _duplicates(weak: bytes, uids: bytes, aliases: bytes, known: Known, keys: dict[bytes, None]) -> Iterator[int]:
    """Places of the records to leave out, ascending; what is to be remembered of the others goes into `keys`."""
    if not aliases and all(weak):
        return
    if not any(weak) and _are_new(uids + aliases, known, keys):
        return
    known_uids, known_aliases = known(uids), known(aliases)
    own_aliases = split_keys(aliases) or [b""] * len(weak)
    for place, (uid, alias) in enumerate(zip(split_keys(uids), own_aliases, strict=True)):
        again = not weak[place] and (known_uids[place] or uid in keys)
        resent = alias and (known_aliases[place] or alias in keys)
        if again or resent:
            yield place
        elif not weak[place]:
            keys[uid] = None
        if alias and not resent:
            keys[alias] = None


def _are_new(keys: bytes, known: Known, group: dict[bytes, None]) -> bool:
    """Whether no key was kept before, in this group or an earlier one, and none is there twice; the group has them then."""
    new = dict.fromkeys(split_keys(keys))
    if len(new) < len(keys) // KEY_OCTETS or any(known(keys)) or not group.keys().isdisjoint(new):
        return False
    group.update(new)
    return True
