"""A destination that gets its records enriched: what is joined to them is joined as they leave, by what is known then.

The records in the spool stay as they are, so what one destination gets more is none of another's business, and a record that is sent again may tell more the
second time. Its uid is the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import orjson

from forwarders.destination import Delivered, Destination, Limits
from forwarders.enrichers.table import Enricher
from forwarders.feed import lengths
from pipeline.errors import DeliveryError, Fault
from pipeline.rewrite import rewrite
from pipeline.spool.row import Row
from pipeline.state.sessions import Sessions

HEADROOM: Final = 8
"""One part in so many of a destination's octets is left for what is joined."""


class Enriched:
    """A Destination before a Destination.

    Args:
        destination: which gets the records.
        enrichers: what is joined, in order.
        sessions: the table of VPN sessions.
    """

    def __init__(self, destination: Destination, enrichers: Sequence[Enricher], sessions: Sessions) -> None:
        self._destination, self._enrichers, self._sessions = destination, enrichers, sessions

    @property
    def limits(self) -> Limits:
        limits = self._destination.limits
        return limits if limits.octets is None else replace(limits, octets=max(1, limits.octets - limits.octets // HEADROOM))

    async def open(self, state: bytes) -> bytes | None:
        return await self._destination.open(state)

    async def deliver(self, row: Row) -> Delivered:
        return await self._destination.deliver(self._fitting(row))

    async def close(self) -> None:
        await self._destination.close()

    def _fitting(self, row: Row) -> Row:
        """The row enriched; a single record that would be too large by that goes as it is.

        Raises:
            DeliveryError: TOO_LARGE, of several records: the loop sends fewer at once.
        """
        enriched, most = enrich(row, self._enrichers, self._sessions), self._destination.limits.octets
        if enriched is row or most is None or sum(lengths(enriched)) <= most:
            return enriched
        if len(row) == 1:
            return row
        raise DeliveryError("too-large-enriched", Fault.TOO_LARGE, detail=f"more than {most} octets with what was joined")


def enrich(row: Row, enrichers: Sequence[Enricher], sessions: Sessions) -> Row:
    """The row, its chosen records enriched; itself where there is nothing to say. Numbers and places are the same."""
    if not len(sessions):
        return row
    changed: dict[int, bytes] = {}
    for place, text in zip(row.chosen, row.texts(), strict=True):
        record = orjson.loads(text)
        found = [enrichment for enricher in enrichers for enrichment in enricher(record, sessions)]
        if found:
            changed[place] = orjson.dumps({**record, "enrichments": [*record.get("enrichments", ()), *found]}, option=orjson.OPT_SORT_KEYS)
    if not changed:
        return row
    records, index = rewrite(row.records, row.index, changed)
    return replace(row, records=records, index=index)
