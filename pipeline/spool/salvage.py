"""Opening a spool whatever shape it is in: a damaged file never keeps the gateway from starting.

What a damaged file still holds is copied into a new one, row by row and each by its own checksum; the damaged file stays beside it for whoever wants to look.

    spool.damaged     mark: the next start has to salvage (left when damage shows while the gateway runs)
    damaged.sqlite    the damaged file of the last salvage
    salvage.sqlite    the new file while it is being made

Every step can be interrupted and is taken again.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import apsw

from pipeline.spool.cursors import CURSOR_LINE, parse_cursor
from pipeline.spool.database import FILE_NAME, PAGE_OCTETS, open_writer, translated
from pipeline.spool.ledger import SAVE_HEAD, SELECT_HEAD, Head, Ledger, parse_head
from pipeline.spool.letters import LETTER_COLUMNS
from pipeline.spool.originals import ORIGINALS_COLUMNS, are_intact
from pipeline.spool.settings import SpoolSettings
from pipeline.spool.sources import SOURCE_COLUMNS
from pipeline.spool.spool import SpoolDamagedError
from pipeline.spool.stored_row import COLUMNS, is_intact
from pipeline.state.stored_sessions import SESSION_COLUMNS, parse_session

SQLiteValue = int | float | str | bytes | None
Line = tuple[SQLiteValue, ...]

MARK: Final = "spool.damaged"
DAMAGED: Final = "damaged.sqlite"
SALVAGE: Final = "salvage.sqlite"
SIDE_FILES: Final = ("-wal", "-shm", "-journal")

CHECKED_OCTETS: Final = 1 << 30
"""A larger file isn't checked whole before start, which would take long; its rows are checked as they are read."""

COPIED: Final = {
    "rows": COLUMNS,
    "keys": "number, kept_at_ms, keys",
    "dead_letters": LETTER_COLUMNS,
    "quarantine": "number, records, found_at_ms, why, entries, body",
    "consumers": CURSOR_LINE,
    **SOURCE_COLUMNS,
    "originals": ORIGINALS_COLUMNS,
    "sessions": SESSION_COLUMNS,
}
"""Every table but `head`; the first column orders it."""


def _is_cursor(line: Line) -> bool:
    try:
        parse_cursor(line)
    except ValueError:
        return False
    return True


def _is_session(line: Line) -> bool:
    try:
        parse_session(line)
    except ValueError:
        return False
    return True


def _anything(_line: Line) -> bool:
    return True


CHECKS: Final[Mapping[str, Callable[[Line], bool]]] = {
    "rows": is_intact,
    "consumers": _is_cursor,
    "originals": are_intact,
    "sessions": _is_session,
}
"""Tables whose lines answer for themselves."""

NUMBERED: Final = {"rows", "keys", "dead_letters", "quarantine", "gaps", "rejects", "originals", "sessions"}
"""Tables whose first column is a number, so that damage in the middle can be leapt over."""

MAX_LEAPS: Final = 4096

MOVABLE: Final = {"originals", "sessions"}
"""Tables that begin on other pages in a file that was made with an older schema."""

# The file header's fields that say how large the database is and where its free pages are (SQLite file format, section 1.3)
HEADER_OCTETS: Final = 100
CHANGE_COUNTER: Final = slice(24, 28)
SIZE_AND_FREE_PAGES: Final = slice(28, 40)
SIZE_VALID_FOR: Final = slice(92, 96)


@dataclass(frozen=True, slots=True)
class Salvaged:
    """What was saved from a damaged file.

    why:      how the damage showed.
    records:  in rows that were saved.
    lost:     records that were not, as far as their numbers tell.
    """

    why: str
    records: int
    lost: int


def mark_damaged(state_dir: Path) -> None:
    """Make the next start salvage."""
    (state_dir / MARK).touch()


def open_ledger(state_dir: Path, settings: SpoolSettings, vfs: str | None = None) -> tuple[Ledger, Salvaged | None]:
    """The ledger of a state directory whose lock is held, and what had to be saved to have it.

    Raises:
        SpoolError: not for damage, but for a full or read-only disk, or a newer schema.
    """
    path = state_dir / FILE_NAME
    if not (state_dir / MARK).exists():
        try:
            return _open(path, settings, vfs), None
        except SpoolDamagedError as error:
            why = error.why
            mark_damaged(state_dir)
    else:
        why = "damage that showed while the gateway ran"
    if path.exists():
        _remove(state_dir / DAMAGED)
    _rename(path, state_dir / DAMAGED)
    new = state_dir / SALVAGE
    _remove(new)
    records, lost = _copy(state_dir / DAMAGED, new)
    _rename(new, path)
    (state_dir / MARK).unlink()
    return _open(path, settings, vfs), Salvaged(why, records, lost)


def _open(path: Path, settings: SpoolSettings, vfs: str | None) -> Ledger:
    connection = open_writer(path, vfs)
    try:
        with translated(f"spool {path}"):
            _check_structure(connection, path)
            return Ledger(connection, settings)
    except (TypeError, ValueError) as error:
        connection.close()
        raise SpoolDamagedError(f"spool {path}", f"it holds values that nobody wrote ({error})") from error
    except BaseException:
        connection.close()
        raise


def _check_structure(connection: apsw.Connection, path: Path) -> None:
    if path.stat().st_size <= CHECKED_OCTETS and (found := connection.execute("PRAGMA quick_check(1)").get) != "ok":
        raise SpoolDamagedError(f"spool {path}", str(found))


def _remove(path: Path) -> None:
    for suffix in ("", *SIDE_FILES):
        Path(f"{path}{suffix}").unlink(missing_ok=True)


def _rename(old: Path, new: Path) -> None:
    """Rename what there is of a database: itself first, so that what is left behind by an interruption is still known to belong to it."""
    for suffix in ("", *SIDE_FILES):
        if Path(f"{old}{suffix}").exists():
            Path(f"{old}{suffix}").replace(f"{new}{suffix}")
    folder = os.open(new.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _copy(damaged: Path, new: Path) -> tuple[int, int]:
    """Everything readable of `damaged` into `new`; (records saved, records lost)."""
    target = open_writer(new)
    try:
        with translated(f"spool {new}"):
            target.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
            if not damaged.exists():
                return 0, 0
            _replace_first_page(damaged, new)
            source = apsw.Connection(str(damaged))
            try:
                with target:
                    for table, columns in COPIED.items():
                        sound = CHECKS.get(table, _anything)
                        _insert(target, table, columns, (line for line in _survivors(source, table, columns) if sound(line)))
                    result = _restore_head(target, source)
            finally:
                source.close()
            return result
    finally:
        target.close()


def _replace_first_page(damaged: Path, new: Path) -> None:
    """Give a damaged file the header of a new one, and its schema too unless its own is sound.

    The first schema's tables, made in the same order, begin on the same pages in every file. Those of a later one begin elsewhere in a file that an older
    Tidegate made: without its own schema they are found empty, or not at all.
    """
    with new.open("rb") as file:
        page = bytearray(file.read(PAGE_OCTETS))
    page[SIZE_AND_FREE_PAGES] = bytes(12)
    page[SIZE_VALID_FOR] = bytes(octet ^ 0xFF for octet in page[CHANGE_COUNTER])  # differs: the file's own size counts
    with damaged.open("r+b") as file:
        own = file.read(PAGE_OCTETS)
        file.seek(0)
        file.write(page[:HEADER_OCTETS] + own[HEADER_OCTETS:])
    if _schema(damaged) != _schema(new):
        with damaged.open("r+b") as file:
            file.write(page)


def _schema(path: Path) -> object:
    """What a file says it holds: every table with its text, and where the first schema's begin; None where that can't be read."""
    connection = apsw.Connection(str(path))
    try:
        tables = connection.execute("SELECT name, sql, rootpage FROM sqlite_schema ORDER BY name").fetchall()
    except (apsw.Error, UnicodeDecodeError):
        return None
    finally:
        connection.close()
    return [(name, sql, None if name in MOVABLE else page) for name, sql, page in tables]


def _insert(target: apsw.Connection, table: str, columns: str, lines: Iterable[Line]) -> None:
    """Insert what the tables' types admit."""
    statement = f"INSERT OR IGNORE INTO {table} ({columns}) VALUES ({', '.join('?' * (columns.count(',') + 1))})"  # noqa: S608 - our own names
    for line in lines:
        with suppress(apsw.ConstraintError, apsw.MismatchError):
            target.execute(statement, line)


def _survivors(source: apsw.Connection, table: str, columns: str) -> Iterator[Line]:
    """Lines of a table, ordered by its first column: up to the first damage, then down to the last, then by leaps over what lies between."""
    key = columns.partition(",")[0]
    select = f"SELECT {columns} FROM {table}"  # noqa: S608 - our own names
    ends: list[SQLiteValue] = []
    for order in ("ASC", "DESC"):
        last: SQLiteValue = None
        try:
            for line in source.execute(f"{select} ORDER BY {key} {order}"):
                yield line
                last = line[0]
        except (apsw.Error, UnicodeDecodeError):
            ends.append(last)
            continue
        return
    low, high = (end if isinstance(end, int) else None for end in ends)
    if high is None or table not in NUMBERED:
        return
    at = 0 if low is None else low + 1
    leap = max(1, (high - at) // MAX_LEAPS)
    while at < high:
        try:
            found = source.execute(f"{select} WHERE {key} >= ? ORDER BY {key} LIMIT 1", (at,)).get
        except (apsw.Error, UnicodeDecodeError):
            at += leap
            continue
        if found is None:
            return
        yield found
        at = found[0] + 1


def _restore_head(target: apsw.Connection, source: apsw.Connection) -> tuple[int, int]:
    """Write the head that the saved rows and the damaged file's own word allow; (records saved, records lost)."""
    head = Head(0, 0, 0, 0)
    with suppress(apsw.Error, TypeError, ValueError):
        head = parse_head(source.execute(SELECT_HEAD).get)
    saved, lost, rows, octets = 0, 0, 0, head.octets
    end: int | None = None
    for first, records, before, row_octets in target.execute("SELECT number, records, before, octets FROM rows ORDER BY number"):
        lost += 0 if end is None else first - end
        saved, rows, end, octets = saved + records, rows + 1, first + records, max(octets, before + row_octets)
    oldest, newest = target.execute("SELECT min(cursor), max(cursor) FROM consumers").get
    number = max(head.number, end or 0, newest or 0)
    lost += max(0, number - (end if end is not None else number if oldest is None else oldest))
    target.execute(SAVE_HEAD, Head(number, octets, rows, head.quarantined + lost).line())
    return saved, lost
