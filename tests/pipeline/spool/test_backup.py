"""Backups: a copy of one moment, whole or not there at all, which a gateway goes on from without losing what destinations have."""

from __future__ import annotations

from pathlib import Path

import apsw
import pytest
import trio
from support.batches import batch_of, read_all, spool_in, submissions
from support.older_spool import spool_of_schema_1

from forwarders.file import FileDestination
from forwarders.file_settings import FileSettings
from pipeline.errors import SpoolError
from pipeline.spool.backup import back_up
from pipeline.spool.database import FILE_NAME, OlderSchemaError, open_reader
from pipeline.spool.schema import SCHEMA_VERSION
from pipeline.spool.settings import Consumer, Start

ARCHIVE = [Consumer("archive", Start.BEGINNING)]


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def put_back(backup: Path, state: Path) -> None:
    state.mkdir()
    (state / FILE_NAME).write_bytes(backup.read_bytes())


async def test_a_copy_of_a_spool_in_use_has_everything_that_was_committed(tmp_path: Path) -> None:
    spool = spool_in(tmp_path / "state", ARCHIVE)
    await spool.commit(submissions(batch_of(range(50))))
    spool.advance("archive", 20, b"its own")
    await spool.commit(submissions(batch_of(range(50, 60))))
    found = await trio.to_thread.run_sync(back_up, tmp_path / "state", tmp_path / "backup")
    await spool.commit(submissions(batch_of(range(60, 70))))
    await spool.close()
    assert found is not None
    assert (found.records, found.damage) == (60, ())
    assert names_in(tmp_path) == ["backup", "state"]
    assert (tmp_path / "backup").stat().st_mode & 0o777 == 0o600
    put_back(tmp_path / "backup", tmp_path / "again")
    again = spool_in(tmp_path / "again", ARCHIVE)
    assert again.salvaged is None
    assert (again.position("archive").cursor, again.position("archive").state) == (20, b"")
    assert (await read_all(again, "archive"))[-1] == 59
    assert [each.duplicates for each in await again.commit(submissions(batch_of(range(70))))] == [60]
    await again.close()


async def test_copies_made_while_records_come_are_each_of_one_moment(tmp_path: Path) -> None:
    spool = spool_in(tmp_path / "state", ARCHIVE)
    await spool.commit(submissions(batch_of(range(10))))
    held: list[int] = []

    async def commit() -> None:
        for group in range(1, 60):
            await spool.commit(submissions(batch_of(range(group * 10, group * 10 + 10))))

    async def copy() -> None:
        for number in range(5):
            found = await trio.to_thread.run_sync(back_up, tmp_path / "state", tmp_path / f"backup{number}")
            assert found is not None
            assert found.damage == ()
            held.append(found.records)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(commit)
        nursery.start_soon(copy)
    await spool.close()
    assert held == sorted(held)
    assert all(count % 10 == 0 for count in held)


async def test_what_the_archive_got_after_the_copy_stays_in_it(tmp_path: Path) -> None:
    """Its state of that moment would have the live file cut back, and rotated files taken away."""
    settings = FileSettings.model_validate({"name": "archive", "kind": "file", "path": "events.ndjson"}, context={"folder": tmp_path})

    async def deliver(state: Path) -> None:
        spool, destination = spool_in(state, ARCHIVE), FileDestination(settings)
        spool.advance("archive", spool.position("archive").cursor, await destination.open(spool.position("archive").state))
        while (row := await spool.read("archive")) is not None:
            spool.advance("archive", row.end, (await destination.deliver(row)).state)
        await destination.close()
        await spool.close()

    async def take(names: range) -> None:
        spool = spool_in(tmp_path / "state", ARCHIVE)
        await spool.commit(submissions(batch_of(names)))
        await spool.close()

    await take(range(5))
    await deliver(tmp_path / "state")
    back_up(tmp_path / "state", tmp_path / "backup")
    await take(range(5, 9))
    await deliver(tmp_path / "state")
    before = settings.path.read_bytes()
    put_back(tmp_path / "backup", tmp_path / "again")
    await deliver(tmp_path / "again")
    assert settings.path.read_bytes() == before


def test_a_file_that_is_there_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "backup").write_text("mine")
    with pytest.raises(SpoolError, match="it is there already"):
        back_up(tmp_path, tmp_path / "backup")
    assert (tmp_path / "backup").read_text() == "mine"


@pytest.mark.parametrize("target", ["backup", "missing/backup"])
def test_what_fails_leaves_nothing(target: str, tmp_path: Path) -> None:
    with pytest.raises(SpoolError):
        back_up(tmp_path / "no-spool", tmp_path / target)
    assert names_in(tmp_path) == []


async def test_damage_is_no_backup(tmp_path: Path) -> None:
    spool = spool_in(tmp_path / "state", ARCHIVE)
    await spool.commit(submissions(batch_of(range(5))))
    await spool.close()
    connection = apsw.Connection(str(tmp_path / "state" / FILE_NAME))
    connection.execute("UPDATE rows SET body = zeroblob(length(body))")
    connection.close()
    with pytest.raises(SpoolError, match="the spool is damaged"):
        back_up(tmp_path / "state", tmp_path / "backup")
    assert names_in(tmp_path) == ["state"]


async def test_an_older_spool_is_copied_as_it_is_and_called_by_its_schema(tmp_path: Path) -> None:
    spool_of_schema_1(tmp_path / "state")
    with pytest.raises(OlderSchemaError) as older:
        open_reader(tmp_path / "state" / FILE_NAME)
    assert older.value.schema == 1
    assert back_up(tmp_path / "state", tmp_path / "backup") is None
    copy = apsw.Connection(str(tmp_path / "backup"))
    assert copy.pragma("user_version") == 1
    copy.close()
    put_back(tmp_path / "backup", tmp_path / "again")
    spool = spool_in(tmp_path / "again", ARCHIVE)
    assert await read_all(spool, "archive") == list(range(7))
    await spool.close()


async def test_a_newer_spool_is_refused_by_everybody(tmp_path: Path) -> None:
    await spool_in(tmp_path / "state", ARCHIVE).close()
    connection = apsw.Connection(str(tmp_path / "state" / FILE_NAME))
    connection.execute("UPDATE head SET schema = ?", (SCHEMA_VERSION + 4,))
    connection.pragma("user_version", SCHEMA_VERSION + 4)
    connection.close()
    why = f"a newer Tidegate wrote it \\(schema {SCHEMA_VERSION + 4}, this one knows {SCHEMA_VERSION}\\)"
    with pytest.raises(SpoolError, match=why):
        back_up(tmp_path / "state", tmp_path / "backup")
    with pytest.raises(SpoolError, match=why):
        spool_in(tmp_path / "state", ARCHIVE)
