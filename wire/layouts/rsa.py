r"""RSA Security Analytics' layout, as a standalone sensor takes it from a SIEM: parser and encoder side by side.

Source: Microsoft Defender for Identity, "Listen for SIEM events on your standalone sensor", section RSA Security Analytics.

    [syslog header] nine fields, in this order, nothing else:

    1  RsaSA                     6  the computer that logged the event
    2  2015-May-19 09:07:09      7  user name
    3  4776                      8  source host
    4  provider                  9  NTLM result code, hex
    5  log

The document prints `\n` between them and doesn't say whether LF or those two characters are meant: both are read (CR LF too), LF is
written. The time states no zone and is taken as UTC unless configured; a fraction is advised. Fields 7 to 9 fit event 4776 alone, so
any other is refused (`event-not-in-layout`). One line end after the last field is a frame's, no field.

Read in lenient mode only: the document's own sample, where one separator lost its `n` and left eight fields. Refusals:
`wire.layouts.envelope`, and wrong-field-count, event-not-in-layout.
"""

from __future__ import annotations

import re
from typing import Final

from pipeline.errors import MessageError
from wire.event import WindowsEvent
from wire.event_time import format_rsa, parse_rsa
from wire.layouts.envelope import read_event_id, read_time
from wire.layouts.layout import Layout, Mode, Reading
from wire.layouts.payload import WHITE_SPACE, decode_payload, encode_payload, one_line
from wire.providers import canonical_provider

DOCUMENT: Final = "Microsoft Defender for Identity, SIEM events, RSA Security Analytics"

CONSTANT: Final = "RsaSA"
FIELDS: Final = ("constant", "time", "event ID", "provider", "log", "computer", "user", "source host", "result code")
EVENT_ID: Final = "4776"
LOG: Final = FIELDS.index("log")

_START: Final = re.compile(rb"(?:\xef\xbb\xbf)?[ \t\r\n]*+RsaSA(?:\r?\n|\\n|\\r\\n|#012|#015#012)")
_SEPARATORS: Final = (re.compile(r"\r?\n"), re.compile(r"(?:\\r)?\\n"), re.compile(r"(?:#015)?#012"))

_CANNOT_CARRY: Final = {
    "record_id": "no field for it: the record's uid is weak",
    "version": "no field for it",
    "level": "no field for it",
    "task": "no field for it",
    "opcode": "no field for it",
    "keywords": "no field for it: 4776 has its result code",
    "provider_guid": "no field for it",
    "event_source_name": "no field for it",
    "qualifiers": "no field for it",
    "activity_id": "no field for it",
    "process_id": "no field for it",
    "thread_id": "no field for it",
    "user_sid": "no field for it",
    "user_name": "no field for it",
    "user_domain": "no field for it",
    "message": "no field for it",
    "time": "milliseconds: what is finer is cut",
    "data:PackageName": "no field for it",
    "data:*": "only TargetUserName, Workstation and Status; TAB, CR and LF become a space, white space around a value is cut",
}


def starts(payload: bytes) -> bool:
    """`RsaSA` and a separator."""
    return _START.match(payload[:256]) is not None


def parse_event(payload: bytes, reading: Reading) -> WindowsEvent:
    """Payload to event.

    Raises:
        MessageError: wrong-field-count, event-not-in-layout, bad-event-id, bad-time, missing-key:FIELD.
    """
    text, warnings = decode_payload(payload)
    text = text.lstrip(WHITE_SPACE)
    fields = next((fields for fields in (form.split(text) for form in _SEPARATORS) if fields[0] == CONSTANT), [text])
    if len(fields) == len(FIELDS) + 1 and not fields[-1].strip(WHITE_SPACE):
        fields = fields[:-1]
    if reading.mode is Mode.LENIENT and len(fields) == len(FIELDS) - 1 and "\\" in fields[LOG]:
        log, _, computer = fields[LOG].partition("\\")
        fields = [*fields[:LOG], log, computer, *fields[LOG + 1 :]]
        warnings = (*warnings, "wrong-field-count")
    if len(fields) != len(FIELDS):
        raise MessageError("wrong-field-count", document=DOCUMENT, detail=f"{len(fields)} of {len(FIELDS)}")
    _, time_text, code, provider, log, computer, user, source, result = (field.strip(WHITE_SPACE) for field in fields)
    for name, value in (("provider", provider), ("log", log), ("computer", computer)):
        if not value:
            raise MessageError(f"missing-key:{name}", document=DOCUMENT)
    event_id = read_event_id(code, DOCUMENT)
    if event_id != EVENT_ID:
        raise MessageError("event-not-in-layout", document=DOCUMENT, detail=event_id)
    time, time_warnings = read_time(time_text, (parse_rsa,), reading, DOCUMENT)
    return WindowsEvent(
        event_id=event_id,
        channel=log,
        provider=canonical_provider(provider),
        computer=computer,
        time=time,
        time_text=time_text,
        data=(("TargetUserName", user), ("Workstation", source), ("Status", result)),
        warnings=(*warnings, *time_warnings),
    )


def encode_event(event: WindowsEvent) -> bytes:
    """Event 4776 to payload, without a header.

    Raises:
        ValueError: another event; `LAYOUT.carries` says which.
    """
    if event.event_id != EVENT_ID:
        raise ValueError(f"the layout has no fields for event {event.event_id}")
    data = dict(reversed(event.data))
    fields = (
        CONSTANT,
        format_rsa(event.time.unix_ns) if event.time else "",
        event.event_id,
        event.provider,
        event.channel,
        event.computer or "-",
        data.get("TargetUserName", ""),
        data.get("Workstation", ""),
        data.get("Status", ""),
    )
    return encode_payload("\n".join(one_line(field).strip(WHITE_SPACE) for field in fields))


LAYOUT: Final = Layout(
    name="rsa",
    document=DOCUMENT,
    log_format="syslog",
    starts=starts,
    parse_event=parse_event,
    encode_event=encode_event,
    event_id=re.compile(rb"RsaSA[^0-9]{1,8}[0-9A-Za-z: .-]{1,40}?(?:\r?\n|\\n|#012)([0-9]{1,10})(?=[\r\n\\#])"),
    carries=frozenset({EVENT_ID}),
    cannot_carry=_CANNOT_CARRY,
)
