"""A damaged spool: it always starts, good rows are served as they were committed, and what is gone is counted."""

from __future__ import annotations

from contextlib import suppress
from functools import cache
from pathlib import Path
from random import Random
from shutil import rmtree
from tempfile import mkdtemp

import apsw
import trio
from hypothesis import assume, example, given
from hypothesis import strategies as st
from support.batches import batch_of, name_of, read_all, spool_in, submissions
from support.crashing_disk import CrashingDisk
from support.examples import one_in

from pipeline.metrics import Metrics
from pipeline.spool.database import FILE_NAME, HEADERS, PAGE_OCTETS
from pipeline.spool.salvage import DAMAGED, MARK
from pipeline.spool.settings import Consumer, Start
from pipeline.spool.spool import SpoolDamagedError

ARCHIVE = Consumer("archive", Start.BEGINNING)
SLOW = Consumer("slow", Start.BEGINNING)
ROWS, RECORDS = 8, 20
ROWS_PAGE = 2  # of so few rows the root of their b-tree is their only leaf: its first octets are all of them


def incompressible(row: int) -> str:
    return Random(row).randbytes(15_000).hex()


@cache
def healthy(*, with_log: bool) -> dict[str, bytes]:
    """The files of a spool with eight rows of 20 records, two of them passed by one consumer; closed, or as a crash leaves it."""
    folder = Path(mkdtemp())
    disk = CrashingDisk("watched")

    async def fill() -> dict[str, bytes]:
        spool = spool_in(folder, [ARCHIVE, SLOW], vfs=disk.vfs_name)
        for row in range(ROWS):
            names = range(row * RECORDS, (row + 1) * RECORDS)
            await spool.commit(submissions(batch_of(names, computer=incompressible(row))))
        spool.advance("archive", 2 * RECORDS, b"state")
        await spool.flush()
        image = disk.crash(Random(0))
        await spool.close()
        return image if with_log else {FILE_NAME: (folder / FILE_NAME).read_bytes()}

    files = trio.run(fill)
    disk.unregister()
    rmtree(folder)
    return files


async def served(folder: Path) -> list[int]:
    """The names a consumer gets, after a new start where the damage asks for it; behind them the spool has to work as ever."""
    names: list[int] = []
    for _start in range(2):
        spool = spool_in(folder, [ARCHIVE, SLOW])
        try:
            while (row := await spool.read("slow")) is not None:
                names += map(name_of, row.texts())
                for consumer in ("slow", "archive"):
                    spool.advance(consumer, row.end, b"")
                await spool.flush()
            await spool.commit(submissions(batch_of([9000, 9001])))
            fresh = await spool.read("slow")
            assert fresh is not None
            assert [name_of(text) for text in fresh.texts()] == [9000, 9001]
        except SpoolDamagedError:
            assert (folder / MARK).exists(), "the next start has to know"
        else:
            return names
        finally:
            with suppress(SpoolDamagedError):
                await spool.close()
    raise AssertionError("two starts weren't enough")


def damaged(files: dict[str, bytes]) -> list[int]:
    """What a spool with these files serves."""
    folder = Path(mkdtemp())
    try:
        for name, content in files.items():
            (folder / name).write_bytes(content)
        return trio.run(served, folder)
    finally:
        rmtree(folder)


def in_order(names: list[int]) -> bool:
    return (
        sorted(set(names)) == sorted(names) and [name for name in names if names.count(name) == 1] == sorted(names) and set(names) <= set(range(ROWS * RECORDS))
    )


USER_VERSION = range(60, 64)  # SQLite file format, section 1.3

pages = st.integers(0, 30)
octets = st.integers(0, PAGE_OCTETS - 1) | st.integers(0, 120)


@one_in(2)
@given(pages, octets, st.integers(1, 255))
@example(0, 0, 1)  # the magic
@example(0, 18, 1)  # journal mode: SQLite would call it read-only
@example(0, 63, 8)  # user_version: looks like a newer schema
@example(0, 62, 64)
@example(0, 200, 64)  # the schema's text
@example(4, PAGE_OCTETS - 18, 129)  # a consumer's name
def test_a_flipped_octet(page: int, octet: int, flip: int) -> None:
    content = bytearray(healthy(with_log=False)[FILE_NAME])
    at = (page * PAGE_OCTETS + octet) % len(content)
    assume(at not in USER_VERSION or flip.bit_count() == 1)  # more may be a newer schema, which isn't touched
    content[at] ^= flip
    names = damaged({FILE_NAME: bytes(content)})
    assert in_order(names)
    if at // PAGE_OCTETS != ROWS_PAGE:
        assert len(names) >= (ROWS - 1) * RECORDS, "one row at most"


@one_in(2)
@given(st.booleans(), st.sampled_from(["cut", "zero", "flip"]), st.integers(0, 2**32), st.data())
def test_any_damage(with_log: bool, how: str, at: int, data: st.DataObject) -> None:  # noqa: FBT001 - drawn
    files = healthy(with_log=with_log)
    name = data.draw(st.sampled_from(sorted(name for name in files if files[name])))
    content = bytearray(files[name])
    at %= len(content)
    match how:
        case "cut":
            del content[at:]
        case "zero":
            content[at : at + 4096] = bytes(len(content[at : at + 4096]))
        case "flip":
            content[at] ^= 0x40
    assert in_order(damaged(files | {name: bytes(content)}))


@one_in(2)
@given(st.binary(max_size=3 * PAGE_OCTETS), st.booleans())
def test_a_file_that_is_no_spool(content: bytes, headed: bool) -> None:  # noqa: FBT001 - drawn
    if headed:
        content = HEADERS[0] + content
    assert damaged({FILE_NAME: content}) == []


async def test_what_is_gone_is_counted_and_kept_beside(tmp_path: Path) -> None:
    content = bytearray(healthy(with_log=False)[FILE_NAME])
    at = content.index(b"dead_letters")
    content[at] ^= 1
    (tmp_path / FILE_NAME).write_bytes(content)
    spool = spool_in(tmp_path, [ARCHIVE, SLOW])
    assert spool.salvaged is not None
    assert (spool.salvaged.records, spool.salvaged.lost) == (ROWS * RECORDS, 0)
    assert (tmp_path / DAMAGED).exists()
    assert not (tmp_path / MARK).exists()
    assert spool.position("archive").state == b"state"
    await spool.close()


async def test_a_damaged_row_is_set_aside_and_counted(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_bytes(healthy(with_log=False)[FILE_NAME])
    connection = apsw.Connection(str(tmp_path / FILE_NAME))
    connection.execute("UPDATE rows SET body = zeroblob(length(body)) WHERE number = ?", (3 * RECORDS,))
    connection.close()
    metrics = Metrics()
    spool = spool_in(tmp_path, [ARCHIVE, SLOW], metrics=metrics)
    assert spool.salvaged is None
    for consumer, expected in (("slow", 7 * RECORDS), ("archive", 5 * RECORDS)):
        assert len(await read_all(spool, consumer)) == expected
    await spool.flush()
    assert metrics.value("tidegate_quarantined_total") == RECORDS
    assert (await spool.status()).quarantined == RECORDS
    assert spool._files.reader.execute("SELECT number, records FROM quarantine").get == (3 * RECORDS, RECORDS)
    await spool.close()


def test_an_interrupted_salvage_is_taken_up_again(tmp_path: Path) -> None:
    for name, content in healthy(with_log=True).items():
        (tmp_path / name.replace(FILE_NAME, DAMAGED)).write_bytes(content)
    (tmp_path / MARK).touch()
    (tmp_path / "salvage.sqlite").write_bytes(b"half")
    names = trio.run(served, tmp_path)
    assert names == list(range(ROWS * RECORDS))
