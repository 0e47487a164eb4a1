"""EVTX files of our own, whole and damaged: what they hold is read, what is broken is said once, and nothing else is lost."""

from __future__ import annotations

import io
from collections import Counter
from itertools import islice
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.evtx_bombs import BOMBS
from support.evtx_oracle import read_with_oracle
from support.evtx_writer import (
    CHUNK,
    DAMAGES,
    FIRST_CHUNK,
    break_binary_xml,
    break_chunk_checksum,
    change_record_text,
    close_name_chain_to_a_ring,
    records_of,
    tear_record,
    wipe_chunk,
    write_evtx,
    zero_record_size,
)

from gateway.simulate.events import generate_events
from listeners.evtx import Damage, read_evtx
from pipeline.model import Origin, Transport
from wire.event import WindowsEvent
from wire.event_xml import parse_event

ORIGIN = Origin("replay", Transport.FILE, "own.evtx", 1_714_979_289_500_000_000)
NOW_NS = 1_714_979_289_123_456_700
EVENTS = tuple(islice(generate_events(Random(11), lambda: NOW_NS, noise=0.4), 120))
WHOLE = write_evtx(EVENTS, per_chunk=40)


def read(octets: bytes, *, salvage: bool = False) -> tuple[list[WindowsEvent], list[Damage]]:
    events, damages = [], []
    for reading in read_evtx(io.BytesIO(octets), lambda: ORIGIN, salvage=salvage):
        if isinstance(reading, Damage):
            damages.append(reading)
        else:
            assert reading.origin is ORIGIN
            events += [parse_event(reading.buffer[start:end]) for start, end in reading.pairs()]
    return events, damages


def facts(event: WindowsEvent) -> tuple[object, ...]:
    """What has to survive: everything but how a GUID, a time and an empty value are spelled."""
    assert event.time is not None
    guid = event.provider_guid.strip("{}").lower()
    system = (event.key, event.record_id, event.computer, event.time.unix_ns // 1000, event.version, event.level, event.task, event.opcode, event.keywords)
    return (*system, guid, event.event_source_name, event.qualifiers, event.process_id, event.thread_id, event.user_sid, event.data)


def test_whole_file_gives_every_value_back() -> None:
    events, damages = read(WHOLE)
    assert damages == []
    assert [facts(event) for event in events] == [facts(event) for event in EVENTS]


def test_independent_parser_reads_the_same(tmp_path: Path) -> None:
    path = tmp_path / "own.evtx"
    path.write_bytes(WHOLE)
    events, _ = read(WHOLE)
    oracle = read_with_oracle(path)
    assert [(seen.event_id, seen.record_id, seen.computer, seen.channel, seen.provider) for seen in oracle] == [
        (event.event_id, event.record_id, event.computer, event.channel, event.provider) for event in events
    ]
    assert [[pair for pair in seen.data if pair[1]] for seen in oracle] == [[pair for pair in event.data if pair[1]] for event in events]


def test_empty_file_of_events_is_no_damage() -> None:
    assert read(write_evtx([])) == ([], [])


def test_unused_chunks_are_no_damage() -> None:
    events, damages = read(WHOLE + bytes(3 * CHUNK))
    assert (len(events), damages) == (120, [])


@pytest.mark.parametrize(
    ("rule", "lost"),
    [
        ("chunk-magic", 0),
        ("chunk-checksum", 0),
        ("chunk-missing", 40),
        ("file-magic", 0),
        ("file-checksum", 0),
        ("record-header", 38),
        ("record-unreadable", 1),
        ("record-torn", 0),
    ],
)
def test_damage_is_said_once_and_costs_no_more_than_it_must(rule: str, lost: int) -> None:
    events, damages = read(DAMAGES[rule](WHOLE))
    assert [damage.rule for damage in damages if damage.rule != "chunk-checksum" or rule == "chunk-checksum"] == [rule]
    assert len(events) == 120 - lost
    assert {facts(event) for event in events} <= {facts(event) for event in EVENTS}


def test_file_cut_inside_a_chunk_yields_its_whole_records() -> None:
    cut = WHOLE[: records_of(WHOLE, 2)[17] + 100]
    events, damages = read(cut)
    assert [facts(event) for event in events] == [facts(event) for event in EVENTS[: 80 + 17]]
    assert [damage.rule for damage in damages] == ["chunk-truncated"]


def test_damage_names_its_place() -> None:
    at = records_of(WHOLE, 1)[5]
    _, [damage] = read_salvaged(break_binary_xml(WHOLE, 5, chunk=1))
    assert (damage.rule, damage.offset) == ("record-unreadable", at)
    _, [damage] = read(zero_record_size(WHOLE, 5, chunk=1))
    assert (damage.rule, damage.offset) == ("record-header", at)
    _, [damage] = read(break_chunk_checksum(WHOLE, 2))
    assert damage.offset == FIRST_CHUNK + 2 * CHUNK + 124
    _, [damage] = read(change_record_text(WHOLE, 3, 1))
    assert damage.offset == FIRST_CHUNK + CHUNK + 52


def read_salvaged(octets: bytes) -> tuple[list[WindowsEvent], list[Damage]]:
    events, damages = read(octets, salvage=True)
    return events, [damage for damage in damages if damage.rule != "chunk-checksum"]


def test_salvage_finds_the_records_behind_a_broken_one() -> None:
    events, damages = read(zero_record_size(WHOLE, 2, 30), salvage=True)
    assert [damage.rule for damage in damages] == ["record-header", "record-header"]
    lost = {facts(EVENTS[2]), facts(EVENTS[30])}
    assert [facts(event) for event in events] == [facts(event) for event in EVENTS if facts(event) not in lost]


def test_torn_record_that_cannot_be_read_is_said_once() -> None:
    _, damages = read(tear_record(break_binary_xml(WHOLE, 5), 5))
    assert [damage.rule for damage in damages if damage.rule != "chunk-checksum"] == ["record-unreadable"]


def test_checksums_that_were_never_kept_are_no_damage() -> None:
    unkept = write_evtx(EVENTS[:10], flags=4)
    assert read(break_chunk_checksum(unkept))[1] == []


def test_missing_chunk_of_a_log_in_use_is_no_damage() -> None:
    in_use = wipe_chunk(write_evtx(EVENTS, per_chunk=40, flags=1), 1)
    events, damages = read(in_use)
    assert (len(events), damages) == (80, [])


def test_ring_of_names_ends() -> None:
    events, _ = read(close_name_chain_to_a_ring(WHOLE))
    assert len(events) == 120


@pytest.mark.parametrize("bomb", BOMBS)
def test_record_made_to_exhaust_memory_is_told_and_the_log_goes_on(bomb: str) -> None:
    readings = list(read_evtx(io.BytesIO(WHOLE[:FIRST_CHUNK] + BOMBS[bomb]() + WHOLE[FIRST_CHUNK:]), lambda: ORIGIN))
    assert {reading.rule for reading in readings if isinstance(reading, Damage)} == {"record-expansion"}
    texts = [reading.buffer[start:end] for reading in readings if not isinstance(reading, Damage) for start, end in reading.pairs()]
    assert sum(text.startswith(b"<Event ") for text in texts) == len(EVENTS)


@pytest.mark.parametrize("octets", [b"", b"ElfFile\x00", b"\x00" * 5000, b"ElfFile\x00" + b"\xff" * 70_000], ids=["empty", "cut", "zeros", "noise"])
def test_what_is_no_log_is_damage(octets: bytes) -> None:
    events, damages = read(octets)
    assert events == []
    assert damages


@given(seed=st.integers(0, 2**32), count=st.integers(1, 60), salvage=st.booleans())
def test_any_damage_leaves_the_rest(seed: int, count: int, salvage: bool) -> None:  # noqa: FBT001 - Hypothesis passes it by name
    random, octets = Random(seed), bytearray(WHOLE)
    for _ in range(count):
        octets[random.randrange(len(octets))] = random.choice((0, 1, 0x0C, 0x0F, 0x21, 0xFF, random.randrange(256)))
    received = Counter[bool]()
    for reading in read_evtx(io.BytesIO(bytes(octets)), lambda: ORIGIN, salvage=salvage):
        received[isinstance(reading, Damage)] += 1 if isinstance(reading, Damage) else len(reading)
    assert received[False] <= 200


@given(st.binary(max_size=3000), st.integers(0, 70_000))
def test_arbitrary_octets_are_read_without_error(octets: bytes, at: int) -> None:
    for reading in read_evtx(io.BytesIO(WHOLE[:at] + octets + WHOLE[at + len(octets) : 140_000]), lambda: ORIGIN):
        assert isinstance(reading, Damage) or len(reading)
