"""What a client's first security token says in the clear: which mechanism it wants, and for whom its Kerberos ticket is.

    initial token   [APPLICATION 0] of mechanism's OID, token                        RFC 2743 section 3.1
      SPNEGO        NegTokenInit: mechTypes, reqFlags, mechToken, mechListMIC        RFC 4178 section 4.2.1
      Kerberos      01 00, AP-REQ                                                    RFC 4121 section 4.1
    later tokens    NegTokenResp: negState, supportedMech, responseToken, ...        RFC 4178 section 4.2.2
    AP-REQ          pvno, msg-type, ap-options, ticket, authenticator                RFC 4120 section 5.5.1
    Ticket          tkt-vno, realm, sname, enc-part: etype, kvno, cipher             RFC 4120 section 5.3
    NTLM            NTLMSSP NUL ..., bare or as a mechToken                          [MS-NLMP] section 2.2.1

Nothing of this is proven until the security library has accepted the token; it tells an operator why that didn't happen. Only what is named above is
looked at, ciphers are skipped.

Departures: a bare AP-REQ without the framing of RFC 4121 is read too, and the object identifier that Windows 2000 gave Kerberos (its encoder cut
113554 to 16 bits, [MS-SPNG] section 3.1.5.2) means Kerberos.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from pipeline.errors import MessageError
from wire.der import (
    APPLICATION,
    CONTEXT,
    ENUMERATED,
    GENERAL_STRING,
    INTEGER,
    OBJECT_IDENTIFIER,
    OCTET_STRING,
    SEQUENCE,
    Element,
    encode_element,
    encode_integer,
    parse_element,
    parse_elements,
    parse_integer,
)

DOCUMENT: Final = "RFC 4120 section 5.5.1"

SPNEGO: Final = bytes.fromhex("2b0601050502")
KERBEROS: Final = bytes.fromhex("2a864886f712010202")
KERBEROS_OF_WINDOWS_2000: Final = bytes.fromhex("2a864882f712010202")
NTLM: Final = bytes.fromhex("2b06010401823702020a")
NEGOEX: Final = bytes.fromhex("2b06010401823702021e")

NTLM_SIGNATURE: Final = b"NTLMSSP\0"
AP_REQ_ID: Final = b"\x01\x00"
AP_REQ: Final = APPLICATION + 14
TICKET: Final = APPLICATION + 1
NEG_TOKEN_RESP: Final = CONTEXT + 1
NT_SRV_INST: Final = 2
MAX_MECHANISMS: Final = 16
MAX_NAME: Final = 255
MAX_COMPONENTS: Final = 4

ENCRYPTION_NAMES: Final = MappingProxyType(
    {
        1: "des-cbc-crc",
        3: "des-cbc-md5",
        16: "des3-cbc-sha1",
        17: "aes128-cts-hmac-sha1-96",
        18: "aes256-cts-hmac-sha1-96",
        19: "aes128-cts-hmac-sha256-128",
        20: "aes256-cts-hmac-sha384-192",
        23: "rc4-hmac",
        24: "rc4-hmac-exp",
    }
)
"""Kerberos Encryption Type Numbers, IANA registry."""

AES: Final = frozenset({17, 18, 19, 20})
RC4: Final = 23


class Mechanism(StrEnum):
    """What a token is of."""

    KERBEROS = "kerberos"
    NTLM = "ntlm"
    OTHER = "other"


MECHANISMS: Final = MappingProxyType({KERBEROS: Mechanism.KERBEROS, KERBEROS_OF_WINDOWS_2000: Mechanism.KERBEROS, NTLM: Mechanism.NTLM})


@dataclass(frozen=True, slots=True)
class Request:
    """The clear fields of an AP-REQ.

    service:             as the client asked for it: `HTTP/gateway.contoso.example`.
    realm:               of the service: `CONTOSO.EXAMPLE`.
    encryption:          type of the key that the ticket is encrypted with, the service's own.
    key_version:         of that key; None where it isn't told.
    session_encryption:  type of the ticket's session key, which messages are sealed with.
    """

    service: str
    realm: str
    encryption: int
    key_version: int | None
    session_encryption: int


@dataclass(frozen=True, slots=True)
class InitialToken:
    """A client's first token.

    mechanism:  of the token that it carries, else the one it would like best.
    offered:    what it could do, best first; under SPNEGO several, KERBEROS, NTLM or OTHER each.
    request:    where it carries an AP-REQ.
    """

    mechanism: Mechanism
    offered: tuple[Mechanism, ...]
    request: Request | None


def parse_initial_token(octets: bytes) -> InitialToken:
    """Read a client's first token.

    Raises:
        MessageError: it is none (`der-*`, `gss-*`, `kerberos-*`).
    """
    if octets.startswith((NTLM_SIGNATURE, bytes((AP_REQ,)))):
        return _parse_bare(octets)
    whole = parse_element(octets, 0, len(octets), APPLICATION)
    oid = parse_element(octets, whole.start, whole.end, OBJECT_IDENTIFIER)
    return _parse_negotiation(octets, oid.end, whole.end) if octets[oid.start : oid.end] == SPNEGO else _parse_bare(octets)


def parse_later_token(octets: bytes) -> InitialToken | None:
    """What a client's later token of SPNEGO carries, which is the first of its mechanism where the negotiation began without; None where it carries none.

    Raises:
        MessageError: it is none (`der-*`, `gss-*`, `kerberos-*`).
    """
    choice = parse_element(octets, 0, len(octets), NEG_TOKEN_RESP)
    sequence = parse_element(octets, choice.start, choice.end, SEQUENCE)
    held = parse_elements(octets, sequence.start, sequence.end).get(CONTEXT + 2)
    if held is None:
        return None
    token = parse_element(octets, held.start, held.end, OCTET_STRING)
    return _parse_bare(octets[token.start : token.end])


def _parse_bare(octets: bytes) -> InitialToken:
    """A token that isn't SPNEGO's."""
    if octets.startswith(NTLM_SIGNATURE):
        return InitialToken(Mechanism.NTLM, (Mechanism.NTLM,), None)
    if octets[:1] == bytes((AP_REQ,)):
        return InitialToken(Mechanism.KERBEROS, (Mechanism.KERBEROS,), parse_ap_req(octets))
    whole = parse_element(octets, 0, len(octets), APPLICATION)
    oid = parse_element(octets, whole.start, whole.end, OBJECT_IDENTIFIER)
    mechanism = MECHANISMS.get(octets[oid.start : oid.end], Mechanism.OTHER)
    if mechanism is not Mechanism.KERBEROS:
        return InitialToken(mechanism, (mechanism,), None)
    if octets[oid.end : oid.end + 2] != AP_REQ_ID:
        raise MessageError("gss-token-id", offset=oid.end, document="RFC 4121 section 4.1")
    return InitialToken(mechanism, (mechanism,), parse_ap_req(octets[oid.end + 2 : whole.end]))


def _parse_negotiation(octets: bytes, at: int, end: int) -> InitialToken:
    choice = parse_element(octets, at, end, CONTEXT)  # [0] NegTokenInit
    sequence = parse_element(octets, choice.start, choice.end, SEQUENCE)
    members = parse_elements(octets, sequence.start, sequence.end)
    offered = _parse_mechanisms(octets, _member(members, CONTEXT, sequence))
    held = members.get(CONTEXT + 2)
    if held is None:
        return InitialToken(offered[0], offered, None)
    token = parse_element(octets, held.start, held.end, OCTET_STRING)
    inner = octets[token.start : token.end]
    if offered[0] is Mechanism.OTHER and not inner.startswith(NTLM_SIGNATURE):
        return InitialToken(Mechanism.OTHER, offered, None)
    found = _parse_bare(inner)
    return InitialToken(found.mechanism, offered, found.request)


def _parse_mechanisms(octets: bytes, held: Element) -> tuple[Mechanism, ...]:
    sequence = parse_element(octets, held.start, held.end, SEQUENCE)
    at, found = sequence.start, list[Mechanism]()
    while at < sequence.end and len(found) < MAX_MECHANISMS:
        oid = parse_element(octets, at, sequence.end, OBJECT_IDENTIFIER)
        found.append(MECHANISMS.get(octets[oid.start : oid.end], Mechanism.OTHER))
        at = oid.end
    if not found:
        raise MessageError("gss-no-mechanism", offset=sequence.start, document="RFC 4178 section 4.1")
    return tuple(found)


def parse_ap_req(octets: bytes) -> Request:
    """The clear fields of an AP-REQ.

    Raises:
        MessageError: it is none (`der-*`, `kerberos-*`).
    """
    outer = parse_element(octets, 0, len(octets), AP_REQ)
    members = _sequence(octets, outer)
    held = _member(members, CONTEXT + 3, outer)
    ticket = _sequence(octets, parse_element(octets, held.start, held.end, TICKET))
    realm = _member(ticket, CONTEXT + 1, held)
    sealed = _sequence(octets, _member(ticket, CONTEXT + 3, held))
    authenticator = _sequence(octets, _member(members, CONTEXT + 4, outer))
    version = sealed.get(CONTEXT + 1)
    return Request(
        service=_parse_name(octets, _member(ticket, CONTEXT + 2, held)),
        realm=_text(octets, parse_element(octets, realm.start, realm.end, GENERAL_STRING)),
        encryption=_number(octets, _member(sealed, CONTEXT, held)),
        key_version=None if version is None else _number(octets, version),
        session_encryption=_number(octets, _member(authenticator, CONTEXT, outer)),
    )


def _parse_name(octets: bytes, held: Element) -> str:
    """A PrincipalName (RFC 4120 section 5.2.2) without its realm: components between slashes."""
    names = _member(_sequence(octets, held), CONTEXT + 1, held)
    sequence = parse_element(octets, names.start, names.end, SEQUENCE)
    at, found = sequence.start, list[str]()
    while at < sequence.end:
        component = parse_element(octets, at, sequence.end, GENERAL_STRING)
        found.append(_text(octets, component))
        at = component.end
        if len(found) > MAX_COMPONENTS:
            raise MessageError("kerberos-name", offset=at, document="RFC 4120 section 5.2.2")
    return "/".join(found)


def _sequence(octets: bytes, held: Element) -> Mapping[int, Element]:
    """The members of the SEQUENCE that `held` holds."""
    sequence = parse_element(octets, held.start, held.end, SEQUENCE)
    return parse_elements(octets, sequence.start, sequence.end)


def _member(members: Mapping[int, Element], tag: int, of: Element) -> Element:
    found = members.get(tag)
    if found is None:
        raise MessageError("kerberos-missing-member", offset=of.start, document=DOCUMENT, detail=f"[{tag - CONTEXT}]")
    return found


def _number(octets: bytes, held: Element) -> int:
    return parse_integer(octets, parse_element(octets, held.start, held.end, INTEGER))


def _text(octets: bytes, element: Element) -> str:
    if element.end - element.start > MAX_NAME:
        raise MessageError("kerberos-name", offset=element.start, document="RFC 4120 section 5.2.1")
    return octets[element.start : element.end].decode("utf-8", "backslashreplace")


def encode_ap_req(request: Request, ticket: bytes = b"", authenticator: bytes = b"") -> bytes:
    """An AP-REQ with these clear fields around ciphers made elsewhere."""

    def member(number: int, content: bytes) -> bytes:
        return encode_element(CONTEXT + number, content)

    def sealed(encryption: int, version: int | None, cipher: bytes) -> bytes:
        told = () if version is None else (member(1, encode_integer(version)),)
        return encode_element(SEQUENCE, member(0, encode_integer(encryption)), *told, member(2, encode_element(OCTET_STRING, cipher)))

    components = [encode_element(GENERAL_STRING, part.encode()) for part in request.service.split("/")]
    name = encode_element(SEQUENCE, member(0, encode_integer(NT_SRV_INST)), member(1, encode_element(SEQUENCE, *components)))
    inside = (
        member(0, encode_integer(5)),
        member(1, encode_element(GENERAL_STRING, request.realm.encode())),
        member(2, name),
        member(3, sealed(request.encryption, request.key_version, ticket)),
    )
    outside = (
        member(0, encode_integer(5)),
        member(1, encode_integer(14)),
        member(2, b"\x03\x05\x00\x20\x00\x00\x00"),  # ap-options: mutual-required
        member(3, encode_element(TICKET, encode_element(SEQUENCE, *inside))),
        member(4, sealed(request.session_encryption, None, authenticator)),
    )
    return encode_element(AP_REQ, encode_element(SEQUENCE, *outside))


def encode_initial_token(ap_req: bytes) -> bytes:
    """An AP-REQ as the first token of the Kerberos mechanism."""
    return encode_element(APPLICATION, encode_element(OBJECT_IDENTIFIER, KERBEROS), AP_REQ_ID, ap_req)


def encode_negotiation(mechanisms: tuple[bytes, ...], token: bytes | None) -> bytes:
    """A first token of SPNEGO: mechanisms by their object identifiers' content, best first, and a token of the first one."""
    listed = encode_element(CONTEXT, encode_element(SEQUENCE, *(encode_element(OBJECT_IDENTIFIER, oid) for oid in mechanisms)))
    held = b"" if token is None else encode_element(CONTEXT + 2, encode_element(OCTET_STRING, token))
    return encode_element(APPLICATION, encode_element(OBJECT_IDENTIFIER, SPNEGO), encode_element(CONTEXT, encode_element(SEQUENCE, listed, held)))


def encode_later_token(token: bytes | None, state: int | None = None) -> bytes:
    """A later token of SPNEGO: a mechanism's token, and negState."""
    said = b"" if state is None else encode_element(CONTEXT, encode_element(ENUMERATED, bytes((state,))))
    held = b"" if token is None else encode_element(CONTEXT + 2, encode_element(OCTET_STRING, token))
    return encode_element(NEG_TOKEN_RESP, encode_element(SEQUENCE, said, held))
