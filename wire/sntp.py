"""Asking a clock the time: a client's 48 octets of the Simple Network Time Protocol, version 4 (RFC 5905 sections 7.3 and 14, RFC 4330).

    octet  0   leap indicator (2 bits), version (3), mode (3)
           1   stratum; 0 is a kiss o' death, whose code is the reference ID
           2   poll, precision
           4   root delay, root dispersion
          12   reference ID
          16   reference timestamp
          24   origin timestamp: what the request had as its transmit timestamp
          32   receive timestamp: when the request arrived there
          40   transmit timestamp: when the reply left

A timestamp is seconds since 1900 and their fraction, 32 bits each; the seconds turn over in 2036, and the era that is nearer to our own clock is meant
(RFC 5905 section 6). Here times are nanoseconds since the Unix epoch.

Departures: extension fields and authenticators behind the 48 octets are passed over; version 3, which Windows Time speaks, is taken as well as 4.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from pipeline.errors import MessageError

DOCUMENT: Final = "RFC 5905 section 7.3"
OCTETS: Final = 48
PACKET: Final = struct.Struct(">BBBbII4sQQQQ")
VERSION: Final = 4
VERSIONS: Final = (3, 4)
UNSYNCHRONIZED: Final = 3
HIGHEST_STRATUM: Final = 15

EPOCH: Final = 2_208_988_800
"""1970 in seconds since 1900."""

SECOND: Final = 1_000_000_000
ERA: Final = 1 << 32
FRACTION: Final = 1 << 32


class Mode(IntEnum):
    """Who speaks."""

    CLIENT = 3
    SERVER = 4


@dataclass(frozen=True, slots=True)
class Reply:
    """What a clock said.

    stratum:         its distance from a reference clock, 1 to 15.
    received_ns:     when our request came, by its clock.
    transmitted_ns:  when its answer left, by its clock.
    """

    stratum: int
    received_ns: int
    transmitted_ns: int

    def offset_ns(self, sent_ns: int, arrived_ns: int) -> int:
        """How far its clock is before ours, as if the way there took as long as the way back.

        Args:
            sent_ns: when the request left, by our clock.
            arrived_ns: when the answer came, by our clock.
        """
        return ((self.received_ns - sent_ns) + (self.transmitted_ns - arrived_ns)) // 2


def encode_request(nonce: int) -> bytes:
    """A request; `nonce` is its transmit timestamp of 64 bits, which may be random: a server only gives it back (RFC 5905 section 14)."""
    return PACKET.pack(VERSION << 3 | Mode.CLIENT, 0, 0, 0, 0, 0, bytes(4), 0, 0, 0, nonce)


def encode_reply(reply: Reply, request: bytes) -> bytes:
    """What a server answers.

    Raises:
        MessageError: as `parse_request`.
    """
    nonce = parse_request(request)
    received, transmitted = _timestamp(reply.received_ns), _timestamp(reply.transmitted_ns)
    return PACKET.pack(VERSION << 3 | Mode.SERVER, reply.stratum, 0, 0, 0, 0, bytes(4), 0, nonce, received, transmitted)


def parse_request(octets: bytes) -> int:
    """The nonce of a request.

    Raises:
        MessageError: `sntp-short`, `sntp-version`, `sntp-mode`.
    """
    return int(_parse(octets, Mode.CLIENT)[-1])


def parse_reply(octets: bytes, nonce: int, now_ns: int) -> Reply:
    """The answer to the request that had this nonce.

    Args:
        octets: a datagram.
        nonce: of the request.
        now_ns: about now, to tell the era by.

    Raises:
        MessageError: `sntp-short`, `sntp-version`, `sntp-mode`, `sntp-origin` (of another request), `sntp-kiss` (it wants not to be asked),
            `sntp-unsynchronized` (it doesn't know the time itself), `sntp-stratum`, `sntp-time` (it says none).
    """
    first, stratum, _, _, _, _, reference, _, origin, received, transmitted = _parse(octets, Mode.SERVER)
    if origin != nonce:
        raise MessageError("sntp-origin", offset=24, document=DOCUMENT)
    if stratum == 0:
        raise MessageError("sntp-kiss", offset=12, document="RFC 5905 section 7.4", detail=reference.rstrip(b"\0").decode("ascii", "replace"))
    if first >> 6 == UNSYNCHRONIZED:
        raise MessageError("sntp-unsynchronized", document=DOCUMENT)
    if stratum > HIGHEST_STRATUM:
        raise MessageError("sntp-stratum", offset=1, document=DOCUMENT, detail=str(stratum))
    if not received or not transmitted:
        raise MessageError("sntp-time", offset=32, document="RFC 4330 section 5")
    return Reply(stratum, _time(received, now_ns), _time(transmitted, now_ns))


def _parse(octets: bytes, mode: Mode) -> tuple[int, int, int, int, int, int, bytes, int, int, int, int]:
    if len(octets) < OCTETS:
        raise MessageError("sntp-short", document=DOCUMENT, detail=str(len(octets)))
    fields: tuple[int, int, int, int, int, int, bytes, int, int, int, int] = PACKET.unpack_from(octets)
    if (version := fields[0] >> 3 & 7) not in VERSIONS:
        raise MessageError("sntp-version", document=DOCUMENT, detail=str(version))
    if (found := fields[0] & 7) != mode:
        raise MessageError("sntp-mode", document=DOCUMENT, detail=str(found))
    return fields


def _timestamp(time_ns: int) -> int:
    seconds, rest = divmod(time_ns, SECOND)
    fraction = -(-rest * FRACTION // SECOND)  # rounded up, so that reading it back, which rounds down, gives the same nanosecond
    return ((seconds + EPOCH) % ERA * FRACTION) | fraction


def _time(timestamp: int, now_ns: int) -> int:
    seconds, fraction = divmod(timestamp, FRACTION)
    now = now_ns // SECOND + EPOCH
    era = (now - seconds + ERA // 2) // ERA
    return (seconds + era * ERA - EPOCH) * SECOND + fraction * SECOND // FRACTION
