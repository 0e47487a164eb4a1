"""Ways in which a stream may arrive: whole, octet by octet, cut anywhere. A stream means the same however it was cut."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import pairwise

from hypothesis import strategies as st

Feed = Callable[[bytes], Iterable[bytes]]


def whole(stream: bytes) -> Iterable[bytes]:
    """All at once."""
    return [stream] if stream else []


def octet_by_octet(stream: bytes) -> Iterable[bytes]:
    """The slowest sender there is."""
    return (stream[at : at + 1] for at in range(len(stream)))


def cut_at(*cuts: int) -> Feed:
    """In pieces that end at these offsets, and the rest."""

    def feed(stream: bytes) -> Iterable[bytes]:
        ends = [0, *sorted({cut for cut in cuts if 0 < cut < len(stream)}), len(stream)]
        return (stream[start:end] for start, end in pairwise(ends) if end > start)

    return feed


def feeds() -> st.SearchStrategy[Feed]:
    """Any way of cutting; shrinks to `whole`."""
    return st.lists(st.integers(min_value=1, max_value=1 << 12), max_size=12).map(lambda cuts: cut_at(*cuts))
