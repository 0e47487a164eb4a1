"""The delivery loop against destinations that do everything a destination can do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import ClassVar

import pytest
import structlog
import trio
import trio.testing
from support.batches import batch_of, name_of, spool_in, submissions

from forwarders.common_settings import RetrySettings
from forwarders.delivery import Delivery
from forwarders.destination import Delivered, Destination, Limits
from pipeline.condition import State
from pipeline.errors import DeliveryError, Fault
from pipeline.index import Entry
from pipeline.metrics import Metrics
from pipeline.spool.letters import scan_letters
from pipeline.spool.row import Row
from pipeline.spool.settings import Consumer, OnFull, Start
from pipeline.spool.sqlite import SqliteSpool

NAME = "sensor"


@dataclass
class Script:
    """A destination: what it does at each attempt, then takes everything; `poison` it refuses always.

    script:  per attempt, how many records it takes before it fails, and whether that may pass; None takes all.
    """

    limits: ClassVar = Limits()

    script: list[tuple[int, bool] | None] = field(default_factory=list)
    poison: frozenset[int] = frozenset()
    taken: list[int] = field(default_factory=list)
    opened: list[bytes] = field(default_factory=list)
    closed: int = 0

    async def open(self, state: bytes) -> bytes | None:
        self.opened.append(state)
        return None

    async def deliver(self, row: Row) -> Delivered:
        await trio.lowlevel.checkpoint()
        names = [name_of(text) for text in row.texts()]
        if self.poison.intersection(names):
            raise DeliveryError("bad-record", Fault.REFUSED, detail="as scripted")
        step = self.script.pop(0) if self.script else None
        if step is not None and step[0] < len(names):
            self.taken += names[: step[0]]
            raise DeliveryError("down", Fault.RETRY if step[1] else Fault.REFUSED, taken=step[0])
        self.taken += names
        return Delivered(b"%d" % len(self.taken))

    async def close(self) -> None:
        self.closed += 1


def delivery_of(spool: SqliteSpool, destination: Destination, metrics: Metrics, *, name: str = NAME, wants: Callable[[Entry], bool] | None = None) -> Delivery:
    retry = RetrySettings(first=0.5, longest=4.0, timeout=30.0)
    return Delivery(name, spool, destination, wants=wants, retry=retry, metrics=metrics, log=structlog.get_logger(), random=lambda: 1.0)


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    with structlog.testing.capture_logs():
        yield


async def delivered(destination: Script, batches: list[list[int]], folder: Path, *, wants: Callable[[Entry], bool] | None = None) -> Metrics:
    """Deliver batches, one row each, to the end."""
    metrics = Metrics()
    spool = spool_in(folder, [Consumer(NAME, Start.BEGINNING, wants=wants)], metrics=metrics)
    for names in batches:
        await spool.commit(submissions(batch_of(names, weak=True)))
    delivery = delivery_of(spool, destination, metrics, wants=wants)
    delivery.finish()
    await delivery.run()
    await spool.flush()
    status = await spool.status()
    assert status.consumers[0].lag_records == 0
    assert status.rows == 0
    assert parked_in(spool) == [name for names in batches for name in names if name in destination.poison]
    await spool.close()
    return metrics


def parked_in(spool: SqliteSpool) -> list[int]:
    return [name_of(letter.record) for letter in scan_letters(spool._files.reader)]


async def test_a_poison_record_costs_few_attempts(tmp_path: Path) -> None:
    destination = Script(poison=frozenset([700]))
    metrics = await delivered(destination, [list(range(1000))], tmp_path)
    assert metrics.value("tidegate_delivery_failures_total", destination=NAME, reason="bad-record") <= 11
    assert len(destination.taken) == 999


async def test_the_filter_decides_and_the_rest_is_counted(tmp_path: Path) -> None:
    destination = Script()
    metrics = await delivered(destination, [[1, 2, 3], [5, 7], [8]], tmp_path, wants=lambda entry: entry.uid[-1] % 2 == 0)
    assert destination.taken == [2, 8]
    assert metrics.value("tidegate_skipped_total", destination=NAME, reason="filter") == 4


async def test_pauses_double_up_to_the_limit(tmp_path: Path, autojump_clock: trio.testing.MockClock) -> None:
    assert autojump_clock
    times: list[float] = []

    class Down(Script):
        async def deliver(self, row: Row) -> Delivered:
            times.append(trio.current_time())
            if len(times) < 7:
                raise DeliveryError("down", Fault.RETRY)
            return await super().deliver(row)

    await delivered(Down(), [[1]], tmp_path)
    assert [round(later - earlier, 1) for earlier, later in pairwise(times)] == [0.5, 1.0, 2.0, 4.0, 4.0, 4.0]


async def test_it_is_opened_again_after_a_failure_with_its_last_state(tmp_path: Path, autojump_clock: trio.testing.MockClock) -> None:
    assert autojump_clock
    destination = Script([None, (0, True)])
    await delivered(destination, [[1, 2], [3]], tmp_path)
    assert destination.opened == [b"", b"2"]
    assert destination.closed == 2


async def test_a_state_given_at_open_is_durable_before_anything_is_delivered(tmp_path: Path) -> None:
    spool = spool_in(tmp_path, [Consumer(NAME, Start.BEGINNING)])
    seen: list[bytes] = []

    class Opening(Script):
        async def open(self, state: bytes) -> bytes:
            await super().open(state)
            return b"opened"

        async def deliver(self, row: Row) -> Delivered:
            seen.append((await spool.status()).consumers[0].state)
            return await super().deliver(row)

    await spool.commit(submissions(batch_of([1])))
    delivery = delivery_of(spool, Opening(), Metrics())
    delivery.finish()
    await delivery.run()
    assert seen == [b"opened"]
    await spool.close()


async def test_an_attempt_that_hangs_is_given_up(tmp_path: Path, autojump_clock: trio.testing.MockClock) -> None:
    assert autojump_clock
    hung = [True]

    class Hanging(Script):
        async def deliver(self, row: Row) -> Delivered:
            if hung.pop() if hung else False:
                await trio.sleep_forever()
            return await super().deliver(row)

    destination = Hanging()
    metrics = await delivered(destination, [[1]], tmp_path)
    assert destination.taken == [1]
    assert metrics.value("tidegate_delivery_failures_total", destination=NAME, reason="timeout") == 1


async def test_one_that_hangs_stops_no_other(tmp_path: Path) -> None:
    spool = spool_in(tmp_path, [Consumer("hung", Start.BEGINNING), Consumer("well", Start.BEGINNING)])
    well = Script()

    class Hung(Script):
        async def deliver(self, row: Row) -> Delivered:
            await trio.sleep_forever()
            raise AssertionError(row)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(delivery_of(spool, Hung(), Metrics(), name="hung").run)
        delivery = delivery_of(spool, well, Metrics(), name="well")
        for name in range(10):
            await spool.commit(submissions(batch_of([name])))
        delivery.finish()
        await delivery.run()
        nursery.cancel_scope.cancel()
    assert well.taken == list(range(10))
    await spool.close()


async def test_it_waits_for_records_and_finishes_when_told(tmp_path: Path) -> None:
    spool, destination = spool_in(tmp_path, [Consumer(NAME, Start.BEGINNING)]), Script()
    delivery = delivery_of(spool, destination, Metrics())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(delivery.run)
        await trio.testing.wait_all_tasks_blocked()
        await spool.commit(submissions(batch_of([1])))
        await spool.commit(submissions(batch_of([2])))
        delivery.finish()
    assert destination.taken == [1, 2]
    assert destination.closed == 1
    await spool.close()


async def test_what_drop_oldest_gave_up_is_not_tried_for_ever(tmp_path: Path, autojump_clock: trio.testing.MockClock) -> None:
    assert autojump_clock
    metrics, dropped = Metrics(), trio.Event()
    spool = spool_in(tmp_path, [Consumer(NAME, Start.BEGINNING, 2000, OnFull.DROP_OLDEST)], metrics=metrics)

    class Gated(Script):
        async def deliver(self, row: Row) -> Delivered:
            with trio.CancelScope(shield=True):  # against the limit of an attempt, which a mock clock reaches at once
                await dropped.wait()
            return await super().deliver(row)

    destination = Gated([(0, True)])
    delivery = delivery_of(spool, destination, metrics)
    await spool.commit(submissions(batch_of([1000, 1001])))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(delivery.run)
        for name in range(60):
            await spool.commit(submissions(batch_of([name])))
        dropped.set()
        delivery.finish()
    lost = metrics.value("tidegate_lost_total", destination=NAME)
    assert lost > 2
    assert not {1000, 1001}.intersection(destination.taken)
    assert lost + len(destination.taken) == 62, "delivered or counted as lost, never both"
    await spool.close()


async def test_a_full_dead_letter_box_holds_the_destination(tmp_path: Path, autojump_clock: trio.testing.MockClock) -> None:
    assert autojump_clock
    metrics = Metrics()
    spool = spool_in(tmp_path, [Consumer(NAME, Start.BEGINNING, dead_letters=2)], metrics=metrics)
    destination = Script(poison=frozenset([1, 2, 3]))
    await spool.commit(submissions(batch_of(range(7))))
    delivery = delivery_of(spool, destination, metrics)
    with trio.move_on_after(60):
        await delivery.run()
    assert destination.taken == [0, 4, 5, 6]
    assert metrics.value("tidegate_parked_total", destination=NAME, reason="bad-record") == 2
    assert spool.position(NAME).cursor == 3, "nothing is destroyed"
    assert delivery.condition.state is State.DEAD_LETTERS_FULL
    await spool.close()


class Closed(Script):
    """Can't be opened the first time."""

    async def open(self, state: bytes) -> bytes | None:
        await super().open(state)
        if len(self.opened) == 1:
            raise DeliveryError("permission", Fault.RETRY, detail="as scripted")
        return None


async def test_a_destination_is_opened_before_its_first_record_and_says_at_once_that_it_cannot_be(tmp_path: Path) -> None:
    destination, metrics = Closed(), Metrics()
    spool = spool_in(tmp_path, [Consumer(NAME, Start.BEGINNING)], metrics=metrics)
    delivery = delivery_of(spool, destination, metrics)
    delivery.finish()
    await delivery.run()
    assert (len(destination.opened), destination.closed) == (1, 1)
    assert metrics.value("tidegate_delivery_failures_total", destination=NAME, reason="permission") == 1
    await spool.commit(submissions(batch_of([1, 2], weak=True)))
    await delivery.run()
    assert (len(destination.opened), destination.taken) == (2, [1, 2])
    await spool.close()
