"""What records say of sessions, packed, so that a word costs no object until somebody looks at it.

    octets    what
    1         0: nothing of a session, and no more follows; else the event, by its place in EVENTS, counted from 1
    8         at_ms, signed
    8         started_at_ms, signed; the least number there is where it isn't told
    2 + n     octets of a text and the text in UTF-8, six times: nas, session_id, user, domain, address, client

Little-endian; one word for each record, in order.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, overload

import kernel
from pipeline.model import SessionChange, SessionEvent

EVENTS: Final = tuple(SessionEvent)
NOT_TOLD: Final = -(2**63)

TIMES: Final = struct.Struct("<2q")
LENGTH: Final = struct.Struct("<H")
TEXTS: Final = 6

Words = Sequence[SessionChange | None]


class PackedChanges(Sequence[SessionChange | None]):
    """Words of records; they are made as they are asked for.

    Args:
        octets: as above.
        count: of records.
    """

    __slots__ = ("_count", "_words", "octets")

    def __init__(self, octets: bytes, count: int) -> None:
        self.octets: Final = octets
        self._count: Final = count
        self._words: tuple[SessionChange | None, ...] | None = None

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[SessionChange | None]:
        return iter(self._all)

    @overload
    def __getitem__(self, place: int) -> SessionChange | None: ...

    @overload
    def __getitem__(self, place: slice) -> Words: ...

    def __getitem__(self, place: int | slice) -> SessionChange | Words | None:
        return self._all[place]

    def __eq__(self, other: object) -> bool:
        return self._all == tuple(other) if isinstance(other, Sequence) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._all)

    def __repr__(self) -> str:
        return repr(self._all)

    @property
    def _all(self) -> tuple[SessionChange | None, ...]:
        if self._words is None:
            make = SessionChange._make
            self._words = tuple([None if word is None else make(word) for word in kernel.parse_changes(self.octets, EVENTS)])
        return self._words


def parse_changes(octets: bytes) -> Iterator[SessionChange | None]:
    """The words of such octets, which we made ourselves; the kernel has a twin of it."""
    at = 0
    while at < len(octets):
        event = octets[at]
        at += 1
        if not event:
            yield None
            continue
        at_ms, started_at_ms = TIMES.unpack_from(octets, at)
        at += TIMES.size
        texts = []
        for _ in range(TEXTS):
            (length,) = LENGTH.unpack_from(octets, at)
            at += LENGTH.size
            texts.append(octets[at : at + length].decode())
            at += length
        nas, session_id, user, domain, address, client = texts
        started = None if started_at_ms == NOT_TOLD else started_at_ms
        yield SessionChange(EVENTS[event - 1], nas, session_id, user, domain, address, client, at_ms, started)


def pack(words: Words, start: int, stop: int) -> bytes:
    """Words `start` to `stop`, packed."""
    return words.octets if isinstance(words, PackedChanges) and stop - start == len(words) else encode_changes(words[start:stop])


def encode_changes(words: Iterable[SessionChange | None]) -> bytes:
    """The inverse of `parse_changes`."""
    return b"".join(b"\0" if word is None else _encode(word) for word in words)


def _encode(word: SessionChange) -> bytes:
    texts = [text.encode() for text in (word.nas, word.session_id, word.user, word.domain, word.address, word.client)]
    head = bytes((EVENTS.index(word.event) + 1,)) + TIMES.pack(word.at_ms, NOT_TOLD if word.started_at_ms is None else word.started_at_ms)
    return head + b"".join(LENGTH.pack(len(text)) + text for text in texts)
