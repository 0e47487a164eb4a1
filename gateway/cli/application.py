"""The commands by name: what `tidegate --help` lists."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Final

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


COMMANDS: Final[Mapping[str, tuple[Callable[..., int | None], str]]] = {
    "run": (run, "tidegate run --config gateway.toml --set gateway.name=gw2"),
    "reload": (reload, "tidegate reload --config gateway.toml"),
    "check": (check, "tidegate check --config gateway.toml --strict"),
    "explain": (explain, "tidegate explain message.txt, or: tidegate explain --last 5 --reason bad-time"),
    "replay": (replay, "tidegate replay Security.evtx logs/ --output events.ndjson"),
    "bench": (bench, "tidegate bench --rows wef,radius --seconds 5"),
    "size": (size, "tidegate size --packets dc01.csv --cores 4 --memory '8 GiB' --events-per-second wef=300 --measure"),
}
"""Each with an example of it."""

GROUPS: Final[Mapping[str, Callable[[], typer.Typer]]] = {"simulate": simulate, "spool": spool, "subscription": subscription}


def application(asked: str = "") -> typer.Typer:
    """All commands, or only the one that is asked for if there is one of that name: typer reads the options of each that it knows, which takes its time.

    A command that isn't built is absent.
    """
    app = typer.Typer(name="tidegate", no_args_is_help=True, pretty_exceptions_enable=False, context_settings={"help_option_names": ["-h", "--help"]})
    app.callback(epilog="Example: tidegate run --config gateway.toml")(options)
    every = asked not in {*COMMANDS, *GROUPS}
    for name, (command, example) in COMMANDS.items():
        if every or name == asked:
            app.command(name, epilog=f"Example: {example}")(command)
    for name, group in GROUPS.items():
        if every or name == asked:
            app.add_typer(group())
    return app


def options(
    version: Annotated[bool, typer.Option("--version", help="Say which version and engine this is, and stop.", is_eager=True, callback=_say_version)] = False,
) -> None:
    """Forward identity events: Windows events in, OCSF out, kept durably.

    Where the configuration is looked for: --config, $TIDEGATE_CONFIG, /etc/tidegate/tidegate.toml, else a built-in one that takes syslog
    on 127.0.0.1:5514 and writes a file.
    """
    del version
