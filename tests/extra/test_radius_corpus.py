"""RADIUS packets as captured: read as pyrad reads them but for the listed differences, written back as they were, and believed with their secret."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from support.pcap import read_datagrams
from support.pyrad_oracle import DIFFERENCES, difference, expected_of_pyrad, pyrad_raw, pyrad_text, pyrad_view

from pipeline.errors import MessageError
from wire.radius.attributes import EXTENDED, scan_numbered
from wire.radius.authenticators import encode_response, verify_request, verify_response
from wire.radius.dictionary import dictionary
from wire.radius.named import named_attributes
from wire.radius.packet import Code, encode_packet, parse_packet, scan_length
from wire.radius.values import parse_value, split_tag


@pytest.fixture
def radius(extra_corpus: Path) -> Path:
    return extra_corpus / "corpus" / "radius"


@pytest.fixture
def secret(extra_corpus: Path) -> bytes:
    found = re.search(r"Shared secret[^`\n]*`([^`]+)`", (extra_corpus / "corpus" / "README.md").read_text())
    assert found
    return found[1].encode()


def rows(radius: Path) -> list[tuple[str, bytes]]:
    lines = (radius / "freeradius-decode-proto.tsv").read_text().splitlines()
    return [(name, bytes.fromhex(octets)) for name, octets in (line.split("\t")[:2] for line in lines)]


def packets(radius: Path) -> list[tuple[str, bytes]]:
    """All that have the form of a packet; the rest of FreeRADIUS' rows is tested below."""
    found = [(path.name, datagram.payload) for path in sorted(radius.glob("*.pcap")) for datagram in read_datagrams(path)]
    found += [(path.name, bytes.fromhex(path.read_text())) for path in sorted(radius.glob("*.hex"))]
    return found + [(name, octets) for name, octets in rows(radius) if name != "errors.txt"]


def test_every_packet_is_read_as_pyrad_does(radius: Path) -> None:
    known = dictionary().by_path
    seen = 0
    differing = set[tuple[str, str]]()
    for name, octets in packets(radius):
        packet = parse_packet(octets)
        assert encode_packet(packet) == octets[: scan_length(octets)], name
        assert pyrad_raw(octets) == pyrad_view(packet), name
        for path, value in scan_numbered(packet.attributes):
            entry = known.get(path)
            if entry is None or path[0] in EXTENDED or entry.secret:
                continue
            seen += 1
            ours = parse_value(entry, split_tag(entry, value)[1])
            assert pyrad_text(entry, value) == expected_of_pyrad(entry, value, ours), (name, entry.name)
            if (found := difference(entry, value)) is not None:
                differing.add((name, next(why for why in DIFFERENCES if DIFFERENCES[why] is found)))
        assert all(text.isprintable() for _, text in named_attributes(packet) if name.startswith(("cisco", "arkime")))
    assert seen > 200
    assert differing == {
        ("foreign.txt", "a value of another size than its type's"),  # found by a fuzzer
        ("packet_rfc3162.txt", "an IPv6 prefix of no form"),  # made to be so
        ("tcpdump-RADIUS-RFC3162.pcap", "an IPv6 prefix of no form"),  # the same packet
    }


def test_what_freeradius_refuses_is_refused(radius: Path, secret: bytes) -> None:
    refused = [octets for name, octets in rows(radius) if name == "errors.txt"]
    assert refused
    for octets in refused:
        with pytest.raises(MessageError) as raised:
            verify_request(octets, secret)
        if raised.value.rule == "radius-code" and octets[0] == Code.ACCESS_REQUEST:  # an accounting listener looks at nothing else of it
            with pytest.raises(MessageError):
                parse_packet(octets)


def test_the_captured_exchange_is_believed_and_answered_alike(radius: Path, secret: bytes) -> None:
    request, response = (bytes.fromhex((radius / f"cisco_accounting{part}.hex").read_text()) for part in ("", "_response"))
    assert verify_request(request, secret) == request
    assert encode_response(request, secret) == response
    assert verify_response(response, request, secret).code == Code.ACCOUNTING_RESPONSE
    with pytest.raises(MessageError):
        verify_request(request, secret + b"\n")


def test_not_one_bit_of_it_can_be_changed(radius: Path, secret: bytes) -> None:
    request = bytes.fromhex((radius / "cisco_accounting.hex").read_text())
    for bit in range(len(request) * 8):
        changed = bytearray(request)
        changed[bit // 8] ^= 0x80 >> bit % 8
        with pytest.raises(MessageError):
            verify_request(bytes(changed), secret)


def test_an_authenticator_of_zeros_is_refused(radius: Path, secret: bytes) -> None:
    (request, *_) = (datagram.payload for datagram in read_datagrams(radius / "arkime-accounting.pcap") if datagram.destination_port == 1813)
    named = dict(named_attributes(parse_packet(request)))
    assert named["Acct-Status-Type"] == "Interim-Update"
    assert {"User-Name", "NAS-IP-Address", "Acct-Session-Id", "Calling-Station-Id"} <= named.keys()
    with pytest.raises(MessageError) as raised:
        verify_request(request, secret)
    assert raised.value.rule == "radius-authenticator"
