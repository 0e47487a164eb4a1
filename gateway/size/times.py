"""Times as exported tables write them, to seconds since the Unix epoch.

    2024-05-06T07:08:09.123Z   2024-05-06 07:08   2024/05/06 07:08:09+02:00     ISO 8601 and what is near to it
    05/06/2024 07:08:09.123    5/6/2024 7:08 AM                                 performance logs (month first), regional exports (either)
    06.05.2024 07:08:09                                                         day first
    1714979289   1714979289.123   1714979289123                                 seconds or milliseconds since the epoch

A time without an offset is taken as UTC: what matters here is how far times are apart.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from enum import Enum
from typing import Final

MAX_TIME: Final = 48
NOON: Final = 12

_CLOCK: Final = r"(?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{2})(?::(?P<second>[0-9]{2})(?:[.,](?P<fraction>[0-9]{1,9}))?)?"
_ISO: Final = re.compile(
    rf"(?P<year>[0-9]{{4}})[-/](?P<month>[0-9]{{1,2}})[-/](?P<day>[0-9]{{1,2}})[ T]{{1,2}}{_CLOCK} ?(?P<zone>Z|[+-][0-9]{{2}}:?[0-9]{{2}})?"
)
_SLASH: Final = re.compile(
    rf"(?P<first>[0-9]{{1,2}})/(?P<second_part>[0-9]{{1,2}})/(?P<year>[0-9]{{4}}),?[ T]{{1,2}}{_CLOCK}(?:[ \u00a0\u202f]?(?P<half>[AaPp])\.?[Mm]\.?)?"
)
_DOTTED: Final = re.compile(rf"(?P<day>[0-9]{{1,2}})\.(?P<month>[0-9]{{1,2}})\.(?P<year>[0-9]{{4}}),?[ T]{{1,2}}{_CLOCK}")
_EPOCH: Final = re.compile(r"([0-9]{9,10})(?:[.,]([0-9]{1,9}))?|([0-9]{12,13})")


class DateOrder(Enum):
    """Which number of 05/06/2024 is the month."""

    MONTH_FIRST = "month"
    DAY_FIRST = "day"


def parse_time(text: str, order: DateOrder = DateOrder.MONTH_FIRST) -> float | None:
    """Seconds since the Unix epoch; None where it is no time, or none in this order."""
    if len(text) > MAX_TIME:
        return None
    if epoch := _EPOCH.fullmatch(text):
        seconds, fraction, milliseconds = epoch.groups()
        return int(milliseconds) / 1000 if milliseconds else float(f"{seconds}.{fraction or 0}")
    found = _ISO.fullmatch(text) or _DOTTED.fullmatch(text) or _SLASH.fullmatch(text)
    return None if found is None else _seconds(found.groupdict(), order)


def has_order(text: str) -> bool:
    """Whether it is a time that reads differently by the order of month and day."""
    return len(text) <= MAX_TIME and _SLASH.fullmatch(text) is not None


def _seconds(parts: dict[str, str | None], order: DateOrder) -> float | None:
    def number(name: str) -> int:
        return int(parts.get(name) or 0)

    month, day = number("month"), number("day")
    if "first" in parts:
        month, day = (number("first"), number("second_part")) if order is DateOrder.MONTH_FIRST else (number("second_part"), number("first"))
    hour, half = number("hour"), (parts.get("half") or "").lower()
    if half:
        if not 1 <= hour <= NOON:
            return None
        hour = hour % NOON + (NOON if half == "p" else 0)
    try:
        time = datetime(number("year"), month, day, hour, number("minute"), number("second"), tzinfo=_zone(parts.get("zone")))
        return time.timestamp() + float(f"0.{parts.get('fraction') or 0}")
    except (ValueError, OverflowError):
        return None


def _zone(text: str | None) -> timezone:
    if text is None or text == "Z":
        return UTC
    minutes = int(text[1:3]) * 60 + int(text[-2:])
    return timezone(timedelta(minutes=-minutes if text[0] == "-" else minutes))
