"""The files of a state directory in use: locked, opened for writing and for reading, salvaged first where they are damaged; on a full disk, by its reserve."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import apsw

from pipeline.errors import SpoolError
from pipeline.spool.database import FILE_NAME, DiskFullError, open_reader
from pipeline.spool.ledger import Ledger
from pipeline.spool.lock import StateLock, lock_state
from pipeline.spool.reserve import keep_reserve, spend_reserve
from pipeline.spool.salvage import Salvaged, open_ledger
from pipeline.spool.settings import SpoolSettings


@dataclass(frozen=True, slots=True)
class OpenFiles:
    """A state directory in use.

    lock:            on it.
    ledger, reader:  the connection that writes and the one that reads.
    inode:           of the spool's file.
    salvaged:        what had to be saved to open it.
    """

    state_dir: Path
    lock: StateLock
    ledger: Ledger
    reader: apsw.Connection
    inode: int
    salvaged: Salvaged | None

    def check_in_place(self) -> None:
        """See that what is written can be found again: SQLite goes on writing to a file that was deleted.

        Raises:
            SpoolError: it was moved or deleted.
        """
        path = self.state_dir / FILE_NAME
        try:
            found = path.stat().st_ino
        except FileNotFoundError:
            found = None
        except OSError as error:
            raise SpoolError(f"spool {path}", error.strerror or str(error), "look at the disk and the permissions of [gateway] state_dir") from error
        if found != self.inode:
            raise SpoolError(f"spool {path}", "it was moved or deleted under the running gateway", "put it back, or start Tidegate again: it begins a new one")

    def close(self) -> None:
        """Let go of everything, the lock last."""
        self.reader.close()
        self.ledger.close()
        keep_reserve(self.state_dir)
        self.lock.release()


def open_files(state_dir: Path, settings: SpoolSettings, vfs: str | None) -> OpenFiles:
    """Lock a state directory and open its files, making both where they are missing.

    Raises:
        SpoolError: another process holds the directory, the disk refuses, or a newer Tidegate wrote it. Never for damage.
    """
    with ExitStack() as opened:
        lock = lock_state(state_dir)
        opened.callback(lock.release)
        try:
            files = _open(state_dir, lock, settings, vfs)
        except DiskFullError:
            if not spend_reserve(state_dir):
                raise
            files = _open(state_dir, lock, settings, vfs)
        else:
            keep_reserve(state_dir)
        opened.pop_all()
    return files


def _open(state_dir: Path, lock: StateLock, settings: SpoolSettings, vfs: str | None) -> OpenFiles:
    with ExitStack() as opened:
        ledger, salvaged = open_ledger(state_dir, settings, vfs)
        opened.callback(ledger.close)
        reader = open_reader(state_dir / FILE_NAME, vfs)
        opened.callback(reader.close)
        inode = (state_dir / FILE_NAME).stat().st_ino
        opened.pop_all()
    return OpenFiles(state_dir, lock, ledger, reader, inode, salvaged)
