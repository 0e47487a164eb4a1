"""`tidegate simulate wef`: plays domain controllers that forward their events."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:  # what a command needs is imported when it runs
    from gateway.simulate.wef import Delivered
    from gateway.simulate.wef_connection import Way

MAX_MACHINES = 10_000


def wef(
    *,
    target: Annotated[
        str, typer.Option("--target", "-t", metavar="URL|POLICY", help="The collector: a URL, or the policy's Server=URL,Refresh=...,IssuerCA=...")
    ],
    machines: Annotated[int, typer.Option("--machines", "-m", min=1, max=MAX_MACHINES, help="How many domain controllers.")] = 1,
    name: Annotated[str, typer.Option("--name", metavar="FQDN", help="What they are called; {} becomes a number.")] = "dc{}.contoso.example",
    cert: Annotated[Path | None, typer.Option("--cert", metavar="PEM", help="https: the certificate and its key, in one file, of a single machine.")] = None,
    authority: Annotated[Path | None, typer.Option("--authority", metavar="PEM", help="https: issue every machine a certificate of this authority ...")] = None,
    authority_key: Annotated[Path | None, typer.Option("--authority-key", metavar="PEM", help="... with its key.")] = None,
    ca: Annotated[Path | None, typer.Option("--ca", metavar="PEM", help="https: whom to trust as collector, instead of the system's authorities.")] = None,
    insecure: Annotated[bool, typer.Option("--insecure", help="https: trust whoever answers.")] = False,
    principal: Annotated[str | None, typer.Option("--principal", metavar="NAME", help="http: the machines' Kerberos names, as DC{}$@REALM.")] = None,
    keytab: Annotated[Path | None, typer.Option("--keytab", metavar="FILE", help="http: their keys; the present ticket cache if none is given.")] = None,
    connect: Annotated[str | None, typer.Option("--connect", metavar="HOST:PORT", help="Connect here, whatever the URL names.")] = None,
    rate: Annotated[str, typer.Option("--rate", metavar="N|max", help="Events per second, of all machines together.")] = "10",
    count: Annotated[int | None, typer.Option("--count", "-n", min=0, help="Stop after so many events.")] = None,
    duration: Annotated[str | None, typer.Option("--duration", metavar="TIME", help="Stop after this time, as in 30s or 5min.")] = None,
    noise: Annotated[float, typer.Option("--noise", min=0.0, max=1.0, help="Share of events that no identity sensor asks for.")] = 0.0,
    only: Annotated[list[str] | None, typer.Option("--event", metavar="ID", help="Generate only this event ID; may be repeated.")] = None,
    files: Annotated[list[Path] | None, typer.Option("--from", metavar="EVTX", help="Forward the events of this file instead; may be repeated.")] = None,
    repeat: Annotated[bool, typer.Option("--repeat", help="With --from: round and round, under new record IDs.")] = False,
    refresh: Annotated[str | None, typer.Option("--refresh", metavar="TIME", help="Ask for subscriptions this often, instead of what the policy says.")] = None,
    retry: Annotated[str | None, typer.Option("--retry", metavar="TIME", help="Try again this soon, instead of what the subscription says.")] = None,
    drain: Annotated[str, typer.Option("--drain", metavar="TIME", help="At the end, try so long to deliver the rest.")] = "60s",
    patient: Annotated[bool, typer.Option("--patient", help="Wait for a collector that isn't there yet.")] = False,
    seed: Annotated[int | None, typer.Option("--seed", help="The same seed generates the same events.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Write the summary as JSON.")] = False,
) -> int:
    """Forward Windows events as domain controllers do: subscriptions, bookmarks, heartbeats, and every batch again until it is acknowledged.

    Exits with 1 where not everything was acknowledged. Ctrl-C ends in order.
    """
    from random import Random

    import trio

    from gateway.cli.courses import make_course, stop_on_interrupt
    from gateway.open_files import allow_open_files
    from gateway.simulate.sources import read_events
    from gateway.simulate.wef import simulate_wef
    from gateway.simulate.wef_machine import Habits
    from gateway.simulate.wef_manager import parse_manager
    from gateway.simulate.wef_report import encode_delivered, render_delivered

    manager, course = parse_manager(target), make_course(rate, count, duration, repeat=repeat)
    habits = Habits(
        refresh=_seconds(refresh, "--refresh"),
        retry_after=_seconds(retry, "--retry"),
        address=_address(connect),
        patient=patient,
    )
    names = [_number(name, at, machines) for at in range(1, machines + 1)]
    if manager.url.scheme == "https":
        ways = _certificates(names, cert, authority, authority_key, ca, insecure=insecure)
    else:
        ways = _tickets([_number(principal or "", at, machines) for at in range(1, machines + 1)], keytab)
    show = sys.stderr.isatty()
    allow_open_files()

    async def forward() -> Delivered:
        stop = trio.Event()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stop_on_interrupt, stop)
            done = await simulate_wef(
                manager,
                list(zip(names, ways, strict=True)),
                course=course,
                noise=noise,
                only=frozenset(only) if only else None,
                random=Random(seed),  # noqa: S311 - a simulation
                events=read_events(files) if files else None,
                habits=habits,
                drain=_seconds(drain, "--drain") or 0.0,
                stop=stop,
                report=_show if show else None,
            )
            nursery.cancel_scope.cancel()
        return done

    done = trio.run(forward)
    if show:
        sys.stderr.write("\r\x1b[K")
    sys.stdout.write((encode_delivered if as_json else render_delivered)(done, str(manager.url)))
    return 1 if done.tally.unacked or done.waiting else 0


def _number(name: str, at: int, machines: int) -> str:
    """The name of machine `at` of so many; at least two digits, as domain controllers are numbered."""
    if machines > 1 and "{}" not in name:
        raise typer.BadParameter(f"{name!r} has no {{}} for the machine's number", param_hint="--name or --principal")
    return name.replace("{}", f"{at:0{max(2, len(str(machines)))}}")


def _certificates(names: list[str], cert: Path | None, authority: Path | None, key: Path | None, ca: Path | None, *, insecure: bool) -> list[Way]:
    from gateway.authority import read_authority
    from gateway.simulate.wef_certificate import issue_certificate, make_context, read_certificate

    if authority is not None and key is not None:
        issuer = read_authority(authority, key)
        return [issue_certificate(make_context(ca, insecure=insecure), issuer, name) for name in names]
    if cert is None or len(names) > 1:
        raise typer.BadParameter("over https one machine needs --cert, many need --authority and --authority-key", param_hint="--cert")
    return [read_certificate(make_context(ca, insecure=insecure), cert)]


def _tickets(principals: list[str], keytab: Path | None) -> list[Way]:
    from gateway.simulate.wef_kerberos import KerberosWay

    if keytab is not None and not all(principals):
        raise typer.BadParameter("over http a keytab needs --principal, the name to use it for", param_hint="--principal")
    return [KerberosWay(principal, keytab) for principal in principals]


def _seconds(text: str | None, option: str) -> float | None:
    from pipeline.settings import parse_duration

    try:
        return None if text is None else parse_duration(text)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint=option) from error


def _address(text: str | None) -> tuple[str, int] | None:
    if text is None:
        return None
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 1 << 16:
        raise typer.BadParameter("write HOST:PORT", param_hint="--connect")
    return host.strip("[]"), int(port)


def _show(done: Delivered) -> None:
    sys.stderr.write(f"\r\x1b[K{done.tally.acked} events acknowledged of {done.logged}, {done.rate:,.0f}/s")
    sys.stderr.flush()
