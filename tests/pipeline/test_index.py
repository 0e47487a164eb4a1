"""The packed index: a list of entries in every respect but that records follow one another; whatever isn't an index is a ValueError."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.index import EMPTY, Entry, Index, Run, join_indexes, join_runs

texts = st.sampled_from(["4624", "Start", "dc1.contoso.example"]) | st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
fields = st.tuples(
    st.integers(0, 5000),
    st.binary(min_size=16, max_size=16),
    st.booleans(),
    st.integers(0, 2**32 - 1),
    texts,
    st.integers(0, 99),
    st.integers(-(2**63), 2**63 - 1),
    texts,
)


def laid_out(entries: Sequence[Entry]) -> list[Entry]:
    """The same records, one behind the other from offset 0."""
    moved, at = [], 0
    for entry in entries:
        length = entry.end - entry.start
        moved.append(entry._replace(start=at, end=at + length))
        at += length + 1
    return moved


entry_lists = st.lists(fields.map(lambda drawn: Entry(0, *drawn)), max_size=8).map(laid_out)
indexes = entry_lists.map(Index.of)


@given(entry_lists)
def test_is_the_list_of_its_entries(entries: list[Entry]) -> None:
    index = Index.of(entries)
    assert list(index) == entries
    assert len(index) == len(entries)
    assert [index[place] for place in range(-len(entries), len(entries))] == entries + entries
    assert index[1:3] == tuple(entries[1:3])
    assert index.uids == b"".join(entry.uid for entry in entries)
    assert index.weak == bytes(entry.weak for entry in entries)
    assert index.count_event_codes() == Counter(entry.event_code for entry in entries)
    assert index.offsets == (0, *(entry.end + 1 for entry in entries))
    with pytest.raises(IndexError):
        _ = index[len(entries)]


@given(indexes)
def test_round_trip(index: Index) -> None:
    assert Index.parse(index.columns) == index
    assert list(Index.parse(index.columns)) == list(index)


@given(st.lists(entry_lists, max_size=5), st.data())
def test_runs_join_as_lists_do(lists: list[list[Entry]], data: st.DataObject) -> None:
    runs, expected = [], []
    for entries in lists:
        start = data.draw(st.integers(0, len(entries)))
        stop = data.draw(st.integers(start, len(entries)))
        runs.append(Run(Index.of(entries), start, stop))
        expected += entries[start:stop]
        assert list(runs[-1].whole.part(start, stop)) == laid_out(entries[start:stop])
    joined = join_runs(runs)
    assert list(joined) == laid_out(expected)
    assert joined.columns == Index.of(laid_out(expected)).columns, "one form"
    assert list(join_indexes(map(Index.of, lists))) == laid_out([entry for entries in lists for entry in entries])


@pytest.mark.parametrize("computers", [200, 300, 600])
def test_many_texts_join_as_few_do(computers: int) -> None:
    """Places past the first octet of their column."""
    lists = [
        laid_out([Entry(0, 1, number.to_bytes(16), False, 1, str(number % 3), 1, 0, f"dc{number * step % computers}") for number in range(computers)])
        for step in (1, 7, 11)
    ]
    assert join_indexes(map(Index.of, lists)).columns == Index.of(laid_out([entry for entries in lists for entry in entries])).columns


@given(indexes)
def test_what_is_whole_is_not_copied(index: Index) -> None:
    assert join_indexes([EMPTY, index, EMPTY]) is (index or EMPTY)


@given(indexes, indexes)
def test_equal_is_what_has_equal_entries(one: Index, other: Index) -> None:
    assert (one == other) == (list(one) == list(other))
    assert (one == list(one)) is False
    same = Index.of(list(one))
    assert same == one
    assert hash(same) == hash(one)


def test_texts_in_another_order_are_the_same_index() -> None:
    entry = Entry(0, 3, bytes(16), False, 3002, "4624", 1, 0, "dc1")
    index = Index.of([entry])
    code, computer, rest = bytes(4), b"\x01" + bytes(3), bytes(17)
    swapped = index.columns.replace(b'["4624","dc1"]', b'["dc1","4624"]').replace(code + computer + rest, computer + code + rest)
    other = Index.parse(swapped)
    assert other == index
    assert other.columns != index.columns


@pytest.mark.parametrize(
    "entries",
    [
        pytest.param([Entry(1, 3, bytes(16), False, 1, "", 0, 0, "")], id="not from offset 0"),
        pytest.param([Entry(0, 3, bytes(16), False, 1, "", 0, 0, ""), Entry(5, 6, bytes(16), False, 1, "", 0, 0, "")], id="a gap"),
        pytest.param([Entry(0, 3, bytes(15), False, 1, "", 0, 0, "")], id="a short uid"),
    ],
)
def test_what_an_index_cannot_say(entries: list[Entry]) -> None:
    with pytest.raises(ValueError, match=r"gaps|uid"):
        Index.of(entries)


@given(st.binary(max_size=400))
def test_arbitrary_octets(data: bytes) -> None:
    with suppress(ValueError):
        Index.parse(data)


@given(indexes, st.integers(0, 2000), st.integers(1, 255))
def test_damaged_octets(index: Index, at: int, flip: int) -> None:
    data = bytearray(index.columns)
    data[at % len(data)] ^= flip
    with suppress(ValueError):
        list(Index.parse(bytes(data)))
