"""What became of one message, with everything `explain` shows of it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from typing import Final

from normalizers.engine import Mapped
from wire.event import EventKey, WindowsEvent
from wire.layouts.layout import Layout
from wire.syslog_header import SyslogHeader

MAX_FIELDS: Final = 256
TELLING: Final = 8  # octets of a text that is hardly found elsewhere by chance


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
    """A piece of the message: its octets where they can be told, else start and end are -1 (escaped, repaired, or found in several places)."""

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


NAMES: Final = {"time_text": "SystemTime", "record_id": "EventRecordID", "user_sid": "UserID"}
"""How an event spells the envelope's names, where that isn't the name itself without its underscores."""
ENVELOPE: Final = ("provider", "event_id", "version", "level", "task", "opcode", "keywords", "time_text", "record_id", "channel", "computer", "user_sid")
SEPARATION: Final = rb"[^0-9A-Za-z]{1,32}"
WORD: Final = rb"[0-9A-Za-z_]"


def explain_fields(message: bytes, judgement: Judgement) -> tuple[Field, ...]:
    """Header fields, then the event's envelope and the first 256 data, each with the octets it was read from where they can be told."""
    fields = [Field(f"header.{field.name}", field.text, field.start, field.end) for field in judgement.header.fields]
    event, start = judgement.event, judgement.header.payload_start
    if event is None:
        return tuple(fields)
    for name in ENVELOPE:
        text: str = getattr(event, name)
        if name == "time_text" and event.time is not None:
            text = event.time.text
        if text:
            fields.append(_located(message, name, NAMES.get(name, name.replace("_", "")), text, start))
    at = start
    for name, text in event.data[:MAX_FIELDS]:
        found = _located(message, f"data.{name}", name, text, at)
        if found.start < 0 < at - start:
            found = _located(message, f"data.{name}", name, text, start)
        at = max(at, found.end)
        fields.append(found)
    return tuple(fields)


def _located(message: bytes, shown: str, name: str, text: str, at: int) -> Field:
    """Behind its name, or where a text that is long enough to be itself stands as a word of its own."""
    octets = text.encode("utf-8", "replace")
    if not octets or octets not in message:
        return Field(shown, text)
    value = re.escape(octets) + rb"(?!" + WORD + rb")"
    found = re.compile(rb"(?i:" + re.escape(name.encode("utf-8", "replace")) + rb")" + SEPARATION + rb"(" + value + rb")").search(message, at)
    if found is not None:
        return Field(shown, text, *found.span(1))
    places = [place.start() for place in islice(re.compile(rb"(?<!" + WORD + rb")" + value).finditer(message, at), 2)]
    if len(places) == 1 or (places and len(octets) >= TELLING):
        return Field(shown, text, places[0], places[0] + len(octets))
    return Field(shown, text)
