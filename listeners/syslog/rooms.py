"""Rooms that connections are read into, one for each that is being read: memory that stays, and stays in the processor's cache."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from kernel import Room

SPARE: Final = 2
"""Rooms kept that nobody uses; the last one used is the next. Two connections that never pause take turns."""

BEFORE: Final = 64 << 10
"""Octets of an unfinished message that have their place before what is read."""


class Rooms:
    """As many rooms as are in use at once.

    Args:
        octets: of each.
    """

    def __init__(self, octets: int) -> None:
        self._octets: Final = octets
        self._spare: Final[list[Room]] = []

    @contextmanager
    def borrow(self) -> Iterator[Room]:
        """An empty room, until what was read into it is handed on."""
        room = self._spare.pop() if self._spare else Room(self._octets, BEFORE)
        try:
            yield room
        finally:
            if len(self._spare) < SPARE:
                room.clear()
                self._spare.append(room)
