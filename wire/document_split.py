"""Finding events in a document that holds many: `<Event>` elements of XML, objects of a JSON array (XML 1.0 section 3, RFC 8259 section 5).

    what                              why it is met
    <Events><Event/>...</Events>      what Event Viewer and wevtutil save
    <Event/><Event/>                  what scripts write: no single root, so no XML document at all
    <?xml?><Event/><?xml?><Event/>    the same, with a declaration each
    [{...}, {...}]                    what JSON tools write

Both are pure functions over a buffer, like `wire.syslog_framing`: spans of whole events, and what need not be presented again. An
event that outgrows the limit is handed on cut, one octet longer than allowed, for its parser to refuse. Well-formedness isn't judged.

Departures: an event that was never closed ends where the next one begins (`<Event>` and `<System>` again); whatever stands between
events and is neither white space, wrapper, declaration, comment nor comma is counted as stray octets.
"""

from __future__ import annotations

import re
from array import array
from dataclasses import dataclass
from typing import Final

_PREFIX: Final = rb"(?:[A-Za-z_][A-Za-z0-9_.-]{0,30}:)?"
_TOKEN: Final = re.compile(rb"<!--|<!\[CDATA\[|<(?P<close>/?)" + _PREFIX + rb"Event(?=[\s/>])")
_NEW: Final = re.compile(rb"<" + _PREFIX + rb"Event(?:\s[^<>]{0,400})?>\s{0,200}<" + _PREFIX + rb"System[\s/>]")
_SKIPPED: Final = {b"<!--": b"-->", b"<![CDATA[": b"]]>"}
_WRAPPING: Final = re.compile(rb"[\s\x00]++|\xef\xbb\xbf|<\?[^<>]{0,400}>|</?" + _PREFIX + rb"Events(?:\s[^<>]{0,400})?/?>|<!--.*?-->", re.DOTALL)
_JSON_TOKEN: Final = re.compile(rb'"(?:[^"\\]++|\\.)*+"|[{}"]', re.DOTALL)
_JSON_WRAPPING: Final = re.compile(rb"[\s\x00\[\],]++|\xef\xbb\xbf")

LOOKAHEAD: Final = 700
"""Octets that a token and what tells its meaning may take."""


@dataclass(frozen=True, slots=True)
class Split:
    """What one pass found.

    spans:     start, end, start, end ... of events, in octets from the buffer's start.
    consumed:  octets that need not be presented again.
    stray:     octets between events that are neither event nor wrapping.
    passing:   of an object that outgrew the limit and is only passed over: how deep the next octet is in it, and whether in a string.
    """

    spans: array[int]
    consumed: int
    stray: int
    passing: tuple[int, bool] = (0, False)


def scan_events(buffer: bytes, max_event: int, *, last: bool, passing: tuple[int, bool] = (0, False)) -> Split:  # noqa: ARG001 - scan_objects' signature
    """The `<Event>` elements of `buffer`.

    Args:
        buffer: unconsumed octets followed by new ones; under 4 GiB.
        max_event: longest event, in octets.
        last: nothing follows: an event still open ends with the buffer.
        passing: what the last call returned; of no meaning here, where a tag tells where one is.
    """
    spans, at, stray, unclosed = array("I"), 0, 0, set[bytes]()
    while (found := _TOKEN.search(buffer, at)) is not None:
        start = found.start()
        if found[0] in _SKIPPED:
            end = None if found[0] in unclosed else _passed(buffer, found)
            if end is None and len(buffer) - start > max_event:
                unclosed.add(found[0])  # not searched for again: that would be quadratic
                end = found.end()  # nobody comments at such length: it opens nothing
            if end is None:
                return Split(spans, start, stray + _stray(buffer, at, start, _WRAPPING)) if not last else Split(spans, len(buffer), stray + len(buffer) - at)
            stray, at = stray + _stray(buffer, at, end, _WRAPPING), end
            continue
        if found["close"]:
            stray, at = stray + _stray(buffer, at, found.end(), _WRAPPING), found.end()
            continue
        stray, end = stray + _stray(buffer, at, start, _WRAPPING), _event_end(buffer, start, last=last)
        if end is None and not last and len(buffer) - start <= max_event + LOOKAHEAD:
            return Split(spans, start, stray)
        end = min(len(buffer) if end is None else end, start + max_event + 1)
        spans.extend((start, end))
        at = end
    keep = len(buffer) if last else max(at, len(buffer) - LOOKAHEAD)
    if not last and (tail := buffer.rfind(b"<", at, keep)) >= 0 and len(buffer) - tail <= max_event:
        keep = tail
    return Split(spans, keep, stray + _stray(buffer, at, keep, _WRAPPING))


def scan_objects(buffer: bytes, max_event: int, *, last: bool, passing: tuple[int, bool] = (0, False)) -> Split:
    """The objects of a JSON array, or of objects one after the other; arguments as for `scan_events`."""
    spans, stray = array("I"), 0
    at, (depth, quoted) = _pass_over(buffer, 0, passing)
    if depth:
        return Split(spans, at if not last else len(buffer), 0, (depth, quoted))
    start, search = at, at
    while (found := _JSON_TOKEN.search(buffer, search)) is not None:
        token, search = found[0], found.end()
        if token == b"{":
            if not depth:
                start, stray = found.start(), stray + _stray(buffer, at, found.start(), _JSON_WRAPPING)
            depth += 1
        elif token == b"}" and depth:
            depth -= 1
            if not depth:
                spans.extend((start, min(search, start + max_event + 1)))
                at = search
        elif token == b'"':  # a string that hasn't ended yet
            break
    if not depth:
        return Split(spans, len(buffer), stray + _stray(buffer, at, len(buffer), _JSON_WRAPPING))
    if not last and len(buffer) - start <= max_event:
        return Split(spans, start, stray)
    end = min(len(buffer), start + max_event + 1)
    spans.extend((start, end))
    at, passing = _pass_over(buffer, end, _pass_over(buffer[:end], start, (0, False), begin=True)[1])
    return Split(spans, len(buffer) if last else at, stray, passing)


_WITHIN_STRING: Final = re.compile(rb'(?:[^"\\]++|\\.)*+', re.DOTALL)
_BETWEEN_STRINGS: Final = re.compile(rb'[{}"]')


def _pass_over(buffer: bytes, at: int, passing: tuple[int, bool], *, begin: bool = False) -> tuple[int, tuple[int, bool]]:
    """Go on through an object from `at`: (where it ends or the buffer does, how deep one is then); an escape cut in two is left."""
    depth, quoted = passing
    while depth or begin:
        if quoted:
            found = _WITHIN_STRING.match(buffer, at)
            at = found.end() if found else at
            if buffer[at : at + 1] != b'"':
                return at, (depth, True)
            quoted, at = False, at + 1
            continue
        found = _BETWEEN_STRINGS.search(buffer, at)
        if found is None:
            return len(buffer), (depth, False)
        at, begin = found.end(), False
        quoted = found[0] == b'"'
        depth += (found[0] == b"{") - (found[0] == b"}")
    return at, (0, False)


def _event_end(buffer: bytes, start: int, *, last: bool) -> int | None:
    """Just past the end of the event that begins at `start`; None if it isn't there."""
    depth, at = 0, start
    while (found := _TOKEN.search(buffer, at)) is not None:
        if found[0] in _SKIPPED:
            end = _passed(buffer, found)
            if end is None:
                return None
            at = end
            continue
        if found["close"]:
            depth -= 1
        elif depth and _NEW.match(buffer, found.start()):
            return found.start()
        else:
            depth += 1
        bracket = buffer.find(b">", found.end())
        if bracket < 0 or (depth > 1 and not last and len(buffer) - found.start() < LOOKAHEAD):
            return None
        depth -= buffer[bracket - 1 : bracket] == b"/" and not found["close"]
        at = bracket + 1
        if not depth:
            return at
    return None


def _passed(buffer: bytes, found: re.Match[bytes]) -> int | None:
    end = buffer.find(_SKIPPED[found[0]], found.end())
    return None if end < 0 else end + len(_SKIPPED[found[0]])


def _stray(buffer: bytes, start: int, end: int, wrapping: re.Pattern[bytes]) -> int:
    return len(wrapping.sub(b"", buffer[start:end])) if start < end else 0
