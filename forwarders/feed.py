"""Feed: what a destination gets next from the spool: the records that its filter wants, in batches that its limits allow.

Rows as they lie in the spool are small where little arrives at once. A destination that says how much it takes at once gets as many of them joined as there
are, without waiting for more; one that says nothing gets row by row.
"""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate
from typing import Final

import trio

from forwarders.destination import Limits
from pipeline.metrics import Metrics
from pipeline.spool.row import Row, Wants, follows, join_rows
from pipeline.spool.spool import Spool

FILTER: Final = "filter"
READ_AHEAD: Final = 4 << 20
"""Octets of rows to look through for one batch, where a filter wants little of them."""


class Feed:
    """One consumer's records, in order, each once.

    Args:
        name: of the consumer.
        spool: where they come from.
        wants: which of them; None for all.
        limits: of a batch.
        metrics: where what the filter leaves out is counted.
    """

    def __init__(self, name: str, spool: Spool, *, wants: Wants | None, limits: Limits, metrics: Metrics) -> None:
        self._name, self._spool, self._wants, self._limits, self._metrics = name, spool, wants, limits, metrics
        self._joins = limits != Limits()
        self._rest: Row | None = None
        self._read_to = 0
        self._caught_up = False

    @property
    def passed(self) -> int:
        """Number behind everything that was handed out or left out."""
        return self._rest.numbers[0] if self._rest else self._read_to

    @property
    def caught_up(self) -> bool:
        """Whether there was nothing more when it was last asked."""
        return self._caught_up

    async def next(self) -> Row | None:
        """The next batch; None if it is caught up, or the filter wanted nothing of what was looked through so far."""
        rows = [self._rest] if self._rest else []
        self._rest = ahead = None
        looked_through, records, octets = 0, sum(map(len, rows)), sum(sum(lengths(row)) for row in rows)
        while not rows or (self._joins and looked_through < READ_AHEAD and self._has_room(records, octets)):
            row = await self._spool.read(self._name, self._read_to)
            self._caught_up = row is None
            if row is None:
                break
            await trio.lowlevel.checkpoint()
            self._read_to = row.end
            looked_through += len(row.records)
            wanted = row if self._wants is None else row.select(self._wants)
            if len(wanted) < len(row):
                self._metrics.skipped.labels(self._name, FILTER).inc(len(row) - len(wanted))
            if rows and not follows(row, rows[-1]):  # drop-oldest was between; who was given a row answers for it
                ahead = wanted or None
                break
            if wanted or rows:
                rows.append(wanted)
                records, octets = records + len(wanted), octets + sum(lengths(wanted))
            elif looked_through >= READ_AHEAD:
                break
        if not rows:
            return None
        batch, *rest = cut(join_rows(rows), self._limits, once=True)
        self._rest = rest[0] if rest else ahead
        return batch

    def _has_room(self, records: int, octets: int) -> bool:
        # a batch of half as many octets as may be is large enough: joining large rows only to cut them again costs more than it brings
        return records < (self._limits.records or records + 1) and octets < (self._limits.octets or READ_AHEAD) // 2

    def drop(self, dropped: Row) -> None:
        """Forget what was read and not handed out, if it is `dropped`."""
        if self._rest is dropped:
            self._rest = None

    @property
    def rest(self) -> Row | None:
        """What was read and not handed out."""
        return self._rest


def lengths(row: Row) -> list[int]:
    """Octets of each chosen record, its LF included."""
    offsets = row.index.offsets
    return [offsets[place + 1] - offsets[place] for place in row.chosen]


def cut(row: Row, limits: Limits, *, once: bool = False) -> list[Row]:
    """A row in pieces that `limits` allow, at least one record each; with `once`, the first piece and what is left."""
    pieces: list[Row] = []
    while limits != Limits():
        ends = list(accumulate(lengths(row)))
        fit = len(row) if limits.octets is None else bisect_right(ends, limits.octets)
        fit = max(1, fit if limits.records is None else min(fit, limits.records))
        if fit >= len(row):
            break
        piece, row = row.split(fit)
        pieces.append(piece)
        if once:
            break
    return [*pieces, row]
