"""The door for connections of every stream listener: accept, admit or refuse, count.

Errors of accept(2) that say the machine is short of something (descriptors, memory) are waited out for a moment, as
`trio.serve_listeners` does; those about the one connection that was to be accepted (accept(2), "Error handling") are passed over;
any other ends the listener. A connection that isn't served is closed at once, and counted with the reason.

It doesn't come to such a shortage of descriptors by connections alone: the last ones are kept from them, for files, the control socket
and the metrics server, so that a gateway whose descriptors are taken can still say so.
"""

from __future__ import annotations

import contextlib
import errno
import resource
import socket
import sys
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Final

import trio

from listeners.admission import PER_PEER, Admission, Guest
from listeners.bind import BACKLOG
from listeners.drain import Drain, Wait
from pipeline.log import PeerLog
from pipeline.metrics import Metrics
from pipeline.model import Transport

SHORTAGES: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS})
SHORTAGE_SECONDS: Final = 0.1

SHORTAGE: Final = "shortage"

RESERVED: Final = 128
"""Descriptors kept from connections, or a quarter where there are few."""

PASSING: Final = frozenset(
    {
        errno.ECONNABORTED,
        errno.EPERM,
        errno.EPROTO,
        errno.ENETDOWN,
        errno.ENOPROTOOPT,
        errno.EHOSTDOWN,
        errno.ENONET,
        errno.EHOSTUNREACH,
        errno.EOPNOTSUPP,
        errno.ENETUNREACH,
        errno.ETIMEDOUT,
    }
)

KEEPALIVE: Final = ((socket.TCP_KEEPIDLE, 60), (socket.TCP_KEEPINTVL, 15), (socket.TCP_KEEPCNT, 4))
"""A peer that vanished is found out after two minutes."""

ACCEPTED_AT_ONCE: Final = 64

PLACE_S: Final = 2.0
"""So long a connection waits for another one of its peer to end. Behind a restart those that would have come one by one come all at once."""


@dataclass(frozen=True, slots=True)
class Door:
    """What every listening socket of a listener shares.

    name:  the listener's.
    """

    name: str
    admission: Admission
    drain: Drain
    metrics: Metrics
    peer_log: PeerLog

    def refuse(self, transport: Transport, peer: str, reason: str) -> None:
        """Count and log a connection that isn't served."""
        self.metrics.connections_refused.labels(self.name, reason).inc()
        self.peer_log.warning("connection refused", peer=peer, listener=self.name, transport=transport, reason=reason)


@dataclass(frozen=True, slots=True)
class Arrival:
    """A connection that was admitted, and counted in.

    guest:  its address among those connected.
    wait:   its waits for the peer, which others may end.
    """

    sock: socket.socket
    transport: Transport
    peer: str
    guest: Guest
    wait: Wait


async def serve_connections(
    listener: socket.socket, transport: Transport, door: Door, serve: Callable[[Arrival], Awaitable[None]], *, to_the_last: bool = False
) -> None:
    """Serve a listening socket until a drain; returns when its last connection has ended.

    Args:
        listener: bound and non-blocking.
        transport: what it is called in counters.
        door: whom it lets in.
        serve: called for each connection; its socket is closed afterwards.
        to_the_last: whether those that wait when a drain begins are served as well, and the socket closed: nobody else will.
    """
    wait = door.drain.join()
    descriptors = descriptors_for_connections()

    def accept() -> None:
        for sock, peer in _waiting(listener):
            reason = SHORTAGE if sock.fileno() >= descriptors else door.admission.refusal(peer)
            guest = door.admission.queue(peer) if reason == PER_PEER else None
            if reason is None:
                nursery.start_soon(_serve, Arrival(sock, transport, peer, door.admission.enter(peer), door.drain.join()), door, serve)
            elif guest is not None:
                nursery.start_soon(partial(_place, sock, transport, peer, guest, door=door, serve=serve))
            else:
                sock.close()
                door.refuse(transport, peer, reason)

    async with trio.open_nursery() as nursery:
        try:
            while await wait.until(partial(trio.lowlevel.wait_readable, listener)):
                try:
                    accept()
                except OSError as error:
                    if error.errno not in SHORTAGES:
                        raise
                    door.refuse(transport, "", SHORTAGE)
                    await trio.sleep(SHORTAGE_SECONDS)
            if to_the_last:
                with listener, contextlib.suppress(OSError):
                    for _ in range(BACKLOG // ACCEPTED_AT_ONCE):
                        accept()
        finally:
            door.drain.leave(wait)


def descriptors_for_connections() -> int:
    """The lowest descriptor that no connection gets; the system hands out the lowest that is free."""
    limit, _most = resource.getrlimit(resource.RLIMIT_NOFILE)
    return sys.maxsize if limit == resource.RLIM_INFINITY else limit - min(RESERVED, limit // 4)


def _waiting(listener: socket.socket) -> Iterator[tuple[socket.socket, str]]:
    """Connections that wait, with their peers; so many at most that others get their turn."""
    for _ in range(ACCEPTED_AT_ONCE):
        try:
            sock, address = listener.accept()
        except BlockingIOError:
            return
        except OSError as error:
            if error.errno not in PASSING:
                raise
        else:
            yield sock, address[0]


async def _place(sock: socket.socket, transport: Transport, peer: str, guest: Guest, *, door: Door, serve: Callable[[Arrival], Awaitable[None]]) -> None:
    """Serve a connection once another one of its peer has ended, or refuse it."""
    with contextlib.ExitStack() as unless_served:
        unless_served.enter_context(sock)
        reason = await door.admission.place(peer, guest, PLACE_S)
        if reason is not None:
            door.refuse(transport, peer, reason)
            return
        unless_served.pop_all()
    await _serve(Arrival(sock, transport, peer, door.admission.enter(peer), door.drain.join()), door, serve)


async def _serve(arrival: Arrival, door: Door, serve: Callable[[Arrival], Awaitable[None]]) -> None:
    """Serve one connection to its end."""
    gauge = door.metrics.connections.labels(door.name, arrival.transport)
    gauge.inc()
    try:
        with arrival.sock as sock:
            _set_options(sock)
            await serve(arrival)
    finally:
        gauge.dec()
        door.drain.leave(arrival.wait)
        door.admission.leave(arrival.peer)


def _set_options(sock: socket.socket) -> None:
    sock.setblocking(False)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in KEEPALIVE:
        sock.setsockopt(socket.IPPROTO_TCP, option, value)
