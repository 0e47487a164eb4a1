"""What the spool says about itself, read from its file: by the running gateway, or beside it by a process that only reads."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final

import apsw

from pipeline.spool.cursors import StoredCursor
from pipeline.spool.database import FILE_NAME, open_reader, translated
from pipeline.spool.spool import Blockade, ConsumerStatus, SpoolStatus

CONSUMERS: Final = """
SELECT name, cursor, state, lost, removed_at_ms,
    (SELECT count(*) FROM dead_letters WHERE consumer = name),
    (SELECT count(*) FROM dead_letters WHERE consumer = name AND requeued_at_ms IS NOT NULL),
    coalesce(
        (SELECT max(number) FROM rows WHERE number <= cursor AND cursor < (SELECT number FROM head)),
        (SELECT min(number) FROM rows WHERE number > cursor)
    )
FROM consumers ORDER BY name
"""


def read_status(
    connection: apsw.Connection,
    path: Path,
    *,
    now_ms: int,
    max_bytes: int,
    keep_removed_s: float,
    blockade: Blockade | None = None,
) -> SpoolStatus:
    """Everything there is to say, as of the last commit.

    Args:
        connection: any to the spool.
        path: of its file.
        now_ms: wall clock, ms since the Unix epoch.
        max_bytes: [spool] max_bytes.
        keep_removed_s: [spool] keep_removed.
        blockade: why nothing is taken in, where the caller knows.

    Raises:
        SpoolError: it can't be read.
    """
    with translated(f"spool {path}"), connection:
        head, octets, rows, quarantined = connection.execute("SELECT number, octets, rows, quarantined FROM head").get
        oldest = connection.execute("SELECT before, kept_at_ms, number FROM rows ORDER BY number LIMIT 1").get
        keys = connection.execute("SELECT coalesce(sum(length(keys)), 0) / 16 FROM keys").get
        lines: list[tuple[Any, ...]] = connection.execute(CONSUMERS).fetchall()
        consumers = tuple(
            _consumer(
                connection,
                StoredCursor(*line[:5]),
                parked=line[5],
                requeued=line[6],
                row=line[7],
                head=head,
                octets=octets,
                now_ms=now_ms,
                keep_removed_s=keep_removed_s,
            )
            for line in lines
        )
    files = os.statvfs(path.parent)
    return SpoolStatus(
        rows=rows,
        records=head - oldest[2] if oldest else 0,
        bytes=octets - oldest[0] if oldest else 0,
        max_bytes=max_bytes,
        head=head,
        oldest_at_ms=oldest[1] if oldest else None,
        duplicate_keys=keys,
        quarantined=quarantined,
        disk_bytes=sum(file.stat().st_size for file in path.parent.glob(f"{path.name}*")),
        free_bytes=files.f_bavail * files.f_frsize,
        blockade=blockade,
        consumers=consumers,
    )


def _consumer(
    connection: apsw.Connection, line: StoredCursor, *, parked: int, requeued: int, row: int | None, head: int, octets: int, now_ms: int, keep_removed_s: float
) -> ConsumerStatus:
    before, kept_at_ms = connection.execute("SELECT before, kept_at_ms FROM rows WHERE number = ?", (row,)).get or (octets, now_ms)
    removed_s = None if line.removed_at_ms is None else max(0, now_ms - line.removed_at_ms) / 1000
    return ConsumerStatus(
        name=line.name,
        cursor=line.cursor,
        lag_records=max(0, head - line.cursor),
        lag_bytes=octets - before,
        lag_seconds=max(0, now_ms - kept_at_ms) / 1000,
        lost=line.lost,
        parked=parked,
        configured=removed_s is None,
        expires_s=None if removed_s is None else max(0.0, keep_removed_s - removed_s),
        state=line.state,
        requeued=requeued,
    )


def read_status_of(state_dir: Path, *, now_ms: int, max_bytes: int, keep_removed_s: float) -> SpoolStatus:
    """`read_status` of a spool that may or may not be running, without its lock.

    Raises:
        SpoolError: there is none, or it can't be read.
    """
    path = state_dir / FILE_NAME
    connection = open_reader(path)
    try:
        return read_status(connection, path, now_ms=now_ms, max_bytes=max_bytes, keep_removed_s=keep_removed_s)
    finally:
        connection.close()
