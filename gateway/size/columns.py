r"""Which columns of a table hold times and packets per second, and of which machine.

performance log    \\DC01\Network Interface(adapter)\Packets/sec: all adapters of a machine together; where there is no such counter,
                   Packets Received/sec and Packets Sent/sec; where there is only one counter at all, that one, in any language
with a header      the one column whose name speaks of packets, else the only one beside the times
without            the two columns
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePath
from typing import Final

from gateway.size.table import PERFORMANCE_LOG, Cells, Table, TableError
from gateway.size.times import DateOrder, parse_time

BOTH_WAYS: Final = "packets/sec"
ONE_WAY: Final = frozenset({"packets received/sec", "packets sent/sec"})
TOTAL: Final = "(_total)"
NAMES: Final = re.compile(r"packets?|pkts?|pps", re.ASCII)
MAX_HEADER_NAME: Final = 512
_LOG: Final = re.compile(r"\(PDH-CSV [0-9.]{1,8}\)(?: \([^()]{0,200}\)\((-?[0-9]{1,4})\))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Columns:
    """Where to look.

    time:       column of times.
    packets:    columns that add up to packets per second, by machine.
    first:      number of the first row that holds values.
    behind_s:   seconds to add to a time for UTC.
    order:      of month and day, where the file says so.
    """

    time: int
    packets: dict[str, tuple[int, ...]]
    first: int
    behind_s: float
    order: DateOrder | None


@dataclass(frozen=True, slots=True)
class _Counter:
    """A column of a performance log."""

    column: int
    machine: str
    instance: str
    counter: str


def find_columns(table: Table) -> Columns:
    """Look at the first rows.

    Raises:
        TableError: it can't be known which columns are meant.
    """
    rows = table.rows()
    found = next(rows, None)
    if found is None:
        raise TableError(table.name, 0, "it has no rows")
    line, cells = found
    name = PurePath(table.name).stem or "domain controller"
    if cells[0].startswith(PERFORMANCE_LOG):
        said = _LOG.fullmatch(cells[0])
        return Columns(0, _logged(table.name, line, cells, name), line + 1, 60.0 * int(said[1] or 0) if said else 0.0, DateOrder.MONTH_FIRST)
    time = _time_column(cells)
    if time is not None:
        return Columns(time, {name: (_other(table.name, line, cells, time),)}, line, 0.0, None)
    second = next(rows, None)
    time = _time_column(second[1]) if second else None
    if second is None or time is None:
        raise TableError(table.name, second[0] if second else line, "no column holds a time", "write times as 2024-05-06 07:08:09, or as seconds since 1970")
    named = [column for column, cell in enumerate(cells) if column != time and NAMES.search(cell[:MAX_HEADER_NAME].lower())]
    if len(named) > 1:
        raise TableError(table.name, line, f"{len(named)} columns speak of packets", "keep one, the packets per second of all adapters together")
    return Columns(time, {name: (named[0] if named else _other(table.name, line, cells, time),)}, line + 1, 0.0, None)


def _time_column(cells: Cells) -> int | None:
    return next((column for column, cell in enumerate(cells) if any(parse_time(cell, order) is not None for order in DateOrder)), None)


def _other(name: str, line: int, cells: Cells, time: int) -> int:
    others = [column for column in range(len(cells)) if column != time]
    if len(others) != 1:
        raise TableError(name, line, f"beside the times there are {len(others)} columns, and none of them is called packets", "keep one, or name it packets/s")
    return others[0]


def _logged(name: str, line: int, cells: Cells, otherwise: str) -> dict[str, tuple[int, ...]]:
    counters = [_parse_counter(column, cell, otherwise) for column, cell in enumerate(cells) if column]
    chosen = [each for each in counters if each.counter == BOTH_WAYS] or [each for each in counters if each.counter in ONE_WAY]
    if not chosen and len({each.counter for each in counters}) == 1:
        chosen = counters
    if not chosen:
        raise TableError(name, line, "none of its counters is Packets/sec", r"log \Network Interface(*)\Packets/sec, as `tidegate size --help` says")
    machines: dict[str, tuple[int, ...]] = {}
    for machine in dict.fromkeys(each.machine for each in chosen):
        mine = [each for each in chosen if each.machine == machine]
        machines[machine] = tuple(each.column for each in [each for each in mine if each.instance == TOTAL] or mine)
    return machines


def _parse_counter(column: int, path: str, otherwise: str) -> _Counter:
    r"""`\\MACHINE\Object(instance)\Counter`, or without a machine where it was logged on the spot."""
    machine, rest = otherwise, path.removeprefix("\\")
    if path.startswith("\\\\"):
        machine, _, rest = path[2:].partition("\\")
    where, _, counter = rest.rpartition("\\")
    instance = where[where.find("(") :].lower() if "(" in where else ""
    return _Counter(column, machine.strip() or otherwise, instance, counter.strip().lower())
