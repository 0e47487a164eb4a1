"""The devTime of LEEF in the format that devTimeFormat gives (IBM LEEF 2.0, "Custom event date format"; Java SimpleDateFormat).

    letters     read as
    yyyy yy     year
    MMM MM M    month, by its English name or number
    dd d        day
    HH H hh h a hour, of 24 or of 12
    mm m ss s   minute, second
    S ...       fraction, as many digits as stand there
    z Z X       zone: Z, GMT, UTC, GMT+02:00, +0200, +02:00
    E           weekday, passed over
    '...'       as it stands

Without a format: epoch milliseconds or seconds, ISO 8601, `MMM dd yyyy HH:mm:ss[.SSS][ zone]`. A time without a year names no instant.
The work is one pass over both texts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from wire.event import EventTime
from wire.event_time import MONTHS, parse_epoch_ms, parse_epoch_s, parse_iso

MAX_FORMAT: Final = 64
MAX_TEXT: Final = 64
DEFAULT_FORMATS: Final = ("MMM dd yyyy HH:mm:ss.SSS z", "MMM dd yyyy HH:mm:ss z", "MMM dd yyyy HH:mm:ss.SSS", "MMM dd yyyy HH:mm:ss")
EPOCHS: Final = {9: parse_epoch_s, 10: parse_epoch_s, 12: parse_epoch_ms, 13: parse_epoch_ms}
"""How to read a number of so many digits: an epoch since 1973."""
NOON: Final = 12

_TOKEN: Final = re.compile(r"'(?P<quoted>(?:[^']|'')*)'|(?P<letter>[A-Za-z])(?P=letter)*|[^A-Za-z]")
_DIGITS: Final = re.compile(r"[0-9]+")
_NAME: Final = re.compile(r"[A-Za-z]+")
_ZONE: Final = re.compile(r"(?:GMT|UTC|Z)?(?:([+-][0-9]{1,2}):?([0-9]{2}))?")
_FIELDS: Final = {"y": "year", "M": "month", "d": "day", "H": "hour", "k": "hour", "h": "hour", "K": "hour", "m": "minute", "s": "second", "S": "fraction"}
_MOST_DIGITS: Final = {"year": 4, "fraction": 9}


def parse_dev_time(text: str, time_format: str = "", zone_offset_minutes: int = 0) -> EventTime | None:
    """`text` as `time_format` says, or in one of the forms without; None where it names no instant."""
    text = text.strip(" \t\r\n")
    if len(text) > MAX_TEXT or len(time_format) > MAX_FORMAT:
        return None
    for pattern in (time_format,) if time_format else DEFAULT_FORMATS:
        found = _read(text, pattern, zone_offset_minutes)
        if found is not None:
            return found
    parse_epoch = EPOCHS.get(len(text))
    return parse_epoch(text) if parse_epoch else None if time_format else parse_iso(text, zone_offset_minutes)


def _read(text: str, time_format: str, zone_offset_minutes: int) -> EventTime | None:
    fields: dict[str, str] = {}
    at = 0
    for letter, width, literal in _tokens(time_format):
        if literal:
            if not text.startswith(literal, at):
                return None
            at += len(literal)
            continue
        taken = _take(text, at, letter, width, fields)
        if taken is None:
            return None
        at = taken
    return _instant(text, fields, zone_offset_minutes) if at == len(text) else None


def _tokens(time_format: str) -> Iterator[tuple[str, int, str]]:
    """(letter, how often, literal): either a pattern letter with its width, or a literal text."""
    for token in _TOKEN.finditer(time_format):
        if token["letter"]:
            yield token["letter"], len(token[0]), ""
        else:
            quoted = token["quoted"]
            yield "", 0, token[0] if quoted is None else quoted.replace("''", "'") or "'"


def _take(text: str, at: int, letter: str, width: int, fields: dict[str, str]) -> int | None:
    """Read one pattern letter's text into `fields`; where it ends, None if it isn't there."""
    if letter in "zZX":
        zone = _ZONE.match(text, at)
        if zone is None or zone.end() == at:
            return None
        fields["zone"] = f"{zone[1][0]}{zone[1][1:]:0>2}:{zone[2]}" if zone[1] else "Z"
        return zone.end()
    if letter in "EaG" or (letter == "M" and width > 2):  # noqa: PLR2004 - MMM is a name, MM a number
        name = _NAME.match(text, at)
        if name is None:
            return None
        fields[letter] = name[0]
        return name.end()
    field = _FIELDS.get(letter)
    digits = _DIGITS.match(text, at, at + _MOST_DIGITS.get(field or "", 2)) if field else None
    if field is None or digits is None:
        return None
    fields[field] = digits[0]
    if letter in "hK":
        fields["twelve"] = letter
    return digits.end()


def _instant(text: str, fields: dict[str, str], zone_offset_minutes: int) -> EventTime | None:
    name = fields.get("M", "")[:3].lower()
    month = str(MONTHS.index(name) + 1) if name in MONTHS else fields.get("month", "")
    hour, half = int(fields.get("hour", "0")), fields.get("a", "").lower()
    if "twelve" in fields:
        hour = hour % NOON + (NOON if half == "pm" else 0)
    year = fields.get("year", "")
    if not (year and month and "day" in fields):
        return None
    year = f"20{year}" if len(year) == 2 else year  # noqa: PLR2004 - yy
    fraction = f".{fields['fraction']}" if "fraction" in fields else ""
    date = f"{year:0>4}-{month:0>2}-{fields['day']:0>2}"
    clock = f"{hour:02}:{fields.get('minute', '0'):0>2}:{fields.get('second', '0'):0>2}{fraction}"
    found = parse_iso(f"{date}T{clock}{fields.get('zone', '')}", zone_offset_minutes)
    return found and replace(found, text=text)
