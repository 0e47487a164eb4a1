"""From the octets of one connection to whole messages: framing, then multi-line joining, over one buffer, sans I/O.

A Reassembly keeps what isn't a whole message yet and nothing else. What is cut is handed on as spans of the buffer it came in; what
can't be is handed on as rejects, so that every octet of a peer ends in exactly one place:

    whole message                                  a span
    longer than the limit                          reject `oversize`, with its beginning, and the message behind it is found
    the stream can't be followed                   reject with the broken rule; the messages before it are kept; the connection ends
    the peer ends inside a counted message         reject `truncated`, with what had come
    the peer ends inside a line                    a span: who ends a stream ends its last line
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from kernel import Octets, Room
from pipeline.errors import FramingError
from pipeline.model import Reject
from wire.syslog_framing import MAX_LENGTH_DIGITS, Framing, Position, Scan, Scanner, finish
from wire.syslog_multiline import Held, LooseLines, join, loose_lines

KEPT_OF_A_REJECT: Final = 8 << 10
"""Octets of an oversize or unframed message that are kept for `explain --last`."""

HEAD: Final = MAX_LENGTH_DIGITS + 1
"""Octets of a counted frame's `MSG-LEN SP`, at most."""

OVERSIZE: Final = "oversize"
TRUNCATED: Final = "truncated"


@dataclass(frozen=True, slots=True)
class Cut:
    """What was cut out of a stream.

    buffer:    the octets, in the room that was received where there was one.
    spans:     start, end ... of whole messages in `buffer`.
    rejected:  messages that were none, by rule.
    rejects:   those messages themselves, shortened, and fewer where there are many.
    broken:    why the connection has to end, None where it needn't.
    """

    buffer: Octets
    spans: array[int]
    rejected: Mapping[str, int] = field(default_factory=dict)
    rejects: tuple[Reject, ...] = ()
    broken: FramingError | None = None

    def __bool__(self) -> bool:
        return bool(self.spans or self.rejected)

    @property
    def messages(self) -> int:
        """How many they are, rejected ones too."""
        return len(self.spans) // 2 + sum(self.rejected.values())


NOTHING: Final = Cut(b"", array("I"))


class Reassembly:
    """One connection's octets on their way to becoming messages.

    Args:
        scan: the framing, `wire.syslog_framing.scanner`'s.
        max_message: longest message to hand on, in octets.
        loose: lines that may go on, of `wire.syslog_multiline.TWINS`.
    """

    def __init__(self, scan: Scanner, max_message: int, loose: LooseLines = loose_lines) -> None:
        self._scan: Final = scan
        self._loose: Final = loose
        self._max_message: Final = max_message
        self._position = Position()
        self._held: Held | None = None
        self._lines = b""  # what is held, its first octet first
        self._rest = bytearray()  # the octets behind them, which are no line or frame yet

    @property
    def octets(self) -> int:
        """Octets kept for the next call."""
        return len(self._lines) + len(self._rest)

    @property
    def within_message(self) -> bool:
        """Whether a message has begun whose rest has to come."""
        return bool(self._rest)

    @property
    def holds_message(self) -> bool:
        """Whether a message is held that the next line may continue: `flush` hands it on when its time is up."""
        return self._held is not None

    def receive(self, data: Octets) -> Cut:
        """What `data` completes. In a room, what was kept is put before it, and nothing is copied that completes something.

        Work is linear in the octets of a connection, however small the pieces: a rest that can't be complete is not looked at.
        """
        before = len(self._rest)
        if len(data) > before:
            buffer = _behind(bytes(self._rest), data)
        else:
            self._rest += data[:]
            if not self._may_complete(before):
                return NOTHING
            buffer = bytes(self._rest)
        scan = self._scan(buffer, self._position, self._max_message)
        self._position, self._rest = scan.position, bytearray() if scan.broken else bytearray(buffer[scan.consumed :])
        rejected, rejects = Counter[str](), list[Reject]()
        if scan.oversize:
            rejected[OVERSIZE] += scan.oversize
            rejects.extend(_beginnings(buffer, scan, self._max_message))
        if scan.broken is not None:
            rejected[scan.broken.rule] += 1
            rejects.append(Reject(buffer[scan.consumed : scan.consumed + KEPT_OF_A_REJECT], scan.broken.rule, 0, str(scan.broken)))
        if scan.position.framing is not Framing.NON_TRANSPARENT:
            return Cut(buffer, scan.spans, rejected, tuple(rejects), scan.broken)
        return self._joined(buffer, scan, rejected, rejects)

    def _may_complete(self, before: int) -> bool:
        """Whether the rest, which was `before` octets long until now, may hold a whole message or be too long to become one."""
        match self._position.framing:
            case Framing.OCTET_COUNTING:
                start = finish(bytes(self._rest[:HEAD]), self._position).start
                length = self._rest[: max(0, start - 1)]
                return not length.isdigit() or len(self._rest) >= start + int(length) or int(length) > self._max_message
            case Framing.NON_TRANSPARENT:
                return self._rest.find(b"\n", before) >= 0 or self._rest.find(b"\x00", before) >= 0 or len(self._rest) > self._max_message
            case Framing.UNDECIDED:
                return True

    def flush(self) -> Cut:
        """The message held, whose next line hasn't come in time."""
        cut = Cut(self._lines, _as_it_stands(self._held))
        self._held, self._lines = None, b""
        return cut

    def end(self) -> Cut:
        """All that is left, when the stream has ended."""
        rest = bytes(self._rest)
        tail = finish(rest, self._position)
        self._rest = bytearray()
        if tail.truncated:
            reject = Reject(rest[:KEPT_OF_A_REJECT], TRUNCATED, len(rest), "the stream ended inside this message")
            return Cut(rest, array("I"), {TRUNCATED: 1}, (reject,))
        lines = array("I", (tail.start, tail.end)) if tail.end > tail.start else array("I")
        last = self._joined(rest, Scan(lines, len(rest), self._position), Counter(), [])
        ahead, left = len(last.buffer) - len(self._lines), self.flush()
        return Cut(last.buffer, last.spans + array("I", (ahead + offset for offset in left.spans)), last.rejected, last.rejects)

    def _joined(self, buffer: Octets, scan: Scan, rejected: Counter[str], rejects: list[Reject]) -> Cut:
        """Join the lines of `scan` with what is held, and hold what may go on. A line behind an oversize one continues nothing."""
        ahead = len(self._lines)
        whole = _behind(self._lines, buffer)
        lines = array("I", (offset + ahead for offset in scan.spans)) if ahead else scan.spans
        consumed = ahead + scan.consumed
        spans, held, oversize = array("I"), self._held, 0
        for number, neighbours in enumerate(_neighbours(lines, held.end if held else 0, consumed, self._max_message)):
            if number:
                spans, held = spans + _as_it_stands(held), None
            joined = join(whole, neighbours, held, self._max_message, self._loose)
            spans, held, oversize = spans + joined.spans, joined.held, oversize + joined.oversize
        if oversize:
            rejected[OVERSIZE] += oversize
            rejects.extend(_beginnings(whole, Scan(spans, consumed, scan.position), self._max_message))
        self._lines = b"" if held is None or held.oversize else whole[held.start : consumed]
        self._held = None if held is None else Held(0, 0, held.last, oversize=True) if held.oversize else held.moved(held.start)
        return Cut(whole, spans, rejected, tuple(rejects))


def _behind(kept: bytes, octets: Octets) -> Octets:
    """`octets` behind what was kept: where they stand, if that is a room."""
    if isinstance(octets, Room):
        octets.prepend(kept)
        return octets
    return kept + octets if kept else octets


def _as_it_stands(held: Held | None) -> array[int]:
    return array("I") if held is None or held.oversize else array("I", (held.start, held.end))


def _neighbours(lines: array[int], before: int, consumed: int, max_message: int) -> Iterator[array[int]]:
    """`lines`, parted wherever more than a message's octets were passed over since the line before, which ended at `before`."""
    first = 0
    passed_over = consumed - before - sum(lines[1::2]) + sum(lines[::2])
    for at in range(0, len(lines) if passed_over > max_message else 0, 2):  # seldom so much in all
        if lines[at] - before > max_message:
            yield lines[first:at]
            first = at
        before = lines[at + 1]
    yield lines[first:]
    if consumed - (lines[-1] if lines else before) > max_message:
        yield array("I")


def _beginnings(buffer: Octets, scan: Scan, max_message: int) -> Iterator[Reject]:
    """The beginnings of messages passed over: the gaps between spans that are too long to be a frame's head, and the open end."""
    starts, ends = (0, *scan.spans[1::2]), (*scan.spans[::2], scan.consumed)
    for start, end in zip(starts, ends, strict=True):
        if end - start > max_message or (end == scan.consumed and scan.position.skip):
            yield Reject(buffer[start : min(end, start + KEPT_OF_A_REJECT)].lstrip(b"\n\r\x00"), OVERSIZE, 0, f"longer than {max_message} octets")
