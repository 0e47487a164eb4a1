"""The intake: shares, group commit in turns, receipts, and accounting that always reconciles."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractContextManager, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st
from support.batches import batch_of, read_all, spool_in

from pipeline.errors import DeliveryError, SpoolError
from pipeline.intake import GROUP_LINGER_S, GROUP_OCTETS, UNASKED_LINGER_S, Intake
from pipeline.metrics import Metrics
from pipeline.model import Batch, Reject
from pipeline.receipt import Receipt
from pipeline.rejects import Rejects
from pipeline.spool.letters import Requeued
from pipeline.spool.row import Row
from pipeline.spool.settings import Consumer, Start
from pipeline.spool.spool import Blockade, Bookmark, Committed, Position, Signal, SpoolDamagedError, SpoolStatus, Submission
from pipeline.state.sessions import Sessions


class ScriptedSpool:
    """A spool whose commits wait for a word: `go` lets one through, `errors` says what becomes of it."""

    def __init__(self) -> None:
        self.work = Signal()
        self.blockade: Blockade | None = None
        self.groups: list[list[Submission]] = []
        self.errors: list[SpoolError] = []
        self.go = trio.Semaphore(0)

    async def commit(self, group: Sequence[Submission]) -> tuple[Committed, ...]:
        await self.go.acquire()
        if self.errors:
            raise self.errors.pop(0)
        self.groups.append(list(group))
        return (Committed(),) * len(group)

    @property
    def sessions(self) -> Sessions:
        raise AssertionError

    def position(self, consumer: str) -> Position:
        raise AssertionError(consumer)

    def serving(self, consumer: str) -> AbstractContextManager[None]:
        raise AssertionError(consumer)

    async def read(self, consumer: str, behind: int | None = None) -> Row | None:
        raise AssertionError(consumer, behind)

    async def wait_for_more(self, consumer: str, behind: int | None = None) -> None:
        raise AssertionError(consumer, behind)

    def has_requeued(self, consumer: str) -> bool:
        raise AssertionError(consumer)

    async def requeued(self, consumer: str) -> Requeued | None:
        raise AssertionError(consumer)

    def answer(self, consumer: str, letter: int, refusal: DeliveryError | None = None) -> None:
        raise AssertionError(consumer, letter, refusal)

    async def originals(self, row: Row) -> tuple[bytes, ...]:
        raise AssertionError(row)

    async def passed(self, consumer: str, number: int) -> bool:
        raise AssertionError(consumer, number)

    def advance(self, consumer: str, cursor: int, state: bytes) -> None:
        raise AssertionError(consumer, cursor, state)

    def park(self, consumer: str, row: Row, refusal: DeliveryError) -> bool:
        raise AssertionError(consumer, row, refusal)

    def dropped(self, consumer: str, row: Row) -> bool:
        raise AssertionError(consumer, row)

    async def flush(self) -> None:
        raise AssertionError

    async def status(self) -> SpoolStatus:
        raise AssertionError

    async def close(self) -> None:
        raise AssertionError

    def listeners(self) -> list[list[str]]:
        return [[submission.batch.origin.listener for submission in group] for group in self.groups]


@asynccontextmanager
async def running(spool: ScriptedSpool, metrics: Metrics | None = None, *, share_octets: int = 10_000) -> AsyncIterator[Intake]:
    intake = Intake(spool, metrics or Metrics(), Rejects(), share_octets=share_octets)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(intake.run)
        yield intake
        nursery.cancel_scope.cancel()


async def test_what_arrives_while_a_commit_runs_shares_the_next() -> None:
    spool = ScriptedSpool()
    async with running(spool) as intake:
        receipts = [await intake.submit(batch_of([0]))]
        await trio.testing.wait_all_tasks_blocked()
        receipts += [await intake.submit(batch_of([name])) for name in range(1, 5)]
        assert not any(receipt.settled for receipt in receipts)
        spool.go.release()
        await receipts[0].wait()
        await trio.testing.wait_all_tasks_blocked()
        assert not receipts[1].settled
        spool.go.release()
        for receipt in receipts:
            await receipt.wait()
        await intake.drained()
    assert [len(group) for group in spool.groups] == [1, 4]


async def test_whether_it_gets_on_can_be_seen(autojump_clock: trio.testing.MockClock) -> None:
    spool = ScriptedSpool()
    spool.errors.append(SpoolError("disk", "refuses"))
    async with running(spool) as intake:
        seen = [(intake.has_work, intake.commits_ended)]
        receipt = await intake.submit(batch_of([0]))
        await trio.testing.wait_all_tasks_blocked()
        seen.append((intake.has_work, intake.commits_ended))  # a commit that hangs
        spool.go.release()
        await trio.sleep(0.5)
        seen.append((intake.has_work, intake.commits_ended))  # one that was refused
        spool.blockade = Blockade("sensor", "full")
        seen.append((intake.has_work, intake.commits_ended))  # nothing that it could do
        spool.go.release()
        await receipt.wait()
        seen.append((intake.has_work, intake.commits_ended))
    assert seen == [(False, 0), (True, 0), (True, 1), (False, 1), (False, 2)]


async def test_a_full_share_stops_its_listener_alone() -> None:
    spool = ScriptedSpool()
    async with running(spool, share_octets=5_000) as intake, trio.open_nursery() as nursery:
        submitted: list[str] = []

        async def submit(listener: str, count: int) -> None:
            for name in range(count):
                await intake.submit(batch_of([name], listener=listener, octets=1000))
                submitted.append(listener)

        nursery.start_soon(submit, "noisy", 8)
        await trio.testing.wait_all_tasks_blocked()
        assert submitted.count("noisy") == 3
        nursery.start_soon(submit, "quiet", 2)
        await trio.testing.wait_all_tasks_blocked()
        assert submitted.count("quiet") == 2
        spool.go.release()
        spool.go.release()
        await trio.testing.wait_all_tasks_blocked()
        assert submitted.count("noisy") > 3
        for _ in range(8):
            spool.go.release()


async def test_a_batch_larger_than_the_share_is_let_in_alone() -> None:
    spool = ScriptedSpool()
    async with running(spool, share_octets=1_000) as intake:
        await intake.submit(batch_of([1], octets=50_000))
        with trio.move_on_after(0) as scope:
            await intake.submit(batch_of([2]))
        assert scope.cancelled_caught
        spool.go.release()
        await intake.drained()


async def test_listeners_take_turns_by_octets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.intake.GROUP_OCTETS", 12_000)
    spool = ScriptedSpool()
    async with running(spool, share_octets=1_000_000) as intake:
        await intake.submit(batch_of([0], listener="first"))
        await trio.testing.wait_all_tasks_blocked()
        for name in range(30):
            await intake.submit(batch_of([name], listener="firehose", octets=1_500))
        for name in range(5):
            await intake.submit(batch_of([name], listener="trickle", octets=400))
        for _ in range(2):
            spool.go.release()
            await trio.testing.wait_all_tasks_blocked()
        assert spool.listeners()[1].count("trickle") == 5, "nobody waits behind a firehose"
        assert spool.listeners()[1].count("firehose") >= 3
        for _ in range(20):
            spool.go.release()
        await intake.drained()


async def test_a_refused_commit_is_tried_again_with_the_same_group(autojump_clock: trio.testing.MockClock) -> None:
    assert autojump_clock
    spool = ScriptedSpool()
    spool.errors = [SpoolError("spool", "the disk is full")] * 3
    async with running(spool) as intake:
        receipt = await intake.submit(batch_of([1]))
        for _ in range(4):
            spool.go.release()
        await receipt.wait()
    assert len(spool.groups) == 1


async def test_soon_behind_a_large_commit_the_next_waits_for_company(autojump_clock: trio.testing.MockClock) -> None:
    assert autojump_clock
    spool = ScriptedSpool()
    for _ in range(10):
        spool.go.release()
    async with running(spool, share_octets=1_000_000) as intake:
        await (await intake.submit(batch_of([0], octets=100_000))).wait()
        start = trio.current_time()
        first = await intake.submit(batch_of([1]))
        await trio.sleep(GROUP_LINGER_S / 2)
        second = await intake.submit(batch_of([2]))
        await first.wait()
        await second.wait()
        assert trio.current_time() - start <= 1.5 * GROUP_LINGER_S
        start = trio.current_time()
        await (await intake.submit(batch_of([3]))).wait()
        assert trio.current_time() == start, "what comes alone waits for nobody"
    assert [len(group) for group in spool.groups] == [1, 2, 1]


async def test_what_follows_a_group_that_grew_waits_for_company_too(autojump_clock: trio.testing.MockClock) -> None:
    assert autojump_clock
    spool = ScriptedSpool()
    for _ in range(10):
        spool.go.release()
    async with running(spool, share_octets=1_000_000) as intake:
        await (await intake.submit(batch_of([0], octets=100_000))).wait()
        for number in (1, 3, 5):
            first = await intake.submit(batch_of([number], octets=100_000))
            await trio.sleep(GROUP_LINGER_S / 2)
            second = await intake.submit(batch_of([number + 1], octets=100_000))
            await first.wait()
            await second.wait()
    assert [len(group) for group in spool.groups] == [1, 2, 2, 2]


@pytest.mark.parametrize("hurry", ["nothing", "somebody asks", "enough came", "it has to finish"])
async def test_where_nobody_waits_for_an_answer_the_next_waits_longer(autojump_clock: trio.testing.MockClock, hurry: str) -> None:
    assert autojump_clock
    spool = ScriptedSpool()
    for _ in range(10):
        spool.go.release()
    async with running(spool, share_octets=2 * GROUP_OCTETS) as intake:
        await (await intake.submit(batch_of([0], octets=100_000))).wait()
        start, receipts = trio.current_time(), []
        for number in range(1, 4):
            receipts.append(await intake.submit(batch_of([number])))
            await trio.sleep(GROUP_LINGER_S)
        if hurry == "somebody asks":
            await receipts[0].wait()
        elif hurry == "enough came":
            receipts.append(await intake.submit(batch_of([4], octets=GROUP_OCTETS)))
        elif hurry == "it has to finish":
            intake.finish()
        await intake.drained()
        assert trio.current_time() - start == pytest.approx(GROUP_LINGER_S + UNASKED_LINGER_S if hurry == "nothing" else 3 * GROUP_LINGER_S)
    assert [len(group) for group in spool.groups] == [1, len(receipts)]


async def test_a_blocked_spool_gets_no_group_until_it_is_free() -> None:
    spool = ScriptedSpool()
    spool.blockade = Blockade("sensor", "full")
    async with running(spool) as intake:
        receipt = await intake.submit(batch_of([1]))
        spool.go.release()
        await trio.testing.wait_all_tasks_blocked()
        assert spool.groups == [[]], "cursors may always move"
        spool.blockade = None
        spool.work.set()
        spool.go.release()
        spool.go.release()
        await receipt.wait()


@pytest.mark.parametrize(("blocker", "committed"), [("sensor", True), ("", False)], ids=["a quota", "the disk"])
async def test_what_was_read_goes_over_a_quota_at_the_end(blocker: str, committed: bool) -> None:  # noqa: FBT001 - a parameter
    spool = ScriptedSpool()
    spool.blockade = Blockade(blocker, "full")
    async with running(spool) as intake:
        receipts = [await intake.submit(batch_of([1])), await intake.submit(batch_of([2]))]
        spool.go.release()
        spool.go.release()
        await trio.testing.wait_all_tasks_blocked()
        assert not any(spool.groups), "not before"
        intake.finish()
        spool.go.release()
        await trio.testing.wait_all_tasks_blocked()
        assert [receipt.settled for receipt in receipts] == [committed, committed]
    assert intake.given_up == (0 if committed else 2)


async def test_what_waits_when_the_intake_ends_fails_and_is_counted() -> None:
    spool, metrics = ScriptedSpool(), Metrics()
    receipts: list[Receipt] = []
    async with running(spool, metrics) as intake:
        receipts += [await intake.submit(batch_of([1, 2])), await intake.submit(batch_of([3]))]
        await trio.testing.wait_all_tasks_blocked()
    for receipt in receipts:
        with pytest.raises(SpoolError):
            await receipt.wait()
    assert metrics.value("tidegate_uncommitted_total", listener="listeners.syslog") == 3
    assert metrics.value("tidegate_received_total", listener="listeners.syslog") == 0, "neither received nor kept"
    with pytest.raises(SpoolError):
        await intake.submit(batch_of([4]))


async def test_damage_ends_it() -> None:
    spool = ScriptedSpool()
    spool.errors = [SpoolDamagedError("spool", "damaged")]
    spool.go.release()
    intake = Intake(spool, Metrics(), Rejects())
    receipt = await intake.submit(batch_of([1]))
    with pytest.raises(SpoolDamagedError):
        await intake.run()
    with pytest.raises(SpoolError):
        await receipt.wait()


async def test_a_batch_without_records_needs_no_commit() -> None:
    spool, metrics = ScriptedSpool(), Metrics()
    async with running(spool, metrics) as intake:
        receipt = await intake.submit(replace(batch_of([]), received=9, filtered={"4688": 7}, control=2))
        await receipt.wait()
        marked = await intake.submit(batch_of([]), bookmark=Bookmark("identity", "dc1", b"<BookmarkList/>", 1))
        assert not marked.settled, "a bookmark does"
        spool.go.release()
        await marked.wait()
    assert metrics.value("tidegate_received_total", listener="listeners.syslog") == 9


async def test_hostile_names_cannot_make_counters_without_end() -> None:
    spool, metrics = ScriptedSpool(), Metrics()
    async with running(spool, metrics) as intake:
        for start in range(0, 2000, 100):
            codes = {str(code): 1 for code in range(start, start + 100)}
            await intake.submit(replace(batch_of([]), received=100, filtered=codes))
    assert metrics.value("tidegate_filtered_total", listener="listeners.syslog", event_code="other") == 2000 - 512


tallies = st.dictionaries(st.sampled_from(["4688", "4662", "other"]), st.integers(1, 5), max_size=3)


@given(st.lists(st.tuples(st.lists(st.integers(0, 9), max_size=5), st.booleans(), tallies, tallies, st.integers(0, 3), st.sampled_from("ab")), max_size=8))
def test_the_accounting_reconciles(sent: list[tuple[list[int], bool, dict[str, int], dict[str, int], int, str]]) -> None:
    """received = normalized + duplicate + filtered + rejected + control, with the real spool."""
    batches = [
        replace(
            batch_of(names, weak=weak, listener=listener),
            received=len(names) + sum(filtered.values()) + sum(rejected.values()) + control,
            filtered=filtered,
            rejected=rejected,
            control=control,
            rejects=tuple(Reject(b"?", rule) for rule in rejected),
        )
        for names, weak, filtered, rejected, control, listener in sent
    ]
    trio.run(check_accounting, batches)


async def check_accounting(batches: list[Batch]) -> None:

    metrics, rejects = Metrics(), Rejects()
    with TemporaryDirectory() as folder:
        spool = spool_in(Path(folder), [Consumer("archive", Start.BEGINNING)], metrics=metrics)
        intake = Intake(spool, metrics, rejects)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(intake.run)
            receipts = [await intake.submit(batch) for batch in batches]
            for receipt in receipts:
                await receipt.wait()
            await intake.drained()
            nursery.cancel_scope.cancel()
        kept = await read_all(spool, "archive")
        await spool.close()

    def counted(name: str, listener: str) -> float:
        return sum(
            sample.value
            for metric in metrics.registry.collect()
            for sample in metric.samples
            if sample.name == f"tidegate_{name}_total" and sample.labels["listener"] == listener
        )

    for listener in "ab":
        received = sum(batch.received for batch in batches if batch.origin.listener == listener)
        assert counted("received", listener) == received
        assert sum(counted(name, listener) for name in ("normalized", "duplicate", "filtered", "rejected", "control")) == received
    assert sum(counted("normalized", listener) for listener in "ab") == len(kept) == metrics.value("tidegate_committed_total")
    assert len(rejects.last(1000)) == sum(len(batch.rejects) for batch in batches)
