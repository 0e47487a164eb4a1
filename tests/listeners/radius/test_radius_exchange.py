"""What becomes of a packet: accepted, answered or dropped, and nothing else, whatever comes."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.radius_packets import accounting_requests, packets, signed

from listeners.radius.clients import Client
from listeners.radius.exchange import Accept, Answer, Drop, receive
from wire.radius.attributes import Attribute
from wire.radius.authenticators import encode_accounting_request, encode_status_server, verify_response
from wire.radius.packet import Code, Packet, encode_packet

SECRET = b"a secret that nobody guesses"
CLIENT = Client("vpn1", SECRET)
STRICT = Client("vpn2", SECRET, require_message_authenticator=True)
SIGNED = encode_accounting_request(1, [Attribute(40, bytes(4))], SECRET)
STATUS = encode_status_server(1, bytes(range(16)), SECRET)

#   datagram                                                                      client      becomes
CASES: list[tuple[bytes, Client | None, Accept | Drop]] = [
    (SIGNED,                                                                        CLIENT,     Accept(SIGNED, CLIENT)),
    (SIGNED + b"padding",                                                           CLIENT,     Accept(SIGNED, CLIENT)),
    (SIGNED,                                                                        None,       Drop("unknown-client")),
    (b"",                                                                           None,       Drop("unknown-client")),
    (b"",                                                                           CLIENT,     Drop("radius-short", CLIENT, "0 octets")),
    (SIGNED[:19],                                                                   CLIENT,     Drop("radius-short", CLIENT, "19 octets")),
    (SIGNED[:-1],                                                                   CLIENT,     Drop("radius-short", CLIENT, "Length 26 of 25 octets")),
    (SIGNED[:2] + b"\x00\x13" + SIGNED[4:],                                         CLIENT,     Drop("radius-length", CLIENT, "19")),
    (SIGNED[:2] + b"\x10\x01" + SIGNED[4:],                                         CLIENT,     Drop("radius-length", CLIENT, "4097")),
    (SIGNED,                                                                        STRICT,     Drop("radius-no-message-authenticator", STRICT)),
    (encode_accounting_request(1, [], b"another"),                                  CLIENT,     Drop("radius-authenticator", CLIENT)),
    (STATUS[:-1] + b"!",                                                            CLIENT,     Drop("radius-message-authenticator", CLIENT)),
    (encode_packet(Packet(Code.STATUS_SERVER, 1, bytes(16))),                       CLIENT,     Drop("radius-no-message-authenticator", CLIENT)),
]  # fmt: skip
CASES += [(bytes((code,)) + SIGNED[1:], CLIENT, Drop("radius-code", CLIENT, str(code))) for code in (1, 2, 3, 5, 11, 40, 43, 255)]


@pytest.mark.parametrize(("datagram", "client", "expected"), CASES)
def test_a_packet_becomes(datagram: bytes, client: Client | None, expected: Accept | Drop) -> None:
    found = receive(datagram, client)
    assert (replace(found, offset=0) if isinstance(found, Drop) else found) == expected


def test_a_status_server_is_answered_as_accounting_is() -> None:
    answer = receive(STATUS, STRICT)
    assert isinstance(answer, Answer)
    assert verify_response(answer.response, STATUS, SECRET).code == Code.ACCOUNTING_RESPONSE


@given(accounting_requests())
def test_what_a_client_signs_is_accepted_and_its_answer_is_believed(packet: Packet) -> None:
    datagram = signed(packet, SECRET)
    found = receive(datagram, CLIENT)
    assert found == Accept(datagram, CLIENT)
    assert isinstance(found, Accept)
    answer = verify_response(found.answer(), datagram, SECRET)
    assert answer.values(33) == packet.values(33)
    assert isinstance(receive(datagram, STRICT), Accept if packet.values(80) else Drop)


@given(accounting_requests(), st.data())
def test_an_octet_changed_is_never_accepted(packet: Packet, data: st.DataObject) -> None:
    datagram = bytearray(signed(packet, SECRET))
    at = data.draw(st.integers(0, len(datagram) - 1))
    datagram[at] ^= data.draw(st.integers(1, 255))
    found = receive(bytes(datagram), CLIENT)
    assert isinstance(found, Drop)
    assert found.client == CLIENT


@given(st.binary(max_size=200) | packets().map(encode_packet), st.sampled_from([CLIENT, STRICT]))
def test_anything_else_is_dropped_for_a_reason(datagram: bytes, client: Client) -> None:
    found = receive(datagram, client)
    assert isinstance(found, Drop)
    assert found.reason.startswith("radius-")
