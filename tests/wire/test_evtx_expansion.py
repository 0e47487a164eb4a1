"""Binary XML that means more than it is long: found without being expanded, and never in what is sound."""

from __future__ import annotations

import io
from collections.abc import Sequence
from random import Random

import pytest
from evtx import PyEvtxParser
from hypothesis import given
from hypothesis import strategies as st
from support.evtx_bombs import BOMBS, HARMLESS, OVERLAPPING
from support.evtx_writer import CHUNK, FIRST_CHUNK, write_evtx
from support.replays import EVENTS

from kernel import Engine
from wire.evtx import FILLER_ID, Chunk, Record, encode_file_header, repair_chunk, scan_chunk
from wire.evtx_expansion import MAX_STEPS, MAX_TEXT, find_expanding

SOUND = [scan_chunk(octets[at : at + CHUNK]) for octets in [write_evtx(EVENTS, per_chunk=70)] for at in range(FIRST_CHUNK, len(octets), CHUNK)]
SEEDS = [*SOUND, *(scan_chunk(make()) for make in (*HARMLESS.values(), *BOMBS.values()))]
DECLARATION = '<?xml version="1.0" encoding="utf-8"?>'
TOKENS = (0, 1, 2, 3, 4, 5, 6, 0x0C, 0x0D, 0x0F, 0x11, 0x13, 0x21, 0x41, 0x81, 0x84, 0xFF)


def rendered(chunk: Chunk, refused: list[Record]) -> list[tuple[Record, int]]:
    """(record, octets of text) of those the library reads."""
    kept = [record for record in chunk.records if record not in set(refused)]
    parser = PyEvtxParser(io.BytesIO(encode_file_header(1) + repair_chunk(chunk, refused)), number_of_threads=1, indent=False).records()
    lengths: list[int] = []
    while True:
        try:
            record = next(parser)
        except StopIteration:
            break
        except (RuntimeError, OSError):
            lengths.append(0)
        else:
            assert record is not None
            if record["event_record_id"] != FILLER_ID:
                lengths.append(len(record["data"].removeprefix(DECLARATION).strip().encode()))
    return [pair for pair in zip(kept, lengths, strict=False) if pair[1]] if len(kept) == len(lengths) else []


@pytest.mark.parametrize("chunk", SOUND)
def test_sound_records_are_never_refused(chunk: Chunk) -> None:
    assert find_expanding(chunk.octets, chunk.records) == []
    assert len(rendered(chunk, [])) == len(chunk.records)


@pytest.mark.parametrize("name", HARMLESS)
def test_what_only_looks_like_it_is_read(name: str) -> None:
    chunk = scan_chunk(HARMLESS[name]())
    assert find_expanding(chunk.octets, chunk.records) == []


@pytest.mark.parametrize("name", BOMBS)
def test_bomb_is_refused_and_what_stands_beside_it_read(name: str) -> None:
    chunk = scan_chunk(BOMBS[name]())
    assert chunk.breaks == ()
    refused = find_expanding(chunk.octets, chunk.records)
    assert chunk.records[-1] in refused
    assert len(rendered(chunk, refused)) == len(chunk.records) - len(refused)


def test_templates_that_overlap_are_not_looked_at_for_ever() -> None:
    chunk = scan_chunk(OVERLAPPING())
    refused = find_expanding(chunk.octets, chunk.records)
    assert len(chunk.records) - len(refused) <= 1 + MAX_STEPS // 8000


@given(seed=st.integers(0, 2**32), which=st.integers(0, len(SEEDS) - 1), count=st.integers(0, 12))
def test_text_is_never_longer_than_the_bound(seed: int, which: int, count: int) -> None:
    random, chunk = Random(seed), SEEDS[which]
    octets = bytearray(chunk.octets)
    for _ in range(count):
        octets[random.randrange(512, 4096)] = random.choice(TOKENS)
    broken = scan_chunk(bytes(octets))
    for record, length in rendered(broken, find_expanding(broken.octets, broken.records)):
        assert find_expanding(broken.octets, [record], length - 1) == [record]


@given(st.binary(max_size=2000), st.integers(512, 4096))
def test_arbitrary_octets_are_walked_without_error_and_alike(octets: bytes, at: int) -> None:
    whole = SOUND[0].octets
    walk_alike(whole[:at] + octets + whole[at + len(octets) :], SOUND[0].records)


@given(seed=st.integers(0, 2**32), which=st.integers(0, len(SEEDS) - 1), count=st.integers(0, 12), room=st.integers(0, 1 << 22))
def test_both_engines_refuse_the_same(seed: int, which: int, count: int, room: int) -> None:
    random, chunk = Random(seed), SEEDS[which]
    octets = bytearray(chunk.octets)
    for _ in range(count):
        octets[random.randrange(512, 4096)] = random.choice(TOKENS)
    walk_alike(bytes(octets), chunk.records, room)


def test_both_engines_count_the_same_to_the_octet() -> None:
    for chunk in SEEDS:
        for record in chunk.records[:40]:
            low, high = 0, MAX_TEXT
            while low < high:
                middle = (low + high) // 2
                if find_expanding(chunk.octets, [record], middle):
                    low = middle + 1
                else:
                    high = middle
            if high < MAX_TEXT:
                assert find_expanding(chunk.octets, [record], high, Engine.REFERENCE) == []
                assert find_expanding(chunk.octets, [record], high - 1, Engine.REFERENCE) == [record]


def walk_alike(octets: bytes, records: Sequence[Record], room: int = MAX_TEXT) -> None:
    assert find_expanding(octets, records, room) == find_expanding(octets, records, room, Engine.REFERENCE)
