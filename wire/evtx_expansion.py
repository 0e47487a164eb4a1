"""How long the text of EVTX records can get: a bound, found by walking their binary XML without expanding it ([MS-EVEN6] section 2.2.12; libevtx, section 4).

A chunk of 64 KiB can be crafted to mean gigabytes of text:

    a template may take the same value many times over
    a value may be binary XML itself, an instance of another template: the two multiply, level by level
    an array repeats the element that takes it, once an item, and several arrays multiply
    a name of 32,767 characters stands once, and any number of elements may have it

Real records are as long as their values and one copy of their templates. So what is counted is that copy, and the values as often as they
are taken. Where binary XML breaks its grammar, counting ends, as reading does.

The grammar is the one that the `evtx` library reads, with its tolerances: a value whose size is less than its type's width is read whole,
and the next one begins behind it.
"""

from __future__ import annotations

import struct
from array import array
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import accumulate
from math import prod
from operator import lt
from typing import Final

import kernel
from kernel import Engine
from wire.evtx import CHUNK, RECORD_HEADER, SIZE, Record

MAX_TEXT: Final = 32 << 20
"""Octets that the text of a chunk's records may take; those of real ones take a twentieth."""
MAX_STEPS: Final = 4 * CHUNK
"""Tokens and values of a chunk that are looked at. There are no more than octets, were it not for templates that overlap."""
MAX_NESTING: Final = 64
"""Levels of binary XML in values; the library reads no more either."""

NODE: Final = 64  # what an element takes beside its name, as text or in memory
PER_OCTET: Final = 4  # text of a value's octet: of an array `255,`, of UTF-16 half of `&quot;`
PER_CHARACTER: Final = 3
BEYOND: Final = 1 << 40

MORE: Final = 0x40  # a flag of tokens: attributes follow, or another attribute
TEMPLATE_HEADER: Final = 24
WORD: Final = struct.Struct("<H")
LONG: Final = struct.Struct("<I")


class Token:
    """[MS-EVEN6] section 2.2.12.1."""

    OPEN: Final = 0x01
    CLOSE_EMPTY: Final = 0x03
    CLOSE: Final = 0x04
    VALUE: Final = 0x05
    ATTRIBUTE: Final = 0x06
    ENTITY: Final = 0x09
    PI_TARGET: Final = 0x0A
    PI_DATA: Final = 0x0B
    INSTANCE: Final = 0x0C
    SUBSTITUTION: Final = 0x0D
    OPTIONAL: Final = 0x0E
    FRAGMENT: Final = 0x0F
    CLOSE_START: Final = 0x02


NULL, STRING, SID, NESTED, ARRAY, STRING_ARRAY = 0x00, 0x01, 0x13, 0x21, 0x80, 0x81
OCTET_ARRAYS: Final = (0x82, 0x83, 0x84)
WIDTHS: Final = {
    **dict.fromkeys((0x03, 0x04), 1),
    **dict.fromkeys((0x05, 0x06), 2),
    **dict.fromkeys((0x07, 0x08, 0x0B, 0x0D, 0x14), 4),
    **dict.fromkeys((0x09, 0x0A, 0x0C, 0x11, 0x15), 8),
    **dict.fromkeys((0x0F, 0x12), 16),
}
"""Octets of the value types that have a width of their own, whatever size stands beside them."""
LEAST: Final = bytes(WIDTHS.get(kind, 0) for kind in range(256))
INSTANCE_IN_FRAGMENT: Final = b"\x0f\x01\x01\x00\x0c"  # how records begin, and values
INSTANCE_ALONE: Final = b"\x0c"


class _BrokenError(Exception):
    """The grammar is broken: nothing behind this is read."""


class _EndlessError(Exception):
    """More than may be looked at, or than any text may have."""


@dataclass(slots=True)
class _Element:
    """An element: the one around it, what its own names and texts take, and the values it takes, by index."""

    around: int
    length: int
    values: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Shape:
    """Elements, each behind the one around it; what they take without values, and how often each value is taken, by index."""

    elements: tuple[_Element, ...]
    length: int
    uses: Mapping[int, int]
    most_uses: int


def find_expanding(octets: bytes, records: Sequence[Record], max_text: int = MAX_TEXT, engine: Engine = Engine.NATIVE) -> list[Record]:
    """Those of a chunk's records that may not fit into `max_text` octets of text, counted from the first on.

    Args:
        octets: the CHUNK octets of the chunk.
        records: its records in order.
        max_text: what there is for all of them together.
        engine: which implementation walks.
    """
    if engine is Engine.NATIVE:
        spans = array("I", [offset for record in records for offset in (record.start, record.end)]).tobytes()
        return [records[place] for place in kernel.find_expanding(octets, spans, max_text, MAX_STEPS)]
    walk, refused = _Walk(octets), []
    for record in records:
        try:
            length = walk.text(record.start + RECORD_HEADER.size, record.end - SIZE.size, depth=0)
        except _EndlessError:
            length = max_text + 1
        if length > max_text:
            refused.append(record)
        else:
            max_text -= length
    return refused


class _Walk:
    """A chunk being walked: its templates as far as they are known (None while one is read), and the steps that are left."""

    __slots__ = ("octets", "steps", "templates")

    def __init__(self, octets: bytes) -> None:
        self.octets, self.steps = octets, MAX_STEPS
        self.templates: dict[int, _Shape | None] = {}

    def spend(self, steps: int) -> None:
        self.steps -= steps
        if self.steps < 0:
            raise _EndlessError

    def text(self, at: int, end: int, depth: int) -> int:
        """The text of the record, or of the binary XML in a value, from `at` to `end`."""
        begin = at + 1 if self.octets.startswith(INSTANCE_ALONE, at) else at + 5 if self.octets.startswith(INSTANCE_IN_FRAGMENT, at) else 0
        if not begin or depth > MAX_NESTING:
            return self.shape(at, end, depth).length
        try:
            length, behind = self._instance(begin, end, depth)
        except (_BrokenError, IndexError, struct.error):
            return 0
        return length if behind >= end or not self.octets[behind] else length + self.shape(at, end, depth).length

    def shape(self, at: int, end: int, depth: int, *, template: bool = False) -> _Shape:
        """What the tokens from `at` to `end` describe, as far as they are sound."""
        if depth > MAX_NESTING:
            raise _EndlessError
        elements = [_Element(0, NODE)]
        with suppress(_BrokenError, IndexError, struct.error):  # what stands before it was counted
            self._walk(at, end, depth, elements, template=template)
        uses = Counter(value for element in elements for value in element.values)
        return _Shape(tuple(elements), sum(element.length for element in elements), uses, max(uses.values(), default=0))

    def _walk(self, at: int, end: int, depth: int, elements: list[_Element], *, template: bool) -> None:  # noqa: C901 - one case per token
        octets, inside = self.octets, [0]
        while at < end:
            self.spend(1)
            token, at = octets[at], at + 1
            match token & ~MORE:
                case Token.OPEN:
                    characters, at = self._name(at + 6 if template else at + 4)  # behind a dependency, which templates have, and a size
                    inside.append(len(elements))
                    elements.append(_Element(inside[-2], NODE + 2 * PER_CHARACTER * characters))
                    at += 4 if token & MORE else 0
                case Token.CLOSE_START:
                    pass
                case Token.CLOSE | Token.CLOSE_EMPTY:
                    if len(inside) == 1:
                        return
                    inside.pop()
                case Token.SUBSTITUTION | Token.OPTIONAL:
                    elements[inside[-1]].values.append(octets[at] | octets[at + 1] << 8)
                    at += 3
                case Token.ATTRIBUTE | Token.ENTITY | Token.PI_TARGET:
                    characters, at = self._name(at)
                    elements[inside[-1]].length += NODE + PER_CHARACTER * characters
                case Token.VALUE:
                    length, at = self._literal(at, depth)
                    elements[inside[-1]].length += length
                case Token.INSTANCE if not template:
                    length, at = self._instance(at, end, depth)
                    elements[inside[-1]].length += length
                case Token.PI_DATA:
                    characters = WORD.unpack_from(octets, at)[0]
                    elements[inside[-1]].length += NODE + PER_CHARACTER * characters
                    at += WORD.size + 2 * characters
                case Token.FRAGMENT:
                    at += 3
                case _:  # the end, or what nobody reads
                    return

    def _name(self, at: int) -> tuple[int, int]:
        """(its characters, where it ends) of a name that is referred to at `at`, and may stand right there."""
        named = LONG.unpack_from(self.octets, at)[0]
        at += LONG.size
        characters: int = WORD.unpack_from(self.octets, named + 6)[0]
        return characters, at + 10 + 2 * characters if named == at else at

    def _literal(self, at: int, depth: int) -> tuple[int, int]:
        """(text it takes, where it ends) of a value that stands in the document itself."""
        kind, at = self.octets[at], at + 1
        if kind in (STRING, NESTED):
            size = WORD.unpack_from(self.octets, at)[0] * (2 if kind == STRING else 1)
            at += WORD.size
            return self.text(at, at + size, depth + 1) if kind == NESTED else NODE + PER_CHARACTER * size // 2, at + size
        if kind not in (NULL, SID, *WIDTHS):
            raise _BrokenError
        width = self._width(kind, at, 0)
        return NODE + PER_OCTET * width, at + width

    def _width(self, kind: int, at: int, size: int) -> int:
        """Octets that are read for a value of this type at `at`, if `size` is said to be its size."""
        if kind == SID:
            return max(size, 8 + 4 * self.octets[at + 1])
        if kind == STRING_ARRAY and size:
            end = at + size + size % 2
            while self.octets[end - 2 : end] not in (b"\x00\x00", b""):  # the last string ends where it ends
                self.spend(1)
                end += 2
            return end - at
        return max(size, WIDTHS.get(kind, 0))

    def _instance(self, at: int, stop: int, depth: int) -> tuple[int, int]:
        """(text it takes, where it ends) of a template with its values, in a stream that ends at `stop`."""
        octets = self.octets
        definition, at = LONG.unpack_from(octets, at + 5)[0], at + 9
        if definition == at:
            at += TEMPLATE_HEADER + LONG.unpack_from(octets, at + 20)[0]
        count, at = LONG.unpack_from(octets, at)[0], at + LONG.size
        end = at + 4 * count
        template = self._template(definition, depth)
        if end > len(octets):  # more than can follow: the template may still be written, without them
            return template.length, len(octets)
        self.spend(count)
        described = struct.unpack_from(f"<{2 * count}H", octets, at)
        sizes, kinds = described[::2], octets[at + 2 : end : 4]
        at, total = end, sum(sizes)
        length = template.length + template.most_uses * (PER_OCTET * total + NODE * count)
        most = max(kinds, default=0)
        if most < NESTED and not octets[at + total : stop].strip(b"\x00"):  # nothing follows, wherever in there it ends
            return length, at + total
        starts = self._starts(kinds, sizes, at)
        if most >= ARRAY:
            return self._product(template, kinds, sizes, starts, depth), starts[-1]
        index = kinds.find(NESTED)
        while index >= 0:
            length += template.uses.get(index, 0) * self.text(starts[index], starts[index] + sizes[index], depth + 1)
            index = kinds.find(NESTED, index + 1)
        return min(length, BEYOND), starts[-1]

    def _starts(self, kinds: bytes, sizes: tuple[int, ...], at: int) -> list[int]:
        """Where each value starts, and where the last one ends."""
        if STRING_ARRAY not in kinds and not any(map(lt, sizes, kinds.translate(LEAST))):
            starts = list(accumulate(sizes, initial=at))
            if SID not in kinds or all(self._width(SID, starts[index], sizes[index]) == sizes[index] for index, kind in enumerate(kinds) if kind == SID):
                return starts
        starts = [at]
        for size, kind in zip(sizes, kinds, strict=True):
            at += self._width(kind, at, size)
            starts.append(at)
        return starts

    def _template(self, at: int, depth: int) -> _Shape:
        if at not in self.templates:
            end = at + TEMPLATE_HEADER + LONG.unpack_from(self.octets, at + 20)[0]
            if end > len(self.octets):
                raise _BrokenError
            self.templates[at] = None
            self.templates[at] = self.shape(at + TEMPLATE_HEADER, end, depth, template=True)
        known = self.templates[at]
        if known is None:  # it stands in itself
            raise _EndlessError
        return known

    def _product(self, template: _Shape, kinds: bytes, sizes: tuple[int, ...], starts: list[int], depth: int) -> int:
        """The text of a template with these values, each element as often as arrays repeat it."""
        lengths, items = [], []
        for kind, size, at in zip(kinds, sizes, starts, strict=False):
            lengths.append(self.text(at, at + size, depth + 1) if kind == NESTED else NODE + PER_OCTET * size)
            items.append(max(1, size if kind in OCTET_ARRAYS else size // 2) if kind & ARRAY else 1)
        self.spend(len(template.elements) + sum(template.uses.values()))
        totals = [element.length for element in template.elements]
        for index in range(len(totals) - 1, -1, -1):
            element = template.elements[index]
            taken = [value for value in element.values if value < len(kinds)]
            times = prod(items[value] for value in taken)
            once = totals[index] + sum(lengths[value] for value in taken if items[value] == 1)
            totals[index] = min(BEYOND, once * times + sum(lengths[value] * (times // items[value]) for value in taken if items[value] > 1))
            if index:
                totals[element.around] += totals[index]
        return totals[0]
