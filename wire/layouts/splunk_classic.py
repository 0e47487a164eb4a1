"""Splunk's classic WinEventLog, both ways (Splunk, "Monitor Windows event log data", renderXml = false).

    03/12/2021 10:48:14 AM          local time of the machine, whole seconds, month first
    LogName=Security
    SourceName=Microsoft Windows security auditing.
    EventCode=4726
    EventType=0                     0 for audits; 1 error, 2 warning, 4 information
    Type=Information
    ComputerName=dc01.contoso.example
    TaskCategory=User Account Management
    OpCode=Info
    RecordNumber=257879
    Keywords=Audit Success
    Message=A user account was deleted.
                                    ... to the end, line breaks included

Line breaks are LF or CR LF. Departures tolerated: the date line missing or in ISO 8601; keys in another order, Message last; line breaks that a
relay turned into spaces or rsyslog's `#012` (`separators`).
Not to be confused with the key=value block of the standalone sensor's Splunk format (`wire.layouts.splunk`), which has Logfile= and
TimeGenerated= instead.
"""

from __future__ import annotations

import re
from functools import partial
from typing import Final

from wire.event import EventTime, WindowsEvent
from wire.event_time import format_us, parse_iso, parse_us
from wire.keywords import LEVELS_BY_TYPE, audit_result, parse_keywords
from wire.layouts.assemble import assemble
from wire.layouts.layout import Layout, Reading
from wire.layouts.payload import decode_payload, encode_payload, one_line
from wire.rendered_text import render_event

DOCUMENT: Final = "Splunk, Monitor Windows event log data"

FIELDS: Final = {
    "LogName": "channel",
    "SourceName": "provider",
    "EventCode": "event_id",
    "ComputerName": "computer",
    "RecordNumber": "record_id",
    "Keywords": "keywords",
    "Type": "level",
    "TaskCategory": "task",
    "OpCode": "opcode",
    "User": "user_name",
    "Sid": "user_sid",
}
MAX_KEYS: Final = 64
LEVEL_NAMES: Final = {"1": "Critical", "2": "Error", "3": "Warning", "5": "Verbose"}
EVENT_TYPES: Final = {level: event_type for event_type, level in LEVELS_BY_TYPE.items()}
NO_USER: Final = "NOT_TRANSLATED"

PREFIX_OCTETS: Final = 2048
_DATE: Final = re.compile(
    rb"[0-9]{1,4}[/-][0-9]{1,2}[/-][0-9]{1,4}[ T][0-9]{1,2}:[0-9]{2}:[0-9]{2}[^\r\n#=]{0,24}?(?:\r?\n[\r\n]{0,4}|(?:#015)?#012| )(?=[A-Za-z]{2,20}=)"
)
_KEYS: Final = re.compile(rb"(?:^|[\n ]|#012)LogName=")
_EVENT_CODE: Final = re.compile(rb"(?:^|[\n ]|#012)EventCode=")
_ESCAPED: Final = re.compile(r"#01([125])")
_CONTROLS: Final = {"1": "\t", "2": "\n", "5": "\r"}
_KEY_NAMES: Final = "LogName|SourceName|EventCode|EventType|Type|ComputerName|User|Sid|SidType|TaskCategory|OpCode|RecordNumber|Keywords|Message"
_FLAT_KEY: Final = re.compile(rf" (?=(?:{_KEY_NAMES})=)")
_LINE: Final = re.compile(r"([A-Za-z]{2,32})=([^\r\n]*)(?:\r?\n|\r|\Z)|[ \t]*(?:\r?\n|\r)")


def starts(payload: bytes) -> bool:
    dated = _DATE.match(payload)
    if dated is None and not payload.startswith((b"LogName=", b"EventCode=", b"SourceName=")):
        return False
    return _KEYS.search(payload, 0, PREFIX_OCTETS) is not None and _EVENT_CODE.search(payload, 0, PREFIX_OCTETS) is not None


def parse_event(payload: bytes, reading: Reading) -> WindowsEvent:
    """Read one event; raises MessageError: missing-key:EventID, bad-event-id, in strict mode the repairs."""
    text, repairs = decode_payload(payload)
    if "#012" in text[:PREFIX_OCTETS].partition("Message=")[0]:
        text, repairs = _ESCAPED.sub(lambda found: _CONTROLS[found[1]], text), (*repairs, "separators")
    head, message, rest = text.partition(" Message=")
    if "\n" not in head.rstrip("\n"):
        text, repairs = _FLAT_KEY.sub("\n", head) + (f"\nMessage={rest}" if message else ""), (*repairs, "separators")
    fields: dict[str, str] = {}
    at = 0
    if _DATE.match(payload) and "\n" in text:
        at = text.index("\n") + 1
        fields["time_text"] = text[:at]
    for _ in range(MAX_KEYS):
        if text.startswith("Message=", at):
            fields["message"] = text[at + len("Message=") :].strip("\r\n")
            break
        line = _LINE.match(text, at)
        if line is None or line.end() == at:
            break
        at = line.end()
        if line[1] in FIELDS and line[2]:
            fields.setdefault(FIELDS[line[1]], line[2].rstrip(" \t"))
    if fields.get("user_name") == NO_USER:
        del fields["user_name"]
    if not parse_keywords(fields.get("keywords", "")).startswith("0x"):
        fields.pop("keywords", None)  # None, Classic
    return assemble(
        fields, (), read_time=partial(_parse_time, zone_offset_minutes=reading.zone_offset_minutes), reading=reading, document=DOCUMENT, repairs=repairs
    )


def _parse_time(text: str, zone_offset_minutes: int) -> EventTime | None:
    return parse_us(text, zone_offset_minutes) or parse_iso(text, zone_offset_minutes)


def encode_event(event: WindowsEvent) -> bytes:
    """The event as a universal forwarder renders it."""
    result = audit_result(event.keywords)
    pairs = (
        ("LogName", event.channel),
        ("SourceName", event.provider),
        ("EventCode", event.event_id),
        ("EventType", "0" if result else EVENT_TYPES.get(event.level, "4")),
        ("Type", LEVEL_NAMES.get(event.level, "Information")),
        ("ComputerName", event.computer),
        ("User", event.user_name or (NO_USER if event.user_sid else "")),
        ("Sid", event.user_sid),
        ("TaskCategory", event.task or "None"),
        ("OpCode", event.opcode or "Info"),
        ("RecordNumber", event.record_id),
        ("Keywords", result or event.keywords or "None"),
    )
    date = one_line(event.time_text) if event.time is None else format_us(event.time.unix_ns)
    lines = [date, *(f"{name}={one_line(value)}" for name, value in pairs if value), f"Message={render_event(event)}"]
    return encode_payload("\r\n".join(lines))


LAYOUT: Final = Layout(
    name="splunk-classic",
    document=DOCUMENT,
    log_format="syslog",
    starts=starts,
    parse_event=parse_event,
    encode_event=encode_event,
    event_id=re.compile(rb"EventCode=([0-9]{1,10})(?=[^0-9])"),
    cannot_carry={
        "time": "whole seconds",
        "version": "has no key",
        "level": "levels 0 and 4 are both information",
        "task": "the category's name, which isn't its number",
        "opcode": "its name, which isn't its number",
        "keywords": "names: only whether an audit succeeded",
        "provider_guid": "has no key",
        "event_source_name": "has no key",
        "qualifiers": "has no key",
        "activity_id": "has no key",
        "process_id": "has no key",
        "thread_id": "has no key",
        "user_domain": "User is the name alone",
        "data:*": "by the rendered text",
    },
)
