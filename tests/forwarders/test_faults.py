"""Who is at fault when a destination refuses records: the table of `forwarders.faults`, and that every record ends in one place."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support.batches import batch_of

from forwarders.common_settings import RetrySettings
from forwarders.destination import Delivered, Limits, Refusal
from forwarders.faults import Parcel, Verdict, judge
from forwarders.feed import cut, lengths
from forwarders.pauses import pause_after
from pipeline.errors import DeliveryError, Fault
from pipeline.spool.row import Row, follows, join_rows


def row_of(count: int, first: int = 100, octets: int = 0) -> Row:
    batch = batch_of(range(count), octets=octets)
    return Row.whole(batch.records, batch.index, first)


def worked(parcel: Parcel, poison: set[int], fault: Fault = Fault.REFUSED) -> list[int]:
    """Send a parcel to a destination that refuses what holds poison, until it's known who is at fault; what it took."""
    taken: list[int] = []
    while parcel.verdict is Verdict.OPEN and parcel.next is not None:
        piece = parcel.next
        if poison.intersection(piece.numbers):
            parcel.failed(DeliveryError("poison", fault))
        else:
            taken += piece.numbers
            parcel.took(Delivered())
    return taken


@pytest.mark.parametrize(
    ("batches", "verdict"),
    [
        ([(10, 0)], Verdict.RECORDS),
        ([(10, 1)], Verdict.RECORDS),
        ([(10, 5)], Verdict.RECORDS),
        ([(10, 6)], Verdict.DESTINATION),
        ([(1000, 501)], Verdict.DESTINATION),
        ([(3, 2)], Verdict.RECORDS),
        ([(3, 3)], Verdict.DESTINATION),
        ([(1, 1)], Verdict.UNCLEAR),
        ([(2, 2)], Verdict.UNCLEAR),
        ([(1, 1), (1, 0)], Verdict.RECORDS),
        ([(1, 1), (5, 1)], Verdict.RECORDS),
        ([(1, 1), (2, 2)], Verdict.UNCLEAR),
        ([(1, 1), (2, 2), (1, 1)], Verdict.DESTINATION),
        ([(1, 1), (9, 9)], Verdict.DESTINATION),
    ],
)
@pytest.mark.parametrize("fault", [Fault.REFUSED, Fault.TOO_LARGE])
def test_verdicts(batches: list[tuple[int, int]], verdict: Verdict, fault: Fault) -> None:
    parcels = []
    for place, (count, poisoned) in enumerate(batches):
        parcels.append(Parcel(row_of(count, 10_000 * place)))
        worked(parcels[-1], set(range(10_000 * place, 10_000 * place + poisoned)), fault)
    assert judge(parcels) is verdict


answers = st.one_of(
    st.just("takes"),
    st.tuples(st.sampled_from(Fault), st.integers(0, 9)),
    st.tuples(st.frozensets(st.integers(0, 12), max_size=4), st.frozensets(st.integers(0, 12), max_size=4)),
)


@given(st.integers(1, 12), st.lists(answers, max_size=12))
@example(2, [(frozenset({1}), frozenset({0}))])
@example(5, [(frozenset({1, 2, 4}), frozenset({0, 3}))])
def test_every_record_is_in_one_place(count: int, script: list[object]) -> None:
    parcel, done = Parcel(row_of(count)), list[int]()
    for step in script:
        if parcel.next is None:
            break
        match step:
            case (Fault() as fault, int(taken)):
                finished = parcel.failed(DeliveryError("scripted", fault, taken=taken))
            case (frozenset() as refused, frozenset() as again):
                finished = parcel.took(Delivered(refused={place: Refusal("scripted") for place in refused}, again=sorted(again)))
            case _:
                finished = parcel.took(Delivered())
        done += finished.numbers if finished else []
        refused_now = [number for each in parcel.refused for number in each.row.numbers]
        upto = parcel.open_from if parcel.open_from is not None else 100 + count
        assert all(number in done for number in range(100, upto)), "the cursor passes nothing that is open"
        assert not set(done).intersection(refused_now)
    assert len(set(done)) == len(done)
    parcel.retry()
    assert not parcel.refused
    assert parcel.open_from == min(set(range(100, 100 + count)).difference(done), default=None), "nor does it after a retry"
    rest = worked(parcel, set())
    assert sorted(done + rest) == list(range(100, 100 + count))
    assert rest == sorted(rest)


@given(st.integers(1, 20), st.none() | st.integers(1, 9), st.none() | st.integers(1, 400), st.integers(0, 90))
def test_cutting_obeys_the_limits(count: int, records: int | None, octets: int | None, pad: int) -> None:
    row, limits = row_of(count, octets=pad), Limits(records, octets)
    pieces = cut(row, limits)
    assert [number for piece in pieces for number in piece.numbers] == list(row.numbers)
    assert pieces[-1].end == row.end
    for piece in pieces:
        assert records is None or len(piece) <= records
        assert octets is None or len(piece) == 1 or sum(lengths(piece)) <= octets
        assert sum(lengths(piece)) == len(piece.ndjson())


@given(st.lists(st.tuples(st.integers(1, 5), st.integers(0, 31)), min_size=1, max_size=5))
def test_joined_rows_are_those_rows(parts: list[tuple[int, int]]) -> None:
    rows, first = list[Row](), 7
    for count, mask in parts:
        whole = row_of(count, first)
        places = [place for place in range(count) if mask >> place & 1]
        rows.append(whole.pick(places) if places else whole.select(lambda _: False))
        first += count
    assert all(follows(later, earlier) for earlier, later in pairwise(rows))
    joined = join_rows(rows)
    assert list(joined.numbers) == [number for row in rows for number in row.numbers]
    assert list(joined.texts()) == [text for row in rows for text in row.texts()]
    assert [entry.uid for entry in joined.entries()] == [entry.uid for row in rows for entry in row.entries()]


RETRY = RetrySettings(first=0.5, longest=8.0)


@pytest.mark.parametrize(
    ("fault", "retry_after", "failures", "pause"),
    [
        (Fault.RETRY, None, 0, 0.5),
        (Fault.RETRY, None, 2, 2.0),
        (Fault.RETRY, None, 1000, 8.0),
        (Fault.RETRY, 3.0, 0, 3.0),
        (Fault.RETRY, 0.0, 0, 0.0),
        (Fault.RETRY, 0.0, 1, 0.5),
        (Fault.RETRY, 1e9, 0, 8.0),
        (Fault.RETRY, math.inf, 0, 8.0),
        (Fault.RETRY, math.nan, 0, 0.5),
        (Fault.RETRY, -5.0, 1, 1.0),
        (Fault.DENIED, None, 0, 8.0),
        (Fault.DENIED, 1.0, 0, 8.0),
        (Fault.REFUSED, None, 0, 8.0),
    ],
)
def test_pauses(fault: Fault, retry_after: float | None, failures: int, pause: float) -> None:
    assert pause_after(DeliveryError("x", fault, retry_after=retry_after), failures, RETRY, 1.0) == pause


@given(st.sampled_from(Fault), st.none() | st.floats(), st.integers(0, 99), st.floats(0, 1))
def test_no_pause_is_longer_than_the_longest(fault: Fault, retry_after: float | None, failures: int, chance: float) -> None:
    pause = pause_after(DeliveryError("x", fault, retry_after=retry_after), failures, RETRY, chance)
    assert 0 <= pause <= RETRY.longest
    assert pause >= RETRY.first / 2 or (failures == 0 and retry_after is not None)
