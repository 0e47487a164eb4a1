"""SLDC (ECMA-321), as Windows Event Forwarding compresses its requests (`Content-Encoding: SLDC`).

A stream of bits, most significant first. What begins with nine 1-bits is a control symbol of 13 bits, told by its last four; all else is data,
spelled by the scheme in force:

    control    0001 scheme 1    0010 scheme 2    0101 reset, scheme 1    0110 reset, scheme 2    0100 end of record
    scheme 1   0 + 8 bits                              one octet
               1 + count + 10 bits of displacement     so many octets again: 0x 2-3, 10xx 4-7, 110xxx 8-15, 1110xxxx 16-31, 1111xxxxxxxx 32-271
    scheme 2   8 bits, a 0 behind 11111111             one octet

A displacement is an address in the last 1,024 octets, seen as a ring that a reset rewinds to 0, not a distance. Windows writes: reset with scheme 1, data,
end of record, zero bits to an even number of octets, and behind the record the content's size as 4 octets, little-endian.

    rule                 the stream
    sldc-no-scheme       has data before a scheme
    sldc-control         has another control symbol: flush, file mark, end marker, or a reserved one
    sldc-displacement    copies what hasn't been there
    sldc-truncated       has no end of record
    sldc-too-large       holds more than allowed; 23 bits can say 271 octets, so that 1 MiB may say 94
    sldc-length          states another size than it has
    sldc-trailing        goes on behind its end

Departures: the size behind the record may be missing, and up to three octets of zeros may pad the record; control symbols that only mean
something on a tape are refused.
`decode` and `encode` have native twins of the same meaning, `kernel.sldc_decode` and `kernel.sldc_encode`.
"""

from __future__ import annotations

from typing import Final

import kernel
from kernel import Engine
from pipeline.errors import MessageError

DOCUMENT: Final = "ECMA-321 section 8"

HISTORY: Final = 1024
CONTROL_MARK: Final = 0x1FF
STUFFED: Final = 0x1FE
SCHEME_1, SCHEME_2, END_OF_RECORD, RESET_1, RESET_2 = 1, 2, 4, 5, 6
SCHEME_OF: Final = {SCHEME_1: 1, SCHEME_2: 2, RESET_1: 1, RESET_2: 2}

COUNTS: Final = ((1, 0b0, 1, 2), (2, 0b10, 2, 4), (3, 0b110, 3, 8), (4, 0b1110, 4, 16), (4, 0b1111, 8, 32))
"""(bits of prefix, prefix, bits behind it, count where those are zero), shortest first."""

SHORTEST, LONGEST = 3, 271  # of copies the encoder looks for

SIZE_OCTETS: Final = 4
MOST_PADDING: Final = 3

MISFLAGGED: Final = (b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf", b"<", b"\x00<")
"""No SLDC stream begins like this, but text does: Windows says SLDC of bodies that are plain (seen with End), and of empty ones."""


def decode_body(body: bytes, max_size: int, engine: Engine = Engine.NATIVE) -> bytes:
    """The content of a request's body that `Content-Encoding` says is SLDC; a body that is plain, or empty, as it is.

    Raises:
        MessageError: one of the rules above.
    """
    if not body or body.startswith(MISFLAGGED):
        if len(body) > max_size:
            raise MessageError("sldc-too-large", offset=max_size, detail=str(max_size))
        return body
    if engine is Engine.REFERENCE:
        return decode(body, max_size)
    content, broken, offset = kernel.sldc_decode(body, max_size)
    if broken is not None:
        raise MessageError(broken, offset=offset, document=DOCUMENT)
    return content


def decode(data: bytes, max_size: int) -> bytes:
    """The content of a stream with one record.

    Raises:
        MessageError: one of the rules above.
    """
    reading = _Reading(data, max_size)
    while reading.goes_on():
        pass
    return bytes(reading.out)


class _Reading:
    """A stream, read symbol by symbol.

    at:        bit of the next symbol.
    out:       content so far.
    reset_at:  octet of it that is address 0 of the ring.
    scheme:    in force; 0 before there is one.
    """

    def __init__(self, data: bytes, max_size: int) -> None:
        self._data: Final = data
        self._max_size: Final = max_size
        self.at = self.reset_at = self.scheme = 0
        self.out: Final = bytearray()

    def goes_on(self) -> bool:
        """Read a symbol; whether the record goes on behind it."""
        self._need(1)
        mark = self._peek(self.at, 9)
        if mark == CONTROL_MARK:
            return self._control()
        if not self.scheme:
            raise self._broken("sldc-no-scheme")
        if self.scheme == 1 and mark >> 8:
            self._copy()
        elif self.scheme == 1:
            self._octet(mark & 0xFF, 9)
        else:
            self._octet(mark >> 1, 9 if mark == STUFFED else 8)
        return True

    def _control(self) -> bool:
        self._need(13)
        code = self._peek(self.at, 13) & 0xF
        if code == END_OF_RECORD:
            self.at = (self.at + 13 + 7) // 8 * 8
            self._check_end(self._data[self.at // 8 :])
            return False
        if code not in SCHEME_OF:
            raise self._broken("sldc-control")
        self.scheme = SCHEME_OF[code]
        if code in (RESET_1, RESET_2):
            self.reset_at = len(self.out)
        self.at += 13
        return True

    def _octet(self, octet: int, bits: int) -> None:
        self._need(bits)
        if len(self.out) >= self._max_size:
            raise self._broken("sldc-too-large")
        self.out.append(octet)
        self.at += bits

    def _copy(self) -> None:
        prefix_bits, _, value_bits, least = next(row for row in COUNTS if self._peek(self.at + 1, row[0]) == row[1])
        value_at = self.at + 1 + prefix_bits
        displacement_at = value_at + value_bits
        self._need(displacement_at + 10 - self.at)
        count, displacement = least + self._peek(value_at, value_bits), self._peek(displacement_at, 10)
        written = len(self.out) - self.reset_at
        distance = (written - displacement - 1) % HISTORY + 1
        if distance > written:
            raise self._broken("sldc-displacement")
        if len(self.out) + count > self._max_size:
            raise self._broken("sldc-too-large")
        start = len(self.out) - distance
        again = self.out[start : start + count]
        self.out.extend((again * (count // distance + 1))[:count])  # what is being copied may be what is being written
        self.at = displacement_at + 10

    def _peek(self, at: int, bits: int) -> int:
        """Up to 24 bits from bit `at` on; beyond the end they are 0."""
        word = int.from_bytes(self._data[at // 8 : at // 8 + 4].ljust(4, b"\x00"))
        return word >> (32 - at % 8 - bits) & ((1 << bits) - 1)

    def _need(self, bits: int) -> None:
        if self.at + bits > len(self._data) * 8:
            raise MessageError("sldc-truncated", offset=len(self._data), document=DOCUMENT)

    def _broken(self, rule: str) -> MessageError:
        return MessageError(rule, offset=self.at // 8, document=DOCUMENT)

    def _check_end(self, rest: bytes) -> None:
        padding, stated = (rest[:-SIZE_OCTETS], rest[-SIZE_OCTETS:]) if len(rest) >= SIZE_OCTETS else (rest, b"")
        if len(padding) > MOST_PADDING or any(padding):
            raise self._broken("sldc-trailing")
        if stated and int.from_bytes(stated, "little") != len(self.out):
            raise self._broken("sldc-length")


def encode(content: bytes) -> bytes:
    """A stream as Windows writes it. Greedy: of each place's three octets, the latest other occurrence is the only one tried."""
    out = _Bits()
    out.put(CONTROL_MARK << 4 | RESET_1, 13)
    latest, at = dict[bytes, int](), 0
    while at < len(content):
        found = latest.get(content[at : at + SHORTEST], -HISTORY)
        count = _match(content, found, at) if at - found < HISTORY else 0
        if count >= SHORTEST:
            prefix_bits, prefix, value_bits, least = next(row for row in reversed(COUNTS) if count >= row[3])
            out.put(1 << prefix_bits | prefix, 1 + prefix_bits)
            out.put(count - least, value_bits)
            out.put(found % HISTORY, 10)
        else:
            count = 1
            out.put(content[at], 9)
        for passed in range(at, min(at + count, len(content) - SHORTEST + 1)):
            latest[content[passed : passed + SHORTEST]] = passed
        at += count
    out.put(CONTROL_MARK << 4 | END_OF_RECORD, 13)
    return out.padded() + len(content).to_bytes(SIZE_OCTETS, "little")


def _match(content: bytes, found: int, at: int) -> int:
    """Octets from `at` on that equal those from `found` on."""
    count, most = 0, min(LONGEST, len(content) - at)
    while count < most and content[found + count] == content[at + count]:
        count += 1
    return count


class _Bits:
    """Bits written one after another."""

    def __init__(self) -> None:
        self._octets: Final = bytearray()
        self._pending = self._count = 0

    def put(self, value: int, bits: int) -> None:
        self._pending, self._count = self._pending << bits | value, self._count + bits
        while self._count >= 8:  # noqa: PLR2004 - an octet
            self._count -= 8
            self._octets.append(self._pending >> self._count & 0xFF)
        self._pending &= (1 << self._count) - 1

    def padded(self) -> bytes:
        """What was written, with zero bits to an even number of octets."""
        self.put(0, -self._count % 8)
        return bytes(self._octets) + bytes(len(self._octets) % 2)
