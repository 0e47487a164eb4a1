"""Tables that people export: what is a table, what is a number, what is a time. No octets lead to anything but an error with its line."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.size.capacity import load_capacity
from gateway.size.numbers import Decimal, Evidence, parse_number
from gateway.size.packets import find_busiest, merge_series, parse_packets
from gateway.size.table import MAX_CELLS, TableError, parse_table
from gateway.size.times import DateOrder, parse_time

MOMENT = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("text", "point", "comma"),
    [
        pytest.param("1234.5", 1234.5, None, id="point"),
        pytest.param("1234,5", None, 1234.5, id="comma"),
        pytest.param("1,234.5", 1234.5, None, id="groups of commas"),
        pytest.param("1.234,5", None, 1234.5, id="groups of points"),
        pytest.param("1,234", 1234.0, 1.234, id="either, grouped by commas"),
        pytest.param("1.234", 1.234, 1234.0, id="either, grouped by points"),
        pytest.param("1\u202f234,5", None, 1234.5, id="narrow no-break space"),
        pytest.param("1'234.5", 1234.5, None, id="apostrophe"),
        pytest.param("1.2e3", 1200.0, None, id="exponent"),
        pytest.param("7", 7.0, 7.0, id="neither sign"),
        pytest.param("-1", None, None, id="negative"),
        pytest.param("١٢", None, None, id="digits of another script"),
        pytest.param("inf", None, None, id="infinite"),
        pytest.param("1e300", None, None, id="more than any machine sends"),
        pytest.param("1e999", None, None, id="more than a float holds"),
        pytest.param("12,34,567", None, None, id="groups of two"),
        pytest.param("9" * 40, None, None, id="longer than a number"),
    ],
)
def test_numbers_by_style(text: str, point: float | None, comma: float | None) -> None:
    assert (parse_number(text, Decimal.POINT), parse_number(text, Decimal.COMMA)) == (point, comma)


@pytest.mark.parametrize(
    "text",
    [
        "2024-05-06T07:08:09Z",
        "2024-05-06 07:08:09",
        "2024/05/06 07:08:09.000",
        "2024-05-06T09:08:09+02:00",
        "2024-05-06T02:08:09-0500",
        "05/06/2024 07:08:09.000",
        "5/6/2024 7:08:09 AM",
        "5/6/2024, 7:08:09\u202fAM",
        "06.05.2024 07:08:09",
        "1714979289",
        "1714979289.0",
        "1714979289000",
    ],
)
def test_times_of_every_kind(text: str) -> None:
    assert parse_time(text) == MOMENT


@pytest.mark.parametrize("text", ["", "2024-13-01 00:00", "13/13/2024 00:00", "1/1/2024 13:00 PM", "1/1/2024 0:00 AM", "99", "24:00", "2024-05-06", "x" * 99])
def test_no_times(text: str) -> None:
    assert parse_time(text) is None


@given(moment=st.datetimes(min_value=datetime(2001, 9, 10), max_value=datetime(2100, 1, 1)), minutes=st.integers(-14 * 60, 14 * 60))  # noqa: DTZ001 - given a zone below
def test_a_written_time_is_read(moment: datetime, minutes: int) -> None:
    aware = moment.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    assert parse_time(aware.isoformat(timespec="milliseconds")) == pytest.approx(aware.timestamp(), abs=0.0011)
    plain = moment.replace(microsecond=0, tzinfo=UTC)
    assert parse_time(plain.strftime("%d/%m/%Y %H:%M:%S"), DateOrder.DAY_FIRST) == plain.timestamp()
    assert parse_time(plain.strftime("%m/%d/%Y %I:%M:%S %p")) == plain.timestamp()


@given(st.text(max_size=60))
def test_any_text_is_a_number_and_a_time_or_not(text: str) -> None:
    Evidence().take(text, 1)
    for style in Decimal:
        number = parse_number(text, style)
        assert number is None or number >= 0
    for order in DateOrder:
        parse_time(text, order)


ALPHABET = st.sampled_from(
    [*'0123456789,;\t."\r\n -/:+TZ\\()', "(PDH-CSV 4.0)", "Packets/sec", "2024-05-06 07:08:09", "05/06/2024 07:08:09", "1714979289", "\\\\DC01\\", "sep=;"]
)


@given(st.one_of(st.binary(max_size=400), st.lists(ALPHABET, max_size=80).map(lambda pieces: "".join(pieces).encode())))
def test_no_octets_lead_to_anything_but_an_error_of_the_table(octets: bytes) -> None:
    try:
        series = parse_packets(parse_table(octets, "x.csv"))
    except TableError:
        return
    for each in merge_series(series):
        traffic = find_busiest(each, load_capacity().busy)
        assert traffic is None or 0 <= traffic.mean <= traffic.peak * 1.000001


def test_cells_are_counted_as_they_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.size.table.MAX_CELLS", 10)
    assert MAX_CELLS > 10
    with pytest.raises(TableError, match=r"x\.csv, line 6"):
        list(parse_table(b"1,2\n" * 50, "x.csv").rows())


@pytest.mark.parametrize(
    ("octets", "said"),
    [
        pytest.param(b"", "it is empty", id="nothing"),
        pytest.param(b"a\nb\n", "line 1: there is one column", id="one column"),
        pytest.param(b"\xff\xfe\x00", "is not UTF-16-LE", id="half a character"),
        pytest.param(b"time,packets\n\0,\0\n", "line 2: it is no text", id="binary"),
        pytest.param(b'time,packets\n"1714979289,3\n4,5\n', "line 2: its quotes", id="open quote"),
        pytest.param(b"time,packets\n" + b"1," * 600 + b"\n1,1\n", "line 2: there are more than", id="many columns"),
        pytest.param(b"time,packets\n" + b"1" * 70_000 + b",1\n1,1\n", "line 2: it is longer", id="long line"),
    ],
)
def test_what_is_no_table(octets: bytes, said: str) -> None:
    with pytest.raises(TableError, match=said):
        list(parse_table(octets, "x.csv").rows())


def test_a_file_larger_than_any_log_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.size.table.MAX_FILE", 10)
    monkeypatch.setattr("gateway.size.table.MAX_LINES", 2)
    with pytest.raises(TableError, match="larger"):
        parse_table(b"1,2\n" * 50, "x.csv")
    with pytest.raises(TableError, match="lines"):
        parse_table(b"\n\n\n", "x.csv")
