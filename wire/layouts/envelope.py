"""What the sensor's four layouts have in common: key=value pairs, the event ID, the event's time, and what is refused about them.

rule                 when                                                       lenient
missing-key:KEY      a required key is absent or empty                          refused as well
bad-event-id         the event ID is no number                                  refused as well
bad-time             the event's time can't be read                             kept without a time: arrival stands in for it
no-milliseconds      the time has fewer than three fraction digits              kept, also in strict mode
truncated            the text ends before the event's last label                kept with what arrived
localised-text       the text has none of the event's English labels            kept, also in strict mode, with the text whole
ambiguous-text       a label stands twice where it belongs once                 kept, also in strict mode
duplicate-key        a key stands twice; the first counts                       kept
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from pipeline.errors import MessageError
from wire.event import EventTime
from wire.layouts.layout import Mode, Reading
from wire.layouts.payload import WHITE_SPACE
from wire.rendered_text import TRUNCATED, read_message

MILLISECOND_DIGITS: Final = 3
MAX_KEYS: Final = 128

_EVENT_ID: Final = re.compile(r"[0-9]{1,10}")
_LOW_16_BITS: Final = 0xFFFF


@dataclass(frozen=True, slots=True)
class Pairs:
    """The keys of a message, each with its first value, trimmed; in order.

    values:    key to value.
    warnings:  `duplicate-key`, if one came again.
    """

    values: Mapping[str, str]
    warnings: tuple[str, ...] = ()

    def text(self, key: str) -> str:
        return self.values.get(key, "")

    def others(self, known: Iterable[str]) -> Iterator[tuple[str, str]]:
        """What the layout has no place for, so that it isn't lost."""
        names = frozenset(known)
        return ((key, value) for key, value in self.values.items() if key not in names)


def parse_pairs(chunks: Iterable[str], document: str) -> Pairs:
    """`key=value` texts to Pairs; a text without `=` is passed over.

    Raises:
        MessageError: too-many-keys.
    """
    values: dict[str, str] = {}
    warnings: tuple[str, ...] = ()
    for chunk in chunks:
        key, equals, value = chunk.partition("=")
        key = key.strip(WHITE_SPACE)
        if not equals or not key:
            continue
        if key in values:
            warnings = ("duplicate-key",)
        elif len(values) == MAX_KEYS:
            raise MessageError("too-many-keys", document=document, detail=str(MAX_KEYS))
        else:
            values[key] = value.strip(WHITE_SPACE)
    return Pairs(values, warnings)


def read_event_id(text: str, document: str) -> str:
    """Decimal text of the low 16 bits: some agents send the 32-bit code, whose high half are the qualifiers.

    Raises:
        MessageError: bad-event-id.
    """
    if _EVENT_ID.fullmatch(text) is None:
        raise MessageError("bad-event-id", document=document, detail=text[:64])
    return str(int(text) & _LOW_16_BITS)


def read_time(text: str, forms: Iterable[Callable[[str, int], EventTime | None]], reading: Reading, document: str) -> tuple[EventTime | None, tuple[str, ...]]:
    """(time, warnings): the first form that reads `text`.

    Raises:
        MessageError: bad-time, in strict mode.
    """
    time = next((time for time in (form(text, reading.zone_offset_minutes) for form in forms) if time is not None), None)
    if time is None and reading.mode is Mode.STRICT:
        raise MessageError("bad-time", document=document, detail=text[:64])
    if time is None:
        return None, ("bad-time",)
    return time, () if time.digits >= MILLISECOND_DIGITS else ("no-milliseconds",)


def read_text(event_id: str, provider: str, text: str, reading: Reading, document: str) -> tuple[tuple[tuple[str, str], ...], tuple[str, ...]]:
    """(data, warnings) of `Message=`.

    Raises:
        MessageError: truncated, in strict mode.
    """
    rendered = read_message(event_id, text, provider)
    if TRUNCATED in rendered.warnings and reading.mode is Mode.STRICT:
        raise MessageError(TRUNCATED, document=document, detail=f"Message of event {event_id}")
    return rendered.data, rendered.warnings
