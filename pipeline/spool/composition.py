"""How batches become rows: what was kept before is left out, and the rest is joined into rows of up to 1 MiB, or a row is a batch of up to 2 MiB as it is.

A record is known again by its uid, unless that is weak (equal weak uids may be different events), and by its alias, where it has one: what tells that
a peer sends the same message again. Both keys of a record that is kept are remembered. Of a duplicate:

- known by its uid alone: its alias is remembered too. The message came another way, and when it is sent again its uid need not be the same (a RADIUS
  Accounting-On without a time of its own has one from its arrival);
- known by its alias: its uid isn't remembered. A uid that came of a retransmission may be that of another event, which must not be lost.

Where only authenticated senders are believed to have shown a record before (`Witness.AUTHENTICATED`), theirs have keys of their own: a record of one is
known by those alone, a record of anybody else by either. So nobody masks an authenticated record by sending its like first.

Records for one consumer alone come to no row: they are letters to it (`pipeline.spool.letters`), and known again by keys of its own.
"""

from __future__ import annotations

import secrets
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import chain, repeat
from typing import Final

from kernel import KeySet
from pipeline.index import Index, Run, join_runs
from pipeline.model import Batch
from pipeline.spool.duplicates import KEY_OCTETS, split_keys
from pipeline.spool.letters import DeadLetter
from pipeline.spool.settings import Witness
from pipeline.state.changes import pack

ROW_OCTETS: Final = 1 << 20
WHOLE_OCTETS: Final = 2 * ROW_OCTETS
"""What a batch may have to be a row as it is. A full read comes to more than ROW_OCTETS of records, and cutting and joining cost as much as compressing."""
BROUGHT: Final = "replayed"
"""Reason of a letter that no destination has refused."""

AUTHENTICATED: Final = blake2b(b"authenticated", digest_size=KEY_OCTETS).digest()
"""What turns a uid into the key of an authenticated sender's record, by exclusive or; uids are hashes, so that none becomes another's."""

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
    changes:     what the records that are kept say of sessions, in order, packed (`pipeline.state.changes`).
    letters:     records for one consumer alone.
    """

    rows: tuple[ComposedRow, ...]
    duplicates: tuple[int, ...]
    keys: bytes
    changes: bytes = b""
    letters: tuple[DeadLetter, ...] = ()


@dataclass(slots=True)
class _Composer:
    rows: list[ComposedRow] = field(default_factory=list)
    parts: list[bytes] = field(default_factory=list)
    runs: list[Run] = field(default_factory=list)
    originals: list[Sequence[bytes]] = field(default_factory=list)
    changes: list[bytes] = field(default_factory=list)
    octets: int = 0

    def add(self, batch: Batch, start: int, stop: int) -> None:
        """Take records `start` to `stop` of a batch, in as many rows as they need."""
        if batch.sessions:
            self.changes.append(pack(batch.sessions, start, stop))
        if stop - start == len(batch.index) and len(batch.records) <= WHOLE_OCTETS:
            if self.octets + len(batch.records) > ROW_OCTETS:
                self.close()
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
        self.originals.append(batch.originals[run.start : run.stop])
        self.octets += len(records)

    def close(self) -> None:
        if self.octets:
            records = self.parts[0] if len(self.parts) == 1 else b"".join(self.parts)
            self.rows.append(ComposedRow(records, join_runs(self.runs), self._joined_originals()))
        self.parts, self.runs, self.originals, self.octets = [], [], [], 0

    def _joined_originals(self) -> tuple[bytes, ...]:
        if not any(map(any, self.originals)):
            return ()
        return tuple(chain.from_iterable(part or repeat(b"", run.stop - run.start) for part, run in zip(self.originals, self.runs, strict=True)))


def compose(batches: Sequence[Batch], known: Known, only: Sequence[str] = (), witness: Witness = Witness.ANYBODY) -> Composition:
    """Join batches into rows.

    Args:
        batches: in order of commit.
        known: which keys were kept before this group.
        only: per batch, the one consumer that gets it, empty for all; none if empty.
        witness: whose records an authenticated sender's can be the duplicate of.
    """
    composer, duplicates, keys, letters = _Composer(), [], _Keys(known), list[DeadLetter]()
    for batch, consumer in zip(batches, only or repeat(""), strict=False):
        weak, uids, aliases = batch.index.weak, batch.index.uids, batch.aliases
        if consumer:
            again = frozenset(_duplicates(weak, _own(uids, consumer), _own(aliases, consumer), keys))
            letters += (_letter(batch, place, consumer) for place in range(len(weak)) if place not in again)
            duplicates.append(len(again))
            continue
        left_out = 0
        start = 0
        others = b""
        if witness is Witness.AUTHENTICATED:
            uids, others = (uids, _authenticated(uids)) if batch.origin.identity is None else (_authenticated(uids), b"")
        for place in _duplicates(weak, uids, aliases, keys, others):
            composer.add(batch, start, place)
            start = place + 1
            left_out += 1
        composer.add(batch, start, len(batch.index))
        duplicates.append(left_out)
    composer.close()
    return Composition(tuple(composer.rows), tuple(duplicates), b"".join(keys.added), b"".join(composer.changes), tuple(letters))


def _authenticated(uids: bytes) -> bytes:
    """The keys of records with these uids whose senders were authenticated."""
    mask = AUTHENTICATED * (len(uids) // KEY_OCTETS)
    return (int.from_bytes(uids) ^ int.from_bytes(mask)).to_bytes(len(uids))


def _own(keys: bytes, consumer: str) -> bytes:
    """Keys under which a consumer alone knows what these stand for."""
    person = blake2b(consumer.encode(), digest_size=KEY_OCTETS).digest()
    return b"".join(blake2b(key, digest_size=KEY_OCTETS, person=person).digest() for key in split_keys(keys))


def _letter(batch: Batch, place: int, consumer: str) -> DeadLetter:
    entry = batch.index[place]
    return DeadLetter(consumer, 0, entry.uid, BROUGHT, "", batch.records[entry.start : entry.end], batch.index.part(place, place + 1).columns)


class _Keys:
    """The keys of a group, beside those that were kept before it.

    before:  which keys those are.
    own:     the group's.
    added:   what is to be remembered.
    """

    def __init__(self, known: Known) -> None:
        self.before: Final = known
        self.own: Final = KeySet(secrets.token_bytes(KEY_OCTETS), small=True)  # peers choose keys
        self.added: Final[list[bytes]] = []

    def add_new(self, keys: bytes) -> bool:
        """Add keys of which none was kept before, or is here, or twice among them; False, and none added, where one is."""
        if 1 in self.before(keys) or not self.own.add_new(keys):
            return False
        self.added.append(keys)
        return True

    def has(self, key: bytes) -> bool:
        """Whether the group has a key."""
        return 1 in self.own.known(key)

    def has_any(self, keys: bytes) -> bool:
        """Whether one of these was kept before, or is here."""
        return bool(keys) and (1 in self.before(keys) or 1 in self.own.known(keys))

    def add(self, key: bytes) -> None:
        """Add a key that isn't here, and wasn't kept before."""
        self.own.add(key)
        self.added.append(key)


def _duplicates(weak: bytes, uids: bytes, aliases: bytes, keys: _Keys, others: bytes = b"") -> Iterator[int]:
    """Places of the records to leave out, ascending; what is to be remembered of the rest goes into `keys`. `others`: further keys each may be known by."""
    if not aliases and all(weak):
        return
    if 1 not in weak and not keys.has_any(others) and keys.add_new(uids + aliases):
        return
    known_uids, known_aliases = keys.before(uids), keys.before(aliases)
    own_aliases = split_keys(aliases) or [b""] * len(weak)
    for place, (uid, alias) in enumerate(zip(split_keys(uids), own_aliases, strict=True)):
        other = others[place * KEY_OCTETS : (place + 1) * KEY_OCTETS]
        again = not weak[place] and (known_uids[place] or keys.has(uid) or keys.has_any(other))
        resent = alias and (known_aliases[place] or keys.has(alias))
        if again or resent:
            yield place
        elif not weak[place]:
            keys.add(uid)
        if alias and not resent:
            keys.add(alias)
