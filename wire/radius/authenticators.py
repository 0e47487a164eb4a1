"""Who sent a packet: the authenticators and Message-Authenticator, made and verified with the secret that both sides hold.

    packet                    Authenticator                               Message-Authenticator is an HMAC-MD5 with
    Accounting-Request (4)    MD5 over the packet, zeros in its place     zeros as Authenticator
    Status-Server (12)        random                                      the packet's own Authenticator; required
    response to 4             MD5 with the request's Authenticator        zeros as Authenticator
    response to 12            MD5 with the request's Authenticator        the request's Authenticator

RFC 2866 section 3 (Accounting-Request and its response), RFC 5997 sections 3 and 4 (Status-Server), RFC 2869 section 5.14 (Message-Authenticator).
Which Authenticator goes into the HMAC of accounting packets isn't said by RFC 2869: zeros, as RFC 5176 section 3.4 has it for the packets that are signed
alike, and as FreeRADIUS and pyrad do in requests and in responses to them.

    rule                             the packet
    radius-code                      isn't of a code that can be verified
    radius-authenticator             has another Authenticator than the secret makes
    radius-message-authenticator     has another Message-Authenticator, a wrong length of it, or two
    radius-no-message-authenticator  has none, though policy or its code asks for one
    radius-identifier                answers another request

Everything is compared in constant time (`hmac.compare_digest`). MD5 is what the protocol has: nothing here trusts it further than RADIUS does. Padding
behind Length is covered by no authenticator; it is ignored and dropped.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from hashlib import md5
from hmac import compare_digest
from hmac import digest as hmac_digest
from typing import Final

from pipeline.errors import MessageError
from wire.radius.attributes import HEADER as ATTRIBUTE_HEADER
from wire.radius.attributes import Attribute, encode_attributes, scan_attributes
from wire.radius.packet import AUTHENTICATOR, AUTHENTICATOR_OCTETS, HEADER, Code, Packet, encode_packet, parse_packet, scan_length

PROXY_STATE: Final = 33
MESSAGE_AUTHENTICATOR: Final = 80
ZEROS: Final = bytes(AUTHENTICATOR_OCTETS)
UNSIGNED: Final = Attribute(MESSAGE_AUTHENTICATOR, ZEROS)


def verify_request(datagram: bytes, secret: bytes, *, require_message_authenticator: bool = False) -> bytes:
    """The octets of a request that a holder of the secret sent, padding dropped. An Accounting-Request costs one MD5 before anything else is looked at.

    Args:
        datagram: an Accounting-Request or a Status-Server.
        secret: shared with the client.
        require_message_authenticator: refuse an Accounting-Request without one; a Status-Server needs one anyway.

    Raises:
        MessageError: a rule above, or one of `parse_packet`.
    """
    packet = datagram[: scan_length(datagram)]
    code = packet[0]
    if code == Code.ACCOUNTING_REQUEST:
        if not compare_digest(_digest(packet, ZEROS, secret), packet[AUTHENTICATOR]):
            raise MessageError("radius-authenticator", offset=AUTHENTICATOR.start, document="RFC 2866 section 3")
        _verify_message_authenticator(packet, ZEROS, secret, required=require_message_authenticator)
    elif code == Code.STATUS_SERVER:
        _verify_message_authenticator(packet, packet[AUTHENTICATOR], secret, required=True)
    else:
        raise MessageError("radius-code", document="RFC 2866 section 4", detail=str(code))
    return packet


def verify_response(datagram: bytes, request: bytes, secret: bytes) -> Packet:
    """The response that a holder of the secret gave to a request of ours.

    Args:
        datagram: as received.
        request: as sent.
        secret: shared with the server.

    Raises:
        MessageError: radius-identifier, radius-authenticator, radius-message-authenticator, or one of `parse_packet`. No code is refused.
    """
    response = datagram[: scan_length(datagram)]
    if response[1] != request[1]:
        raise MessageError("radius-identifier", offset=1, document="RFC 2865 section 3", detail=str(response[1]))
    if not compare_digest(_digest(response, request[AUTHENTICATOR], secret), response[AUTHENTICATOR]):
        raise MessageError("radius-authenticator", offset=AUTHENTICATOR.start, document="RFC 2866 section 3")
    _verify_message_authenticator(response, _response_vector(request), secret, required=False)
    return parse_packet(response)


def encode_accounting_request(identifier: int, attributes: Iterable[Attribute], secret: bytes, *, message_authenticator: bool = False) -> bytes:
    """A signed Accounting-Request; a Message-Authenticator among the attributes is made anew where it stands.

    Args:
        identifier: 0 to 255.
        attributes: in their order.
        secret: shared with the server.
        message_authenticator: put one first, unless the attributes have one.

    Raises:
        ValueError: over 4096 octets.
    """
    packet = Packet(Code.ACCOUNTING_REQUEST, identifier, ZEROS, _unsigned(attributes, add=message_authenticator))
    octets = _with_message_authenticator(encode_packet(packet), ZEROS, secret)
    return _with_authenticator(octets, _digest(octets, ZEROS, secret))


def encode_status_server(identifier: int, authenticator: bytes, secret: bytes, attributes: Iterable[Attribute] = ()) -> bytes:
    """A signed Status-Server.

    Args:
        identifier: 0 to 255.
        authenticator: 16 octets that nobody can foresee.
        secret: shared with the server.
        attributes: beside the Message-Authenticator.

    Raises:
        ValueError: over 4096 octets.
    """
    packet = Packet(Code.STATUS_SERVER, identifier, authenticator, _unsigned(attributes, add=True))
    return _with_message_authenticator(encode_packet(packet), authenticator, secret)


def encode_response(request: bytes, secret: bytes, code: int = Code.ACCOUNTING_RESPONSE) -> bytes:
    """The answer to a verified request: its Proxy-State attributes in order (RFC 2865 section 5.33), before them a Message-Authenticator if it had one.

    Args:
        request: as `verify_request` gave it.
        secret: shared with the client.
        code: of the answer.

    Raises:
        MessageError: one of `parse_packet`.
    """
    found = tuple(scan_attributes(request, HEADER, scan_length(request)))
    mark = encode_attributes((UNSIGNED,)) if any(kind == MESSAGE_AUTHENTICATOR for kind, _, _ in found) else b""
    echoed = b"".join(request[at - ATTRIBUTE_HEADER : end] for kind, at, end in found if kind == PROXY_STATE)
    asked = request[AUTHENTICATOR]
    octets = bytes((code, request[1])) + (HEADER + len(mark) + len(echoed)).to_bytes(2) + asked + mark + echoed
    if mark:
        at = HEADER + ATTRIBUTE_HEADER
        octets = octets[:at] + _hmac(octets, _response_vector(request), at, secret) + octets[at + AUTHENTICATOR_OCTETS :]
    return _with_authenticator(octets, _digest(octets, asked, secret))


def _response_vector(request: bytes) -> bytes:
    return request[AUTHENTICATOR] if request[0] == Code.STATUS_SERVER else ZEROS


_md5: Final = partial(md5, usedforsecurity=False)
"""An OpenSSL under FIPS rules refuses MD5 to whoever says more of it."""


def _digest(packet: bytes, authenticator: bytes, secret: bytes) -> bytes:
    return _md5(packet[: AUTHENTICATOR.start] + authenticator + packet[HEADER:] + secret).digest()


def _hmac(packet: bytes, authenticator: bytes, at: int, secret: bytes) -> bytes:
    return hmac_digest(secret, packet[: AUTHENTICATOR.start] + authenticator + packet[HEADER:at] + ZEROS + packet[at + AUTHENTICATOR_OCTETS :], _md5)


def _with_authenticator(packet: bytes, authenticator: bytes) -> bytes:
    return packet[: AUTHENTICATOR.start] + authenticator + packet[HEADER:]


def _unsigned(attributes: Iterable[Attribute], *, add: bool) -> tuple[Attribute, ...]:
    found = tuple(UNSIGNED if attribute.type == MESSAGE_AUTHENTICATOR else attribute for attribute in attributes)
    return found if not add or UNSIGNED in found else (UNSIGNED, *found)


def _scan_message_authenticator(packet: bytes) -> int | None:
    """Where the value of the one Message-Authenticator begins."""
    found: int | None = None
    for kind, at, end in scan_attributes(packet, HEADER, scan_length(packet)):
        if kind == MESSAGE_AUTHENTICATOR:
            if found is not None or end - at != AUTHENTICATOR_OCTETS:
                raise MessageError("radius-message-authenticator", offset=at - ATTRIBUTE_HEADER, document="RFC 2869 section 5.14")
            found = at
    return found


def _with_message_authenticator(packet: bytes, authenticator: bytes, secret: bytes) -> bytes:
    at = _scan_message_authenticator(packet)
    if at is None:
        return packet
    return packet[:at] + _hmac(packet, authenticator, at, secret) + packet[at + AUTHENTICATOR_OCTETS :]


def _verify_message_authenticator(packet: bytes, authenticator: bytes, secret: bytes, *, required: bool) -> None:
    at = _scan_message_authenticator(packet)
    if at is None:
        if required:
            raise MessageError("radius-no-message-authenticator", offset=len(packet), document="RFC 2869 section 5.14")
    elif not compare_digest(_hmac(packet, authenticator, at, secret), packet[at : at + AUTHENTICATOR_OCTETS]):
        raise MessageError("radius-message-authenticator", offset=at, document="RFC 2869 section 5.14")
