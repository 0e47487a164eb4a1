"""What becomes of one packet, sans I/O: an accounting request that has to be kept, a question that is answered at once, or nothing.

    packet                                              becomes
    Accounting-Request (4) that its client signed       Accept: answered once its record is kept (RFC 2866 section 4.1)
    Status-Server (12) that its client signed           Answer (RFC 5997 section 3)
    anything else, and of anybody else                  Drop: no answer, so that nobody learns anything (RFC 2866 section 3, RFC 2865 section 3)

Why one is dropped is the rule it breaks (`wire.radius`), or `unknown-client`. Nothing of a packet is looked at before it is known to be its client's,
but its code and Length.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from listeners.radius.clients import Client
from pipeline.errors import MessageError
from wire.radius.authenticators import encode_response, verify_request
from wire.radius.packet import Code

UNKNOWN_CLIENT: Final = "unknown-client"


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
