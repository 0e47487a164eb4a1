"""Whom `tidegate check --connect` asks what: every prerequisite of everybody that [check] names, and every destination of the configuration."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Final
from urllib.parse import urlsplit

import trio

from forwarders.http.sentinel_settings import CLOUDS, SentinelSettings
from forwarders.http.settings import ClientTls, HttpSettings, ProxySettings
from forwarders.kafka_settings import KafkaSettings
from forwarders.sensor_settings import RelaySettings, SensorSettings
from forwarders.settings import ForwarderSettings
from forwarders.syslog_settings import SyslogSettings, SyslogTransport
from gateway.check.asks import Answer, ask_certificate, ask_datagram, ask_name, ask_port, ask_radius, ask_reverse, ask_status, ask_time
from gateway.check.findings import Level
from gateway.check.prerequisites import Ask, Need, Of, Prerequisite, Prerequisites
from gateway.check.ways import PORTS, Way
from gateway.config import Config
from pipeline.settings import SocketAddress

DESTINATION: Final = "destination"
TCP, TLS, UDP, RADIUS = "tcp", "tls", "udp", "radius"
USUAL: Final = ClientTls()


@dataclass(frozen=True, slots=True)
class Question:
    """One question to one peer.

    check:    its name among all checks.
    what:     whom, and what.
    ask:      asks it; raises AskError for a "no".
    no:       how bad a "no" is.
    silence:  how bad it is that nothing came in time.
    fix:      what to do about either.
    """

    check: str
    what: str
    ask: Callable[[], Awaitable[Answer]]
    no: Level
    silence: Level
    fix: str


def questions(config: Config, known: Prerequisites) -> Iterator[Question]:
    """All of them, in the order of their rows, then the destinations."""
    for row in known.prerequisites:
        for host in _peers(config, row.of):
            yield _about(row, host, config, known)
    for forwarder in config.forwarders:
        for place in _places(forwarder):
            yield _about_destination(forwarder.name, place, known)


def _peers(config: Config, of: Of) -> tuple[str, ...]:
    settings = config.check
    endpoints = config.listeners.wef.endpoints if config.listeners.wef else ()
    found: Mapping[Of, tuple[str | None, ...]] = {
        Of.DOMAIN: (settings.domain,),
        Of.DOMAIN_CONTROLLERS: settings.domain_controllers,
        Of.DNS_SERVERS: settings.dns_servers,
        Of.DEVICES: settings.devices,
        Of.WORKSPACE: (settings.sensor_api,),
        Of.SENSOR: (settings.sensor,),
        Of.ENDPOINT: tuple(endpoint.url.host.strip("[]") for endpoint in endpoints),
    }
    return tuple(dict.fromkeys(host for host in found[of] if host))


def _about(row: Prerequisite, host: str, config: Config, known: Prerequisites) -> Question:
    address = SocketAddress(host, row.port)
    way = Way(address, config.check.proxy)
    asks: Mapping[Ask, tuple[str, Callable[[], Awaitable[Answer]]]] = {
        Ask.RESOLVE: (f"name {host}", partial(ask_name, host)),
        Ask.REVERSE: (f"reverse name of {host}", partial(ask_reverse, host)),
        Ask.TCP: (f"tcp {address}", partial(ask_port, Way(address))),
        Ask.UDP: (f"udp {address}", partial(ask_datagram, address, row.question)),
        Ask.TIME: (f"clock of {host}", partial(ask_time, address, limit_s=row.limit_s, notable_s=row.notable_s)),
        Ask.TLS: (f"tls {address}", partial(ask_certificate, way, host, USUAL, known, known.root_of(config.check.cloud))),
        Ask.PING: (f"https://{host}{row.path}", partial(ask_status, way, host, USUAL, row.path, row.statuses)),
        Ask.LOOK: (f"{row.name} of {host}", partial(_look, row)),
    }
    what, ask = asks[row.ask]
    no = Level.ERROR if row.need is Need.ALWAYS else Level.WARNING
    return Question(row.name, f"{what} ({row.service})" if row.service else what, ask, no, Level.UNKNOWN if row.ask is Ask.UDP else no, row.fix)


async def _look(row: Prerequisite) -> Answer:
    await trio.lowlevel.checkpoint()
    return Answer(Level.UNKNOWN, f"can't be seen from here; has to be: {row.passes}")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a forwarder connects to.

    transport:  tcp, tls, udp or radius.
    host:       what the certificate has to say.
    secret:     of radius.
    """

    transport: str
    address: SocketAddress
    host: str = ""
    tls: ClientTls = USUAL
    proxy: ProxySettings | None = None
    secret: bytes = field(default=b"", repr=False)


def _places(forwarder: ForwarderSettings) -> Iterator[Place]:
    match forwarder:
        case RelaySettings():
            yield Place(RADIUS, forwarder.address[1], secret=forwarder.secret.get_secret_value())
        case SensorSettings():
            yield Place(str(forwarder.address[0]), forwarder.address[1])
        case SyslogSettings():
            transport, address = forwarder.address
            secure = transport is SyslogTransport.TLS
            yield Place(str(transport), address, (forwarder.server_name or address.host) if secure else "", forwarder.tls or ClientTls())
        case KafkaSettings():
            tls = ClientTls() if forwarder.event_hub else forwarder.tls
            for address in forwarder.bootstrap:
                yield Place(TCP if tls is None else TLS, address, address.host, tls or ClientTls())
        case HttpSettings():
            yield _served(forwarder.url, forwarder)
            if isinstance(forwarder, SentinelSettings) and not forwarder.identity.managed:
                yield _served(forwarder.identity.authority or CLOUDS[forwarder.cloud].authority, forwarder)
        case _:
            return


def _served(url: str, forwarder: HttpSettings) -> Place:
    parts = urlsplit(url)
    host = parts.hostname or ""
    return Place(TLS if parts.scheme == "https" else TCP, SocketAddress(host, parts.port or PORTS[parts.scheme]), host, forwarder.tls, forwarder.proxy)


def _about_destination(name: str, place: Place, known: Prerequisites) -> Question:
    way = Way(place.address, place.proxy)
    asks: Mapping[str, Callable[[], Awaitable[Answer]]] = {
        TCP: partial(ask_port, way),
        TLS: partial(ask_certificate, way, place.host, place.tls, known),
        UDP: partial(_ask_unanswered, place.address.host),
        RADIUS: partial(ask_radius, place.address, place.secret),
    }
    silence, fix = Level.ERROR, "see whether its address is right, it runs, and firewalls let this through; records wait in the spool meanwhile"
    if place.transport == RADIUS:
        silence = Level.UNKNOWN
        fix = "see whether its address is right, and look into its log: a server without Status-Server (RFC 5997), or with another secret, is silent"
    return Question(DESTINATION, f"forwarder {name} {place.transport} {place.address}", asks[place.transport], Level.ERROR, silence, fix)


async def _ask_unanswered(host: str) -> Answer:
    found = await ask_name(host)
    return Answer(Level.UNKNOWN, f"resolves to {found.why}; nobody answers its datagrams, so whether any arrives has to be seen there", "look there")
