"""Connections of syslog: what the door let in is put under TLS where the socket is one for TLS, and conversed with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from listeners.accept import Arrival, Door
from listeners.channel import Channel, TcpChannel
from listeners.drain import DRAIN
from listeners.syslog.connection import PARTING_S, Connection, Shared
from listeners.syslog.reassembly import Reassembly
from listeners.tls import Certificates, identity, shake_hands
from pipeline.errors import PeerError


@dataclass(frozen=True, slots=True)
class Tls:
    """What makes a listening socket one for TLS.

    certificates:  contexts for the handshakes.
    handshake:     seconds one may take.
    """

    certificates: Certificates
    handshake: float


@dataclass(frozen=True, slots=True)
class Hall:
    """What every connection of the listener needs.

    new_reassembly:  called once per connection.
    """

    door: Door
    shared: Shared
    new_reassembly: Callable[[], Reassembly]


async def serve_connection(hall: Hall, tls: Tls | None, arrival: Arrival) -> None:
    """Serve one connection from its handshake to its end."""
    try:
        if tls is None:
            await _converse(TcpChannel(arrival.sock), None, arrival, hall)
        else:
            await _serve_tls(arrival, tls, hall)
    finally:
        hall.shared.holdings.hold(arrival.wait, 0)


async def _serve_tls(arrival: Arrival, tls: Tls, hall: Hall) -> None:
    try:
        channel = await shake_hands(arrival.sock, arrival.peer, tls.certificates, arrival.wait, tls.handshake, grace=PARTING_S)
    except PeerError as error:
        hall.door.refuse(arrival.transport, arrival.peer, error.reason)
        return
    try:
        await _converse(channel, identity(channel.tls), arrival, hall)
    finally:
        channel.close()


async def _converse(channel: Channel, name: str | None, arrival: Arrival, hall: Hall) -> None:
    connection = Connection(
        channel,
        transport=arrival.transport,
        peer=arrival.peer,
        identity=name,
        guest=arrival.guest,
        wait=arrival.wait,
        reassembly=hall.new_reassembly(),
        count=hall.door.metrics.received_bytes.labels(hall.door.name, arrival.transport).inc,
        shared=hall.shared,
    )
    reason = await connection.converse()
    if reason is not None:
        hall.door.metrics.connections_ended.labels(hall.door.name, reason).inc()
        if reason != DRAIN:
            hall.door.peer_log.warning("connection ended", peer=arrival.peer, listener=hall.door.name, transport=arrival.transport, reason=reason)
