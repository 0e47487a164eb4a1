"""The times of Windows events as their senders write them: ISO 8601, CIM datetime, epoch milliseconds and the texts of SIEM layouts.

    form        example                          where it stands
    iso         2021-09-17T16:37:25.1234567Z     [MS-EVEN6] SystemTime; RFC 3339; Winlogbeat, Splunk XML
    cim         20210917163725.123456-000        DSP0004 section 5.2.4, as written by Win32_NTLogEvent.TimeGenerated
    epoch_ms    1631896645123                    ArcSight `rt`, QRadar `TimeGenerated`
    epoch_s     1631896645                       QRadar WinCollect
    epoch       1631896645.123, or as above      GELF, Splunk HEC; /Date(1631896645123)/ of Windows PowerShell's JSON
    rsa         2021-Sep-17 16:37:25.123         RSA Security Analytics
    ctime       Fri Sep 17 16:37:25 2021         C asctime, Snare
    us          09/17/2021 04:37:25 PM           Splunk's classic WinEventLog
    sql         2021-09-17 16:37:25              NXLog EventTime

Every `parse_` is total: None for what isn't such a time or names no instant of the years 1 to 9999. Arithmetic is integer, in
nanoseconds. A text without a zone is taken as `zone_offset_minutes` east of UTC. `format_` are the inverses, always in UTC.

Departures: a space for RFC 3339's `T`, lower-case `t` and `z`, `/` in the date, an offset without colon or behind a space; a CIM
datetime without fraction or offset; any English weekday, unchecked against the date. A leap second (:60) is refused: Windows writes none.
"""

from __future__ import annotations

import re
from datetime import date
from typing import Final

from wire.event import EventTime

MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
WEEKDAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")

SECOND_NS: Final = 1_000_000_000
EPOCH_DAY: Final = date(1970, 1, 1).toordinal()
FIRST_NS: Final = (date.min.toordinal() - EPOCH_DAY) * 86_400 * SECOND_NS
LAST_NS: Final = (date.max.toordinal() + 1 - EPOCH_DAY) * 86_400 * SECOND_NS - 1

_CLOCK = r"(?P<h>[0-9]{2}):(?P<min>[0-9]{2}):(?P<s>[0-9]{2})(?:\.(?P<f>[0-9]{1,9}))?"
_OFFSET: Final = r"(?:[Zz]| ?(?P<sign>[+-])(?P<oh>[0-9]{2}):?(?P<om>[0-9]{2}))?"
_ISO: Final = re.compile(rf"(?P<y>[0-9]{{4}})[-/](?P<mon>[0-9]{{2}})[-/](?P<d>[0-9]{{2}})[Tt ]{_CLOCK}{_OFFSET}")
_CIM: Final = re.compile(
    r"(?P<y>[0-9]{4})(?P<mon>[0-9]{2})(?P<d>[0-9]{2})(?P<h>[0-9]{2})(?P<min>[0-9]{2})(?P<s>[0-9]{2})(?:\.(?P<f>[0-9]{1,9}))?(?:(?P<sign>[+-])(?P<om>[0-9]{3}))?"
)
_RSA: Final = re.compile(rf"(?P<y>[0-9]{{4}})-(?P<mon>[A-Za-z]{{3}})-(?P<d>[0-9]{{2}}) {_CLOCK}")
_CTIME: Final = re.compile(rf"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) (?P<mon>[A-Za-z]{{3}}) (?P<d>[ 0-9]?[0-9]) {_CLOCK} (?P<y>[0-9]{{4}})")
_US: Final = re.compile(rf"(?P<mon>[0-9]{{1,2}})/(?P<d>[0-9]{{1,2}})/(?P<y>[0-9]{{4}}) {_CLOCK} (?P<half>[AaPp])[Mm]")
_SQL: Final = re.compile(rf"(?P<y>[0-9]{{4}})-(?P<mon>[0-9]{{2}})-(?P<d>[0-9]{{2}}) {_CLOCK}")
_DIGITS: Final = re.compile(r"[0-9]{1,15}")
_EPOCH: Final = re.compile(r"([0-9]{9,11})(?:\.([0-9]{1,9})[0-9]{0,8})?|([0-9]{12,14})|/Date\((-?[0-9]{1,15})(?:[+-][0-9]{4})?\)/")


def parse_iso(text: str, zone_offset_minutes: int = 0) -> EventTime | None:
    """`2021-09-17T16:37:25.1234567Z`, with `+02:00`, or with no zone at all."""
    return _read(_ISO, text, zone_offset_minutes)


def parse_cim(text: str, zone_offset_minutes: int = 0) -> EventTime | None:
    """`20210917163725.123456-000`: the last three digits are minutes east (+) or west (-) of UTC."""
    return _read(_CIM, text, zone_offset_minutes)


def parse_rsa(text: str, zone_offset_minutes: int = 0) -> EventTime | None:
    """`2021-Sep-17 16:37:25`, with or without a fraction."""
    return _read(_RSA, text, zone_offset_minutes)


def parse_ctime(text: str, zone_offset_minutes: int = 0) -> EventTime | None:
    """`Fri Sep 17 16:37:25 2021`; a day below ten may stand with a space, a zero or neither."""
    return _read(_CTIME, text, zone_offset_minutes)


def parse_us(text: str, zone_offset_minutes: int = 0) -> EventTime | None:
    """`09/17/2021 04:37:25 PM`: month first, clock of twelve hours."""
    return _read(_US, text, zone_offset_minutes)


def parse_sql(text: str, zone_offset_minutes: int = 0) -> EventTime | None:
    """`2021-09-17 16:37:25`, with or without a fraction, never with a zone."""
    return _read(_SQL, text, zone_offset_minutes)


def parse_epoch_ms(text: str) -> EventTime | None:
    """`1631896645123`: milliseconds since the Unix epoch."""
    return _instant(int(text) * 1_000_000, text, digits=3) if _DIGITS.fullmatch(text) else None


def parse_epoch_s(text: str) -> EventTime | None:
    """`1631896645`: seconds since the Unix epoch."""
    return _instant(int(text) * SECOND_NS, text, digits=0) if _DIGITS.fullmatch(text) else None


def parse_epoch(text: str) -> EventTime | None:
    """Seconds since the Unix epoch with or without a fraction, or milliseconds: what fits a date of this age."""
    found = _EPOCH.fullmatch(text)
    if found is None:
        return None
    seconds, fraction, milliseconds, script = found.groups()
    if seconds is None:
        return _instant(int(milliseconds or script) * 1_000_000, text, digits=3)
    return _instant(int(seconds) * SECOND_NS + int((fraction or "").ljust(9, "0")), text, len(fraction or ""))


def format_iso(unix_ns: int, digits: int = 7) -> str:
    """`2021-09-17T16:37:25.1234567Z`, the fraction cut (not rounded) to `digits`."""
    y, mon, d, clock, _ = _split(unix_ns, digits)
    return f"{y:04}-{mon:02}-{d:02}T{clock}Z"


def format_cim(unix_ns: int, digits: int = 6) -> str:
    """`20210917163725.123456-000`: UTC, as WMI writes it on a machine in UTC, with the sign SIEM samples show."""
    y, mon, d, clock, _ = _split(unix_ns, digits)
    return f"{y:04}{mon:02}{d:02}{clock.replace(':', '')}-000"


def format_rsa(unix_ns: int, digits: int = 3) -> str:
    """`2021-Sep-17 16:37:25.123`."""
    y, mon, d, clock, _ = _split(unix_ns, digits)
    return f"{y:04}-{MONTHS[mon - 1].capitalize()}-{d:02} {clock}"


def format_ctime(unix_ns: int) -> str:
    """`Fri Sep 17 16:37:25 2021`, the day padded with a space."""
    y, mon, d, clock, weekday = _split(unix_ns, 0)
    return f"{weekday} {MONTHS[mon - 1].capitalize()} {d:2} {clock} {y:04}"


def format_us(unix_ns: int) -> str:
    """`09/17/2021 04:37:25 PM`."""
    y, mon, d, clock, _ = _split(unix_ns, 0)
    hour = int(clock[:2])
    return f"{mon:02}/{d:02}/{y:04} {hour % 12 or 12:02}{clock[2:]} {'PM' if hour >= 12 else 'AM'}"  # noqa: PLR2004 - noon


def format_sql(unix_ns: int, digits: int = 0) -> str:
    """`2021-09-17 16:37:25`."""
    y, mon, d, clock, _ = _split(unix_ns, digits)
    return f"{y:04}-{mon:02}-{d:02} {clock}"


def format_epoch_ms(unix_ns: int) -> str:
    """`1631896645123`."""
    return str(unix_ns // 1_000_000)


def _read(form: re.Pattern[str], text: str, zone_offset_minutes: int) -> EventTime | None:
    found = form.fullmatch(text)
    if found is None:
        return None
    part = found.groupdict()
    month = int(part["mon"]) if part["mon"].isdigit() else _month(part["mon"])
    hour, minute, second = int(part["h"]), int(part["min"]), int(part["s"])
    if "half" in part:
        if not 1 <= hour <= 12:  # noqa: PLR2004 - a clock face
            return None
        hour = hour % 12 + (12 if part["half"] in "Pp" else 0)
    if hour > 23 or minute > 59 or second > 59:  # noqa: PLR2004 - a clock
        return None
    offset = _offset(part)
    if offset is None:
        return None
    try:
        day = date(int(part["y"]), month, int(part["d"])).toordinal() - EPOCH_DAY
    except ValueError:  # 30 February, month 13, year 0
        return None
    fraction = part["f"] or ""
    stated = part.get("sign") is not None
    minutes = hour * 60 + minute - (offset if stated or text[-1:] in "Zz" else zone_offset_minutes)
    unix_ns = ((day * 1440 + minutes) * 60 + second) * SECOND_NS + int(fraction.ljust(9, "0"))
    return _instant(unix_ns, text, len(fraction), offset or None)


def _month(name: str) -> int:
    return MONTHS.index(name.lower()) + 1 if name.lower() in MONTHS else 0


def _offset(part: dict[str, str | None]) -> int | None:
    """Minutes east of UTC that the text states, 0 if it states none; None if there is no such zone."""
    if part.get("sign") is None:
        return 0
    hours, minutes = int(part.get("oh") or 0), int(part.get("om") or 0)
    if hours > 23 or (part.get("oh") and minutes > 59):  # noqa: PLR2004 - RFC 3339 section 5.6 time-numoffset
        return None
    return (hours * 60 + minutes) * (-1 if part["sign"] == "-" else 1)


def _instant(unix_ns: int, text: str, digits: int, offset_minutes: int | None = None) -> EventTime | None:
    return EventTime(unix_ns, text, digits, offset_minutes) if FIRST_NS <= unix_ns <= LAST_NS else None


def _split(unix_ns: int, digits: int) -> tuple[int, int, int, str, str]:
    """(year, month, day, clock with fraction, weekday) in UTC."""
    seconds, fraction = divmod(unix_ns, SECOND_NS)
    days, second = divmod(seconds, 86_400)
    day = date.fromordinal(days + EPOCH_DAY)
    clock = f"{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}"
    return day.year, day.month, day.day, f"{clock}.{fraction:09}"[: len(clock) + (digits + 1 if digits else 0)], WEEKDAYS[day.weekday()]
