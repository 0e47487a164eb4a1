"""What stands behind the gateway of a conservation test: a server for every destination, the networks before them, and what each has taken."""

from __future__ import annotations

import re
import socket
import ssl
import struct
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

import orjson
import trio
import trio.testing
from support.conservation_config import HOME_SECRET
from support.elastic_fake import ElasticFake
from support.fault_proxy import DatagramProxy, FaultProxy, datagram_proxy, fault_proxy
from support.hec_fake import HecFake
from support.http_peer import Asked, Reply, http_peer
from support.kafka import read_topic
from support.kafka_mock import MockBroker, mock_broker
from support.sentinel_fake import SentinelFake

from pipeline.errors import MessageError
from wire.radius.authenticators import encode_response, verify_request
from wire.radius.named import named_attributes
from wire.radius.packet import parse_packet

TOPIC: Final = "identity"
BUFFER_OCTETS: Final = 8 << 20
SO_MEMINFO: Final = 55
DROPS: Final = 8
"""Of Linux's <asm-generic/socket.h> and <linux/sock_diag.h>: what a socket's memory did, and which of the nine says what it had no room for."""

FRAME: Final = re.compile(rb"([1-9][0-9]*) ")
Serve = Callable[[trio.SocketStream], Awaitable[object]]

Key = tuple[str, ...]
"""A numbered event: computer, log and record ID; or VPN server, session, status and the seconds that the session had lasted."""


@dataclass
class Frames:
    """A syslog receiver: the whole frames that came, whoever sent them."""

    taken: list[bytes] = field(default_factory=list)

    async def serve(self, stream: trio.abc.Stream) -> None:
        rest = b""
        try:
            while octets := await stream.receive_some(1 << 18):
                rest = self._cut(rest + octets)
        except trio.BrokenResourceError:
            return

    def _cut(self, octets: bytes) -> bytes:
        at = 0
        while (found := FRAME.match(octets, at)) and found.end() + int(found[1]) <= len(octets):
            at = found.end() + int(found[1])
            self.taken.append(octets[found.end() : at])
        return octets[at:]


@dataclass
class Home:
    """A RADIUS server that keeps what it can verify and answers it."""

    opened: trio.socket.SocketType
    taken: Counter[Key] = field(default_factory=Counter)

    async def serve(self) -> None:
        while True:
            datagram, address = await self.opened.recvfrom(4096)
            try:
                request = verify_request(datagram, HOME_SECRET.encode())
            except MessageError:
                continue
            names = dict(named_attributes(parse_packet(request)))
            self.taken[names["NAS-IP-Address"], names.get("Acct-Session-Id", ""), names["Acct-Status-Type"], names.get("Acct-Session-Time", "")] += 1
            await self.opened.sendto(encode_response(request, HOME_SECRET.encode()), address)


@dataclass
class Collected:
    """An HTTP server that takes newline-delimited JSON, all of a request or none, and none with a record in it that it refuses."""

    refuses: Callable[[str], bool] = lambda _: False
    taken: list[dict[str, Any]] = field(default_factory=list)

    def answer(self, asked: Asked) -> Reply:
        found = [orjson.loads(line) for line in asked.body.splitlines()]
        if any(self.refuses(record["metadata"]["uid"]) for record in found):
            return Reply(400, b"one of these is poison")
        self.taken += found
        return Reply(204)


@dataclass
class Datagrams:
    """A syslog receiver on UDP, whose system has little time to lose anything."""

    opened: trio.socket.SocketType
    taken: list[bytes] = field(default_factory=list)

    @property
    def dropped(self) -> int:
        """How many came that its system had no room for."""
        return int(struct.unpack("9I", self.opened.getsockopt(socket.SOL_SOCKET, SO_MEMINFO, 36))[DROPS])

    async def serve(self) -> None:
        while True:
            self.taken.append(await self.opened.recv(1 << 16))


@dataclass
class Topic:
    """A topic of a broker, and what was in it when it was read.

    interruptions:  ends when the broker is to be left alone.
    """

    broker: MockBroker
    taken: list[bytes] = field(default_factory=list)
    interruptions: trio.CancelScope = field(default_factory=trio.CancelScope)

    def toggle(self) -> None:
        """Let the broker do nothing, or go on."""
        if self.broker.paused:
            self.broker.resume()
        else:
            self.broker.pause()

    def mend(self) -> None:
        """Let the broker go on, for good."""
        self.interruptions.cancel()
        if self.broker.paused:
            self.broker.resume()

    async def read(self) -> None:
        found = await trio.to_thread.run_sync(read_topic, self.broker.address, TOPIC)
        self.taken = [value for messages in found.values() for _, value in messages]


@dataclass
class Sinks:
    """All of them, by the names of their forwarders.

    streams:  the proxies before those that are reached by TCP.
    before:   the one before the RADIUS server.
    """

    http: Collected
    lossy: Collected
    hec: HecFake
    elastic: ElasticFake
    sentinel: SentinelFake
    syslog: Frames
    tls: Frames
    sensor: Frames
    udp: Datagrams
    kafka: Topic
    relay: Home
    streams: dict[str, FaultProxy]
    before: DatagramProxy

    @property
    def ports(self) -> dict[str, int]:
        return {
            "udp": int(self.udp.opened.getsockname()[1]),
            "relay": self.before.port,
            **{name: proxy.port for name, proxy in self.streams.items()},
        }

    def mend(self) -> None:
        """Nothing is at fault from now on, and connections that were end."""
        for proxy in self.streams.values():
            proxy.mend()
        self.mend_others()

    def mend_others(self) -> None:
        """Nothing of what isn't reached by TCP, or not through us, is at fault from now on."""
        self.before.mend()
        self.kafka.mend()

    async def arrived(self) -> None:
        """Return once nothing is on its way any more, the gateway having ended."""
        for proxy in self.streams.values():
            await proxy.idle()
        await trio.testing.wait_all_tasks_blocked()
        await self.kafka.read()


@asynccontextmanager
async def _datagrams() -> AsyncIterator[trio.socket.SocketType]:
    """A socket on a free port."""
    with trio.socket.socket(type=trio.socket.SOCK_DGRAM) as opened:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_OCTETS)
        await opened.bind(("127.0.0.1", 0))
        yield opened


def inside_tls(serve: Callable[[trio.abc.Stream], Awaitable[None]], context: ssl.SSLContext) -> Serve:
    """The same behind TLS."""

    async def secured(stream: trio.SocketStream) -> None:
        await serve(trio.SSLStream(stream, context, server_side=True))

    return secured


@dataclass
class Readdressed:
    """A way to a broker that says it is elsewhere: clients go where the broker's metadata say, and so to the proxy before it.

    elsewhere:  that proxy's port, on the broker's host.
    """

    broker: MockBroker
    elsewhere: int = 0

    async def serve(self, stream: trio.SocketStream) -> None:
        host, _, port = self.broker.address.rpartition(":")
        said, instead = (host.encode() + number.to_bytes(4, "big") for number in (int(port), self.elsewhere))
        async with await trio.open_tcp_stream(host, int(port)) as server, trio.open_nursery() as nursery:
            nursery.start_soon(self._copy, stream, server, b"", b"")
            await self._copy(server, stream, said, instead)
            nursery.cancel_scope.cancel()

    @staticmethod
    async def _copy(source: trio.SocketStream, sink: trio.SocketStream, said: bytes, instead: bytes) -> None:
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            while octets := await source.receive_some(1 << 18):
                await sink.send_all(octets.replace(said, instead) if said else octets)
            await sink.send_eof()


async def _listen(nursery: trio.Nursery, serve: Serve) -> int:
    listeners = await nursery.start(partial(trio.serve_tcp, serve, 0, host="127.0.0.1"))
    return int(listeners[0].socket.getsockname()[1])


@asynccontextmanager
async def running_sinks(refuses: Callable[[str], bool], context: ssl.SSLContext) -> AsyncIterator[Sinks]:
    """All of them, on free ports.

    Args:
        refuses: the uids that `http` doesn't take.
        context: of who speaks TLS.
    """
    collected, lossy, hec, elastic, sentinel = Collected(refuses), Collected(), HecFake(slow=0), ElasticFake(), SentinelFake()
    syslog, tls, sensor = Frames(), Frames(), Frames()
    async with (
        trio.open_nursery() as nursery,
        _datagrams() as at_home,
        _datagrams() as at_udp,
        datagram_proxy(at_home.getsockname()[1]) as before,
        AsyncExitStack() as stack,
    ):
        answers = {"http": collected.answer, "lossy": lossy.answer, "hec": hec.answer, "elastic": elastic.answer, "sentinel": sentinel.answer}
        ports = {name: (await stack.enter_async_context(http_peer(answer))).port for name, answer in answers.items()}
        for name, serve in (("syslog", syslog.serve), ("tls", inside_tls(tls.serve, context)), ("sensor", sensor.serve)):
            ports[name] = await _listen(nursery, serve)
        broker = stack.enter_context(mock_broker())
        await trio.to_thread.run_sync(broker.make_topic, TOPIC)
        readdressed = Readdressed(broker)
        ports["kafka"] = await _listen(nursery, readdressed.serve)
        streams = {name: await stack.enter_async_context(fault_proxy(port)) for name, port in ports.items()}
        readdressed.elsewhere = streams["kafka"].port
        home, udp = Home(at_home), Datagrams(at_udp)
        nursery.start_soon(home.serve)
        nursery.start_soon(udp.serve)
        yield Sinks(collected, lossy, hec, elastic, sentinel, syslog, tls, sensor, udp, Topic(broker), home, streams, before)
        nursery.cancel_scope.cancel()
