"""Packets per second from the tables that tools and people write, and the busiest quarter of an hour in them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.size.capacity import load_capacity
from gateway.size.numbers import Decimal
from gateway.size.packets import Series, find_busiest, merge_series, parse_packets
from gateway.size.table import TableError, parse_table

BUSY = load_capacity().busy
T0 = datetime(2024, 5, 6, 7, 8, 0, tzinfo=UTC).timestamp()
PDH = (
    '\r\n"(PDH-CSV 4.0) (W. Europe Standard Time)(-60)","\\\\DC01\\Network Interface(Intel[R] 1, A)\\Packets/sec",'
    '"\\\\DC01\\Network Interface(B)\\Packets/sec","\\\\dc02\\Network Interface(A)\\Packets/sec","\\\\DC01\\Memory\\Available MBytes"\r\n'
    '"05/06/2024 08:08:00.000"," "," "," ","1"\r\n'
    '"05/06/2024 08:08:05.000","1000.25","0.000000","7.5","1"\r\n'
    '"05/06/2024 08:08:10.000","2000","1","8.5","1"\r\n'
    "Exiting, please wait...\r\nThe command completed successfully.\r\n"
)


def read(text: str | bytes, decimal: Decimal | None = None) -> dict[str, list[tuple[float, float]]]:
    octets = text.encode() if isinstance(text, str) else text
    return {each.machine: list(zip(each.times, each.rates, strict=True)) for each in parse_packets(parse_table(octets, "dc07.csv"), decimal)}


TWO = [(T0, 1000.5), (T0 + 5, 2000.0)]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("2024-05-06T07:08:00Z,1000.5\n2024-05-06T07:08:05Z,2000\n", id="no header"),
        pytest.param("time,packets/s\n2024-05-06 07:08:00,1000.5\n2024-05-06 07:08:05,2000\n", id="header"),
        pytest.param(
            b"\xef\xbb\xbfTimestamp;Packets\r\n06.05.2024 07:08:00;1000,5\r\n06.05.2024 07:08:05;2000\r\n", id="byte order mark, semicolons, decimal commas"
        ),
        pytest.param('a,b\n06/05/2024 07:08:00,"1,000.5"\n06/05/2024 07:08:05,"2,000"\n'.replace("06/05", "05/06"), id="quoted thousands"),
        pytest.param("sep=;\ntime;rate\n1714979280;1000,5\n1714979285;2000\n", id="what Excel begins with"),
        pytest.param("cpu\tPackets/sec\twhen\n9\t1000.5\t1714979280000\n9\t2000\t1714979285000\n", id="tabs, other columns"),
        pytest.param("time;packets\n2024-05-06 07:08;1000,5\n\n2024-05-06 07:08:05;2.000,0\n", id="grouped by points, a blank line"),
        pytest.param("Zeit;Päckchen\n1714979280;1000,5\n1714979285;2000\n".encode("cp1252"), id="Windows-1252"),
        pytest.param("time,packets\n1714979280,1000.5\n1714979285,2000\n".encode("utf-16"), id="UTF-16"),
        pytest.param("time,packets\n1714979280,1000.5\n1714979285,2000\n17149", id="the last line cut off"),
        pytest.param('time,packets\n1714979280,1000.5\n1714979285,2000\n"17149', id="cut off within quotes"),
        pytest.param("time,packets\n1714979280,1000.5\n1714979283,-\n1714979285,2000\n", id="a value missing"),
    ],
)
def test_the_same_two_values(text: str | bytes) -> None:
    assert read(text) == {"dc07": TWO}


def test_a_performance_log_adds_the_adapters_of_each_machine() -> None:
    found = read(PDH)
    assert [rate for _, rate in found["DC01"]] == [1000.25, 2001.0]
    assert [rate for _, rate in found["dc02"]] == [7.5, 8.5]
    assert found["DC01"][0][0] == T0 + 5  # 08:08:05, an hour east of UTC


@pytest.mark.parametrize(
    ("counters", "rates"),
    [
        pytest.param(r'"\\D\N(_Total)\Packets/sec","\\D\N(a)\Packets/sec"', [1.0], id="the total alone"),
        pytest.param(r'"\\D\N(a)\Packets Received/sec","\\D\N(a)\Packets Sent/sec"', [3.0], id="both directions"),
        pytest.param(r'"\\D\N(a)\Pakete/s","\\D\N(b)\Pakete/s"', [3.0], id="one counter, in any language"),
        pytest.param(r'"\N(a)\Packets/sec","\N(b)\Packets/sec"', [3.0], id="no machine"),
    ],
)
def test_counters_of_a_performance_log(counters: str, rates: list[float]) -> None:
    (found,) = read(f'"(PDH-CSV 4.0) (UTC)(0)",{counters}\n"05/06/2024 07:08:00.000","1","2"\n').values()
    assert [rate for _, rate in found] == rates


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("time,packets\n1714979280,5\nnever,6\n", "line 3: 'never' is no time", id="no time"),
        pytest.param("time,packets\n1714979280,5\n1714979281,many\n", "line 3: 'many' is no number", id="no number"),
        pytest.param("time,packets\n1714979280,-5\n1714979281,1\n", "line 2: '-5' is no number", id="negative"),
        pytest.param("time,a,packets\n1714979280,1,5\n1714979281\n1714979282,1,1\n", "line 3: it has 1 columns of 3", id="a short line"),
        pytest.param("time;packets\n1714979280;1.5\n1714979281;1,5\n", "line 2 has a decimal point, line 3 a decimal comma", id="two styles"),
        pytest.param("time;packets\n1714979280;1,234\n1714979281;2,345\n", "line 2: its number may be", id="thousands or fractions"),
        pytest.param("time,packets\n13/05/2024 00:00,1\n05/13/2024 00:00,1\n", "line 3: its date", id="two orders"),
        pytest.param("a,b\nc,d\n", "line 2: no column holds a time", id="no times at all"),
        pytest.param("time,packets in,packets out\n1714979280,1,2\n", "line 1: 2 columns speak of packets", id="which packets"),
        pytest.param("1714979280,1,2\n", "line 1: beside the times there are 2 columns", id="which column"),
        pytest.param('"(PDH-CSV 4.0)","\\\\D\\CPU\\x","\\\\D\\CPU\\y"\n', "line 1: none of its counters", id="other counters"),
    ],
)
def test_what_cannot_be_read_is_named_with_its_line(text: str, said: str) -> None:
    with pytest.raises(TableError, match=said):
        read(text)


def test_whoever_knows_says_what_stands_before_a_fraction() -> None:
    text = "time;packets\n1714979280;1,234\n"
    assert read(text, Decimal.COMMA) == {"dc07": [(T0, 1.234)]}
    assert read(text, Decimal.POINT) == {"dc07": [(T0, 1234.0)]}
    with pytest.raises(TableError, match="line 2"):
        read("time;packets\n1714979280;1.5\n", Decimal.COMMA)


def test_dates_are_read_in_the_order_in_which_they_are_close_together() -> None:
    assert read("time,packets\n06/05/2024 23:59:55,1\n07/05/2024 00:00:00,2\n") == {
        "dc07": [(datetime(2024, 5, 6, 23, 59, 55, tzinfo=UTC).timestamp(), 1.0), (datetime(2024, 5, 7, tzinfo=UTC).timestamp(), 2.0)]
    }


def series(rates: list[float], step: float = 5.0) -> Series:
    whole = Series("dc")
    whole.times.extend(T0 + step * at for at in range(len(rates)))
    whole.rates.extend(rates)
    return whole


def test_the_busiest_window_is_found() -> None:
    day = [100.0] * 17280
    day[5000:5180] = [1000.0] * 180
    found = find_busiest(series(day), BUSY)
    assert found is not None
    assert (found.busy, found.begun, found.peak, found.interval) == (1000.0, T0 + 25_000, 1000.0, 5.0)
    assert found.seconds == 86_400


def test_a_lonely_high_sample_beside_a_gap_is_no_busy_time() -> None:
    lonely = series([10.0] * 400)
    lonely.times.append(T0 + 50_000)
    lonely.rates.append(9e6)
    lonely.times.extend(T0 + 60_000 + 5 * at for at in range(400))
    lonely.rates.extend([10.0] * 400)
    found = find_busiest(lonely, BUSY)
    assert found is not None
    assert (found.busy, found.peak) == (10.0, 9e6)


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=80), st.sampled_from([5.0, 60.0, 300.0, 2000.0]))
def test_busy_lies_between_mean_and_peak_and_equals_the_slow_way(rates: list[float], step: float) -> None:
    found = find_busiest(series(rates, step), BUSY)
    assert found is not None
    assert found.busy <= max(rates) * (1 + 1e-6) + 1e-3
    size = max(1, round(BUSY.window_s / step)) if BUSY.window_s % step == 0 else 1
    if len(rates) >= size and len(rates) * step >= BUSY.window_s:
        slow = max(sum(rates[at : at + size]) / size for at in range(len(rates) - size + 1))
        assert found.busy == pytest.approx(slow, rel=1e-6, abs=1e-3)


def test_parts_of_one_machine_are_put_in_order() -> None:
    later, earlier = series([3.0, 4.0]), series([1.0, 2.0])
    later.machine = "DC"
    later.times = type(later.times)("d", [time + 100 for time in later.times])
    (whole,) = merge_series([later, earlier])
    assert (whole.machine, list(whole.rates)) == ("DC", [1.0, 2.0, 3.0, 4.0])
    assert list(whole.times) == sorted(whole.times)


def test_nothing_measured_is_nothing() -> None:
    assert find_busiest(Series("dc"), BUSY) is None
