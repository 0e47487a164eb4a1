"""What a layout is: one way a Windows event is written in a message, with its parser and encoder side by side.

A message is a syslog header (or none) and a payload; the layouts speak of the payload alone. The table of all layouts, in the
order in which content decides, is `wire.layouts.detect`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from wire.event import WindowsEvent

SCANNED_OCTETS: Final = 64 * 1024


class Mode(StrEnum):
    """How much a sender may bend the documented layout."""

    STRICT = "strict"
    LENIENT = "lenient"


@dataclass(frozen=True, slots=True)
class Reading:
    """How to read a payload.

    mode:                 strict refuses what lenient repairs; both say so (`WindowsEvent.warnings` or the error's rule).
    headed:               a syslog header stood before the payload.
    zone_offset_minutes:  the zone of times that state none; UTC unless configured.
    """

    mode: Mode = Mode.LENIENT
    headed: bool = False
    zone_offset_minutes: int = 0


@dataclass(frozen=True, slots=True)
class Layout:
    """One row of the table.

    name:          its name in configuration, counters and `explain`: `splunk`, `cef`, `event-xml` ...
    document:      where it is specified.
    log_format:    metadata.log_format of its records (schema.md section 4).
    starts:        whether a payload looks like this layout; reads a bounded prefix, never raises.
    parse_event:   payload to event; raises MessageError, nothing else.
    encode_event:  event to payload; what the layout can't carry is left out, and listed in `cannot_carry`.
    carries:       event IDs it is documented for, and carries so that a sensor reads them; None for all.
    others:        whether `encode_event` writes other events too, their data under their own names, as a SIEM that forwards everything does.
    event_id:      finds an event's ID, its first group, in a payload that can't be parsed: noise that is broken is noise still. None for "not sought".
    cannot_carry:  WindowsEvent field or `data:NAME` to the reason, for whoever asks what is lost on this way.
    """

    name: str
    document: str
    log_format: str
    starts: Callable[[bytes], bool]
    parse_event: Callable[[bytes, Reading], WindowsEvent]
    encode_event: Callable[[WindowsEvent], bytes]
    carries: frozenset[str] | None = None
    others: bool = False
    event_id: re.Pattern[bytes] | None = None
    cannot_carry: Mapping[str, str] = field(default_factory=dict)

    def scan_event_id(self, payload: bytes) -> str:
        """The ID of the event in a broken payload, its low 16 bits; empty where none is found."""
        found = self.event_id.search(payload, 0, SCANNED_OCTETS) if self.event_id else None
        return str(int(found[1]) & 0xFFFF) if found else ""

    def writes(self, event_id: str) -> bool:
        """Whether `encode_event` takes an event of this ID."""
        return self.carries is None or self.others or event_id in self.carries
