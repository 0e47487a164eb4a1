"""LEEF's devTime by its format: a table, and arbitrary texts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wire.event_time import format_iso
from wire.leef_time import parse_dev_time

TIMES = {
    "month by name, zone GMT": ("Jan 28 2021 02:00:36 GMT+00:00", "MMM dd yyyy HH:mm:ss z", "2021-01-28T02:00:36Z"),
    "zone with hours": ("Jan 28 2021 02:00:36 GMT+02:00", "MMM dd yyyy HH:mm:ss z", "2021-01-28T00:00:36Z"),
    "literal and RFC 822 zone": ("2021-10-18T11:26:03.060+0200", "yyyy-MM-dd'T'HH:mm:ss.SSSZ", "2021-10-18T09:26:03.06Z"),
    "clock of twelve hours": ("10/12/21 07:25 PM", "MM/dd/yy hh:mm a", "2021-10-12T19:25:00Z"),
    "midnight of twelve hours": ("10/12/21 12:25 AM", "MM/dd/yy hh:mm a", "2021-10-12T00:25:00Z"),
    "weekday": ("Mon Oct 18 2021 11:26:03", "EEE MMM dd yyyy HH:mm:ss", "2021-10-18T11:26:03Z"),
    "epoch milliseconds, whatever the format": ("1634549163060", "MMM dd yyyy", "2021-10-18T09:26:03.06Z"),
    "epoch seconds": ("1634549163", "", "2021-10-18T09:26:03Z"),
    "ISO 8601 without a format": ("2021-10-18T09:26:03.06Z", "", "2021-10-18T09:26:03.06Z"),
    "LEEF's own form": ("Oct 18 2021 09:26:03", "", "2021-10-18T09:26:03Z"),
    "LEEF's own form with all": ("Oct 18 2021 09:26:03.060 UTC", "", "2021-10-18T09:26:03.06Z"),
    "digits alone": ("20211018092603060", "yyyyMMddHHmmssSSS", "2021-10-18T09:26:03.06Z"),
    "an apostrophe": ("9 o'clock 18.10.2021", "H 'o''clock' dd.MM.yyyy", "2021-10-18T09:00:00Z"),
}

NO_TIMES = {
    "no year": ("Oct 12 07:25:11", "MMM dd HH:mm:ss"),
    "a zone by an ambiguous name": ("Oct 12 2021 07:25:11 CST", "MMM dd yyyy HH:mm:ss z"),
    "30 February": ("Feb 30 2021 00:00:00", "MMM dd yyyy HH:mm:ss"),
    "an unknown month": ("Foo 01 2021 00:00:00", "MMM dd yyyy HH:mm:ss"),
    "more text than format": ("2021-10-18 x", "yyyy-MM-dd"),
    "more format than text": ("2021", "yyyy-MM-dd"),
    "an unknown letter": ("2021", "yyyyQ"),
    "a long format": ("2021-10-18", "y" * 100),
    "nothing": ("", ""),
}


@pytest.mark.parametrize(("text", "time_format", "expected"), TIMES.values(), ids=TIMES.keys())
def test_times(text: str, time_format: str, expected: str) -> None:
    time = parse_dev_time(text, time_format)
    assert time is not None
    assert format_iso(time.unix_ns, 2).replace(".00Z", "Z") == expected
    assert time.text == text


def test_a_time_without_zone_is_in_the_readers() -> None:
    time = parse_dev_time("Oct 18 2021 09:26:03", "MMM dd yyyy HH:mm:ss", 120)
    assert time is not None
    assert format_iso(time.unix_ns, 0) == "2021-10-18T07:26:03Z"


@pytest.mark.parametrize(("text", "time_format"), NO_TIMES.values(), ids=NO_TIMES.keys())
def test_no_times(text: str, time_format: str) -> None:
    assert parse_dev_time(text, time_format) is None


@given(st.text("0123456789 :/-.TZGMTaJn+", max_size=30), st.text("yMdHhmsSzZXaE '-/:.T", max_size=30))
def test_total(text: str, time_format: str) -> None:
    parse_dev_time(text, time_format)
