"""Winlogbeat's JSON, both ways (Elastic Beats, "Winlogbeat fields"): version 7 and later in ECS with `winlog`, 6 flat.

    version 7, 8                                  version 6                      field
    winlog.event_id                               event_id                       EventID
    winlog.channel                                log_name                       Channel
    winlog.provider_name, provider_guid           source_name, provider_guid     Provider
    winlog.computer_name                          computer_name                  Computer
    winlog.record_id                              record_number                  EventRecordID
    winlog.keywords                               keywords                       Keywords, by name
    winlog.process.pid, process.thread.id         process_id, thread_id          Execution
    winlog.user.identifier, name, domain          user.identifier, name, domain  Security
    winlog.event_data, winlog.user_data           event_data, user_data          EventData, UserData
    @timestamp                                    @timestamp                     TimeCreated, in milliseconds

Where the whole event is attached as XML (`include_xml`: event.original, in version 6 xml), it is read instead: it has what
Winlogbeat renames or shortens. Members may be nested or dotted, the event may stand inside of
something else (`wire.layouts.json_shapes`), an Elastic pipeline may have set winlog.time_created.

Departures: unnamed data are `param1` ... in Winlogbeat and Data1 ... here.
"""

from __future__ import annotations

import re
from functools import partial
from typing import Final

from wire.event import WindowsEvent
from wire.event_time import format_iso, parse_iso
from wire.json_object import JsonObject, encode_object, leaves, merge, parse_object
from wire.keywords import audit_result
from wire.layouts.assemble import Pairs, assemble
from wire.layouts.json_fields import EVENT_ID, PREFIX_OCTETS, Members, number, original_event
from wire.layouts.json_shapes import find_event
from wire.layouts.layout import Layout, Reading

DOCUMENT: Final = "Winlogbeat fields (Elastic Beats 8)"

FIELDS: Final = {
    "winlog.event_id": "event_id",
    "winlog.channel": "channel",
    "winlog.provider_name": "provider",
    "winlog.provider_guid": "provider_guid",
    "winlog.computer_name": "computer",
    "winlog.record_id": "record_id",
    "winlog.time_created": "time_text",
    "winlog.version": "version",
    "winlog.level": "level",
    "winlog.task": "task",
    "winlog.opcode": "opcode",
    "winlog.keywords": "keywords",
    "winlog.activity_id": "activity_id",
    "winlog.process.pid": "process_id",
    "winlog.process.thread.id": "thread_id",
    "winlog.user.identifier": "user_sid",
    "winlog.user.name": "user_name",
    "winlog.user.domain": "user_domain",
    "log.level": "level",
    "event.code": "event_id",
    "event_id": "event_id",
    "log_name": "channel",
    "source_name": "provider",
    "provider_guid": "provider_guid",
    "computer_name": "computer",
    "record_number": "record_id",
    "record_id": "record_id",
    "version": "version",
    "level": "level",
    "task": "task",
    "opcode": "opcode",
    "keywords": "keywords",
    "activity_id": "activity_id",
    "process_id": "process_id",
    "thread_id": "thread_id",
    "user.identifier": "user_sid",
    "user.name": "user_name",
    "user.domain": "user_domain",
    "message": "message",
    "@timestamp": "time_text",
}
"""Path to field, version 7's first: an ECS pipeline adds names of version 6 with another meaning (user.name)."""

OURS: Final = "winlog."
ECS_ONLY: Final = frozenset({"user.identifier", "user.name", "user.domain", "version", "level", "task"})
"""Members that speak of something else beside a `winlog`."""

DATA: Final = ("winlog.event_data.", "event_data.")
USER_DATA: Final = ("winlog.user_data.", "user_data.")
XML: Final = ("event.original", "xml")

MEMBERS: Final = Members(fields=FIELDS, data=DATA)

_VERSION_7: Final = re.compile(rb'"winlog(?:\.|"\s{0,8}:)')
_VERSION_6: Final = re.compile(rb'"(?:source_name|record_number|beat)"\s{0,8}:|"type"\s{0,8}:\s{0,8}"wineventlog"')
_DATA_6: Final = re.compile(rb'"(?:event_data|user_data|log_name)"\s{0,8}:')
_PARAM: Final = re.compile(r"param([1-9][0-9]{0,2})")
_DATA: Final = re.compile(r"Data([1-9][0-9]{0,2})")


def starts(payload: bytes) -> bool:
    if payload[:1] != b"{":
        return False
    if _VERSION_7.search(payload, 0, PREFIX_OCTETS):
        return True
    return _VERSION_6.search(payload, 0, PREFIX_OCTETS) is not None and _DATA_6.search(payload, 0, PREFIX_OCTETS) is not None


def parse_event(payload: bytes, reading: Reading) -> WindowsEvent:
    """Read one event; raises MessageError: json-..., several-events, event-too-large, missing-key:EventID, bad-event-id."""
    document, warnings = parse_object(payload)
    members = list(leaves(find_event(document, is_event)[0]))
    for name, text in members:
        if name in XML and (event := original_event(text, reading)) is not None:
            return event
    if any(name.startswith(OURS) for name, _ in members):
        members = [(name, text) for name, text in members if name not in ECS_ONLY]
    fields, data = MEMBERS.sort(members)
    return assemble(
        fields,
        (*((_PARAM.sub(r"Data\1", name) if _PARAM.fullmatch(name) else name, text) for name, text in data), *_user_data(members)),
        read_time=partial(parse_iso, zone_offset_minutes=reading.zone_offset_minutes),
        reading=reading,
        document=DOCUMENT,
        repairs=warnings,
    )


def is_event(value: JsonObject) -> bool:
    """Whether an object is an event itself, and doesn't only carry one."""
    return any(name == "winlog" or name.startswith(OURS) or name == "event_id" for name, _ in value)


def _user_data(members: list[tuple[str, str]]) -> Pairs:
    """UserData's leaves under the name of its element, as in event XML."""
    found = [(name.removeprefix(OURS).removeprefix("user_data."), text) for name, text in members if name.startswith(USER_DATA)]
    element = next((text for name, text in found if name == "xml_name"), "")
    return tuple((f"{element}.{name}" if element else name, text) for name, text in found if name != "xml_name")


def encode_event(event: WindowsEvent) -> bytes:
    """The event as version 8 sends it, without what it says about itself."""
    result = audit_result(event.keywords)
    level = {"1": "critical", "2": "error", "3": "warning", "5": "verbose"}.get(event.level, "information")
    winlog: dict[str, object] = {
        "api": "wineventlog",
        "channel": event.channel,
        "provider_name": event.provider,
        "provider_guid": event.provider_guid,
        "computer_name": event.computer,
        "event_id": event.event_id,
        "record_id": number(event.record_id),
        "version": number(event.version),
        "task": event.task,
        "opcode": event.opcode,
        "activity_id": event.activity_id,
        "keywords": [result or event.keywords] if event.keywords else "",
        "event_data": merge((_DATA.sub(r"param\1", name) if _DATA.fullmatch(name) else name, text) for name, text in event.data),
    }
    process = _delivered({"pid": number(event.process_id), "thread": _delivered({"id": number(event.thread_id)})})
    user = _delivered({"identifier": event.user_sid, "name": event.user_name, "domain": event.user_domain})
    return encode_object(
        _delivered(
            {
                "@timestamp": event.time_text if event.time is None else format_iso(event.time.unix_ns, 3),
                "event": {"code": event.event_id, "kind": "event", "provider": event.provider},
                "log": {"level": level},
                "winlog": _delivered(winlog | {"process": process, "user": user}),
                "message": event.message,
            }
        )
    )


def _delivered(members: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in members.items() if value not in ("", {})}


LAYOUT: Final = Layout(
    name="winlogbeat-json",
    document=DOCUMENT,
    log_format="JSON",
    starts=starts,
    parse_event=parse_event,
    encode_event=encode_event,
    event_id=EVENT_ID,
    cannot_carry={
        "time": "milliseconds",
        "keywords": "names: only whether an audit succeeded",
        "level": "levels 0 and 4 are both information",
        "event_source_name": "has no member",
        "qualifiers": "has no member",
    },
)
