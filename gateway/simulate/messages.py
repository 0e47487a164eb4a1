"""Syslog messages made of Windows events: payload by a layout, header and stream framing around it, ready to be sent many times.

    header    before the payload
    rfc5424   <134>1 2024-05-06T07:08:09.123456Z dc01.contoso.example tidegate-simulate - 4776 - payload
    rfc3164   <134>May  6 07:08:09 dc01 payload
    none      payload

A message that is sent again has to be another event, or a receiver rightly takes it for a duplicate. So an event is encoded once
with a marker for its EventRecordID, and the message is kept as the two pieces around it: sending it costs two joins.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from pipeline.errors import MessageError
from wire.event import WindowsEvent
from wire.event_time import MONTHS, format_iso
from wire.layouts.layout import Layout
from wire.syslog_framing import Framing

PRI: Final = b"<134>"  # RFC 5424 section 6.2.1: facility local0, severity informational
APP_NAME: Final = b"tidegate-simulate"
MARKER: Final = b"9182736455"  # digits, since some layouts write the record ID as a number


class Header(StrEnum):
    """What stands before the payload."""

    RFC5424 = "rfc5424"
    RFC3164 = "rfc3164"
    NONE = "none"


# layouts whose documents show no header, or the old one; any other takes RFC 5424's
USUAL_HEADERS: Final = {
    "cef": Header.NONE,
    "rsa": Header.NONE,
    "splunk": Header.NONE,
    "qradar": Header.RFC3164,
    "snare": Header.RFC3164,
    "leef": Header.RFC3164,
}


@dataclass(frozen=True, slots=True)
class Message:
    """One message in two pieces around its record ID; `tail` is None where the layout carries none and `head` is all of it.

    event_id:   of the event inside.
    log:        (computer, channel), within which record IDs rise.
    record_id:  of the event it was made of, 0 if it had none.
    framing:    how it is cut out of its stream.
    """

    head: bytes
    tail: bytes | None
    event_id: str
    log: tuple[str, str]
    record_id: int
    framing: Framing

    def encode_numbered(self, record_id: int) -> bytes:
        """The message with this record ID, framed."""
        return encode_frame(self.head if self.tail is None else b"%b%d%b" % (self.head, record_id, self.tail), self.framing)


def encode_message(event: WindowsEvent, layout: Layout, header: Header, framing: Framing) -> Message | None:
    """One event as a message; None if the layout can't carry it.

    Args:
        event: what happened.
        layout: how the event is written.
        header: what stands before it.
        framing: OCTET_COUNTING or NON_TRANSPARENT for a stream, UNDECIDED for a datagram.
    """
    if not layout.writes(event.event_id):
        return None
    try:
        payload = layout.encode_event(replace(event, record_id=MARKER.decode()) if event.record_id.isdecimal() else event)
    except MessageError:
        return None
    octets = encode_header(event, header) + payload
    head, marker, tail = octets.partition(MARKER)
    if MARKER in tail:  # the layout repeats it, or the event's own text holds it
        octets, marker = octets.replace(MARKER, event.record_id.encode()), b""
    log, record_id = (event.computer, event.channel), int(event.record_id) if event.record_id.isdecimal() else 0
    return Message(head, tail, event.event_id, log, record_id, framing) if marker else Message(octets, None, event.event_id, log, record_id, framing)


def encode_messages(events: Iterable[WindowsEvent], layout: Layout, header: Header, framing: Framing) -> Iterator[Message]:
    """The events that the layout carries, as messages."""
    for event in events:
        message = encode_message(event, layout, header, framing)
        if message is not None:
            yield message


def encode_header(event: WindowsEvent, header: Header) -> bytes:
    """The syslog header of an event, with the event's own time and computer, up to and with the space before the payload."""
    if header is Header.NONE:
        return b""
    unix_ns = event.time.unix_ns if event.time else 0
    host = event.computer.encode("ascii", "replace").replace(b" ", b"?") or b"-"
    stamp = format_iso(unix_ns, 6)  # RFC 5424 section 6.2.3: at most six digits
    if header is Header.RFC5424:
        return b"%b1 %b %b %b - %b - " % (PRI, stamp.encode(), host[:255], APP_NAME, event.event_id.encode())
    month, day = MONTHS[int(stamp[5:7]) - 1].capitalize(), int(stamp[8:10])
    return b"%b%b %b " % (PRI, f"{month} {day:2} {stamp[11:19]}".encode(), host.split(b".", 1)[0])


def encode_frame(message: bytes, framing: Framing) -> bytes:
    """A message as it stands in a stream (RFC 6587 section 3.4); in a datagram it stands alone."""
    match framing:
        case Framing.OCTET_COUNTING:
            return b"%d %b" % (len(message), message)
        case Framing.NON_TRANSPARENT:
            return message.removesuffix(b"\n") + b"\n"
        case Framing.UNDECIDED:
            return message
