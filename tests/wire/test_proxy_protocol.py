from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import FramingError
from wire.proxy_protocol import FIRST_READ, MAX_BLOCK, MAX_LINE, SIGNATURE, Proxied, encode_proxy_block, encode_proxy_line, scan_proxy_header

ports = st.integers(0, 65535)
pairs = st.one_of(
    st.tuples(st.tuples(st.ip_addresses(v=4).map(str), ports), st.tuples(st.ip_addresses(v=4).map(str), ports)),
    st.tuples(st.tuples(st.ip_addresses(v=6).map(str), ports), st.tuples(st.ip_addresses(v=6).map(str), ports)),
)


def read(stream: bytes, at_most: int = 1 << 16) -> tuple[Proxied, bytes]:
    """What a header says, and what follows it, read as a connection is; at most so much at once."""
    octets, rest = b"", stream
    while isinstance(found := scan_proxy_header(octets), int):
        assert found >= 1
        taken = min(found, at_most, len(rest))
        if not taken:
            raise EOFError
        octets, rest = octets + rest[:taken], rest[taken:]
    return found, rest


@given(pairs, st.binary(max_size=20), st.integers(1, 20))
def test_a_header_is_read_to_its_last_octet_and_no_further(pair: tuple[tuple[str, int], tuple[str, int]], rest: bytes, at_most: int) -> None:
    client, server = pair
    for header in (encode_proxy_line(client, server), encode_proxy_block(client, server)):
        assert read(header + rest, at_most) == (Proxied(client), rest)


@pytest.mark.parametrize(
    ("header", "client"),
    [
        pytest.param(b"PROXY UNKNOWN\r\n", None, id="unknown"),
        pytest.param(b"PROXY UNKNOWN ff::1 what ever\r\n", None, id="unknown, with something to skip"),
        pytest.param(b"PROXY TCP4 192.0.2.1 192.0.2.2 56324 5986\r\n", ("192.0.2.1", 56324), id="IPv4"),
        pytest.param(b"PROXY TCP6 2001:db8::1 ::1 0 65535\r\n", ("2001:db8::1", 0), id="IPv6"),
        pytest.param(SIGNATURE + b"\x20\x00\x00\x00", None, id="local"),
        pytest.param(SIGNATURE + b"\x20\xff\x00\x02ab", None, id="local, whatever the family"),
        pytest.param(SIGNATURE + b"\x21\x00\x00\x03abc", None, id="unspecified"),
        pytest.param(SIGNATURE + b"\x21\x12\x00\x0c" + bytes(12), None, id="UDP is no connection"),
        pytest.param(SIGNATURE + b"\x21\x31\x00\xd8" + bytes(216), None, id="a UNIX socket has no address"),
        pytest.param(
            SIGNATURE + b"\x21\x11\x00\x10" + bytes((192, 0, 2, 1, 192, 0, 2, 2, 1, 2, 3, 4)) + b"\x04\x00\x01x",
            ("192.0.2.1", 258),
            id="TLVs behind the addresses",
        ),
    ],
)
def test_a_header_says(header: bytes, client: tuple[str, int] | None) -> None:
    assert read(header + b"GET") == (Proxied(client), b"GET")


@pytest.mark.parametrize(
    ("stream", "rule"),
    [
        pytest.param(b"GET / HTTP/1.1\r\n", "proxy-missing", id="HTTP at once"),
        pytest.param(b"\x16\x03\x01\x02\x00" + bytes(20), "proxy-missing", id="TLS at once"),
        pytest.param(b"\r\n\r\n\x00\r\nQUIX\n" + bytes(9), "proxy-missing", id="nearly the signature"),
        pytest.param(b"PROXYTCP4 " + bytes(20), "proxy-missing", id="nearly the word"),
        pytest.param(b"PROXY TCP4 " + b"1" * 200, "proxy-syntax", id="a line without end"),
        pytest.param(b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\n", "proxy-syntax", id="bare LF"),
        pytest.param(b"PROXY TCP5 192.0.2.1 192.0.2.2 1 2\r\n", "proxy-syntax", id="TCP5"),
        pytest.param(b"PROXY TCP4  192.0.2.1 192.0.2.2 1 2\r\n", "proxy-syntax", id="two spaces"),
        pytest.param(b"PROXY TCP4 192.0.2.1 192.0.2.2 1\r\n", "proxy-syntax", id="a port missing"),
        pytest.param(b"PROXY TCP4 192.0.2.1 192.0.2.2 -1 2\r\n", "proxy-syntax", id="a negative port"),
        pytest.param(b"PROXY TCP4 192.0.2.1 192.0.2.2 01 2\r\n", "proxy-syntax", id="a port with a leading zero"),
        pytest.param(b"PROXY TCP4 192.0.2.1 192.0.2.2 65536 2\r\n", "proxy-address", id="a port over 65535"),
        pytest.param(b"PROXY TCP4 192.0.2.256 192.0.2.2 1 2\r\n", "proxy-address", id="an octet over 255"),
        pytest.param(b"PROXY TCP4 2001:db8::1 ::1 1 2\r\n", "proxy-address", id="IPv6 called IPv4"),
        pytest.param(b"PROXY TCP6 192.0.2.1 192.0.2.2 1 2\r\n", "proxy-address", id="IPv4 called IPv6"),
        pytest.param(SIGNATURE + b"\x11\x11\x00\x0c" + bytes(12), "proxy-version", id="version 1 in binary"),
        pytest.param(SIGNATURE + b"\x22\x11\x00\x0c" + bytes(12), "proxy-version", id="an unknown command"),
        pytest.param(SIGNATURE + b"\x21\x44\x00\x0c" + bytes(12), "proxy-syntax", id="an unknown family"),
        pytest.param(SIGNATURE + b"\x21\x11\x00\x0b" + bytes(11), "proxy-syntax", id="IPv4 cut short"),
        pytest.param(SIGNATURE + b"\x21\x21\x00\x23" + bytes(35), "proxy-syntax", id="IPv6 cut short"),
        pytest.param(SIGNATURE + b"\x21\x11\xff\xff", "proxy-too-long", id="a block without end"),
    ],
)
def test_a_header_breaks(stream: bytes, rule: str) -> None:
    with pytest.raises(FramingError) as broken:
        read(stream)
    assert broken.value.rule == rule


@given(
    st.one_of(st.binary(), st.binary().map(lambda data: SIGNATURE + b"\x21" + data), st.binary().map(lambda data: b"PROXY TCP4 " + data)), st.integers(1, 64)
)
def test_anything_is_a_header_a_broken_rule_or_unfinished(stream: bytes, at_most: int) -> None:
    try:
        read(stream, at_most)
    except (FramingError, EOFError):
        return


def test_what_is_read_ahead_is_bounded() -> None:
    assert scan_proxy_header(b"") == FIRST_READ
    assert scan_proxy_header(b"PROXY TCP4 " + b"1" * (MAX_LINE - 12)) == 1
    assert scan_proxy_header(SIGNATURE + b"\x21\x11" + MAX_BLOCK.to_bytes(2)) == MAX_BLOCK
