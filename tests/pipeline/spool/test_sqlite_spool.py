"""The embedded spool's promises, one by one; test_spool_model.py holds them together under crashes."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from random import randbytes

import apsw
import pytest
import trio
import trio.testing
from support.batches import alias_of, batch_of, name_of, read_all, spool_in, submissions

from pipeline.errors import DeliveryError, Fault, SpoolError
from pipeline.index import Entry
from pipeline.metrics import Metrics
from pipeline.spool import database
from pipeline.spool.database import check_sqlite
from pipeline.spool.ledger import Outcome, Work
from pipeline.spool.recent import RecentRows
from pipeline.spool.schema import SCHEMA_VERSION
from pipeline.spool.settings import Consumer, DuplicateSettings, OnFull, SpoolSettings, Start
from pipeline.spool.spool import Committed
from pipeline.spool.sqlite import SqliteSpool
from pipeline.spool.status import read_status_of

ARCHIVE = Consumer("archive", Start.BEGINNING)
SENSOR = Consumer("sensor", Start.BEGINNING)
DAY_MS = 86_400_000
NOW = 1_700_000_000_000


async def take(spool: SqliteSpool, consumer: str) -> list[int]:
    names = await read_all(spool, consumer)
    await spool.flush()
    return names


def duplicates(committed: Sequence[Committed]) -> tuple[int, ...]:
    return tuple(each.duplicates for each in committed)


def blocker(spool: SqliteSpool) -> str | None:
    """Who keeps the spool from taking more; empty for the disk."""
    return spool.blockade.consumer if spool.blockade is not None else None


# lifetime


async def test_a_row_goes_when_every_consumer_has_passed_it(tmp_path: Path) -> None:
    spool = spool_in(tmp_path, [ARCHIVE, SENSOR])
    await spool.commit(submissions(batch_of(range(3))))
    assert await take(spool, "archive") == [0, 1, 2]
    assert (await spool.status()).rows == 1
    assert await take(spool, "sensor") == [0, 1, 2]
    status = await spool.status()
    assert (status.rows, status.records, status.bytes, status.head) == (0, 0, 0, 3)
    await spool.close()


async def test_without_consumers_rows_go_once_committed(tmp_path: Path) -> None:
    spool = spool_in(tmp_path)
    await spool.commit(submissions(batch_of(range(3))))
    assert duplicates(await spool.commit(submissions(batch_of(range(4))))) == (3,), "their keys stay"
    status = await spool.status()
    assert (status.rows, status.head, status.duplicate_keys) == (0, 4, 4)
    await spool.close()


@pytest.mark.parametrize(("start", "expected"), [(Start.END, []), (Start.BEGINNING, [0, 1])])
async def test_where_a_new_consumer_begins(tmp_path: Path, start: Start, expected: list[int]) -> None:
    spool = spool_in(tmp_path, [ARCHIVE])
    await spool.commit(submissions(batch_of(range(2))))
    await spool.close()
    spool = spool_in(tmp_path, [ARCHIVE, Consumer("new", start)])
    assert await take(spool, "new") == expected
    await spool.commit(submissions(batch_of([7])))
    assert await take(spool, "new") == [7]
    await spool.close()


async def test_a_removed_consumer_keeps_its_place_for_seven_days(tmp_path: Path) -> None:
    for days, consumers, known in [(0, [ARCHIVE, SENSOR], True), (1, [ARCHIVE], True), (7, [ARCHIVE], True), (9, [ARCHIVE], False)]:
        spool = spool_in(tmp_path, consumers, now_ms=NOW + days * DAY_MS)
        await spool.commit(submissions(batch_of([days])))
        await take(spool, "archive")
        status = await spool.status()
        assert ("sensor" in [consumer.name for consumer in status.consumers]) == known
        assert (status.rows > 0) == known
        await spool.close()


async def test_a_consumer_that_comes_back_goes_on_where_it_was(tmp_path: Path) -> None:
    for consumers in ([ARCHIVE, SENSOR], [ARCHIVE]):
        spool = spool_in(tmp_path, consumers)
        await spool.commit(submissions(batch_of([len(consumers)])))
        await spool.close()
    spool = spool_in(tmp_path, [ARCHIVE, SENSOR])
    assert await take(spool, "sensor") == [2, 1]
    assert all(consumer.configured for consumer in (await spool.status()).consumers)
    await spool.close()


async def test_forget(tmp_path: Path) -> None:
    spool = spool_in(tmp_path, [ARCHIVE, SENSOR])
    await spool.commit(submissions(batch_of([1])))
    await spool.close()
    spool = spool_in(tmp_path, [ARCHIVE])
    await take(spool, "archive")
    for name in ("archive", "nobody"):
        with pytest.raises(SpoolError):
            await spool.forget(name)
    await spool.forget("sensor")
    assert [consumer.name for consumer in (await spool.status()).consumers] == ["archive"]
    assert (await spool.status()).rows == 0
    await spool.close()


async def test_freeing_many_rows_is_spread_over_commits(tmp_path: Path) -> None:
    spool = spool_in(tmp_path, [ARCHIVE])
    for name in range(600):
        await spool.commit(submissions(batch_of([name])))
    await take(spool, "archive")
    assert 0 < (await spool.status()).rows < 600
    while (await spool.status()).rows:
        await spool.work.wait()
        await spool.flush()
    await spool.close()


# duplicates


async def test_keys_outlive_rows_and_restarts(tmp_path: Path) -> None:
    spool = spool_in(tmp_path, [ARCHIVE])
    assert duplicates(await spool.commit(submissions(batch_of([1, 2]), batch_of([2, 3])))) == (0, 1)
    assert await take(spool, "archive") == [1, 2, 3]
    await spool.close()
    spool = spool_in(tmp_path, [ARCHIVE])
    assert duplicates(await spool.commit(submissions(batch_of([1, 2, 3, 4])))) == (3,)
    assert await take(spool, "archive") == [4]
    await spool.close()


async def test_weak_uids_never_collapse(tmp_path: Path) -> None:
    spool = spool_in(tmp_path, [ARCHIVE])
    assert duplicates(await spool.commit(submissions(batch_of([1, 1], weak=True), batch_of([1]), batch_of([1], weak=True)))) == (0, 0, 0)
    assert await take(spool, "archive") == [1, 1, 1, 1]
    await spool.close()


async def test_evicted_keys_are_counted(tmp_path: Path) -> None:
    metrics = Metrics()
    spool = spool_in(tmp_path, [], settings=SpoolSettings(duplicates=DuplicateSettings(max=5)), metrics=metrics)
    for names in (range(3), range(3, 6), range(6, 8)):
        await spool.commit(submissions(batch_of(names)))
    assert metrics.value("tidegate_duplicate_keys_evicted_total") == 3
    assert (await spool.status()).duplicate_keys == 5
    assert duplicates(await spool.commit(submissions(batch_of(range(8))))) == (5,)
    await spool.close()


@pytest.mark.parametrize("replaced", [False, True], ids=["deleted", "replaced"])
async def test_a_file_that_was_taken_away_takes_nothing_in(replaced: bool, tmp_path: Path) -> None:  # noqa: FBT001 - a parameter
    """SQLite would go on writing where nobody finds it again."""
    spool, path = spool_in(tmp_path, [ARCHIVE]), tmp_path / "spool.sqlite"
    await spool.commit(submissions(batch_of([1])))
    path.rename(tmp_path / "aside")
    if replaced:
        path.touch()
    with pytest.raises(SpoolError, match="moved or deleted"):
        await spool.commit(submissions(batch_of([2])))
    assert blocker(spool) == ""
    assert await read_all(spool, "archive") == [1], "what is in it is still delivered"
    (tmp_path / "aside").rename(path)
    await spool.commit(submissions(batch_of([2])))
    assert blocker(spool) is None
    assert await take(spool, "archive") == [2]
    await spool.close()


# a full spool


async def test_a_full_spool_says_who_blocks_and_takes_in_again(tmp_path: Path) -> None:
    metrics = Metrics()
    spool = spool_in(tmp_path, [ARCHIVE, SENSOR], settings=SpoolSettings(max_bytes=2000), metrics=metrics)
    name = 0
    while blocker(spool) is None:
        await spool.commit(submissions(batch_of([name])))
        name += 1
    await take(spool, "archive")
    assert blocker(spool) == "sensor"
    assert str(spool.blockade) == "destination sensor: the spool's 2000 octets are full"
    assert metrics.value("tidegate_spool_full") == 1
    assert (await spool.status()).blockade == spool.blockade
    assert await take(spool, "sensor") == list(range(name))
    assert blocker(spool) is None
    assert metrics.value("tidegate_spool_full") == 0
    await spool.close()


async def test_a_quota_that_blocks(tmp_path: Path) -> None:
    spool = spool_in(tmp_path, [ARCHIVE, Consumer("sensor", Start.BEGINNING, quota=1000)])
    name = 0
    while blocker(spool) is None:
        await spool.commit(submissions(batch_of([name])))
        await take(spool, "archive")
        name += 1
    assert blocker(spool) == "sensor"
    assert 3 < name < 20
    await take(spool, "sensor")
    assert blocker(spool) is None
    await spool.close()


def even(entry: Entry) -> bool:
    return entry.time_ms % 2 == 0


@pytest.mark.parametrize("wants", [None, even], ids=["everything", "a filter"])
async def test_drop_oldest_moves_one_cursor_and_counts_exactly(tmp_path: Path, wants: object) -> None:
    metrics = Metrics()
    dropper = Consumer("sensor", Start.BEGINNING, 1000, OnFull.DROP_OLDEST, even if wants else None)
    spool = spool_in(tmp_path, [ARCHIVE, dropper], metrics=metrics)
    for name in range(40):
        await spool.commit(submissions(batch_of([2 * name, 2 * name + 1])))
    assert blocker(spool) is None
    lost = metrics.value("tidegate_lost_total", destination="sensor")
    left = [name for name in await take(spool, "sensor") if wants is None or name % 2 == 0]
    assert lost > 0
    assert lost + len(left) == (80 if wants is None else 40)
    assert (await spool.status()).consumers[1].lost == lost
    assert len(await take(spool, "archive")) == 80, "the other cursor stays"
    await spool.close()


@pytest.mark.parametrize("delivered", [True, False])
async def test_what_is_in_hand_while_it_is_dropped_counts_once_its_fate_is_known(tmp_path: Path, delivered: bool) -> None:  # noqa: FBT001 - pytest's
    metrics = Metrics()
    spool = spool_in(tmp_path, [Consumer("sensor", Start.BEGINNING, 1000, OnFull.DROP_OLDEST)], metrics=metrics)
    await spool.commit(submissions(batch_of([100, 101])))
    row = await spool.read("sensor")
    assert row is not None
    for name in range(40):
        await spool.commit(submissions(batch_of([name])))
    before = metrics.value("tidegate_lost_total", destination="sensor")
    if delivered:
        spool.advance("sensor", row.end, b"")
    else:
        assert spool.dropped("sensor", row)
    assert metrics.value("tidegate_lost_total", destination="sensor") == before + (0 if delivered else 2)
    left = await take(spool, "sensor")
    assert metrics.value("tidegate_lost_total", destination="sensor") + len(left) + (2 if delivered else 0) == 42
    await spool.close()


@pytest.mark.parametrize("wants", [None, even], ids=["everything", "a filter"])
@pytest.mark.parametrize("fate", ["unknown", "given up", "delivered", "delivered in part"])
async def test_what_is_in_hand_while_it_is_dropped_is_lost_if_the_process_ends(tmp_path: Path, fate: str, wants: object) -> None:
    consumers = [Consumer("sensor", Start.BEGINNING, 1000, OnFull.DROP_OLDEST, even if wants else None)]
    spool = spool_in(tmp_path, consumers)
    await spool.commit(submissions(batch_of([100, 101, 102, 103])))
    row = await spool.read("sensor")
    assert row is not None
    if wants:
        row = row.select(even)
    first, second = row.split(len(row) // 2)
    for name in range(40):
        await spool.commit(submissions(batch_of([name])))
    if fate == "given up":
        assert spool.dropped("sensor", row)
    elif fate == "delivered in part":
        spool.advance("sensor", second.numbers[0], b"")
        assert spool.dropped("sensor", second)
        spool.advance("sensor", row.end, b"")
    elif fate == "delivered":
        spool.advance("sensor", row.end, b"")
    await spool.flush()
    spool._files.close()
    again = spool_in(tmp_path, consumers)
    left = [name for name in await take(again, "sensor") if wants is None or name % 2 == 0]
    gone = {"unknown": len(row), "given up": len(row), "delivered": 0, "delivered in part": len(second)}[fate]
    assert (await again.status()).consumers[0].lost + len(left) == (20 if wants else 40) + gone
    assert len(first) + len(second) == len(row) == (2 if wants else 4)
    await again.close()


# consumers


async def test_dead_letters_are_kept_whole(tmp_path: Path) -> None:
    spool = spool_in(tmp_path, [ARCHIVE])
    await spool.commit(submissions(batch_of([1, 2, 3])))
    row = await spool.read("archive")
    assert row is not None
    poison = row.split(1)[1].split(1)[0]
    assert spool.park("archive", poison, DeliveryError("refused", Fault.REFUSED, detail="no such field"))
    spool.advance("archive", row.end, b"")
    await spool.close()
    spool = spool_in(tmp_path, [ARCHIVE])
    columns = "consumer, number, reason, detail, record"
    (letter,) = spool._files.reader.execute(f"SELECT {columns} FROM dead_letters")
    assert letter[:4] == ("archive", 1, "refused", "no such field")
    assert name_of(letter[4]) == 2
    assert (await spool.status()).consumers[0].parked == 1
    await spool.close()


async def test_waiting_for_more(tmp_path: Path) -> None:
    spool = spool_in(tmp_path, [ARCHIVE])
    got: list[int] = []

    async def consume() -> None:
        await spool.wait_for_more("archive")
        got.extend(await read_all(spool, "archive"))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(consume)
        await trio.testing.wait_all_tasks_blocked()
        await spool.commit(submissions(batch_of([1])))
    assert got == [1]
    await spool.close()


async def test_one_who_lags_reads_from_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.spool.sqlite.RecentRows", partial(RecentRows, 0))
    spool = spool_in(tmp_path, [ARCHIVE])
    for name in range(20):
        await spool.commit(submissions(batch_of([2 * name, 2 * name + 1])))
    spool.advance("archive", 3, b"")
    assert await take(spool, "archive") == list(range(3, 40)), "from the middle of a row on"
    await spool.close()


# refusals


@pytest.mark.parametrize(
    ("version", "refused"),
    [
        ("3.40.1", True),
        ("3.44.5", True),
        ("3.44.6", False),
        ("3.45.9", True),
        ("3.50.6", True),
        ("3.50.7", False),
        ("3.51.2", True),
        ("3.51.3", False),
        ("3.54.1", False),
        ("4.0.0", False),
    ],
)
def test_sqlite_with_the_wal_reset_bug(version: str, refused: bool) -> None:  # noqa: FBT001 - pytest's
    if refused:
        with pytest.raises(SpoolError):
            check_sqlite(version)
    else:
        check_sqlite(version)


HOLD = """
import sys
from pathlib import Path
from pipeline.spool.lock import lock_state
lock_state(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


def test_another_process_holds_the_directory(tmp_path: Path) -> None:
    root = Path(database.__file__).parents[2]
    with subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=root) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(SpoolError) as caught:
            spool_in(tmp_path)
        assert str(holder.pid) in caught.value.why
        holder.send_signal(signal.SIGKILL)
    trio.run(spool_in(tmp_path).close)


@pytest.mark.parametrize(
    ("version", "also"),
    [(SCHEMA_VERSION + 1, True), (SCHEMA_VERSION | 64, True), (SCHEMA_VERSION ^ 96, False), (99, False), (1000, False)],
    ids=["the next", "a bit away", "two bits away, where a newer one keeps no second copy", "any", "any of two octets"],
)
def test_a_newer_schema_is_refused_and_left_alone(version: int, also: bool, tmp_path: Path) -> None:  # noqa: FBT001 - a parameter
    trio.run(spool_in(tmp_path).close)
    connection = apsw.Connection(str(tmp_path / "spool.sqlite"))
    if also:
        connection.execute("UPDATE head SET schema = ?", (version,))
    connection.execute(f"PRAGMA user_version = {version}; PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    with pytest.raises(SpoolError) as caught:
        spool_in(tmp_path)
    assert f"schema {version}" in caught.value.why
    with pytest.raises(SpoolError, match="a newer Tidegate"):
        read_status_of(tmp_path, now_ms=NOW, max_bytes=1, keep_removed_s=1.0)
    assert [path.name for path in tmp_path.glob("*damaged*")] == []


async def test_a_full_disk_refuses_commits_until_there_is_room(tmp_path: Path) -> None:
    metrics = Metrics()
    spool = spool_in(tmp_path, [ARCHIVE], metrics=metrics)
    connection = spool._ledger._connection
    await spool.commit(submissions(batch_of(range(5))))
    connection.pragma("max_page_count", connection.pragma("page_count") + 1)
    with pytest.raises(SpoolError) as caught:
        await spool.commit(submissions(batch_of(range(1000, 3000), octets=100)))
    assert caught.value.why == "the disk is full"
    assert blocker(spool) == ""
    assert metrics.value("tidegate_spool_full") == 1
    connection.pragma("max_page_count", 1_000_000)
    assert duplicates(await spool.commit(submissions(batch_of(range(1000, 3000), octets=100)))) == (0,), "its keys weren't kept before"
    assert blocker(spool) is None
    assert await take(spool, "archive") == [*range(5), *range(1000, 3000)]
    await spool.close()


async def test_what_destinations_took_frees_room_on_a_full_disk(tmp_path: Path) -> None:
    spool = spool_in(tmp_path, [ARCHIVE])
    connection = spool._ledger._connection
    await spool.commit(submissions(batch_of(range(3000), octets=100)))
    connection.pragma("max_page_count", connection.pragma("page_count") + 1)
    await read_all(spool, "archive")
    with pytest.raises(SpoolError):
        await spool.commit(submissions(batch_of(range(4000, 12000), octets=100)))
    assert (await spool.status()).rows == 0, "the advance was stored by itself"
    await spool.close()


def test_a_place_that_cannot_be_written() -> None:
    with pytest.raises(SpoolError):
        spool_in(Path("/proc/tidegate"))


def test_a_state_directory_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "state").write_bytes(b"")
    with pytest.raises(SpoolError):
        spool_in(tmp_path / "state")


# status from another process


async def test_status_beside_a_running_gateway(tmp_path: Path) -> None:
    spool = spool_in(tmp_path, [ARCHIVE])
    await spool.commit(submissions(batch_of(range(3))))
    status = await spool.status()
    beside = read_status_of(tmp_path, now_ms=NOW, max_bytes=4 << 30, keep_removed_s=7 * 86400.0)
    assert replace(beside, free_bytes=status.free_bytes) == status  # others write to the same disk
    await spool.close()
    assert read_status_of(tmp_path, now_ms=NOW, max_bytes=4 << 30, keep_removed_s=7 * 86400.0).records == 3


def test_status_where_there_is_none(tmp_path: Path) -> None:
    with pytest.raises(SpoolError):
        read_status_of(tmp_path, now_ms=NOW, max_bytes=1, keep_removed_s=1.0)
    assert list(tmp_path.iterdir()) == [], "asking makes nothing"


async def test_forgetting_while_a_commit_runs(tmp_path: Path) -> None:
    spool = spool_in(tmp_path, [ARCHIVE, SENSOR])
    await spool.commit(submissions(batch_of([1])))
    await spool.close()
    spool = spool_in(tmp_path, [ARCHIVE])
    async with trio.open_nursery() as nursery:
        nursery.start_soon(spool.commit, submissions(batch_of(range(2, 2000))))
        nursery.start_soon(spool.forget, "sensor")
    assert [consumer.name for consumer in (await spool.status()).consumers] == ["archive"]
    await spool.close()


async def test_a_retransmission_is_known_after_a_restart(tmp_path: Path) -> None:
    """By the alias of the record, and by that of a duplicate which had no record of its own."""
    spool = spool_in(tmp_path, [ARCHIVE])
    await spool.commit(submissions(replace(batch_of([1]), aliases=alias_of(1))))
    assert duplicates(await spool.commit(submissions(replace(batch_of([1]), aliases=alias_of(2))))) == (1,)
    assert duplicates(await spool.commit(submissions(replace(batch_of([1]), aliases=alias_of(3))))) == (1,)
    await spool.commit(submissions(batch_of([2])))
    await spool.close()
    spool = spool_in(tmp_path, [ARCHIVE])
    for alias in (1, 2, 3):
        assert duplicates(await spool.commit(submissions(replace(batch_of([90 + alias]), aliases=alias_of(alias))))) == (1,)
    assert await read_all(spool, "archive") == [1, 2]
    await spool.close()


async def test_messages_lie_beside_their_records_and_go_with_them(tmp_path: Path) -> None:
    spool = spool_in(tmp_path, [ARCHIVE])
    await spool.commit(submissions(replace(batch_of([1, 2, 3]), originals=(b"one", b"two", b"three")), batch_of([4])))
    row = await spool.read("archive")
    assert row is not None
    assert await spool.originals(row) == (b"one", b"two", b"three", b"")
    assert await spool.originals(row.split(1)[1]) == (b"two", b"three", b"")
    assert await spool.originals(row.select(lambda entry: entry.uid[-1] % 2 == 0)) == (b"two", b"")
    await spool.commit(submissions(batch_of([5])))
    spool.advance("archive", 4, b"")
    await spool.flush()
    assert await spool.originals(row) == (b"",) * 4
    assert spool._files.reader.execute("SELECT count(*) FROM originals").get == 0
    await spool.close()


async def test_messages_count_where_records_do(tmp_path: Path) -> None:
    spool = spool_in(tmp_path, [ARCHIVE])
    await spool.commit(submissions(batch_of([1])))
    plain = (await spool.status()).bytes
    await spool.commit(submissions(replace(batch_of([2]), originals=(randbytes(5000),))))
    assert (await spool.status()).bytes > 2 * plain + 5000
    await spool.close()


async def test_damaged_messages_are_as_if_there_were_none(tmp_path: Path) -> None:
    metrics = Metrics()
    spool = spool_in(tmp_path, [ARCHIVE], metrics=metrics)
    await spool.commit(submissions(replace(batch_of([1]), originals=(b"one",))))
    spool._ledger._connection.execute("UPDATE originals SET body = zeroblob(length(body))")
    row = await spool.read("archive")
    assert row is not None
    assert await spool.originals(row) == (b"",)
    assert metrics.value("tidegate_originals_damaged_total") == 1
    await spool.close()


async def test_a_receipt_says_how_far_a_consumer_has_to_be(tmp_path: Path) -> None:
    spool = spool_in(tmp_path, [ARCHIVE, SENSOR])
    first, second, again = await spool.commit(submissions(batch_of([1, 2]), batch_of([3]), batch_of([1])))
    assert (first.end, second.end, again.end) == (2, 3, 3)
    done: list[str] = []

    async def wait(name: str, consumer: str, number: int) -> None:
        assert await spool.passed(consumer, number)
        done.append(name)

    async with trio.open_nursery() as nursery:
        for name, consumer, number in [("first", "archive", 2), ("second", "archive", 3), ("sensor's", "sensor", 2), ("nothing", "archive", 0)]:
            nursery.start_soon(wait, name, consumer, number)
        await trio.testing.wait_all_tasks_blocked()
        assert done == ["nothing"]
        spool.advance("archive", 2, b"")
        await trio.testing.wait_all_tasks_blocked()
        assert done == ["nothing", "first"]
        spool.advance("archive", 3, b"")
        spool.advance("sensor", 3, b"")
    assert sorted(done) == ["first", "nothing", "second", "sensor's"]
    await spool.close()


async def test_what_drop_oldest_gave_up_has_not_been_taken(tmp_path: Path) -> None:
    dropping = Consumer("dropping", Start.BEGINNING, quota=1, on_full=OnFull.DROP_OLDEST)
    spool = spool_in(tmp_path, [dropping])
    (committed,) = await spool.commit(submissions(batch_of([1])))
    taken: list[bool] = []

    async def wait() -> None:
        taken.append(await spool.passed("dropping", committed.end))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait)
        await trio.testing.wait_all_tasks_blocked()
        await spool.commit(submissions(batch_of([2])))
    assert taken == [False]
    await spool.close()


# another configuration


@pytest.mark.parametrize(("start", "expected"), [(Start.BEGINNING, [2, 3, 4]), (Start.END, [4])])
async def test_a_consumer_that_comes_while_it_runs_begins_as_at_a_start(tmp_path: Path, start: Start, expected: list[int]) -> None:
    spool = spool_in(tmp_path, [ARCHIVE])
    await spool.commit(submissions(batch_of([0, 1]), batch_of([2, 3], weak=True)))
    row = await spool.read("archive")
    assert row is not None
    spool.advance("archive", 2, b"")
    await spool.flush()
    await spool.renew([ARCHIVE, Consumer("sensor", start)])
    await spool.commit(submissions(batch_of([4])))
    assert [name for name in await take(spool, "sensor") if name > 1] == expected
    assert [consumer.name for consumer in (await spool.status()).consumers] == ["archive", "sensor"]
    await spool.close()
    again = spool_in(tmp_path, [ARCHIVE, SENSOR])
    assert await take(again, "sensor") == [], "its place is durable"
    await again.close()


async def test_a_consumer_that_goes_while_it_runs_keeps_its_place_and_its_room(tmp_path: Path) -> None:
    blocking = Consumer("sensor", Start.BEGINNING, 100)
    spool = spool_in(tmp_path, [ARCHIVE, blocking])
    await spool.commit(submissions(batch_of(range(5))))
    assert blocker(spool) == "sensor"
    await spool.renew([ARCHIVE])
    await spool.flush()
    assert blocker(spool) is None, "who left has no quota"
    (left,) = (consumer for consumer in (await spool.status()).consumers if consumer.name == "sensor")
    assert (left.configured, left.expires_s, left.lag_records) == (False, 7 * 86400, 5)
    await take(spool, "archive")
    await spool.renew([ARCHIVE, SENSOR])
    assert await take(spool, "sensor") == list(range(5))
    assert all(consumer.configured for consumer in (await spool.status()).consumers)
    await spool.close()


async def test_a_place_is_not_given_up_while_it_is_served(tmp_path: Path) -> None:
    spool = spool_in(tmp_path, [ARCHIVE, SENSOR], settings=SpoolSettings(keep_removed=-1.0))
    with spool.serving("sensor"):
        await spool.renew([ARCHIVE])
        await spool.flush()
        with pytest.raises(SpoolError, match="still being served"):
            await spool.forget("sensor")
        spool.advance("sensor", 0, b"")
    await spool.flush()
    assert [consumer.name for consumer in (await spool.status()).consumers] == ["archive"]
    await spool.close()


async def test_a_name_comes_back_once_its_former_place_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spool = spool_in(tmp_path, [ARCHIVE, SENSOR])
    await spool.commit(submissions(batch_of([1])))
    await spool.renew([ARCHIVE])

    def refuse(_work: object) -> None:
        raise apsw.FullError

    with monkeypatch.context() as patch:
        patch.setattr(spool._ledger, "transact", refuse)
        with pytest.raises(SpoolError):
            await spool.forget("sensor")
        with pytest.raises(SpoolError, match="isn't given up yet"):
            await spool.renew([ARCHIVE, SENSOR])
    await spool.flush()
    await spool.renew([ARCHIVE, Consumer("sensor", Start.END)])
    assert await take(spool, "sensor") == []
    await spool.close()


@pytest.mark.parametrize("when", ["before", "while"])
async def test_what_was_let_go_of_and_dropped_is_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: str) -> None:
    """... whether its reader went before the transaction that dropped it, or while that ran."""
    metrics = Metrics()
    spool = spool_in(tmp_path, [Consumer("sensor", Start.BEGINNING, 1000, OnFull.DROP_OLDEST)], metrics=metrics)
    with spool.serving("sensor"):
        await spool.commit(submissions(batch_of([100, 101])))
        assert await spool.read("sensor") is not None
        if when == "while":
            transact = spool._transact

            async def leave(work: Work) -> Outcome:
                outcome = await transact(work)
                spool._cursors["sensor"].let_go()
                return outcome

            monkeypatch.setattr(spool, "_transact", leave)
        for name in range(40):
            await spool.commit(submissions(batch_of([name])))
    left = await take(spool, "sensor")
    lost = (await spool.status()).consumers[0].lost
    assert metrics.value("tidegate_lost_total", destination="sensor") == lost > 2
    assert lost + len(left) == 42
    await spool.close()
