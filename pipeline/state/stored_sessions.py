"""Sessions as they lie in the spool's file (`sessions`): a line each, that answers for itself with a CRC-32."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from typing import Final

import apsw

from kernel import SessionPlan
from pipeline.state.session import Session

SESSION_COLUMNS: Final = "id, nas, session_id, user, domain, address, client, begun_at_ms, last_at_ms, ended_at_ms, heard_at_ms, checksum"
SELECT_SESSIONS: Final = f"SELECT {SESSION_COLUMNS} FROM sessions ORDER BY heard_at_ms, id"  # noqa: S608 - no value in it
SAVE_SESSION: Final = f"INSERT OR REPLACE INTO sessions ({SESSION_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608 - no value in it
FORGET_SESSION: Final = "DELETE FROM sessions WHERE id = ?"


def encode_session(session: Session) -> tuple[int | str | None, ...]:
    """A session's line."""
    return (*session, _checksum(session))


def parse_session(line: Sequence[object]) -> Session:
    """A line of SESSION_COLUMNS.

    Raises:
        ValueError: it is damaged.
    """
    columns = tuple(line[:-1])
    if len(columns) != len(Session._fields) or _checksum(columns) != line[-1]:
        raise ValueError("a session's checksum")
    return Session._make(columns)


def _checksum(columns: Sequence[object]) -> int:
    return zlib.crc32(repr(tuple(columns)).encode("utf-8", "surrogatepass"))


def read_sessions(connection: apsw.Connection) -> Iterator[Session]:
    """Every session, in the order in which they were last heard of.

    Raises:
        apsw.Error: they can't be read.
        ValueError: they are damaged.
    """
    return map(parse_session, connection.execute(SELECT_SESSIONS))


def _completed(line: Sequence[object]) -> Sequence[object]:
    """A line of a plan, with the checksum that the kernel left to us."""
    return line if line[-1] is not None else (*line[:-1], _checksum(line[:-1]))


def save_sessions(connection: apsw.Connection, plan: SessionPlan) -> None:
    """Write what a plan changes, within a transaction.

    Raises:
        apsw.Error: nothing, or not all, was written.
    """
    connection.executemany(FORGET_SESSION, ((number,) for number in plan.gone))
    connection.executemany(SAVE_SESSION, map(_completed, plan.saved))
