"""The delivery loops of a configuration that changes: one loop a name, what was taken is taken once, and who hangs holds nobody up for long."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import ClassVar

import pytest
import structlog
import trio
import trio.testing
from pydantic import TypeAdapter
from support.batches import batch_of, name_of, spool_in, submissions

from forwarders.common_settings import RetrySettings
from forwarders.delivery import Delivery
from forwarders.destination import Delivered, Destination, Limits
from forwarders.settings import ForwarderSettings
from gateway.deliveries import Deliveries
from pipeline.errors import ConfigError
from pipeline.metrics import Metrics
from pipeline.spool.row import Row
from pipeline.spool.sqlite import SqliteSpool


@dataclass
class Notes:
    """What all destinations of a site did.

    taken:  records, with the path of the table they went by.
    named:  the same, with the forwarder's name.
    open:   destinations that are open now, by name of the forwarder, and the most there were of one name.
    gate:   attempts wait for it.
    """

    taken: list[tuple[str, int]] = field(default_factory=list)
    named: list[tuple[str, int]] = field(default_factory=list)
    open: dict[str, int] = field(default_factory=dict)
    most: int = 0
    gate: trio.Event = field(default_factory=trio.Event)
    attempts: int = 0
    stirred: trio.Event = field(default_factory=trio.Event)

    def stir(self) -> None:
        self.stirred.set()
        self.stirred = trio.Event()

    async def until(self, *, attempts: int = 0, taken: int = 0) -> None:
        """Return once there were so many attempts, and so many records were taken."""
        while self.attempts < attempts or len(self.taken) < taken:
            await self.stirred.wait()


class Noted:
    """A destination that takes everything once its gate is open."""

    limits: ClassVar = Limits()

    def __init__(self, table: ForwarderSettings, notes: Notes) -> None:
        self._table, self._notes = table, notes

    async def open(self, state: bytes) -> bytes | None:  # noqa: ARG002 - the protocol's
        notes, name = self._notes, self._table.name
        notes.open[name] = notes.open.get(name, 0) + 1
        notes.most = max(notes.most, notes.open[name])
        await trio.lowlevel.checkpoint()
        return None

    async def deliver(self, row: Row) -> Delivered:
        self._notes.attempts += 1
        self._notes.stir()
        await self._notes.gate.wait()
        self._notes.taken += [(self._table.place.rpartition("/")[2], name_of(text)) for text in row.texts()]
        self._notes.named += [(self._table.name, name_of(text)) for text in row.texts()]
        self._notes.stir()
        return Delivered(b"")

    async def close(self) -> None:
        for _ in range(10):
            await trio.lowlevel.checkpoint()
        self._notes.open[self._table.name] -= 1


def tables(*pairs: tuple[str, str]) -> tuple[ForwarderSettings, ...]:
    read: TypeAdapter[tuple[ForwarderSettings, ...]] = TypeAdapter(tuple[ForwarderSettings, ...])
    return read.validate_python([{"name": name, "kind": "file", "path": f"/{path}", "start": "beginning"} for name, path in pairs])


@dataclass
class Site:
    notes: Notes
    metrics: Metrics
    spool: SqliteSpool
    deliveries: Deliveries

    async def renew(self, *pairs: tuple[str, str]) -> None:
        """As a reload does."""
        wanted = tables(*pairs)
        apply = self.deliveries.prepare(wanted)
        await self.spool.renew([table.consumer() for table in wanted])
        apply()

    async def commit(self, *names: int) -> None:
        await self.spool.commit(submissions(*(batch_of([name], weak=True) for name in names)))


def make(notes: Notes, spool: SqliteSpool, metrics: Metrics) -> Deliveries:
    def make_destination(table: ForwarderSettings) -> Destination:
        if table.place == "/missing":
            raise ConfigError("table", "is wrong")
        return Noted(table, notes)

    def make_delivery(table: ForwarderSettings, destination: Destination) -> Delivery:
        retry = RetrySettings(timeout=float("inf"))
        return Delivery(table.name, spool, destination, wants=None, retry=retry, metrics=metrics, log=structlog.get_logger(), random=lambda: 1.0)

    return Deliveries(make_destination, make_delivery)


@asynccontextmanager
async def site(folder: Path, *pairs: tuple[str, str]) -> AsyncIterator[Site]:
    notes, metrics, wanted = Notes(), Metrics(), tables(*pairs)
    spool = spool_in(folder, [table.consumer() for table in wanted], metrics=metrics)
    deliveries = make(notes, spool, metrics)
    with structlog.testing.capture_logs():
        async with trio.open_nursery() as nursery:
            deliveries.begin(wanted, nursery)
            yield Site(notes, metrics, spool, deliveries)
    await spool.close()


def finished(found: Site) -> Sequence[tuple[str, int]]:
    found.deliveries.finish()
    return found.notes.taken


async def test_a_changed_one_goes_on_where_it_stood(tmp_path: Path) -> None:
    async with site(tmp_path, ("a", "old"), ("b", "same")) as found:
        found.notes.gate.set()
        await found.commit(1, 2)
        await found.notes.until(taken=4)
        await found.renew(("b", "same"), ("a", "new"))
        await found.commit(3)
        await found.notes.until(taken=6)
        assert sorted(finished(found)) == [("new", 3), ("old", 1), ("old", 2), ("same", 1), ("same", 2), ("same", 3)]
    assert found.notes.most == 1, "two loops of one name never run at once"


async def test_an_attempt_under_way_is_noted_and_not_repeated(tmp_path: Path) -> None:
    async with site(tmp_path, ("a", "old")) as found:
        await found.commit(1)
        await found.notes.until(attempts=1)
        await found.commit(2)
        await found.renew(("a", "new"))
        found.notes.gate.set()
        await found.notes.until(taken=2)
        assert finished(found) == [("old", 1), ("new", 2)]


async def test_one_that_hangs_is_given_up_and_what_it_may_have_taken_is_sent_again(tmp_path: Path, autojump_clock: trio.testing.MockClock) -> None:
    assert autojump_clock
    async with site(tmp_path, ("a", "old")) as found:
        await found.commit(1)
        await found.notes.until(attempts=1)
        await found.renew(("a", "new"))
        await found.notes.until(attempts=2)
        found.notes.gate.set()
        await found.notes.until(taken=1)
        assert finished(found) == [("new", 1)]


async def test_a_removed_one_is_shown_no_more_and_its_place_stays(tmp_path: Path) -> None:
    async with site(tmp_path, ("a", "old")) as found:
        found.notes.gate.set()
        await found.commit(1)
        await found.notes.until(taken=1)
        await found.renew()
        assert list(found.deliveries.conditions()) == ["a"], "it is being closed"
        await trio.testing.wait_all_tasks_blocked()
        await found.commit(2)
        assert (list(found.deliveries.conditions()), found.notes.taken) == ([], [("old", 1)])
        assert 'destination_state{destination="a"' not in found.metrics.exposition().decode()
        await found.renew(("a", "new"))
        await found.notes.until(taken=2)
        assert finished(found) == [("old", 1), ("new", 2)]


async def test_one_that_is_back_before_it_was_gone(tmp_path: Path) -> None:
    async with site(tmp_path, ("a", "old")) as found:
        found.notes.gate.set()
        await found.commit(1)
        await found.notes.until(taken=1)
        await found.renew()
        await found.renew(("a", "new"))
        await found.commit(2)
        await found.notes.until(taken=2)
        assert finished(found) == [("old", 1), ("new", 2)]
    assert found.notes.most == 1


@pytest.mark.parametrize("seed", range(6))
async def test_however_often_it_changes_nobody_misses_a_record_or_gets_one_twice(tmp_path: Path, seed: int) -> None:
    random, names, paths = Random(seed), ("a", "b", "c"), ("x", "y")
    async with site(tmp_path, ("a", "x"), ("b", "y")) as found:
        found.notes.gate.set()
        for number in range(60):
            await found.commit(number)
            for _ in range(random.choice((0, 0, 1, 5, 50))):
                await trio.lowlevel.checkpoint()
            if random.random() < 0.5:
                await found.renew(*((name, random.choice(paths)) for name in names if random.random() < 0.7))
        await found.renew(*((name, "z") for name in names))
        found.deliveries.finish()
    taken: dict[str, list[int]] = {name: [] for name in names}
    for name, number in found.notes.named:
        taken[name].append(number)
    assert all(numbers == list(range(numbers[0], 60)) for numbers in taken.values())
    assert (taken["a"][0], taken["b"][0], found.notes.most) == (0, 0, 1)


@pytest.mark.parametrize("pairs", [(("a", "new"),), (("a", "old"), ("b", "new"))], ids=["changed", "new"])
async def test_a_stop_finds_the_loops_that_are_yet_to_begin(tmp_path: Path, pairs: tuple[tuple[str, str], ...]) -> None:
    async with site(tmp_path, ("a", "old")) as found:
        await found.commit(1)
        found.notes.gate.set()
        await found.renew(*pairs)
        found.deliveries.finish()
    assert {name for _, name in found.notes.taken} == {1}


async def test_one_that_cannot_be_made_changes_nothing(tmp_path: Path) -> None:
    async with site(tmp_path, ("a", "old")) as found:
        found.notes.gate.set()
        with pytest.raises(ConfigError):
            await found.renew(("b", "missing"))
        await found.commit(1)
        await found.notes.until(taken=1)
        assert finished(found) == [("old", 1)]
