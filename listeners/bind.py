"""Bound sockets for the configured addresses, and what an operator can do where one can't be bound.

Every IPv6 socket is IPv6 only, so that `0.0.0.0:514` and `[::]:514` stand side by side and an address is always written one way.
"""

from __future__ import annotations

import errno
import socket
from typing import Final

import trio

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


async def bind(name: str, transport: Transport, address: SocketAddress) -> list[socket.socket]:
    """Non-blocking sockets bound to every meaning of `address`: one for a literal, one each for the addresses of a host name.

    Raises:
        ConfigError: it can't be resolved or bound.
    """
    kind = socket.SOCK_DGRAM if transport is Transport.UDP else socket.SOCK_STREAM
    what = f"{name} {transport} {address}"
    try:
        found = await trio.socket.getaddrinfo(address.host, address.port, type=kind, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise ConfigError(what, error.strerror or "the name can't be resolved", "write an address of this machine") from error
    bound: list[socket.socket] = []
    try:
        for family, _, protocol, _, sockaddr in found:
            bound.append(_bind_one(socket.socket(family, kind, protocol), kind, sockaddr))
    except OSError as error:
        for sock in bound:
            sock.close()
        raise ConfigError(what, error.strerror or str(error), FIXES.get(error.errno or 0, "")) from error
    return bound


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

    The kernel keeps twice what is asked, for its own bookkeeping (socket(7)); what is returned is comparable to what was asked.
    """
    try:
        sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, octets)
    except PermissionError:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, octets)
    return sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) // 2
