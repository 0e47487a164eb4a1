"""UDP payloads of a capture file: classic pcap, Ethernet or raw IP or BSD loopback or Linux cooked, IPv4 and IPv6, no fragments."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

ORDERS: Final = {b"\xd4\xc3\xb2\xa1": "<", b"\xa1\xb2\xc3\xd4": ">", b"\x4d\x3c\xb2\xa1": "<", b"\xa1\xb2\x3c\x4d": ">"}
LINK_OCTETS: Final = {0: 4, 1: 14, 12: 0, 101: 0, 113: 16, 276: 20}
UDP: Final = 17
VLAN: Final = b"\x81\x00"


class Datagram(NamedTuple):
    """A UDP datagram."""

    source_port: int
    destination_port: int
    payload: bytes


def read_datagrams(path: Path) -> Iterator[Datagram]:
    """Every UDP datagram of a capture, in its order."""
    octets = path.read_bytes()
    order = ORDERS[octets[:4]]
    (link,) = struct.unpack_from(f"{order}I", octets, 20)
    at = 24
    while at < len(octets):
        (captured,) = struct.unpack_from(f"{order}I", octets, at + 8)
        at += 16
        frame = octets[at : at + captured]
        at += captured
        start = LINK_OCTETS[link & 0xFFFF]
        if link == 1 and frame[12:14] == VLAN:
            start += 4
        yield from _datagram(frame[start:])


def _datagram(packet: bytes) -> Iterator[Datagram]:
    version = packet[0] >> 4
    protocol, start = (packet[9], (packet[0] & 0xF) * 4) if version == 4 else (packet[6], 40)
    if protocol == UDP:
        source, destination, length = struct.unpack_from(">3H", packet, start)
        yield Datagram(source, destination, packet[start + 8 : start + length])
