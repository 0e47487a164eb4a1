"""An HTTP server that answers as a test says, over sockets of the loopback, with TLS where it is wanted; and that remembers what it was asked."""

from __future__ import annotations

import gzip
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from urllib.parse import parse_qsl, urlsplit

import h11
import trio

READ = 65_536


@dataclass(frozen=True)
class Asked:
    """A request: its body without Content-Encoding, and how long it was with it."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    octets: int = 0

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(urlsplit(self.target).query))


@dataclass(frozen=True)
class Reply:
    """What is sent back; `instead` takes the connection over."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    instead: Callable[[trio.abc.Stream], Awaitable[None]] | None = None


@dataclass
class HttpPeer:
    """A server.

    answer:  what it does with a request.
    asked:   all of them so far.
    """

    answer: Callable[[Asked], Reply]
    asked: list[Asked] = field(default_factory=list)
    connections: int = 0
    port: int = 0
    scheme: str = "http"
    context: ssl.SSLContext | None = None

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"

    async def serve(self, stream: trio.SocketStream) -> None:
        secured: trio.abc.Stream = stream
        if self.context is not None:
            secured = trio.SSLStream(stream, self.context, server_side=True, https_compatible=True)
        try:
            await self._converse(secured)
        except (trio.BrokenResourceError, trio.ClosedResourceError, h11.RemoteProtocolError):
            pass
        finally:
            await trio.aclose_forcefully(secured)

    async def _converse(self, stream: trio.abc.Stream) -> None:
        self.connections += 1
        connection = h11.Connection(h11.SERVER)
        while True:
            request, body = None, bytearray()
            while True:
                event = connection.next_event()
                if event is h11.NEED_DATA:
                    connection.receive_data(bytes(await stream.receive_some(READ)))
                elif isinstance(event, h11.Request):
                    request = event
                elif isinstance(event, h11.Data):
                    body += event.data
                elif isinstance(event, h11.EndOfMessage):
                    break
                else:
                    return
            assert request is not None
            headers = {name.decode(): value.decode() for name, value in request.headers}
            plain = gzip.decompress(body) if headers.get("content-encoding") == "gzip" else bytes(body)
            asked = Asked(request.method.decode(), request.target.decode(), headers, plain, len(body))
            self.asked.append(asked)
            reply = self.answer(asked)
            if reply.instead is not None:
                await reply.instead(stream)
                return
            bodiless = reply.status in (204, 304)
            length = {} if bodiless else {"content-length": str(len(reply.body))}
            out = connection.send(h11.Response(status_code=reply.status, headers=list((length | reply.headers).items()))) or b""
            if reply.body and not bodiless:
                out += connection.send(h11.Data(data=reply.body)) or b""
            await stream.send_all(out + (connection.send(h11.EndOfMessage()) or b""))
            if connection.our_state is not h11.DONE:
                return
            connection.start_next_cycle()


@asynccontextmanager
async def http_peer(answer: Callable[[Asked], Reply], context: ssl.SSLContext | None = None) -> AsyncIterator[HttpPeer]:
    """One that runs, on a free port."""
    peer = HttpPeer(answer, context=context, scheme="https" if context else "http")
    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(partial(trio.serve_tcp, peer.serve, 0, host="127.0.0.1"))
        peer.port = listeners[0].socket.getsockname()[1]
        yield peer
        nursery.cancel_scope.cancel()
