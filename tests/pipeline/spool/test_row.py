"""A row and its pieces: what is chosen, in order, and where the cursor goes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from support.batches import batch_of, name_of

from pipeline.spool.row import Row


def row_of(count: int, first: int = 100) -> Row:
    batch = batch_of(range(count))
    return Row.whole(batch.records, batch.index, first)


def names(row: Row) -> list[int]:
    return [name_of(text) for text in row.texts()]


@given(st.integers(1, 30), st.sets(st.integers(0, 30)))
def test_select_keeps_order_and_end(count: int, chosen: set[int]) -> None:
    row = row_of(count).select(lambda entry: int.from_bytes(entry.uid, "big") in chosen)
    expected = [name for name in range(count) if name in chosen]
    assert names(row) == expected
    assert list(row.numbers) == [100 + name for name in expected]
    assert row.end == 100 + count
    assert row.ndjson() == b"".join(text + b"\n" for text in row.texts())


@given(st.integers(2, 30), st.data(), st.sets(st.integers(0, 30)))
def test_split_leaves_nothing_out(count: int, data: st.DataObject, chosen: set[int]) -> None:
    row = row_of(count).select(lambda entry: int.from_bytes(entry.uid, "big") in chosen)
    if len(row) < 2:
        return
    first, second = row.split(data.draw(st.integers(1, len(row) - 1)))
    assert names(first) + names(second) == names(row)
    assert first.end == second.numbers[0]
    assert second.end == row.end
    assert first.ndjson() + second.ndjson() == row.ndjson()


def test_everything_chosen_is_the_row_itself() -> None:
    row = row_of(3)
    assert row.select(lambda _entry: True) is row
    assert row.ndjson() == row.records
    assert row.select(lambda _entry: False).ndjson() == b""
