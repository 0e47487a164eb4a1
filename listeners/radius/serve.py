"""The RADIUS accounting listener: UDP and TLS sockets composed into one task (docs/listeners/radius.md).

datagrams ─▶ exchange ─▶ reception ─▶ intake
radsec ─────────┘           └─▶ receipt ─▶ answer
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Final

import trio

from kernel import Room
from listeners.accept import Door, serve_connections
from listeners.admission import EVERYBODY, Admission, AllowList
from listeners.bind import bind, bound_address
from listeners.datagrams import ask_room
from listeners.drain import Drain
from listeners.passed import NOTHING_PASSED, Passed
from listeners.radius.clients import Clients
from listeners.radius.datagrams import serve_datagrams
from listeners.radius.radsec import READ_OCTETS, TURNS, Hall, serve_connection
from listeners.radius.reception import Intake, Normalize, Proof, Reception, committed
from listeners.radius.reply_socket import ReplySocket
from listeners.radius.settings import RadiusSettings, RadsecTls
from listeners.ready import Ready
from listeners.renewal import Apply, Renewal
from listeners.tls import Certificates
from pipeline.log import Log, PeerLog
from pipeline.metrics import Metrics
from pipeline.model import Origin, Reject, Transport
from pipeline.settings import SocketAddress

NAME: Final = "listeners.radius"

TURN: Final = 32
"""A hundredth of a second's work of the reference engine."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What may change while the listener listens: of the settings clients, certificates and bounds of connections.

    keep, proof:  as `serve_radius` takes them.
    """

    settings: RadiusSettings
    keep: bool
    proof: Proof


async def serve_radius(
    settings: RadiusSettings,
    *,
    normalize: Normalize,
    intake: Intake,
    remember: Callable[[Origin, Reject], None],
    metrics: Metrics,
    takes_in: Callable[[], bool],
    clock: Callable[[], int],
    log: Log,
    turn: int = TURN,
    keep: bool = False,
    proof: Proof = committed,
    passed: Passed = NOTHING_PASSED,
    renewal: Renewal[Terms] | None = None,
    stop: trio.Event | None = None,
    task_status: trio.TaskStatus[list[Ready]] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Listen until cancelled, or until `stop` is set, which drains.

    A drain accepts and waits for nothing more, takes what the kernel already took from clients, and returns when all of it is kept and answered. The time it
    may take is the caller's to limit. Cancelling closes at once; what wasn't answered then, its clients send again.

    Args:
        settings: where, whom and when.
        normalize: Frames of whole verified packets, and their client's maker, to Batch; pure, called on this thread for a burst of one peer at a time.
        intake: where batches go.
        remember: keeps what was dropped for `tidegate explain --last`.
        metrics: what is counted here: octets, connections, drops, answers. Requests are counted by the intake.
        takes_in: whether the spool takes records in.
        clock: nanoseconds since the Unix epoch.
        log: for what the listener does and what its peers do.
        turn: so many requests at most are normalized before other sockets get their turn.
        keep: whether packets are kept beside their records, for a relay.
        proof: what an answer waits for.
        passed: sockets that are bound already.
        renewal: told how other terms are taken while it listens.
        stop: set it for a drain.
        task_status: started with one Ready for every bound address, once it accepts.

    Raises:
        ConfigError: an address can't be bound, or a certificate can't be used.
    """
    peer_log, drain, clients = PeerLog(log, trio.current_time), Drain(), Clients(settings.clients)
    reception = Reception(
        name=NAME,
        turn=turn,
        normalize=normalize,
        intake=intake,
        remember=remember,
        keep=keep,
        proof=proof,
        takes_in=takes_in,
        clock=clock,
        metrics=metrics,
        peer_log=peer_log,
    )
    hall = _hall(settings.tls, clients, reception, drain, log) if settings.tls else None
    if renewal is not None:
        renewal.offer(partial(_prepare, clients, reception, hall))
    with contextlib.ExitStack() as sockets:
        bound = [
            (transport, sockets.enter_context(sock)) for transport, address in _addresses(settings) for sock in await bind(NAME, transport, address, passed)
        ]
        async with trio.open_nursery() as nursery:
            for transport, sock in bound:
                if hall is not None and transport is Transport.RADSEC:
                    nursery.start_soon(serve_connections, sock, transport, hall.door, partial(serve_connection, hall))
                else:
                    ask_room(NAME, sock, settings.receive_buffer, log)
                    nursery.start_soon(serve_datagrams, ReplySocket(sock), clients, reception, drain)
            task_status.started([Ready(NAME, transport, bound_address(sock)) for transport, sock in bound])
            await (trio.Event() if stop is None else stop).wait()
            drain.ask()


def _hall(tls: RadsecTls, clients: Clients, reception: Reception, drain: Drain, log: Log) -> Hall:
    """What connections over TLS need."""
    door = Door(NAME, Admission(AllowList(EVERYBODY), tls.connections, tls.connections_per_peer), drain, reception.metrics, reception.peer_log)
    return Hall(door, clients, Certificates(tls, log), reception, tls.handshake, tls.idle, trio.CapacityLimiter(TURNS), Room(READ_OCTETS, 0))


def _prepare(clients: Clients, reception: Reception, hall: Hall | None, terms: Terms) -> Apply:
    """What puts other terms in force; what the settings say of sockets is as it was."""
    tls = terms.settings.tls
    secure = hall.certificates.prepare(tls) if hall and tls else None

    def apply() -> None:
        clients.renew(terms.settings.clients)
        reception.keep, reception.proof = terms.keep, terms.proof
        if hall and tls and secure:
            hall.door.admission.renew(EVERYBODY, tls.connections, tls.connections_per_peer)
            secure()

    return apply


def _addresses(settings: RadiusSettings) -> Iterator[tuple[Transport, SocketAddress]]:
    for transport, addresses in ((Transport.UDP, settings.addresses), (Transport.RADSEC, settings.tls.addresses if settings.tls else ())):
        for address in addresses:
            yield transport, address
