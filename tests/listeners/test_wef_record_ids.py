"""Record IDs of a batch, read without parsing."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.events import SAMPLES

from kernel import Engine
from listeners.wef.record_ids import MAX_PAIRS, highest_record_ids
from wire.event_xml import Rendering, encode_event
from wire.wef.messages import pack_events

PAIR = ("dc1.contoso.example", "Security")


def event(number: str, computer: str = PAIR[0]) -> bytes:
    return encode_event(replace(SAMPLES["4776"], record_id=number, computer=computer))


#   events                                                        found                                 why
BATCHES = [
    ([event("7"), event("9"), event("8")],                        {PAIR: 9},                            "the highest"),
    ([event("7"), event("9", "dc2")],                             {PAIR: 7, ("dc2", "Security"): 9},    "of each computer"),
    ([event("")],                                                 {},                                   "without one"),
    ([event("-1")],                                               {},                                   "no number"),
    ([event("9" * 30)],                                           {},                                   "too long a number"),
    ([event("7", "")],                                            {},                                   "no computer"),
    ([event("7", "x" * 300)],                                     {},                                   "too long a name"),
    ([event("7")[:-150], b"<Event>", b""],                        {PAIR: 7},                            "broken events"),
    ([b" " * 5000 + event("7")],                                  {},                                   "beyond what is looked at"),
]  # fmt: skip


@pytest.mark.parametrize(("events", "found"), [pytest.param(*row[:2], id=row[2]) for row in BATCHES])
def test_the_highest_of_each_computers_channels(events: list[bytes], found: dict[tuple[str, str], int]) -> None:
    assert highest_record_ids(*pack_events(events)) == highest_record_ids(*pack_events(events), Engine.REFERENCE) == found


def test_a_hostile_batch_is_bounded() -> None:
    assert len(highest_record_ids(*pack_events(event("7", f"c{number}") for number in range(MAX_PAIRS * 2)))) == MAX_PAIRS


@given(st.lists(st.binary(max_size=100) | st.sampled_from([event("1"), encode_event(SAMPLES["7045"], Rendering.EVTX)]), max_size=5))
def test_no_octets_are_too_odd(events: list[bytes]) -> None:
    highest_record_ids(*pack_events(events))


PIECES = st.sampled_from(
    [b"<EventRecordID>", b"</EventRecordID>", b"<Channel>", b"</Channel>", b"<Computer>", b"</Computer>", b"7", b" 12", b"dc1", b"\xff", b"<"]
)


@given(st.lists(st.lists(PIECES).map(b"".join), max_size=5), st.integers(0, 6))
def test_the_kernel_finds_the_same(events: list[bytes], cut: int) -> None:
    buffer, spans = pack_events([event("5"), *events])
    spans[-1] = max(spans[-2], spans[-1] - cut)
    assert highest_record_ids(buffer, spans) == highest_record_ids(buffer, spans, Engine.REFERENCE)
