"""The members of a JSON event sorted into envelope and data: what the JSON layouts share.

A layout is a table from the path of a member to the field it is, the prefixes below which data stand, and whether members
at the top that nobody knows are data as well (they are where a sender flattens EventData into the envelope).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from pipeline.errors import MessageError
from wire.event import WindowsEvent
from wire.event_xml import parse_event as parse_event_xml
from wire.keywords import audit_result, parse_keywords
from wire.layouts.assemble import Pairs
from wire.layouts.layout import Reading

PREFIX_OCTETS: Final = 64 * 1024

EVENT_ID: Final = re.compile(rb"\"(?:event[_ ]?id|event[_ ]?code)\"\s{0,8}:\s{0,8}\"?([0-9]{1,10})(?=[^0-9.])", re.IGNORECASE)
"""The event ID in JSON that was cut."""

_INTEGER: Final = re.compile(r"0|-?[1-9][0-9]{0,17}")


@dataclass(frozen=True, slots=True)
class Members:
    """Where a layout keeps what.

    fields:         path of a member to the field of `WindowsEvent` (`time_text` for the time); of two paths of one field the first counts.
    data:           prefixes of paths below which data stand, the dot included.
    ignored:        paths that say nothing about the event.
    ignored_below:  prefixes of such paths, the dot included.
    open:           whether any other member is data.
    spelling:       how a path is brought to the table's spelling; it keeps the dots.
    """

    fields: Mapping[str, str]
    data: tuple[str, ...] = ()
    ignored: frozenset[str] = frozenset()
    ignored_below: tuple[str, ...] = ()
    open: bool = False
    spelling: Callable[[str], str] = str
    ranks: Mapping[str, int] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "ranks", {path: rank for rank, path in enumerate(self.fields)})

    def claims(self, name: str) -> bool:
        """Whether a member of that name would be read as something other than data of that name."""
        path = self.spelling(name)
        return path in self.fields or path in self.ignored or path.startswith(self.data + self.ignored_below)

    def sort(self, leaves: Iterable[tuple[str, str]]) -> tuple[dict[str, str], Pairs]:
        """(envelope, data) of an object's leaves."""
        found: dict[str, list[str]] = {}
        data = []
        for name, text in leaves:
            path = self.spelling(name)
            if path in self.fields:
                if text:
                    found.setdefault(path, []).append(text)
            elif path.startswith(self.data):
                prefix = next(prefix for prefix in self.data if path.startswith(prefix))
                data.append((name.split(".", prefix.count("."))[-1], text))  # not by length: the spelling may be shorter
            elif self.open and path not in self.ignored and not path.startswith(self.ignored_below):
                data.append((name, text))
        envelope: dict[str, str] = {}
        for path in sorted(found, key=self.ranks.__getitem__):
            target, texts = self.fields[path], found[path]
            if target not in envelope:
                envelope[target] = texts[0] if target != "keywords" else next((text for text in texts if audit_result(parse_keywords(text))), texts[0])
        return envelope, tuple(data)


def ascii_lower(path: str) -> str:
    """Lower case in ASCII; a path that isn't ASCII is none of a table."""
    return path.lower() if path.isascii() else path


def original_event(text: str, reading: Reading) -> WindowsEvent | None:
    """The event that the sender attached as event XML; None if that isn't one, or not whole."""
    if not text.lstrip().startswith("<"):
        return None
    try:
        return parse_event_xml(text.encode("utf-8", "replace"), reading)
    except MessageError:
        return None


def number(text: str) -> int | str:
    """A decimal integer as JSON's number, where that keeps its spelling."""
    return int(text) if _INTEGER.fullmatch(text) else text
