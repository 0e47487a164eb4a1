r"""The PROXY protocol, versions 1 and 2: the client's address, told by a load balancer before the first octet of a connection.

    version 1   PROXY SP (TCP4 | TCP6 | UNKNOWN) SP source SP destination SP source port SP destination port CRLF, 107 octets at most
    version 2   12 octets of signature, version and command, family and transport, length (16 bits), addresses, TLVs

The document is haproxy's doc/proxy-protocol.txt, sections 2.1 and 2.2. A header is read to its last octet and never beyond, since what follows may be
TLS: `scan_proxy_header` says how many octets are surely still the header's.

    rule              the connection begins with
    proxy-missing     something else
    proxy-syntax      a line or block that breaks the form of its version
    proxy-too-long    a block of version 2 over 4,096 octets
    proxy-version     a version or command nobody knows
    proxy-address     an address or port that is none

Departures: the line of version 1 is taken only with CR LF and addresses in the forms `ipaddress` takes; checksums and other TLVs aren't looked at.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final

from pipeline.errors import FramingError

DOCUMENT: Final = "PROXY protocol section"

SIGNATURE: Final = b"\r\n\r\n\x00\r\nQUIT\n"
PREFIX: Final = b"PROXY "

FIRST_READ: Final = 15
"""No header is shorter: `PROXY UNKNOWN` CR LF."""

MAX_LINE: Final = 107
FIXED: Final = 16
MAX_BLOCK: Final = 4096

LINE: Final = re.compile(rb"PROXY (TCP4|TCP6) ([0-9A-Fa-f:.]{2,39}) ([0-9A-Fa-f:.]{2,39}) (0|[1-9][0-9]{0,4}) (0|[1-9][0-9]{0,4})\r\n")
UNKNOWN: Final = re.compile(rb"PROXY UNKNOWN(?: [^\r\n]*)?\r\n")
IP_VERSION: Final = {b"TCP4": 4, b"TCP6": 6}

LOCAL, PROXY = 0x20, 0x21
TCP_OVER_IPV4, TCP_OVER_IPV6 = 0x11, 0x21
ADDRESS_OCTETS: Final = {TCP_OVER_IPV4: 4, TCP_OVER_IPV6: 16}
KNOWN_FAMILIES: Final = frozenset({0x00, 0x11, 0x12, 0x21, 0x22, 0x31, 0x32})
MAX_PORT: Final = 65535


@dataclass(frozen=True, slots=True)
class Proxied:
    """What a header says.

    client:  address and port of the client; None where the balancer speaks for itself or doesn't know (LOCAL, UNKNOWN, UNSPEC, not TCP).
    """

    client: tuple[str, int] | None


def scan_proxy_header(octets: bytes) -> Proxied | int:
    """The header, once `octets` are all of it; before that, how many further octets are surely its own (at least 1).

    Args:
        octets: the connection's first, none beyond the header: begin with none, or FIRST_READ of them.

    Raises:
        FramingError: one of the rules above.
    """
    if octets.startswith(PREFIX[: len(octets)]):
        return _scan_line(octets)
    if octets.startswith(SIGNATURE[: len(octets)]):
        return _scan_block(octets)
    raise FramingError("proxy-missing", document=f"{DOCUMENT} 2", detail=repr(octets[:20])[1:])


def _scan_line(octets: bytes) -> Proxied | int:
    if not octets.endswith(b"\r\n"):
        if len(octets) >= MAX_LINE or b"\n" in octets:
            raise FramingError("proxy-syntax", document=f"{DOCUMENT} 2.1", detail=repr(octets[:MAX_LINE])[1:])
        return max(FIRST_READ - len(octets), 1)
    if UNKNOWN.fullmatch(octets):
        return Proxied(None)
    found = LINE.fullmatch(octets)
    if found is None:
        raise FramingError("proxy-syntax", document=f"{DOCUMENT} 2.1", detail=repr(octets)[1:])
    version = IP_VERSION[found[1]]
    source, _ = (_address(text, version) for text in (found[2], found[3]))
    ports = int(found[4]), int(found[5])
    if max(ports) > MAX_PORT:
        raise FramingError("proxy-address", document=f"{DOCUMENT} 2.1", detail=str(max(ports)))
    return Proxied((source, ports[0]))


def _address(text: bytes, version: int) -> str:
    try:
        found = ip_address(text.decode("ascii"))
    except ValueError as error:
        raise FramingError("proxy-address", document=f"{DOCUMENT} 2.1", detail=text.decode("ascii")) from error
    if found.version != version:
        raise FramingError("proxy-address", document=f"{DOCUMENT} 2.1", detail=str(found))
    return str(found)


def _scan_block(octets: bytes) -> Proxied | int:
    if len(octets) < FIXED:
        return FIXED - len(octets)
    command, family, length = octets[12], octets[13], int.from_bytes(octets[14:FIXED])
    if command not in (LOCAL, PROXY):
        raise FramingError("proxy-version", offset=12, document=f"{DOCUMENT} 2.2", detail=f"{command:#04x}")
    if length > MAX_BLOCK:
        raise FramingError("proxy-too-long", offset=14, document=f"{DOCUMENT} 2.2", detail=str(length))
    if (missing := FIXED + length - len(octets)) > 0:
        return missing
    if command == LOCAL:
        return Proxied(None)
    if family not in KNOWN_FAMILIES:
        raise FramingError("proxy-syntax", offset=13, document=f"{DOCUMENT} 2.2", detail=f"{family:#04x}")
    size = ADDRESS_OCTETS.get(family)
    if size is None:
        return Proxied(None)
    if length < 2 * size + 4:
        raise FramingError("proxy-syntax", offset=14, document=f"{DOCUMENT} 2.2", detail=f"{length} octets for two addresses")
    ports = FIXED + 2 * size
    return Proxied((str(ip_address(octets[FIXED : FIXED + size])), int.from_bytes(octets[ports : ports + 2])))


def encode_proxy_line(client: tuple[str, int], server: tuple[str, int]) -> bytes:
    """A header of version 1; both addresses of one IP version."""
    version = ip_address(client[0]).version
    return f"PROXY TCP{version} {client[0]} {server[0]} {client[1]} {server[1]}\r\n".encode("ascii")


def encode_proxy_block(client: tuple[str, int], server: tuple[str, int]) -> bytes:
    """A header of version 2; both addresses of one IP version."""
    addresses = ip_address(client[0]).packed + ip_address(server[0]).packed
    block = addresses + client[1].to_bytes(2) + server[1].to_bytes(2)
    family = TCP_OVER_IPV4 if len(block) == 12 else TCP_OVER_IPV6  # noqa: PLR2004 - two IPv4 addresses, two ports
    return SIGNATURE + bytes((PROXY, family)) + len(block).to_bytes(2) + block
