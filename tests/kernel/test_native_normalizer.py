"""The native engine against the reference engine: records, index, tallies and rejects of whatever comes, octet for octet."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.engines import Engines
from support.events import SAMPLES, hostile_events, required_events
from support.windows_events import mutated

from normalizers.settings import NormalizeSettings
from pipeline.model import Trust
from wire.event_xml import Rendering, encode_event
from wire.layouts.layout import Mode, Reading

FIXTURES = Path(__file__).parents[2] / "fixtures"
EVENTS = sorted((FIXTURES / "events").rglob("*.xml"))

SETTINGS = [
    NormalizeSettings(observables=observables, captions=captions, tenant_uid=tenant_uid, labels=labels)
    for observables, captions, (tenant_uid, labels) in product(
        (False, True), (False, True), (("", ()), ("t1", ("site:hq",)), ('with "quotes"', ("a", "b\\")), ("", ("site:hq",)), ("t1", ()))
    )
]
XML = st.one_of(required_events(), hostile_events()).map(encode_event)
HEADERS = st.sampled_from([b"", b"<13>Mar 15 12:00:00 dc01 evt: ", b"<13>1 2024-03-15T12:00:00Z dc01 evt - - - "])

DEFAULT = Engines("mdi-current")
EVERYTHING = Engines("mdi-current", keep_all=True)
STRICT = Engines(reading=Reading(mode=Mode.STRICT))


@pytest.mark.parametrize("path", EVENTS, ids=lambda path: path.stem)
def test_fixtures_are_the_kernels_own(path: Path) -> None:
    engines = Engines("mdi-current")
    assert len(engines.agree([path.read_bytes()]).index) == 1
    assert len(engines.agree_on_events([path.read_bytes()]).index) == 1


def test_samples_are_the_kernels_own() -> None:
    engines = Engines("mdi-current")
    batch = engines.agree([encode_event(event, rendering) for event in SAMPLES.values() for rendering in Rendering])
    assert len(batch.index) == len(SAMPLES) * len(Rendering)
    assert engines.share_left() == 0


@given(st.lists(XML, max_size=6))
def test_events(messages: list[bytes]) -> None:
    DEFAULT.agree(messages)
    DEFAULT.agree_on_events(messages)


@st.composite
def with_less(draw: st.DrawFn) -> bytes:
    """A sample without some of its data and fields, so that records of one plan differ in which leaves they have."""
    event = SAMPLES[draw(st.sampled_from(("4728", "4776", "7045")))]
    kept = draw(st.lists(st.booleans(), min_size=len(event.data), max_size=len(event.data)))
    data = tuple(pair for pair, keep in zip(event.data, kept, strict=True) if keep)
    return encode_event(replace(event, data=data, level=draw(st.sampled_from(("", event.level))), record_id=draw(st.sampled_from(("", "7")))))


@given(st.lists(with_less(), max_size=12))
def test_records_that_differ_in_what_they_have(messages: list[bytes]) -> None:
    DEFAULT.agree(messages)


@cache
def switched(place: int, *, keep_all: bool) -> Engines:
    return Engines("mdi-current", SETTINGS[place], keep_all=keep_all)


@given(st.lists(XML, max_size=3), st.integers(0, len(SETTINGS) - 1), st.booleans())
def test_switches(messages: list[bytes], place: int, keep_all: bool) -> None:  # noqa: FBT001 - drawn
    switched(place, keep_all=keep_all).agree(messages)


@given(st.lists(st.tuples(HEADERS, XML).map(b"".join) | st.binary(max_size=60), max_size=8))
def test_any_messages(messages: list[bytes]) -> None:
    DEFAULT.agree(messages)
    EVERYTHING.agree(messages)


@given(st.lists(mutated(XML), max_size=4))
def test_mutated_events(messages: list[bytes]) -> None:
    DEFAULT.agree(messages)
    DEFAULT.agree_on_events(messages)


@given(st.lists(XML | mutated(XML), max_size=4), st.sampled_from([(), ("peer:old",)]), st.booleans(), st.integers(0, 30))
def test_senders_that_are_believed_so_far(messages: list[bytes], labels: tuple[str, ...], refuse: bool, length: int) -> None:  # noqa: FBT001 - drawn
    DEFAULT.agree_on_events(messages, Trust(labels, lambda computer: len(computer) < length, refuse))


@given(st.lists(mutated(XML), max_size=3))
def test_strict_mode(messages: list[bytes]) -> None:
    STRICT.agree(messages)


def test_order_is_kept_where_both_engines_judge() -> None:
    known, odd = encode_event(SAMPLES["4776"]), encode_event(SAMPLES["4728"]).decode().encode("utf-16")
    engines = Engines()
    batch = engines.agree([odd, known, known, odd, odd, b"?", known, odd])
    assert [entry.event_code for entry in batch.index] == ["4728", "4776", "4776", "4728", "4728", "4776", "4728"]
    assert engines.native.left >= 4


def test_bounded_tables_overflow_alike() -> None:
    known = encode_event(SAMPLES["4776"])
    many = [known.replace(b">4776<", b">%d<" % number) for number in range(5000, 5100)]
    odd = [message.decode().encode("utf-16") for message in many]
    engines = Engines()
    for messages in (many, odd, many + odd, odd[:10] + many, many[:40] + odd[20:60], many[:40] + odd[40:70], [b"?"] * 40 + odd[:3]):
        engines.agree(messages)


def test_raw_data_is_the_reference_engines() -> None:
    engines = Engines(settings=NormalizeSettings(raw_data=True))
    assert b"raw_data" in engines.agree([encode_event(SAMPLES["4776"])]).records
    assert engines.share_left() == 1


TIMES = [
    "2024-03-15T12:00:00.123456789Z",
    "2024-03-15T12:00:00.1234567Z",
    "2024-03-15T12:00:00.1Z",
    "2024-03-15T12:00:00Z",
    "2024-03-15T12:00:00.9999999+05:30",
    "1969-12-31T23:59:59.9996Z",
    "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59.999999999Z",
    "soon",
    "",
]


@pytest.mark.parametrize("time", TIMES, ids=lambda time: time or "none")
@pytest.mark.parametrize("record_id", [b"88100", b""], ids=["strong", "weak"])
def test_times(time: str, record_id: bytes) -> None:
    known = encode_event(SAMPLES["4728"])
    message = known.replace(b"2024-03-15T12:00:00.1234567Z", time.encode()).replace(b">88100<", b">" + record_id + b"<")
    assert message != known or time == TIMES[1]
    DEFAULT.agree([message])


def test_few_ordinary_events_are_left() -> None:
    engines = Engines("mdi-current")
    engines.agree([message.read_bytes() for message in EVENTS])
    assert engines.share_left() < 0.2
