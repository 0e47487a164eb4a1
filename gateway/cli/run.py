"""`tidegate run`: the gateway."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:  # what a command needs is imported when it runs
    from collections.abc import Sequence

    from gateway.config import Override

ConfigOption = Annotated[Path | None, typer.Option("--config", "-c", metavar="FILE", help="The configuration to use.")]
SetOption = Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Set one key, over environment and file; may be repeated.")]


def parse_assignments(texts: Sequence[str] | None) -> list[Override]:
    """What `--set` gave.

    Raises:
        BadParameter: one is no KEY=VALUE.
    """
    from gateway.config import parse_flag
    from pipeline.errors import ConfigError

    try:
        return [parse_flag(text) for text in texts or ()]
    except ConfigError as error:
        raise typer.BadParameter(f"{error.what.removeprefix('--set ')} {error.why}, {error.fix}", param_hint="--set") from error


def run(config: ConfigOption = None, assignments: SetOption = None) -> int:
    """Run the gateway until it is told to stop (SIGTERM or Ctrl-C drains and exits 0, a second one stops at once; SIGHUP reloads).

    Says on stdout `ready NAME TRANSPORT ADDRESS` for each address once it accepts; its log goes to stderr.
    """
    import os
    from functools import partial

    from gateway.config import load, locate

    read = partial(load, locate(config, os.environ), os.environ, parse_assignments(assignments))
    loaded = read()

    import trio

    from gateway.app import run_gateway

    return trio.run(partial(run_gateway, loaded, read=read))
