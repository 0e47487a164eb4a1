"""The Windows Event Forwarding listener: endpoints, what they offer, and the HTTP server, composed into one task (docs/protocol/wef.md).

socket ─▶ listeners.http ─▶ session (TLS, Kerberos) ─▶ reception ─▶ conversation ─▶ deeds ─▶ intake
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import Final
from uuid import UUID

import trio

from listeners.bind import bind, bound_address
from listeners.drain import Drain
from listeners.http.serve import Endpoint, make_server, serve_http
from listeners.normalizing import Normalize
from listeners.passed import NOTHING_PASSED, Passed
from listeners.ready import Ready
from listeners.wef.conversation import Conversation, Offered
from listeners.wef.deeds import Intake, Memory, Reach
from listeners.wef.identity import NameList
from listeners.wef.reception import Reception
from listeners.wef.session import Authenticator
from listeners.wef.settings import WefSettings
from listeners.wef.sources import Sources
from pipeline.log import Log, PeerLog
from pipeline.metrics import Metrics
from pipeline.model import Origin, Reject, Transport
from wire.wef.namespaces import SecurityProfile

NAME: Final = "listeners.wef"

PROFILES: Final = {Transport.HTTPS: SecurityProfile.CERTIFICATE, Transport.HTTP: SecurityProfile.KERBEROS}


async def serve_wef(
    settings: WefSettings,
    *,
    authenticators: Sequence[Authenticator],
    offered: Sequence[Offered],
    normalize: Normalize,
    intake: Intake,
    memory: Memory,
    remember: Callable[[Origin, Reject], None],
    metrics: Metrics,
    clock: Callable[[], int],
    new_uuid: Callable[[], UUID],
    log: Log,
    passed: Passed = NOTHING_PASSED,
    stop: trio.Event | None = None,
    task_status: trio.TaskStatus[list[Ready]] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Listen until cancelled, or until `stop` is set, which drains: what is being answered is answered, idle connections end.

    Args:
        settings: [listeners.wef].
        authenticators: one for each endpoint, in the order of the settings.
        offered: every Windows subscription, in the order sources are told of them.
        normalize: Frames of bare events to Batch, pure; called on this thread, for no more than 64 KiB or one event at a time.
        intake: where batches go.
        memory: where bookmarks come from.
        remember: keeps what was refused for `tidegate explain --last`.
        metrics: what is counted here: connections, requests, sources. Events are counted by the intake.
        clock: nanoseconds since the Unix epoch.
        new_uuid: makes the IDs of messages; random.
        log: for what the listener does and what its peers do.
        passed: sockets that are bound already.
        stop: set it for a drain.
        task_status: started with one Ready for every bound address, once it accepts.

    Raises:
        ConfigError: an address can't be bound.
    """
    drain = Drain()
    server = make_server(NAME, settings, metrics=metrics, clock=clock, log=log, drain=drain)
    reach = Reach(
        name=NAME,
        decompressed=settings.decompressed,
        answer_within=settings.answer_within,
        normalize=normalize,
        intake=intake,
        memory=memory,
        remember=remember,
        sources=Sources(),
        metrics=metrics,
        peer_log=PeerLog(log, trio.current_time),
        clock=clock,
        new_uuid=new_uuid,
    )
    forwarders = NameList(settings.forwarders)
    with contextlib.ExitStack() as sockets:
        bound = []
        for endpoint, authenticator in zip(settings.endpoints, authenticators, strict=True):
            transport = authenticator.transport
            conversation = Conversation(endpoint, PROFILES[transport], offered, settings.mismatch, forwarders)
            application = Reception(reach, conversation, authenticator.session).converse
            served = Endpoint(application, transport, settings.idle, authenticator.secure)
            bound += [(served, sockets.enter_context(sock)) for sock in await bind(NAME, transport, endpoint.address, passed)]
        async with trio.open_nursery() as nursery:
            for served, sock in bound:
                nursery.start_soon(serve_http, sock, served, server)
            task_status.started([Ready(NAME, served.transport, bound_address(sock)) for served, sock in bound])
            await (trio.Event() if stop is None else stop).wait()
            drain.ask()
