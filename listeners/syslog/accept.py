"""The door for connections: accept, admit or refuse, put TLS on, serve, count.

Errors of accept(2) that say the machine is short of something (descriptors, memory) are waited out for a moment, as
`trio.serve_listeners` does; those about the one connection that was to be accepted (accept(2), "Error handling") are passed over;
any other ends the listener. A connection that isn't served is closed at once, and counted with the reason.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Final

import trio

from listeners.syslog.admission import Admission, Guest
from listeners.syslog.channel import Channel, TcpChannel, TlsChannel
from listeners.syslog.connection import Connection, Shared
from listeners.syslog.drain import DRAIN, Drain, Wait
from listeners.syslog.reassembly import Reassembly
from listeners.syslog.tls import Certificates, identity, shake_hands
from pipeline.errors import PeerError
from pipeline.log import PeerLog
from pipeline.metrics import Metrics
from pipeline.model import Transport

SHORTAGES: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS})
SHORTAGE_SECONDS: Final = 0.1

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


@dataclass(frozen=True, slots=True)
class Tls:
    """What makes a listening socket one for TLS.

    certificates:  contexts for the handshakes.
    handshake:     seconds one may take.
    """

    certificates: Certificates
    handshake: float


@dataclass(frozen=True, slots=True)
class Door:
    """What every listening socket of the listener needs.

    new_reassembly:  called once per connection.
    """

    shared: Shared
    admission: Admission
    drain: Drain
    metrics: Metrics
    peer_log: PeerLog
    new_reassembly: Callable[[], Reassembly]


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


async def serve_connections(listener: socket.socket, tls: Tls | None, door: Door) -> None:
    """Serve a listening socket until a drain; returns when its last connection has ended."""
    wait = door.drain.join()
    transport = Transport.TCP if tls is None else Transport.TLS
    async with trio.open_nursery() as nursery:
        try:
            while await wait.until(partial(trio.lowlevel.wait_readable, listener)):
                try:
                    for sock, peer in _waiting(listener):
                        reason = door.admission.refusal(peer)
                        if reason is None:
                            nursery.start_soon(_serve, Arrival(sock, transport, peer, door.admission.enter(peer), door.drain.join()), tls, door)
                        else:
                            sock.close()
                            _refuse(door, transport, peer, reason)
                except OSError as error:
                    if error.errno not in SHORTAGES:
                        raise
                    _refuse(door, transport, "", "shortage")
                    await trio.sleep(SHORTAGE_SECONDS)
        finally:
            door.drain.leave(wait)


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


def _refuse(door: Door, transport: Transport, peer: str, reason: str) -> None:
    door.metrics.connections_refused.labels(door.shared.name, reason).inc()
    door.peer_log.warning("connection refused", peer=peer, listener=door.shared.name, transport=transport, reason=reason)


async def _serve(arrival: Arrival, tls: Tls | None, door: Door) -> None:
    """Serve one connection from its handshake to its end."""
    gauge = door.metrics.connections.labels(door.shared.name, arrival.transport)
    gauge.inc()
    try:
        with arrival.sock as sock:
            _set_options(sock)
            if tls is None:
                await _converse(TcpChannel(sock), None, arrival, door)
            else:
                await _serve_tls(arrival, tls, door)
    finally:
        gauge.dec()
        door.shared.holdings.hold(arrival.wait, 0)
        door.drain.leave(arrival.wait)
        door.admission.leave(arrival.peer)


async def _serve_tls(arrival: Arrival, tls: Tls, door: Door) -> None:
    try:
        secured = await shake_hands(arrival.sock, arrival.peer, tls.certificates.context(), arrival.wait, tls.handshake)
    except PeerError as error:
        _refuse(door, Transport.TLS, arrival.peer, error.reason)
        return
    channel = TlsChannel(secured)
    try:
        await _converse(channel, identity(secured), arrival, door)
    finally:
        channel.close()


async def _converse(channel: Channel, name: str | None, arrival: Arrival, door: Door) -> None:
    connection = Connection(
        channel,
        transport=arrival.transport,
        peer=arrival.peer,
        identity=name,
        guest=arrival.guest,
        wait=arrival.wait,
        reassembly=door.new_reassembly(),
        count=door.metrics.received_bytes.labels(door.shared.name, arrival.transport).inc,
        shared=door.shared,
    )
    reason = await connection.converse()
    if reason is not None:
        door.metrics.connections_ended.labels(door.shared.name, reason).inc()
        if reason != DRAIN:
            door.peer_log.warning("connection ended", peer=arrival.peer, listener=door.shared.name, transport=arrival.transport, reason=reason)


def _set_options(sock: socket.socket) -> None:
    sock.setblocking(False)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in KEEPALIVE:
        sock.setsockopt(socket.IPPROTO_TCP, option, value)
