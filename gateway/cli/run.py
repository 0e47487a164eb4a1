"""`tidegate run`: the gateway."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

ConfigOption = Annotated[Path | None, typer.Option("--config", "-c", metavar="FILE", help="The configuration to use.")]
SetOption = Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Set one key, over environment and file; may be repeated.")]


def run(config: ConfigOption = None, assignments: SetOption = None) -> int:
    """Run the gateway until it is told to stop (SIGTERM or Ctrl-C drains and exits 0, a second one stops at once).

    Says on stdout `ready NAME TRANSPORT ADDRESS` for each address once it accepts; its log goes to stderr.
    """
    import os

    from gateway.config import load, locate, parse_flag

    loaded = load(locate(config, os.environ), os.environ, [parse_flag(text) for text in assignments or ()])

    import trio

    from gateway.app import run_gateway

    return trio.run(run_gateway, loaded)
