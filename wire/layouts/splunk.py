r"""Splunk's key=value layout, as a standalone sensor takes it from a SIEM: parser and encoder side by side.

Source: Microsoft Defender for Identity, "Listen for SIEM events on your standalone sensor", section Splunk.

    [syslog header] CRLF EventCode=4776 CRLF Logfile=Security CRLF SourceName=... CRLF TimeGenerated=... CRLF ComputerName=... CRLF Message=...

Keys stand in any order; `Message` is last and runs to the end of the datagram, its line breaks included. All six must have a
value. TimeGenerated is a CIM datetime, `20150310132717.784882-000`. ComputerName is the machine that logged the event. Written
besides: RecordNumber, which makes a record's uid strong, and Keywords, which carries an audit's result.

WMI's blocks, from which this layout descends, are read too: a date line before the keys, Category and others among them, an audit's result in Type.

Read in lenient mode only, since senders and relays were seen to write them: LF or CR alone, or CR with a backslash, between keys;
the separator in print (`\r\n`); rsyslog's escapes (`#015#012`). Refusals: `wire.layouts.envelope`, and message-not-last; warning: separators.
"""

from __future__ import annotations

import re
from typing import Final

from pipeline.errors import MessageError
from wire.event import WindowsEvent
from wire.event_time import format_cim, parse_cim, parse_iso
from wire.keywords import EVENT_TYPES, LEVELS_BY_TYPE, audit_result, parse_keywords
from wire.layouts.envelope import Pairs, parse_pairs, read_event_id, read_text, read_time
from wire.layouts.layout import Layout, Mode, Reading
from wire.layouts.payload import WHITE_SPACE, decode_payload, encode_payload, one_line
from wire.message_texts import MESSAGE_TEXTS
from wire.providers import canonical_provider
from wire.rendered_text import render_event
from wire.syslog_payload import CIM_LINE

DOCUMENT: Final = "Microsoft Defender for Identity, SIEM events, Splunk"

REQUIRED: Final = ("EventCode", "Logfile", "SourceName", "TimeGenerated", "ComputerName", "Message")
ENVELOPE: Final = frozenset({*REQUIRED, "RecordNumber", "Keywords", "EventType", "Type", "User", "Sid", "TimeWritten", "EventIdentifier"})
"""Keys that have a place in the event's envelope, or repeat what another says; every other key is data."""

NO_USER: Final = frozenset({"NULL", "N/A", "NOT_TRANSLATED"})
MAX_PREFIX: Final = 4096

_BETWEEN: Final = {Mode.STRICT: r"\r\n", Mode.LENIENT: r"(?:\r\n|\n|\r\\|\r|\\r\\n|\\r\\|#015#012)"}
_KEYS: Final = {mode: re.compile(rf"{between}(?=[A-Za-z][A-Za-z0-9_]{{0,63}}=)") for mode, between in _BETWEEN.items()}
_MESSAGE: Final = {mode: re.compile(rf"{between}Message=") for mode, between in _BETWEEN.items()}
_START: Final = re.compile(rb"(?:\xef\xbb\xbf)?(?:" + CIM_LINE + rb")?(?:[ \t\r\n]|\\r|\\n|\\|#01[25])*+[A-Z][A-Za-z]{1,31}=")

_CANNOT_CARRY: Final = {
    "version": "no key for it",
    "level": "no key for it",
    "task": "no key for it",
    "opcode": "no key for it",
    "keywords": "only the audit result",
    "provider_guid": "no key for it",
    "event_source_name": "no key for it",
    "qualifiers": "no key for it",
    "activity_id": "no key for it",
    "process_id": "no key for it",
    "thread_id": "no key for it",
    "user_sid": "no key for it",
    "user_name": "no key for it",
    "user_domain": "no key for it",
    "time": "microseconds: the seventh fraction digit is cut",
    "data:*": "only names that the event's English text labels; TAB, CR and LF become a space, white space around a value is cut",
}


def starts(payload: bytes) -> bool:
    """`EventCode=` and `Logfile=` among the keys at the beginning."""
    head = payload[:MAX_PREFIX]
    return b"EventCode=" in head and b"Logfile=" in head and _START.match(head) is not None


def parse_event(payload: bytes, reading: Reading) -> WindowsEvent:
    """Payload to event.

    Raises:
        MessageError: missing-key:KEY, message-not-last, too-many-keys, bad-event-id, bad-time, truncated.
    """
    text, warnings = decode_payload(payload)
    text = "\r\n" + text.lstrip(WHITE_SPACE)  # the first key gets its separator, so that all are alike
    found = _MESSAGE[reading.mode].search(text)
    head, message = (text[: found.start()], text[found.end() :].strip(WHITE_SPACE)) if found else (text, "")
    chunks = _KEYS[reading.mode].split(head)
    pairs = parse_pairs(chunks, DOCUMENT)
    if len(chunks) != len(_KEYS[Mode.STRICT].split(head)):  # some of them weren't CR LF
        warnings = (*warnings, "separators")
    for key in REQUIRED:
        if not (message if key == "Message" else pairs.text(key)):
            misplaced = re.search(rf"{_BETWEEN[reading.mode]}{key}=", message) is not None
            raise MessageError("message-not-last" if misplaced else f"missing-key:{key}", document=DOCUMENT)
    event_id = read_event_id(pairs.text("EventCode"), DOCUMENT)
    provider = canonical_provider(pairs.text("SourceName"))
    forms = (parse_cim, parse_iso)[: 1 if reading.mode is Mode.STRICT else 2]
    time, time_warnings = read_time(pairs.text("TimeGenerated"), forms, reading, DOCUMENT)
    data, text_warnings = read_text(event_id, provider, message, reading, DOCUMENT)
    domain, _, user = ("" if pairs.text("User") in NO_USER else pairs.text("User")).rpartition("\\")
    event_type = pairs.text("EventType")
    return WindowsEvent(
        event_id=event_id,
        channel=pairs.text("Logfile"),
        provider=provider,
        computer=pairs.text("ComputerName"),
        time=time,
        time_text=pairs.text("TimeGenerated"),
        record_id=pairs.text("RecordNumber"),
        level=LEVELS_BY_TYPE.get(event_type, ""),
        keywords=_keywords(pairs),
        user_sid=pairs.text("Sid"),
        user_name=user,
        user_domain=domain,
        data=(*data, *pairs.others(ENVELOPE)),
        message=message,
        warnings=(*warnings, *pairs.warnings, *time_warnings, *text_warnings),
    )


def _keywords(pairs: Pairs) -> str:
    """Keywords, or an audit's result as the event's type says it: in words, as WMI does, or as the classic log's number."""
    named = parse_keywords(pairs.text("Type"))
    return parse_keywords(pairs.text("Keywords")) or (named if audit_result(named) else EVENT_TYPES.get(pairs.text("EventType"), ""))


def encode_event(event: WindowsEvent) -> bytes:
    """Event to payload, from the CRLF that ends the optional header. An event without a time has no TimeGenerated, and no sensor takes it."""
    result = audit_result(event.keywords)
    lines = [
        f"EventCode={event.event_id}",
        f"Logfile={one_line(event.channel)}",
        f"SourceName={one_line(event.provider)}",
        *([f"TimeGenerated={format_cim(event.time.unix_ns)}"] if event.time else []),
        f"ComputerName={one_line(event.computer) or '-'}",
        *([f"RecordNumber={one_line(event.record_id)}"] if event.record_id else []),
        *([f"Keywords={result}"] if result else []),
        f"Message={render_event(event)}",
    ]
    return encode_payload("\r\n" + "\r\n".join(lines))


LAYOUT: Final = Layout(
    name="splunk",
    document=DOCUMENT,
    log_format="syslog",
    starts=starts,
    parse_event=parse_event,
    encode_event=encode_event,
    event_id=re.compile(rb"EventCode=([0-9]{1,10})(?=[^0-9])"),
    carries=frozenset(MESSAGE_TEXTS),
    others=True,
    cannot_carry=_CANNOT_CARRY,
)
