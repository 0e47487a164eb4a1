"""What became of one message, with everything `explain` shows of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from normalizers.engine import Mapped
from wire.event import EventKey, WindowsEvent
from wire.layouts.layout import Layout
from wire.syslog_header import SyslogHeader

MAX_FIELDS: Final = 256


class Verdict(StrEnum):
    """The four ends of a message that isn't a duplicate; received is their sum."""

    NORMALIZED = "normalized"
    FILTERED = "filtered"
    REJECTED = "rejected"
    CONTROL = "control"


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """One message's verdict and how it was reached.

    header:         what stood before the payload.
    payload_start:  octet of the message at which the payload begins.
    layout:         None where none was recognized.
    key:            the event key; None where it wasn't found.
    event:          None unless the payload was parsed.
    mapped:         its record, for NORMALIZED.
    rule:           the broken rule, for REJECTED; with offset into the message, document and detail.
    warnings:       rules bent without losing the message.
    """

    verdict: Verdict
    header: SyslogHeader
    layout: Layout | None = None
    key: EventKey | None = None
    event: WindowsEvent | None = None
    mapped: Mapped | None = None
    rule: str = ""
    offset: int = 0
    document: str = ""
    detail: str = ""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Field:
    """A piece of the message: its octets where it stands there verbatim, else start and end are -1 (escaped, or repaired)."""

    name: str
    text: str
    start: int = -1
    end: int = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """One message explained: its judgement, its fields with octets, and the record as it would be written.

    record:  JSON without line end, empty unless normalized.
    """

    judgement: Judgement
    fields: tuple[Field, ...]
    record: bytes = b""


def explain_fields(message: bytes, judgement: Judgement) -> tuple[Field, ...]:
    """Header fields, then the event's envelope and the first 256 data, each with the octets it was read from where they can be told."""
    fields = [Field(f"header.{field.name}", field.text, field.start, field.end) for field in judgement.header.fields]
    event, at = judgement.event, judgement.header.payload_start
    if event is None:
        return tuple(fields)
    envelope = ("provider", "event_id", "version", "level", "task", "opcode", "keywords", "time_text", "record_id", "channel", "computer", "user_sid")
    for name in envelope:
        text: str = getattr(event, name)
        if name == "time_text" and event.time is not None:
            text = event.time.text
        if text:
            fields.append(_located(message, name, text, judgement.header.payload_start))
    for name, text in event.data[:MAX_FIELDS]:
        found = _located(message, f"data.{name}", text, at)
        at = max(at, found.end)
        fields.append(found)
    return tuple(fields)


def _located(message: bytes, name: str, text: str, at: int) -> Field:
    octets = text.encode("utf-8", "replace")
    start = message.find(octets, at) if octets else -1
    return Field(name, text, start, start + len(octets) if start >= 0 else -1)
