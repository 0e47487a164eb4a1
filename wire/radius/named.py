"""A packet's attributes as names and texts: what a mapping reads, and what a simulated NAS writes.

    the attribute                          name                     text
    has a name and a value of its type     its name                 `wire.radius.values`
    has a name, but not such a value       its number, as below     hex
    has no name                            Attr-201, Attr-241.9     hex
    of a vendor, has no name               Vendor-9-77              hex
    of a vendor, breaks the usual form     Vendor-9                 hex of all behind the vendor's number

Numbers of the extended space are dotted as in RFC 6929 section 2.7: Attr-241.9, Attr-241.26.9.77. Hex is lower-case, without a prefix. The order is the
packet's; a name occurs as often as its attribute does.

Tags (RFC 2868) say which attributes belong to one tunnel. They are dropped from the first tunnel's names, so that a packet of one tunnel, as nearly every
one is, has plain names; of any other tunnel they stay: `Tunnel-Type:2`. The first tunnel is that of the packet's first tag; what has no tag is of every
tunnel.

Left out: what `secret` marks in the dictionary (passwords, keys, challenges with their responses, EAP, Message-Authenticator), and pairs such as Cisco-AVPair
whose own name says so.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from wire.radius.attributes import VENDOR_SPECIFIC, Attribute, Numbered, encode_numbered, scan_numbered
from wire.radius.dictionary import Entry, dictionary
from wire.radius.packet import Packet
from wire.radius.values import encode_value, join_tag, parse_value, split_tag

PAIR: Final = re.compile(r"([^=*]*)[=*]")
SECRET_WORD: Final = re.compile(r"passw|secret|psk|key|credential", re.ASCII | re.IGNORECASE)
NUMBER: Final = re.compile(r"(?:Attr-([0-9]{1,3}(?:\.[0-9]{1,10}){0,3})|Vendor-([0-9]{1,10}(?:-[0-9]{1,3})?))")
TAGGED: Final = re.compile(r"(.+):([0-9]{1,2})")


def named_attributes(packet: Packet) -> tuple[tuple[str, str], ...]:
    """(name, text) of every attribute that may be seen, in the packet's order."""
    known = dictionary().by_path
    found: list[tuple[str, str]] = []
    tunnel = 0
    for path, value in scan_numbered(packet.attributes):
        entry = known.get(path)
        if entry is None:
            found.append((number_name(path), value.hex()))
            continue
        if entry.secret:
            continue
        tag, bare = split_tag(entry, value)
        text = parse_value(entry, bare)
        if text is None:
            found.append((number_name(path), value.hex()))
        elif not (entry.pair and (pair := PAIR.match(text)) and SECRET_WORD.search(pair[1])):
            tunnel = tunnel or tag
            found.append((entry.name if tag in (0, tunnel) else f"{entry.name}:{tag}", text))
    return tuple(found)


def number_name(path: tuple[int, ...]) -> str:
    """The name of an attribute that has none: Attr-201, Attr-241.9, Vendor-9-77, Vendor-9."""
    if path[0] == VENDOR_SPECIFIC and len(path) > 1:
        return "-".join(("Vendor", *map(str, path[1:])))
    return f"Attr-{'.'.join(map(str, path))}"


def encode_named(pairs: Iterable[tuple[str, str]]) -> tuple[Attribute, ...]:
    """The attributes of names and texts: the inverse of `named_attributes`; a tag is written only where the name has one, `Tunnel-Type:1`.

    Raises:
        ValueError: a name nobody knows, a text that isn't of its type, a value that is too long.
    """
    return tuple(attribute for name, text in pairs for attribute in encode_numbered(_numbered(name, text)))


def _numbered(name: str, text: str) -> Numbered:
    if number := NUMBER.fullmatch(name):
        path = (VENDOR_SPECIFIC, *map(int, number[2].split("-"))) if number[2] else tuple(map(int, number[1].split(".")))
        return Numbered(path, bytes.fromhex(text))
    tagged = TAGGED.fullmatch(name)
    entry: Entry | None = dictionary().by_name.get(tagged[1] if tagged else name)
    if entry is None:
        raise ValueError(f"no attribute {name!r}")
    return Numbered(entry.path, join_tag(entry, int(tagged[2]) if tagged else 0, encode_value(entry, text)))
