"""Index: what filters, quotas, duplicates and routing know of records, in packed columns, so that a record costs no object until somebody looks at it.

An index is the octets it is stored as (docs/spool.md), and whoever makes records without Python makes those octets. Little-endian:

    octets      what
    4           n, number of records
    4           t, octets of the texts
    4 n         length of each record in octets, its LF not included; records follow one another from offset 0
    8 n         time_ms, signed
    4 n         class_uid
    4 n         status_id
    4 n         event_code, as a place in the texts
    4 n         computer, as a place in the texts
    n           weak, 0 or 1
    16 n        uid
    t           the texts, a JSON array of distinct strings: event codes in the order of their first record, then computers likewise

In that order of texts, two indexes of the same records are the same octets.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate, repeat
from operator import eq, sub
from typing import Final, NamedTuple, overload

import orjson

UID_OCTETS: Final = 16


class Entry(NamedTuple):
    """One record's row in an index.

    start, end:  the record in its buffer, its newline not included.
    uid:         metadata.uid as 16 octets; the duplicate key unless `weak`.
    weak:        the event carried no record ID: equal uids may be different events, never collapse them.
    class_uid:   OCSF class.
    event_code:  Windows event ID, or RADIUS status type name.
    status_id:   OCSF status, 0 where the record has none.
    time_ms:     event time, ms since the Unix epoch.
    computer:    device.hostname.
    """

    start: int
    end: int
    uid: bytes
    weak: bool
    class_uid: int
    event_code: str
    status_id: int
    time_ms: int
    computer: str


class _Column(NamedTuple):
    """A column: its struct code, the octets of one value, and those of one record's values in the columns before it."""

    code: str
    octets: int
    before: int


LENGTH: Final = _Column("I", 4, 0)
TIME: Final = _Column("q", 8, 4)
CLASS: Final = _Column("I", 4, 12)
STATUS: Final = _Column("I", 4, 16)
CODE: Final = _Column("I", 4, 20)
COMPUTER: Final = _Column("I", 4, 24)
WEAK: Final = _Column("B", 1, 28)
UID: Final = _Column("s", UID_OCTETS, 29)
COLUMNS: Final = (LENGTH, TIME, CLASS, STATUS, CODE, COMPUTER, WEAK, UID)
RECORD_OCTETS: Final = 45
HEAD: Final = struct.Struct("<II")

OCTET: Final = 256
"""Places below it lie in the first octet of their column's values, the others being zero."""


class Index(Sequence[Entry]):
    """Columns of records that follow one another from offset 0; never changes. Entries are made as they are asked for.

    Made by `of`, `parse` or `join_runs`.

    columns:  the octets above.
    texts:    event codes and computers, each once.
    """

    __slots__ = ("_count", "_offsets", "columns", "texts")

    def __init__(self, columns: bytes, count: int, texts: tuple[str, ...]) -> None:
        self.columns: Final = columns
        self.texts: Final = texts
        self._count: Final = count
        self._offsets: tuple[int, ...] | None = None

    @classmethod
    def of(cls, entries: Iterable[Entry]) -> Index:
        """The index of these entries.

        Raises:
            ValueError: their records don't follow one another from offset 0, or a uid hasn't 16 octets.
        """
        rows = tuple(entries)
        if not rows:
            return EMPTY
        starts, ends, uids, weak, classes, codes, statuses, times, computers = zip(*rows, strict=True)
        if starts != (0, *(end + 1 for end in ends[:-1])):
            raise ValueError("records with gaps between them")
        texts: dict[str, int] = {}
        columns = (
            _pack(LENGTH, tuple(map(sub, ends, starts))),
            _pack(TIME, times),
            _pack(CLASS, classes),
            _pack(STATUS, statuses),
            _pack(CODE, [texts.setdefault(code, len(texts)) for code in codes]),
            _pack(COMPUTER, [texts.setdefault(computer, len(texts)) for computer in computers]),
            bytes(weak),
            *uids,
        )
        return _assemble(columns, len(rows), texts)

    @classmethod
    def of_kernel(cls, columns: bytes) -> Index:
        """The index whose columns the kernel wrote just now."""
        count, text_octets = HEAD.unpack_from(columns)
        return cls(columns, count, tuple(orjson.loads(columns[len(columns) - text_octets :])))

    @classmethod
    def parse(cls, columns: bytes) -> Index:
        """The index whose columns these are.

        Raises:
            ValueError: they aren't the columns of an index.
        """
        if len(columns) < HEAD.size:
            raise ValueError("not an index")
        count, text_octets = HEAD.unpack_from(columns)
        texts_at = HEAD.size + RECORD_OCTETS * count
        if texts_at + text_octets != len(columns):
            raise ValueError("an index of another length")
        texts = orjson.loads(columns[texts_at:])
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            raise ValueError("an index with other texts")
        index = cls(columns, count, tuple(texts))
        places = max((*index._values(CODE), *index._values(COMPUTER)), default=-1)
        if places >= len(texts) or index._octets(WEAK, 0, count).strip(b"\x00\x01"):
            raise ValueError("an index with values that nobody wrote")
        return index

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Entry]:
        offsets, texts, uids = self.offsets, self.texts, self.uids
        return map(
            Entry._make,
            zip(
                offsets[:-1],
                [offset - 1 for offset in offsets[1:]],
                [uids[at : at + UID_OCTETS] for at in range(0, len(uids), UID_OCTETS)],
                map(bool, self.weak),
                self._values(CLASS),
                map(texts.__getitem__, self._values(CODE)),
                self._values(STATUS),
                self._values(TIME),
                map(texts.__getitem__, self._values(COMPUTER)),
                strict=True,
            ),
        )

    @overload
    def __getitem__(self, place: int) -> Entry: ...

    @overload
    def __getitem__(self, place: slice) -> Sequence[Entry]: ...

    def __getitem__(self, place: int | slice) -> Entry | Sequence[Entry]:
        """An entry, or several of them as they stand here; `part` is what makes an index of them."""
        if isinstance(place, slice):
            return tuple(self)[place]
        place = range(self._count)[place]
        return Entry(
            self.offsets[place],
            self.offsets[place + 1] - 1,
            self._octets(UID, place, place + 1),
            bool(self._value(WEAK, place)),
            self._value(CLASS, place),
            self.texts[self._value(CODE, place)],
            self._value(STATUS, place),
            self._value(TIME, place),
            self.texts[self._value(COMPUTER, place)],
        )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Index):
            return NotImplemented
        return self.columns == other.columns or (self.uids == other.uids and all(map(eq, self, other)))

    def __hash__(self) -> int:
        return hash(self.uids)

    def __repr__(self) -> str:
        return f"Index.of({list(self)!r})"

    @property
    def uids(self) -> bytes:
        """Every record's uid, 16 octets each."""
        return self._octets(UID, 0, self._count)

    @property
    def weak(self) -> bytes:
        """1 for each record whose uid is weak, else 0."""
        return self._octets(WEAK, 0, self._count)

    def count_event_codes(self) -> Counter[str]:
        """How many records there are of each event code."""
        return Counter({self.texts[place]: count for place, count in Counter(self._values(CODE)).items()})

    @property
    def offsets(self) -> tuple[int, ...]:
        """Where each record begins, and behind them the octets of all, LFs included."""
        if self._offsets is None:
            self._offsets = tuple(accumulate((length + 1 for length in self._values(LENGTH)), initial=0))
        return self._offsets

    def part(self, start: int, stop: int) -> Index:
        """The index of records `start` to `stop` alone: of a buffer that holds no others."""
        return join_runs([Run(self, start, stop)])

    @property
    def class_uids(self) -> tuple[int, ...]:
        """Every record's OCSF class."""
        return self._values(CLASS)

    def resized(self, lengths: Mapping[int, int]) -> Index:
        """The same index of records some of which have another length.

        Args:
            lengths: octets of those records by their place, the LF not included.
        """
        columns = bytearray(self.columns)
        for place, octets in lengths.items():
            struct.pack_into(f"<{LENGTH.code}", columns, HEAD.size + LENGTH.octets * range(self._count)[place], octets)
        return Index(bytes(columns), self._count, self.texts)

    def _octets(self, column: _Column, start: int, stop: int) -> bytes:
        at = HEAD.size + column.before * self._count
        return self.columns[at + column.octets * start : at + column.octets * stop]

    def _values(self, column: _Column) -> tuple[int, ...]:
        return _unpack(column, self._octets(column, 0, self._count))

    def _value(self, column: _Column, place: int) -> int:
        return _unpack(column, self._octets(column, place, place + 1))[0]


class Run(NamedTuple):
    """Records `start` to `stop` of an index."""

    whole: Index
    start: int
    stop: int

    def columns(self) -> list[bytes]:
        """Their values of each column, as stored."""
        columns, count, start, stop = self.whole.columns, len(self.whole), self.start, self.stop
        return [columns[(at := HEAD.size + before * count) + octets * start : at + octets * stop] for _, octets, before in COLUMNS]


def join_runs(runs: Iterable[Run]) -> Index:
    """The index of runs of records, laid one behind the other in one buffer."""
    parts = [run for run in runs if run.start < run.stop]
    if not parts:
        return EMPTY
    if len(parts) == 1 and parts[0].stop - parts[0].start == len(parts[0].whole):
        return parts[0].whole
    lengths, times, classes, statuses, codes, computers, weak, uids = zip(*(run.columns() for run in parts), strict=True)
    own, texts = [run.whole.texts for run in parts], dict[str, int]()
    moved = (*map(_moved, codes, own, repeat(texts)), *map(_moved, computers, own, repeat(texts)))
    return _assemble((*lengths, *times, *classes, *statuses, *moved, *weak, *uids), sum(run.stop - run.start for run in parts), texts)


def _moved(octets: bytes, own: tuple[str, ...], texts: dict[str, int]) -> bytes:
    """A column of places in `own`, as places in `texts`, which takes up what it hasn't got."""
    few = len(own) <= OCTET
    values = octets[:: CODE.octets] if few else _unpack(CODE, octets)
    moved = {place: texts.setdefault(own[place], len(texts)) for place in dict.fromkeys(values)}
    if all(map(eq, moved, moved.values())):
        return octets
    if not few or len(texts) > OCTET:
        return _pack(CODE, tuple(map(moved.__getitem__, values)))
    table, column = bytearray(OCTET), bytearray(len(octets))
    for place, to in moved.items():
        table[place] = to
    column[:: CODE.octets] = bytes(values).translate(table)
    return bytes(column)


def join_indexes(indexes: Iterable[Index]) -> Index:
    """The index of all their records, laid one behind the other in one buffer."""
    return join_runs(Run(index, 0, len(index)) for index in indexes)


def _assemble(columns: Iterable[bytes], count: int, texts: dict[str, int]) -> Index:
    encoded = orjson.dumps(list(texts))
    data = b"".join((HEAD.pack(count, len(encoded)), *columns, encoded))
    if len(data) != HEAD.size + RECORD_OCTETS * count + len(encoded):
        raise ValueError("a uid of another length")
    return Index(data, count, tuple(texts))


def _pack(column: _Column, values: Sequence[int]) -> bytes:
    return struct.pack(f"<{len(values)}{column.code}", *values)


def _unpack(column: _Column, octets: bytes) -> tuple[int, ...]:
    return struct.unpack(f"<{len(octets) // column.octets}{column.code}", octets)


EMPTY: Final = Index(HEAD.pack(0, 2) + b"[]", 0, ())
