"""The spool against a model, with power cuts: conservation, order, duplicates, and nothing that a transaction joined torn apart.

The model is a list of records with a cursor per consumer. A crash may fall between any two writes or syncs, loses any part of what wasn't synced, and leaves
the state before the transaction or the one behind it; behind it for sure once `commit` has returned.
"""

from __future__ import annotations

import tempfile
from collections.abc import Awaitable, Callable
from copy import deepcopy
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from random import Random
from shutil import rmtree

import apsw
import trio
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from support.batches import alias_of, batch_of, name_of, spool_in
from support.crashing_disk import CrashingDisk, restore
from support.examples import one_in

from pipeline.index import Entry
from pipeline.model import Batch
from pipeline.spool.duplicates import split_keys
from pipeline.spool.settings import Consumer, Start
from pipeline.spool.spool import Bookmark, Submission
from pipeline.spool.sqlite import SqliteSpool

CONSUMERS = (Consumer("archive", Start.BEGINNING), Consumer("sensor", Start.BEGINNING))
DISKS = count()

plain_batches = st.builds(
    batch_of,
    st.lists(st.integers(0, 30), max_size=6),
    weak=st.booleans(),
    octets=st.sampled_from([0, 300, 5000]),
    listener=st.sampled_from(["listeners.syslog", "listeners.wef"]),
)


@st.composite
def batches_with_more(draw: st.DrawFn) -> Batch:
    """Batches with aliases, and messages kept beside some."""
    batch = draw(plain_batches)
    aliases = b"".join(alias_of(draw(st.integers(0, 12))) for _ in batch.index)
    return replace(batch, aliases=aliases, originals=tuple(map(original_of, map(name_of, batch.records.splitlines()))) if draw(st.booleans()) else ())


def original_of(name: int) -> bytes:
    return b"original" * (name % 3) + b"%d" % name


batches = plain_batches | batches_with_more()
seeds = st.integers(0, 2**32)


@dataclass
class Model:
    """What a spool has to be."""

    log: list[int] = field(default_factory=list)
    originals: list[bytes] = field(default_factory=list)
    keys: set[bytes] = field(default_factory=set)
    cursors: dict[str, tuple[int, bytes]] = field(default_factory=lambda: {consumer.name: (0, b"") for consumer in CONSUMERS})
    bookmark: bytes | None = None

    def commit(self, group: list[Batch], fragment: bytes | None) -> list[int]:
        duplicates = []
        for batch in group:
            before, count = len(self.log), len(batch.index)
            for entry, alias, original in zip(batch.index, split_keys(batch.aliases) or [b""] * count, batch.originals or [b""] * count, strict=True):
                if not self._is_known(entry, alias):
                    self.log.append(int.from_bytes(entry.uid, "big"))
                    self.originals.append(original)
            duplicates.append(count - (len(self.log) - before))
        self.bookmark = fragment if fragment is not None and group else self.bookmark
        return duplicates

    def _is_known(self, entry: Entry, alias: bytes) -> bool:
        again, resent = not entry.weak and entry.uid in self.keys, alias in self.keys
        self.keys |= {alias} if alias else set()
        self.keys |= set() if entry.weak or resent else {entry.uid}
        return again or resent


class SpoolMachine(RuleBasedStateMachine):
    """Rules are what the intake, the forwarders and the power do."""

    @initialize()
    def start(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="spool-model-"))
        self.generation = 0
        self.disk = CrashingDisk(f"crashing-{next(DISKS)}")
        self.durable = Model()
        self.now = Model()
        self.open()

    @property
    def state_dir(self) -> Path:
        return self.folder / str(self.generation)

    def open(self) -> None:
        async def opened() -> SqliteSpool:
            return spool_in(self.state_dir, CONSUMERS, vfs=self.disk.vfs_name)

        self.spool = trio.run(opened)
        self.run(self.spool.flush)

    def run(self, call: Callable[[], Awaitable[None]]) -> None:
        trio.run(call)

    @rule(group=st.lists(batches, max_size=4), fragment=st.none() | st.binary(max_size=8))
    def commit(self, group: list[Batch], fragment: bytes | None) -> None:
        expected = self.now.commit(group, fragment)

        async def commit() -> None:
            committed = await self.spool.commit(marked(group, fragment))
            assert [each.duplicates for each in committed] == (expected if committed else [])

        self.run(commit)
        self.durable = deepcopy(self.now)

    @rule(consumer=st.sampled_from(CONSUMERS), share=st.floats(0, 1))
    def deliver(self, consumer: Consumer, share: float) -> None:
        """Take the next row, or some of it."""

        async def deliver() -> None:
            cursor, _ = self.now.cursors[consumer.name]
            row = await self.spool.read(consumer.name)
            assert (row is None) == (cursor == len(self.now.log))
            if row is None:
                return
            names = [name_of(text) for text in row.texts()]
            assert names == self.now.log[cursor : row.end], "in order, without gap"
            assert list(await self.spool.originals(row)) == self.now.originals[cursor : row.end]
            taken = cursor + max(1, round(share * len(names)))
            state = b"%d" % taken
            self.spool.advance(consumer.name, taken, state)
            self.now.cursors[consumer.name] = (taken, state)

        self.run(deliver)

    @rule(group=st.lists(batches, max_size=3), fragment=st.none() | st.binary(max_size=8), steps=st.integers(0, 40), seed=seeds)
    def crash_in_commit(self, group: list[Batch], fragment: bytes | None, steps: int, seed: int) -> None:
        """The power goes at some write or sync of a commit."""
        before = self.durable
        self.disk.crash_after(steps, Random(seed))
        self.commit(group, fragment)
        image = self.disk.take_image()
        certain = image is None
        self.reopen(image if image is not None else self.disk.crash(Random(seed)))
        if certain or self.stands_as(self.now):
            self.durable = deepcopy(self.now)
        else:
            assert self.stands_as(before), "neither the state before the commit nor the one behind it"
            self.now, self.durable = deepcopy(before), before

    @rule(steps=st.integers(0, 40), seed=seeds)
    def crash_in_checkpoint(self, steps: int, seed: int) -> None:
        """The power goes while the write-ahead log is moved into the database."""
        self.disk.crash_after(steps, Random(seed))
        self.spool._ledger._connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
        image = self.disk.take_image()
        if image is not None:
            self.reopen(image)
            self.now = deepcopy(self.durable)

    @rule(seed=seeds)
    def crash(self, seed: int) -> None:
        """The power goes between two commits: what was acknowledged is there, what wasn't committed is forgotten."""
        self.reopen(self.disk.crash(Random(seed)))
        self.now = deepcopy(self.durable)

    @rule()
    def restart(self) -> None:
        self.run(self.spool.close)
        self.durable = deepcopy(self.now)
        self.open()

    @precondition(lambda self: self.now.keys)
    @rule(data=st.data())
    def send_again(self, data: st.DataObject) -> None:
        """What was acknowledged once is never stored twice: by neither of its keys."""
        before = len(self.now.log)
        keys = data.draw(st.lists(st.sampled_from(sorted(self.now.keys)), min_size=1))
        uids = [int.from_bytes(key, "big") for key in keys if not key.startswith(b"alias")]
        aliases = [key for key in keys if key.startswith(b"alias")]
        self.commit([batch_of(uids), replace(batch_of(range(1000, 1000 + len(aliases))), aliases=b"".join(aliases))], None)
        assert len(self.now.log) == before

    def reopen(self, image: dict[str, bytes]) -> None:
        self.run(self.spool.close)
        self.disk.files.clear()
        self.generation += 1
        restore(image, self.state_dir)
        self.open()
        assert self.spool.salvaged is None, "a crash is no damage"

    def stands_as(self, model: Model) -> bool:
        cursors = {consumer.name: self.position(consumer.name) for consumer in CONSUMERS}
        return cursors == model.cursors and self.head() == len(model.log) and self.bookmark() == model.bookmark

    def bookmark(self) -> object:
        return self.spool._files.reader.execute("SELECT fragment FROM bookmarks").get

    def position(self, consumer: str) -> tuple[int, bytes]:
        position = self.spool.position(consumer)
        return position.cursor, position.state

    def head(self) -> int:
        async def head() -> int:
            return (await self.spool.status()).head

        return trio.run(head)

    @invariant()
    def holds_what_it_has_to(self) -> None:
        if not hasattr(self, "spool"):
            return
        assert self.stands_as(self.now)
        reader = self.spool._files.reader
        tail = min(cursor for cursor, _ in self.durable.cursors.values())
        stored = reader.execute("SELECT coalesce(sum(records), 0), coalesce(min(number), ?) FROM rows", (len(self.durable.log),)).get
        assert reader.execute("SELECT rows FROM head").get == reader.execute("SELECT count(*) FROM rows").get
        assert stored[0] == len(self.durable.log) - stored[1], "rows follow one another"
        assert stored[1] <= tail, "a row that somebody needs is there"
        assert not reader.execute("SELECT count(*) FROM originals WHERE number NOT IN (SELECT number FROM rows)").get, "messages go with their row"

    def teardown(self) -> None:
        if hasattr(self, "spool"):
            self.run(self.spool.close)
            self.disk.unregister()
            rmtree(self.folder)


def marked(group: list[Batch], fragment: bytes | None) -> list[Submission]:
    bookmark = None if fragment is None else Bookmark("identity/Security", "dc1.contoso.example", fragment, 1)
    return [Submission(batch, bookmark) for batch in group]


TestSpoolModel = SpoolMachine.TestCase
TestSpoolModel.settings = settings(one_in(2), stateful_step_count=25)
