"""`tidegate check`: whether the configuration and the machine are fit to run."""

from __future__ import annotations

from typing import Annotated

import typer

from gateway.cli.run import ConfigOption, SetOption
from gateway.cli.spool import JsonOption


def check(
    config: ConfigOption = None,
    assignments: SetOption = None,
    as_json: JsonOption = False,
    strict: Annotated[bool, typer.Option("--strict", help="Exit 3 if there are warnings.")] = False,
) -> int:
    """Check the configuration and what it needs, without starting anything: files, certificates, ports, state directory, disk, limits."""
    import os
    import sys

    from gateway.config import load, locate, parse_flag

    source = locate(config, os.environ)
    loaded = load(source, os.environ, [parse_flag(text) for text in assignments or ()])

    from gateway.check import examine, render_findings, verdict

    findings = examine(loaded, source)
    typer.echo(render_findings(findings, as_json=as_json, colour=sys.stdout.isatty()), nl=False)
    return verdict(findings, strict=strict)
