"""SLDC: both twins alike on anything, every content back, every rule broken on purpose, and nothing larger than allowed."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

import kernel
from kernel import Engine
from pipeline.errors import MessageError
from wire import sldc

LIMIT = 4096

CONTROL = 0x1FF << 4
RESET_1, RESET_2, SCHEME_1, SCHEME_2, END = (f"{CONTROL | code:013b}" for code in (5, 6, 1, 2, 4))


def literal(octet: int) -> str:
    return f"0{octet:08b}"


def copied(count: int, displacement: int) -> str:
    for prefix, bits, least in (("1111", 8, 32), ("1110", 4, 16), ("110", 3, 8), ("10", 2, 4), ("0", 1, 2)):
        if count >= least:
            return f"1{prefix}{count - least:0{bits}b}{displacement:010b}"
    raise AssertionError(count)


def plain(octets: bytes) -> str:
    return "".join(f"{octet:08b}" + ("0" if octet == 0xFF else "") for octet in octets)


def stream(*symbols: str) -> bytes:
    bits = "".join(symbols)
    bits += "0" * (-len(bits) % 8)
    return bytes(int(bits[at : at + 8], 2) for at in range(0, len(bits), 8))


def size(octets: int) -> bytes:
    return octets.to_bytes(4, "little")


@pytest.mark.parametrize("engine", list(Engine))
@pytest.mark.parametrize(
    ("data", "content"),
    [
        pytest.param(stream(RESET_1, END), b"", id="nothing"),
        pytest.param(stream(RESET_1, literal(0x41), literal(0xFF), END), b"A\xff", id="scheme 1"),
        pytest.param(stream(SCHEME_1, literal(0x41), END), b"A", id="a scheme without reset at the start"),
        pytest.param(stream(RESET_2, plain(b"A\xff\xffB"), END), b"A\xff\xffB", id="scheme 2 with its stuffing"),
        pytest.param(stream(RESET_1, literal(0x61), literal(0x62), copied(5, 0), END), b"abababa", id="a copy of what it writes itself"),
        pytest.param(stream(RESET_1, literal(0x61), copied(271, 0), END), b"a" * 272, id="the longest copy"),
        pytest.param(stream(RESET_1, *map(literal, b"abc"), copied(2, 1), END), b"abcbc", id="the shortest copy"),
        pytest.param(stream(RESET_2, plain(b"xy"), SCHEME_1, copied(2, 0), END), b"xyxy", id="what scheme 2 wrote is history"),
        pytest.param(stream(RESET_1, literal(0x61), SCHEME_2, plain(b"b"), SCHEME_1, copied(2, 0), END), b"abab", id="there and back again"),
        pytest.param(stream(RESET_1, *map(literal, b"abc"), RESET_1, literal(0x7A), copied(3, 0), END), b"abczzzz", id="a reset rewinds the ring"),
        pytest.param(
            stream(RESET_2, plain(bytes(range(128)) * 8 + b"ab"), SCHEME_1, copied(2, 0), END), bytes(range(128)) * 8 + b"abab", id="the ring goes round"
        ),
        pytest.param(
            stream(RESET_2, plain(bytes(range(128)) * 8), SCHEME_1, copied(2, 0), END),
            bytes(range(128)) * 8 + b"\x00\x01",
            id="an address about to be overwritten",
        ),
        pytest.param(stream(RESET_1, literal(0x41), END) + size(1), b"A", id="size behind the record"),
        pytest.param(stream(RESET_1, literal(0x41), END) + b"\x00" + size(1), b"A", id="padding and size"),
        pytest.param(stream(RESET_1, literal(0x41), END) + bytes(3), b"A", id="padding alone"),
    ],
)
def test_a_stream_says(data: bytes, content: bytes, engine: Engine) -> None:
    assert sldc.decode_body(data, LIMIT, engine) == content


@pytest.mark.parametrize("engine", list(Engine))
@pytest.mark.parametrize(
    ("data", "rule", "offset"),
    [
        pytest.param(b"\x80", "sldc-no-scheme", 0, id="data before a scheme"),
        pytest.param(stream(RESET_1, literal(0x41), f"{CONTROL:013b}"), "sldc-control", 2, id="flush"),
        pytest.param(stream(f"{CONTROL | 3:013b}", END), "sldc-control", 0, id="file mark"),
        pytest.param(stream(RESET_1, f"{CONTROL | 9:013b}", END), "sldc-control", 1, id="reserved"),
        pytest.param(stream(RESET_1, f"{CONTROL | 15:013b}"), "sldc-control", 1, id="end marker"),
        pytest.param(stream(RESET_1, copied(2, 0), END), "sldc-displacement", 1, id="a copy of nothing"),
        pytest.param(stream(RESET_1, literal(0x41), copied(2, 1), END), "sldc-displacement", 2, id="a copy of what comes next"),
        pytest.param(stream(RESET_1, *map(literal, b"abc"), RESET_1, copied(2, 0), END), "sldc-displacement", 6, id="a copy of what a reset forgot"),
        pytest.param(stream(RESET_1, literal(0x41)), "sldc-truncated", 3, id="no end of record"),
        pytest.param(stream(RESET_1, copied(300 - 29, 0))[:3], "sldc-truncated", 3, id="half a symbol"),
        pytest.param(stream(RESET_1, "1" * 9), "sldc-truncated", 3, id="half a control symbol"),
        pytest.param(stream(RESET_1, literal(0x41), *[copied(271, 0)] * 16, END), "sldc-too-large", 45, id="a bomb"),
        pytest.param(stream(RESET_2, plain(b"A" * 4097), END), "sldc-too-large", 4097, id="one octet over"),
        pytest.param(stream(RESET_1, literal(0x41), END) + size(2), "sldc-length", 5, id="another size"),
        pytest.param(stream(RESET_1, END) + b"\x00" * 4 + b"\x00" * 4, "sldc-trailing", 4, id="too much padding"),
        pytest.param(stream(RESET_1, END) + b"\x01", "sldc-trailing", 4, id="padding that isn't zero"),
        pytest.param(stream(RESET_1, END) + stream(RESET_1, END), "sldc-length", 4, id="a second record"),
    ],
)
def test_a_stream_breaks(data: bytes, rule: str, offset: int, engine: Engine) -> None:
    with pytest.raises(MessageError) as broken:
        sldc.decode_body(data, LIMIT, engine)
    assert (broken.value.rule, broken.value.offset) == (rule, offset)


@pytest.mark.parametrize("body", [b"", "<s:Envelope/>".encode("utf-16"), b"\xfe\xff\x00<", b"<s:Envelope/>", b"\xef\xbb\xbf<a/>"])
def test_what_is_plain_stays_plain(body: bytes) -> None:
    assert sldc.decode_body(body, LIMIT) == body


def test_a_plain_body_is_bounded_too() -> None:
    with pytest.raises(MessageError, match="sldc-too-large"):
        sldc.decode_body(b"<" * (LIMIT + 1), LIMIT)


contents = st.one_of(
    st.binary(max_size=3000),
    st.lists(st.sampled_from([b"abc", b"a\x00b\x00", b"\xff\xff", b"x" * 300, bytes(range(256))]), max_size=30).map(b"".join),
)


@given(contents)
def test_every_content_comes_back(content: bytes) -> None:
    data = sldc.encode(content)
    assert kernel.sldc_encode(content) == data
    for engine in Engine:
        assert sldc.decode_body(data, len(content), engine) == content
    if content:
        with pytest.raises(MessageError, match="sldc-too-large"):
            sldc.decode_body(data, len(content) - 1)


@given(st.text(max_size=500).map(lambda text: (text * 3).encode("utf-16-le", "surrogatepass")))
def test_repetitions_make_a_stream_shorter(content: bytes) -> None:
    assert len(sldc.encode(content)) <= len(content) * 9 // 8 + 12


symbols = st.one_of(
    st.sampled_from([RESET_1, RESET_2, SCHEME_1, SCHEME_2, END]),
    st.integers(0, 255).map(literal),
    st.builds(copied, st.integers(2, 271), st.integers(0, 1023)),
    st.builds(copied, st.integers(2, 271), st.integers(0, 4)),
    st.binary(max_size=4).map(plain),
    st.text("01", max_size=5),
)


def by_the_twin(data: bytes) -> tuple[bytes, str | None, int]:
    """What the native function returns, by the readable one."""
    try:
        return sldc.decode(data, LIMIT), None, 0
    except MessageError as error:
        return b"", error.rule, error.offset


def joined(parts: Iterable[str]) -> bytes:
    return stream(RESET_1, literal(0x61), *parts)


@given(
    st.one_of(
        st.binary(max_size=400),
        st.lists(symbols, max_size=60).map(joined),
        st.builds(lambda data, tail: data + tail, st.lists(symbols).map(joined), st.binary(max_size=9)),
    )
)
def test_twins_agree_on_anything(data: bytes) -> None:
    found = by_the_twin(data)
    assert kernel.sldc_decode(data, LIMIT) == found
    assert len(found[0]) <= LIMIT


@given(contents.filter(bool), st.data())
def test_damage_is_met_alike(content: bytes, data: st.DataObject) -> None:
    whole = bytearray(sldc.encode(content))
    for at in data.draw(st.lists(st.integers(0, len(whole) - 1), min_size=1, max_size=3)):
        whole[at] ^= 1 << data.draw(st.integers(0, 7))
    damaged = bytes(whole[: data.draw(st.integers(0, len(whole)))])
    assert kernel.sldc_decode(damaged, LIMIT) == by_the_twin(damaged)
