"""Attributes: type, length, value (RFC 2865 section 5), and what is inside of the types that hold others.

    plain            Type, Length, Value
    vendor-specific  26: Vendor-Id (4 octets), then one or many attributes of that vendor (RFC 2865 section 5.26)
    extended         241 to 244: Extended-Type (1 octet), Value (RFC 6929 section 2.1)
    long extended    245, 246: Extended-Type, a flag octet whose first bit says that the next one goes on, Value (RFC 6929 section 2.2)
    extended vendor  extended type 26: Vendor-Id, Vendor-Type (1 octet), Value (RFC 6929 section 2.4)

A nested length is checked against what holds it, never against the packet. An attribute whose inside breaks its form, as an extended one without value does or
a fragment without its end, is an "invalid attribute" (RFC 6929 section 2.8): the packet is understood without it, so it stays whole, under the number of
what holds it. Only a packet whose own attributes break their form is refused.

    rule                the packet has
    radius-attribute    an attribute shorter than its type and length, or longer than what is left

Departures: attribute 0, which no document gives a meaning, is read like any other that has no name. Attributes of length 2 (no value) are kept, though RFC
2865 section 5 says to leave them out. A fragment shorter than 255 octets may have its flag set.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from pipeline.errors import MessageError

DOCUMENT: Final = "RFC 2865 section 5"

HEADER: Final = 2
MAX_VALUE: Final = 253

MAX_TYPE: Final = 255
MAX_VENDOR: Final = 2**32 - 1
VENDOR_SPECIFIC: Final = 26
VENDOR_ID: Final = 4
EXTENDED: Final = range(241, 245)
LONG_EXTENDED: Final = range(245, 247)
LONG_EXTENDED_HEADER: Final = 2
MORE: Final = 0x80
MAX_FRAGMENT: Final = MAX_VALUE - LONG_EXTENDED_HEADER


class Attribute(NamedTuple):
    """One attribute of a packet, as it lies there.

    type:   its number, 0 to 255.
    value:  0 to 253 octets.
    """

    type: int
    value: bytes


class Numbered(NamedTuple):
    """An attribute under the number that says what it means.

    path:   dotted number of RFC 6929 section 2.7.2 as a tuple: (40,), (26, 311, 10), (241, 1), (241, 26, 311, 10); (26,) and (241,) are those whose inside
            breaks its form, (26, 311) those of a vendor that has a form of its own.
    value:  what stands there, long ones joined.
    """

    path: tuple[int, ...]
    value: bytes


def scan_attributes(octets: bytes, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    """(type, where its value begins, where it ends) of the attributes from `start` on, which have to end at `end`.

    Raises:
        MessageError: radius-attribute.
    """
    while start < end:
        length = octets[start + 1] if end - start >= HEADER else 0
        if not HEADER <= length <= end - start:
            raise MessageError("radius-attribute", offset=start, document=DOCUMENT, detail=f"type {octets[start]}, length {length}, {end - start} octets left")
        yield octets[start], start + HEADER, start + length
        start += length


def parse_attributes(octets: bytes, start: int, end: int) -> tuple[Attribute, ...]:
    """The attributes themselves; raises as `scan_attributes`."""
    return tuple([Attribute(kind, octets[at:stop]) for kind, at, stop in scan_attributes(octets, start, end)])


def encode_attributes(attributes: Iterable[Attribute]) -> bytes:
    """Attributes, one after another; a value of more than 253 octets is a ValueError, since nothing a peer sends gets here so long."""
    return b"".join(bytes((attribute.type, HEADER + len(attribute.value))) + attribute.value for attribute in attributes)


def scan_numbered(attributes: Iterable[Attribute]) -> Iterator[Numbered]:
    """What each attribute is or holds, in order; a fragmented one comes where its last fragment is, incomplete ones whole at the end."""
    unfinished: dict[int, list[Attribute]] = {}  # fragments so far of long extended attributes, by type
    for attribute in attributes:
        kind, value = attribute
        if kind in LONG_EXTENDED and len(value) > LONG_EXTENDED_HEADER:
            fragments = unfinished.setdefault(kind, [])
            if fragments and fragments[0].value[0] != value[0]:
                yield from map(_whole, fragments)
                fragments.clear()
            fragments.append(attribute)
            if not value[1] & MORE:
                yield from _extended(kind, value[0], b"".join(fragment.value[LONG_EXTENDED_HEADER:] for fragment in unfinished.pop(kind)))
        elif kind in EXTENDED and len(value) > 1:
            yield from _extended(kind, value[0], value[1:])
        elif kind == VENDOR_SPECIFIC:
            yield from _vendor_specific(value)
        else:
            yield _whole(attribute)
    for fragments in unfinished.values():
        yield from map(_whole, fragments)


def _whole(attribute: Attribute) -> Numbered:
    return Numbered((attribute.type,), attribute.value)


def _vendor_specific(value: bytes) -> Iterator[Numbered]:
    if len(value) < VENDOR_ID:
        yield Numbered((VENDOR_SPECIFIC,), value)
        return
    vendor = int.from_bytes(value[:VENDOR_ID])
    try:
        inside = parse_attributes(value, VENDOR_ID, len(value))
    except MessageError:
        inside = ()
    if not inside:
        yield Numbered((VENDOR_SPECIFIC, vendor), value[VENDOR_ID:])
    for attribute in inside:
        yield Numbered((VENDOR_SPECIFIC, vendor, attribute.type), attribute.value)


def _extended(kind: int, inner: int, value: bytes) -> Iterator[Numbered]:
    if inner == VENDOR_SPECIFIC and len(value) > VENDOR_ID + 1:
        yield Numbered((kind, inner, int.from_bytes(value[:VENDOR_ID]), value[VENDOR_ID]), value[VENDOR_ID + 1 :])
    else:
        yield Numbered((kind, inner), value)


def encode_numbered(numbered: Numbered) -> tuple[Attribute, ...]:
    """The attributes that hold one value: one, or more where a long extended one has to be cut. The inverse of `scan_numbered`.

    Raises:
        ValueError: a number that no attribute has, or a value that is too long for its form.
    """
    path, value = numbered
    attributes: tuple[Attribute, ...]
    match path:
        case _ if any(number > MAX_VENDOR for number in path):
            raise ValueError(f"no number of an attribute: {path}")
        case (kind, _, *_) if kind >= EXTENDED.start and not value:
            raise ValueError(f"attribute {path} can't be empty")
        case (kind, inner, vendor, number) if kind >= EXTENDED.start and inner == VENDOR_SPECIFIC:
            return encode_numbered(Numbered((kind, inner), vendor.to_bytes(VENDOR_ID) + bytes((number,)) + value))
        case (kind, vendor, number) if kind == VENDOR_SPECIFIC:
            return encode_numbered(Numbered((kind, vendor), encode_attributes((Attribute(number, value),))))
        case (kind, vendor) if kind == VENDOR_SPECIFIC:
            attributes = (Attribute(kind, vendor.to_bytes(VENDOR_ID) + value),)
        case (kind, inner) if kind in EXTENDED:
            attributes = (Attribute(kind, bytes((inner,)) + value),)
        case (kind, inner) if kind in LONG_EXTENDED:
            pieces = [value[at : at + MAX_FRAGMENT] for at in range(0, len(value), MAX_FRAGMENT)]
            attributes = tuple(Attribute(kind, bytes((inner, MORE if at < len(pieces) else 0)) + piece) for at, piece in enumerate(pieces, 1))
        case (kind,) if kind <= MAX_TYPE:
            attributes = (Attribute(kind, value),)
        case _:
            raise ValueError(f"no number of an attribute: {path}")
    if any(len(attribute.value) > MAX_VALUE for attribute in attributes):
        raise ValueError(f"{len(value)} octets are too many for attribute {path}")
    return attributes
