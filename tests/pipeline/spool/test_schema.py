"""Schemas: an older spool is brought to ours in one transaction, with everything that is in it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from random import Random

import apsw
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.batches import batch_of, read_all, spool_in, submissions
from support.crashing_disk import CrashingDisk, restore
from support.older_spool import spool_of_schema_1

from pipeline.model import SessionChange, SessionEvent
from pipeline.spool.database import FILE_NAME, open_writer
from pipeline.spool.salvage import MARK
from pipeline.spool.schema import SCHEMA_VERSION
from pipeline.spool.settings import Consumer, Start

CONSUMERS = [Consumer("archive", Start.BEGINNING), Consumer("sensor", Start.BEGINNING)]
NOW_MS = 1_700_000_000_000
SECURITY, DC1 = "identity/Security", "dc1.contoso.example"


def schema_of(folder: Path) -> tuple[object, object, object]:
    connection = apsw.Connection(str(folder / FILE_NAME))
    tables = connection.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'table' ORDER BY name").fetchall()
    version, written = connection.pragma("user_version"), connection.execute("SELECT schema FROM head").get
    connection.close()
    return version, written, tables


async def test_an_older_spool_goes_on_as_it_stood(tmp_path: Path) -> None:
    spool_of_schema_1(tmp_path)
    spool = spool_in(tmp_path, CONSUMERS)
    assert spool.salvaged is None
    assert spool.position("sensor") == replace(spool.position("sensor"), cursor=3, state=b"state")
    assert await read_all(spool, "sensor") == [3, 4, 5, 6]
    assert await read_all(spool, "archive") == [0, 1, 2, 3, 4, 5, 6]
    assert [each.duplicates for each in await spool.commit(submissions(batch_of(range(9))))] == [7]
    assert await spool.bookmarks(DC1, [SECURITY]) == {SECURITY: b"<BookmarkList/>"}
    assert [reject.raw for _, reject in await spool.rejects(9)] == [b"raw"]
    await spool.close()


def test_every_way_leads_to_the_same_schema(tmp_path: Path) -> None:
    spool_of_schema_1(tmp_path / "old")
    (tmp_path / "new").mkdir()
    for name in ("old", "new"):
        open_writer(tmp_path / name / FILE_NAME).close()
    assert schema_of(tmp_path / "old") == schema_of(tmp_path / "new")
    assert schema_of(tmp_path / "new")[:2] == (SCHEMA_VERSION, SCHEMA_VERSION)


@given(st.integers(0, 60), st.integers(0, 2**32))
def test_power_that_goes_in_between_leaves_the_old_schema_or_the_new(tmp_path_factory: pytest.TempPathFactory, steps: int, seed: int) -> None:
    folder = tmp_path_factory.mktemp("schema")
    disk = CrashingDisk(f"migrating-{folder.name}")
    spool_of_schema_1(folder / "0", disk.vfs_name)
    disk.crash_after(steps, Random(seed))
    open_writer(folder / "0" / FILE_NAME, disk.vfs_name).close()
    image = disk.take_image()
    disk.unregister()
    if image is not None:
        restore(image, folder / "1")
        old = schema_of(folder / "1")
        assert old[:2] in {(1, 1), (SCHEMA_VERSION, SCHEMA_VERSION)}
        open_writer(folder / "1" / FILE_NAME).close()
        assert schema_of(folder / "1") == schema_of(folder / "0")


@pytest.mark.parametrize("older", [False, True], ids=["made anew", "brought from schema 1"])
async def test_salvage_finds_the_tables_of_later_schemas_where_they_are(older: bool, tmp_path: Path) -> None:  # noqa: FBT001 - a parameter
    if older:
        spool_of_schema_1(tmp_path)
    spool = spool_in(tmp_path, CONSUMERS)
    change = SessionChange(SessionEvent.START, "192.0.2.9", "1", "u", "CONTOSO", "10.0.0.1", "", NOW_MS)
    await spool.commit(submissions(replace(batch_of([1000]), originals=(b"a packet",), sessions=(change,))))
    await spool.close()
    (tmp_path / MARK).touch()
    spool = spool_in(tmp_path, CONSUMERS)
    assert spool.salvaged is not None
    assert len(spool.sessions.of_account("u", "contoso", NOW_MS)) == 1
    rows: list[bytes] = []
    while (row := await spool.read("archive")) is not None:
        rows += await spool.originals(row)
        spool.advance("archive", row.end, b"")
    assert rows == [b""] * (7 if older else 0) + [b"a packet"]
    await spool.close()


async def test_salvage_of_a_migrated_spool_whose_schema_is_damaged_keeps_the_records(tmp_path: Path) -> None:
    spool_of_schema_1(tmp_path)
    spool = spool_in(tmp_path, CONSUMERS)
    await spool.close()
    content = bytearray((tmp_path / FILE_NAME).read_bytes())
    content[content.index(b"dead_letters")] ^= 1
    (tmp_path / FILE_NAME).write_bytes(content)
    spool = spool_in(tmp_path, CONSUMERS)
    assert spool.salvaged is not None
    assert await read_all(spool, "archive") == list(range(7))
    await spool.close()
