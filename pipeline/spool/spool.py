"""What a spool is: the durable, ordered log of records between the intake and the forwarders, and what it says about itself.

`pipeline.spool.sqlite` is the embedded one. Another implementation owes the same promises:

- `commit` makes its whole group durable, with duplicate keys, bookmarks and every `advance` and `park` before it, or none of it;
- a consumer is given every record from its cursor on, in order, until it advances past it: at least once;
- a record is kept until every consumer has passed it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import trio

from pipeline.condition import Condition
from pipeline.errors import DeliveryError, SpoolError
from pipeline.model import Batch
from pipeline.spool.letters import Requeued
from pipeline.spool.row import Row
from pipeline.state.sessions import Sessions


class SpoolDamagedError(SpoolError):
    """The spool's own structure is damaged: the program has to end, and the next start saves what can be read."""


class Signal:
    """An event that one task waits for again and again: setting it twice before the wait wakes once."""

    __slots__ = ("_event",)

    def __init__(self) -> None:
        self._event = trio.Event()

    def set(self) -> None:
        self._event.set()

    async def wait(self) -> None:
        await self._event.wait()
        self._event = trio.Event()


@dataclass(frozen=True, slots=True)
class Bookmark:
    """How far a peer's conversation got, committed with the batch that got it there.

    subscription, client:  whose.
    fragment:              what the peer sent, opaque; None leaves the kept one and only records the sign of life.
    seen_at_ms:            when it was heard, ms since the Unix epoch.
    address:               where from.
    events:                whether it came with events; a heartbeat otherwise.
    gaps:                  how often the peer said in it that it began anew at a position of its own.
    record_ids:            the highest EventRecordID in it, by (computer, channel).
    """

    subscription: str
    client: str
    fragment: bytes | None
    seen_at_ms: int
    address: str = ""
    events: bool = False
    gaps: int = 0
    record_ids: Mapping[tuple[str, str], int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Submission:
    """One batch on its way into the spool.

    bookmark:      becomes true with it.
    keep_rejects:  whether its rejects are stored too.
    only:          the one consumer that gets its records, before anything else; empty for all. What it had that way it had, whatever others had.
    """

    batch: Batch
    bookmark: Bookmark | None = None
    keep_rejects: bool = False
    only: str = ""


class Committed(NamedTuple):
    """What one submission came to.

    duplicates:  how many of its records were kept before, and therefore not stored again.
    end:         number in the log behind all of its records, and behind the earlier copies of duplicates.
    """

    duplicates: int = 0
    end: int = 0


@dataclass(frozen=True, slots=True)
class Blockade:
    """Why the spool takes nothing in.

    consumer:  who has to take records first; empty where the disk itself refuses.
    why:       in words, with the numbers.
    """

    consumer: str
    why: str

    def __str__(self) -> str:
        return f"destination {self.consumer}: {self.why}" if self.consumer else self.why


@dataclass(frozen=True, slots=True)
class ConsumerStatus:
    """Where one consumer stands.

    cursor:       number of the first record it hasn't taken.
    lag_records:  records between its cursor and the head, its filter not considered.
    lag_bytes:    compressed octets of the rows that hold them.
    lag_seconds:  age of the oldest of them, 0.0 where there is none.
    lost:         records dropped because its quota was full, ever.
    parked:       records it refused for good, kept as dead letters.
    configured:   False for one that left the configuration and keeps its place.
    expires_s:    seconds until its place is given up; None while configured.
    state:        what its destination keeps with the cursor, opaque.
    requeued:     of the dead letters, those that are before it again.
    condition:    how it fares. Known to the running gateway alone.
    """

    name: str
    cursor: int
    lag_records: int
    lag_bytes: int
    lag_seconds: float
    lost: int
    parked: int
    configured: bool
    expires_s: float | None
    state: bytes
    requeued: int = 0
    condition: Condition | None = None


@dataclass(frozen=True, slots=True)
class SpoolStatus:
    """What `tidegate spool status` shows.

    rows, records, bytes:  what it holds; records from the oldest to the head, bytes are compressed octets of rows.
    head:                  number that the next record gets: records ever committed.
    oldest_at_ms:          commit time of the oldest row, ms since the Unix epoch; None if empty.
    quarantined:           records set aside because their row was damaged, ever.
    disk_bytes, free_bytes: octets the spool's files take, and octets free on that file system.
    blockade:              why it takes nothing in; None while it does. Known to the running gateway alone.
    """

    rows: int
    records: int
    bytes: int
    max_bytes: int | None
    head: int
    oldest_at_ms: int | None
    duplicate_keys: int
    quarantined: int
    disk_bytes: int
    free_bytes: int
    blockade: Blockade | None
    consumers: tuple[ConsumerStatus, ...]


@dataclass(frozen=True, slots=True)
class Position:
    """Where a consumer stands: its cursor, and what its destination stored with it (`b""` at first)."""

    cursor: int
    state: bytes


class Spool(Protocol):
    """The log, to the intake and the forwarders."""

    @property
    def work(self) -> Signal:
        """Set whenever the next commit has something to do; the intake waits for it."""

    @property
    def blockade(self) -> Blockade | None:
        """Why no group is taken now; advances still are."""

    @property
    def sessions(self) -> Sessions:
        """The table of VPN sessions, to ask."""

    async def commit(self, group: Sequence[Submission]) -> tuple[Committed, ...]:
        """Make a group durable, and every advance and dead letter that waits.

        Returns:
            What each submission came to.

        Raises:
            SpoolError: nothing of it was stored; the same call may be made again.
            SpoolDamagedError: nothing of it was stored, and trying again is no use.
        """

    def position(self, consumer: str) -> Position:
        """Where a consumer stands, what is on its way to the disk included."""

    def serving(self, consumer: str) -> AbstractContextManager[None]:
        """While it lasts, somebody reads for a consumer: its place isn't given up, even where it leaves the configuration."""

    async def read(self, consumer: str, behind: int | None = None) -> Row | None:
        """The records from a consumer's cursor on, to the end of one stored row; None when it has caught up.

        Args:
            consumer: whose.
            behind: the end of what it has in hand already, to read on from there; its cursor unless given, or if that is further.
        """

    async def wait_for_more(self, consumer: str, behind: int | None = None) -> None:
        """Return once `read` or `requeued` has something."""

    async def originals(self, row: Row) -> tuple[bytes, ...]:
        """The messages that the chosen records of a row came in; `b""` for each that was kept without, or whose message can't be read any more.

        Raises:
            SpoolError: the spool can't be read.
        """

    async def passed(self, consumer: str, number: int) -> bool:
        """Return once a configured consumer is done with every record before `number`.

        Returns:
            True if they were taken, skipped or parked; False if it lost some meanwhile (drop-oldest).
        """

    def advance(self, consumer: str, cursor: int, state: bytes) -> None:
        """Say that a consumer has taken everything before `cursor`; durable with the next commit, which this brings about."""

    def park(self, consumer: str, row: Row, refusal: DeliveryError) -> bool:
        """Keep a row of one record, which a destination refuses for good; durable with the next commit. False if there is no room for more."""

    def has_requeued(self, consumer: str) -> bool:
        """Whether `requeued` has something."""

    async def requeued(self, consumer: str) -> Requeued | None:
        """Dead letters that were put before a consumer again and have no answer yet; None where there are none.

        Raises:
            SpoolError: the spool can't be read.
        """

    def answer(self, consumer: str, letter: int, refusal: DeliveryError | None = None) -> None:
        """Say what became of a requeued letter: it was taken, or refused again and is a dead letter as before; durable with the next commit."""

    def dropped(self, consumer: str, row: Row) -> bool:
        """Whether drop-oldest moved a consumer's cursor past `row` while it had it in hand, and without success: then these records count as lost now."""

    async def flush(self) -> None:
        """Return once every advance and dead letter so far is durable."""

    async def status(self) -> SpoolStatus:
        """What there is to say."""

    async def close(self) -> None:
        """Write what waits and let go of the files."""
