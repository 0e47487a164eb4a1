"""Batches become rows: nothing lost, nothing twice, nothing moved."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from support.batches import alias_of, batch_of, name_of, uid_of

from pipeline.index import Index
from pipeline.model import Batch
from pipeline.spool.composition import ROW_OCTETS, WHOLE_OCTETS, Known, compose
from pipeline.spool.duplicates import split_keys

octets = st.sampled_from([0, 100, ROW_OCTETS // 3, ROW_OCTETS + 7])


@st.composite
def batches(draw: st.DrawFn) -> Batch:
    """Records with few names, weak or not, some with an alias beside."""
    batch = batch_of(draw(st.lists(st.integers(0, 20), max_size=8)), weak=draw(st.booleans()), octets=draw(octets))
    if draw(st.booleans()):
        return batch
    return replace(batch, aliases=b"".join(alias_of(draw(st.integers(0, 12))) for _ in batch.index))


def knowing(*keys: bytes) -> Known:
    return lambda asked: bytes(key in keys for key in split_keys(asked))


keys = st.integers(0, 20).map(uid_of) | st.integers(0, 12).map(alias_of)


@given(st.lists(batches(), max_size=6), st.frozensets(keys))
def test_every_record_once_and_in_order(group: list[Batch], known: frozenset[bytes]) -> None:
    seen, expected, duplicates = set(known), [], []
    for batch in group:
        kept = 0
        for entry, alias in zip(batch.index, split_keys(batch.aliases) or [b""] * len(batch.index), strict=True):
            resent = alias in seen
            again = not entry.weak and entry.uid in seen
            if not resent and not again:
                kept += 1
                expected.append(int.from_bytes(entry.uid, "big"))
                seen |= set() if entry.weak else {entry.uid}
            seen |= {alias} if alias else set()
        duplicates.append(len(batch.index) - kept)

    composition = compose(group, knowing(*known))

    assert [name_of(row.records[entry.start : entry.end]) for row in composition.rows for entry in row.index] == expected
    assert [int.from_bytes(entry.uid, "big") for row in composition.rows for entry in row.index] == expected
    assert composition.duplicates == tuple(duplicates)
    assert sorted(split_keys(composition.keys)) == sorted(seen - known)
    for row in composition.rows:
        is_batch = any(row.records is batch.records for batch in group) and len(row.records) <= WHOLE_OCTETS
        assert len(row.records) <= ROW_OCTETS or is_batch or len(row.index) == 1
        assert row.index.offsets[-1] == len(row.records), "an index has no gaps"


def test_small_batches_share_a_row() -> None:
    composition = compose([batch_of([1]), batch_of([2], listener="listeners.wef"), batch_of([3])], knowing())
    assert len(composition.rows) == 1


def test_a_batch_that_stands_alone_is_not_copied() -> None:
    batch = batch_of(range(10))
    (row,) = compose([batch], knowing()).rows
    assert row.records is batch.records
    assert row.index is batch.index


def test_a_batch_larger_than_a_row_is_one_as_it_is() -> None:
    """A full read's; it is neither joined to what was before nor cut."""
    first, large, last = batch_of([1]), batch_of([2, 3], octets=ROW_OCTETS * 3 // 4), batch_of([4])
    composition = compose([first, large, last], knowing())
    assert [row.records for row in composition.rows] == [first.records, large.records, last.records]
    assert composition.rows[1].records is large.records


def test_a_batch_of_more_than_two_rows_is_cut() -> None:
    composition = compose([batch_of(range(5), octets=ROW_OCTETS // 2 - 100)], knowing())
    assert [len(row.index) for row in composition.rows] == [2, 2, 1]


def with_alias(name: int, alias: int) -> Batch:
    return replace(batch_of([name]), aliases=alias_of(alias))


def test_what_came_another_way_is_known_when_it_is_sent_again() -> None:
    """An Accounting-On of two ways, and the second way's retransmission, whose uid is already that of a later time."""
    composition = compose([with_alias(1, 1), with_alias(1, 2), with_alias(5, 2)], knowing())
    assert composition.duplicates == (0, 1, 1)


def test_a_uid_made_by_a_retransmission_hides_no_other_event() -> None:
    """A server starts, sends that again later, and starts a second time in the very step of time to which the retransmission came."""
    composition = compose([with_alias(1, 1), with_alias(5, 1), with_alias(5, 2)], knowing())
    assert composition.duplicates == (0, 1, 0)


@given(st.lists(st.tuples(batches(), st.sampled_from(["", "sensor", "archive"])), max_size=6))
def test_what_is_for_one_consumer_is_known_by_that_consumer_alone(group: list[tuple[Batch, str]]) -> None:
    """As if each consumer, and the log, had a composition to itself; and what was remembered makes all of it duplicates the next time."""
    group_of = {consumer: [batch for batch, only in group if only == consumer] for consumer in ("", "sensor", "archive")}
    by_itself = {consumer: compose(of, knowing()) for consumer, of in group_of.items()}
    whole, only = [batch for batch, _ in group], [consumer for _, consumer in group]

    composition = compose(whole, knowing(), only)

    assert composition.rows == by_itself[""].rows
    for consumer in ("sensor", "archive"):
        expected = [name_of(row.records[entry.start : entry.end]) for row in by_itself[consumer].rows for entry in row.index]
        letters = [letter for letter in composition.letters if letter.consumer == consumer]
        assert [name_of(letter.record) for letter in letters] == expected
        assert [Index.parse(letter.entry)[0] for letter in letters] == [
            entry._replace(start=0, end=entry.end - entry.start) for row in by_itself[consumer].rows for entry in row.index
        ]
    assert len(composition.keys) == sum(len(one.keys) for one in by_itself.values())
    again = compose(whole, knowing(*split_keys(composition.keys)), only)
    assert again.duplicates == tuple(len(batch.index) if batch.aliases or not any(batch.index.weak) else 0 for batch in whole)
