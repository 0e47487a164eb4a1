"""The event XML of Windows: `<Event><System/><EventData/></Event>`, in every rendering that arrives ([MS-EVEN6] section 2.2.14, the event schema of winevt).

    rendering              quotes   fraction   GUID          empty elements     what else
    Windows, WEF           '        7 or 9     {UPPER}       <Security/>        RenderingInfo where RenderedText was asked for
    EVTX readers           "        6 or 7     either form   over two lines     XML declaration
    Winlogbeat, NXLog      "        7          {lower}       either             on one line

Reading is bounded: 256 KiB an event, 32 levels, element names of 256 characters, 128 data names, no DOCTYPE and so no entities but XML's five.
`wire.event_xml_scan` finds what decides about a message without parsing it.

Departures tolerated, each a warning of the event (strict mode refuses them, by the same name): characters XML doesn't allow, raw or as a
reference (U+FFFD takes their place); octets that aren't UTF-8; a tail cut off from RenderingInfo on, as forwarders are known to do (everything before
it holds); an unreadable time; more than 128 data names (the rest is left out). Tolerated in silence: any or no namespace, prefixes, UTF-16, a
byte order mark, NUL and white space around the event.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from enum import StrEnum
from functools import partial
from typing import Final, TypeAlias
from xml.parsers.expat import ExpatError

from pipeline.errors import MessageError
from wire.event import EventTime, WindowsEvent
from wire.event_time import format_iso, parse_iso
from wire.event_xml_scan import looks_like_event
from wire.layouts.layout import Layout, Mode, Reading

MAX_EVENT: Final = 256 * 1024
MAX_DEPTH: Final = 32
MAX_ELEMENT_NAME: Final = 256
MAX_NAMES: Final = 128

DOCUMENT: Final = "[MS-EVEN6] section 2.2.14"
NAMESPACE: Final = "http://schemas.microsoft.com/win/2004/08/events/event"
BLANK: Final = " \t\r\n"
REPLACEMENT: Final = "\ufffd"

# XML 1.0 section 2.2, Char: what a document may hold; and section 4.1, CharRef
_ILLEGAL: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_REFERENCE: Final = re.compile(r"&#(?:x([0-9A-Fa-f]{1,8})|([0-9]{1,9}));")
_ROOT: Final = re.compile(r"<[A-Za-z_]")
_DECLARED: Final = re.compile(rb"<\?xml[^>]{0,100}?encoding[ \t]*=[ \t]*[\"']([A-Za-z0-9._-]{1,20})")
_CHARSETS: Final = {b"iso-8859-1": "latin-1", b"windows-1252": "cp1252"}  # whatever else an 8-bit document declares, it is read as UTF-8

_ERROR_SECTIONS: Final = ("ProcessingErrorData", "BinaryEventData", "DebugData")

Node: TypeAlias = "str | dict[str, Node] | list[Node] | None"


def parse_event(payload: bytes, reading: Reading = Reading()) -> WindowsEvent:  # noqa: B008 - a frozen value
    """Read one event.

    EventData becomes (name, text) in document order, unnamed `<Data>` Data1, Data2 ... by position; UserData leaves and attributes go by the
    dotted path of their local names, ProcessingErrorData too.

    Raises:
        MessageError: event-too-large, invalid-utf8, doctype, too-deep, name-too-long, not-well-formed, not-an-event, missing-key:System,
            missing-key:EventID, bad-event-id; in strict mode also the warnings' names.
    """
    warnings: list[str] = []
    root = _parse(payload, warnings)
    event = root.get("Event")
    if not isinstance(event, dict):
        raise MessageError("not-an-event", document=DOCUMENT, detail=f"<{next(iter(root))[:40]}>")
    system = _first(event.get("System"))
    if not isinstance(system, dict):
        raise MessageError("missing-key:System", document=DOCUMENT)
    text, attribute = partial(_text, system), partial(_attribute, system)
    time_text = attribute("TimeCreated", "SystemTime")
    time = parse_iso(time_text)  # without a zone it is UTC too: SystemTime is, whatever zone a reader was told of
    if time is None:
        warnings.append("bad-time" if time_text else "no-time")
    data = _bounded(_data(event), warnings)
    if reading.mode is Mode.STRICT and warnings:
        raise MessageError(warnings[0], document=DOCUMENT)
    return WindowsEvent(
        event_id=_event_id(text("EventID")),
        channel=text("Channel"),
        provider=attribute("Provider", "Name"),
        computer=text("Computer"),
        time=time,
        time_text=time_text,
        record_id=text("EventRecordID"),
        version=text("Version"),
        level=text("Level"),
        task=text("Task"),
        opcode=text("Opcode"),
        keywords=text("Keywords"),
        provider_guid=attribute("Provider", "Guid"),
        event_source_name=attribute("Provider", "EventSourceName"),
        qualifiers=attribute("EventID", "Qualifiers"),
        activity_id=attribute("Correlation", "ActivityID"),
        process_id=attribute("Execution", "ProcessID"),
        thread_id=attribute("Execution", "ThreadID"),
        user_sid=attribute("Security", "UserID"),
        data=data,
        message=_rendered(event),
        warnings=tuple(warnings),
    )


def _parse(payload: bytes, warnings: list[str]) -> dict[str, Node]:
    """The document as xmltodict's tree, names local, repairs noted in `warnings`."""
    if len(payload) > MAX_EVENT:
        raise MessageError("event-too-large", offset=MAX_EVENT, detail=f"{len(payload)} octets")
    text = _decode(payload, warnings).strip("\x00\ufeff" + BLANK)
    root = _ROOT.search(text)
    if root is None:
        raise MessageError("not-well-formed", document="XML 1.0 section 2.1", detail="no element")
    if "<!DOCTYPE" in text[: root.start()]:
        raise MessageError("doctype", offset=text.index("<!DOCTYPE"), document="XML 1.0 section 2.8")
    text = _legal(text[root.start() :], warnings)
    try:
        return _tree(text)
    except ExpatError as error:
        cut = _end_of_data(text)
        if cut > 0:
            try:
                tree = _tree(text[:cut] + "</Event>")
            except ExpatError:
                pass
            else:
                warnings.append("truncated-rendering")
                return tree
        raise MessageError("not-well-formed", offset=root.start() + _offset(text, error), document="XML 1.0 section 2.1", detail=str(error)[:80]) from error


def _tree(text: str) -> dict[str, Node]:
    import xmltodict  # noqa: PLC0415 - brings urllib, http.client and ssl, a tenth of every start, and is asked only where the kernel isn't sure

    tree: dict[str, Node] = xmltodict.parse(text.encode(), strip_whitespace=False, postprocessor=_bounded_local)
    return tree


def _end_of_data(text: str) -> int:
    """Where an event that was cut behind its data can be closed: before RenderingInfo, or behind the last section; -1 if it can't."""
    rendering = text.rfind("<RenderingInfo")
    if rendering > 0:
        return rendering
    end = max(text.rfind(tag) + len(tag) if tag in text else -1 for tag in ("</EventData>", "</UserData>", "<EventData/>", "<EventData />"))
    rest = text[end:].strip(BLANK)
    return end if end > 0 and ("<RenderingInfo".startswith(rest) or "</Event>".startswith(rest)) else -1


def _bounded_local(path: list[object], key: str, value: Node) -> tuple[str, Node] | None:
    """The hook of xmltodict for each element and attribute as it ends: its local name, no namespace declarations, and the limits."""
    if len(path) > MAX_DEPTH:
        raise MessageError("too-deep", detail=f"more than {MAX_DEPTH} levels")
    if key.startswith("@xmlns"):
        return None
    if len(key) > MAX_ELEMENT_NAME:
        raise MessageError("name-too-long", detail=key[:40])
    head, _, local = key.rpartition(":")
    return f"@{local}" if head.startswith("@") else local, value


def _decode(payload: bytes, warnings: list[str]) -> str:
    if payload[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return payload.decode("utf-16", "replace")
    if payload[:2] in (b"<\x00", b"\x00<"):
        return payload.decode("utf-16-le" if payload[0] else "utf-16-be", "replace")
    declared = _DECLARED.search(payload, 0, 256)
    charset = _CHARSETS.get(declared[1].lower(), "utf-8") if declared else "utf-8"
    try:
        return payload.decode(charset)
    except UnicodeDecodeError:
        warnings.append("invalid-utf8")
        return payload.decode(charset, "replace")


def _legal(text: str, warnings: list[str]) -> str:
    """`text` with U+FFFD for every character that XML doesn't allow, raw or as a reference."""

    def legal(found: re.Match[str]) -> str:
        code = int(found[1], 16) if found[1] else int(found[2])
        return found[0] if code <= sys.maxunicode and not _ILLEGAL.match(chr(code)) else REPLACEMENT

    clean = _ILLEGAL.sub(REPLACEMENT, text)
    if "&#" in clean:
        clean = _REFERENCE.sub(legal, clean)
    if clean != text:
        warnings.append("illegal-character")
    return clean


def _offset(text: str, error: ExpatError) -> int:
    """Where expat stopped, from its line and column."""
    lines = text.split("\n", error.lineno - 1)[: error.lineno - 1]
    return sum(len(line.encode()) + 1 for line in lines) + error.offset


def _first(node: Node) -> Node:
    return node[0] if isinstance(node, list) else node


def _text(system: dict[str, Node], name: str) -> str:
    node = _first(system.get(name))
    text = node.get("#text") if isinstance(node, dict) else node
    return text.strip(BLANK) if isinstance(text, str) else ""


def _attribute(system: dict[str, Node], name: str, attribute: str) -> str:
    node = _first(system.get(name))
    text = node.get("@" + attribute) if isinstance(node, dict) else None
    return text.strip(BLANK) if isinstance(text, str) else ""


def _event_id(text: str) -> str:
    """Decimal text of the low 16 bits: some readers print EventID and Qualifiers as one number."""
    if not text:
        raise MessageError("missing-key:EventID", document=DOCUMENT)
    if not re.fullmatch(r"[0-9]{1,10}", text):
        raise MessageError("bad-event-id", document=DOCUMENT, detail=text[:40])
    return str(int(text) & 0xFFFF)


def _rendered(event: dict[str, Node]) -> str:
    rendering = _first(event.get("RenderingInfo"))
    return _text(rendering, "Message") if isinstance(rendering, dict) else ""


def _data(event: dict[str, Node]) -> Iterator[tuple[str, str]]:
    """The payload's leaves, section by section in document order."""
    for section, nodes in event.items():
        for node in nodes if isinstance(nodes, list) else [nodes]:
            if section == "EventData" and isinstance(node, dict):
                yield from _event_data(node)
            elif section == "UserData" and isinstance(node, dict):
                for name, child in node.items():
                    if name[0] not in "@#":
                        yield from _leaves(name, child)
            elif section in _ERROR_SECTIONS:
                yield from _leaves(section, node)


def _event_data(node: dict[str, Node]) -> Iterator[tuple[str, str]]:
    for name, children in node.items():
        if name == "Data":
            for position, child in enumerate(children if isinstance(children, list) else [children], 1):
                given = child.get("@Name") if isinstance(child, dict) else None
                named = given if isinstance(given, str) and given.strip(BLANK) else f"Data{position}"
                content = {key: part for key, part in child.items() if key[0] != "@"} if isinstance(child, dict) else child
                yield from _leaves(named, content or None)
        elif name[0] not in "@#":
            yield from _leaves(name, children)


def _leaves(path: str, node: Node) -> Iterator[tuple[str, str]]:
    """(dotted path, text) of everything below a node; white space alone is no text: renderings indent with it."""
    if isinstance(node, list):
        for item in node:
            yield from _leaves(path, item)
    elif isinstance(node, dict):
        for name, child in node.items():
            if name != "#text":
                yield from _leaves(f"{path}.{name.removeprefix('@')}", child)
            elif isinstance(child, str) and (len(node) == 1 or child.strip(BLANK)):
                yield path, child if child.strip(BLANK) else ""
    else:
        yield path, node if node and node.strip(BLANK) else ""


def _bounded(pairs: Iterator[tuple[str, str]], warnings: list[str]) -> tuple[tuple[str, str], ...]:
    """The pairs of the first 128 names; each name held once, however often it repeats."""
    names: dict[str, str] = {}
    kept = []
    for name, text in pairs:
        if name in names or len(names) < MAX_NAMES:
            kept.append((names.setdefault(name, name), text))
        elif "too-many-names" not in warnings:
            warnings.append("too-many-names")
    return tuple(kept)


class Rendering(StrEnum):
    """Whose hand `encode_event` imitates."""

    WEF = "wef"
    EVTX = "evtx"
    RENDERED = "rendered"


def encode_event(event: WindowsEvent, rendering: Rendering = Rendering.WEF) -> bytes:
    """Write an event as Windows forwards it, as an EVTX reader prints it, or forwarded with its rendered text.

    Fields stand in Windows' order. Characters that XML doesn't allow become U+FFFD. UserData is written as EventData under its dotted names.
    """
    pretty = rendering is Rendering.EVTX
    quote = '"' if pretty else "'"

    def element(indent: int, name: str, text: str = "", **attributes: str) -> str:
        start = name + "".join(f" {key}={quote}{_escaped(value, quote)}{quote}" for key, value in attributes.items() if value)
        if pretty:
            margin = "  " * indent
            return f"{margin}<{start}>{_escaped(text)}</{name}>\n" if text else f"{margin}<{start}>\n{margin}</{name}>\n"
        return f"<{start}>{_escaped(text)}</{name}>" if text else f"<{start}/>"

    def open_(indent: int, tag: str) -> str:
        return f"{'  ' * indent}<{tag}>\n" if pretty else f"<{tag}>"

    guid = event.provider_guid.strip("{}").lower() if pretty else event.provider_guid
    numbers = (("Version", event.version), ("Level", event.level), ("Task", event.task), ("Opcode", event.opcode), ("Keywords", event.keywords))
    parts = [
        '<?xml version="1.0" encoding="utf-8"?>\n' if pretty else "",
        open_(0, f"Event xmlns={quote}{NAMESPACE}{quote}"),
        open_(1, "System"),
        element(2, "Provider", Name=event.provider, Guid=guid, EventSourceName=event.event_source_name),
        element(2, "EventID", event.event_id, Qualifiers=event.qualifiers),
        *(element(2, name, text) for name, text in numbers if text),
        element(2, "TimeCreated", SystemTime=_system_time(event.time, event.time_text, 6 if pretty else 7)),
        element(2, "EventRecordID", event.record_id) if event.record_id else "",
        element(2, "Correlation", ActivityID=event.activity_id),
        element(2, "Execution", ProcessID=event.process_id, ThreadID=event.thread_id),
        element(2, "Channel", event.channel) if event.channel else "",
        element(2, "Computer", event.computer) if event.computer else "",
        element(2, "Security", UserID=event.user_sid),
        open_(1, "/System"),
        open_(1, "EventData"),
        *(_data_element(partial(element, 2), position, name, text) for position, (name, text) in enumerate(event.data, 1)),
        open_(1, "/EventData"),
    ]
    if rendering is Rendering.RENDERED:
        parts += [open_(1, f"RenderingInfo Culture={quote}en-US{quote}"), element(2, "Message", event.message), open_(1, "/RenderingInfo")]
    return ("".join(parts) + open_(0, "/Event")).encode()


def _data_element(element: partial[str], position: int, name: str, text: str) -> str:
    if name == "Binary":
        return element("Binary", text)
    return element("Data", text) if name == f"Data{position}" else element("Data", text, Name=name)


def _system_time(time: EventTime | None, text: str, digits: int) -> str:
    return text if time is None else format_iso(time.unix_ns, max(digits, time.digits))


_ESCAPES: Final = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "'": "&apos;", '"': "&quot;", "\t": "&#9;", "\n": "&#10;", "\r": "&#13;"}
_IN_TEXT: Final = re.compile(r"[&<>\r]")
_IN_ATTRIBUTE: Final = re.compile("[&<>'\"\t\r\n]")


def _escaped(text: str, quote: str = "") -> str:
    """XML 1.0 sections 2.4 and 3.3.3; a carriage return always as a reference, since reading would make it a line feed."""
    return (_IN_ATTRIBUTE if quote else _IN_TEXT).sub(lambda found: _ESCAPES[found[0]], _ILLEGAL.sub(REPLACEMENT, text))


LAYOUT: Final = Layout(
    name="event-xml",
    document=DOCUMENT,
    log_format="Windows XML",
    starts=looks_like_event,
    parse_event=parse_event,
    encode_event=encode_event,
    cannot_carry={"user_name": "System has only the SID", "user_domain": "System has only the SID", "message": "only RenderedText carries it"},
)
