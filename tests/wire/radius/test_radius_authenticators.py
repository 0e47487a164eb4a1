"""Authenticators: who holds the secret is believed, nobody else, whichever octet of a packet is changed."""

from __future__ import annotations

import hmac
from hashlib import md5

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from support.radius_packets import SECRET, accounting_requests, authenticators, identifiers, packets, signed

from pipeline.errors import MessageError, WireError
from wire.radius.attributes import Attribute
from wire.radius.authenticators import (
    MESSAGE_AUTHENTICATOR,
    PROXY_STATE,
    UNSIGNED,
    encode_accounting_request,
    encode_response,
    encode_status_server,
    verify_request,
    verify_response,
)
from wire.radius.packet import Code, Packet, encode_packet, parse_packet

proxy_states = st.lists(st.binary(max_size=20), max_size=4).map(lambda values: tuple(Attribute(PROXY_STATE, value) for value in values))
secrets = st.binary(min_size=1, max_size=70).filter(lambda secret: secret != SECRET)
other_attributes = packets(keep=lambda attribute: attribute.type not in (MESSAGE_AUTHENTICATOR, PROXY_STATE)).map(lambda packet: packet.attributes[:10])


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    """A signed request of any kind that can be verified, with Proxy-State here and there."""
    attributes = draw(st.permutations([*draw(other_attributes), *draw(proxy_states)]))
    if draw(st.booleans()):
        return encode_status_server(draw(identifiers), draw(authenticators), SECRET, attributes[:12])
    return encode_accounting_request(draw(identifiers), attributes[:12], SECRET, message_authenticator=draw(st.booleans()))


def refused(datagram: bytes, secret: bytes = SECRET, *, require: bool = False) -> str:
    with pytest.raises(MessageError) as raised:
        verify_request(datagram, secret, require_message_authenticator=require)
    return raised.value.rule


@given(requests(), st.binary(max_size=20))
def test_a_signed_request_is_believed_and_its_padding_dropped(request: bytes, padding: bytes) -> None:
    assert verify_request(request + padding, SECRET) == request


@given(accounting_requests(), st.booleans())
def test_signing_changes_no_attribute(packet: Packet, message_authenticator: bool) -> None:  # noqa: FBT001 - drawn
    found = parse_packet(signed(packet, message_authenticator=message_authenticator))
    assert (found.code, found.identifier) == (packet.code, packet.identifier)
    assert found.attributes[int(message_authenticator) :] == packet.attributes
    assert len(found.values(MESSAGE_AUTHENTICATOR)) == message_authenticator


@given(requests(), st.data())
def test_a_changed_octet_is_never_believed(request: bytes, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(request) - 1))
    changed = bytearray(request)
    changed[at] ^= data.draw(st.integers(1, 255))
    assert refused(bytes(changed)).startswith("radius-")


@given(requests(), st.binary(min_size=1, max_size=8), st.data())
def test_nor_one_that_makes_padding_of_attributes_or_the_reverse(request: bytes, padding: bytes, data: st.DataObject) -> None:
    length = data.draw(st.integers(0, 4096).filter(lambda length: length != len(request)))
    assert refused(request[:2] + length.to_bytes(2) + request[4:] + padding).startswith("radius-")


def test_not_one_bit_of_a_request_can_be_changed() -> None:
    request = encode_accounting_request(7, (Attribute(40, b"\0\0\0\1"), Attribute(44, b"8F2A0001")), SECRET, message_authenticator=True)
    for bit in range(len(request) * 8):
        changed = bytearray(request)
        changed[bit // 8] ^= 0x80 >> bit % 8
        assert refused(bytes(changed))


@given(requests(), secrets)
def test_another_secret_makes_another_packet(request: bytes, secret: bytes) -> None:
    assume(len(secret) > 64 or secret.rstrip(b"\0") != SECRET)  # HMAC pads keys with zeros (RFC 2104)
    assert refused(request, secret) in ("radius-authenticator", "radius-message-authenticator")


def accounting(*attributes: Attribute) -> bytes:
    """Signed with whatever Message-Authenticators it has."""
    return sign_only(encode_packet(Packet(Code.ACCOUNTING_REQUEST, 1, bytes(16), attributes)))


def sign_only(unsigned: bytes) -> bytes:
    return unsigned[:4] + md5(unsigned + SECRET, usedforsecurity=False).digest() + unsigned[20:]


def two_of_which_the_second_is_right() -> bytes:
    unsigned = encode_packet(Packet(Code.ACCOUNTING_REQUEST, 1, bytes(16), (UNSIGNED, UNSIGNED)))
    return sign_only(unsigned[:-16] + hmac.digest(SECRET, unsigned, "md5"))


STATUS_SERVER = encode_status_server(1, b"0123456789abcdef", SECRET)
REFUSED = {
    "Access-Request": (encode_packet(Packet(Code.ACCESS_REQUEST, 1, bytes(16))), "radius-code"),
    "Accounting-Response": (encode_packet(Packet(Code.ACCOUNTING_RESPONSE, 1, bytes(16))), "radius-code"),
    "code 255": (encode_packet(Packet(255, 1, bytes(16))), "radius-code"),
    "zeros as authenticator": (encode_packet(Packet(Code.ACCOUNTING_REQUEST, 1, bytes(16))), "radius-authenticator"),
    "a Message-Authenticator of zeros": (accounting(UNSIGNED), "radius-message-authenticator"),
    "a short Message-Authenticator": (accounting(Attribute(80, bytes(15))), "radius-message-authenticator"),
    "a long Message-Authenticator": (accounting(Attribute(80, bytes(17))), "radius-message-authenticator"),
    "an empty Message-Authenticator": (accounting(Attribute(80, b"")), "radius-message-authenticator"),
    "two Message-Authenticators": (accounting(UNSIGNED, UNSIGNED), "radius-message-authenticator"),
    "two Message-Authenticators, the second right": (two_of_which_the_second_is_right(), "radius-message-authenticator"),
    "a signed packet whose attributes break their form": (sign_only(bytes((4, 1, 0, 22)) + bytes(16) + b"\x01\x09"), "radius-attribute"),
    "Status-Server without Message-Authenticator": (encode_packet(Packet(Code.STATUS_SERVER, 1, bytes(16))), "radius-no-message-authenticator"),
    "Status-Server with two": (encode_packet(Packet(Code.STATUS_SERVER, 1, bytes(16), (UNSIGNED, UNSIGNED))), "radius-message-authenticator"),
    "Status-Server of other octets": (STATUS_SERVER[:4] + bytes(16) + STATUS_SERVER[20:], "radius-message-authenticator"),
    "Status-Server as Accounting-Request": (b"\x04" + STATUS_SERVER[1:], "radius-authenticator"),
}


@pytest.mark.parametrize(("request_", "rule"), REFUSED.values(), ids=REFUSED)
def test_refused(request_: bytes, rule: str) -> None:
    assert refused(request_) == rule


def test_a_message_authenticator_is_asked_for() -> None:
    plain, sealed = (encode_accounting_request(1, (), SECRET, message_authenticator=wanted) for wanted in (False, True))
    assert refused(plain, require=True) == "radius-no-message-authenticator"
    assert verify_request(sealed, SECRET, require_message_authenticator=True) == sealed
    assert verify_request(plain, SECRET) == plain


def test_a_message_authenticator_stays_where_it_was() -> None:
    attributes = (Attribute(44, b"8F2A0001"), Attribute(MESSAGE_AUTHENTICATOR, b"of the last hop."), Attribute(1, b"jdoe"))
    request = encode_accounting_request(1, attributes, SECRET, message_authenticator=True)
    assert [attribute.type for attribute in parse_packet(verify_request(request, SECRET)).attributes] == [44, 80, 1]


@given(st.binary(max_size=120) | packets().map(encode_packet), st.binary(max_size=20))
def test_any_octets(datagram: bytes, secret: bytes) -> None:
    with pytest.raises(WireError):
        verify_request(datagram, secret)
    with pytest.raises(WireError):
        verify_response(datagram, STATUS_SERVER, secret)


@given(requests(), st.binary(max_size=9))
def test_a_response_is_believed_and_echoes_proxy_state_in_order(request: bytes, padding: bytes) -> None:
    response = encode_response(request, SECRET)
    found, asked = verify_response(response + padding, request, SECRET), parse_packet(request)
    assert (found.code, found.identifier) == (Code.ACCOUNTING_RESPONSE, asked.identifier)
    assert found.values(PROXY_STATE) == asked.values(PROXY_STATE)
    assert bool(found.values(MESSAGE_AUTHENTICATOR)) == bool(asked.values(MESSAGE_AUTHENTICATOR))
    assert {attribute.type for attribute in found.attributes} <= {PROXY_STATE, MESSAGE_AUTHENTICATOR}


@given(requests(), st.data())
def test_a_changed_response_is_never_believed(request: bytes, data: st.DataObject) -> None:
    response = bytearray(encode_response(request, SECRET))
    response[data.draw(st.integers(0, len(response) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(MessageError):
        verify_response(bytes(response), request, SECRET)


@given(requests(), requests())
def test_a_response_answers_one_request_only(request: bytes, other: bytes) -> None:
    assume(request[:20] != other[:20])
    with pytest.raises(MessageError) as raised:
        verify_response(encode_response(request, SECRET), other, SECRET)
    assert raised.value.rule == ("radius-identifier" if request[1] != other[1] else "radius-authenticator")


RFC_5997 = {
    "6.1, authentication port": (
        "0cda00268a54f4686fb394c52866e302185d062350125a665e2e1e8411f3e243822097c84fa3",
        "02da0014ef0d552a4bf2d693ec2b6fe8b5411d66",
    ),
    "6.2, accounting port": (
        "0cb30026925f6b66dd5fed571fcb1db7ad3882605012e8d6eabda910875cd91fdade26367858",
        "05b300140f6f92145f107e2f504e860a4860669c",
    ),
}


@pytest.mark.parametrize(("request_", "response"), RFC_5997.values(), ids=RFC_5997)
def test_the_examples_of_rfc_5997_section_6(request_: str, response: str) -> None:
    asked, answered, secret = bytes.fromhex(request_), bytes.fromhex(response), b"xyzzy5461"
    assert verify_request(asked, secret) == asked
    assert encode_status_server(asked[1], asked[4:20], secret) == asked
    assert verify_response(answered, asked, secret) == parse_packet(answered)
