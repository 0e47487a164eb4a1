"""One HTTP/1.1 connection as its application sees it: next head, its body, an answer, and again, until either side has enough.

    async def application(connection: Connection) -> None:
        while (request := await connection.next_request()) is not None:
            await connection.respond(Response(200, request.body))

One request at a time: what a peer sends ahead stays in the kernel, but for one read, and is served in order. Whoever wants to refuse by the
head alone asks for `next_head`, and either `read_body` or `respond`; answered without its body, a request is the connection's last.

A request that breaks a rule, comes too slowly or not to its end is answered here, where it can be, and ends the connection: `Ended` is
raised, which an application lets pass. Its reason is counted as `tidegate_connections_ended_total`:

    reason                status  what happened
    a rule                        see `wire.http_rules`
    header-deadline       408     the head took too long
    body-deadline         408     the content took too long
    bodies-full           503     no room for the content came free
    write-deadline                the peer doesn't read its answer
    truncated                     the peer left within a request
    reset                         the connection broke
    idle                          nothing came for longer than allowed
    drain                         the listener stops
    internal-error        500     the application failed
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from email.utils import formatdate
from functools import partial
from http import HTTPStatus
from typing import Final, NoReturn

import h11
import trio

from listeners.drain import DRAIN, Wait
from listeners.http.budget import BodyBudget
from listeners.http.messages import Request, Response
from listeners.http.settings import HttpSettings
from pipeline.errors import FramingError, PeerError
from pipeline.log import PeerLog
from pipeline.metrics import Metrics
from pipeline.model import Transport
from wire.http_rules import Head, HeadLimits, parse_head, scan_head, status_of

HEAD_READ: Final = 4 << 10
"""Small, since what it takes of a body isn't counted in the budget yet."""

BODY_READ: Final = 64 << 10
BUDGET_SECONDS: Final = 30.0
WRITE_SECONDS: Final = 30.0
DRAIN_SECONDS: Final = 5.0
"""What is left to a request that a drain finds arriving."""

LINGER_SECONDS: Final = 2.0
LINGER_OCTETS: Final = 1 << 20

UNREMARKABLE: Final = frozenset({"idle", DRAIN})
"""Ends that are counted and not logged."""

BODILESS: Final = frozenset({204, 304})


class Ended(PeerError):  # noqa: N818 - as trio.Cancelled: a fact, not a fault
    """The connection is over, and everybody who should know does: let it pass."""


@dataclass(frozen=True, slots=True)
class Shared:
    """What all connections of a listener share.

    name:   the listener's.
    clock:  nanoseconds since the Unix epoch.
    """

    name: str
    settings: HttpSettings
    clock: Callable[[], int]
    budget: BodyBudget
    metrics: Metrics
    peer_log: PeerLog


class Connection:
    """A connection of `peer`.

    Args:
        stream: its octets; under TLS a TlsStream, its handshake done.
        peer: address of the client as text, without port.
        transport: http or https.
        idle: seconds it may be silent between requests.
        wait: its waits for the peer, which a drain ends.
        shared: what it shares with the others.
    """

    def __init__(self, stream: trio.abc.Stream, *, peer: str, transport: Transport, idle: float, wait: Wait, shared: Shared) -> None:
        self.stream: Final = stream
        self.peer: Final = peer
        self.transport: Final = transport
        self._idle: Final = idle
        self._wait: Final = wait
        self._shared: Final = shared
        self._limits: Final = HeadLimits(shared.settings.head, shared.settings.body)
        self._count: Final = shared.metrics.received_bytes.labels(shared.name, transport).inc
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=shared.settings.head + 2)
        self._buffer = bytearray()
        self._head: Head | None = None
        self._reserved = 0
        self._requests = 0
        self._closing = False

    async def next_request(self) -> Request | None:
        """The next request with its content; None when there won't be one.

        Raises:
            Ended: see above.
        """
        head = await self.next_head()
        return None if head is None else Request(head, await self.read_body())

    async def next_head(self) -> Head | None:
        """The head of the next request; None when the peer left in good order, was silent for too long, or the listener stops.

        Raises:
            Ended: see above.
        """
        if self._head is not None:
            raise RuntimeError("the last request hasn't been answered")
        settings = self._shared.settings
        if self._closing or not await self._begun():
            return None
        try:
            if not await self._wait.until(self._read_head, trio.current_time() + settings.header_deadline, DRAIN_SECONDS):
                await self._give_up("header-deadline", 408)
        except FramingError as error:
            await self._refuse(error)
        self._requests += 1
        return self._head

    async def read_body(self) -> bytes:
        """The content of the request whose head came last, b"" where it has none.

        Raises:
            Ended: see above.
        """
        head, budget = self._head, self._shared.budget
        if head is None:
            raise RuntimeError("there is no request")
        if not head.length:
            return b""
        if self._http.their_state is not h11.SEND_BODY:
            raise RuntimeError("the body has been read")
        reserve = partial(budget.reserve, self.peer, head.length)
        if not await self._wait.until(reserve, trio.current_time() + BUDGET_SECONDS, DRAIN_SECONDS):
            await self._give_up("bodies-full", 503)
        self._reserved = head.length
        self._shared.metrics.http_bodies_bytes.labels(self._shared.name).inc(head.length)
        if self._http.they_are_waiting_for_100_continue:
            await self._send(self._http.send(h11.InformationalResponse(status_code=100, headers=[])))
        body = bytearray()
        read = partial(self._read_body, body, head.length)
        if not await self._wait.until(read, trio.current_time() + self._shared.settings.body_deadline, DRAIN_SECONDS):
            await self._give_up("body-deadline", 408)
        return bytes(body)

    async def respond(self, response: Response) -> None:
        """Answer the request whose head came last. `next_head` returns None afterwards where this was the connection's last answer.

        Raises:
            Ended: the peer is gone or doesn't read.
        """
        unread = self._http.their_state is h11.SEND_BODY
        await self._answer(response, last=response.close or unread or self._wait.ended_by is not None)
        if unread:
            await self._linger()

    async def close(self) -> None:
        """End the connection; the listener does it when the application returns."""
        self._release()
        with trio.move_on_after(LINGER_SECONDS) as scope:  # under TLS this sends close_notify
            await self.stream.aclose()
        if scope.cancelled_caught:
            await trio.aclose_forcefully(self.stream)

    async def fail(self) -> None:
        """Answer 500 where an answer is due: the application's own fault."""
        if self._http.our_state in (h11.IDLE, h11.SEND_RESPONSE) and self._http.their_state is not h11.IDLE:
            await self.respond(Response(500, close=True))

    async def _begun(self) -> bool:
        """Whether a request begins to arrive before the peer leaves, or has been silent for too long."""
        if self._buffer:
            return True
        first = not self._requests
        allowed = self._shared.settings.header_deadline if first else self._idle
        if await self._wait.until(self._receive, trio.current_time() + allowed):
            return bool(self._buffer)
        self._ended(self._wait.ended_by or ("header-deadline" if first else "idle"))
        return False

    async def _receive(self, most: int = HEAD_READ) -> None:
        """Read once; an end of the stream leaves the buffer as it was."""
        try:
            data = await self.stream.receive_some(most)
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            raise self._ended("reset") from error
        self._count(len(data))
        self._buffer += data

    async def _read_head(self) -> None:
        searched = 0
        while True:
            end, searched = scan_head(self._buffer, searched, self._limits)
            if end:
                break
            before = len(self._buffer)
            await self._receive()
            if len(self._buffer) == before:
                raise self._ended("truncated")
        octets = bytes(self._buffer[:end])
        del self._buffer[:end]
        self._head = parse_head(octets, self._limits)
        self._http.receive_data(octets.removeprefix(b"\r\n"))
        try:
            self._http.next_event()
            if not self._head.length:
                self._http.next_event()
        except h11.RemoteProtocolError as error:
            raise FramingError("bad-head", document="RFC 9112", detail=str(error)[:100]) from error

    async def _read_body(self, body: bytearray, length: int) -> None:
        while len(body) < length:
            if not self._buffer:
                await self._receive(BODY_READ)
                if not self._buffer:
                    raise self._ended("truncated")
            piece = bytes(self._buffer[: length - len(body)])
            del self._buffer[: len(piece)]
            body += piece
            self._http.receive_data(piece)
            self._http.next_event()
        self._http.next_event()

    async def _answer(self, response: Response, *, last: bool) -> None:
        octets = self._http.send(self._event(response, last=last)) or b""
        if response.body and (self._head is None or self._head.method != "HEAD"):
            octets += self._http.send(h11.Data(data=response.body)) or b""
        octets += self._http.send(h11.EndOfMessage()) or b""
        self._shared.metrics.http_responses.labels(self._shared.name, str(response.status)).inc()
        self._head = None
        try:
            await self._send(octets)
        finally:
            self._release()
        if self._http.our_state is h11.DONE and self._http.their_state is h11.DONE:
            self._http.start_next_cycle()
        else:
            self._closing = True

    def _event(self, response: Response, *, last: bool) -> h11.Response:
        fields = [("Date", formatdate(self._shared.clock() / 1e9, usegmt=True)), *response.fields]
        if response.status not in BODILESS:
            fields.append(("Content-Length", str(len(response.body))))
        if last:
            fields.append(("Connection", "close"))
        return h11.Response(status_code=response.status, headers=fields, reason=HTTPStatus(response.status).phrase)

    async def _send(self, octets: bytes | None) -> None:
        try:
            with trio.move_on_after(WRITE_SECONDS) as scope:
                await self.stream.send_all(octets or b"")
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            raise self._ended("reset") from error
        if scope.cancelled_caught:
            raise self._ended("write-deadline")

    async def _refuse(self, error: FramingError) -> None:
        await self._give_up(error.rule, status_of(error), str(error))

    async def _give_up(self, reason: str, status: int, detail: str = "") -> NoReturn:
        """End a request that can't be served, saying so to a peer that still listens."""
        ended = self._ended(self._wait.ended_by or reason, detail)
        if self._http.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            await self._answer(Response(status), last=True)
            await self._linger()
        raise ended

    async def _linger(self) -> None:
        """Read on for a moment after a last answer: to close on unread octets is to reset, and the answer may be lost with it (RFC 9112 section 9.6)."""
        with trio.move_on_after(LINGER_SECONDS):
            try:
                if isinstance(self.stream, trio.abc.HalfCloseableStream):
                    await self.stream.send_eof()
                left = LINGER_OCTETS
                while left > 0 and (data := await self.stream.receive_some(BODY_READ)):
                    left -= len(data)
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                return

    def _ended(self, reason: str, detail: str = "") -> Ended:
        shared = self._shared
        shared.metrics.connections_ended.labels(shared.name, reason).inc()
        if reason not in UNREMARKABLE:
            facts = {"detail": detail} if detail else {}
            shared.peer_log.warning("connection ended", peer=self.peer, listener=shared.name, transport=self.transport, reason=reason, **facts)
        return Ended(reason, self.peer)

    def _release(self) -> None:
        if self._reserved:
            self._shared.budget.release(self.peer, self._reserved)
            self._shared.metrics.http_bodies_bytes.labels(self._shared.name).dec(self._reserved)
            self._reserved = 0
