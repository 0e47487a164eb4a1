"""The spool's SQLite file: the SQLite versions that are trusted with it, and how it is opened.

WAL with `synchronous=FULL`: a commit is on stable storage when it returns. One connection writes and checkpoints; all others only read. That is also what
SQLite's WAL-reset bug needs to be harmless (https://sqlite.org/wal.html#the_wal_reset_bug: a checkpoint racing a write of another connection can lose committed
transactions), and a SQLite that has it is refused all the same.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import apsw

from pipeline.errors import SpoolError
from pipeline.spool.schema import SCHEMA_VERSION, SCHEMAS
from pipeline.spool.spool import SpoolDamagedError

FILE_NAME: Final = "spool.sqlite"
APPLICATION_ID: Final = 0x54494447  # "TIDG"
LAST_SCHEMA: Final = 9999
PAGE_OCTETS: Final = 8192
BUSY_MS: Final = 2000

HEADERS: Final = (b"SQLite format 3\x00\x20\x00\x02\x02\x00\x40\x20\x20", b"SQLite format 3\x00\x20\x00\x01\x01\x00\x40\x20\x20")
"""How every file of ours begins: PAGE_OCTETS, and write-ahead logging or not yet (SQLite file format, section 1.3)."""

FIXED_SQLITE: Final = (3, 51, 3)
BACKPORTS: Final = {(3, 44): 6, (3, 50): 7}
"""Release lines older than FIXED_SQLITE, and the first patch of each that has the correction."""


def check_sqlite(version: str) -> None:
    """Refuse a SQLite with the WAL-reset bug.

    Raises:
        SpoolError: `version` has it.
    """
    release = tuple(int(part) for part in version.split(".")[:3])
    if release >= FIXED_SQLITE or (release[:2] in BACKPORTS and release[2] >= BACKPORTS[release[0], release[1]]):
        return
    raise SpoolError(f"SQLite {version}", "it can lose committed records (WAL-reset bug)", "install apsw 3.51.3 or newer")


class OlderSchemaError(SpoolError):
    """An older Tidegate wrote the file, and nobody has started this one on it yet; `schema` is the file's."""

    def __init__(self, what: str, schema: int) -> None:
        why = f"an older Tidegate wrote it (schema {schema}); the next start brings it to schema {SCHEMA_VERSION}, which that older one will refuse"
        super().__init__(what, why, "`tidegate spool backup FILE` before that start keeps the way back")
        self.schema = schema


class DiskFullError(SpoolError):
    """The disk has no room."""


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Turn SQLite's errors into ours, in this one place."""
    try:
        yield
    except (apsw.CorruptError, apsw.NotADBError, apsw.SQLError) as error:  # our SQL is right, so it's the tables that are wrong
        raise SpoolDamagedError(what, f"the file is damaged ({error})", "start Tidegate again: what can be read is saved") from error
    except apsw.FullError as error:
        raise disk_full(what) from error
    except apsw.ReadOnlyError as error:
        raise SpoolError(
            what, "it can't be written to", "give Tidegate's user a state directory it can write to, on a file system that isn't read-only"
        ) from error
    except apsw.Error as error:
        if getattr(error, "extendedresult", None) == apsw.SQLITE_IOERR_SHMSIZE:  # how it says that there is no room for its -shm file
            raise disk_full(what) from error
        raise SpoolError(what, f"SQLite says {error}", "look at the disk and the permissions of [gateway] state_dir") from error


def disk_full(what: str) -> DiskFullError:
    """What to say of a disk without room."""
    return DiskFullError(what, "the disk is full", "free space on the file system of [gateway] state_dir")


def open_writer(path: Path, vfs: str | None = None) -> apsw.Connection:
    """The one connection that writes; makes the file and its tables where they are missing.

    Args:
        path: of the database.
        vfs: SQLite's file layer, the system's unless a test brings its own.

    Raises:
        SpoolError: it can't be opened, or a newer Tidegate wrote it.
        SpoolDamagedError: it isn't a readable database.
    """
    check_sqlite(apsw.sqlite_lib_version())
    _check_header(path)
    with suppress(OSError):  # SQLite says why; its own files beside this one get the same mode
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    with translated(f"spool {path}"):
        connection = apsw.Connection(str(path), vfs=vfs)
        try:
            connection.set_busy_timeout(BUSY_MS)
            connection.pragma("page_size", PAGE_OCTETS)
            _log_ahead(connection, path)
            connection.pragma("synchronous", "full")
            connection.pragma("wal_autocheckpoint", 0)
            connection.pragma("trusted_schema", 0)
            _migrate(connection, path)
        except BaseException:
            connection.close()
            raise
        path.chmod(0o600)
        return connection


def _log_ahead(connection: apsw.Connection, path: Path) -> None:
    if connection.pragma("journal_mode", "wal") != "wal":
        raise SpoolError(f"spool {path}", "its file system can't do write-ahead logging", "put [gateway] state_dir on a local file system")


def _check_header(path: Path) -> None:
    """SQLite would take a damaged header for a database that is read-only, or not one at all."""
    try:
        with path.open("rb") as file:
            header = file.read(len(HEADERS[0]))
    except FileNotFoundError:
        return
    except OSError as error:
        raise SpoolError(f"spool {path}", error.strerror or str(error), "give Tidegate's user a state directory it can read") from error
    if header and header not in HEADERS:
        raise SpoolDamagedError(f"spool {path}", "its header is damaged")


def _migrate(connection: apsw.Connection, path: Path) -> None:
    """Bring the file to our schema, from whatever older one it has, or none: in one transaction."""
    _refuse_newer(connection, path)
    version = connection.pragma("user_version")
    if version < SCHEMA_VERSION:
        with connection:
            for script in SCHEMAS[version:]:
                connection.execute(script)
            connection.execute("UPDATE head SET schema = ?", (SCHEMA_VERSION,))
            connection.pragma("application_id", APPLICATION_ID)
            connection.pragma("user_version", SCHEMA_VERSION)


def _refuse_newer(connection: apsw.Connection, path: Path) -> None:
    version = connection.pragma("user_version")
    if version <= SCHEMA_VERSION:
        return
    if _is_flipped(version, connection.execute("SELECT schema FROM head").get):
        raise SpoolDamagedError(f"spool {path}", "its header is damaged")
    why = f"a newer Tidegate wrote it (schema {version}, this one knows {SCHEMA_VERSION})"
    raise SpoolError(f"spool {path}", why, "run that version, put back the backup that was made before it, or set another state_dir")


def _is_flipped(version: int, schema: object) -> bool:
    """Whether a header's `version` is no version but a damaged `schema`: one bit away from it, or beyond any there will be.

    Whatever else differs was written by somebody who meant it, and isn't ours to salvage.
    """
    return version != schema and (version > LAST_SCHEMA or not isinstance(schema, int) or (version ^ schema).bit_count() == 1)


def open_any(path: Path, vfs: str | None = None) -> apsw.Connection:
    """A connection that only reads, whichever older schema the file has.

    Raises:
        SpoolError: there is no spool, it can't be opened, or a newer Tidegate wrote it.
    """
    with translated(f"spool {path}"):
        try:
            connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY, vfs=vfs)
        except apsw.CantOpenError as error:
            raise SpoolError(f"spool {path}", "there is none, or it can't be read", "name the configuration of a gateway that has run") from error
        try:
            connection.set_busy_timeout(BUSY_MS)
            _refuse_newer(connection, path)
        except BaseException:
            connection.close()
            raise
        return connection


def open_reader(path: Path, vfs: str | None = None) -> apsw.Connection:
    """A connection that only reads a file of our schema.

    Raises:
        SpoolError: there is no spool, it can't be opened, or a newer Tidegate wrote it.
        OlderSchemaError: an older one did.
    """
    connection = open_any(path, vfs)
    with translated(f"spool {path}"):
        schema = connection.pragma("user_version")
    if schema < SCHEMA_VERSION:
        connection.close()
        raise OlderSchemaError(f"spool {path}", schema)
    return connection
