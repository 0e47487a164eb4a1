"""Event times: a table of texts with the instants they name, each form's round trip, and arbitrary text."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wire import event_time
from wire.event import EventTime

Parse = Callable[[str], EventTime | None]

S = 1_000_000_000
AT = 1_631_896_645 * S  # 2021-09-17 16:37:25 UTC

#   parser                     text                                    unix_ns              digits  offset   why
READ = [
    (event_time.parse_iso,     "2021-09-17T16:37:25Z",                 AT,                  0,      None,    "no fraction"),
    (event_time.parse_iso,     "2021-09-17T16:37:25.1Z",               AT + 100_000_000,    1,      None,    "one digit"),
    (event_time.parse_iso,     "2021-09-17T16:37:25.123456Z",          AT + 123_456_000,    6,      None,    "evtx library"),
    (event_time.parse_iso,     "2021-09-17T16:37:25.1234567Z",         AT + 123_456_700,    7,      None,    "Windows Event Forwarding"),
    (event_time.parse_iso,     "2021-09-17T16:37:25.123456700Z",       AT + 123_456_700,    9,      None,    "Event Viewer"),
    (event_time.parse_iso,     "2021-09-17T18:37:25.5+02:00",          AT + 500_000_000,    1,      120,     "an offset"),
    (event_time.parse_iso,     "2021-09-17T11:07:25-0530",             AT,                  0,      -330,    "an offset without colon"),
    (event_time.parse_iso,     "2021-09-17T16:37:25+00:00",            AT,                  0,      None,    "offset zero is UTC"),
    (event_time.parse_iso,     "2021-09-17 16:37:25",                  AT,                  0,      None,    "a space, no zone"),
    (event_time.parse_iso,     "1601-01-01T00:00:00Z",                 -11_644_473_600 * S, 0,      None,    "FILETIME zero"),
    (event_time.parse_iso,     "1969-12-31T23:59:59.9Z",               -100_000_000,        1,      None,    "a fraction counts forward before the epoch too"),
    (event_time.parse_cim,     "20210917163725.123456-000",            AT + 123_456_000,    6,      None,    "the documented sample's -000"),
    (event_time.parse_cim,     "20210917183725.000000+120",            AT,                  6,      120,     "minutes east"),
    (event_time.parse_cim,     "20210917083725.000000-480",            AT,                  6,      -480,    "minutes west"),
    (event_time.parse_cim,     "20210917163725",                       AT,                  0,      None,    "bare"),
    (event_time.parse_epoch_ms, "1631896645123",                       AT + 123_000_000,    3,      None,    "milliseconds"),
    (event_time.parse_epoch_s, "1631896645",                           AT,                  0,      None,    "seconds"),
    (event_time.parse_rsa,     "2021-Sep-17 16:37:25",                 AT,                  0,      None,    "RSA"),
    (event_time.parse_rsa,     "2021-SEP-17 16:37:25.25",              AT + 250_000_000,    2,      None,    "RSA with fraction, shouted"),
    (event_time.parse_ctime,   "Fri Sep 17 16:37:25 2021",             AT,                  0,      None,    "asctime"),
    (event_time.parse_ctime,   "Tue Sep  7 16:37:25 2021",             AT - 864_000 * S,    0,      None,    "asctime pads with a space"),
    (event_time.parse_ctime,   "Tue Sep 7 16:37:25 2021",              AT - 864_000 * S,    0,      None,    "or with nothing"),
    (event_time.parse_us,      "09/17/2021 04:37:25 PM",               AT,                  0,      None,    "afternoon"),
    (event_time.parse_us,      "9/17/2021 12:37:25 AM",                AT - 57_600 * S,     0,      None,    "midnight is twelve"),
    (event_time.parse_us,      "09/17/2021 12:37:25 PM",               AT - 14_400 * S,     0,      None,    "so is noon"),
    (event_time.parse_sql,     "2021-09-17 16:37:25",                  AT,                  0,      None,    "SQL"),
]  # fmt: skip

REFUSED = [
    (event_time.parse_iso, "", "empty"),
    (event_time.parse_iso, "2021-02-30T00:00:00Z", "30 February"),
    (event_time.parse_iso, "0000-01-01T00:00:00Z", "year 0"),
    (event_time.parse_iso, "0001-01-01T00:00:00+14:00", "before year 1 once in UTC"),
    (event_time.parse_iso, "9999-12-31T23:59:59-01:00", "after year 9999 once in UTC"),
    (event_time.parse_iso, "2021-09-17T16:37:60Z", "a leap second"),
    (event_time.parse_iso, "2021-09-17T24:00:00Z", "hour 24"),
    (event_time.parse_iso, "2021-09-17T16:37:25.1234567890Z", "ten digits"),
    (event_time.parse_iso, "2021-09-17T16:37:25.Z", "a point without digits"),
    (event_time.parse_iso, "2021-09-17T16:37:25+99:99", "no such zone"),
    (event_time.parse_iso, "2021-09-17T16:37:25Z\n", "trailing line end"),
    (event_time.parse_iso, "２０２１-09-17T16:37:25Z", "digits that aren't ASCII"),
    (event_time.parse_cim, "20210917163725.123456-00", "two digits of offset"),
    (event_time.parse_cim, "2021091716372", "a digit short"),
    (event_time.parse_epoch_ms, "-1", "negative"),
    (event_time.parse_epoch_ms, "999999999999999", "year 33658"),
    (event_time.parse_epoch_ms, "1631896645.123", "a fraction"),
    (event_time.parse_rsa, "2021-Sex-17 16:37:25", "no such month"),
    (event_time.parse_ctime, "Xxx Sep 17 16:37:25 2021", "no such weekday"),
    (event_time.parse_us, "09/17/2021 13:37:25 PM", "no such hour"),
    (event_time.parse_us, "09/17/2021 00:37:25 AM", "no hour zero on a clock face"),
    (event_time.parse_sql, "2021-09-17 16:37:25Z", "SQL states no zone"),
]


@pytest.mark.parametrize(("parse", "text", "unix_ns", "digits", "offset"), [case[:5] for case in READ], ids=[case[5] for case in READ])
def test_read(parse: Parse, text: str, unix_ns: int, digits: int, offset: int | None) -> None:
    assert parse(text) == EventTime(unix_ns, text, digits, offset)


@pytest.mark.parametrize(("parse", "text"), [case[:2] for case in REFUSED], ids=[case[2] for case in REFUSED])
def test_refused(parse: Parse, text: str) -> None:
    assert parse(text) is None


def test_a_configured_zone_holds_where_none_is_stated_and_is_not_reported() -> None:
    assert event_time.parse_sql("2021-09-17 18:37:25", 120) == EventTime(AT, "2021-09-17 18:37:25", 0, None)
    assert event_time.parse_cim("20210917183725", 120) == EventTime(AT, "20210917183725", 0, None)
    stated = event_time.parse_iso("2021-09-17T16:37:25Z", 120)
    assert stated is not None
    assert stated.unix_ns == AT


INSTANTS = st.integers(event_time.FIRST_NS, event_time.LAST_NS)


@given(INSTANTS, st.integers(0, 9))
def test_round_trips_at_the_precision_written(unix_ns: int, digits: int) -> None:
    for parse, text in (
        (event_time.parse_iso, event_time.format_iso(unix_ns, digits)),
        (event_time.parse_cim, event_time.format_cim(unix_ns, digits)),
        (event_time.parse_rsa, event_time.format_rsa(unix_ns, digits)),
        (event_time.parse_sql, event_time.format_sql(unix_ns, digits)),
    ):
        step = 10 ** (9 - digits)
        assert parse(text) == EventTime(unix_ns // step * step, text, digits)


@given(INSTANTS)
def test_round_trips_in_whole_seconds(unix_ns: int) -> None:
    for parse, text in ((event_time.parse_ctime, event_time.format_ctime(unix_ns)), (event_time.parse_us, event_time.format_us(unix_ns))):
        assert parse(text) == EventTime(unix_ns // S * S, text, 0)


@given(st.integers(0, event_time.LAST_NS))
def test_epoch_round_trip(unix_ns: int) -> None:
    text = event_time.format_epoch_ms(unix_ns)
    assert event_time.parse_epoch_ms(text) == EventTime(unix_ns // 1_000_000 * 1_000_000, text, 3)


PARSERS = [getattr(event_time, name) for name in dir(event_time) if name.startswith("parse_")]
TIMELIKE = st.text("0123456789-:/. TZ+APMSepFri", max_size=40)


@given(st.text(max_size=40) | TIMELIKE)
def test_any_text_is_a_time_or_none(text: str) -> None:
    for parse in PARSERS:
        found = parse(text)
        assert found is None or (found.text == text and event_time.FIRST_NS <= found.unix_ns <= event_time.LAST_NS)
