"""A SOAP 1.2 envelope, read once and bounded: its header and body as small trees, the events in it as spans (DSP0226 section 13, XML 1.0).

Everything but events becomes `Element`s. What is in a `w:Event` ([MS-WSMV] section 3.1.4.1.30) never does; three spellings are understood:

    one CDATA section, or an element     the event lies in the envelope as it came: a span of it
    text with escapes, several sections  put together behind the envelope's end, which is what `]]>` inside an event asks for

Repaired before parsing, and counted, since a source resends what is refused for ever: characters that XML doesn't allow, raw or as a reference, and
octets that aren't UTF-8 become U+FFFD, in events too. Refused: DOCTYPE (so no entities but XML's five), more than 32 levels around or within
an event, 4,096 elements, 64 attributes of one, 32,768 events. Encoding declarations are ignored: `wire.soap_encoding` has made the envelope UTF-8.
"""

from __future__ import annotations

import re
from array import array
from dataclasses import dataclass, field
from typing import Final
from xml.parsers import expat

import kernel
from kernel import Engine
from pipeline.errors import MessageError
from wire.wef.namespaces import SOAP, WSMAN

MAX_DEPTH: Final = 32
MAX_EVENT_DEPTH: Final = 32
MAX_ELEMENTS: Final = 4096
MAX_ATTRIBUTES: Final = 64
MAX_EVENTS: Final = 32_768

DOCUMENT: Final = "DSP0226 section 13"
BLANK: Final = " \t\r\n"
REPLACEMENT: Final = "\ufffd".encode()

# XML 1.0 section 2.2, Char, as UTF-8: C0 controls, surrogates (CESU-8), U+FFFE and U+FFFF; section 4.1, CharRef
_ILLEGAL: Final = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]|\xed[\xa0-\xbf][\x80-\xbf]|\xef\xbf[\xbe\xbf]")
_REFERENCE: Final = re.compile(rb"&#(?:x([0-9A-Fa-f]+)|([0-9]+));")
_MAX_REFERENCE: Final = 10
_MAX_CODE: Final = 0x10FFFF

_CDATA_START: Final = len("<![CDATA[")
_SEPARATOR: Final = " "  # what expat puts between a namespace and a name: no URI holds it
_EVENT_PATH: Final = [f"{SOAP} Envelope", f"{SOAP} Body", f"{WSMAN} Events", f"{WSMAN} Event"]


@dataclass(frozen=True, slots=True)
class Element:
    """One element outside an event.

    namespace, name:  as its URI and local name.
    attributes:       by `namespace name`, or `name` alone where they have none.
    text:             its own text, put together, without what is in its children.
    children:         in order.
    start, end:       octets of the envelope from its first child to its own end tag; equal where it has no child.
    line:             of its start tag, from 1.
    """

    namespace: str
    name: str
    attributes: dict[str, str]
    line: int
    text: str = ""
    children: tuple[Element, ...] = ()
    start: int = 0
    end: int = 0

    def find(self, namespace: str, *names: str) -> Element | None:
        """The first descendant by the names of the path to it, all of one namespace."""
        found: Element | None = self
        for name in names:
            found = next((child for child in found.children if child.name == name and child.namespace == namespace), None) if found else None
        return found

    def value(self, namespace: str, *names: str) -> str:
        """The text of that descendant without white space around it; empty where there is none."""
        found = self.find(namespace, *names)
        return found.text.strip(BLANK) if found else ""


@dataclass(frozen=True, slots=True)
class Envelope:
    """What was read.

    octets:    the envelope, repaired, and behind it the events that didn't lie in it in one piece.
    root:      s:Envelope, or whatever the document's root is.
    spans:     start, end ... of each w:Event's event in `octets`.
    repaired:  how many characters became U+FFFD.
    """

    octets: bytes
    root: Element
    spans: array[int]
    repaired: int

    def inner(self, element: Element) -> bytes:
        """What an element holds from its first child on, octet for octet, without white space around it."""
        return self.octets[element.start : element.end].strip(BLANK.encode())


def parse_document(octets: bytes, engine: Engine = Engine.NATIVE) -> Envelope:
    """Read any XML document in UTF-8 by the rules above; its root needn't be an envelope.

    Args:
        octets: the document.
        engine: whether the kernel may pass over events that are wrapped alike.

    Raises:
        MessageError: not-well-formed, doctype, too-deep, too-many-elements, too-many-attributes, too-many-events.
    """
    octets, repaired = _repair(octets)
    shortened = _read_shortened(octets, repaired) if engine is Engine.NATIVE else None
    return shortened or _Reader(octets).read(repaired)


def parse_envelope(octets: bytes) -> Envelope:
    """Read a SOAP 1.2 envelope; its root's children are the header and the body, and nothing else.

    Raises:
        MessageError: as `parse_document`, and not-an-envelope.
    """
    envelope = parse_document(octets)
    root = envelope.root
    parts = [(each.namespace, each.name) for each in (root, *root.children)]
    if parts != [(SOAP, "Envelope"), (SOAP, "Header"), (SOAP, "Body")]:
        raise MessageError("not-an-envelope", document="SOAP 1.2 section 5", detail=f"{root.name[:40]} of {root.namespace[:80] or 'no namespace'}")
    return envelope


def _read_shortened(octets: bytes, repaired: int) -> Envelope | None:
    """As `_Reader` does, but the parser sees only the first of many events in the same wrapping: what it is, all of them are.

    None where there are no such events, or anything is wrong, which a reader of the whole document tells.
    """
    found, *passed = kernel.scan_wrapped_events(octets)
    wrapped = array("I")
    wrapped.frombytes(found)
    try:
        envelope = _Reader(octets, *passed).read(repaired) if len(wrapped) > 2 else None  # noqa: PLR2004 - more than one event
    except MessageError:
        return None
    spans = envelope.spans if envelope else array("I")
    first = next((place for place in range(0, len(spans), 2) if spans[place : place + 2] == wrapped[:2]), None)
    if first is None or len(spans) + len(wrapped) - 2 > 2 * MAX_EVENTS:
        return None
    spans[first + 2 : first + 2] = wrapped[2:]
    return envelope


def _repair(octets: bytes) -> tuple[bytes, int]:
    repaired = 0
    if not kernel.is_legal_xml(octets):
        octets, repaired = _ILLEGAL.subn(REPLACEMENT, octets)
        try:
            octets.decode()
        except UnicodeDecodeError:
            octets = octets.decode("utf-8", "replace").encode()
            repaired += 1
    if b"&#" in octets:
        count = 0

        def legal(found: re.Match[bytes]) -> bytes:
            nonlocal count
            if _is_legal(found):
                return found[0]
            count += 1
            return REPLACEMENT

        octets = _REFERENCE.sub(legal, octets)
        repaired += count
    return octets, repaired


def _is_legal(reference: re.Match[bytes]) -> bool:
    digits, base = (reference[1], 16) if reference[1] else (reference[2], 10)
    digits = digits.lstrip(b"0")
    code = int(digits, base) if 0 < len(digits) <= _MAX_REFERENCE else _MAX_CODE + 1
    return code <= _MAX_CODE and not _ILLEGAL.match(chr(code).encode("utf-8", "surrogatepass"))


@dataclass(slots=True)
class _Open:
    """An element whose end tag hasn't come."""

    qualified: str
    attributes: dict[str, str]
    line: int
    texts: list[str] = field(default_factory=list)
    children: list[Element] = field(default_factory=list)
    start: int = 0

    def close(self, end: int) -> Element:
        namespace, _, name = self.qualified.rpartition(_SEPARATOR)
        return Element(namespace, name, self.attributes, self.line, "".join(self.texts), tuple(self.children), self.start or end, end)


class _Reader:
    """The parser's callbacks: a stack of open elements, and inside a w:Event nothing but positions.

    Args:
        octets: the document.
        first, last: what is between these octets isn't parsed.
    """

    def __init__(self, octets: bytes, first: int = 0, last: int = 0) -> None:
        self._octets = octets
        self._first, self._last = first, last
        self._parser = parser = expat.ParserCreate("UTF-8", _SEPARATOR)
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        parser.StartDoctypeDeclHandler = self._doctype
        self._open: list[_Open] = []
        self._root: Element | None = None
        self._elements = 0
        self._spans = array("I")
        self._behind: list[bytes] = []
        self._length = len(octets)
        self._within = 0
        self._event_start = -1
        self._pieces: list[bytes] = []
        self._cdata = (0, 0)
        self._sections = 0
        self._scattered = False

    def read(self, repaired: int) -> Envelope:
        try:
            self._parser.Parse(self._octets[: self._first], False)
            self._parser.Parse(self._octets[self._last :], True)
        except expat.ExpatError as error:
            at = max(self._parser.ErrorByteIndex, 0)
            raise MessageError("not-well-formed", offset=at, document="XML 1.0", detail=expat.ErrorString(error.code)) from None
        finally:
            del self._parser  # it holds its callbacks, and they it: nothing of this size should wait for the collector of rings
        assert self._root is not None  # noqa: S101 - a document without a root isn't well-formed
        return Envelope(b"".join((self._octets, *self._behind)), self._root, self._spans, repaired)

    def _at(self) -> int:
        """The octet of the document at which the parser is."""
        at = self._parser.CurrentByteIndex
        return at if at < self._first else at - self._first + self._last

    def _line(self) -> int:
        line = self._parser.CurrentLineNumber
        return line if self._parser.CurrentByteIndex < self._first else line + self._octets.count(b"\n", self._first, self._last)

    def _doctype(self, *_declaration: object) -> None:
        raise MessageError("doctype", offset=self._at(), document="SOAP 1.2 section 5")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if self._within:
            self._start_within()
            return
        at = self._at()
        self._elements += 1
        if self._elements > MAX_ELEMENTS + len(self._spans) // 2:
            raise MessageError("too-many-elements", offset=at, document=DOCUMENT, detail=f"more than {MAX_ELEMENTS}")
        if len(attributes) > MAX_ATTRIBUTES:
            raise MessageError("too-many-attributes", offset=at, document=DOCUMENT, detail=f"{len(attributes)}, at most {MAX_ATTRIBUTES}")
        if len(self._open) == MAX_DEPTH:
            raise MessageError("too-deep", offset=at, document=DOCUMENT, detail=f"more than {MAX_DEPTH} levels")
        if self._open and not self._open[-1].start:
            self._open[-1].start = at
        if len(self._open) == len(_EVENT_PATH) - 1 and name == _EVENT_PATH[-1] and [each.qualified for each in self._open] == _EVENT_PATH[:-1]:
            self._enter_event()
        else:
            self._open.append(_Open(name, attributes, self._line()))

    def _end(self, _name: str) -> None:
        at = self._at()
        if self._within:
            self._within -= 1
            if not self._within:
                self._leave_event(at)
            return
        element = self._open.pop().close(at)
        if self._open:
            self._open[-1].children.append(element)
        else:
            self._root = element

    def _text(self, text: str) -> None:
        if self._open:
            self._open[-1].texts.append(text)

    # inside a w:Event

    def _enter_event(self) -> None:
        if len(self._spans) == 2 * MAX_EVENTS:
            raise MessageError("too-many-events", offset=self._at(), document=DOCUMENT, detail=f"more than {MAX_EVENTS}")
        self._within, self._event_start, self._sections, self._scattered = 1, -1, 0, False
        self._pieces.clear()
        self._parser.CharacterDataHandler = self._text_within
        self._parser.StartCdataSectionHandler = self._start_cdata
        self._parser.EndCdataSectionHandler = self._end_cdata

    def _start_within(self) -> None:
        at = self._at()
        if self._within > MAX_EVENT_DEPTH:
            raise MessageError("too-deep", offset=at, document=DOCUMENT, detail=f"more than {MAX_EVENT_DEPTH} levels in an event")
        if self._event_start < 0:
            self._event_start = at
            self._parser.CharacterDataHandler = None
        self._within += 1

    def _text_within(self, text: str) -> None:
        self._pieces.append(text.encode())
        self._scattered = self._scattered or text.strip(BLANK) != ""

    def _start_cdata(self) -> None:
        self._cdata = (self._at() + _CDATA_START, 0)
        self._parser.CharacterDataHandler = None

    def _end_cdata(self) -> None:
        self._cdata = (self._cdata[0], self._at())
        if self._event_start < 0:
            self._scattered = self._scattered or self._sections > 0
            self._sections += 1
            self._pieces.append(self._octets[slice(*self._cdata)])
            self._parser.CharacterDataHandler = self._text_within

    def _leave_event(self, at: int) -> None:
        self._parser.CharacterDataHandler = self._text
        self._parser.StartCdataSectionHandler = self._parser.EndCdataSectionHandler = None
        if self._event_start >= 0:
            span = (self._event_start, at)
        elif self._sections and not self._scattered:
            span = self._cdata
        else:
            event = b"".join(self._pieces).strip(BLANK.encode())
            self._behind.append(event)
            span = (self._length, self._length + len(event))
            self._length += len(event)
        self._spans.extend(span)
