"""The HTTP server: listening sockets whose connections are admitted, put under TLS, and handed to an application each.

    socket ─▶ accept ─▶ PROXY header (where configured) ─▶ admission ─▶ TLS (where configured) ─▶ application

A connection that isn't served is closed without a word and counted in `tidegate_connections_refused_total`: what `Admission` says, `shortage`,
what `secure` raises, `tls-deadline`, `drain`; with a PROXY protocol `proxy-deadline`, `proxy-truncated` and what `wire.proxy_protocol` says.
"""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

import trio

from listeners.accept import Arrival, Door, serve_connections
from listeners.admission import Admission, AllowList
from listeners.drain import Drain, Wait
from listeners.http.budget import BodyBudget
from listeners.http.connection import Connection, Ended, Shared
from listeners.http.settings import PEER_SHARE, HttpSettings
from pipeline.errors import FramingError, PeerError, leaves
from pipeline.log import Log, PeerLog
from pipeline.metrics import Metrics
from pipeline.model import Transport
from wire.proxy_protocol import scan_proxy_header

App = Callable[[Connection], Awaitable[None]]
"""What converses on a connection; called once for each. Returning ends the connection; `Ended` may pass through."""

Secure = Callable[[trio.abc.Stream, str], Awaitable[trio.abc.Stream]]
"""Does the TLS handshake on a stream just accepted from a peer, within a deadline set here; raises PeerError, whose reason is counted, where it fails."""


@dataclass(frozen=True, slots=True)
class Server:
    """What all endpoints of a listener share: limits, counts, and the door.

    clients:  who is connected, by the address a PROXY protocol header told; the door's own admission where there are no proxies.
    """

    door: Door
    clients: Admission
    shared: Shared
    log: Log

    def renew(self, settings: HttpSettings) -> None:
        """Let in whom other settings allow, and so many, from now on; proxies and limits of requests stay."""
        if self.clients is not self.door.admission:
            self.door.admission.renew(self.shared.settings.proxies, settings.connections, settings.connections)
        self.clients.renew(settings.allow, settings.connections, settings.connections_per_peer)


@dataclass(slots=True)
class Endpoint:
    """One listening socket's side of a listener. `idle` may change while it is served, for connections to come.

    app:        called once for each connection.
    transport:  http or https.
    idle:       seconds a client may be silent between requests.
    secure:     what puts TLS on; None for plain HTTP.
    """

    app: App
    transport: Transport
    idle: float
    secure: Secure | None = None


def make_server(name: str, settings: HttpSettings, *, metrics: Metrics, clock: Callable[[], int], log: Log, drain: Drain) -> Server:
    """A server without endpoints yet.

    Args:
        name: the listener's, `listeners.wef`.
        settings: limits of all endpoints together.
        metrics: what is counted here: octets, connections, refusals, ends, statuses.
        clock: nanoseconds since the Unix epoch, for the Date field.
        log: for what the listener does and what its peers do.
        drain: `drain.ask()` ends idle connections at once, the others with the answer to their request.
    """
    peer_log = PeerLog(log, trio.current_time)
    clients = Admission(AllowList(settings.allow), settings.connections, settings.connections_per_peer)
    proxies = Admission(AllowList(settings.proxies), settings.connections, settings.connections)
    budget = BodyBudget(settings.bodies, max(settings.body, settings.bodies // PEER_SHARE))
    door = Door(name, proxies if settings.proxies else clients, drain, metrics, peer_log)
    return Server(door, clients, Shared(name, settings, clock, budget, metrics, peer_log), log)


async def serve_http(listener: socket.socket, endpoint: Endpoint, server: Server) -> None:
    """Serve a listening socket until a drain; returns when its last connection has ended. `listeners.bind.bind` makes such sockets."""
    await serve_connections(listener, endpoint.transport, server.door, partial(_serve_arrival, endpoint, server))


async def _serve_arrival(endpoint: Endpoint, server: Server, arrival: Arrival) -> None:
    await serve_stream(trio.SocketStream(trio.socket.from_stdlib_socket(arrival.sock)), arrival.peer, arrival.wait, endpoint, server)


async def serve_stream(stream: trio.abc.HalfCloseableStream, peer: str, wait: Wait, endpoint: Endpoint, server: Server) -> None:
    """Serve one stream to its end, and close it.

    Args:
        stream: its octets, from the first.
        peer: its address.
        wait: its waits for the peer, which a drain ends.
        endpoint: whose it is.
        server: what it shares with the others.
    """
    try:
        if not server.shared.settings.proxies:
            await _secure_and_converse(stream, peer, wait, endpoint, server)
            return
        client = await _read_client(stream, peer, wait, server.shared.settings.header_deadline) or peer
        _admit(client, server.clients, proxy=peer)
        try:
            await _secure_and_converse(stream, client, wait, endpoint, server)
        finally:
            server.clients.leave(client)
    except Ended:
        return
    except PeerError as error:
        server.door.refuse(endpoint.transport, error.peer, error.reason)
    finally:
        await trio.aclose_forcefully(stream)


def _admit(client: str, clients: Admission, *, proxy: str) -> None:
    """Count a client in, or raise PeerError; a proxy that speaks for itself, to see whether we are well, is always let in."""
    reason = clients.refusal(client)
    if reason is not None and client != proxy:
        raise PeerError(reason, client)
    clients.enter(client)


async def _read_client(stream: trio.abc.ReceiveStream, proxy: str, wait: Wait, seconds: float) -> str | None:
    """The address that the PROXY protocol header tells, None where it tells none.

    Raises:
        PeerError: there is no header, a wrong one, or none in time.
    """
    octets, client = bytearray(), list[str | None]()

    async def read() -> None:
        found = scan_proxy_header(b"")
        while isinstance(found, int):
            data = await stream.receive_some(found)
            if not data:
                raise PeerError("proxy-truncated", proxy)
            octets.extend(data)
            found = scan_proxy_header(bytes(octets))
        client.append(found.client[0] if found.client else None)

    try:
        if not await wait.until(read, trio.current_time() + seconds):
            raise PeerError(wait.ended_by or "proxy-deadline", proxy)
    except FramingError as error:
        raise PeerError(error.rule, proxy) from error
    except trio.BrokenResourceError as error:
        raise PeerError("proxy-truncated", proxy) from error
    return client[0]


async def _secure_and_converse(stream: trio.abc.HalfCloseableStream, peer: str, wait: Wait, endpoint: Endpoint, server: Server) -> None:
    secured: trio.abc.Stream = stream
    if endpoint.secure is not None:
        secured = await _shake_hands(stream, peer, wait, endpoint.secure, server.shared.settings.handshake)
    connection = Connection(secured, peer=peer, transport=endpoint.transport, idle=endpoint.idle, wait=wait, shared=server.shared)
    try:
        await endpoint.app(connection)
    except PeerError:
        raise
    except Exception as error:  # a fault of ours in one request must not end the listener
        if all(isinstance(leaf, Ended) for leaf in leaves(error)):  # it came through a nursery of the application's
            return
        server.log.exception("request failed", peer=peer, listener=server.shared.name)
        server.shared.metrics.connections_ended.labels(server.shared.name, "internal-error").inc()
        await connection.fail()
    finally:
        await connection.close()


async def _shake_hands(stream: trio.abc.HalfCloseableStream, peer: str, wait: Wait, secure: Secure, seconds: float) -> trio.abc.Stream:
    secured = list[trio.abc.Stream]()

    async def shake() -> None:
        secured.append(await secure(stream, peer))

    if not await wait.until(shake, trio.current_time() + seconds):
        raise PeerError(wait.ended_by or "tls-deadline", peer)
    return secured[0]
