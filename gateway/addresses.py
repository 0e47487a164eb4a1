"""Every address that a configuration has the gateway listen at."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.config import Config
from listeners.syslog.settings import SyslogSettings
from pipeline.model import Transport
from pipeline.settings import SocketAddress


def addresses(config: Config) -> Iterator[tuple[str, Transport, SocketAddress]]:
    """(name, transport, address) of every listener, and of the metrics server."""
    syslog: SyslogSettings | None = config.listeners.syslog
    tables = ((Transport.UDP, syslog.udp), (Transport.TCP, syslog.tcp), (Transport.TLS, syslog.tls.addresses if syslog.tls else ())) if syslog else ()
    for transport, addresses in tables:
        for address in addresses:
            yield "listeners.syslog", transport, address
    for endpoint in config.listeners.wef.endpoints if config.listeners.wef else ():
        yield "listeners.wef", Transport.HTTPS if endpoint.auth == "certificate" else Transport.HTTP, endpoint.address
    radius = config.listeners.radius
    for address in radius.addresses if radius else ():
        yield "listeners.radius", Transport.UDP, address
    for address in radius.tls.addresses if radius and radius.tls else ():
        yield "listeners.radius", Transport.RADSEC, address
    if config.metrics:
        yield "metrics", Transport.HTTP, config.metrics.address
