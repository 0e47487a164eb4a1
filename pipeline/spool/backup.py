"""A copy of the spool as of one moment, in one file, whether a gateway runs or not: what can be put back where the disk was lost.

SQLite's backup API copies the pages of one read transaction (https://sqlite.org/backup.html); who writes meanwhile isn't held up, but its write-ahead log
grows until the copy is done. The copy is looked through like `spool verify` does, made durable, and then has its name.

What destinations remember besides their cursors isn't copied. Such a state says how the world was at that moment: the file destination's, how long its live
file was, to which it would cut the file back and throw away what came since. Without it a destination goes on behind what it finds: what it took after the
copy was made, as far as the copy has it, it gets once more, rather than never.
"""

from __future__ import annotations

import os
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path

import apsw

from pipeline.errors import SpoolError
from pipeline.spool.cursors import SAVE_CURSOR, SELECT_CURSORS, parse_cursor
from pipeline.spool.database import FILE_NAME, open_any, translated
from pipeline.spool.schema import SCHEMA_VERSION
from pipeline.spool.verification import Verification, verify

SUFFIX = ".partial"


def back_up(state_dir: Path, target: Path) -> Verification | None:
    """Copy the spool of `state_dir` to the new file `target`, readable by its owner alone; what the copy holds, None for one of an older schema.

    Raises:
        SpoolError: there is no spool, it can't be read, it is damaged, `target` is there already or can't be written.
    """
    if target.exists():
        raise SpoolError(f"backup {target}", "it is there already", "name a new file")
    partial = target.with_name(f"{target.name}{SUFFIX}")
    try:
        os.close(os.open(partial, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
        try:
            with closing(open_any(state_dir / FILE_NAME)) as source, translated(f"backup {target}"), closing(apsw.Connection(str(partial))) as copy:
                found = _copy(source, copy)
            if found and found.damage:
                raise SpoolError(
                    f"backup {target}", f"the spool is damaged ({found.damage[0]})", "`tidegate spool verify` says more; keep the last good backup"
                )
            _make_durable(partial, target)
        finally:
            for suffix in ("", "-journal", "-wal", "-shm"):
                Path(f"{partial}{suffix}").unlink(missing_ok=True)
    except OSError as error:
        raise SpoolError(f"backup {target}", error.strerror or str(error), "name a file in a folder that this user can write to") from error
    return found


def _copy(source: apsw.Connection, copy: apsw.Connection) -> Verification | None:
    with copy.backup("main", source, "main") as pages:
        pages.step(-1)
    copy.pragma("journal_mode", "delete")  # one file, without a log beside it
    with copy:
        for line in copy.execute(SELECT_CURSORS).fetchall():
            with suppress(TypeError, ValueError):  # a damaged line is told of below
                copy.execute(SAVE_CURSOR, replace(parse_cursor(line), state=b"").line())
    return verify(copy) if copy.pragma("user_version") == SCHEMA_VERSION else None


def _make_durable(partial: Path, target: Path) -> None:
    descriptor = os.open(partial, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    partial.rename(target)
    folder = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
