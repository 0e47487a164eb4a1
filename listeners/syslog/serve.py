"""The syslog listener: UDP, TCP and TLS sockets composed into one task (docs/listeners/syslog.md).

bytes ─▶ datagrams ─────────────────────▶ handover ─▶ intake
     └─▶ accept ─▶ connection (reassembly) ─┘
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from functools import partial
from typing import Final

import trio

from kernel import Engine
from listeners.accept import Door, serve_connections
from listeners.admission import Admission, AllowList
from listeners.bind import bind, bound_address
from listeners.datagrams import ask_room
from listeners.drain import Drain
from listeners.normalizing import SLICE_OCTETS, Normalize
from listeners.passed import NOTHING_PASSED, Passed
from listeners.ready import Ready
from listeners.renewal import Apply, Renewal
from listeners.syslog.accept import Hall, Tls, serve_connection
from listeners.syslog.connection import LARGEST_READ, TURNS, Shared
from listeners.syslog.datagrams import Hearing, serve_datagrams
from listeners.syslog.handover import Handover, Intake
from listeners.syslog.holdings import Holdings
from listeners.syslog.reassembly import Reassembly
from listeners.syslog.rooms import Rooms
from listeners.syslog.settings import SyslogSettings
from listeners.tls import Certificates
from pipeline.log import Log, PeerLog
from pipeline.metrics import Metrics
from pipeline.model import Transport
from pipeline.settings import SocketAddress
from wire.syslog_framing import scanner
from wire.syslog_multiline import TWINS

NAME: Final = "listeners.syslog"
NEVER: Final = float("inf")

PATIENCE_S: Final = 2.0
"""A drain hears peers out for so long at most: whoever hasn't noticed by then never looks."""


async def serve_syslog(
    settings: SyslogSettings,
    *,
    normalize: Normalize,
    turn_octets: Callable[[], int] = lambda: SLICE_OCTETS,
    intake: Intake,
    metrics: Metrics,
    engine: Engine,
    clock: Callable[[], int],
    log: Log,
    passed: Passed = NOTHING_PASSED,
    renewal: Renewal[SyslogSettings] | None = None,
    stop: trio.Event | None = None,
    patience: Callable[[], float] = lambda: PATIENCE_S,
    task_status: trio.TaskStatus[list[Ready]] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Listen until cancelled, or until `stop` is set, which drains.

    A drain accepts nothing more, tells peers by the end of our stream, hears them out, and returns when all of it is on stable
    storage. The time it may take is the caller's to limit. Cancelling closes at once, and what wasn't handed over is lost.

    Args:
        settings: where, whom and how much.
        normalize: Frames to Batch, pure; called on this thread.
        turn_octets: how much of a buffer, or one message, it is given at a time.
        intake: where batches go.
        metrics: what is counted here: octets, connections, refusals, the kernel's drops. Messages are counted by the intake.
        engine: which implementation frames streams.
        clock: nanoseconds since the Unix epoch.
        log: for what the listener does and what its peers do.
        passed: sockets that are bound already.
        renewal: told how the allow-list, the bounds of connections and the certificate are changed while it listens.
        stop: set it for a drain.
        patience: seconds for which a drain may hear peers out, asked for when it begins; no more than PATIENCE_S.
        task_status: started with one Ready for every bound address, once it accepts.

    Raises:
        ConfigError: an address can't be bound, or a certificate can't be used.
    """
    peer_log = PeerLog(log, trio.current_time)
    handover = Handover(normalize, intake, log, peer_log, turn_octets)
    allow_list, drain, scan = AllowList(settings.allow), Drain(), scanner(engine)
    hearing = Hearing(NAME, clock, settings.max_message, allow_list, drain, handover, metrics, peer_log)
    shared = Shared(
        name=NAME,
        clock=clock,
        handover=handover,
        holdings=Holdings(settings.incomplete),
        turns=trio.CapacityLimiter(TURNS),
        rooms=Rooms(LARGEST_READ),
        idle=NEVER if settings.idle is None else settings.idle,
        multiline=settings.multiline,
    )
    door = Door(NAME, Admission(allow_list, settings.connections, settings.connections_per_peer), drain, metrics, peer_log)
    hall = Hall(door, shared, lambda: Reassembly(scan, settings.max_message, TWINS[engine]))
    tls = Tls(Certificates(settings.tls, log), settings.tls.handshake) if settings.tls else None
    if renewal is not None:
        renewal.offer(partial(_prepare, door.admission, tls))
    with contextlib.ExitStack() as sockets:
        bound = [
            (transport, sockets.enter_context(sock)) for transport, address in _addresses(settings) for sock in await bind(NAME, transport, address, passed)
        ]
        async with trio.open_nursery() as nursery:
            for transport, sock in bound:
                if transport is Transport.UDP:
                    ask_room(NAME, sock, settings.receive_buffer, log)
                    nursery.start_soon(serve_datagrams, sock, hearing)
                else:
                    serve = partial(serve_connection, hall, tls if transport is Transport.TLS else None)
                    nursery.start_soon(partial(serve_connections, sock, transport, door, serve, to_the_last=not passed.lent(sock)))
            task_status.started([Ready(NAME, transport, bound_address(sock)) for transport, sock in bound])
            await (trio.Event() if stop is None else stop).wait()
            drain.ask(min(PATIENCE_S, patience()))
        await handover.settled()


def _prepare(admission: Admission, tls: Tls | None, settings: SyslogSettings) -> Apply:
    """What puts other settings in force; those of sockets are as they were."""
    secure = tls.certificates.prepare(settings.tls) if tls and settings.tls else None

    def apply() -> None:
        admission.renew(settings.allow, settings.connections, settings.connections_per_peer)
        if secure is not None:
            secure()

    return apply


def _addresses(settings: SyslogSettings) -> Iterator[tuple[Transport, SocketAddress]]:
    for transport, addresses in (
        (Transport.UDP, settings.udp),
        (Transport.TCP, settings.tcp),
        (Transport.TLS, settings.tls.addresses if settings.tls else ()),
    ):
        for address in addresses:
            yield transport, address
