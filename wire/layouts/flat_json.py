"""Windows events as plain JSON, both ways: whatever PowerShell, evtx readers, Logstash and data sets make of an event.

No document says how; what repeats in the field is the table below. Names are read without regard to case, `_` and blanks.

    {"EventID": 4776, "Channel": "Security", "Hostname": ..., "TimeCreated": ..., "TargetUserName": ...}
    {"System": {...}, "EventData": {...}}
    {"Event": {"System": {"Provider": {"#attributes": {"Name": ...}}, ...}, "EventData": {...}}}
    {"win": {"system": {"providerName": ...}, "eventdata": {"targetUserName": ...}}}        Wazuh
    {"Id": 4776, "ProviderName": ..., "LogName": ..., "Properties": [{"Value": ...}]}       Get-WinEvent | ConvertTo-Json
    {"EventCode": 4776, "Logfile": ..., "InsertionStrings": [...]}                          Win32_NTLogEvent (WMI)
    {"EventID": 4776, "EventSourceName": ..., "EventData": "<EventData>..."}                Log Analytics' SecurityEvent and Event

A member that is in no row is data, also one of what carries the event. Unnamed data in an array `Data` are Data1, Data2 ...; values by position
alone get the names of the event's schema. How XML was converted, `wire.layouts.json_shapes` knows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache, partial
from typing import Final

from wire.event import EventTime, WindowsEvent
from wire.event_data_names import name_inserts, spelled_name
from wire.event_time import format_iso, parse_cim, parse_epoch, parse_iso, parse_us
from wire.json_object import JsonObject, JsonValue, encode_object, leaves, merge, parse_object
from wire.keywords import EVENT_TYPES, audit_result, parse_keywords
from wire.layouts.assemble import Pairs, assemble
from wire.layouts.json_fields import EVENT_ID, PREFIX_OCTETS, Members, ascii_lower, number
from wire.layouts.json_shapes import find_event, plain_elements
from wire.layouts.layout import Layout, Reading
from wire.providers import canonical_provider

DOCUMENT: Final = "docs/protocol/syslog.md, flat JSON"

NAMES: Final = {
    "event_id": ("EventID", "EventCode", "EventID.#text", "EventID.Value", "EventID.text", "EventID.content", "ID"),
    "channel": ("Channel", "LogName", "EventLog", "Logfile", "Log"),
    "provider": ("SourceName", "ProviderName", "Provider", "Provider.Name", "Provider.#attributes.Name", "Source"),
    "provider_guid": ("ProviderGuid", "Provider.Guid", "Provider.#attributes.Guid", "ProviderID"),
    "event_source_name": ("EventSourceName", "Provider.EventSourceName", "Provider.#attributes.EventSourceName"),
    "qualifiers": ("Qualifiers", "EventID.Qualifiers", "EventID.#attributes.Qualifiers"),
    "computer": ("Computer", "ComputerName", "MachineName", "Hostname"),
    "time_text": (
        *("SystemTime", "TimeCreated.SystemTime", "TimeCreated.#attributes.SystemTime", "TimeCreated"),
        *("EventTime", "TimeGenerated", "UtcTime", "@timestamp", "timestamp", "time"),
    ),
    "record_id": ("EventRecordID", "RecordID", "RecordNumber"),
    "version": ("Version",),
    "level": ("Level", "LevelDisplayName"),
    "task": ("Task",),
    "opcode": ("Opcode",),
    "keywords": ("Keywords",),
    "activity_id": ("ActivityID", "Correlation.ActivityID", "Correlation.#attributes.ActivityID"),
    "process_id": ("ExecutionProcessID", "Execution.ProcessID", "Execution.#attributes.ProcessID"),
    "thread_id": ("ExecutionThreadID", "ThreadID", "Execution.ThreadID", "Execution.#attributes.ThreadID"),
    "user_sid": ("UserID", "UserID.Value", "Security.UserID", "Security.#attributes.UserID"),
    "message": ("Message", "RenderedDescription", "Description"),
}
"""Field to the paths under which it is known, the most exact first."""

SYSTEM: Final = ("", "System.", "Event.System.")
DATA: Final = ("eventdata.", "event.eventdata.", "userdata.", "event.userdata.")
AUDITS: Final = frozenset({"keywordsdisplaynames", "severityvalue", "eventtype", "type"})
"""Members that say an audit's result in words, where Keywords don't."""

INSERTS: Final = frozenset({"InsertionStrings", "StringInserts", "string_inserts", "Properties.Value"})
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
_RECORD_ID: Final = re.compile(rb'"Id"\s{0,8}:')
_RECORD_LOG: Final = re.compile(rb'"(?:ProviderName|LogName)"\s{0,8}:')
_IDS: Final = frozenset({"eventid", "eventcode"})
_SYSTEM: Final = frozenset({"system"})
_OF_RECORDS: Final = frozenset({"providername", "logname"})
_DECIMAL: Final = re.compile(r"[0-9]{1,10}")
_UNNAMED: Final = frozenset({"Data", "Data.#text"})
_ATTRIBUTE: Final = re.compile(r"(?:.*\.)?(?:#attributes\..*|xmlns)")


def starts(payload: bytes) -> bool:
    if payload[:1] != b"{":
        return False
    if _STARTS.search(payload, 0, PREFIX_OCTETS):
        return True
    return _RECORD_ID.search(payload, 0, PREFIX_OCTETS) is not None and _RECORD_LOG.search(payload, 0, PREFIX_OCTETS) is not None


def parse_event(payload: bytes, reading: Reading) -> WindowsEvent:
    """Read one event; raises MessageError: json-..., several-events, event-too-large, missing-key:EventID, bad-event-id."""
    document, warnings = parse_object(payload)
    plain = plain_elements(document)
    event, around = find_event(plain if isinstance(plain, JsonObject) else document, is_event)
    members = tuple(leaves(event))
    fields, data = MEMBERS.sort(members)
    if not audit_result(parse_keywords(fields.get("keywords", ""))) and (audit := _audit(fields, members)):
        fields["keywords"] = audit
        data = tuple(pair for pair in data if pair[1] != audit or _last(pair[0]) not in AUDITS)
    if "provider" not in fields and "event_source_name" in fields:
        fields["provider"] = fields.pop("event_source_name")
    if "time_text" not in fields:
        fields["time_text"] = next((text for path, text in around if _spelling(path) == "time"), "")
    return assemble(
        fields,
        (*_inserted(fields, tuple(_named(data))), *((name, text) for name, text in around if name not in IGNORED and not name.startswith(IGNORED_BELOW))),
        read_time=partial(_parse_time, zone_offset_minutes=reading.zone_offset_minutes),
        reading=reading,
        document=DOCUMENT,
        repairs=warnings,
    )


def _audit(fields: Mapping[str, str], members: Pairs) -> str:
    """The audit's result as some other member says it: in words, or in Log Analytics as a level."""
    words = (text for name, text in members if _last(name) in AUDITS and audit_result(parse_keywords(text)))
    return next(words, EVENT_TYPES.get(fields.get("level", ""), ""))


def _last(path: str) -> str:
    return _spelling(path).rpartition(".")[2]


def is_event(value: JsonObject) -> bool:
    """Whether an object is an event itself, and doesn't only carry one."""
    names = {_spelling(name): child for name, child in value}
    if not _IDS.isdisjoint(names) or ("id" in names and not _OF_RECORDS.isdisjoint(names)):
        return True
    return _has(names.get("system"), _IDS) or _has(names.get("event"), _SYSTEM)


def _has(value: JsonValue, names: frozenset[str]) -> bool:
    """Whether an object, alone or as the only item of an array, has one of these members."""
    inner = value[0] if isinstance(value, list) and len(value) == 1 else value
    return isinstance(inner, JsonObject) and any(_spelling(name) in names for name, _ in inner)


def _parse_time(text: str, zone_offset_minutes: int) -> EventTime | None:
    return parse_iso(text, zone_offset_minutes) or parse_epoch(text) or parse_us(text, zone_offset_minutes) or parse_cim(text, zone_offset_minutes)


def _inserted(fields: Mapping[str, str], data: Pairs) -> Iterator[tuple[str, str]]:
    """The data, and values by position under their names; what a name says already isn't said again."""
    inserts = [text for name, text in data if name in INSERTS]
    if not inserts:
        yield from data
        return
    named = tuple(pair for pair in data if pair[0] not in INSERTS)
    yield from named
    event_id = fields.get("event_id", "")
    event_id = str(int(event_id) & 0xFFFF) if _DECIMAL.fullmatch(event_id) else event_id
    yield from (pair for pair in name_inserts(event_id, canonical_provider(fields.get("provider", "")), inserts) if pair not in named)


def _named(data: Pairs) -> Iterator[tuple[str, str]]:
    position = 0
    for name, text in data:
        if name in _UNNAMED:
            position += 1
            yield f"Data{position}", text
        elif not _ATTRIBUTE.fullmatch(name):
            yield spelled_name(name) if name[:1].islower() else name, text


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
    event_id=EVENT_ID,
    cannot_carry={"time": "100 ns", "user_name": "System has only the SID", "user_domain": "System has only the SID"},
)
