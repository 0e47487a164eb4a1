"""Rows just committed: the newest are remembered, and no more octets than there is room for."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from support.batches import batch_of

from pipeline.spool.recent import RecentRows
from pipeline.spool.row import Row


@given(st.lists(st.integers(0, 200), max_size=12), st.integers(0, 1000))
def test_the_newest_that_there_is_room_for(sizes: list[int], room: int) -> None:
    recent = RecentRows(room)
    rows = []
    for number, size in enumerate(sizes):
        batch = batch_of([number], octets=size)
        rows.append(Row.whole(batch.records, batch.index, number))
        recent.add(rows[-1:])
    octets = 0
    for row in reversed(rows):
        octets += len(row.records)
        assert recent.get(row.first) is (row if octets <= room else None)
