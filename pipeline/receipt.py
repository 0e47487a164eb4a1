"""Receipt: awaitable proof that a batch is on stable storage. Nobody answers a peer before it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import trio

from pipeline.errors import SpoolError


class Receipt:
    """Settled once by the intake, after the commit that holds the batch (or that proved its records duplicates).

    Args:
        asked: told when somebody begins to wait for it.

    duplicates:  how many of its records were kept before.
    number:      in the log, behind all of its records, earlier copies of duplicates included: whoever has passed it (Spool.passed) has had them.
    """

    __slots__ = ("_asked", "_done", "_error", "duplicates", "number")

    def __init__(self, asked: Callable[[], None] | None = None) -> None:
        self._asked: Final = asked
        self._done: Final = trio.Event()
        self._error: SpoolError | None = None
        self.duplicates = self.number = 0

    def settle(self, *, duplicates: int = 0, number: int = 0, error: SpoolError | None = None) -> None:
        """Say that the batch is durable, or that it never will be."""
        self.duplicates, self.number, self._error = duplicates, number, error
        self._done.set()

    @property
    def settled(self) -> bool:
        return self._done.is_set()

    @property
    def awaited(self) -> bool:
        """Whether somebody waits for it."""
        return self._done.statistics().tasks_waiting > 0

    async def wait(self) -> None:
        """Return once the batch is on stable storage.

        Raises:
            SpoolError: the commit failed; nothing may be acknowledged.
        """
        if self._asked is not None:
            self._asked()
        await self._done.wait()
        if self._error is not None:
            raise self._error
