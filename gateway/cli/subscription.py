"""`tidegate subscription gpo|query|wecutil|audit|lint`: the Windows side of event forwarding, to be pasted there."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.run import ConfigOption
from gateway.cli.spool import JsonOption

if TYPE_CHECKING:  # what a command needs is imported when it runs
    from gateway.config import Config
    from listeners.wef.settings import SubscriptionSettings, WefSettings
    from normalizers.profiles import Profile

ProfileOption = Annotated[str | None, typer.Option("--profile", metavar="NAME", help="aatp-2020, mdi-current or a profile file, not the configured one.")]
NameOption = Annotated[str | None, typer.Option("--subscription", metavar="NAME", help="Which configured subscription, where there are several.")]


def subscription() -> typer.Typer:
    """The group of commands."""
    group = typer.Typer(name="subscription", no_args_is_help=True, help="Write what Windows has to be told, and read what it was told.")
    group.command(epilog="Example: tidegate subscription gpo --config gateway.toml --refresh 900")(gpo)
    group.command(epilog="Example: tidegate subscription query --profile mdi-current")(query)
    group.command(epilog="Example: tidegate subscription wecutil --channel Security > identity.xml, then: wecutil cs identity.xml")(wecutil)
    group.command(epilog="Example: tidegate subscription audit > audit.ps1")(audit)
    group.command(epilog="Example: wecutil gs MySubscription /f:xml > mine.xml, then: tidegate subscription lint mine.xml")(lint)
    return group


def gpo(
    config: ConfigOption = None,
    refresh: Annotated[int, typer.Option("--refresh", metavar="SECONDS", min=10, max=86400, help="How often controllers ask for changes.")] = 900,
) -> None:
    """Write the group policy value that points domain controllers here, for each endpoint, with the thumbprint of each client CA."""
    loaded = _load(config)

    from gateway.subscription.group_policy import write_policy
    from pipeline.errors import ConfigError

    wef = loaded.listeners.wef
    if wef is None:
        raise ConfigError("listeners.wef", "the configuration has no endpoint that controllers could connect to", "add [[listeners.wef.endpoints]]")
    typer.echo(write_policy(wef, refresh), nl=False)


def query(config: ConfigOption = None, profile: ProfileOption = None, name: NameOption = None) -> None:
    """Write the QueryList of the profile, or of the configured subscription: what to select from which channel."""
    settings, wanted = _wanted(config, profile, name)

    from gateway.subscription.selection import select
    from wire.wef.query import encode_query_list

    typer.echo(encode_query_list(select(settings, wanted.keys), pretty=True))


def wecutil(
    config: ConfigOption = None,
    profile: ProfileOption = None,
    name: NameOption = None,
    channel: Annotated[str | None, typer.Option("--channel", metavar="NAME", help="One channel alone, as Tidegate itself subscribes.")] = None,
) -> None:
    """Write the subscription for a collector of Windows' own, to be created there with `wecutil cs`."""
    settings, wanted = _wanted(config, profile, name)

    from gateway.subscription.selection import select
    from gateway.subscription.wecutil import write_collector_subscription

    typer.echo(write_collector_subscription(select(settings, wanted.keys, channel), settings, channel), nl=False)


def audit(config: ConfigOption = None, profile: ProfileOption = None, name: NameOption = None) -> None:
    """Write the commands that make a domain controller log the profile's events, let them be read, and show that it does."""
    loaded = _load(config)
    _, wanted = _wanted(config, profile, name)

    from gateway.subscription.audit import write_commands

    typer.echo(write_commands(wanted.keys, loaded.listeners.wef), nl=False)


def lint(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What `wecutil gs NAME /f:xml` printed, or a QueryList; - for standard input.")],
    *,
    config: ConfigOption = None,
    profile: ProfileOption = None,
    name: NameOption = None,
    as_json: JsonOption = False,
    strict: Annotated[bool, typer.Option("--strict", help="Exit 3 if there are warnings.")] = False,
) -> int:
    """Say what an existing subscription will never deliver of the profile's events, line by line; exit 1 if there is such."""
    import sys

    _, wanted = _wanted(config, profile, name)

    from gateway.subscription.finding import render, verdict
    from gateway.subscription.lint import lint as examine
    from pipeline.errors import ConfigError, MessageError
    from wire.wef.query import MAX_QUERY

    most = 2 * MAX_QUERY + 2
    if str(file) == "-":
        octets = sys.stdin.buffer.read(most)
    else:
        with file.open("rb") as opened:
            octets = opened.read(most)
    try:
        findings = examine(octets, wanted.keys)
    except MessageError as error:
        raise ConfigError(str(file), str(error), "give it what `wecutil gs NAME /f:xml` printed") from error
    typer.echo(render(findings, str(file), as_json=as_json), nl=False)
    if not findings:
        typer.echo(f"{file}: every event of {wanted.name} is selected", err=True)
    return verdict(findings, strict=strict)


def _load(config: Path | None) -> Config:
    import os

    from gateway.config import load, locate

    return load(locate(config, os.environ), os.environ)


def _wanted(config: Path | None, profile: str | None, name: str | None) -> tuple[SubscriptionSettings, Profile]:
    """The subscription that is meant, and its profile."""
    loaded = _load(config)

    from listeners.wef.settings import SubscriptionSettings
    from normalizers.profiles import load_profile

    chosen = _choose(loaded.listeners.wef, name) or SubscriptionSettings(name="identity", profile=loaded.gateway.profile, read_existing=True)
    return (chosen if profile is None else chosen.model_copy(update={"profile": profile, "query": None})), load_profile(profile or chosen.profile)


def _choose(wef: WefSettings | None, name: str | None) -> SubscriptionSettings | None:
    from pipeline.errors import ConfigError

    there = wef.subscriptions if wef else ()
    if name is None and len(there) <= 1:
        return next(iter(there), None)
    found = next((each for each in there if each.name == name), None)
    if found is None:
        raise ConfigError(
            f"subscription {name or ''}".rstrip(), "is not the one that is meant", f"use --subscription with one of {', '.join(each.name for each in there)}"
        )
    return found
