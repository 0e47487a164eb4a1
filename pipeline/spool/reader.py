"""SpoolReader: the reading half of the spool, one question at a time, each in a worker thread."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

import apsw
import trio

from pipeline.spool.database import FILE_NAME, translated
from pipeline.spool.row import Row
from pipeline.spool.salvage import mark_damaged
from pipeline.spool.spool import SpoolDamagedError
from pipeline.spool.stored_row import Damaged, read_row

Answer = TypeVar("Answer")


class SpoolReader:
    """Asks the one connection that only reads.

    Args:
        connection: that one.
        state_dir: of the spool.
    """

    def __init__(self, connection: apsw.Connection, state_dir: Path) -> None:
        self._connection, self._state_dir = connection, state_dir
        self._turn: Final = trio.Lock()
        self._thread: Final = trio.CapacityLimiter(1)

    async def ask(self, question: Callable[[apsw.Connection], Answer]) -> Answer:
        """Ask it.

        Raises:
            SpoolError: the spool can't be read.
        """

        def ask() -> Answer:
            with translated(f"spool {self._state_dir / FILE_NAME}"):
                return question(self._connection)

        async with self._turn:
            return await trio.to_thread.run_sync(ask, limiter=self._thread)

    async def row(self, at: int, head: int) -> Row | Damaged | None:
        """The row that has record number `at`, or the next one; damage of the tables is remembered for the next start.

        Raises:
            SpoolError: the spool can't be read.
        """
        try:
            return await self.ask(lambda connection: read_row(connection, at, head))
        except SpoolDamagedError:
            mark_damaged(self._state_dir)
            raise
