"""Multi-line messages over non-transparent framing: which lines belong together (RFC 6587 section 3.4.2 leaves it open).

RFC 6587's LF ends a message, yet RSA's nine fields, Splunk's key=value block and printed event XML hold LFs of their own. So the
lines that `wire.syslog_framing` found are joined again: a line that begins no known message continues the one before it.

    line                                        begins a message
    <PRI>                                       always
    blank                                       never; between messages it is nothing at all
    RFC 3164 or ISO 8601 TIMESTAMP              unless it follows an opening line
    the beginning of a known payload            unless it follows an opening line or a header without payload
    EventCode= Logfile= SourceName= LogName=    the same, and unless it follows another key=value line
      TimeGenerated= ComputerName=
    anything else                               only where nothing is there to continue

An opening line is one that never stands alone: `RsaSA`, the date line of classic Splunk, an XML declaration. Where a header stands
in a line, the line is to the next one what its payload is.

A message is known to be complete by its end (`</Event>`, a closed JSON object); any other may go on, so the last of a buffer is
held back until a line begins the next one, or until its time is up: that clock is the caller's, who hands on `Held` as it stands.
What grows beyond the limit is passed over up to the next beginning and counted, like an oversize line.

`join` is a pure function over a buffer: no octet is copied, a joined message is the span from its first line to the end of its
last. However a stream is cut into calls, the messages are the same.

Where the next line begins with a PRI too, a line that does is a message and needs no look: `loose_lines` says which don't, and has a native twin of the
same name in `kernel`.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final

import kernel
from kernel import Engine, Octets
from wire.syslog_header import BSD_TIMESTAMP, ISO_TIMESTAMP, SNARE_HOST, parse_header
from wire.syslog_payload import ALWAYS, CIM_LINE, DATE_LINE, FLAT_DATE


class Line(Enum):
    """What a line is to the one after it."""

    PRI = "pri"
    STAMP = "stamp"
    OPENING = "opening"
    PAYLOAD = "payload"
    KEY = "key"
    PAIR = "pair"
    BLANK = "blank"
    TEXT = "text"


PRI: Final = rb"<[0-9]{1,3}>"

LINE: Final = re.compile(
    rb"(?P<pri>" + PRI + rb")"
    rb"|(?P<opening>RsaSA[ \t\r\x00]{0,8}\Z|" + DATE_LINE + rb"|" + CIM_LINE + rb"|<\?xml[^<>]{0,256}>[ \t\r\x00]{0,8}\Z)"
    rb"|(?P<payload>" + ALWAYS + rb"|" + FLAT_DATE + rb"|" + SNARE_HOST.pattern + rb")"
    rb"|(?P<key>(?:EventCode|Logfile|SourceName|LogName|TimeGenerated|ComputerName)=)"
    rb"|(?!Message=)(?P<pair>[A-Za-z]{2,32}=)"
    rb"|(?P<stamp>(?i:" + BSD_TIMESTAMP.pattern + rb")|" + ISO_TIMESTAMP.pattern + rb")"
    rb"|(?P<blank>[ \t\r\x00]*+\Z)"
)
"""One line, matched between its own ends."""

KINDS: Final = {line.value: line for line in Line}

GOES_ON: Final = {
    Line.PRI: frozenset[Line](),
    Line.STAMP: frozenset({Line.OPENING}),
    Line.OPENING: frozenset({Line.OPENING, Line.BLANK}),
    Line.PAYLOAD: frozenset({Line.OPENING, Line.BLANK}),
    Line.KEY: frozenset({Line.OPENING, Line.BLANK, Line.KEY, Line.PAIR}),
}
"""The lines that begin a message, and after which lines they don't (BLANK: a header alone). Those not in the table always go on."""

HEADERS: Final = frozenset({Line.PRI, Line.STAMP})

JSON_PREFIX_OCTETS: Final = 256


@dataclass(frozen=True, slots=True)
class Held:
    """A message that may go on.

    start, end:  its octets so far, in the buffer.
    last:        what its last line was.
    oversize:    it has outgrown the limit and is only passed over: there is nothing to hand on.
    """

    start: int
    end: int
    last: Line
    oversize: bool = False

    def moved(self, octets: int) -> Held:
        """The same after the buffer's beginning was cut by `octets`."""
        return replace(self, start=self.start - octets, end=self.end - octets)


@dataclass(frozen=True, slots=True)
class Joined:
    """What one call found.

    spans:     start, end, start, end ... of whole messages, in octets from the buffer's start.
    held:      the message that may go on: present its octets again with the next lines, or hand them on when its time is up.
    oversize:  messages that outgrew the limit in this call.
    """

    spans: array[int]
    held: Held | None
    oversize: int


LooseLines = Callable[[Octets, "array[int]"], Sequence[int]]


def loose_lines(buffer: Octets, lines: array[int]) -> Sequence[int]:
    """Numbers of the lines that don't begin with a PRI."""
    buffer, begins = buffer[:], re.compile(PRI).match
    return [number for number, (start, end) in enumerate(zip(lines[::2], lines[1::2], strict=True)) if not begins(buffer, start, end)]


TWINS: Final[dict[Engine, LooseLines]] = {Engine.NATIVE: lambda buffer, lines: kernel.loose_lines(buffer, lines.tobytes()), Engine.REFERENCE: loose_lines}


def join(buffer: Octets, lines: array[int], held: Held | None, max_message: int, loose: LooseLines = loose_lines) -> Joined:
    """Join `lines` into messages.

    Args:
        buffer: holds the lines and what is held.
        lines: start, end, start, end ... of lines without their LF, in order, all behind `held`.
        held: what the last call on this connection returned, moved as the buffer was; None at first and after handing it on.
        max_message: longest message to hand on, in octets.
        loose: `loose_lines`, or its twin.
    """
    count = len(lines) // 2
    spans, oversize, done = array("I"), 0, 0
    for first, last in (*_messages(loose(buffer, lines), count), (count, count)):
        joined = _join_each(buffer, lines[2 * done : 2 * first], held, max_message)
        spans, oversize, held, done = spans + joined.spans, oversize + joined.oversize, joined.held, last
        if last > first:
            if held is not None and not held.oversize:
                spans.extend((held.start, held.end))
            spans, held = spans + lines[2 * first : 2 * last], None
    return Joined(spans, held, oversize)


def _messages(loose: Sequence[int], count: int) -> Iterator[tuple[int, int]]:
    """Runs of lines, first and behind last, that begin with a PRI and stand before a line that does: each is a message."""
    first = 0
    for number in (*loose, count):
        if number - first > 1:
            yield first, number - 1
        first = number + 1


def _join_each(buffer: Octets, lines: array[int], held: Held | None, max_message: int) -> Joined:
    spans, oversize = array("I"), 0
    for start, end in zip(lines[::2], lines[1::2], strict=True):
        text = buffer[start:end]
        line = _kind(text)
        if line is Line.BLANK:
            continue
        if held is not None and _continues(buffer, held, line):
            if held.oversize:
                continue
            oversize += end - held.start > max_message
            held = Held(held.start, end, line, oversize=end - held.start > max_message)
        else:
            if held is not None and not held.oversize:
                spans.extend((held.start, held.end))
            held = Held(start, end, line)
        if not held.oversize and _complete(text, alone=held.start == start):
            spans.extend((held.start, held.end))
            held = None
    return Joined(spans, held, oversize)


def _kind(text: bytes) -> Line:
    found = LINE.match(text)
    return Line.TEXT if found is None or found.lastgroup is None else KINDS[found.lastgroup]


def _continues(buffer: Octets, held: Held, line: Line) -> bool:
    goes_on = GOES_ON.get(line)
    if goes_on is None or held.last in goes_on:
        return True
    if not goes_on or held.last not in HEADERS:
        return False
    # a header's line is always the first of its message, so it is all that is held
    message = buffer[held.start : held.end]
    return _kind(message[parse_header(message).payload_start :]) in goes_on


def _complete(text: bytes, *, alone: bool) -> bool:
    """Whether the message ends for certain with this line, which may be all of it."""
    text = text.removesuffix(b"\r")
    if text.endswith(b"</Event>"):
        return True
    if not text.endswith(b"}"):
        return False
    return text.find(b'{"', 0, JSON_PREFIX_OCTETS) >= 0 if alone else len(text) == 1
