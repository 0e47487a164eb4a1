"""Accounting packets of real networks, and real packets of other codes turned into accounting: valid records, nothing lost."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from support.accounting import normalized
from support.ocsf import check
from support.pcap import read_datagrams

from pipeline.errors import MessageError
from wire.radius.attributes import Attribute
from wire.radius.named import named_attributes
from wire.radius.packet import Code, Packet, encode_packet, parse_packet

START = (Attribute(40, (1).to_bytes(4)), Attribute(44, b"corpus"))


@pytest.fixture(scope="module")
def packets(extra_corpus: Path) -> list[Packet]:
    """Every packet there, whatever its code."""
    folder = extra_corpus / "corpus" / "radius"
    datagrams = [bytes.fromhex(path.read_text("ascii")) for path in sorted(folder.glob("*.hex"))]
    datagrams += [datagram.payload for path in sorted(folder.glob("*.pcap")) for datagram in read_datagrams(path)]
    found = []
    for datagram in datagrams:
        try:
            found.append(parse_packet(datagram))
        except MessageError:
            continue
    assert found
    return found


def test_accounting_becomes_valid_records(packets: list[Packet]) -> None:
    requests = [packet for packet in packets if packet.code == Code.ACCOUNTING_REQUEST]
    assert requests
    batch = normalized(*map(encode_packet, requests))
    assert len(batch.index) == len(requests)
    assert len({entry.uid for entry in batch.index}) == len({tuple(named_attributes(packet)) for packet in requests})
    for line in batch.records.splitlines():
        check(json.loads(line))
    assert None not in batch.sessions


def test_whatever_attributes_are_on_the_wire_are_in_the_record(packets: list[Packet]) -> None:
    for packet in packets:
        batch = normalized(encode_packet(replace(packet, code=Code.ACCOUNTING_REQUEST, attributes=(*START, *packet.attributes))))
        record = json.loads(batch.records)
        check(record)
        text = json.dumps(record, ensure_ascii=False)
        for name, value in named_attributes(packet):
            spelled = name in {"User-Name", "Calling-Station-Id", "Framed-IP-Address"} or name.startswith(("Acct-", "Event-"))
            assert spelled or not value.strip(" \t\r\n") or json.dumps(value, ensure_ascii=False) in text, name
