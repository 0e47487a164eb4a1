"""Slices of Frames, and the Batch they are joined to."""

from __future__ import annotations

from array import array

from hypothesis import given
from hypothesis import strategies as st
from support.events import SAMPLES

from listeners.normalizing import join_batches, slices
from normalizers.normalizer import Normalizer
from pipeline.model import Frames, Origin, Transport
from wire.event_xml import encode_event
from wire.wef.messages import pack_events

NORMALIZER = Normalizer()
ORIGIN = Origin("listeners.wef", Transport.HTTPS, "192.0.2.1", 0)
EVENTS = [encode_event(SAMPLES["4776"]), encode_event(SAMPLES["4728"]), encode_event(SAMPLES["4776"]).replace(b">4776<", b">4624<"), b"<Event>", b""]


@given(st.lists(st.sampled_from(EVENTS), max_size=12), st.integers(1, 4000))
def test_a_batch_made_of_slices_is_the_batch_of_the_whole(events: list[bytes], octets: int) -> None:
    buffer, spans = pack_events(events)
    whole = NORMALIZER.normalize_events(Frames(buffer, spans, ORIGIN))
    parts = [NORMALIZER.normalize_events(Frames(buffer, part, ORIGIN)) for part in slices(spans, octets)]
    assert join_batches(parts or [NORMALIZER.normalize_events(Frames(b"", array("I"), ORIGIN))]) == whole


@given(st.lists(st.integers(0, 100), max_size=30), st.integers(1, 300))
def test_slices_are_the_whole_in_order_and_no_larger_than_asked(sizes: list[int], octets: int) -> None:
    _, spans = pack_events(b"x" * size for size in sizes)
    parts = list(slices(spans, octets))
    assert [bound for part in parts for bound in part] == list(spans)
    assert all(len(part) == 2 or part[-1] - part[0] <= octets for part in parts)
