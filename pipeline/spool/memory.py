"""What the spool remembers beside records: how far each Windows source got, and what was refused of late."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from pipeline.model import Origin, Reject
from pipeline.spool.reader import SpoolReader
from pipeline.spool.sources import SourceStatus, read_bookmarks, read_rejects, read_sources


class SpoolMemory:
    """The questions about it, part of a spool.

    Args:
        reader: asks the files.
    """

    def __init__(self, reader: SpoolReader) -> None:
        self._reader = reader

    async def bookmarks(self, client: str, subscriptions: Sequence[str]) -> Mapping[str, bytes]:
        """The fragments kept for a client, by subscription.

        Raises:
            SpoolError: they can't be read.
        """
        return await self._reader.ask(partial(read_bookmarks, client=client, subscriptions=subscriptions))

    async def sources(self) -> list[SourceStatus]:
        """Every client of every subscription.

        Raises:
            SpoolError: they can't be read.
        """
        return await self._reader.ask(lambda connection: list(read_sources(connection)))

    async def rejects(self, limit: int) -> list[tuple[Origin, Reject]]:
        """The newest stored rejects, oldest of them first.

        Raises:
            SpoolError: they can't be read.
        """
        return await self._reader.ask(partial(read_rejects, limit=limit))
