"""Packets: what is encoded is what is decoded, any octets at all raise MessageError only, nothing runs past what holds it."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.radius_packets import packets

from pipeline.errors import FramingError, MessageError
from wire.radius.attributes import Attribute, parse_attributes, scan_numbered
from wire.radius.named import named_attributes
from wire.radius.packet import HEADER, MAX_LENGTH, Packet, encode_packet, parse_packet, scan_length, scan_packets


def datagram(attributes: bytes, length: int | None = None) -> bytes:
    return bytes((4, 7)) + (HEADER + len(attributes) if length is None else length).to_bytes(2) + bytes(range(16)) + attributes


@given(packets())
def test_what_is_encoded_is_decoded(packet: Packet) -> None:
    octets = encode_packet(packet)
    assert parse_packet(octets) == packet
    assert scan_length(octets) == len(octets) <= MAX_LENGTH


@given(packets(), st.binary(max_size=30))
def test_what_is_decoded_is_encoded(packet: Packet, padding: bytes) -> None:
    octets = encode_packet(packet)
    assert encode_packet(parse_packet(octets + padding)) == octets


REFUSED = {
    "empty": (b"", "radius-short", 0),
    "a header less an octet": (datagram(b"", 20)[:19], "radius-short", 19),
    "Length 0": (datagram(b"", 0), "radius-length", 2),
    "Length under a header": (datagram(b"", 19), "radius-length", 2),
    "Length over 4096": (datagram(bytes((1, 2)) * 2039), "radius-length", 2),
    "Length of 65535": (datagram(b"", 65535), "radius-length", 2),
    "Length over the datagram": (datagram(b"", 21), "radius-short", 20),
    "an attribute's type alone": (datagram(b"\x01"), "radius-attribute", 20),
    "an attribute of length 0": (datagram(b"\x01\x00"), "radius-attribute", 20),
    "an attribute of length 1": (datagram(b"\x01\x01"), "radius-attribute", 20),
    "an attribute past the end": (datagram(b"\x01\x04a"), "radius-attribute", 20),
    "a second attribute past the end": (datagram(b"\x01\x03a\x02\x03"), "radius-attribute", 23),
    "an attribute that ends in the padding": (datagram(b"\x01\x03a", 22), "radius-attribute", 20),
}


@pytest.mark.parametrize(("octets", "rule", "offset"), REFUSED.values(), ids=REFUSED)
def test_refused(octets: bytes, rule: str, offset: int) -> None:
    with pytest.raises(MessageError) as raised:
        parse_packet(octets)
    assert (raised.value.rule, raised.value.offset) == (rule, offset)


def test_the_largest_packet() -> None:
    octets = datagram(bytes((1, 2)) * ((MAX_LENGTH - HEADER) // 2))
    assert len(octets) == MAX_LENGTH
    assert parse_packet(octets).attributes == (Attribute(1, b""),) * 2038


TOO_MUCH = {
    "over 4096 octets": Packet(4, 1, bytes(16), (Attribute(1, bytes(253)),) * 17),
    "a short authenticator": Packet(4, 1, bytes(15)),
    "a code over 255": Packet(256, 1, bytes(16)),
    "an identifier over 255": Packet(4, 256, bytes(16)),
    "a value over 253 octets": Packet(4, 1, bytes(16), (Attribute(1, bytes(254)),)),
}


@pytest.mark.parametrize("packet", TOO_MUCH.values(), ids=TOO_MUCH)
def test_what_no_packet_holds_is_not_encoded(packet: Packet) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - ours or that of bytes()
        encode_packet(packet)


@given(st.binary(max_size=300) | st.binary(max_size=120).map(datagram))
def test_any_octets(octets: bytes) -> None:
    with contextlib.suppress(MessageError):
        packet = parse_packet(octets)
        assert len(packet.attributes) <= len(octets) // 2
        assert sum(2 + len(attribute.value) for attribute in packet.attributes) == scan_length(octets) - HEADER
        assert sum(len(value) for _, value in scan_numbered(packet.attributes)) <= len(octets)
        named_attributes(packet)


@given(st.binary(max_size=60), st.integers(0, 60), st.integers(0, 60))
def test_a_cursor_stays_in_its_bounds(octets: bytes, start: int, end: int) -> None:
    end = min(end, len(octets))
    with contextlib.suppress(MessageError):
        inside = parse_attributes(octets, start, end)
        assert inside == parse_attributes(octets[:end], start, end)


@given(st.lists(packets().map(encode_packet), max_size=3), st.binary(max_size=30), st.data())
def test_a_stream_is_cut_where_its_packets_end(whole: list[bytes], prefix: bytes, data: st.DataObject) -> None:
    stream = b"".join(whole)
    held = stream[: data.draw(st.integers(0, len(stream)))]
    spans, rest = scan_packets(prefix + held, len(prefix))
    assert [(prefix + held)[start:end] for start, end in spans] == whole[: len(spans)]
    assert rest == len(prefix) + sum(map(len, whole[: len(spans)]))
    assert len(spans) == len(whole) or len(held) - (rest - len(prefix)) < len(whole[len(spans)])


@pytest.mark.parametrize("length", [0, 19, MAX_LENGTH + 1, 65535])
def test_a_stream_of_a_wrong_length_ends(length: int) -> None:
    good = datagram(b"\x01\x03a")
    with pytest.raises(FramingError) as raised:
        scan_packets(good + bytes((4, 1)) + length.to_bytes(2))
    assert (raised.value.rule, raised.value.offset) == ("radius-length", len(good))


@given(st.binary(max_size=200))
def test_any_stream(octets: bytes) -> None:
    with contextlib.suppress(FramingError):
        spans, rest = scan_packets(octets)
        assert all(HEADER <= end - start <= MAX_LENGTH for start, end in spans)
        assert rest == sum(end - start for start, end in spans) <= len(octets)
