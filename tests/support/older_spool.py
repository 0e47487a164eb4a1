"""A spool as the first schema left it."""

from __future__ import annotations

from pathlib import Path

import apsw

from pipeline.spool.database import FILE_NAME, PAGE_OCTETS

SCHEMA_1 = Path(__file__).parents[2] / "fixtures" / "spool" / "schema-1.sql"


def spool_of_schema_1(folder: Path, vfs: str | None = None) -> None:
    """Seven records for `archive` and `sensor`, a bookmark and a reject, in a new or empty folder."""
    folder.mkdir(exist_ok=True)
    connection = apsw.Connection(str(folder / FILE_NAME), vfs=vfs)
    connection.pragma("page_size", PAGE_OCTETS)
    connection.pragma("journal_mode", "wal")
    with connection:
        connection.execute(SCHEMA_1.read_text())
    connection.close()
