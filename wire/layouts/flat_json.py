"""Windows events as plain JSON, both ways: whatever PowerShell, evtx readers, Logstash and data sets make of an event.

No document says how; what repeats in the field is the table below. Names are read without regard to case, `_` and blanks.

    {"EventID": 4776, "Channel": "Security", "Hostname": ..., "TimeCreated": ..., "TargetUserName": ...}
    {"System": {...}, "EventData": {...}}
    {"Event": {"System": {"Provider": {"#attributes": {"Name": ...}}, ...}, "EventData": {...}}}

A member that is in no row is data. Unnamed data in an array `Data` are Data1, Data2 ...
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache, partial
from typing import Final

from wire.event import EventTime, WindowsEvent
from wire.event_time import format_iso, parse_epoch_ms, parse_iso
from wire.json_object import encode_object, leaves, merge, parse_object
from wire.layouts.assemble import Pairs, assemble
from wire.layouts.json_fields import PREFIX_OCTETS, Members, ascii_lower, number
from wire.layouts.layout import Layout, Reading

DOCUMENT: Final = "docs/protocol/syslog.md, flat JSON"

NAMES: Final = {
    "event_id": ("EventID", "EventCode", "EventID.#text", "EventID.Value", "ID"),
    "channel": ("Channel", "LogName", "EventLog", "Log"),
    "provider": ("SourceName", "ProviderName", "Provider", "Provider.Name", "Provider.#attributes.Name", "Source"),
    "provider_guid": ("ProviderGuid", "Provider.Guid", "Provider.#attributes.Guid", "ProviderID"),
    "event_source_name": ("EventSourceName", "Provider.EventSourceName", "Provider.#attributes.EventSourceName"),
    "qualifiers": ("Qualifiers", "EventID.Qualifiers", "EventID.#attributes.Qualifiers"),
    "computer": ("Computer", "ComputerName", "MachineName", "Hostname"),
    "time_text": (
        *("SystemTime", "TimeCreated.SystemTime", "TimeCreated.#attributes.SystemTime", "TimeCreated"),
        *("EventTime", "TimeGenerated", "UtcTime", "@timestamp", "timestamp"),
    ),
    "record_id": ("EventRecordID", "RecordID", "RecordNumber"),
    "version": ("Version",),
    "level": ("Level", "LevelDisplayName"),
    "task": ("Task",),
    "opcode": ("Opcode",),
    "keywords": ("Keywords", "KeywordsDisplayNames"),
    "activity_id": ("ActivityID", "Correlation.ActivityID", "Correlation.#attributes.ActivityID"),
    "process_id": ("ExecutionProcessID", "Execution.ProcessID", "Execution.#attributes.ProcessID"),
    "thread_id": ("ExecutionThreadID", "ThreadID", "Execution.ThreadID", "Execution.#attributes.ThreadID"),
    "user_sid": ("UserID", "Security.UserID", "Security.#attributes.UserID"),
    "message": ("Message",),
}
"""Field to the paths under which it is known, the most exact first."""

SYSTEM: Final = ("", "System.", "Event.System.")
DATA: Final = ("eventdata.", "event.eventdata.", "userdata.", "event.userdata.")
IGNORED: Final = frozenset({"@version", "tags", "host", "port", "type", "xmlns", "event.xmlns"})
IGNORED_BELOW: Final = ("host.", "#attributes.", "event.#attributes.", "system.", "event.system.")

LONGEST_NAME: Final = 64


def _spelling(path: str) -> str:
    return _known_spelling(path) if len(path) <= LONGEST_NAME else path


@lru_cache(maxsize=1024)
def _known_spelling(path: str) -> str:
    return ascii_lower(path).replace("_", "").replace(" ", "")


MEMBERS: Final = Members(
    fields={_spelling(system + name): field for field, names in NAMES.items() for name in names for system in SYSTEM},
    data=DATA,
    ignored=IGNORED,
    ignored_below=IGNORED_BELOW,
    open=True,
    spelling=_spelling,
)

_STARTS: Final = re.compile(rb'"(?:event[_ ]?id|event[_ ]?code)"\s{0,8}:', re.IGNORECASE)
_UNNAMED: Final = frozenset({"Data", "Data.#text"})
_ATTRIBUTE: Final = re.compile(r"(?:.*\.)?(?:#attributes\..*|xmlns)")


def starts(payload: bytes) -> bool:
    return payload[:1] == b"{" and _STARTS.search(payload, 0, PREFIX_OCTETS) is not None


def parse_event(payload: bytes, reading: Reading) -> WindowsEvent:
    """Read one event; raises MessageError: json-..., event-too-large, missing-key:EventID, bad-event-id."""
    document, warnings = parse_object(payload)
    fields, data = MEMBERS.sort(leaves(document))
    return assemble(
        fields,
        _named(data),
        read_time=partial(_parse_time, zone_offset_minutes=reading.zone_offset_minutes),
        reading=reading,
        document=DOCUMENT,
        repairs=warnings,
    )


def _parse_time(text: str, zone_offset_minutes: int) -> EventTime | None:
    return parse_iso(text, zone_offset_minutes) or parse_epoch_ms(text)


def _named(data: Pairs) -> Iterator[tuple[str, str]]:
    position = 0
    for name, text in data:
        if name in _UNNAMED:
            position += 1
            yield f"Data{position}", text
        elif not _ATTRIBUTE.fullmatch(name):
            yield name, text


def encode_event(event: WindowsEvent) -> bytes:
    """One flat object; data whose names have a meaning of their own here go below EventData."""
    members: dict[str, object] = {
        "EventID": number(event.event_id),
        "Channel": event.channel,
        "SourceName": event.provider,
        "ProviderGuid": event.provider_guid,
        "EventSourceName": event.event_source_name,
        "Qualifiers": event.qualifiers,
        "Computer": event.computer,
        "TimeCreated": event.time_text if event.time is None else format_iso(event.time.unix_ns, 7),
        "EventRecordID": number(event.record_id),
        "Version": event.version,
        "Level": event.level,
        "Task": event.task,
        "Opcode": event.opcode,
        "Keywords": event.keywords,
        "ActivityID": event.activity_id,
        "ExecutionProcessID": event.process_id,
        "ExecutionThreadID": event.thread_id,
        "UserID": event.user_sid,
        "Message": event.message,
    }
    members = {name: value for name, value in members.items() if value != ""}
    members |= merge(pair for pair in event.data if not MEMBERS.claims(pair[0]))
    below = merge(pair for pair in event.data if MEMBERS.claims(pair[0]))
    return encode_object(members | ({"EventData": below} if below else {}))


LAYOUT: Final = Layout(
    name="flat-json",
    document=DOCUMENT,
    log_format="JSON",
    starts=starts,
    parse_event=parse_event,
    encode_event=encode_event,
    cannot_carry={"time": "100 ns", "user_name": "System has only the SID", "user_domain": "System has only the SID"},
)
