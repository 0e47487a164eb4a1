"""A collector of a few lines for tests of what talks to one: it offers subscriptions, remembers what it hears, and answers as the test says.

Its HTTP is h11 by itself, not the gateway's server: two sides of our own making prove less than one of them with somebody else's.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import Enum, auto
from functools import partial
from itertools import count
from typing import TypeVar
from uuid import UUID

import h11
import trio

import kernel
from wire.soap_encoding import decode_body, encode_body
from wire.wef.messages import End, Enumerate, Events, Request, parse_request
from wire.wef.responses import encode_ack, encode_enumerate_response
from wire.wef.subscription import Offer

MAX_BODY = 4 << 20
Kind = TypeVar("Kind", bound=Request)


class Fate(Enum):
    """What becomes of a message."""

    ACK = auto()
    REFUSE = auto()
    DROP = auto()


def acknowledge(_request: Request) -> Fate:
    """The fate of everything, unless the test says otherwise."""
    return Fate.ACK


@dataclass(slots=True)
class Collector:
    """One that runs.

    offer:        what an Enumerate is answered, asked anew each time with the collector's own URL.
    decide:       the fate of a delivery.
    heard:        every message, in order of arrival.
    compressed:   how many were.
    connections:  open now.
    peers:        subjects of client certificates seen.
    """

    offer: Callable[[str], Sequence[Offer]]
    decide: Callable[[Request], Fate] = acknowledge
    heard: list[Request] = field(default_factory=list)
    compressed: int = 0
    connections: int = 0
    port: int = 0
    scheme: str = "http"
    changed: trio.Event = field(default_factory=trio.Event)
    ids: Callable[[], UUID] = field(default_factory=lambda: map(UUID, map("{:032x}".format, count(1))).__next__)

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"

    def of(self, kind: type[Kind]) -> list[Kind]:
        """What it heard of one kind."""
        return [request for request in self.heard if isinstance(request, kind)]

    def events(self) -> list[bytes]:
        """Every event of every batch, acknowledged or not."""
        return [event for batch in self.of(Events) for event in batch.events()]

    async def until(self, holds: Callable[[], bool]) -> None:
        """Return once something holds; it is asked after every message."""
        while not holds():
            await self.changed.wait()

    async def serve(self, stream: trio.abc.Stream) -> None:
        self.connections += 1
        http = h11.Connection(h11.SERVER)
        try:
            while (body := await self._read(http, stream)) is not None and await self._answer(http, stream, body):
                http.start_next_cycle()
        except (trio.BrokenResourceError, ssl.SSLError, h11.RemoteProtocolError):
            pass
        finally:
            self.connections -= 1
            await trio.aclose_forcefully(stream)

    async def _read(self, http: h11.Connection, stream: trio.abc.Stream) -> bytes | None:
        body, compressed = bytearray(), False
        while True:
            event = http.next_event()
            if event is h11.NEED_DATA:
                http.receive_data(bytes(await stream.receive_some(65_536)))
            elif isinstance(event, h11.Request):
                compressed = (b"content-encoding", b"SLDC") in event.headers
                assert dict(event.headers)[b"user-agent"] == b"Microsoft WinRM Client"
                assert b"content-length" in dict(event.headers)
            elif isinstance(event, h11.Data):
                body += event.data
            elif isinstance(event, h11.EndOfMessage):
                if not compressed:
                    return bytes(body)
                self.compressed += 1
                content, rule, _ = kernel.sldc_decode(bytes(body), MAX_BODY)
                assert rule is None
                return content
            else:
                return None

    async def _answer(self, http: h11.Connection, stream: trio.abc.Stream, body: bytes) -> bool:
        assert body[:2] == b"\xff\xfe"
        request = parse_request(decode_body(body).text)
        self.heard.append(request)
        self.changed.set()
        self.changed = trio.Event()
        status, answer = 200, b""
        match request:
            case Enumerate():
                answer = encode_enumerate_response(request, self.offer(self.url), self.ids)
            case End():
                status = 204
            case _:
                fate = self.decide(request)
                if fate is Fate.DROP:
                    return False
                status, answer = (200, encode_ack(request, self.ids)) if fate is Fate.ACK else (503, b"")
        octets = encode_body(answer.decode()) if answer else b""
        length = [] if status == 204 else [("Content-Length", str(len(octets)))]
        head = h11.Response(status_code=status, headers=[("Content-Type", "application/soap+xml;charset=UTF-16"), *length])
        await stream.send_all(b"".join(http.send(event) or b"" for event in (head, *([h11.Data(data=octets)] if octets else []), h11.EndOfMessage())))
        return http.our_state is h11.DONE


@asynccontextmanager
async def running_collector(
    offer: Callable[[str], Sequence[Offer]], decide: Callable[[Request], Fate] = acknowledge, tls: ssl.SSLContext | None = None
) -> AsyncIterator[Collector]:
    """A collector on a free port of 127.0.0.1, over TLS where a context is given."""
    collector = Collector(offer, decide, scheme="https" if tls else "http")

    async def serve(stream: trio.SocketStream) -> None:
        await collector.serve(trio.SSLStream(stream, tls, server_side=True, https_compatible=True) if tls else stream)

    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(partial(trio.serve_tcp, serve, 0, host="127.0.0.1"))
        collector.port = listeners[0].socket.getsockname()[1]
        yield collector
        nursery.cancel_scope.cancel()
