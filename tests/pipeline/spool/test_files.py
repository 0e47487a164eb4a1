"""Opening a state directory: whatever fails half-way, nothing of it stays open."""

import os
from pathlib import Path

import apsw
import pytest
from support.full_disk import Limit

from pipeline.errors import SpoolError
from pipeline.spool import files, salvage
from pipeline.spool.files import open_files
from pipeline.spool.ledger import Ledger
from pipeline.spool.settings import SpoolSettings


def test_what_was_opened_is_closed_where_the_rest_cannot_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[Ledger] = []
    open_ledger = salvage.open_ledger

    def remember(state_dir: Path, settings: SpoolSettings, vfs: str | None) -> object:
        ledger, salvaged = open_ledger(state_dir, settings, vfs)
        opened.append(ledger)
        return ledger, salvaged

    def refuse(path: Path, vfs: str | None) -> apsw.Connection:
        raise SpoolError(str(path), f"as the test wants it, vfs {vfs}")

    with monkeypatch.context() as patch:
        patch.setattr(files, "open_ledger", remember)
        patch.setattr(files, "open_reader", refuse)
        with pytest.raises(SpoolError, match="as the test wants it"):
            open_files(tmp_path, SpoolSettings(), None)
    with pytest.raises(apsw.ConnectionClosedError):
        opened[0]._connection.execute("SELECT 1")
    open_files(tmp_path, SpoolSettings(), None).close()


def test_a_disk_that_was_full_before_the_start_is_called_full(tmp_path: Path) -> None:
    open_files(tmp_path, SpoolSettings(), None).close()
    disk = Limit()
    disk.fill(os.getpid())
    try:
        with pytest.raises(SpoolError) as refused:
            open_files(tmp_path, SpoolSettings(), None)
    finally:
        disk.free(os.getpid())
    assert refused.value.why == "the disk is full"
    open_files(tmp_path, SpoolSettings(), None).close()


def test_nobody_else_may_read_any_of_it(tmp_path: Path) -> None:
    """Not in a directory that was there before, either."""
    tmp_path.chmod(0o755)
    mask = os.umask(0o022)
    try:
        for _ in range(2):
            opened = open_files(tmp_path, SpoolSettings(), None)
            modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
            opened.close()
            assert set(modes.values()) == {0o600}
            assert {"spool.sqlite", "spool.sqlite-wal", "spool.sqlite-shm"} <= modes.keys()
    finally:
        os.umask(mask)
