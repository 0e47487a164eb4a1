"""Windows events in LEEF, both ways (IBM LEEF 2.0 for the syntax: `wire.leef`).

LEEF has no keys for most of an event's envelope, and every sender has names of its own. Those seen in the field:

    field            keys, the first for writing
    EventID          EventID EventIDCode externalId, else the header's event ID
    Channel          Channel LogName EventLog AgentLogFile
    Provider         Provider ProviderName SourceName Source
    Computer         Computer OriginatingComputer Hostname identHostName devHost
    EventRecordID    RecordNumber EventRecordID RecordID
    TimeCreated      devTime, by devTimeFormat; EventTime
    logged by        usrName, domain
    the rest         Version Level Task Opcode Keywords ProviderGuid ActivityID UserSid Message

Only vendor Microsoft, a product named Windows, or a message with event ID, channel and provider (NXLog writes itself into the header) speaks of
Windows events: a firewall's event 4776 is none. `cat`, `sev` and
`devTimeFormat` are about the message and left out; any other key is data under its own name.
"""

from __future__ import annotations

import re
from functools import partial
from typing import Final

from pipeline.errors import MessageError
from wire.event import WindowsEvent
from wire.event_time import format_iso
from wire.layouts.assemble import assemble
from wire.layouts.layout import Layout, Reading
from wire.layouts.payload import decode_payload, encode_payload
from wire.leef import DOCUMENT, REPAIRED, LeefMessage, encode_leef, parse_leef
from wire.leef_time import parse_dev_time

KEYS: Final = {
    "event_id": ("EventID", "EventIDCode", "externalId"),
    "channel": ("Channel", "LogName", "EventLog", "AgentLogFile"),
    "provider": ("Provider", "ProviderName", "SourceName", "Source"),
    "computer": ("Computer", "OriginatingComputer", "Hostname", "identHostName", "devHost"),
    "record_id": ("RecordNumber", "EventRecordID", "RecordID"),
    "time_text": ("devTime", "EventTime"),
    "user_name": ("usrName",),
    "user_domain": ("domain",),
    "version": ("Version",),
    "level": ("Level",),
    "task": ("Task",),
    "opcode": ("Opcode",),
    "keywords": ("Keywords", "EventType"),
    "provider_guid": ("ProviderGuid",),
    "event_source_name": ("EventSourceName",),
    "qualifiers": ("Qualifiers",),
    "activity_id": ("ActivityID",),
    "process_id": ("ExecutionProcessID",),
    "thread_id": ("ExecutionThreadID",),
    "user_sid": ("UserSid",),
    "message": ("Message", "msg"),
}
FIELDS: Final = {key.lower(): field for field, keys in KEYS.items() for key in keys}
ABOUT_THE_MESSAGE: Final = frozenset({"cat", "sev", "devtimeformat"})
DATA_PREFIX: Final = "EventData."
"""Before data whose names are keys of the table: written so, and read so."""

TIME_FORMAT: Final = "yyyy-MM-dd'T'HH:mm:ss.SSSSSSSX"
ISO_DIGITS: Final = 7
IDENTITY: Final = frozenset({"event_id", "channel", "provider"})
VENDOR, PRODUCT = "Microsoft", "Windows"

_STARTS: Final = re.compile(rb"LEEF: ?[0-9]")
_KEY: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,50}")


def starts(payload: bytes) -> bool:
    return _STARTS.match(payload) is not None


def parse_event(payload: bytes, reading: Reading) -> WindowsEvent:
    """Read one event; raises MessageError: leef-..., not-a-windows-event, missing-key:EventID, bad-event-id, in strict mode the repairs."""
    text, repairs = decode_payload(payload)
    message = parse_leef(text)
    fields: dict[str, str] = {}
    data = []
    for key, value in message.attributes:
        field = FIELDS.get(key.lower())
        if field is not None and field not in fields:
            fields[field] = value
        elif field is None and key.lower() not in ABOUT_THE_MESSAGE:
            data.append((key.removeprefix(DATA_PREFIX), value))
    if message.vendor.strip().lower() != VENDOR.lower() and PRODUCT.lower() not in message.product.lower() and not fields.keys() >= IDENTITY:
        raise MessageError("not-a-windows-event", document=DOCUMENT, detail=f"{message.vendor}|{message.product}"[:80])
    fields.setdefault("event_id", message.event_id)
    time_format = next((value for key, value in message.attributes if key.lower() == "devtimeformat"), "")
    return assemble(
        fields,
        data,
        read_time=partial(parse_dev_time, time_format=time_format, zone_offset_minutes=reading.zone_offset_minutes),
        reading=reading,
        document=DOCUMENT,
        repairs=(*repairs, REPAIRED) if message.repaired else repairs,
    )


def encode_event(event: WindowsEvent) -> bytes:
    """The event in version 2, attributes between TABs."""
    time = event.time_text if event.time is None else format_iso(event.time.unix_ns, ISO_DIGITS)
    texts = {field: time if field == "time_text" else str(getattr(event, field)) for field in KEYS}
    attributes = [(KEYS[field][0], text) for field, text in texts.items() if text]
    if event.time is not None:
        attributes.append(("devTimeFormat", TIME_FORMAT))
    attributes += [(name if _free(name) else f"{DATA_PREFIX}{name}", text) for name, text in event.data if _KEY.fullmatch(name)]
    return encode_payload(encode_leef(LeefMessage(vendor=VENDOR, product=PRODUCT, event_id=event.event_id, attributes=tuple(attributes))))


def _free(name: str) -> bool:
    return name.lower() not in FIELDS and name.lower() not in ABOUT_THE_MESSAGE and not name.startswith(DATA_PREFIX)


LAYOUT: Final = Layout(
    name="leef",
    document=DOCUMENT,
    log_format="syslog",
    starts=starts,
    parse_event=parse_event,
    encode_event=encode_event,
    event_id=re.compile(rb"(?:EventID|EventIDCode|externalId)=([0-9]{1,10})(?=[^0-9])"),
    cannot_carry={"time": "100 ns", "message": "on one line", "data:*": "on one line; names must be keys"},
)
