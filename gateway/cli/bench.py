"""`tidegate bench`: what this host can take in."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.run import ConfigOption, SetOption, parse_assignments
from gateway.cli.spool import JsonOption

FolderOption = Annotated[
    Path | None, typer.Option("--folder", metavar="FOLDER", help="Where the spool of the measurement is made, instead of beside the state directory.")
]
RowsOption = Annotated[str | None, typer.Option("--rows", metavar="NAME,...", help="Only these rows: tcp-event-xml, tcp-cef, wef, radius ...")]
SecondsOption = Annotated[float, typer.Option("--seconds", min=0.2, max=60, help="How long to send, each row.")]


def bench(
    *,
    config: ConfigOption = None,
    assignments: SetOption = None,
    seconds: SecondsOption = 2.0,
    rows: RowsOption = None,
    noise: Annotated[
        float, typer.Option("--noise", min=0, max=1, help="Share of events that no identity sensor asks for, as of a SIEM that forwards everything.")
    ] = 0.0,
    folder: FolderOption = None,
    as_json: JsonOption = False,
) -> int:
    """Measure what this host can take in, by listener and format, in under a minute.

    Starts gateways of its own, on loopback ports that are free and with a spool in a temporary folder on the state directory's disk, sends generated
    events to them and says what that cost. A running gateway isn't touched. Of a configuration, only the state directory and the engine are looked at.
    `tidegate size` reads what --json writes.
    """
    import os
    import sys

    from gateway.bench.report import encode_report, render_report
    from gateway.cli.measuring import run_measurement
    from gateway.config import load, locate

    loaded = load(locate(config, os.environ), os.environ, parse_assignments(assignments))
    report = run_measurement(loaded, rows=rows, seconds=seconds, noise=noise, folder=folder)
    sys.stdout.write((encode_report if as_json else render_report)(report))
    return 1 if any(row.rejected or not row.events for row in report.rows) else 0
