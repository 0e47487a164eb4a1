"""`tidegate simulate`: plays the senders that a gateway hears."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from gateway.cli.simulate_radius import radius
from gateway.cli.simulate_wef import wef

if TYPE_CHECKING:  # what a command needs is imported when it runs
    from ssl import SSLContext

    from gateway.simulate.stream import Sent


FORMATS: Final = "event-xml, splunk, qradar, cef, rsa, leef, snare, splunk-classic, nxlog-json, winlogbeat-json, flat-json"


class Framing(StrEnum):
    """How messages are told apart in a stream (RFC 6587)."""

    OCTET_COUNTING = "octet-counting"
    LF = "lf"


class HeaderName(StrEnum):
    """The syslog header before each message; `usual` is what the format's documents show."""

    USUAL = "usual"
    RFC5424 = "rfc5424"
    RFC3164 = "rfc3164"
    NONE = "none"


def simulate() -> typer.Typer:
    """The group of commands."""
    group = typer.Typer(name="simulate", no_args_is_help=True, help="Play the senders that a gateway hears.")
    group.callback()(_group)
    group.command(epilog="Example: tidegate simulate syslog --target tcp://127.0.0.1:5514 --format splunk --rate 50 --duration 10s")(syslog)
    group.command(epilog="Example: tidegate simulate wef --target https://localhost:5986 --ca ca.pem --cert dc01.pem --count 100")(wef)
    group.command(epilog="Example: tidegate simulate radius --target udp://127.0.0.1:1813 --secret file:vpn.secret --flavour rras --count 100")(radius)
    return group


def _group() -> None:
    """Play the senders that a gateway hears."""


def syslog(
    *,
    target: Annotated[str, typer.Option("--target", "-t", metavar="udp://|tcp://|tls://HOST:PORT", help="The receiver.")] = "udp://127.0.0.1:5514",
    layout: Annotated[str, typer.Option("--format", "-f", metavar="NAME", help=f"How events are written: {FORMATS}.")] = "event-xml",
    framing: Annotated[Framing, typer.Option("--framing", help="How messages are told apart over tcp and tls.")] = Framing.OCTET_COUNTING,
    header: Annotated[HeaderName, typer.Option("--header", help="What stands before each message.")] = HeaderName.USUAL,
    rate: Annotated[str, typer.Option("--rate", metavar="N|max", help="Messages per second.")] = "10",
    count: Annotated[int | None, typer.Option("--count", "-n", min=0, help="Stop after so many messages.")] = None,
    duration: Annotated[str | None, typer.Option("--duration", metavar="TIME", help="Stop after this time, as in 30s or 5min.")] = None,
    noise: Annotated[float, typer.Option("--noise", min=0.0, max=1.0, help="Share of events that no identity sensor asks for.")] = 0.0,
    only: Annotated[list[str] | None, typer.Option("--event", metavar="ID", help="Generate only this event ID; may be repeated.")] = None,
    files: Annotated[list[Path] | None, typer.Option("--from", metavar="EVTX", help="Send the events of this file instead; may be repeated.")] = None,
    repeat: Annotated[bool, typer.Option("--repeat", help="With --from: send them round and round, under new record IDs.")] = False,
    seed: Annotated[int | None, typer.Option("--seed", help="The same seed generates the same events.")] = None,
    ca: Annotated[Path | None, typer.Option("--ca", metavar="PEM", help="Over tls: the authority to trust, instead of the system's.")] = None,
    insecure: Annotated[bool, typer.Option("--insecure", help="Over tls: trust whoever answers.")] = False,
    cert: Annotated[Path | None, typer.Option("--cert", metavar="PEM", help="Over tls: our certificate and its key, in one file.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Write the summary as JSON.")] = False,
) -> int:
    """Send Windows events as a SIEM or an agent would: the fifteen that identity sensors need, and noise around them.

    Ctrl-C ends in order; the summary says what was sent.
    """
    from random import Random

    import trio

    from gateway.cli.courses import make_course, stop_on_interrupt
    from gateway.simulate.messages import USUAL_HEADERS, Header
    from gateway.simulate.report import encode_sent, render_sent
    from gateway.simulate.sources import read_events
    from gateway.simulate.stream import stream_syslog
    from gateway.simulate.target import parse_target
    from pipeline.errors import ConfigError
    from pipeline.model import Transport
    from wire import syslog_framing
    from wire.layouts.detect import BY_NAME

    if layout not in BY_NAME:
        raise typer.BadParameter(f"{layout!r} is none of {', '.join(BY_NAME)}", param_hint="--format")
    try:
        where = parse_target(target)
    except ConfigError as error:
        raise typer.BadParameter(f"{target!r} is {error.why}, {error.fix}", param_hint="--target") from error
    course = make_course(rate, count, duration, repeat=repeat)
    chosen = USUAL_HEADERS.get(layout, Header.RFC5424) if header is HeaderName.USUAL else Header(header)
    tls = _tls_context(ca, cert, insecure=insecure) if where.transport is Transport.TLS else None
    show = sys.stderr.isatty()

    async def send() -> Sent:
        stop = trio.Event()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stop_on_interrupt, stop)
            sent = await stream_syslog(
                where,
                layout=BY_NAME[layout],
                framing=syslog_framing.Framing.OCTET_COUNTING if framing is Framing.OCTET_COUNTING else syslog_framing.Framing.NON_TRANSPARENT,
                header=chosen,
                course=course,
                noise=noise,
                only=frozenset(only) if only else None,
                random=Random(seed),  # noqa: S311 - a simulation
                events=read_events(files) if files else None,
                tls=tls,
                stop=stop,
                report=_show if show else None,
            )
            nursery.cancel_scope.cancel()
        return sent

    sent = trio.run(send)
    if show:
        sys.stderr.write("\r\x1b[K")
    sys.stdout.write((encode_sent if as_json else render_sent)(sent, str(where), layout))
    return 0


def _tls_context(ca: Path | None, cert: Path | None, *, insecure: bool) -> SSLContext:
    import ssl

    from pipeline.errors import ConfigError

    try:
        context = ssl.create_default_context(cafile=ca)
        if cert is not None:
            context.load_cert_chain(cert)
    except OSError as error:  # ssl.SSLError too
        raise ConfigError(str(cert or ca), error.strerror or str(error), "name PEM files") from error
    if insecure:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def _show(sent: Sent) -> None:
    sys.stderr.write(f"\r\x1b[K{sent.messages} messages, {sent.rate:,.0f}/s")
    sys.stderr.flush()
