"""What a self-measurement measures, a row each: by which listener, in which format, and who sends.

Senders are those of `tidegate simulate`, flat out: they run in this process, so that what they use is told apart from what the gateway uses.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from itertools import islice
from random import Random
from typing import Final

import trio

from gateway.bench.gateway import WEF_URL, BenchGateway
from gateway.simulate.events import generate_events
from gateway.simulate.messages import USUAL_HEADERS, Header
from gateway.simulate.radius import simulate_radius
from gateway.simulate.radius_client import Way
from gateway.simulate.radius_exchange import Habits as RadiusHabits
from gateway.simulate.radius_link import parse_server
from gateway.simulate.stream import POOL, Course, stream_syslog
from gateway.simulate.target import Target
from gateway.simulate.wef import simulate_wef
from gateway.simulate.wef_certificate import issue_certificate, make_context
from gateway.simulate.wef_machine import Habits
from gateway.simulate.wef_manager import parse_manager
from pipeline.errors import ConfigError
from pipeline.model import Transport
from wire.layouts.detect import BY_NAME

DRAIN_S: Final = 10.0
SEED: Final = 20
MACHINES: Final = 4
"""Domain controllers of the WEF row; connections of one address are limited."""
SERVERS: Final = 2
WINDOW: Final = 256
"""VPN servers of the RADIUS row, and requests of each under way."""


@dataclass(frozen=True, slots=True)
class Load:
    """How much is sent.

    seconds:  for how long.
    noise:    share of events that no sensor asks for.
    rate:     messages a second; None is flat out.
    """

    seconds: float
    noise: float = 0.0
    rate: float | None = None

    @property
    def course(self) -> Course:
        return Course(rate=self.rate, duration=self.seconds, repeat=True)


@dataclass(frozen=True, slots=True)
class Played:
    """What was sent: how many messages, and on Trio's clock, since when."""

    messages: int
    begun: float


@dataclass(frozen=True, slots=True)
class Row:
    """One of the table.

    listener:   its name in counters and ready lines.
    transport:  as its ready line says.
    layout:     how events are written.
    play:       sends until the load is over.
    paced:      whether the sender has to be: nothing holds it back.
    """

    name: str
    listener: str
    transport: str
    layout: str
    play: Callable[[BenchGateway, Load], Awaitable[Played]]
    paced: bool = False


async def _syslog(transport: Transport, layout: str, gateway: BenchGateway, load: Load) -> Played:
    address, begun = gateway.addresses["listeners.syslog", transport], trio.current_time()
    random = Random(SEED)  # noqa: S311 - a simulation
    drawn = (
        None if load.rate is None else islice(generate_events(random, time.time_ns, noise=load.noise), POOL)
    )  # drawing each when it is due would take longer
    sent = await stream_syslog(
        Target(transport, address.host, address.port),
        layout=BY_NAME[layout],
        header=USUAL_HEADERS.get(layout, Header.RFC5424),
        course=load.course,
        noise=load.noise,
        random=random,
        events=drawn,
        tls=make_context(gateway.folder / "ca.pem") if transport is Transport.TLS else None,
    )
    return Played(sent.messages, begun)


async def _radius(gateway: BenchGateway, load: Load) -> Played:
    server = parse_server(f"udp://{gateway.addresses['listeners.radius', 'udp']}")
    begun = trio.current_time()
    way = Way(server=server, secret=gateway.secret, habits=RadiusHabits(window=WINDOW))
    done = await simulate_radius(way, servers=SERVERS, course=load.course, random=Random(SEED), drain=DRAIN_S)  # noqa: S311 - a simulation
    return Played(done.tally.sent, begun)


async def _wef(gateway: BenchGateway, load: Load) -> Played:
    machines = [
        (name, issue_certificate(make_context(gateway.folder / "ca.pem"), gateway.authority, name))
        for name in (f"dc{at:02}.contoso.example" for at in range(1, MACHINES + 1))
    ]
    address = gateway.addresses["listeners.wef", "https"]
    done = await simulate_wef(
        parse_manager(WEF_URL),
        machines,
        course=load.course,
        noise=load.noise,
        random=Random(SEED),  # noqa: S311 - a simulation
        habits=Habits(address=(address.host, address.port)),
        drain=DRAIN_S,
    )
    return Played(done.tally.sent, trio.current_time() - done.seconds)


def _syslog_row(transport: Transport, layout: str) -> Row:
    return Row(f"{transport}-{layout}", "listeners.syslog", transport, layout, partial(_syslog, transport, layout), paced=transport is Transport.UDP)


ROWS: Final = (
    _syslog_row(Transport.TCP, "event-xml"),
    _syslog_row(Transport.TCP, "cef"),
    _syslog_row(Transport.TCP, "splunk"),
    _syslog_row(Transport.TCP, "qradar"),
    _syslog_row(Transport.TLS, "event-xml"),
    _syslog_row(Transport.UDP, "event-xml"),
    Row("wef", "listeners.wef", "https", "event-xml", _wef),
    Row("radius", "listeners.radius", "udp", "radius", _radius),
)
ROWS_BY_NAME: Final = {row.name: row for row in ROWS}


def choose_rows(names: str | None) -> tuple[Row, ...]:
    """Rows by their names, separated by commas and in the table's order; all if None.

    Raises:
        ConfigError: there is none of such a name.
    """
    if names is None:
        return ROWS
    chosen = {name.strip(" ") for name in names.split(",")}
    unknown = sorted(chosen - ROWS_BY_NAME.keys())
    if unknown:
        raise ConfigError(f"row {unknown[0]!r}", "there is none such", f"choose of {', '.join(ROWS_BY_NAME)}")
    return tuple(row for row in ROWS if row.name in chosen)
