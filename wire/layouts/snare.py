r"""Snare's MSWinEventLog, both ways (Snare Agent for Windows, "Windows Event Output Format"; NXLog's to_syslog_snare).

    no.  field               example
    0    event log type      MSWinEventLog
    1    criticality         1
    2    log name            Security
    3    Snare counter       6862
    4    date                Fri Sep 17 16:37:25 2021    local time of the machine, whole seconds
    5    event ID            4726
    6    source              Microsoft-Windows-Security-Auditing
    7    user                CONTOSO\alice, or N/A
    8    SID type            User, or N/A
    9    event type          Success Audit, Failure Audit, Information, Warning, Error
    10   computer            dc01
    11   category            User Account Management
    12   data                mostly empty
    13   expanded text       the rendered text, every line break and TAB as a space
    14   counter             EventRecordID, or an MD5 of the record; then fields of the site's own

Departures tolerated: no data field or no counter; the delimiter one of `,` `;` `|`; a TAB that a relay wrote `#011` (rsyslog's
default), `\t`, `\x09`, `^I` or `<009>` (`escaped-controls`); TABs and line breaks left in the expanded text; NXLog's AUDIT_SUCCESS for
an event type. A relay that made blanks of TABs has made the fields unreadable (`separators`).
"""

from __future__ import annotations

import re
from functools import partial
from typing import Final

from pipeline.errors import MessageError
from wire.event import EventTime, WindowsEvent
from wire.event_time import format_ctime, parse_ctime, parse_iso
from wire.keywords import audit_result, parse_keywords
from wire.layouts.assemble import assemble, user_fields
from wire.layouts.layout import Layout, Mode, Reading
from wire.layouts.payload import WHITE_SPACE, decode_payload, encode_payload, one_line
from wire.rendered_text import render_event

DOCUMENT: Final = "Snare Agent for Windows, appendix A"

TYPE: Final = "MSWinEventLog"
DELIMITERS: Final = "\t,;|"
FIELDS: Final = {2: "channel", 4: "time_text", 5: "event_id", 6: "provider", 10: "computer"}
USER, EVENT_TYPE, CATEGORY, TAIL = 7, 9, 11, 12
FEWEST: Final = 12
MOST_STRICT: Final = 15

AUDITS: Final = {"Audit Success": "Success Audit", "Audit Failure": "Failure Audit"}
LEVEL_NAMES: Final = {"1": "Error", "2": "Error", "3": "Warning"}

_STARTS: Final = re.compile(rb"MSWinEventLog(?:[\t\x20,;|]|#011|\\t|\\x09|\^I|<009>)")
_PRINTED: Final = ("\\t", "\\x09", "^I", "<009>")
_COUNTER: Final = re.compile(r"-?[0-9]{1,20}|[0-9A-Fa-f]{32}")
_RECORD: Final = re.compile(r"[0-9]{1,20}")
_ESCAPED: Final = re.compile(r"#01([125])")
_CONTROLS: Final = {"1": "\t", "2": "\n", "5": "\r"}


def starts(payload: bytes) -> bool:
    return _STARTS.match(payload) is not None


def parse_event(payload: bytes, reading: Reading) -> WindowsEvent:
    """Read one event; raises MessageError: separators, wrong-field-count, missing-key:EventID, bad-event-id, in strict mode the repairs."""
    text, repairs = decode_payload(payload)
    if text.startswith("#011", len(TYPE)):
        text, repairs = _ESCAPED.sub(lambda found: _CONTROLS[found[1]], text), (*repairs, "escaped-controls")
    printed = next((spelling for spelling in _PRINTED if text.startswith(spelling, len(TYPE))), "")
    if printed:
        text, repairs = text.replace(printed, "\t"), (*repairs, "escaped-controls")
    delimiter = text[len(TYPE) : len(TYPE) + 1] or "\t"
    if delimiter not in DELIMITERS:
        raise MessageError("separators", offset=len(TYPE), document=DOCUMENT, detail=repr(delimiter))
    parts = text.split(delimiter, TAIL)
    if len(parts) < FEWEST or (reading.mode is Mode.STRICT and text.count(delimiter) >= MOST_STRICT):
        raise MessageError("wrong-field-count", document=DOCUMENT, detail=str(len(parts)))
    fields = {name: parts[number].strip(WHITE_SPACE) for number, name in FIELDS.items()}
    message, record_id = _tail(parts[TAIL].split(delimiter), delimiter) if len(parts) > TAIL else (parts[CATEGORY], "")
    event_type = parts[EVENT_TYPE].strip(WHITE_SPACE)
    audits = bool(audit_result(parse_keywords(event_type)))
    fields |= user_fields(parts[USER]) | {"message": message, "record_id": record_id, "keywords" if audits else "level": event_type}
    if audits:
        fields["level"] = "0"
    return assemble(
        fields, (), read_time=partial(_parse_time, zone_offset_minutes=reading.zone_offset_minutes), reading=reading, document=DOCUMENT, repairs=repairs
    )


def _tail(parts: list[str], delimiter: str) -> tuple[str, str]:
    """(expanded text, record ID) out of the fields from no. 12 on."""
    counter = next((number for number in range(len(parts) - 1, 0, -1) if _COUNTER.fullmatch(parts[number].strip(WHITE_SPACE))), len(parts))
    found = parts[counter].strip(WHITE_SPACE) if counter < len(parts) else ""
    data, expanded = parts[0], delimiter.join(parts[1:counter])
    return (expanded if expanded.strip(WHITE_SPACE) else data).strip(WHITE_SPACE), found if _RECORD.fullmatch(found) else ""


def _parse_time(text: str, zone_offset_minutes: int) -> EventTime | None:
    return parse_ctime(text, zone_offset_minutes) or parse_iso(text, zone_offset_minutes)


def encode_event(event: WindowsEvent) -> bytes:
    """The event as Snare sends it, without the hostname before it, which the syslog header has."""
    user = f"{event.user_domain}\\{event.user_name}" if event.user_domain else event.user_name or event.user_sid
    fields = (
        TYPE,
        "1",
        event.channel,
        event.record_id or "0",
        event.time_text if event.time is None else format_ctime(event.time.unix_ns),
        event.event_id,
        event.provider,
        user or "N/A",
        "User" if user else "N/A",
        AUDITS.get(audit_result(event.keywords)) or LEVEL_NAMES.get(event.level, "Information"),
        event.computer,
        event.task or "None",
        "",
        render_event(event, flat=True),
        event.record_id,
    )
    return encode_payload("\t".join(one_line(field) for field in fields))


LAYOUT: Final = Layout(
    name="snare",
    document=DOCUMENT,
    log_format="syslog",
    starts=starts,
    parse_event=parse_event,
    encode_event=encode_event,
    event_id=re.compile(rb"MSWinEventLog(?:\t[^\t]{0,256}){4}\t([0-9]{1,10})(?=\t)"),
    cannot_carry={
        "time": "whole seconds",
        "version": "has no field",
        "level": "error, warning and information only; none of an audit",
        "task": "the category's name, which isn't its number",
        "opcode": "has no field",
        "keywords": "only whether an audit succeeded",
        "provider_guid": "has no field",
        "event_source_name": "has no field",
        "qualifiers": "has no field",
        "activity_id": "has no field",
        "process_id": "has no field",
        "thread_id": "has no field",
        "user_sid": "only where no name is known",
        "data:*": "by the rendered text, flattened",
        "message": "flattened",
    },
)
