"""Batches become rows: nothing lost, nothing twice, nothing moved."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from support.batches import batch_of, name_of, uid_of

from pipeline.model import Batch, Entry
from pipeline.spool.composition import ROW_OCTETS, compose

batches = st.builds(batch_of, st.lists(st.integers(0, 20), max_size=8), weak=st.booleans(), octets=st.sampled_from([0, 100, ROW_OCTETS // 3, ROW_OCTETS + 7]))


@given(st.lists(batches, max_size=6), st.frozensets(st.integers(0, 20)))
def test_every_record_once_and_in_order(group: list[Batch], known: frozenset[int]) -> None:
    seen, expected, duplicates = set(known), [], []
    for batch in group:
        kept = []
        for entry in batch.index:
            name = int.from_bytes(entry.uid, "big")
            if entry.weak or name not in seen:
                kept.append(name)
            if not entry.weak:
                seen.add(name)
        expected += kept
        duplicates.append(len(batch.index) - len(kept))

    composition = compose(group, {uid_of(name) for name in known}.__contains__)

    assert [name_of(row.records[entry.start : entry.end]) for row in composition.rows for entry in row.index] == expected
    assert [int.from_bytes(entry.uid, "big") for row in composition.rows for entry in row.index] == expected
    assert composition.duplicates == tuple(duplicates)
    new = seen - known
    assert {composition.keys[at : at + 16] for at in range(0, len(composition.keys), 16)} == {uid_of(name) for name in new}
    assert len(composition.keys) == 16 * len(new)
    for row in composition.rows:
        assert len(row.records) <= ROW_OCTETS or len(row.index) == 1
        assert sum(entry.end - entry.start + 1 for entry in row.index) == len(row.records), "an index has no gaps"


def test_small_batches_share_a_row() -> None:
    composition = compose([batch_of([1]), batch_of([2], listener="listeners.wef"), batch_of([3])], lambda _key: False)
    assert len(composition.rows) == 1


def test_a_batch_that_stands_alone_is_not_copied() -> None:
    batch = batch_of(range(10))
    (row,) = compose([batch], lambda _key: False).rows
    assert row.records is batch.records


def test_octets_between_records_are_left_out() -> None:
    batch = batch_of([1, 2])
    moved = tuple(Entry(entry.start + 3, entry.end + 3, *[getattr(entry, name) for name in Entry.__slots__[2:]]) for entry in batch.index)
    gapped = Batch(b"xx\n" + batch.records, moved, batch.origin, 2)
    (row,) = compose([gapped], lambda _key: False).rows
    assert row.records == batch.records
