r"""QRadar's layout, as a standalone sensor takes it from a SIEM: parser and encoder side by side.

Source: Microsoft Defender for Identity, "Listen for SIEM events on your standalone sensor", section QRadar.

    <PRI>header AgentDevice=WindowsLog TAB AgentLogFile=Security TAB Source=... TAB Computer=... TAB User= TAB Domain= TAB EventID=4776 TAB
    EventIDCode=4776 TAB EventType=8 TAB EventCategory=14336 TAB RecordNumber=1961417 TAB TimeGenerated=1456144380009 TAB TimeWritten=... TAB Message=...

`Message` is last and flat: every line break is a space. TimeGenerated is epoch milliseconds in the document's sample and a CIM
datetime in its prose: both are read, the sample's is written. EventIDCode is the 32-bit code; EventType 8 and 16 are an audit's
success and failure ([MS-EVEN]). The header's date may be days off and is never the event's.

WinCollect isn't supported by the sensor, since its times are whole seconds: it is known by PluginVersion or by a TimeGenerated of
ten digits, and refused (`wincollect`).

Read in lenient mode only: no header; spaces for TABs, told by the known keys; TAB in print (`\t`) or as rsyslog's escape (`#011`).
Refusals: `wire.layouts.envelope`, and separators, missing-header, message-not-last, not-a-windows-event, wincollect.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from pipeline.errors import MessageError
from wire.event import EventTime, WindowsEvent
from wire.event_time import format_epoch_ms, parse_cim, parse_epoch_ms
from wire.keywords import AUDIT_FAILURE, AUDIT_SUCCESS, EVENT_TYPES, LEVELS_BY_TYPE, audit_result, parse_keywords
from wire.layouts.envelope import parse_pairs, read_event_id, read_text, read_time
from wire.layouts.layout import Layout, Mode, Reading
from wire.layouts.payload import WHITE_SPACE, decode_payload, encode_payload, one_line
from wire.message_texts import MESSAGE_TEXTS
from wire.providers import canonical_provider
from wire.rendered_text import render_event

DOCUMENT: Final = "Microsoft Defender for Identity, SIEM events, QRadar"

AGENT_DEVICE: Final = "WindowsLog"
REQUIRED: Final = ("AgentDevice", "AgentLogFile", "Source", "Computer", "EventID", "TimeGenerated", "Message")
ENVELOPE: Final = (
    *REQUIRED,
    *("PluginVersion", "OriginatingComputer", "User", "Domain", "EventIDCode", "EventType", "EventCategory"),
    *("RecordNumber", "TimeWritten", "Level", "Keywords", "Task", "Opcode"),
)
"""Keys that have a place in the event's envelope, or repeat what another says; every other key is data."""

EVENT_TYPE_BY_LEVEL: Final = {level: event_type for event_type, level in LEVELS_BY_TYPE.items()}
INFORMATION: Final = "4"
SECONDS: Final = re.compile(r"[0-9]{10}")

_KNOWN: Final = "|".join(ENVELOPE)
_STRICT_KEYS: Final = re.compile(r"\t")
_LENIENT_KEYS: Final = re.compile(rf"(?:\t|\\t|#011| )(?=(?:{_KNOWN})=)")
_STRICT_MESSAGE: Final = re.compile(r"\tMessage=")
_LENIENT_MESSAGE: Final = re.compile(r"(?:\t|\\t|#011| )Message=")

_CANNOT_CARRY: Final = {
    "version": "no key for it",
    "level": "only error, warning and information, by EventType",
    "opcode": "no key for it",
    "keywords": "only the audit result, by EventType",
    "provider_guid": "no key for it",
    "event_source_name": "no key for it",
    "activity_id": "no key for it",
    "process_id": "no key for it",
    "thread_id": "no key for it",
    "user_sid": "User and Domain are names",
    "time": "milliseconds: what is finer is cut",
    "data:*": "only names that the event's English text labels; TAB, CR and LF become a space, white space around a value is cut, "
    "and a label of the event inside a value has its colon written as a semicolon",
}


def starts(payload: bytes) -> bool:
    """`AgentDevice=`."""
    return payload[:64].removeprefix(b"\xef\xbb\xbf").lstrip(b" \t\r\n").startswith(b"AgentDevice=")


def parse_event(payload: bytes, reading: Reading) -> WindowsEvent:
    """Payload to event.

    Raises:
        MessageError: missing-header, separators, missing-key:KEY, message-not-last, not-a-windows-event, wincollect, too-many-keys,
            bad-event-id, bad-time, truncated.
    """
    strict = reading.mode is Mode.STRICT
    if strict and not reading.headed:
        raise MessageError("missing-header", document=DOCUMENT)
    text, warnings = decode_payload(payload)
    text = text.lstrip(WHITE_SPACE)
    found = _STRICT_MESSAGE.search(text)
    tabbed = strict or found is not None
    found = found if tabbed else _LENIENT_MESSAGE.search(text)
    head, message = (text[: found.start()], text[found.end() :].strip(WHITE_SPACE)) if found else (text, "")
    pairs = parse_pairs((_STRICT_KEYS if tabbed else _LENIENT_KEYS).split(head), DOCUMENT)
    _check(pairs.values, message, text, strict=strict)
    event_id = read_event_id(pairs.text("EventID"), DOCUMENT)
    provider = canonical_provider(pairs.text("Source"))
    time, time_warnings = read_time(pairs.text("TimeGenerated"), (parse_cim, _epoch_ms), reading, DOCUMENT)
    data, text_warnings = read_text(event_id, provider, message, reading, DOCUMENT)
    code, event_type = pairs.text("EventIDCode"), pairs.text("EventType")
    keywords = EVENT_TYPES.get(event_type) or parse_keywords(pairs.text("Keywords"))
    return WindowsEvent(
        event_id=event_id,
        channel=pairs.text("AgentLogFile"),
        provider=provider,
        computer=pairs.text("Computer"),
        time=time,
        time_text=pairs.text("TimeGenerated"),
        record_id=pairs.text("RecordNumber"),
        level="0" if event_type in EVENT_TYPES else LEVELS_BY_TYPE.get(event_type, ""),
        task=pairs.text("EventCategory"),
        keywords=keywords,
        qualifiers=str(int(code) >> 16) if _CODE.fullmatch(code) and int(code) >> 16 else "",
        user_name=pairs.text("User"),
        user_domain=pairs.text("Domain"),
        data=(*data, *pairs.others(ENVELOPE)),
        message=message,
        warnings=(*warnings, *pairs.warnings, *time_warnings, *text_warnings, *(() if tabbed else ("spaces-for-tabs",))),
    )


_CODE: Final = re.compile(r"[0-9]{1,10}")


def _epoch_ms(text: str, _zone_offset_minutes: int) -> EventTime | None:
    return parse_epoch_ms(text)


def _check(values: Mapping[str, str], message: str, text: str, *, strict: bool) -> None:
    """Refuse what no event can be made of."""
    if strict and "\t" not in text:
        raise MessageError("separators", document=DOCUMENT, detail="keys are separated by TAB")
    if "PluginVersion" in values or SECONDS.fullmatch(values.get("TimeGenerated", "")):
        raise MessageError("wincollect", document=DOCUMENT, detail="its times are whole seconds")
    for key in REQUIRED:
        if not (message if key == "Message" else values.get(key)):
            misplaced = re.search(rf"[\t ]{key}=", message) is not None
            raise MessageError("message-not-last" if misplaced else f"missing-key:{key}", document=DOCUMENT)
    if values["AgentDevice"] != AGENT_DEVICE:
        raise MessageError("not-a-windows-event", document=DOCUMENT, detail=values["AgentDevice"][:64])


def encode_event(event: WindowsEvent) -> bytes:
    """Event to payload, without the header that has to stand before it. An event without a time has no TimeGenerated, and no sensor takes it."""
    code = int(event.event_id) | (int(event.qualifiers) << 16 if _CODE.fullmatch(event.qualifiers) else 0)
    event_type = {AUDIT_SUCCESS: "8", AUDIT_FAILURE: "16"}.get(parse_keywords(audit_result(event.keywords)))
    pairs = {
        "AgentDevice": AGENT_DEVICE,
        "AgentLogFile": event.channel,
        "Source": event.provider,
        "Computer": event.computer or "-",
        "User": event.user_name,
        "Domain": event.user_domain,
        "EventID": event.event_id,
        "EventIDCode": str(code),
        "EventType": event_type or EVENT_TYPE_BY_LEVEL.get(event.level, INFORMATION),
        "EventCategory": event.task or "0",
        **({"RecordNumber": event.record_id} if event.record_id else {}),
        **({"TimeGenerated": format_epoch_ms(event.time.unix_ns), "TimeWritten": format_epoch_ms(event.time.unix_ns)} if event.time else {}),
        "Message": render_event(event, flat=True),
    }
    return encode_payload("\t".join(f"{key}={one_line(value)}" for key, value in pairs.items()))


LAYOUT: Final = Layout(
    name="qradar",
    document=DOCUMENT,
    log_format="syslog",
    starts=starts,
    parse_event=parse_event,
    encode_event=encode_event,
    event_id=re.compile(rb"(?:\t|\\t|#011| )EventID=([0-9]{1,10})(?=[^0-9])"),
    carries=frozenset(MESSAGE_TEXTS),
    others=True,
    cannot_carry=_CANNOT_CARRY,
)
