"""The table of keys: bounded in number and age, oldest leave first."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from support.batches import uid_of

from pipeline.spool.duplicates import Chunk, DuplicateTable


def chunk_of(number: int, names: range, kept_at_ms: int = 0) -> Chunk:
    return Chunk(number, kept_at_ms, b"".join(map(uid_of, names)))


def knows(table: DuplicateTable, name: int) -> bool:
    return table.known(uid_of(name)) == b"\x01"


@given(st.lists(st.integers(1, 10), max_size=12), st.integers(1, 30))
def test_never_more_than_the_limit_unless_one_commit_is(sizes: list[int], limit: int) -> None:
    table, first = DuplicateTable(limit, 1000), 0
    for size in sizes:
        chunk = chunk_of(first, range(first, first + size))
        leaving, evicted = table.outgrown(size, 0)
        assert evicted == sum(map(len, leaving)), "none is old"
        table.drop(leaving)
        table.add(chunk)
        first += size
        assert len(table) <= max(limit, size)
        assert all(knows(table, name) for name in range(first - len(table), first)), "the newest stay"


def test_old_keys_leave_uncounted() -> None:
    table = DuplicateTable(100, 1000)
    table.load([chunk_of(0, range(3), 0), chunk_of(3, range(3, 5), 900)])
    leaving, evicted = table.outgrown(1, 1500)
    assert [chunk.number for chunk in leaving] == [0]
    assert evicted == 0
    table.drop(leaving)
    assert not knows(table, 0)
    assert knows(table, 3)


def test_a_clock_set_back_keeps_keys() -> None:
    table = DuplicateTable(100, 1000)
    table.load([chunk_of(0, range(3), 5_000_000)])
    assert table.outgrown(1, 5_000_000 - 3_600_000) == ((), 0)


def test_known_answers_key_by_key() -> None:
    table = DuplicateTable(100, 1000)
    table.add(chunk_of(0, range(1, 3)))
    assert table.known(b"".join(map(uid_of, [0, 1, 2, 3, 1]))) == bytes([0, 1, 1, 0, 1])
    assert table.known(b"") == b""


def test_chunks_without_new_records_have_numbers_of_their_own() -> None:
    table = DuplicateTable(100, 1000)
    assert table.next_number(7) == 7
    table.add(chunk_of(7, range(1)))
    assert table.next_number(7) == 8
    assert table.next_number(9) == 9
