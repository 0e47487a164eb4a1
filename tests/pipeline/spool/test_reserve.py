"""The reserve: a gateway that ended with its disk full starts on it again, serves what it has, and takes in once there is room."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from support.batches import batch_of, read_all, spool_in, submissions
from support.full_disk import Limit, small_disk

from pipeline.errors import SpoolError
from pipeline.spool import files
from pipeline.spool.database import FILE_NAME, disk_full
from pipeline.spool.files import open_files
from pipeline.spool.lock import LOCK_NAME, lock_state
from pipeline.spool.reserve import NAME, OCTETS, keep_reserve, spend_reserve
from pipeline.spool.salvage import open_ledger
from pipeline.spool.settings import Consumer, SpoolSettings, Start
from pipeline.spool.sqlite import SqliteSpool

ARCHIVE = [Consumer("archive", Start.BEGINNING)]


def test_it_is_made_once_and_given_up_once(tmp_path: Path) -> None:
    keep_reserve(tmp_path)
    made = (tmp_path / NAME).stat()
    assert (made.st_size, made.st_mode & 0o777) == (OCTETS, 0o600)
    keep_reserve(tmp_path)
    assert (tmp_path / NAME).stat().st_mtime_ns == made.st_mtime_ns
    assert spend_reserve(tmp_path)
    assert not spend_reserve(tmp_path)


def test_a_part_of_it_is_not_kept(tmp_path: Path) -> None:
    disk = Limit()
    disk.fill(os.getpid())
    try:
        keep_reserve(tmp_path)
    finally:
        disk.free(os.getpid())
    assert not (tmp_path / NAME).exists()


def test_it_is_spent_where_opening_finds_the_disk_full_and_made_again_at_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    open_files(tmp_path, SpoolSettings(), None).close()

    def open_where_there_is_room(state_dir: Path, settings: SpoolSettings, vfs: str | None) -> object:
        if (state_dir / NAME).exists():
            raise disk_full(f"spool {state_dir / FILE_NAME}")
        return open_ledger(state_dir, settings, vfs)

    monkeypatch.setattr(files, "open_ledger", open_where_there_is_room)
    opened = open_files(tmp_path, SpoolSettings(), None)
    assert not (tmp_path / NAME).exists()
    opened.close()
    assert (tmp_path / NAME).exists()


async def refused(spool: SqliteSpool) -> bool:
    """Whether the disk refuses one of many commits, and the spool says so."""
    try:
        for group in range(1, 1000):
            await spool.commit(submissions(batch_of(range(group * 1000, group * 1000 + 1000))))
    except SpoolError as error:
        return error.why == "the disk is full" and spool.blockade is not None
    return False


@pytest.mark.parametrize("clean", [True, False], ids=["closed", "killed"])
async def test_a_spool_opens_on_a_disk_without_any_room(clean: bool, tmp_path: Path) -> None:  # noqa: FBT001 - a parameter
    with small_disk(tmp_path / "disk") as disk:
        state = tmp_path / "disk/state"
        spool = spool_in(state, ARCHIVE)
        await spool.commit(submissions(batch_of(range(9))))
        if clean:
            await spool.close()
        else:  # what a killed process leaves: its files as they are, and no lock
            os.close(spool._files.lock.descriptor)
            spool._files.reader.close()
        disk.fill(os.getpid())
        try:
            if isinstance(disk, Limit):  # a limit to files keeps its room, whatever is deleted
                with pytest.raises(SpoolError, match="the disk is full"):
                    spool_in(state, ARCHIVE)
                return
            again = spool_in(state, ARCHIVE)
            assert await read_all(again, "archive") == list(range(9))
            assert await refused(again)
        finally:
            disk.free(os.getpid())
        await again.commit(submissions(batch_of(range(10**7, 10**7 + 3))))
        assert again.blockade is None
        await again.close()
        assert (state / NAME).stat().st_size == OCTETS


def test_a_full_disk_keeps_nobody_from_the_lock(tmp_path: Path) -> None:
    (tmp_path / LOCK_NAME).write_bytes(b"1234567\n")
    disk = Limit()
    disk.fill(os.getpid())
    try:
        lock = lock_state(tmp_path)
    finally:
        disk.free(os.getpid())
    assert (tmp_path / LOCK_NAME).read_bytes() == b"%d\n" % os.getpid()
    lock.release()
