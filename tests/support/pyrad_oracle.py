"""pyrad, which nobody here wrote, as oracle of packets: what it makes of one, and where it is known to differ, each with its reason.

pyrad reads our dictionary, written in its own form without names of values (it takes none with white space), so both decode by the same types; its
numbers get our names before they are compared.

Of packets' forms it knows less than we do: the extended space (RFC 6929) stays whole in its eyes, so `pyrad_view` leaves it whole as well; and a tag is for it
part of no name.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from ipaddress import IPv6Address
from typing import Final

from pyrad.dictionary import Dictionary
from pyrad.packet import AcctPacket, PacketError

from wire.radius.attributes import EXTENDED, VENDOR_SPECIFIC, Attribute, Numbered, encode_numbered
from wire.radius.dictionary import Entry, Kind, dictionary
from wire.radius.packet import HEADER, MAX_LENGTH, Packet, encode_packet
from wire.radius.values import MAX_TAG

__all__ = [
    "DIFFERENCES",
    "REFUSALS",
    "Difference",
    "PacketError",
    "difference",
    "expected_of_pyrad",
    "pyrad_dictionary",
    "pyrad_raw",
    "pyrad_text",
    "pyrad_view",
]

TYPES: Final = {
    Kind.INTEGER: "integer",
    Kind.ENUM: "integer",
    Kind.TIME: "date",
    Kind.TEXT: "string",
    Kind.OCTETS: "octets",
    Kind.IPV4ADDR: "ipaddr",
    Kind.IPV6ADDR: "ipv6addr",
    Kind.IPV6PREFIX: "ipv6prefix",
    Kind.IFID: "ifid",
    Kind.ETHER: "ether",
}

Raw = dict[int | tuple[int, int], list[bytes]]


@cache
def pyrad_dictionary() -> Dictionary:
    """Ours, as pyrad reads it; it knows no extended space."""
    entries = [entry for _, entry in sorted(dictionary().by_path.items()) if entry.path[0] not in EXTENDED]
    lines = [f"VENDOR v{vendor} {vendor}" for vendor in sorted({entry.path[1] for entry in entries if len(entry.path) > 1})]
    for entry in entries:
        vendor = f" v{entry.path[1]}" if len(entry.path) > 1 else ""
        lines.append(f"ATTRIBUTE {entry.name} {entry.path[-1]} {TYPES[entry.kind]}{' has_tag' if entry.tagged else ''}{vendor}")
    return Dictionary(io.StringIO("\n".join(lines)))


def pyrad_raw(datagram: bytes) -> Raw:
    """All values of a packet by number, as pyrad splits it.

    Raises:
        PacketError: pyrad doesn't take it.
    """
    packet = AcctPacket(packet=datagram, dict=pyrad_dictionary())
    return {key: list(values) for key, values in packet.items()}  # items() has numbers as keys, keys() has names


def pyrad_view(packet: Packet) -> Raw:
    """What pyrad splits a packet into, if it is as RFC 2865 has it: vendors' attributes alone, where they are of the usual form."""
    found: Raw = {}
    for attribute in packet.attributes:
        inside = _vendor_attributes(attribute) if attribute.type == VENDOR_SPECIFIC else []
        for key, value in inside:
            found.setdefault(key, []).append(value)
        if not inside:
            found.setdefault(attribute.type, []).append(attribute.value)
    return found


def _vendor_attributes(attribute: Attribute) -> list[tuple[tuple[int, int], bytes]]:
    found: list[tuple[tuple[int, int], bytes]] = []
    value, at = attribute.value, 4
    while at < len(value):
        length = value[at + 1] if at + 1 < len(value) else 0
        if length < 2 or at + length > len(value):
            return []
        found.append(((int.from_bytes(value[:4]), value[at]), value[at + 2 : at + length]))
        at += length
    return found


def pyrad_text(entry: Entry, value: bytes) -> str | None:
    """What pyrad decodes one value to, as text; None if it raises ValueError, as it does where a value isn't of its type's form."""
    datagram = encode_packet(Packet(4, 0, bytes(16), encode_numbered(Numbered(entry.path, value))))
    packet = AcctPacket(packet=datagram, dict=pyrad_dictionary())
    try:
        (found,) = packet[entry.name]
    except ValueError:
        return None
    return found.hex() if isinstance(found, bytes) else entry.values.get(found, str(found))


@dataclass(frozen=True, slots=True)
class Difference:
    """A value that pyrad reads otherwise.

    why:      the reason, and who is right.
    applies:  whether a value of an attribute is one.
    pyrad:    what pyrad makes of it; None if it raises ValueError.
    """

    why: str
    applies: Callable[[Entry, bytes], bool]
    pyrad: Callable[[Entry, bytes], str | None]


def _is_text(entry: Entry) -> bool:
    return entry.kind is Kind.TEXT


def _bare(entry: Entry, value: bytes) -> bytes:
    return value[1:] if entry.tagged and value and value[0] <= MAX_TAG else value


def _utf8(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True


SIZES: Final = {Kind.INTEGER: 4, Kind.ENUM: 4, Kind.TIME: 4, Kind.IPV4ADDR: 4, Kind.IFID: 8, Kind.ETHER: 6}
OCTETS_OF_IPV6: Final = 16

DIFFERENCES: Final[dict[str, Difference]] = {
    "a tag over 31": Difference(
        "RFC 2868 section 3.1 says that a tag is 1 to 31; pyrad takes any first octet of an integer for one, we read a number of four octets",
        lambda entry, value: entry.tagged and SIZES.get(entry.kind) == len(value) and value[0] > MAX_TAG,
        lambda entry, value: entry.values.get(number := int.from_bytes(value[1:]), str(number)),
    ),
    "a value of another size than its type's": Difference(
        "pyrad raises a bare ValueError when the value is asked for; we keep it raw by number, so that the packet's other attributes count",
        lambda entry, value: entry.kind in SIZES and len(value) != SIZES[entry.kind],
        lambda _entry, _value: None,
    ),
    "a short IPv6 address": Difference(
        "pyrad fills it up with zeros; RFC 8044 section 3.9 has 16 octets, and half an address is none: raw by number",
        lambda entry, value: entry.kind is Kind.IPV6ADDR and len(value) < OCTETS_OF_IPV6,
        lambda _entry, value: str(IPv6Address(value.ljust(OCTETS_OF_IPV6, b"\0"))),
    ),
    "a long IPv6 address": Difference(
        "pyrad raises a bare ValueError; raw by number",
        lambda entry, value: entry.kind is Kind.IPV6ADDR and len(value) > OCTETS_OF_IPV6,
        lambda _entry, _value: None,
    ),
    "an IPv6 prefix of no form": Difference(
        "pyrad raises a bare ValueError; raw by number",
        lambda entry, value: entry.kind is Kind.IPV6PREFIX and (not 2 <= len(value) <= 18 or value[1] > 128),
        lambda _entry, _value: None,
    ),
    "an IPv4 address in IPv6": Difference(
        "RFC 5952 section 5 recommends ::ffff:192.0.2.1; pyrad writes what str() of the Python at hand does",
        lambda entry, value: entry.kind is Kind.IPV6ADDR and IPv6Address(value).ipv4_mapped is not None,
        lambda _entry, value: str(IPv6Address(value)),
    ),
    "text that isn't UTF-8": Difference(
        "pyrad gives bytes where str was expected; each ill-formed sequence is one U+FFFD here",
        lambda entry, value: _is_text(entry) and not _utf8(_bare(entry, value)),
        lambda entry, value: _bare(entry, value).hex(),
    ),
    "text with NULs at its end": Difference(
        "RFC 2865 section 5: text isn't terminated by NUL; some senders do it, pyrad keeps what they sent",
        lambda entry, value: _is_text(entry) and _bare(entry, value).endswith(b"\0"),
        lambda entry, value: _bare(entry, value).decode(),
    ),
}
"""Differences of values, the first that applies counts."""


def difference(entry: Entry, value: bytes) -> Difference | None:
    """The difference that a value is one of."""
    return next((found for found in DIFFERENCES.values() if found.applies(entry, value)), None)


def expected_of_pyrad(entry: Entry, value: bytes, ours: str | None) -> str | None:
    """What pyrad has to make of a value that we read as `ours`: the same, or what its difference says."""
    found = difference(entry, value)
    return ours if found is None else found.pyrad(entry, value)


REFUSALS: Final[dict[str, tuple[bytes, str]]] = {
    "an attribute past the end": (b"\x04\x01\x00\x18" + bytes(16) + b"\x01\x09ab", "pyrad cuts it short"),
    "Length over 4096": (b"\x04\x01" + (MAX_LENGTH + 2).to_bytes(2) + bytes(16) + b"\x01\x02" * ((MAX_LENGTH + 2 - HEADER) // 2), "pyrad takes up to 8192"),
}
"""Packets that we refuse and pyrad takes (datagram, what it does with it). RFC 2865 section 3 and section 5 have us refuse them."""
