"""The Windows Event Forwarding listener: endpoints, what they offer, and the HTTP server, composed into one task (docs/protocol/wef.md).

socket ─▶ listeners.http ─▶ session (TLS, Kerberos) ─▶ reception ─▶ conversation ─▶ deeds ─▶ intake
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final
from uuid import UUID

import trio

from listeners.bind import bind, bound_address
from listeners.drain import Drain
from listeners.http.serve import Endpoint, Server, make_server, serve_http
from listeners.normalizing import Normalize
from listeners.passed import NOTHING_PASSED, Passed
from listeners.ready import Ready
from listeners.renewal import Apply, Renewal
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


@dataclass(frozen=True, slots=True)
class Terms:
    """What may change while the listener listens: of the settings who is let in and believed, certificates, and subscriptions.

    offered:  as `serve_wef` takes it.
    """

    settings: WefSettings
    offered: Sequence[Offered]

    def conversation(self, place: int, transport: Transport) -> Conversation:
        """What is said at the endpoint that stands at a place of the settings."""
        settings = self.settings
        return Conversation(settings.endpoints[place], PROFILES[transport], self.offered, settings.mismatch, NameList(settings.forwarders))


@dataclass(frozen=True, slots=True)
class Place:
    """One endpoint that is served."""

    authenticator: Authenticator
    reception: Reception
    served: Endpoint


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
    renewal: Renewal[Terms] | None = None,
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
        renewal: told how other terms are taken while it listens.
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
    terms, places = Terms(settings, offered), list[Place]()
    with contextlib.ExitStack() as sockets:
        bound = []
        for number, (endpoint, authenticator) in enumerate(zip(settings.endpoints, authenticators, strict=True)):
            transport = authenticator.transport
            reception = Reception(reach, terms.conversation(number, transport), authenticator.session)
            served = Endpoint(reception.converse, transport, settings.idle, authenticator.secure)
            places.append(Place(authenticator, reception, served))
            bound += [(served, sockets.enter_context(sock)) for sock in await bind(NAME, transport, endpoint.address, passed)]
        if renewal is not None:
            renewal.offer(partial(_prepare, server, places))
        async with trio.open_nursery() as nursery:
            for served, sock in bound:
                nursery.start_soon(serve_http, sock, served, server)
            task_status.started([Ready(NAME, served.transport, bound_address(sock)) for served, sock in bound])
            await (trio.Event() if stop is None else stop).wait()
            drain.ask()


def _prepare(server: Server, places: Sequence[Place], terms: Terms) -> Apply:
    """What puts other terms in force; what the settings say of sockets and limits is as it was."""
    secure = [place.authenticator.prepare(endpoint) for place, endpoint in zip(places, terms.settings.endpoints, strict=True)]
    conversations = [terms.conversation(number, place.served.transport) for number, place in enumerate(places)]

    def apply() -> None:
        server.renew(terms.settings)
        for change in secure:
            change()
        for place, conversation in zip(places, conversations, strict=True):
            place.reception.renew(conversation)
            place.served.idle = terms.settings.idle

    return apply
