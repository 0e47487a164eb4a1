"""EVTX chunks rendered by the kernel against the `evtx` library, octet for octet, and what is damaged told alike."""

from __future__ import annotations

import io
import struct
from array import array
from collections.abc import Callable
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.evtx_bombs import BOMBS, HARMLESS, OVERLAPPING
from support.evtx_writer import CHUNK, DAMAGES, FIRST_CHUNK, NESTED, STRING, ChunkWriter, Element, file_header, write_evtx
from support.replays import EVENTS

from kernel import Engine, render_chunks
from listeners.evtx import Damage, read_evtx
from pipeline.model import Origin, Transport
from wire.evtx import NO_CHECKSUMS
from wire.evtx_expansion import MAX_STEPS, MAX_TEXT

ORIGIN = Origin("replay", Transport.FILE, "own.evtx", 1_714_979_289_500_000_000)
WHOLE = write_evtx(EVENTS, per_chunk=40)
UNCHECKED = write_evtx(EVENTS[:120], per_chunk=40, flags=NO_CHECKSUMS)
LATEST = 2_650_000_000_000_000_000


def read(octets: bytes, engine: Engine, *, salvage: bool = False) -> list[bytes | Damage]:
    """Messages and damages; where a damage of a chunk stands among its messages isn't told apart."""
    found: list[bytes | Damage] = []
    for reading in read_evtx(io.BytesIO(octets), lambda: ORIGIN, engine=engine, salvage=salvage):
        found += [reading] if isinstance(reading, Damage) else [reading.buffer[start:end] for start, end in reading.pairs()]
    return found


def check_alike(octets: bytes, *, salvage: bool = False) -> None:
    assert read(octets, Engine.NATIVE, salvage=salvage) == read(octets, Engine.REFERENCE, salvage=salvage)


def surely_rendered(chunk: bytes) -> list[bytes]:
    text, octets, consumed = render_chunks(chunk, True, MAX_TEXT, MAX_STEPS)
    spans = array("I", octets)
    assert consumed in (0, CHUNK)
    return [text[start:end] for start, end in zip(spans[::2], spans[1::2], strict=True)]


def chunk_of(*roots: Element) -> bytes:
    writer = ChunkWriter()
    for number, root in enumerate(roots, 1):
        assert writer.add_element(root, number)
    return writer.close()


def file_of(chunk: bytes) -> bytes:
    return file_header(1, 2) + chunk


def test_whole_files_need_no_library() -> None:
    text, spans, consumed = render_chunks(WHOLE[FIRST_CHUNK:], True, MAX_TEXT, MAX_STEPS)
    assert consumed == len(WHOLE) - FIRST_CHUNK
    assert len(spans) == 8 * len(EVENTS)
    assert text[:].count(b"</Event>") == len(EVENTS)
    check_alike(WHOLE)


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_files_are_told_alike(damage: str) -> None:
    check_alike(DAMAGES[damage](WHOLE))
    check_alike(DAMAGES[damage](WHOLE), salvage=True)


@pytest.mark.parametrize("make", [*BOMBS.values(), *HARMLESS.values(), OVERLAPPING], ids=[*BOMBS, *HARMLESS, "overlapping"])
def test_what_expands_is_told_alike(make: Callable[[], bytes]) -> None:
    check_alike(WHOLE[:FIRST_CHUNK] + make() + WHOLE[FIRST_CHUNK:])


def test_text_is_bounded_over_chunks() -> None:
    """Eight chunks of up to 32 MiB of text each would be no bound."""
    chunk = chunk_of(*(Element("E", children=[Element("Data", value=(STRING, b"&\x00" * 10_000))] * 3) for _ in range(1)))
    text, _, consumed = render_chunks(chunk * 100, True, MAX_TEXT, MAX_STEPS)
    assert 0 < consumed < 100 * CHUNK
    assert len(text) < 3 << 20


def scalars(kind: int, size: int) -> st.SearchStrategy[tuple[int, bytes]]:
    edges = st.sampled_from([bytes(size), b"\xff" * size, bytes(size - 1) + b"\x80", b"\xff" * (size - 1) + b"\x7f"])
    return st.tuples(st.just(kind), edges | st.binary(min_size=size, max_size=size))


TEXT = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from("&<>\"'\x00\t\n ab"), max_size=40).map(lambda text: text.encode("utf-16-le"))
ITEMS = st.lists(TEXT.filter(lambda text: b"\x00\x00" not in (text[at : at + 2] for at in range(0, len(text), 2))), min_size=1, max_size=4)
SIZES = {1: (3, 4), 2: (5, 6), 4: (7, 8, 0x0D, 0x14, 0x10), 8: (9, 0x0A, 0x15, 0x10), 16: (0x0F,)}
PLAIN = st.one_of(
    st.tuples(st.just(STRING), TEXT),
    st.tuples(st.just(0x0E), st.binary(max_size=20)),
    st.tuples(st.just(0x00), st.binary(max_size=4)),
    st.tuples(st.just(0x11), st.integers(0, LATEST).map(lambda ticks: struct.pack("<Q", ticks))),
    st.tuples(
        st.just(0x13),
        st.lists(st.binary(min_size=4, max_size=4), max_size=5).flatmap(
            lambda parts: st.binary(min_size=6, max_size=6).map(lambda head: bytes([1, len(parts)]) + head + b"".join(parts))
        ),
    ),
    *(scalars(kind, size) for size, kinds in SIZES.items() for kind in kinds),
)
NAMES = st.sampled_from(["Event", "System", "Data", "EventID", "Binary", "a", "x-y.z_1"])
ATTRIBUTES = st.lists(st.tuples(st.sampled_from(["Name", "Guid", "xmlns"]), PLAIN | st.sampled_from(["x", "a&b'\"<c>", "\u00e9"])), max_size=3)
ARRAYS = ITEMS.map(lambda items: Element("Data", value=(0x81, b"".join(item + b"\x00\x00" for item in items))))
LEAVES = st.builds(lambda name, attributes, value: Element(name, *attributes, value=value), NAMES, ATTRIBUTES, PLAIN | st.none()) | ARRAYS


def around(inner: st.SearchStrategy[Element]) -> st.SearchStrategy[Element]:
    parents = st.builds(lambda name, attributes, children: Element(name, *attributes, children=children), NAMES, ATTRIBUTES, st.lists(inner, max_size=4))
    return parents | st.builds(lambda name, attributes, value: Element(name, *attributes, value=(NESTED, value)), NAMES, ATTRIBUTES, inner)


ELEMENTS = st.recursive(LEAVES, around, max_leaves=12)


@given(st.lists(ELEMENTS, min_size=1, max_size=3))
def test_values_of_all_types_are_written_alike(roots: list[Element]) -> None:
    chunk = chunk_of(*(Element("Event", children=[root]) for root in roots))
    assert surely_rendered(chunk) == read(file_of(chunk), Engine.REFERENCE)


@pytest.mark.parametrize(
    ("kind", "octets"),
    [
        (STRING, b"\x00\xd8"),
        (STRING, b"\x00\xdc\x00\xd8"),
        (STRING, b"abc"),
        (0x02, b"ansi"),
        (0x0B, bytes(4)),
        (0x0C, bytes(8)),
        (0x12, bytes(16)),
        (0x06, bytes(4)),
        (0x08, bytes(2)),
        (0x11, b"\xff" * 8),
        (0x13, b"\x01\x05" + bytes(6)),
        (0x13, b""),
        (0x81, b"a\x00"),
        (0x88, bytes(8)),
        (0x20, bytes(8)),
        (0x7F, b""),
        (NESTED, b"\x0f\x01\x01\x00\x0c"),
        (NESTED, b"\xff"),
    ],
)
def test_unusual_values_are_the_librarys(kind: int, octets: bytes) -> None:
    roots = [Element("Event", children=[Element("a", value=(kind, octets)), Element("Data", value=(STRING, b"b\x00"))])]
    roots.append(Element("Event", ("b", (kind, octets)), value=(STRING, b"b\x00")))
    for root in roots:
        chunk = chunk_of(root)
        assert surely_rendered(chunk) == []
        check_alike(file_of(chunk))


@given(seed=st.integers(0, 2**32), count=st.integers(1, 12), salvage=st.booleans())
def test_mutated_files_are_read_alike(seed: int, count: int, salvage: bool) -> None:  # noqa: FBT001 - Hypothesis passes it by name
    random, octets = Random(seed), bytearray(UNCHECKED)
    for _ in range(count):
        at = FIRST_CHUNK + CHUNK * random.randrange(3) + random.choice((random.randrange(512, 2048), random.randrange(CHUNK)))
        octets[at] = random.choice((0, 1, 2, 3, 4, 5, 6, 0x0C, 0x0D, 0x0E, 0x0F, 0x11, 0x13, 0x21, 0x41, 0x46, 0x81, 0xFF, random.randrange(256)))
    check_alike(bytes(octets), salvage=salvage)


@given(st.binary(max_size=3000), st.integers(FIRST_CHUNK, 70_000))
def test_arbitrary_octets_are_read_alike(octets: bytes, at: int) -> None:
    check_alike(UNCHECKED[:at] + octets + UNCHECKED[at + len(octets) : 140_000])
