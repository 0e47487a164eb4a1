"""NXLog's JSON of Windows events, both ways (NXLog reference manual, im_msvistalog "Fields", xm_json).

NXLog writes one flat object: System's fields under names of its own, EventData's beside them under theirs. `Members` is the
table that tells them apart. Logstash and Fluentd, which often stand behind it, add `tags`, `host`, `port`, `@timestamp`.

    EventTime     local time of the machine without a zone (`2021-09-17 16:37:25`), since version 5 ISO 8601 with one
    Keywords      signed decimal, since version 6 hex
    AccountName   who logged the event where AccountType stands beside it, else EventData's (7045 has one of its own)
    EventXML      the whole event (CaptureEventXML): read instead of all else

A data value that NXLog's own field of that name has overwritten is read out of Message.
"""

from __future__ import annotations

import re
from dataclasses import replace
from functools import partial
from typing import Final

from wire.event import EventTime, WindowsEvent
from wire.event_time import format_iso, parse_epoch, parse_iso
from wire.json_object import JsonObject, encode_object, leaves, merge, parse_object
from wire.keywords import audit_result, parse_keywords
from wire.layouts.assemble import assemble, missing_data
from wire.layouts.json_fields import EVENT_ID, PREFIX_OCTETS, Members, number, original_event
from wire.layouts.json_shapes import find_event
from wire.layouts.layout import Layout, Reading

DOCUMENT: Final = "NXLog reference manual, im_msvistalog"

FIELDS: Final = {
    "EventID": "event_id",
    "Channel": "channel",
    "SourceName": "provider",
    "ProviderGuid": "provider_guid",
    "Hostname": "computer",
    "EventTime": "time_text",
    "RecordNumber": "record_id",
    "Version": "version",
    "LevelValue": "level",
    "Level": "level",
    "Severity": "level",
    "TaskValue": "task",
    "Task": "task",
    "OpcodeValue": "opcode",
    "Keywords": "keywords",
    "EventType": "keywords",
    "ActivityID": "activity_id",
    "ExecutionProcessID": "process_id",
    "ProcessID": "process_id",
    "ExecutionThreadID": "thread_id",
    "ThreadID": "thread_id",
    "UserID": "user_sid",
    "Message": "message",
}
USER: Final = {"AccountName": "user_name", "Domain": "user_domain"}
USER_MARK: Final = "AccountType"
XML: Final = "EventXML"

OF_NXLOG: Final = frozenset({"EventReceivedTime", "SourceModuleName", "SourceModuleType", "SeverityValue", "Category", "Opcode", "RelatedActivityID"})
OF_RELAYS: Final = frozenset({"MessageSourceAddress", "MessageID", "tags", "host", "port", "@timestamp", "@version", "type"})

WITHOUT_USER: Final = Members(fields=FIELDS, data=("EventData.",), ignored=OF_NXLOG | OF_RELAYS | {USER_MARK, XML}, ignored_below=("host.",), open=True)
WITH_USER: Final = replace(WITHOUT_USER, fields=FIELDS | USER)

_STARTS: Final = re.compile(rb'"(?:SourceModuleType|SourceModuleName|EventReceivedTime)"\s{0,8}:|"EventType"\s{0,8}:\s{0,8}"AUDIT_')


def starts(payload: bytes) -> bool:
    return payload[:1] == b"{" and _STARTS.search(payload, 0, PREFIX_OCTETS) is not None


def parse_event(payload: bytes, reading: Reading) -> WindowsEvent:
    """Read one event; raises MessageError: json-..., several-events, event-too-large, missing-key:EventID, bad-event-id."""
    document, warnings = parse_object(payload)
    found, around = find_event(document, is_event)
    members = [*leaves(found), *around]
    names = {name for name, _ in members}
    if XML in names and (event := original_event(next(text for name, text in members if name == XML), reading)) is not None:
        return event
    fields, data = (WITH_USER if USER_MARK in names else WITHOUT_USER).sort(members)
    if not parse_keywords(fields.get("keywords", "")).startswith("0x"):
        fields.pop("keywords", None)  # EventType of an event that audits nothing: INFO, ERROR
    return assemble(
        fields,
        (*data, *missing_data(fields, data)),
        read_time=partial(_parse_time, zone_offset_minutes=reading.zone_offset_minutes),
        reading=reading,
        document=DOCUMENT,
        repairs=warnings,
    )


def _parse_time(text: str, zone_offset_minutes: int) -> EventTime | None:
    return parse_iso(text, zone_offset_minutes) or parse_epoch(text)


def is_event(value: JsonObject) -> bool:
    """Whether an object is an event itself, and doesn't only carry one."""
    return any(name == "EventID" for name, _ in value)


def encode_event(event: WindowsEvent) -> bytes:
    """The event as version 6 sends it; data whose names NXLog gives another meaning go below EventData."""
    result = audit_result(event.keywords)
    table = WITH_USER if event.user_name or event.user_domain else WITHOUT_USER
    members: dict[str, object] = {
        "EventTime": event.time_text if event.time is None else format_iso(event.time.unix_ns, 6),
        "Hostname": event.computer,
        "Keywords": event.keywords,
        "LevelValue": number(event.level),
        "EventType": result.replace(" ", "_").upper() or "INFO",
        "SeverityValue": 4 if result == "Audit Failure" else 2,
        "Severity": "ERROR" if result == "Audit Failure" else "INFO",
        "EventID": number(event.event_id),
        "SourceName": event.provider,
        "ProviderGuid": event.provider_guid,
        "Version": number(event.version),
        "Task": number(event.task),
        "OpcodeValue": number(event.opcode),
        "RecordNumber": number(event.record_id),
        "ActivityID": event.activity_id,
        "ExecutionProcessID": number(event.process_id),
        "ExecutionThreadID": number(event.thread_id),
        "Channel": event.channel,
        "UserID": event.user_sid,
        "Message": event.message,
        "SourceModuleName": "eventlog",
        "SourceModuleType": "im_msvistalog",
    }
    if table is WITH_USER:
        members |= {"AccountName": event.user_name, "Domain": event.user_domain, USER_MARK: "User"}
    members = {name: value for name, value in members.items() if value != ""}
    members |= merge(pair for pair in event.data if not table.claims(pair[0]))
    below = merge(pair for pair in event.data if table.claims(pair[0]))
    return encode_object(members | ({"EventData": below} if below else {}))


LAYOUT: Final = Layout(
    name="nxlog-json",
    document=DOCUMENT,
    log_format="JSON",
    starts=starts,
    parse_event=parse_event,
    encode_event=encode_event,
    event_id=EVENT_ID,
    cannot_carry={"time": "microseconds", "event_source_name": "has no field", "qualifiers": "has no field"},
)
