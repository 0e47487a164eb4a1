"""`tidegate simulate radius`: plays VPN servers that account for their sessions."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

if TYPE_CHECKING:  # what a command needs is imported when it runs
    from ssl import SSLContext

    from gateway.simulate.radius import Accounted
    from gateway.simulate.radius_link import Server
    from gateway.simulate.radius_sessions import Nas, Report

MOST_NAS: Final = 254
MOST_SESSIONS: Final = 16_383
USUAL_PLACE: Final = "env:RADIUS_SECRET"
FLAVOURS: Final = "generic, rras, cisco-asa, f5, check-point, fortigate"


def radius(
    *,
    target: Annotated[str, typer.Option("--target", "-t", metavar="udp://|radsec://HOST:PORT", help="The accounting server.")] = "udp://127.0.0.1:1813",
    secret: Annotated[str, typer.Option("--secret", "-s", metavar="env:NAME|file:PATH", help="Where the shared secret is; radsec has its own.")] = USUAL_PLACE,
    flavour: Annotated[str, typer.Option("--flavour", "-f", metavar="NAME", help=f"Whose VPN server: {FLAVOURS}.")] = "generic",
    nas: Annotated[int, typer.Option("--nas", "-m", min=1, max=MOST_NAS, help="How many network access servers.")] = 1,
    name: Annotated[str, typer.Option("--name", metavar="FQDN", help="What they are called; {} becomes a number.")] = "vpn{}.contoso.example",
    sessions: Annotated[int, typer.Option("--sessions", min=1, max=MOST_SESSIONS, help="Sessions that each has open at once, at most.")] = 20,
    on_off: Annotated[bool, typer.Option("--on-off/--no-on-off", help="Say Accounting-On at the beginning and Accounting-Off at the end.")] = True,
    rate: Annotated[str, typer.Option("--rate", metavar="N|max", help="Requests per second, of all servers together.")] = "10",
    count: Annotated[int | None, typer.Option("--count", "-n", min=0, help="Stop after so many requests.")] = None,
    duration: Annotated[str | None, typer.Option("--duration", metavar="TIME", help="Stop after this time, as in 30s or 5min.")] = None,
    window: Annotated[int, typer.Option("--window", min=1, max=256, help="Requests of one server under way at once.")] = 64,
    retransmit: Annotated[str, typer.Option("--retransmit", metavar="TIME", help="udp: send again after this time, then after twice as long, to 16 s.")] = "2s",
    tries: Annotated[int, typer.Option("--tries", min=0, help="udp: give a request up after it was sent so often; 0 for never.")] = 10,
    renew_delay: Annotated[bool, typer.Option("--renew-delay", help="udp: sent again, a request has its new Acct-Delay-Time: another packet.")] = False,
    message_authenticator: Annotated[bool, typer.Option("--message-authenticator", help="Sign requests with a Message-Authenticator too.")] = False,
    source: Annotated[str | None, typer.Option("--source-ip", metavar="ADDRESS", help="Send from this address.")] = None,
    cert: Annotated[Path | None, typer.Option("--cert", metavar="PEM", help="radsec: the certificate and its key, in one file.")] = None,
    ca: Annotated[Path | None, typer.Option("--ca", metavar="PEM", help="radsec: the authority to trust, instead of the system's.")] = None,
    insecure: Annotated[bool, typer.Option("--insecure", help="radsec: trust whoever answers.")] = False,
    patient: Annotated[bool, typer.Option("--patient", help="radsec: wait for a server that isn't there yet.")] = False,
    drain: Annotated[str, typer.Option("--drain", metavar="TIME", help="At the end, wait so long for answers.")] = "60s",
    record: Annotated[Path | None, typer.Option("--record", metavar="FILE", help="Write every request that was answered as a line of JSON.")] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="The same seed generates the same sessions.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Write the summary as JSON.")] = False,
) -> int:
    """Account for VPN sessions as network access servers do: they begin, go on and end, and every request is sent again until it is answered.

    Exits with 1 where not everything was answered. Ctrl-C ends in order.
    """
    from random import Random

    import trio

    from gateway.cli.courses import make_course, stop_on_interrupt
    from gateway.simulate.radius import simulate_radius
    from gateway.simulate.radius_client import Way
    from gateway.simulate.radius_exchange import Habits
    from gateway.simulate.radius_flavours import BY_NAME
    from gateway.simulate.radius_link import parse_server
    from gateway.simulate.radius_report import encode_accounted, encode_answered, render_accounted
    from pipeline.errors import ConfigError

    if flavour not in BY_NAME:
        raise typer.BadParameter(f"{flavour!r} is none of {', '.join(BY_NAME)}", param_hint="--flavour")
    if nas > 1 and "{}" not in name:
        raise typer.BadParameter(f"{name!r} has no {{}} for the server's number", param_hint="--name")
    try:
        server = parse_server(target)
    except ConfigError as error:
        raise typer.BadParameter(f"{target!r} is {error.why}, {error.fix}", param_hint="--target") from error
    first = _seconds(retransmit, "--retransmit")
    way = Way(
        server=server,
        secret=_secret(server, secret),
        habits=Habits(
            window=window,
            first=first,
            longest=max(first, Habits().longest),
            tries=tries,
            renews_delay=renew_delay,
            message_authenticator=message_authenticator,
        ),
        tls=_tls_context(ca, cert, insecure=insecure) if server.radsec else None,
        source=source,
        patient=patient,
    )
    course = make_course(rate, count, duration, repeat=False)
    wait = _seconds(drain, "--drain")
    show = sys.stderr.isatty()

    async def account(on_answer: Callable[[Nas, Report], None]) -> Accounted:
        stop = trio.Event()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stop_on_interrupt, stop)
            done = await simulate_radius(
                way,
                servers=nas,
                sessions=sessions,
                flavour=BY_NAME[flavour],
                name=name.replace("{}", "{:02}"),
                course=course,
                restarts=on_off,
                random=Random(seed),  # noqa: S311 - a simulation
                drain=wait,
                stop=stop,
                report=_show if show else None,
                on_answer=on_answer,
            )
            nursery.cancel_scope.cancel()
        return done

    with ExitStack() as files:
        file = files.enter_context(record.open("wb", buffering=0)) if record else None

        def note(server: Nas, report: Report) -> None:
            if file:
                file.write(encode_answered(BY_NAME[flavour], server, report))

        done = trio.run(account, note)
    if show:
        sys.stderr.write("\r\x1b[K")
    sys.stdout.write((encode_accounted if as_json else render_accounted)(done, str(server)))
    return 1 if done.tally.unanswered else 0


def _secret(server: Server, reference: str) -> bytes:
    """The secret that the reference leads to; over TLS it is a fixed one."""
    from pydantic import TypeAdapter, ValidationError

    from gateway.simulate.radius_link import RADSEC_SECRET
    from pipeline.errors import ConfigError
    from pipeline.settings import Secret

    if server.radsec:
        return RADSEC_SECRET
    try:
        return TypeAdapter(Secret).validate_python(reference).get_secret_value()
    except ValidationError as error:
        why, _, fix = str(error.errors()[0]["msg"]).removeprefix("Value error, ").partition("; ")
        raise ConfigError("--secret", why, fix or "name where it is, as in env:NAME or file:PATH") from None  # what was written may be the secret itself


def _tls_context(ca: Path | None, cert: Path | None, *, insecure: bool) -> SSLContext:
    from gateway.simulate.wef_certificate import make_context, read_certificate

    context = make_context(ca, insecure=insecure)
    if cert is not None:
        read_certificate(context, cert)
    return context


def _seconds(text: str, option: str) -> float:
    from pipeline.settings import parse_duration

    try:
        return parse_duration(text)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint=option) from error


def _show(done: Accounted) -> None:
    sys.stderr.write(f"\r\x1b[K{done.tally.answered} requests answered of {done.tally.sent}, {done.rate:,.0f}/s")
    sys.stderr.flush()
