"""An HTTP server under test, over streams in memory or sockets of the loopback, and a client that only moves octets."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from io import StringIO
from types import MappingProxyType

import trio
import trio.testing

from listeners.bind import bind, bound_address
from listeners.drain import Drain
from listeners.http.connection import Connection
from listeners.http.messages import Request, Response
from listeners.http.serve import Endpoint, Secure, Server, make_server, serve_http, serve_stream
from listeners.http.settings import HttpSettings
from pipeline.log import LogSettings
from pipeline.log_lines import open_log
from pipeline.metrics import Metrics
from pipeline.model import Transport
from pipeline.settings import SocketAddress

NAME = "listeners.wef"
IDLE = 600.0
PATIENCE = 60
NOW_NS = 1_700_000_000_000_000_000

Pair = Callable[[], tuple[trio.abc.HalfCloseableStream, trio.abc.HalfCloseableStream]]
App = Callable[[Connection], Awaitable[None]]


@dataclass
class Echo:
    """An application that answers with what it was asked, and remembers it."""

    requests: list[Request] = field(default_factory=list)

    async def __call__(self, connection: Connection) -> None:
        while (request := await connection.next_request()) is not None:
            self.requests.append(request)
            await connection.respond(Response(200, request.body))


@dataclass(frozen=True)
class Answer:
    """A response as a client reads it."""

    status: int
    fields: dict[str, str]
    body: bytes


class Client:
    """One end of a connection."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self.stream = stream
        self._buffer = bytearray()

    async def send(self, octets: bytes) -> None:
        await self.stream.send_all(octets)

    async def leave(self) -> None:
        """Say that nothing more will come."""
        assert isinstance(self.stream, trio.abc.HalfCloseableStream)
        await self.stream.send_eof()

    async def answer(self, *, to_head: bool = False) -> Answer | None:
        """The next response; None at the end of the stream."""
        while b"\r\n\r\n" not in self._buffer:
            if not await self._more():
                assert not self._buffer, bytes(self._buffer)
                return None
        head, _, _ = bytes(self._buffer).partition(b"\r\n\r\n")
        line, *fields = head.decode("latin-1").split("\r\n")
        found = {name.lower(): value for name, _, value in (each.partition(": ") for each in fields)}
        size = 0 if to_head else int(found.get("content-length", "0"))
        del self._buffer[: len(head) + 4]
        while len(self._buffer) < size:
            assert await self._more(), "the answer is cut short"
        body = bytes(self._buffer[:size])
        del self._buffer[:size]
        return Answer(int(line.split(" ")[1]), found, body)

    async def answers(self) -> list[int]:
        """Statuses until the server closes."""
        found = list[int]()
        while (answer := await self.answer()) is not None:
            found.append(answer.status)
        return found

    async def _more(self) -> bool:
        try:
            data = await self.stream.receive_some(1 << 16)
        except trio.BrokenResourceError:
            data = b""
        self._buffer += data
        return bool(data)


@dataclass
class Serving:
    """A server that runs."""

    server: Server
    drain: Drain
    metrics: Metrics
    log: StringIO
    nursery: trio.Nursery
    endpoint: Endpoint
    closing: ExitStack

    def connect(self, peer: str = "192.0.2.1", pair: Pair = trio.testing.memory_stream_pair) -> Client:
        """A new connection in memory."""
        ours, theirs = pair()
        self.nursery.start_soon(self._serve, ours, peer)
        return Client(theirs)

    async def _serve(self, stream: trio.abc.HalfCloseableStream, peer: str) -> None:
        wait = self.drain.join()
        try:
            await serve_stream(stream, peer, wait, self.endpoint, self.server)
        finally:
            self.drain.leave(wait)

    async def listen(self) -> SocketAddress:
        """A listening socket on a free port."""
        [sock] = await bind(NAME, Transport.TCP, SocketAddress("127.0.0.1", 0))
        self.closing.enter_context(sock)
        self.nursery.start_soon(serve_http, sock, self.endpoint, self.server)
        return bound_address(sock)

    async def dial(self, address: SocketAddress) -> Client:
        """A new connection over TCP."""
        stream = await trio.open_tcp_stream(*address)
        self.closing.callback(stream.socket.close)
        return Client(stream)

    def ended(self, reason: str) -> float:
        return self.metrics.value("tidegate_connections_ended_total", listener=NAME, reason=reason)

    def refused(self, reason: str) -> float:
        return self.metrics.value("tidegate_connections_refused_total", listener=NAME, reason=reason)


@asynccontextmanager
async def serving(app: App | None = None, given: Mapping[str, object] = MappingProxyType({}), *, secure: Secure | None = None) -> AsyncIterator[Serving]:
    """Serve until the block ends; `given` are settings as in a configuration file."""
    drain, metrics, text = Drain(), Metrics(), StringIO()
    settings = HttpSettings.model_validate(dict(given), context={})
    server = make_server(NAME, settings, metrics=metrics, clock=lambda: NOW_NS, log=open_log(text, LogSettings()), drain=drain)
    endpoint = Endpoint(app or Echo(), Transport.HTTPS if secure else Transport.HTTP, IDLE, secure)
    with ExitStack() as closing:
        async with trio.open_nursery() as nursery:
            yield Serving(server, drain, metrics, text, nursery, endpoint, closing)
            drain.ask()
            nursery.cancel_scope.deadline = trio.current_time() + PATIENCE
        assert not nursery.cancel_scope.cancelled_caught, "the server doesn't end"


def post(body: bytes = b"", *fields: bytes, target: bytes = b"/wsman") -> bytes:
    """A request as Windows sends it."""
    return b"\r\n".join((b"POST " + target + b" HTTP/1.1", b"Host: gw:5985", b"Content-Length: %d" % len(body), *fields, b"", body))
