"""pyrad and we read every packet alike, but for the differences that support.pyrad_oracle lists; each believes what the other signs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyrad.packet import AccountingResponse, AcctPacket, StatusServer
from support.pyrad_oracle import DIFFERENCES, REFUSALS, PacketError, difference, expected_of_pyrad, pyrad_dictionary, pyrad_raw, pyrad_text, pyrad_view
from support.radius_packets import SECRET, accounting_requests, authenticators, identifiers, packets, signed, texts

from pipeline.errors import MessageError
from wire.radius.attributes import EXTENDED, Numbered, encode_numbered, scan_numbered
from wire.radius.authenticators import encode_response, encode_status_server, verify_request, verify_response
from wire.radius.dictionary import Entry, Kind, dictionary
from wire.radius.named import named_attributes
from wire.radius.packet import Packet, encode_packet, parse_packet
from wire.radius.values import encode_value, parse_value, split_tag

entries = st.sampled_from([entry for _, entry in sorted(dictionary().by_path.items()) if entry.path[0] not in EXTENDED and not entry.secret])


@st.composite
def values(draw: st.DrawFn) -> tuple[Entry, bytes]:
    """A value of its attribute's form, or one of about the right size, or any."""
    entry = draw(entries)
    return entry, draw(texts(entry).map(lambda text: encode_value(entry, text)) | st.binary(max_size=20) | st.binary(min_size=4, max_size=4))


def accepted_by_pyrad(datagram: bytes) -> bool:
    try:
        pyrad_raw(datagram)
    except PacketError:
        return False
    return True


@given(packets())
def test_packets_are_split_alike(packet: Packet) -> None:
    assert pyrad_raw(encode_packet(packet)) == pyrad_view(packet)
    ours = [(path, value) for path, value in scan_numbered(packet.attributes) if path[0] == 26 and len(path) == 3]
    theirs = [(key, value) for key, found in pyrad_view(packet).items() if isinstance(key, tuple) for value in found]
    assert sorted(((26, *key), value) for key, value in theirs) == sorted(ours)


@given(packets().map(encode_packet) | st.binary(max_size=60), st.data())
def test_what_pyrad_refuses_we_refuse(octets: bytes, data: st.DataObject) -> None:
    damaged = bytearray(octets)
    for _ in range(data.draw(st.integers(0, 2)) if octets else 0):
        damaged[data.draw(st.integers(0, len(octets) - 1))] = data.draw(st.integers(0, 255))
    try:
        packet = parse_packet(bytes(damaged))
    except MessageError:
        return
    assert pyrad_raw(bytes(damaged)) == pyrad_view(packet)


@pytest.mark.parametrize("name", REFUSALS)
def test_what_pyrad_takes_and_we_do_not(name: str) -> None:
    datagram, _ = REFUSALS[name]
    assert accepted_by_pyrad(datagram)
    with pytest.raises(MessageError):
        parse_packet(datagram)


@given(values())
def test_values_are_read_alike(drawn: tuple[Entry, bytes]) -> None:
    entry, value = drawn
    ours = parse_value(entry, split_tag(entry, value)[1])
    assert pyrad_text(entry, value) == expected_of_pyrad(entry, value, ours)


EXAMPLES = {
    "a tag over 31": ("Tunnel-Type", b"\x20\0\0\3"),
    "a value of another size than its type's": ("NAS-Port", b"\0\1"),
    "a short IPv6 address": ("NAS-IPv6-Address", bytes(15)),
    "a long IPv6 address": ("NAS-IPv6-Address", bytes(17)),
    "an IPv6 prefix of no form": ("Framed-IPv6-Prefix", b"\0\x81"),
    "an IPv4 address in IPv6": ("NAS-IPv6-Address", bytes(10) + b"\xff\xff\xc0\0\2\1"),
    "text that isn't UTF-8": ("User-Name", b"\xff"),
    "text with NULs at its end": ("User-Name", b"jdoe\0"),
}


@pytest.mark.parametrize("name", DIFFERENCES)
def test_each_difference_is_one(name: str) -> None:
    entry, value = dictionary().by_name[EXAMPLES[name][0]], EXAMPLES[name][1]
    assert difference(entry, value) is DIFFERENCES[name]
    expected = DIFFERENCES[name].pyrad(entry, value)
    assert pyrad_text(entry, value) == expected
    (seen,) = named_attributes(Packet(4, 1, bytes(16), encode_numbered(Numbered(entry.path, value))))
    assert seen != (entry.name, expected) or name == "an IPv4 address in IPv6"  # newer Pythons write it as we do


@given(accounting_requests(), st.booleans())
def test_pyrad_believes_what_we_sign(packet: Packet, message_authenticator: bool) -> None:  # noqa: FBT001 - drawn
    theirs = AcctPacket(packet=signed(packet, message_authenticator=message_authenticator), secret=SECRET, dict=pyrad_dictionary())
    assert theirs.VerifyAcctRequest()
    if message_authenticator:
        assert theirs.verify_message_authenticator()


@given(identifiers, authenticators)
def test_pyrad_believes_our_status_server(identifier: int, authenticator: bytes) -> None:
    assert AcctPacket(packet=encode_status_server(identifier, authenticator, SECRET), secret=SECRET, dict=pyrad_dictionary()).VerifyAcctRequest()


@given(identifiers, st.lists(st.binary(max_size=20), max_size=3), st.booleans(), st.booleans())
def test_each_believes_the_others_exchange(identifier: int, proxy_states: list[bytes], status: bool, sealed: bool) -> None:  # noqa: FBT001 - drawn
    asking = AcctPacket(id=identifier, secret=SECRET, dict=pyrad_dictionary(), message_authenticator=sealed or None)
    if status:
        asking.code = StatusServer
    if proxy_states:
        asking[33] = proxy_states
    request = asking.RequestPacket()
    assert verify_request(request, SECRET) == request
    answer = encode_response(request, SECRET)
    assert asking.VerifyReply(AcctPacket(packet=answer, secret=SECRET, dict=pyrad_dictionary()), answer)
    assert verify_response(answer, request, SECRET).values(33) == tuple(proxy_states)
    theirs = AcctPacket(packet=request, secret=SECRET, dict=pyrad_dictionary()).CreateReply(message_authenticator=sealed or status)
    assert verify_response(theirs.ReplyPacket(), request, SECRET).code == AccountingResponse


def test_the_oracle_knows_every_type() -> None:
    assert {entry.kind for entry in dictionary().by_name.values()} == set(Kind)
