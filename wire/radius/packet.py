"""RADIUS packets: code, identifier, length, authenticator, attributes (RFC 2865 section 3, RFC 2866 section 3).

    rule                the datagram
    radius-short        is shorter than a header, or than its Length says
    radius-length       states a Length under 20 or over 4096
    radius-attribute    has an attribute that breaks its form (`wire.radius.attributes`)

Octets behind Length are padding and ignored (RFC 2865 section 3). On a stream (RFC 6614) Length cuts one packet from the next.

Departures: the largest Length is RFC 2865's 4096; RFC 2866 section 3 prints 4095. Any code is read: who asks for one decides which it takes.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from pipeline.errors import FramingError, MessageError
from wire.radius.attributes import Attribute, encode_attributes, parse_attributes

DOCUMENT: Final = "RFC 2865 section 3"

HEADER: Final = 20
LENGTH_FIELD: Final = slice(2, 4)
AUTHENTICATOR: Final = slice(4, HEADER)
AUTHENTICATOR_OCTETS: Final = 16
MAX_LENGTH: Final = 4096


class Code(IntEnum):
    """What a packet is (RFC 2865 section 4, RFC 2866 section 4, RFC 5176, RFC 5997)."""

    ACCESS_REQUEST = 1
    ACCESS_ACCEPT = 2
    ACCESS_REJECT = 3
    ACCOUNTING_REQUEST = 4
    ACCOUNTING_RESPONSE = 5
    ACCESS_CHALLENGE = 11
    STATUS_SERVER = 12
    DISCONNECT_REQUEST = 40
    COA_REQUEST = 43


@dataclass(frozen=True, slots=True)
class Packet:
    """A packet.

    code:           a `Code`, or another number up to 255.
    identifier:     0 to 255, matches a response with its request.
    authenticator:  16 octets.
    attributes:     in the packet's order; at most 2038 of them, since each takes two octets.
    """

    code: int
    identifier: int
    authenticator: bytes
    attributes: tuple[Attribute, ...] = ()

    def values(self, kind: int) -> tuple[bytes, ...]:
        """The values of one type of attribute, in order."""
        return tuple(attribute.value for attribute in self.attributes if attribute.type == kind)


def scan_length(datagram: bytes) -> int:
    """How many octets of a datagram are its packet.

    Raises:
        MessageError: radius-short, radius-length.
    """
    if len(datagram) < HEADER:
        raise MessageError("radius-short", offset=len(datagram), document=DOCUMENT, detail=f"{len(datagram)} octets")
    length = int.from_bytes(datagram[LENGTH_FIELD])
    if not HEADER <= length <= MAX_LENGTH:
        raise MessageError("radius-length", offset=2, document=DOCUMENT, detail=str(length))
    if length > len(datagram):
        raise MessageError("radius-short", offset=len(datagram), document=DOCUMENT, detail=f"Length {length} of {len(datagram)} octets")
    return length


def parse_packet(datagram: bytes) -> Packet:
    """The packet of a datagram, its padding ignored.

    Raises:
        MessageError: radius-short, radius-length, radius-attribute.
    """
    length = scan_length(datagram)
    return Packet(datagram[0], datagram[1], datagram[AUTHENTICATOR], parse_attributes(datagram, HEADER, length))


def encode_packet(packet: Packet) -> bytes:
    """A packet's octets; the authenticator is taken as it is (`wire.radius.authenticators` makes it).

    Raises:
        ValueError: over 4096 octets, a number over 255, an authenticator that isn't 16 octets. Nothing parsed from one datagram can be so.
    """
    attributes = encode_attributes(packet.attributes)
    length = HEADER + len(attributes)
    if length > MAX_LENGTH or len(packet.authenticator) != AUTHENTICATOR_OCTETS:
        raise ValueError(f"{length} octets, authenticator of {len(packet.authenticator)}")
    return bytes((packet.code, packet.identifier)) + length.to_bytes(2) + packet.authenticator + attributes


def scan_packets(buffer: bytes, start: int = 0) -> tuple[tuple[tuple[int, int], ...], int]:
    """The whole packets of a stream's buffer, as (start, end), and where the first one begins that isn't whole yet (RFC 6613 section 2.6).

    Raises:
        FramingError: radius-length; what came before it isn't lost, since the error's offset is where the wrong packet begins.
    """
    spans: list[tuple[int, int]] = []
    while len(buffer) - start >= LENGTH_FIELD.stop:
        length = int.from_bytes(buffer[start + LENGTH_FIELD.start : start + LENGTH_FIELD.stop])
        if not HEADER <= length <= MAX_LENGTH:
            raise FramingError("radius-length", offset=start, document="RFC 6613 section 2.6.4", detail=str(length))
        if length > len(buffer) - start:
            break
        spans.append((start, start + length))
        start += length
    return tuple(spans), start
