"""DER (X.690): one element after another, every length checked against what holds it.

What every ASN.1 reader here stands on; a document's own module says which elements it expects. Tags are one octet: class, constructed, and a
number up to 30, which is all that the documents we read use.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from pipeline.errors import MessageError

DOCUMENT: Final = "X.690 section 8.1"

INTEGER, BIT_STRING, OCTET_STRING, OBJECT_IDENTIFIER = 0x02, 0x03, 0x04, 0x06
ENUMERATED, GENERAL_STRING, SEQUENCE = 0x0A, 0x1B, 0x30
APPLICATION, CONTEXT = 0x60, 0xA0
"""Constructed tags of these classes; add the number."""

LONG_FORM: Final = 0x80
MANY_OCTETS_TAG: Final = 0x1F
MAX_LENGTH_OCTETS: Final = 4
MAX_INTEGER_OCTETS: Final = 8


class Element(NamedTuple):
    """An element of some DER.

    tag:    class, constructed, number.
    start:  of its content, in octets of what was read.
    end:    behind it.
    """

    tag: int
    start: int
    end: int


def parse_element(octets: bytes, at: int, end: int, tag: int | None = None) -> Element:
    """The element at `at`, which has to end at `end` or before.

    Raises:
        MessageError: `der-truncated`, `der-length`, `der-tag` (not the one asked for, or of several octets).
    """
    if end - at < 2:  # noqa: PLR2004 - tag and length
        raise MessageError("der-truncated", offset=at, document=DOCUMENT)
    found, length, start = octets[at], octets[at + 1], at + 2
    if found & MANY_OCTETS_TAG == MANY_OCTETS_TAG or (tag is not None and found != tag):
        raise MessageError("der-tag", offset=at, document=DOCUMENT, detail=f"{found:#04x}")
    if length & LONG_FORM:
        count = length ^ LONG_FORM
        if not 0 < count <= MAX_LENGTH_OCTETS:
            raise MessageError("der-length", offset=at, document="X.690 section 10.1")
        length, start = int.from_bytes(octets[start : min(start + count, end)]), start + count
    if start > end or length > end - start:
        raise MessageError("der-truncated", offset=at, document=DOCUMENT)
    return Element(found, start, start + length)


def parse_elements(octets: bytes, start: int, end: int) -> Mapping[int, Element]:
    """The elements of a SEQUENCE's content by tag, as its members of tags of their own are told apart; the first of each tag counts.

    Raises:
        MessageError: as `parse_element`.
    """
    found: dict[int, Element] = {}
    while start < end:
        element = parse_element(octets, start, end)
        found.setdefault(element.tag, element)
        start = element.end
    return found


def parse_integer(octets: bytes, element: Element) -> int:
    """An INTEGER that fits 64 bits.

    Raises:
        MessageError: `der-integer`.
    """
    content = octets[element.start : element.end]
    if element.tag != INTEGER or not 0 < len(content) <= MAX_INTEGER_OCTETS:
        raise MessageError("der-integer", offset=element.start, document="X.690 section 8.3")
    return int.from_bytes(content, signed=True)


def encode_element(tag: int, *contents: bytes) -> bytes:
    """An element around what its contents are together."""
    content = b"".join(contents)
    if len(content) < LONG_FORM:
        return bytes((tag, len(content))) + content
    length = len(content).to_bytes((len(content).bit_length() + 7) // 8)
    return bytes((tag, LONG_FORM | len(length))) + length + content


def encode_integer(value: int) -> bytes:
    """An INTEGER in as few octets as hold it."""
    return encode_element(INTEGER, value.to_bytes((value + (value < 0)).bit_length() // 8 + 1, signed=True))
