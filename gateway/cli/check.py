"""`tidegate check`: whether the configuration and the machine are fit to run."""

from __future__ import annotations

from typing import Annotated

import typer

from gateway.cli.run import ConfigOption, SetOption, parse_assignments
from gateway.cli.spool import JsonOption


def check(
    *,
    config: ConfigOption = None,
    assignments: SetOption = None,
    as_json: JsonOption = False,
    strict: Annotated[bool, typer.Option("--strict", help="Exit 3 if there are warnings.")] = False,
    connect: Annotated[
        bool, typer.Option("--connect", help="Ask others, too: destinations, and whom [check] names: ports, names, clocks, the way to the cloud.")
    ] = False,
    live: Annotated[bool, typer.Option("--live", help="Ask the running gateway whether it is well, and look at nothing else: for health checks.")] = False,
) -> int:
    """Check the configuration and what it needs, without starting anything: files, certificates, ports, state directory, disk, limits.

    Each line is ok, unknown (it can't be known from here, somebody has to look), warning or error, with what to do about it.
    """
    import os
    import sys

    import trio

    from gateway.check.examinations import examine, render_findings, unusable, verdict
    from gateway.config import load, locate
    from pipeline.errors import ConfigError

    if live and connect:
        raise typer.BadParameter("asks the running gateway alone; leave one of the two out", param_hint="--live")
    source, flags = locate(config, os.environ), parse_assignments(assignments)
    try:
        loaded = load(source, os.environ, flags)
    except ConfigError as error:
        if as_json:
            typer.echo(render_findings(unusable(error), as_json=True, colour=False), nl=False)
        raise
    if live:
        from gateway.check.live import examine_live

        findings = trio.run(examine_live, loaded)
    else:
        findings = examine(loaded, source)
    if connect:
        from gateway.check.connect import examine_connections

        findings += trio.run(examine_connections, loaded)
    typer.echo(render_findings(findings, as_json=as_json, colour=sys.stdout.isatty()), nl=False)
    return verdict(findings, strict=strict)
