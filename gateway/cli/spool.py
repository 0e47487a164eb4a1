"""`tidegate spool status` and `tidegate spool forget`: what the spool holds, and for whom."""

from __future__ import annotations

from typing import Annotated

import typer

from gateway.cli.run import ConfigOption

JsonOption = Annotated[bool, typer.Option("--json", help="Write JSON, for programs.")]


def spool() -> typer.Typer:
    """The group of commands."""
    group = typer.Typer(name="spool", no_args_is_help=True, help="Look at the spool, the durable log between listeners and forwarders.")
    group.command(epilog="Example: tidegate spool status --json")(status)
    group.command(epilog="Example: tidegate spool forget old-sensor")(forget)
    return group


def status(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Say what the spool holds and how far each destination got; asks the running gateway, or reads the files if none runs."""
    import os

    import trio

    from gateway.config import load, locate

    loaded = load(locate(config, os.environ), os.environ)

    from gateway.spool_report import read_status, render_status

    report = trio.run(read_status, loaded)
    typer.echo(render_status(report, as_json=as_json), nl=False)


def forget(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The destination, as `spool status` names it.")],
    config: ConfigOption = None,
) -> None:
    """Give up the place of a destination that has left the configuration, and with it the records kept for it alone."""
    import os

    import trio

    from gateway.config import load, locate

    loaded = load(locate(config, os.environ), os.environ)

    from gateway.spool_report import forget_consumer

    typer.echo(trio.run(forget_consumer, loaded, name))
