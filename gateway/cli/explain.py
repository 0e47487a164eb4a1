"""`tidegate explain`: what a message is, and why it was refused."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.run import ConfigOption
from gateway.cli.spool import JsonOption

if TYPE_CHECKING:
    from gateway.config import Config
    from gateway.explain import Account
    from normalizers.normalizer import Normalizer

DEFAULT_LAST = 10
MAX_INPUT = 64 << 20

SubjectArgument = Annotated[str, typer.Argument(metavar="[FILE or -]", help="A file of messages, one datagram or event XML; - is stdin. With --last: N.")]
LastOption = Annotated[bool, typer.Option("--last", help=f"Ask the running gateway for the last N messages it refused ({DEFAULT_LAST}).")]
ReasonOption = Annotated[str | None, typer.Option("--reason", metavar="R", help="With --last: those that broke this rule.")]


def explain(
    subject: SubjectArgument = "-", last: LastOption = False, reason: ReasonOption = None, config: ConfigOption = None, as_json: JsonOption = False
) -> None:
    """Show a message's format, its fields with their octets, the rule it breaks, and what its sender has to change."""
    import os
    import sys

    from gateway.config import load, locate

    if reason and not last:
        raise typer.BadParameter("is for --last", param_hint="--reason")
    loaded = load(locate(config, os.environ), os.environ)

    from gateway.explain import render_json, render_text
    from gateway.normalizing import make_normalizer

    normalizer = make_normalizer(loaded)
    accounts = _refused(loaded, normalizer, subject, reason) if last else _given(loaded, normalizer, subject)
    typer.echo(render_json(accounts) if as_json else render_text(accounts, colour=sys.stdout.isatty()), nl=False)


def _given(config: Config, normalizer: Normalizer, subject: str) -> list[Account]:
    import sys
    import time

    from gateway.explain import account_for, cut_messages
    from pipeline.errors import ConfigError
    from pipeline.model import Origin, Transport

    if subject == "-":
        octets = sys.stdin.buffer.read(MAX_INPUT + 1)
    else:
        with Path(subject).open("rb") as file:
            octets = file.read(MAX_INPUT + 1)
    if len(octets) > MAX_INPUT:
        raise ConfigError(subject, f"is longer than {MAX_INPUT >> 20} MiB", "explain a part of it, or map the whole with `tidegate replay`")
    syslog = config.listeners.syslog
    origin = Origin("explain", Transport.FILE, subject, time.time_ns())
    return [account_for(normalizer, found, origin) for found in cut_messages(octets, syslog.max_message if syslog else 256 << 10)]


def _refused(config: Config, normalizer: Normalizer, subject: str, reason: str | None) -> list[Account]:
    import trio
    from pydantic import TypeAdapter

    from gateway.control import Request, ask
    from gateway.explain import RefusedMessage, account_for_refused

    if subject != "-" and not (subject.isascii() and subject.isdecimal() and int(subject)):
        raise typer.BadParameter(f"{subject} is no number of messages", param_hint="--last")
    request = Request("rejects.last", {"last": DEFAULT_LAST if subject == "-" else int(subject), "reason": reason})
    found = TypeAdapter(list[RefusedMessage]).validate_python(trio.run(ask, config.gateway.state_dir, request))
    if not found:
        typer.echo("the running gateway remembers no refused message" + (f" that broke {reason}" if reason else ""), err=True)
    return [account_for_refused(normalizer, refused) for refused in found]
