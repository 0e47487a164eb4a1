"""What becomes of one packet, sans I/O: an accounting request that has to be kept, a question that is answered at once, or nothing.

    packet                                              becomes
    Accounting-Request (4) that its client signed       Accept: answered once its record is kept (RFC 2866 section 4.1)
    Status-Server (12) that its client signed           Answer (RFC 5997 section 3)
    anything else, and of anybody else                  Drop: no answer, so that nobody learns anything (RFC 2866 section 3, RFC 2865 section 3)

Why one is dropped is the rule it breaks (`wire.radius`), or `unknown-client`. Nothing of a packet is looked at before it is known to be its client's,
but its code and Length.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

from kernel import verify_requests
from listeners.radius.clients import Client
from pipeline.errors import MessageError
from wire.radius.authenticators import encode_response, verify_request
from wire.radius.packet import Code

UNKNOWN_CLIENT: Final = "unknown-client"
WORD: Final = 4
"""Octets of a number in columns."""

SPAN: Final = struct.Struct("=II")


@dataclass(frozen=True, slots=True)
class Accept:
    """A request that its client signed.

    packet:  its octets, without padding.
    client:  who signed it, and whose secret signs the answer.
    """

    packet: bytes
    client: Client

    def answer(self) -> bytes:
        """The Accounting-Response, for when the record is kept."""
        return encode_response(self.packet, self.client.secret)


@dataclass(frozen=True, slots=True)
class Answer:
    """A question that needs nothing kept.

    client:    who asks.
    response:  the answer's octets.
    """

    client: Client
    response: bytes


@dataclass(frozen=True, slots=True)
class Drop:
    """A packet that meets silence.

    reason:  stable name, also the counter's label.
    client:  whose address it came from, None where it is nobody's.
    detail:  facts for a person.
    offset:  octet of the packet at which it shows.
    """

    reason: str
    client: Client | None = None
    detail: str = ""
    offset: int = 0


def receive(datagram: bytes, client: Client | None) -> Accept | Answer | Drop:
    """Judge one packet.

    Args:
        datagram: its octets, padding perhaps behind them.
        client: who may have sent it: whose address it came from, or whose connection.
    """
    if client is None:
        return Drop(UNKNOWN_CLIENT)
    try:
        packet = verify_request(datagram, client.secret, require_message_authenticator=client.require_message_authenticator)
        if packet[0] == Code.ACCOUNTING_REQUEST:
            return Accept(packet, client)
        return Answer(client, encode_response(packet, client.secret))
    except MessageError as error:
        return Drop(error.rule, client, error.detail, error.offset)


@dataclass(frozen=True, slots=True)
class SortedDatagrams:
    """The datagrams of one peer, judged.

    spans:   of the requests that have to be kept, without padding, as octets of array("I").
    ways:    of those, likewise.
    others:  of each other datagram its octets, its way, and what becomes of it.
    """

    spans: bytes
    ways: bytes
    others: tuple[tuple[bytes, bytes, Answer | Drop], ...] = ()


def sort_datagrams(buffer: bytes, spans: bytes, ways: bytes, client: Client | None) -> SortedDatagrams:
    """Judge the datagrams of one peer. The kernel tells what is surely a request of its client; the rest goes by `receive`.

    Args:
        buffer: where they lie.
        spans: start and end of each in it, as octets of array("I").
        ways: of each, likewise.
        client: whose address it is.
    """
    if client is None:
        verified, places = b"", list(range(len(ways) // WORD))
    else:
        verified, places = verify_requests(buffer, spans, client.secret, client.require_message_authenticator)
    if not places:
        return SortedDatagrams(verified, ways)
    left = frozenset(places)
    of = [ways[at : at + WORD] for at in range(0, len(ways), WORD)]
    taken, others = [way for place, way in enumerate(of) if place not in left], list[tuple[bytes, bytes, Answer | Drop]]()
    for place in places:
        start, end = SPAN.unpack_from(spans, SPAN.size * place)
        verdict = receive(buffer[start:end], client)
        if isinstance(verdict, Accept):
            verified += SPAN.pack(start, start + len(verdict.packet))
            taken.append(of[place])
        else:
            others.append((buffer[start:end], of[place], verdict))
    return SortedDatagrams(verified, b"".join(taken), tuple(others))
