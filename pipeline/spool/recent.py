"""Rows just committed, kept in memory for a while, so that destinations which keep up never read the disk."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from typing import Final

from pipeline.spool.row import Row

RECENT_OCTETS: Final = 8 << 20


class RecentRows:
    """The newest rows, up to so many octets of records."""

    def __init__(self, octets: int = RECENT_OCTETS) -> None:
        self._room: Final = octets
        self._rows: Final[OrderedDict[int, Row]] = OrderedDict()
        self._octets = 0

    def add(self, rows: Iterable[Row]) -> None:
        """Remember rows, oldest first."""
        for row in rows:
            self._rows[row.first] = row
            self._octets += len(row.records)
        while self._octets > self._room:
            self._octets -= len(self._rows.popitem(last=False)[1].records)

    def get(self, first: int) -> Row | None:
        """The row whose first record has this number, if it is remembered."""
        return self._rows.get(first)
