"""The commands by name: what `tidegate --help` lists."""

from __future__ import annotations

from typing import Annotated

import typer

from gateway.cli.bench import bench
from gateway.cli.check import check
from gateway.cli.explain import explain
from gateway.cli.reload import reload
from gateway.cli.replay import replay
from gateway.cli.run import run
from gateway.cli.simulate import simulate
from gateway.cli.size import size
from gateway.cli.spool import spool
from gateway.cli.subscription import subscription


def _say_version(asked: bool) -> None:  # noqa: FBT001 - typer's signature
    if asked:
        import os

        from gateway import version

        typer.echo(version.describe_version(_engine(os.environ.get("TIDEGATE_ENGINE"))))
        raise typer.Exit


def _engine(named: str | None) -> str:
    from kernel import Engine
    from pipeline.errors import ConfigError

    if named and named not in list(Engine):
        raise ConfigError("TIDEGATE_ENGINE", "not a value it can have", f"it has to be {' or '.join(Engine)}")
    return named or Engine.NATIVE


def application() -> typer.Typer:
    """All commands; a command that isn't built is absent."""
    app = typer.Typer(name="tidegate", no_args_is_help=True, pretty_exceptions_enable=False, context_settings={"help_option_names": ["-h", "--help"]})
    app.callback(epilog="Example: tidegate run --config gateway.toml")(options)
    app.command(epilog="Example: tidegate run --config gateway.toml --set gateway.name=gw2")(run)
    app.command(epilog="Example: tidegate reload --config gateway.toml")(reload)
    app.command(epilog="Example: tidegate check --config gateway.toml --strict")(check)
    app.command(epilog="Example: tidegate explain message.txt, or: tidegate explain --last 5 --reason bad-time")(explain)
    app.command(epilog="Example: tidegate replay Security.evtx logs/ --output events.ndjson")(replay)
    app.command(epilog="Example: tidegate bench --rows wef,radius --seconds 5")(bench)
    app.command(epilog="Example: tidegate size --packets dc01.csv --cores 4 --memory '8 GiB' --events-per-second wef=300 --measure")(size)
    app.add_typer(simulate())
    app.add_typer(spool())
    app.add_typer(subscription())
    return app


def options(
    version: Annotated[bool, typer.Option("--version", help="Say which version and engine this is, and stop.", is_eager=True, callback=_say_version)] = False,
) -> None:
    """Forward identity events: Windows events in, OCSF out, kept durably.

    Where the configuration is looked for: --config, $TIDEGATE_CONFIG, /etc/tidegate/tidegate.toml, else a built-in one that takes syslog
    on 127.0.0.1:5514 and writes a file.
    """
    del version
