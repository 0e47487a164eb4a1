"""EVTX chunks whose binary XML means far more than it is long. Invented here; nothing writes such files but those who want harm."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable

STRING, NESTED, STRING_ARRAY = 0x01, 0x21, 0x81
FRAGMENT = b"\x0f\x01\x01\x00"
Value = tuple[int, bytes]


class Bomb:
    """A chunk of records; templates are told by where they stand."""

    def __init__(self) -> None:
        self.octets = bytearray(512)
        self.records: list[tuple[int, int]] = []

    def define(self, *takes: tuple[int, int], name: str = "a", empty: int = 0) -> int:
        """A record with a new template, and no values: `<name>` around values (index, type), and around `empty` elements of the same name."""
        start = self._begin()
        self.octets += FRAGMENT + b"\x0c\x01" + struct.pack("<II", 1, len(self.octets) + 14)
        at = len(self.octets)
        self.octets += bytes(24) + FRAGMENT + b"\x01\xff\xff" + bytes(4)
        named = len(self.octets) + 4
        self.octets += struct.pack("<IIHH", named, 0, 0, len(name)) + name.encode("utf-16-le") + b"\x00\x00\x02"
        for index, kind in takes:
            self.octets += struct.pack("<BHB", 0x0D, index, kind)
        self.octets += (b"\x01\xff\xff" + bytes(4) + struct.pack("<I", named) + b"\x03") * empty
        self.octets += b"\x04\x00"
        struct.pack_into("<I", self.octets, at + 20, len(self.octets) - at - 24)
        self.octets += struct.pack("<I", 0)
        self._end(start)
        return at

    def add(self, template: int, *values: Value) -> None:
        """A record that is an instance of a template."""
        start = self._begin()
        self.octets += instance(template, *values)
        self._end(start)

    def close(self) -> bytes:
        free = len(self.octets)
        assert free <= 65_536
        chunk = self.octets.ljust(65_536, b"\x00")
        first, last, last_at = self.records[0][1], self.records[-1][1], self.records[-1][0]
        struct.pack_into("<8sQQQQIIII", chunk, 0, b"ElfChnk\x00", first, last, first, last, 128, last_at, free, zlib.crc32(chunk[512:free]))
        struct.pack_into("<I", chunk, 124, zlib.crc32(chunk[:120] + chunk[128:512]))
        return bytes(chunk)

    def _begin(self) -> int:
        self.octets += struct.pack("<4sIQQ", b"**\x00\x00", 0, len(self.records) + 1, 132_000_000_000_000_000)
        return len(self.octets) - 24

    def _end(self, start: int) -> None:
        self.octets += bytes(1 + -(len(self.octets) + 5 - start) % 8)
        size = len(self.octets) + 4 - start
        self.octets += struct.pack("<I", size)
        struct.pack_into("<I", self.octets, start + 4, size)
        self.records.append((start, len(self.records) + 1))


def instance(template: int, *values: Value) -> bytes:
    """The binary XML of an instance, which may be a value itself."""
    descriptors = b"".join(struct.pack("<HBB", len(octets), kind, 0) for kind, octets in values)
    return FRAGMENT + b"\x0c\x01" + struct.pack("<III", 1, template, len(values)) + descriptors + b"".join(octets for _, octets in values)


def text(words: str) -> Value:
    return STRING, words.encode("utf-16-le")


def strings(count: int) -> Value:
    return STRING_ARRAY, b"x\x00\x00\x00" * count


def _nested(depth: int, times: int) -> bytes:
    bomb = Bomb()
    template = bomb.define(*[(0, NESTED)] * times)
    value = text("x")
    for _ in range(depth):
        value = NESTED, instance(template, value)
    bomb.add(template, value)
    return bomb.close()


def _repeated() -> bytes:
    bomb = Bomb()
    bomb.add(bomb.define(*[(0, STRING)] * 3000), text("x" * 12_000))
    return bomb.close()


def _arrays() -> bytes:
    bomb = Bomb()
    inner = bomb.define(*[(index, STRING_ARRAY) for index in range(6)])
    bomb.add(bomb.define((0, NESTED)), (NESTED, instance(inner, *[strings(60)] * 6)))
    return bomb.close()


def _names() -> bytes:
    bomb = Bomb()
    template = bomb.define(name="a" * 12_000, empty=1500)
    for _ in range(100):
        bomb.add(template)
    return bomb.close()


def _count() -> bytes:
    """Says that four thousand million values follow, which a reader mustn't make room for."""
    bomb = Bomb()
    bomb.add(bomb.define())
    start, _ = bomb.records[-1]
    struct.pack_into("<I", bomb.octets, start + 24 + 14, 0xFFFF_FFF0)
    return bomb.close()


def _overlapping() -> bytes:
    """Hundreds of templates, each beginning a few octets into the one before: a substitution read as a size is 32,781 octets."""
    bomb = Bomb()
    template = bomb.define(*[(0x80, 0x00)] * 9000)
    for step in range(400):
        bomb.add(template + 60 + 4 * step)
    return bomb.close()


BOMBS: dict[str, Callable[[], bytes]] = {
    "a value taken three thousand times": _repeated,
    "nested values multiply": lambda: _nested(9, 30),
    "arrays multiply": _arrays,
    "a long name in many elements of many records": _names,
    "values nested without end": lambda: _nested(200, 1),
}
OVERLAPPING = _overlapping
HARMLESS: dict[str, Callable[[], bytes]] = {
    "more values than fit": _count,
    "a value taken twice": lambda: _nested(0, 2),
    "nested, as Windows does": lambda: _nested(2, 2),
}
