"""Windows events in CEF, as ArcSight's connector writes them and a standalone sensor takes them: parser and encoder side by side.

Source: Microsoft Defender for Identity, "Listen for SIEM events on your standalone sensor", section HP ArcSight; `wire.cef` has the syntax.

    CEF:0|Microsoft|Microsoft Windows||PROVIDER:EVENT-ID|name|Low| externalId=4776 cat=Security rt=1426218619000 shost=... dhost=... duser=...
    cs3=PROVIDER cs3Label=EventSource cs4=0x0 cs4Label=Reason or Error Code

    key          4776             member change       group deleted     account deleted    8004              7045
    externalId   event ID, the low 16 bits; rt event time, epoch ms; cat log; dhost the computer that logged it
    duser        TargetUserName   MemberName          TargetUserName    TargetUserName     UserName
    shost        Workstation                                                               WorkstationName
    suser                         SubjectUserName     SubjectUserName   SubjectUserName                      the installer
    sntdom                        SubjectDomainName   SubjectDomainName SubjectDomainName                    the installer's domain
    dntdom                        TargetDomainName    TargetDomainName  TargetDomainName   DomainName
    Group                         TargetUserName      TargetUserName
    Reason or Error Code Status

Read besides: ArcSight's `dvchost` for a missing dhost, `suid`, `duid`, `destinationServiceName`, `filePath`; custom strings under the labels of the
event's rendered text; the text in `msg`, for what no key says.

NXLog (to_cef) puts itself into the header and its own names into the extension: `externalId` or EventID, Channel, SourceName, Hostname, `end` or EventTime,
RecordNumber, Keywords, EventType, and EventData's. With event ID, channel and source a message is a Windows event, whoever's name the header bears.

Custom strings are found by their label, never by their number. Only 4776 is documented, and only it goes to a sensor; the other columns are
how ArcSight uses those keys. What no column names is data under its key or label, so nothing is lost.

Strict mode wants all six keys and both labels, and no syslog header (`syslog-header`). Lenient mode takes a header, the provider from the
signature, CEF's calendar time, and a result code whose label was translated (`localised-label`). Any other message whose signature isn't `provider:ID` is
`not-a-windows-event`; the vendor decides nothing, since relays that write CEF anew put their own name there. Refusals: those, `wire.cef`'s and
`wire.layouts.envelope`'s.
"""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from collections.abc import Mapping
from functools import cache
from typing import Final

from pipeline.errors import MessageError
from wire.cef import CefMessage, encode_cef, parse_cef
from wire.event import EventTime, WindowsEvent
from wire.event_time import format_epoch_ms, parse_epoch_ms, parse_iso, parse_rsa
from wire.keywords import audit_result, parse_keywords
from wire.layouts.assemble import completion
from wire.layouts.envelope import read_event_id, read_time
from wire.layouts.layout import Layout, Mode, Reading
from wire.layouts.payload import WHITE_SPACE, decode_payload, encode_payload, one_line
from wire.message_texts import MESSAGE_TEXTS
from wire.providers import canonical_provider
from wire.rendered_text import RenderedText

DOCUMENT: Final = "Microsoft Defender for Identity, SIEM events, HP ArcSight"

SIGNATURE: Final = re.compile(r"([^\r\n]{1,256}):([0-9]{1,10})")
STRICTLY_REQUIRED: Final = ("externalId", "rt", "cat", "shost", "dhost", "duser")
REQUIRED: Final = ("externalId", "rt", "cat", "dhost")
EVENT_SOURCE: Final = "EventSource"
RESULT_CODE: Final = "Reason or Error Code"
PACKAGE: Final = "Authentication Package Name"
GROUP: Final = "Group"

NTLM_VALIDATION: Final = "4776"
_ACTOR: Final = {"suser": "SubjectUserName", "sntdom": "SubjectDomainName", "dntdom": "TargetDomainName"}
_MEMBER_CHANGE: Final = {"duser": "MemberName", GROUP: "TargetUserName", **_ACTOR}
_GROUP_DELETED: Final = {GROUP: "TargetUserName", "duser": "TargetUserName", **_ACTOR}
_ACCOUNT_DELETED: Final = {"duser": "TargetUserName", **_ACTOR}
_BY_EVENT: Final[Mapping[str, Mapping[str, str]]] = {
    NTLM_VALIDATION: {"duser": "TargetUserName", "shost": "Workstation", RESULT_CODE: "Status", PACKAGE: "PackageName"},
    "8004": {"duser": "UserName", "dntdom": "DomainName", "shost": "WorkstationName"},
    **dict.fromkeys(("4728", "4729", "4732", "4733", "4756", "4757"), _MEMBER_CHANGE),
    **dict.fromkeys(("4730", "4753", "4758", "4763"), _GROUP_DELETED),
    **dict.fromkeys(("4726", "4743"), _ACCOUNT_DELETED),
}
_MEMBER_IDS: Final = {"suid": "SubjectLogonId", "duid": "MemberSid"}
_TARGET_IDS: Final = {"suid": "SubjectLogonId", "duid": "TargetSid"}
_READ_ONLY: Final[Mapping[str, Mapping[str, str]]] = {
    "7045": {"destinationServiceName": "ServiceName", "filePath": "ImagePath"},
    **dict.fromkeys(("4728", "4729", "4732", "4733", "4756", "4757"), _MEMBER_IDS),
    **dict.fromkeys(("4730", "4753", "4758", "4763", "4726", "4743"), _TARGET_IDS),
}
_OTHER_KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    "externalId": ("EventID",),
    "cat": ("Channel",),
    "dhost": ("dvchost", "Hostname"),
    "rt": ("end", "EventTime", "start"),
    EVENT_SOURCE: ("SourceName",),
}
_OF_NXLOG: Final = {
    "RecordNumber": "record_id",
    "Version": "version",
    "TaskValue": "task",
    "OpcodeValue": "opcode",
    "ProviderGuid": "provider_guid",
    "ExecutionProcessID": "process_id",
    "ExecutionThreadID": "thread_id",
    "ActivityID": "activity_id",
    "UserID": "user_sid",
}
_IDENTITY: Final = (("externalId", "EventID"), ("cat", "Channel"), ("SourceName",))
INSTALLERS: Final = ("7045",)
_NAMES: Final = {NTLM_VALIDATION: "The domain controller attempted to validate the credentials for an account."}
_ENVELOPE: Final = frozenset({"externalId", "rt", "cat", "dhost", EVENT_SOURCE})

_LABELLED: Final = re.compile(r"((?:cs|cn|cfp|c6a|deviceCustomDate|flexString|flexNumber|flexDate)[0-9]{1,2})Label", re.ASCII)
_RESULT: Final = re.compile(r"0[xX][0-9A-Fa-f]{1,8}")
_CALENDAR: Final = re.compile(r"([A-Z][a-z]{2}) ([0-9]{2}) ([0-9]{4}) ([0-9:.]{8,18})(?: (UTC|GMT|Z))?")
_KEY_LETTERS: Final = re.compile(r"[^A-Za-z0-9]", re.ASCII)
_START: Final = re.compile(rb"(?:\xef\xbb\xbf)?[ \t\r\n]*+CEF:")

_CANNOT_CARRY: Final = {
    "record_id": "no key for it: the record's uid is weak",
    "version": "no key for it",
    "level": "no key for it",
    "task": "no key for it",
    "opcode": "no key for it",
    "keywords": "no key for it: 4776 has its result code",
    "provider_guid": "no key for it",
    "event_source_name": "no key for it",
    "qualifiers": "no key for it",
    "activity_id": "no key for it",
    "process_id": "no key for it",
    "thread_id": "no key for it",
    "user_sid": "no key for it",
    "user_name": "no key for it",
    "user_domain": "no key for it",
    "message": "not documented",
    "time": "milliseconds: what is finer is cut",
    "data:*": "only PackageName, TargetUserName, Workstation and Status; TAB, CR and LF become a space, white space around a value is cut",
}


def starts(payload: bytes) -> bool:
    """`CEF:`."""
    return _START.match(payload[:256]) is not None


def parse_event(payload: bytes, reading: Reading) -> WindowsEvent:
    """Payload to event.

    Raises:
        MessageError: syslog-header, not-a-windows-event, missing-key:KEY, bad-event-id, bad-time, missing-field:NAME, bad-extension, too-many-keys.
    """
    strict = reading.mode is Mode.STRICT
    if strict and reading.headed:
        raise MessageError("syslog-header", document=DOCUMENT)
    text, warnings = decode_payload(payload)
    message = parse_cef(text.strip(WHITE_SPACE))
    signature = SIGNATURE.fullmatch(message.signature)
    values, leftover = _values(message)
    if signature is None and (strict or not all(any(map(values.get, keys)) for keys in _IDENTITY)):
        raise MessageError("not-a-windows-event", document=DOCUMENT, detail=f"{message.vendor}|{message.product}|{message.signature}"[:64])
    if not strict:
        _rename(values)
    for key in STRICTLY_REQUIRED if strict else REQUIRED:
        if not values.get(key):
            raise MessageError(f"missing-key:{key}", document=DOCUMENT)
    if strict and EVENT_SOURCE not in values:
        raise MessageError(f"missing-key:{EVENT_SOURCE}", document=DOCUMENT)
    event_id = read_event_id(values["externalId"], DOCUMENT)
    if event_id == NTLM_VALIDATION and RESULT_CODE not in values and (strict or "Status" not in values):
        if strict:
            raise MessageError("missing-key:Reason-or-Error-Code", document=DOCUMENT)
        translated = next((key for key, value in values.items() if key not in _ENVELOPE and _RESULT.fullmatch(value)), None)
        if translated is not None:
            values[RESULT_CODE] = values.pop(translated)
            warnings = (*warnings, "localised-label")
    time, time_warnings = read_time(values["rt"], (_epoch_ms,) if strict else (_epoch_ms, _calendar, parse_iso), reading, DOCUMENT)
    provider = canonical_provider(values.get(EVENT_SOURCE) or (signature[1] if signature else ""))
    envelope = {} if signature else {field: values.pop(key) for key, field in _OF_NXLOG.items() if key in values}
    keywords = _keywords(values)
    data = (*_data(values, _names(event_id)), *leftover)
    rendered = completion(data, event_id, provider, values["msg"]) if values.get("msg") else RenderedText(())
    installed = event_id in INSTALLERS
    return WindowsEvent(
        event_id=event_id,
        channel=values["cat"],
        provider=provider,
        computer=values["dhost"],
        time=time,
        time_text=values["rt"],
        keywords=keywords,
        user_name=values.pop("suser", "") if installed else "",
        user_domain=values.pop("sntdom", "") if installed else "",
        data=data + rendered.data,
        warnings=(*warnings, *(("syslog-header",) if reading.headed else ()), *time_warnings, *rendered.warnings),
        **envelope,
    )


def _epoch_ms(text: str, _zone_offset_minutes: int) -> EventTime | None:
    return parse_epoch_ms(text)


def _calendar(text: str, zone_offset_minutes: int) -> EventTime | None:
    """`Sep 07 2018 14:50:39.123`, the other time of CEF, which names a zone only sometimes: UTC's names are read, others not."""
    found = _CALENDAR.fullmatch(text)
    if found is None:
        return None
    month, day, year, clock, utc = found.groups()
    time = parse_rsa(f"{year}-{month}-{day} {clock}", 0 if utc else zone_offset_minutes)
    return dataclasses.replace(time, text=text) if time else None


def _values(message: CefMessage) -> tuple[dict[str, str], tuple[tuple[str, str], ...]]:
    """The first value of each key, trimmed, custom ones under their label; and the values of keys that came again."""
    pairs = [(key, value.strip(WHITE_SPACE)) for key, value in message.extension]
    labels = {found[1]: value for key, value in pairs if (found := _LABELLED.fullmatch(key)) and value}
    delivered = {key for key, _ in pairs}
    values: dict[str, str] = {}
    again: list[tuple[str, str]] = []
    for key, value in pairs:
        found = _LABELLED.fullmatch(key)
        if found is not None and found[1] in delivered:
            continue
        name = labels.get(key, key)
        if name in values:
            again.append((name, value))
        else:
            values[name] = value
    return values, tuple(again)


def _rename(values: dict[str, str]) -> None:
    """Give values that stand under other senders' keys those of the table, where these are missing."""
    for key, others in _OTHER_KEYS.items():
        if not values.get(key) and (other := next((other for other in others if values.get(other)), None)) is not None:
            values[key] = values.pop(other)


def _keywords(values: Mapping[str, str]) -> str:
    """An audit's result, which ArcSight keeps from the event's type."""
    named = map(parse_keywords, (values.get("Keywords", ""), values.get("EventType", ""), values.get("deviceSeverity", "")))
    return next((keywords for keywords in named if audit_result(keywords)), "")


@cache
def _names(event_id: str) -> Mapping[str, str]:
    """EventData names by key: the event's column, what is only read, and the labels of the rendered text that stand in it once."""
    text = MESSAGE_TEXTS.get(event_id)
    labels = [(word, label.name) for section in text.sections for label in section.labels for word in label.spellings] if text else []
    words = Counter(word for word, _ in labels)
    return {**_BY_EVENT.get(event_id, {}), **_READ_ONLY.get(event_id, {}), **{word: name for word, name in labels if words[word] == 1}}


def column_names() -> dict[str, Mapping[str, str]]:
    """The EventData names by key of every event that has any; where several keys have one name, the first holds."""
    return {event_id: _names(event_id) for event_id in sorted(_BY_EVENT.keys() | _READ_ONLY.keys() | MESSAGE_TEXTS.keys())}


def _data(values: Mapping[str, str], names: Mapping[str, str]) -> list[tuple[str, str]]:
    """EventData: what the event's column names under that name (the column's first wins), then the rest under its own."""
    mapped = {names[key]: (key, values[key]) for key in reversed(tuple(names)) if key in values}
    taken = {key for key, _ in mapped.values()}
    data = [(name, value) for name, (_, value) in mapped.items()]
    return data + [(key, value) for key, value in values.items() if key not in taken and key not in _ENVELOPE]


def encode_event(event: WindowsEvent) -> bytes:
    """Event to payload: 4776 as it is documented, any other in ArcSight's keys (the module's table), what those don't name under its own name."""
    keys = {name: key for key, name in reversed(tuple(_BY_EVENT.get(event.event_id, {}).items()))}
    data = {keys.get(name, _KEY_LETTERS.sub("", name)): one_line(value).strip(WHITE_SPACE) for name, value in reversed(event.data)}
    data |= {"suser": event.user_name, "sntdom": event.user_domain} if event.event_id in INSTALLERS else {}
    custom = {EVENT_SOURCE: event.provider, RESULT_CODE: data.pop(RESULT_CODE, ""), PACKAGE: data.pop(PACKAGE, ""), GROUP: data.pop(GROUP, "")}
    pairs = {
        "externalId": event.event_id,
        "cat": event.channel,
        "rt": format_epoch_ms(event.time.unix_ns) if event.time else "",
        "shost": data.pop("shost", "") or "-",
        "dhost": event.computer or "-",
        "duser": data.pop("duser", "") or "-",
        **{key: value for key, value in data.items() if key and value},
    }
    given = {f"cs{number}": label for number, label in enumerate(custom, 3) if custom[label] or label in (EVENT_SOURCE, RESULT_CODE)}
    pairs |= {key: custom[label] for key, label in given.items()} | {f"{key}Label": label for key, label in given.items()}
    message = CefMessage(
        version="0",
        vendor="Microsoft",
        product="Microsoft Windows",
        device_version="",
        signature=f"{one_line(event.provider)}:{event.event_id}",
        name=_NAMES.get(event.event_id, f"Event {event.event_id}"),
        severity="Low",
        extension=tuple((key, one_line(value)) for key, value in pairs.items()),
    )
    return encode_payload(encode_cef(message))


LAYOUT: Final = Layout(
    name="cef",
    document=DOCUMENT,
    log_format="syslog",
    starts=starts,
    parse_event=parse_event,
    encode_event=encode_event,
    event_id=re.compile(rb"\|[^|\r\n]{1,256}:([0-9]{1,10})\|"),
    carries=frozenset({NTLM_VALIDATION}),
    others=True,
    cannot_carry=_CANNOT_CARRY,
)
