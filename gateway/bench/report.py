"""What a self-measurement found: as data, as a table for a person, and as JSON, which `tidegate size` reads again.

events/s       taken in and committed, sender and gateway sharing the host
CPU us/event   user and system time of the gateway's process alone
peak MB        the most memory that was resident
commit ms      how long group commits took: half of them, and 99 of 100, at most; read from a histogram, so about
written/event  octets its process sent to the disk, the write-ahead log and checkpoints among them
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Final

import orjson
from pydantic import Field, TypeAdapter, ValidationError

from gateway.bench.host import Host
from pipeline.errors import ConfigError
from pipeline.escape import escape_text

SCHEMA: Final = 1
MAX_FILE: Final = 1 << 20

Amount = Annotated[float, Field(ge=0, le=1e15, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=0, le=10**15)]
Text = Annotated[str, Field(max_length=256)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One row: one listener and format.

    row:              its name.
    listener:         `listeners.syslog` ...
    transport:        as its ready line says.
    layout:           how events were written.
    events:           messages taken in and committed.
    lost:             messages sent that never came in, over UDP.
    rejected:         of events, those not understood: none, or the figures mean nothing.
    seconds:          from the first message to the last commit.
    cpu_us:           CPU microseconds of the gateway an event.
    sender_cpu_us:    of the sender, for each message it sent; not in `cpu_us`.
    cores:            that the gateway kept busy.
    idle_mb:          resident MiB before the first message.
    peak_mb:          the most there were.
    commits:          how many transactions.
    commit_p50_ms:    milliseconds that half of them took at most.
    commit_p99_ms:    and 99 of 100.
    written_octets:   sent to the disk, an event; None where the system doesn't tell.
    stored_octets:    of the spool, a record.
    record_octets:    of a record as it is forwarded, OCSF in a line of JSON.
    """

    row: Text
    listener: Text
    transport: Text
    layout: Text
    events: Count
    lost: Count
    rejected: Count
    seconds: Amount
    cpu_us: Amount
    sender_cpu_us: Amount
    cores: Amount
    idle_mb: Amount
    peak_mb: Amount
    commits: Count
    commit_p50_ms: Amount
    commit_p99_ms: Amount
    written_octets: Amount | None
    stored_octets: Amount
    record_octets: Amount

    @property
    def rate(self) -> float:
        """Events per second."""
        return self.events / self.seconds if self.seconds else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One self-measurement.

    schema:    of this JSON.
    version:   what was measured, as `tidegate --version` says it.
    at:        when, ISO 8601 in UTC.
    seconds:   that each row was sent for.
    noise:     share of events that no sensor asks for.
    folder:    where the spool was.
    beside:    whether that is the file system of the configured state directory.
    host:      on what.
    rows:      what was found.
    """

    schema: int
    version: Text
    at: Text
    seconds: Amount
    noise: Annotated[float, Field(ge=0, le=1)]
    folder: Annotated[str, Field(max_length=4096)]
    beside: bool
    host: Host
    rows: Annotated[tuple[Measured, ...], Field(max_length=64)]


REPORT: Final = TypeAdapter(Report)
COLUMNS: Final = ("row", "events/s", "CPU us/event", "peak MB", "commit ms p50", "p99", "written/event", "lost", "cores", "sender us")


def encode_report(report: Report) -> str:
    """One JSON object."""
    return orjson.dumps(asdict(report), option=orjson.OPT_INDENT_2).decode() + "\n"


def parse_report(octets: bytes) -> Report:
    """What `encode_report` wrote.

    Raises:
        ValueError: it is something else.
    """
    try:
        report = REPORT.validate_json(octets)
    except ValidationError as error:
        first = error.errors()[0]
        raise ValueError(f"{'.'.join(map(str, first['loc'])) or 'it'}: {first['msg']}") from None
    if report.schema != SCHEMA:
        raise ValueError(f"schema {report.schema} is not {SCHEMA}, which this version reads")
    return report


def read_report(path: Path) -> Report:
    """A saved measurement.

    Raises:
        ConfigError: the file can't be read, or is none.
    """
    what, fix = str(path), "write one with `tidegate bench --json`"
    try:
        with path.open("rb") as file:
            octets = file.read(MAX_FILE + 1)
    except OSError as error:
        raise ConfigError(what, f"can't be read: {error.strerror}", fix) from error
    if len(octets) > MAX_FILE:
        raise ConfigError(what, "is larger than any measurement", fix)
    try:
        return parse_report(octets)
    except ValueError as error:
        raise ConfigError(what, f"is no measurement: {error}", fix) from None


def render_report(report: Report) -> str:
    """The table, and what one has to know to read it."""
    host = report.host
    kept = "every event kept" if not report.noise else f"{report.noise:.0%} of them not wanted"
    lines = [
        report.version,
        f"{host.processor or 'unknown processor'}, {host.cores:g} cores, {host.memory_mb / 1024:.1f} GB, {host.system}",
        f"spool at synchronous=FULL in {report.folder} ({host.filesystem or 'unknown file system'}); generated events, {kept}; {report.seconds:g} s a row",
        "",
        *_table(report.rows),
        "",
        f"Senders shared these {host.cores:g} cores with the gateway: what they took a message is in the last figure alone, and events/s would be more with",
        "them elsewhere. Where the gateway kept far less than a core busy, its sender, the disk or others on this host were what held it up.",
    ]
    if host.in_memory:
        lines.append(f"{report.folder} is memory: commits and what was written say nothing of a disk. --folder names another place.")
    elif not report.beside:
        lines.append("The state directory can't be written to by this user, so another disk may have been measured. --folder names another place.")
    lines += [f"{row.row}: {row.rejected} messages were rejected; its figures mean nothing" for row in report.rows if row.rejected]
    return "\n".join(escape_text(line) for line in lines) + "\n"


def _table(rows: tuple[Measured, ...]) -> list[str]:
    cells = [COLUMNS, *map(_cells, rows)]
    widths = [max(len(row[at]) for row in cells) for at in range(len(COLUMNS))]
    return [
        "  ".join(cell.ljust(width) if at == 0 else cell.rjust(width) for at, (cell, width) in enumerate(zip(row, widths, strict=True))).rstrip()
        for row in cells
    ]


def _cells(row: Measured) -> tuple[str, ...]:
    return (
        row.row,
        f"{row.rate:,.0f}",
        f"{row.cpu_us:.1f}",
        f"{row.peak_mb:.0f}",
        f"{row.commit_p50_ms:.1f}",
        f"{row.commit_p99_ms:.1f}",
        "-" if row.written_octets is None else f"{row.written_octets:,.0f} B",
        f"{row.lost / (row.lost + row.events):.0%}" if row.lost else "0",
        f"{row.cores:.2f}",
        f"{row.sender_cpu_us:.1f}",
    )
