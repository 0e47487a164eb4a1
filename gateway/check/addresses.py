"""Whether every configured address can be bound, or is passed in by a socket unit of ours; and whether such a unit has a listener."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator, Sequence
from typing import Final

import trio

from gateway.addresses import addresses
from gateway.check.findings import Finding, Level, Subject
from gateway.check.socket_units import SocketUnit, held_by_systemd, read_units
from listeners.bind import bind
from pipeline.errors import ConfigError
from pipeline.model import Transport
from pipeline.settings import SocketAddress

LIST: Final = "`systemctl list-sockets` and, as root, `ss -lntup` show who holds it"


def check_addresses(subject: Subject) -> Iterator[Finding]:
    units = read_units()
    for name, transport, address in addresses(subject.config):
        what = f"{name} {transport} {address}"
        if subject.running:
            yield Finding(Level.OK, what, "not tried, a gateway is running")
        else:
            yield _check_address(name, transport, address, units)


def _check_address(name: str, transport: Transport, address: SocketAddress, units: Sequence[SocketUnit]) -> Finding:
    what, kind = f"{name} {transport} {address}", kind_of(transport)
    unit = next((unit for unit in sorted(units, key=lambda unit: not unit.enabled) if unit.listens(kind, address)), None)
    refused = _try(name, transport, address)
    if unit is not None:
        return _judge(what, unit, refused, held_by_systemd(kind, address) if _number(refused) == errno.EADDRINUSE else None)
    return Finding(Level.OK, what, "can be bound") if refused is None else Finding(Level.ERROR, refused.what, refused.why, refused.fix)


def _judge(what: str, unit: SocketUnit, refused: ConfigError | None, held: bool | None) -> Finding:  # noqa: FBT001 - what was seen
    """An address that a unit of ours has; whether systemd holds it is known to root alone."""
    number = _number(refused)
    if refused is not None and held is False:
        return Finding(Level.ERROR, what, f"another program holds it, so {unit.name} can't", refused.fix)
    if unit.enabled:
        return Finding(Level.OK, what, f"passed in by systemd ({unit.name})")
    if refused is None:
        return Finding(Level.OK, what, "can be bound")
    if held:
        return Finding(Level.OK, what, f"systemd holds it, for {unit.name} as it seems")
    if number == errno.EADDRINUSE:
        return Finding(Level.UNKNOWN, what, f"in use; all is well if that is {unit.name}, which listens there and isn't enabled", LIST)
    fix = f"systemctl enable --now {unit.name}, which is installed and passes it in" if number == errno.EACCES else refused.fix
    return Finding(Level.ERROR, what, refused.why, fix)


def _try(name: str, transport: Transport, address: SocketAddress) -> ConfigError | None:
    try:
        for bound in trio.run(bind, name, transport, address):
            bound.close()
    except ConfigError as error:
        return error
    return None


def _number(refused: ConfigError | None) -> int | None:
    return refused.__cause__.errno if refused is not None and isinstance(refused.__cause__, OSError) else None


def check_socket_units(subject: Subject) -> Iterator[Finding]:
    """A socket that no listener reads is refused at start."""
    configured = [(kind_of(transport), address) for _, transport, address in addresses(subject.config)]
    for unit in read_units():
        if not unit.enabled:
            continue
        left = [f"{where}" for kind, where in unit.places if not any(SocketUnit("", ((kind, where),), 0, enabled=True).listens(*one) for one in configured)]
        if left:
            why = f"it is enabled and listens at {', '.join(left)}, where the configuration has no listener: the gateway won't start"
            yield Finding(Level.ERROR, unit.name, why, f"configure that address, or systemctl disable --now {unit.name}")
        else:
            yield Finding(Level.OK, unit.name, "enabled, with a listener for each of its sockets")


def kind_of(transport: Transport) -> socket.SocketKind:
    """Of the sockets that a transport needs."""
    return socket.SOCK_DGRAM if transport is Transport.UDP else socket.SOCK_STREAM
