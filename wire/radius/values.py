"""Values of attributes as texts, by type (RFC 8044 section 3), and back.

    type                     on the wire                        as text
    text                     UTF-8                              the text; each ill-formed sequence U+FFFD, NULs at the end cut
    octets                   anything                           lower-case hex, no prefix
    integer, enum, time      4 octets                           decimal digits; an enumerated value its name; time is seconds since 1970
    ipv4addr, ipv6addr       4, 16 octets                       dotted quad; RFC 5952, IPv4-mapped ones as ::ffff:192.0.2.1
    ipv6prefix               reserved, length, 0 to 16 octets   address/length, bits behind the prefix cleared, octets left out zero
    ifid                     8 octets                           four groups of hex, as in addresses
    ether                    6 octets                           lower-case hex, a colon between octets

A value that isn't of its type's form has no text: `parse_value` gives None, and its attribute goes under its number instead (RFC 6929
section 2.8: what isn't of its type's form isn't of that type).

Departures: bits behind a prefix needn't be zero, and octets at its end may be missing that RFC 8044 section 3.10 wants, as in FreeRADIUS and pyrad. Text has
NULs cut from its end, since some senders count a terminator; RFC 2865 section 5 forbids sending them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from ipaddress import IPv4Address, IPv6Address
from struct import Struct
from typing import Final

from wire.radius.dictionary import Entry, Kind

INTEGER: Final = Struct(">I")
IFID: Final = Struct(">4H")
IFID_TEXT: Final = re.compile(r"[0-9a-f]{1,4}(?::[0-9a-f]{1,4}){3}")
ETHER_OCTETS: Final = 6
PREFIX_HEADER: Final = 2
MAX_PREFIX_LENGTH: Final = 128
MAX_TAG: Final = 0x1F
DIGITS: Final = re.compile(r"[0-9]{1,10}")
MAX_INTEGER: Final = 2**32 - 1
MAX_TAGGED_INTEGER: Final = 2**24 - 1


def parse_value(entry: Entry, value: bytes) -> str | None:
    """The text of a value without its tag; None where it isn't of its type's form."""
    text = PARSERS[entry.kind](value)
    return entry.values.get(int(text), text) if text and entry.values else text


def encode_value(entry: Entry, text: str) -> bytes:
    """A value without its tag; the inverse of `parse_value`, which also takes the number of an enumerated value.

    Raises:
        ValueError: the text isn't of the type's form.
    """
    text = next((str(number) for number, name in entry.values.items() if name == text), text)
    return ENCODERS[entry.kind](text)


def split_tag(entry: Entry, value: bytes) -> tuple[int, bytes]:
    """(tag, value without it) of a tagged attribute; tag 0 is none (RFC 2868 section 3).

    An integer always has a tag's octet; above 0x1F it is none, and all four octets are the number. Before a text it is there if its octet is at most 0x1F.
    """
    if not entry.tagged or not value or value[0] > MAX_TAG:
        return 0, value
    if entry.kind in (Kind.INTEGER, Kind.ENUM):
        return (value[0], b"\0" + value[1:]) if len(value) == INTEGER.size else (0, value)
    return value[0], value[1:]


def join_tag(entry: Entry, tag: int, value: bytes) -> bytes:
    """The inverse of `split_tag`.

    Raises:
        ValueError: a tag over 31, one of an attribute that has none, or an integer of more than 24 bits.
    """
    if not entry.tagged:
        if tag:
            raise ValueError(f"{entry.name} has no tag")
        return value
    if not 0 <= tag <= MAX_TAG:
        raise ValueError(f"tag {tag}")
    if entry.kind in (Kind.INTEGER, Kind.ENUM):
        if value[0]:
            raise ValueError(f"{entry.name} over {MAX_TAGGED_INTEGER}")
        return bytes((tag,)) + value[1:]
    return bytes((tag,)) + value if tag or (value and value[0] <= MAX_TAG) else value


def _parse_text(value: bytes) -> str:
    return value.rstrip(b"\0").decode("utf-8", "replace")


def _parse_integer(value: bytes) -> str | None:
    return str(int.from_bytes(value)) if len(value) == INTEGER.size else None


def _parse_ipv4addr(value: bytes) -> str | None:
    return str(IPv4Address(value)) if len(value) == 4 else None  # noqa: PLR2004 - RFC 8044 section 3.8


def _parse_ipv6addr(value: bytes) -> str | None:
    return _ipv6_text(value) if len(value) == 16 else None  # noqa: PLR2004 - RFC 8044 section 3.9


def _ipv6_text(octets: bytes) -> str:
    address = IPv6Address(octets)
    return f"::ffff:{address.ipv4_mapped}" if address.ipv4_mapped else str(address)  # str() of a mapped one depends on Python's version


def _parse_ipv6prefix(value: bytes) -> str | None:
    if not PREFIX_HEADER <= len(value) <= PREFIX_HEADER + 16 or value[1] > MAX_PREFIX_LENGTH:
        return None
    behind = MAX_PREFIX_LENGTH - value[1]
    address = int.from_bytes(value[PREFIX_HEADER:].ljust(16, b"\0")) >> behind << behind
    return f"{_ipv6_text(address.to_bytes(16))}/{value[1]}"


def _parse_ifid(value: bytes) -> str | None:
    return ":".join(f"{group:x}" for group in IFID.unpack(value)) if len(value) == IFID.size else None


def _parse_ether(value: bytes) -> str | None:
    return value.hex(":") if len(value) == ETHER_OCTETS else None


PARSERS: Final[Mapping[Kind, Callable[[bytes], str | None]]] = {
    Kind.TEXT: _parse_text,
    Kind.OCTETS: bytes.hex,
    Kind.INTEGER: _parse_integer,
    Kind.ENUM: _parse_integer,
    Kind.TIME: _parse_integer,
    Kind.IPV4ADDR: _parse_ipv4addr,
    Kind.IPV6ADDR: _parse_ipv6addr,
    Kind.IPV6PREFIX: _parse_ipv6prefix,
    Kind.IFID: _parse_ifid,
    Kind.ETHER: _parse_ether,
}


def _encode_integer(text: str) -> bytes:
    if not DIGITS.fullmatch(text) or int(text) > MAX_INTEGER:
        raise ValueError(f"no integer of 32 bits or name of one: {text!r}")
    return INTEGER.pack(int(text))


def _encode_ipv6prefix(text: str) -> bytes:
    address, _, length = text.partition("/")
    if not DIGITS.fullmatch(length) or int(length) > MAX_PREFIX_LENGTH:
        raise ValueError(f"no prefix: {text!r}")
    return bytes((0, int(length))) + IPv6Address(address).packed[: (int(length) + 7) // 8]


def _encode_ifid(text: str) -> bytes:
    if not IFID_TEXT.fullmatch(text):
        raise ValueError(f"no interface identifier: {text!r}")
    return IFID.pack(*(int(group, 16) for group in text.split(":")))


def _encode_ether(text: str) -> bytes:
    octets = bytes.fromhex(text.replace(":", ""))
    if len(octets) != ETHER_OCTETS:
        raise ValueError(f"no MAC address: {text!r}")
    return octets


ENCODERS: Final[Mapping[Kind, Callable[[str], bytes]]] = {
    Kind.TEXT: str.encode,
    Kind.OCTETS: bytes.fromhex,
    Kind.INTEGER: _encode_integer,
    Kind.ENUM: _encode_integer,
    Kind.TIME: _encode_integer,
    Kind.IPV4ADDR: lambda text: IPv4Address(text).packed,
    Kind.IPV6ADDR: lambda text: IPv6Address(text).packed,
    Kind.IPV6PREFIX: _encode_ipv6prefix,
    Kind.IFID: _encode_ifid,
    Kind.ETHER: _encode_ether,
}
