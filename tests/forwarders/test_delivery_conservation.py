"""Conservation: whatever a destination does, every record is delivered at least once and in order, or parked, or counted as lost; counters reconcile."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import structlog
import trio
import trio.testing
from hypothesis import example, given
from hypothesis import strategies as st
from support.batches import batch_of, name_of, spool_in, submissions
from support.examples import one_in

from forwarders.common_settings import RetrySettings
from forwarders.delivery import Delivery
from forwarders.destination import Delivered, Limits, Refusal
from forwarders.feed import Feed
from pipeline.condition import State
from pipeline.errors import DeliveryError, Fault
from pipeline.metrics import Metrics
from pipeline.spool.letters import Requeue, scan_letters
from pipeline.spool.row import Row
from pipeline.spool.settings import Consumer, OnFull, Start
from pipeline.spool.sqlite import SqliteSpool

NAME = "cloud"
HEALED_AT_S = 300.0
RETRY = RetrySettings(first=0.5, longest=8.0, timeout=30.0)

TAKE, HANG, LOSE_ANSWER = "take", "hang", "lose-answer"
Step = str | tuple[Fault, int, float | None] | frozenset[int]


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    with structlog.testing.capture_logs():
        yield


@dataclass
class Faulty:
    """A destination that does what it is told to, step by step, and takes everything then; poison it refuses until somebody mends it.

    script:    per attempt: take, hang, take and lose the answer, fail after some records, or leave some for later.
    per_item:  whether it tells records apart, or refuses all for one.
    largest:   records it takes at once.
    heals_at:  when somebody mends it.
    """

    script: list[Step] = field(default_factory=list)
    poison: frozenset[int] = frozenset()
    per_item: bool = False
    largest: int = 1000
    limits: Limits = field(default_factory=Limits)
    healed: bool = False
    heals_at: float = float("inf")
    taken: list[int] = field(default_factory=list)

    async def open(self, state: bytes) -> None:
        """Nothing to get ready."""

    async def deliver(self, row: Row) -> Delivered:
        await trio.lowlevel.checkpoint()
        names = [name_of(text) for text in row.texts()]
        assert len(names) <= (self.limits.records or len(names))
        step = self.script.pop(0) if self.script else TAKE
        if step == HANG:
            await trio.sleep_forever()
        if isinstance(step, tuple):
            fault, taken, retry_after = step
            taken = min(taken, len(names) - 1)
            if fault is not Fault.TOO_LARGE and not self._poisoned(names[:taken]):
                self.taken += names[:taken]
                raise DeliveryError("scripted", Fault.RETRY if fault is Fault.REFUSED else fault, taken=taken, retry_after=retry_after)
        if len(names) > self.largest:
            raise DeliveryError("large", Fault.TOO_LARGE)
        refused = self._poisoned(names)
        if refused and not self.per_item:
            raise DeliveryError("poison", Fault.REFUSED, detail="as scripted")
        again = frozenset(place for place in step if place < len(names)) - refused if isinstance(step, frozenset) else frozenset()
        self.taken += [name for place, name in enumerate(names) if place not in refused | again]
        if step == LOSE_ANSWER:
            raise DeliveryError("reset", Fault.RETRY)
        return Delivered(b"%d" % len(self.taken), refused={place: Refusal("poison") for place in refused}, again=sorted(again))

    def _poisoned(self, names: list[int]) -> frozenset[int]:
        if self.healed or trio.current_time() > self.heals_at:
            return frozenset()
        return frozenset(place for place, name in enumerate(names) if name in self.poison)

    async def close(self) -> None:
        """Nothing is held."""


def delivery_of(spool: SqliteSpool, destination: Faulty, metrics: Metrics, name: str = NAME) -> Delivery:
    return Delivery(name, spool, destination, wants=None, retry=RETRY, metrics=metrics, log=structlog.get_logger(), random=lambda: 1.0)


async def commit_for_ever(spool: SqliteSpool) -> None:
    """What the intake does when nothing comes in."""
    while True:
        await spool.work.wait()
        await spool.flush()


async def delivered(spool: SqliteSpool, destination: Faulty, metrics: Metrics, batches: list[int]) -> None:
    """Commit batches of so many records and deliver them to the end."""
    delivery = delivery_of(spool, destination, metrics)
    first = 0
    async with trio.open_nursery() as nursery:
        nursery.start_soon(commit_for_ever, spool)
        nursery.start_soon(delivery.run)
        for count in batches:
            await spool.commit(submissions(batch_of(range(first, first + count))))
            first += count
        await spool.passed(NAME, first)
        delivery.finish()
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    await spool.flush()


def parked_in(spool: SqliteSpool) -> list[int]:
    return [name_of(letter.record) for letter in scan_letters(spool._files.reader)]


faults = st.tuples(st.sampled_from(Fault), st.integers(0, 6), st.none() | st.sampled_from([0.0, 2.0, 1e9]))
orderly = st.sampled_from([TAKE, HANG, LOSE_ANSWER]) | faults
steps = orderly | st.frozensets(st.integers(0, 9), max_size=4)
poisons = st.frozensets(st.integers(0, 40), max_size=12)
limits = st.builds(Limits, st.none() | st.integers(1, 12), st.none() | st.integers(30, 600))
sizes = st.lists(st.integers(1, 9), min_size=1, max_size=8)


@one_in(2)
@given(sizes, st.lists(steps, max_size=12), poisons, limits, st.booleans(), st.sampled_from([1, 2, 5, 1000]), st.booleans())
@example([4], [], frozenset([0, 1, 3]), Limits(), False, 1, False)  # the destination is at fault, and one record was taken
def test_every_record_is_delivered_parked_or_counted_as_lost(  # noqa: PLR0917 - what Hypothesis draws
    batches: list[int],
    script: list[Step],
    poison: frozenset[int],
    limited: Limits,
    per_item: bool,  # noqa: FBT001 - drawn
    largest: int,
    drops: bool,  # noqa: FBT001 - drawn
) -> None:
    destination, metrics = Faulty(list(script), poison, per_item, largest, limited, heals_at=HEALED_AT_S), Metrics()
    everything = set(range(sum(batches)))

    async def run(folder: Path) -> None:
        consumer = Consumer(NAME, Start.BEGINNING, 1500, OnFull.DROP_OLDEST) if drops else Consumer(NAME, Start.BEGINNING)
        spool = spool_in(folder, [consumer], metrics=metrics)
        await delivered(spool, destination, metrics, batches)
        parked = parked_in(spool)
        counted = {name: metrics.value(f"tidegate_{name}_total", destination=NAME) for name in ("delivered", "lost")}
        assert counted["delivered"] + counted["lost"] + len(parked) == len(everything), "each record is counted once"
        assert metrics.value("tidegate_parked_total", destination=NAME, reason="poison") == len(parked)
        assert metrics.value("tidegate_dead_letters", destination=NAME) == len(parked)
        assert parked == sorted(set(parked))
        assert set(parked) <= poison
        missing = everything - set(destination.taken) - set(parked)
        assert len(missing) <= counted["lost"]
        if LOSE_ANSWER not in script:
            assert len(missing) == counted["lost"]
            assert len(destination.taken) == len(set(destination.taken)), "nothing twice but what it may not have taken"
        if not any(isinstance(step, frozenset) for step in script):
            firsts = [name for name in dict.fromkeys(destination.taken) if name not in poison]
            assert firsts == sorted(firsts), "in order, but for what it refused until it was mended"
        await requeued(spool, parked)
        await spool.close()

    async def requeued(spool: SqliteSpool, parked: list[int]) -> None:
        before = Counter(destination.taken)
        destination.healed = True
        destination.script.clear()
        assert await spool.requeue(Requeue(NAME)) == len(parked)
        delivery = delivery_of(spool, destination, metrics)
        delivery.finish()
        await delivery.run()
        await spool.flush()
        assert Counter(destination.taken) - before == Counter(parked), "each once more"
        assert parked_in(spool) == []
        assert metrics.value("tidegate_redelivered_total", destination=NAME) == len(parked)
        assert metrics.value("tidegate_dead_letters", destination=NAME) == 0

    with TemporaryDirectory() as folder:
        trio.run(run, Path(folder), clock=trio.testing.MockClock(autojump_threshold=0))
    assert metrics.value("tidegate_destination_state", destination=NAME, state="delivering") == 1


@one_in(2)
@given(sizes, st.lists(steps, max_size=12), poisons, limits, st.booleans(), st.lists(st.floats(0, 200), max_size=4))
def test_nothing_is_lost_where_the_gateway_dies(  # noqa: PLR0917 - what Hypothesis draws
    batches: list[int],
    script: list[Step],
    poison: frozenset[int],
    limited: Limits,
    per_item: bool,  # noqa: FBT001 - drawn
    deaths: list[float],
) -> None:
    """The process ends at any moment, without a last commit; letters are requeued meanwhile."""
    destination = Faulty(list(script), poison, per_item, limits=limited, heals_at=HEALED_AT_S)
    everything = set(range(sum(batches)))

    async def run(folder: Path) -> None:
        first = 0
        for place, death in enumerate([*deaths, float("inf")]):
            spool = spool_in(folder, [Consumer(NAME, Start.BEGINNING)])
            if place == 0:
                for count in batches:
                    await spool.commit(submissions(batch_of(range(first, first + count))))
                    first += count
            delivery = delivery_of(spool, destination, Metrics())
            async with trio.open_nursery() as nursery:
                nursery.start_soon(commit_for_ever, spool)
                nursery.start_soon(delivery.run)
                with trio.move_on_after(death):
                    await spool.requeue(Requeue(NAME))
                    await spool.passed(NAME, first)
                    await spool.flush()
                nursery.cancel_scope.cancel()
            if death < float("inf"):
                spool._files.close()
        destination.healed = True
        await spool.requeue(Requeue(NAME))
        delivery = delivery_of(spool, destination, Metrics())
        delivery.finish()
        await delivery.run()
        await spool.flush()
        assert parked_in(spool) == []
        await spool.close()

    with TemporaryDirectory() as folder:
        trio.run(run, Path(folder), clock=trio.testing.MockClock(autojump_threshold=0))
    assert set(destination.taken) == everything


async def test_a_letter_refused_again_is_a_dead_letter_again_and_blames_nobody(tmp_path: Path, autojump_clock: trio.testing.MockClock) -> None:
    assert autojump_clock
    metrics = Metrics()
    spool = spool_in(tmp_path, [Consumer(NAME, Start.BEGINNING)], metrics=metrics)
    destination = Faulty(poison=frozenset([0, 2, 4]))
    await spool.commit(submissions(batch_of(range(10))))
    for expected in (0, 3, 3):
        assert await spool.requeue(Requeue(NAME)) == expected
        delivery = delivery_of(spool, destination, metrics)
        delivery.finish()
        await delivery.run()
        await spool.flush()
        assert parked_in(spool) == [0, 2, 4]
    assert metrics.value("tidegate_parked_total", destination=NAME, reason="poison") == 3
    assert metrics.value("tidegate_dead_letters", destination=NAME) == 3
    assert delivery.condition.state is State.DELIVERING
    await spool.close()


async def test_a_lone_poison_record_waits_for_another_that_is_taken(tmp_path: Path, autojump_clock: trio.testing.MockClock) -> None:
    assert autojump_clock
    metrics = Metrics()
    spool = spool_in(tmp_path, [Consumer(NAME, Start.BEGINNING)], metrics=metrics)
    destination = Faulty(poison=frozenset([0]))
    delivery = delivery_of(spool, destination, metrics)
    await spool.commit(submissions(batch_of([0])))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(delivery.run)
        await trio.sleep(100)
        assert (parked_in(spool), spool.position(NAME).cursor, delivery.condition.state) == ([], 0, State.REFUSING)
        await spool.commit(submissions(batch_of([1])))
        await spool.passed(NAME, 2)
        nursery.cancel_scope.cancel()
    await spool.flush()
    assert (parked_in(spool), destination.taken) == ([0], [1])
    assert delivery.condition.state is State.DELIVERING
    await spool.close()


@pytest.mark.parametrize("count", [3, 10, 100])
async def test_one_that_refuses_most_has_nothing_parked_and_its_cursor_kept(count: int, tmp_path: Path, autojump_clock: trio.testing.MockClock) -> None:
    assert autojump_clock
    metrics = Metrics()
    spool = spool_in(tmp_path, [Consumer(NAME, Start.BEGINNING)], metrics=metrics)
    destination = Faulty(poison=frozenset(range(count // 2 + 1)))
    delivery = delivery_of(spool, destination, metrics)
    await spool.commit(submissions(batch_of(range(count + (count == 3)))) if count > 3 else submissions(batch_of([0]), batch_of([1])))
    if count == 3:
        destination.poison = frozenset(range(9))
        for name in (2, 3, 4):
            await spool.commit(submissions(batch_of([name])))
    with trio.move_on_after(100):
        await delivery.run()
    assert delivery.condition.state is State.REFUSING
    assert metrics.value("tidegate_destination_state", destination=NAME, state="refusing") == 1
    await spool.flush()
    assert (parked_in(spool), spool.position(NAME).cursor) == ([], 0)
    destination.healed = True
    delivery = delivery_of(spool, destination, metrics)
    delivery.finish()
    await delivery.run()
    assert set(destination.taken) == set(range(spool.position(NAME).cursor))
    await spool.close()


DEATHS: list[Step] = [HANG, *((fault, 0, after) for fault in (Fault.RETRY, Fault.DENIED) for after in (None, 1e9))]


@pytest.mark.parametrize("death", [*DEATHS, "refuses", "too large"], ids=str)
async def test_one_that_is_dead_costs_another_no_time_at_all(death: Step, tmp_path: Path, mock_clock: trio.testing.MockClock) -> None:
    """The clock stands still: whoever waits for it waits for ever."""
    spool = spool_in(tmp_path, [Consumer("dead", Start.BEGINNING, quota=100_000), Consumer("well", Start.BEGINNING)])
    dead = Faulty([death] * 100, frozenset(range(1000)) if death == "refuses" else frozenset(), largest=0 if death == "too large" else 1000)
    well = Faulty()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(delivery_of(spool, dead, Metrics(), "dead").run)
        nursery.start_soon(delivery_of(spool, well, Metrics(), "well").run)
        for name in range(40):
            await spool.commit(submissions(batch_of([name], octets=1000)))
            assert await spool.passed("well", name + 1)
        nursery.cancel_scope.cancel()
    assert (well.taken, mock_clock.current_time()) == (list(range(40)), 0.0)
    assert (dead.taken, spool.position("dead").cursor) == ([], 0)
    await spool.close()


async def test_a_change_of_state_is_one_line_however_often_it_fails(tmp_path: Path, autojump_clock: trio.testing.MockClock) -> None:
    assert autojump_clock
    metrics = Metrics()
    denied: Step = (Fault.DENIED, 0, None)
    spool = spool_in(tmp_path, [Consumer(NAME, Start.BEGINNING)], metrics=metrics)
    await spool.commit(submissions(batch_of([0, 1])))
    destination = Faulty([denied] * 9 + [(Fault.RETRY, 0, None)] * 9 + [denied] * 9)
    with structlog.testing.capture_logs() as lines:
        delivery = delivery_of(spool, destination, metrics)
        delivery.finish()
        await delivery.run()
    assert [line["log_level"] for line in lines] == ["error", "warning", "error", "info"]
    assert (delivery.condition.state, delivery.condition.reason, delivery.condition.failures) == (State.DELIVERING, "scripted", 0)
    assert metrics.value("tidegate_delivery_failures_total", destination=NAME, reason="scripted") == 27
    assert destination.taken == [0, 1]
    await spool.close()


async def test_a_denial_is_waited_for_as_long_as_may_be(tmp_path: Path, autojump_clock: trio.testing.MockClock) -> None:
    assert autojump_clock
    spool = spool_in(tmp_path, [Consumer(NAME, Start.BEGINNING)])
    await spool.commit(submissions(batch_of([0])))
    began = trio.current_time()
    delivery = delivery_of(spool, Faulty([(Fault.DENIED, 0, 0.0)] * 3), Metrics())
    delivery.finish()
    await delivery.run()
    assert trio.current_time() - began == pytest.approx(3 * RETRY.longest)
    await spool.close()


@pytest.mark.parametrize("limited", [Limits(records=7), Limits(octets=400), Limits(records=5, octets=300)])
async def test_small_rows_are_joined_and_large_ones_cut(limited: Limits, tmp_path: Path) -> None:
    spool = spool_in(tmp_path, [Consumer(NAME, Start.BEGINNING)])
    names = iter(range(1000))
    for count in (1, 1, 1, 1, 1, 40, 1, 1, 1):
        await spool.commit(submissions(batch_of([next(names) for _ in range(count)])))
    calls: list[tuple[int, int]] = []

    class Counted(Faulty):
        async def deliver(self, row: Row) -> Delivered:
            calls.append((len(row), len(row.ndjson())))
            return await super().deliver(row)

    destination = Counted(limits=limited)
    delivery = delivery_of(spool, destination, Metrics())
    delivery.finish()
    await delivery.run()
    assert destination.taken == list(range(48))
    assert all(records <= (limited.records or records) and octets <= (limited.octets or octets) for records, octets in calls)
    assert len(calls) <= 2 + 2 * sum(octets for _, octets in calls) // min(limited.octets or 1 << 20, 30 * (limited.records or 1 << 20))
    await spool.close()


async def test_a_row_that_was_read_behind_a_gap_is_handed_out_or_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    metrics = Metrics()
    spool = spool_in(tmp_path, [Consumer(NAME, Start.BEGINNING, 1000, OnFull.DROP_OLDEST)], metrics=metrics)
    await spool.commit(submissions(batch_of([0])))
    read, turns = spool.read, iter((range(1, 41), range(41, 81)))

    async def read_and_fall_behind(consumer: str, behind: int | None = None) -> Row | None:
        row = await read(consumer, behind)
        for name in next(turns, ()):
            await spool.commit(submissions(batch_of([name])))
        return row

    monkeypatch.setattr(spool, "read", read_and_fall_behind)
    feed, handed = Feed(NAME, spool, wants=None, limits=Limits(octets=1 << 20), metrics=metrics), list[int]()
    while (batch := await feed.next()) is not None:
        handed += map(name_of, batch.texts())
    assert len(handed) + metrics.value("tidegate_lost_total", destination=NAME) == 81
    assert handed == sorted(set(handed))
    await spool.close()
