"""Bound sockets for the configured addresses, and what an operator can do where one can't be bound.

Every IPv6 socket is IPv6 only, so that `0.0.0.0:514` and `[::]:514` stand side by side and an address is always written one way.
Where whoever started us passed a socket that is bound already, that one is taken (`listeners.passed`).
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterable
from typing import Final

import trio

from listeners.passed import NOTHING_PASSED, Passed, Place
from pipeline.errors import ConfigError
from pipeline.model import Transport
from pipeline.settings import SocketAddress

SO_RCVBUFFORCE: Final = getattr(socket, "SO_RCVBUFFORCE", 33)
"""socket(7): SO_RCVBUF beyond net.core.rmem_max, for CAP_NET_ADMIN; Python has no name for it."""

BACKLOG: Final = 1024

FIXES: Final = {
    errno.EACCES: "ports below 1024 need CAP_NET_BIND_SERVICE: grant it (systemd: AmbientCapabilities=) or choose a port above 1023",
    errno.EADDRINUSE: "another program holds it, `ss -lntup` shows which: end it or choose another port",
    errno.EADDRNOTAVAIL: "no interface of this machine has the address: choose one that `ip address` shows",
    errno.EAFNOSUPPORT: "this machine has no such protocol: remove the address",
}


Resolved = tuple[socket.AddressFamily, socket.SocketKind, int, tuple[object, ...]]
"""Family, kind, protocol and address of a socket to be."""


async def bind(name: str, transport: Transport, address: SocketAddress, passed: Passed = NOTHING_PASSED) -> list[socket.socket]:
    """Non-blocking sockets bound to every meaning of `address`: one for a literal, one each for the addresses of a host name.

    Args:
        name: the listener's.
        transport: what it speaks there.
        address: where.
        passed: sockets that are taken instead, where they are bound to it.

    Raises:
        ConfigError: it can't be resolved or bound.
    """
    bound: list[socket.socket] = []
    try:
        for family, kind, protocol, sockaddr in await _resolve(name, transport, address):
            taken = passed.take(name, Place.of(family, kind, sockaddr))
            bound.append(taken or _bind_one(socket.socket(family, kind, protocol), kind, sockaddr))
    except OSError as error:
        for sock in bound:
            sock.close()
        raise ConfigError(_what(name, transport, address), error.strerror or str(error), FIXES.get(error.errno or 0, "")) from error
    return bound


async def refuse_leftovers(passed: Passed, addresses: Iterable[tuple[str, Transport, SocketAddress]]) -> None:
    """See that every passed socket has a listener: one that nobody reads would take from peers, and never let go.

    Args:
        passed: what was passed and isn't taken yet.
        addresses: where listeners will be, with their names.

    Raises:
        ConfigError: there are others, or an address can't be resolved.
    """
    if not passed:
        return
    wanted = [(name, Place.of(family, kind, where)) for name, via, at in addresses for family, kind, _, where in await _resolve(name, via, at)]
    others = passed.others(wanted)
    if others:
        raise ConfigError(
            "passed sockets",
            f"no listener is configured for {', '.join(map(str, others))}",
            "configure that address, or disable what listens there: `systemctl list-sockets` shows which unit",
        )


async def _resolve(name: str, transport: Transport, address: SocketAddress) -> list[Resolved]:
    kind = socket.SOCK_DGRAM if transport is Transport.UDP else socket.SOCK_STREAM
    try:
        found = await trio.socket.getaddrinfo(address.host, address.port, type=kind, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise ConfigError(_what(name, transport, address), error.strerror or "the name can't be resolved", "write an address of this machine") from error
    return [(family, kind, protocol, sockaddr) for family, _, protocol, _, sockaddr in found]


def _what(name: str, transport: Transport, address: SocketAddress) -> str:
    return f"{name} {transport} {address}"


def _bind_one(sock: socket.socket, kind: socket.SocketKind, sockaddr: tuple[object, ...]) -> socket.socket:
    try:
        sock.setblocking(False)
        if sock.family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if kind == socket.SOCK_STREAM:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(sockaddr)
        if kind == socket.SOCK_STREAM:
            sock.listen(BACKLOG)
    except OSError:
        sock.close()
        raise
    return sock


def bound_address(sock: socket.socket) -> SocketAddress:
    """Where a socket is bound."""
    host, port = sock.getsockname()[:2]
    return SocketAddress(host, port)


def ask_receive_buffer(sock: socket.socket, octets: int) -> int:
    """Ask the kernel for a receive buffer, past its ceiling where we may; returns the octets it gave.

    The kernel keeps twice what is asked, for its own bookkeeping (socket(7)); what is returned is comparable to what was asked. A passed socket may have
    more than the ceiling lets us ask for, since ReceiveBuffer= of a socket unit goes past it: that isn't given away.
    """
    try:
        sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, octets)
    except PermissionError:
        if octets < _receive_buffer(sock) or _ceiling(octets) > _receive_buffer(sock):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, octets)
    return _receive_buffer(sock)


def _receive_buffer(sock: socket.socket) -> int:
    return sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) // 2


def _ceiling(octets: int) -> int:
    """What a socket that asks for so much gets."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, octets)
        return _receive_buffer(asking)
