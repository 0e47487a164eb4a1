"""The stored index: whatever goes in comes out, and whatever didn't is a ValueError."""

from __future__ import annotations

from contextlib import suppress

from hypothesis import given
from hypothesis import strategies as st

from pipeline.model import Entry
from pipeline.spool.index import encode_index, parse_index

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
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


@st.composite
def indexes(draw: st.DrawFn) -> tuple[Entry, ...]:
    entries, at = [], 0
    for length, *rest in draw(st.lists(fields, max_size=8)):
        entries.append(Entry(at, at + length, *rest))
        at += length + 1
    return tuple(entries)


@given(indexes())
def test_round_trip(index: tuple[Entry, ...]) -> None:
    assert parse_index(encode_index(index)) == index


@given(st.binary(max_size=400))
def test_arbitrary_octets(data: bytes) -> None:
    with suppress(ValueError):
        parse_index(data)


@given(indexes(), st.integers(0, 2000), st.integers(1, 255))
def test_damaged_octets(index: tuple[Entry, ...], at: int, flip: int) -> None:
    data = bytearray(encode_index(index))
    data[at % len(data)] ^= flip
    with suppress(ValueError):
        parse_index(bytes(data))
