"""A self-measurement as `tidegate bench` could have found it, in round figures."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from gateway.bench.host import Host
from gateway.bench.report import SCHEMA, Measured, Report

ROW: Final = Measured(
    row="wef",
    listener="listeners.wef",
    transport="https",
    layout="event-xml",
    events=36_000,
    lost=0,
    rejected=0,
    seconds=3.0,
    cpu_us=30.0,
    sender_cpu_us=50.0,
    cores=0.36,
    idle_mb=80.0,
    peak_mb=120.0,
    commits=200,
    commit_p50_ms=8.0,
    commit_p99_ms=24.0,
    written_octets=240.0,
    stored_octets=90.0,
    record_octets=1500.0,
)


def measured(name: str, **figures: float) -> Measured:
    """A row of that name."""
    return replace(ROW, row=name, **figures)  # type: ignore[arg-type]  # figures, whichever


REPORT: Final = Report(
    schema=SCHEMA,
    version="tidegate 0.1.0",
    at="2024-05-06T07:08:09+00:00",
    seconds=3.0,
    noise=0.0,
    folder="/var/lib/tidegate",
    beside=True,
    host=Host("Processor", 4.0, 16_384, "Linux 6.1", "ext4"),
    rows=(ROW, measured("radius", cpu_us=40.0, record_octets=1800.0), measured("udp-event-xml", cpu_us=10.0)),
)
