"""Packets per second of domain controllers, read from exported tables; and the busy packets/s that sensors are sized by.

A table is read twice: the first time to learn what its numbers and dates leave open (`numbers`, `times`), the second time to take them.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, pairwise
from statistics import fmean, median
from typing import Final

from gateway.size.capacity import Busy
from gateway.size.columns import Columns, find_columns
from gateway.size.numbers import Decimal, Evidence, is_missing, parse_number
from gateway.size.table import Cells, Table, TableError
from gateway.size.times import DateOrder, has_order, parse_time

WHOLE_ENOUGH: Final = 0.98
"""Of a day: a log of 24 hours lacks a sample or two."""
SAMPLED_ENOUGH: Final = 0.5
"""Of the samples that fit a window, those that it needs to be one."""


@dataclass(slots=True)
class Series:
    """What was seen of one machine: times (seconds since the epoch) and packets per second, as they were written."""

    machine: str
    times: array[float] = field(default_factory=lambda: array("d"))
    rates: array[float] = field(default_factory=lambda: array("d"))


@dataclass(frozen=True, slots=True)
class Traffic:
    """A machine's traffic.

    busy:      packets/s in the busiest window.
    begun:     when that began, seconds since the epoch.
    mean:      of everything.
    peak:      the highest sample.
    samples:   how many there were.
    interval:  seconds between two of them, usually.
    seconds:   that they cover.
    """

    machine: str
    busy: float
    begun: float
    mean: float
    peak: float
    samples: int
    interval: float
    seconds: float


def parse_packets(table: Table, decimal: Decimal | None = None) -> tuple[Series, ...]:
    """Every machine of a table.

    Args:
        table: from `read_table`.
        decimal: what stands before a fraction; found out if None.

    Raises:
        TableError: with the line that can't be read.
    """
    columns = find_columns(table)
    style, order = _learn(table, columns, decimal)
    found = {machine: Series(machine) for machine in columns.packets}
    for line, cells in _values(table, columns):
        time = parse_time(cells[columns.time], order)
        if time is None:
            raise TableError(table.name, line, f"{cells[columns.time][:40]!r} is no time")
        for machine, places in columns.packets.items():
            values = [parse_number(cells[place], style) for place in places if not is_missing(cells[place])]
            if values:
                found[machine].times.append(time + columns.behind_s)
                found[machine].rates.append(sum(value for value in values if value is not None))
    return tuple(found.values())


def _values(table: Table, columns: Columns) -> Iterator[tuple[int, Cells]]:
    """Rows below the header; the last one may have been cut off."""
    wanted = max(columns.time, *(max(places) for places in columns.packets.values())) + 1
    short: tuple[int, Cells] | None = None
    for line, cells in table.rows():
        if line < columns.first:
            continue
        if short:
            raise TableError(table.name, short[0], f"it has {len(short[1])} columns of {wanted}")
        if len(cells) < wanted:
            short = line, cells
        else:
            yield line, cells


def _learn(table: Table, columns: Columns, decimal: Decimal | None) -> tuple[Decimal, DateOrder]:
    evidence, spans = Evidence(), {order: _Span() for order in DateOrder}
    for line, cells in _values(table, columns):
        time = cells[columns.time]
        if columns.order is None and has_order(time):
            for order, span in spans.items():
                span.take(parse_time(time, order), line)
        for place in (place for places in columns.packets.values() for place in places):
            text = cells[place]
            if not is_missing(text) and not (evidence.take(text, line) if decimal is None else parse_number(text, decimal) is not None):
                raise TableError(table.name, line, f"{text[:40]!r} is no number of packets per second")
    return decimal or _decide_style(table, evidence), columns.order or _decide_order(table, spans)


def _decide_style(table: Table, evidence: Evidence) -> Decimal:
    if evidence.point and evidence.comma:
        lines = f"line {evidence.point} has a decimal point, line {evidence.comma} a decimal comma"
        raise TableError(table.name, 0, lines, "write all numbers alike, or say --decimal")
    if evidence.either and not (evidence.point or evidence.comma or table.separator == ","):
        raise TableError(table.name, evidence.either, "its number may be thousands or a fraction", "say --decimal point or --decimal comma")
    return Decimal.COMMA if evidence.comma else Decimal.POINT


@dataclass(slots=True)
class _Span:
    """The times of a file by one order of month and day; `broken` is the first line that has none in it."""

    least: float = float("inf")
    most: float = float("-inf")
    broken: int = 0

    def take(self, time: float | None, line: int) -> None:
        if time is None:
            self.broken = self.broken or line
        else:
            self.least, self.most = min(self.least, time), max(self.most, time)


def _decide_order(table: Table, spans: dict[DateOrder, _Span]) -> DateOrder:
    """The order in which all dates are dates, and if both do, the one by which they are closer together."""
    possible = [order for order, span in spans.items() if not span.broken]
    if not possible:
        line = max(span.broken for span in spans.values())
        raise TableError(table.name, line, "its date fits neither the order of month and day on other lines nor the other")
    return min(possible, key=lambda order: spans[order].most - spans[order].least)


def merge_series(series: Sequence[Series]) -> tuple[Series, ...]:
    """One for each machine, whose name is compared without case, in time's order."""
    merged: dict[str, Series] = {}
    for each in series:
        whole = merged.setdefault(each.machine.lower(), Series(each.machine))
        whole.times.extend(each.times)
        whole.rates.extend(each.rates)
    for whole in merged.values():
        if any(later < earlier for earlier, later in pairwise(whole.times)):
            places = sorted(range(len(whole.times)), key=whole.times.__getitem__)
            whole.times, whole.rates = array("d", map(whole.times.__getitem__, places)), array("d", map(whole.rates.__getitem__, places))
    return tuple(merged.values())


def find_busiest(series: Series, rule: Busy) -> Traffic | None:
    """The busiest window of a machine whose samples are in time's order; None if there are none.

    A window counts if it has half of the samples that fit into it: a gap in the log with one high sample beside it isn't a busy time.
    """
    times, rates = series.times, series.rates
    if not times:
        return None
    gaps = [later - earlier for earlier, later in pairwise(times) if later > earlier]
    interval = median(gaps) if gaps else 0.0
    seconds = times[-1] - times[0] + interval
    least = max(1, int(SAMPLED_ENOUGH * rule.window_s / interval)) if interval else 1
    sums = list(accumulate(rates, initial=0.0))
    busy, begun = fmean(rates), times[0]
    if seconds >= rule.window_s:
        windows = ((at, bisect_left(times, time + rule.window_s, at)) for at, time in enumerate(times) if time + rule.window_s <= times[-1] + 1.5 * interval)
        means = (((sums[end] - sums[at]) / (end - at), times[at]) for at, end in windows if end - at >= least)
        busy, begun = max(means, default=(busy, begun), key=lambda found: found[0])
    return Traffic(series.machine, busy, begun, fmean(rates), max(rates), len(times), interval, seconds)
