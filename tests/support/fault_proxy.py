"""Networks at fault, on purpose: a TCP proxy that does to each connection what it is told, and a UDP proxy that does so to each datagram.

    fault of a connection   what the client meets
    passing                 its server; slowly, where latency or a rate is given
    refusing                an end as soon as it has begun
    hanging                 somebody who accepts and never reads: its octets stay in the two kernels
    swallowing              a black hole: everything is read, nothing goes on, nothing comes back
    resetting               its server, until so many of its octets have come; then RST to both
    half_closing            its server, until so many of its octets have come; then FIN, and what still comes is swallowed
    losing_answers          its server, which gets everything; the first octet of an answer becomes RST
    garbling                its server, which gets everything; noise in the place of the answers

Clocks are Trio's. Where the client's own server isn't there, its connections end as with `refusing`.
"""

from __future__ import annotations

import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from enum import Enum, auto
from functools import partial

import trio

READ = 65_536
STEP_S = 0.05
LINGER_NOT = struct.pack("ii", 1, 0)
MAX_DATAGRAM = 65_535

Stream = trio.SocketStream
Connect = Callable[[], Awaitable[Stream]]
Address = tuple[str, int]
Fault = Callable[[Stream, Connect], Awaitable[None]]
"""What happens to one connection: told the client's stream, and how to reach the server. Whatever it leaves open is closed behind it."""


def passing(*, latency: float = 0.0, rate: float | None = None) -> Fault:
    """Args: seconds that each piece is late; octets per second each way, None for no limit."""

    async def fault(client: Stream, connect: Connect) -> None:
        server = await connect()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(partial(_copy, client, server, latency=latency, rate=rate))
            nursery.start_soon(partial(_copy, server, client, latency=latency, rate=rate))

    return fault


async def refusing(client: Stream, connect: Connect) -> None:
    await trio.lowlevel.checkpoint()


async def hanging(client: Stream, connect: Connect) -> None:
    await trio.sleep_forever()


async def swallowing(client: Stream, connect: Connect) -> None:
    await _swallow(client)


def resetting(octets: int) -> Fault:
    async def fault(client: Stream, connect: Connect) -> None:
        server = await connect()
        await _pass_until(client, server, octets)
        reset(client, server)

    return fault


def half_closing(octets: int) -> Fault:
    async def fault(client: Stream, connect: Connect) -> None:
        server = await connect()
        await _pass_until(client, server, octets)
        await server.send_eof()
        await client.send_eof()
        await _swallow(client)

    return fault


async def losing_answers(client: Stream, connect: Connect) -> None:
    server = await connect()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_copy, client, server)
        await server.receive_some(READ)
        reset(client, server)
        nursery.cancel_scope.cancel()


def garbling(noise: bytes) -> Fault:
    async def fault(client: Stream, connect: Connect) -> None:
        server = await connect()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_copy, client, server)
            while await server.receive_some(READ):
                await client.send_all(noise)
            nursery.cancel_scope.cancel()

    return fault


def reset(*streams: Stream) -> None:
    """End connections by RST, those that haven't ended yet."""
    for stream in streams:
        if stream.socket.fileno() >= 0:
            stream.setsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_LINGER, LINGER_NOT)
            stream.socket.close()


async def _copy(source: Stream, sink: Stream, *, latency: float = 0.0, rate: float | None = None) -> None:
    """Everything, and the end behind it."""
    size = READ if rate is None else max(1, int(rate * STEP_S))
    while octets := await source.receive_some(size):
        await trio.sleep(latency + (0.0 if rate is None else len(octets) / rate))
        await sink.send_all(octets)
    await sink.send_eof()


async def _pass_until(client: Stream, server: Stream, octets: int) -> None:
    """Both ways, until so many have come from the client, or it has no more."""

    async def request(scope: trio.CancelScope) -> None:
        left = octets
        while left and (piece := await client.receive_some(min(READ, left))):
            left -= len(piece)
            await server.send_all(piece)
        scope.cancel()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(_copy, server, client)
        nursery.start_soon(request, nursery.cancel_scope)


async def _swallow(stream: Stream) -> None:
    while await stream.receive_some(READ):
        pass


def always(fault: Fault) -> Callable[[], Fault]:
    return lambda: fault


class FaultProxy:
    """A TCP proxy that runs.

    port:    where it accepts, on 127.0.0.1.
    behind:  port of the server, on 127.0.0.1; it may change.
    course:  asked with every connection: what happens to it.
    met:     how many connections there were.
    """

    def __init__(self, behind: int, course: Callable[[], Fault]) -> None:
        self.port, self.behind, self.course, self.met = 0, behind, course, 0
        self._open: set[trio.CancelScope] = set()
        self._ended = trio.lowlevel.ParkingLot()

    def turn(self, course: Callable[[], Fault]) -> None:
        """Begin another course: connections end with the old one, in RST."""
        self.course = course
        for scope in self._open:
            scope.cancel()

    def mend(self) -> None:
        """Pass everything from now on."""
        self.turn(always(passing()))

    async def idle(self) -> None:
        """Return once no connection is open: what passes has arrived."""
        while self._open:
            await self._ended.park()

    async def serve(self, client: Stream) -> None:
        self.met += 1
        opened = [client]

        async def connect() -> Stream:
            opened.append(await trio.open_tcp_stream("127.0.0.1", self.behind))
            return opened[-1]

        with trio.CancelScope() as scope:
            self._open.add(scope)
            try:
                await self.course()(client, connect)
            except* (OSError, trio.BrokenResourceError, trio.ClosedResourceError):
                reset(*opened)
            finally:
                self._open.discard(scope)
                if scope.cancel_called:
                    reset(*opened)
                for stream in opened:
                    stream.socket.close()
                self._ended.unpark_all()


@asynccontextmanager
async def fault_proxy(behind: int, course: Callable[[], Fault] | None = None) -> AsyncIterator[FaultProxy]:
    """A proxy on a free port; it passes everything unless told otherwise."""
    proxy = FaultProxy(behind, course or always(passing()))
    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(partial(trio.serve_tcp, proxy.serve, 0, host="127.0.0.1"))
        proxy.port = listeners[0].socket.getsockname()[1]
        yield proxy
        nursery.cancel_scope.cancel()


class Fate(Enum):
    """What happens to a datagram."""

    PASSES = auto()
    LOST = auto()
    TWICE = auto()
    LATE = auto()
    """It comes behind the next one that isn't late, each way on its own."""


class DatagramProxy:
    """A UDP proxy that runs: whoever sends to it has a socket of its own to the server, so that answers find back.

    port:    where it hears, on 127.0.0.1.
    behind:  port of the server, on 127.0.0.1.
    fates:   asked with every datagram, whichever way it goes.
    met:     how many of each fate there were.
    """

    def __init__(self, behind: int, fates: Callable[[], Fate]) -> None:
        self.behind, self.fates = behind, fates
        self.met = dict.fromkeys(Fate, 0)
        self._socket = trio.socket.socket(trio.socket.AF_INET, trio.socket.SOCK_DGRAM)
        self._clients: dict[Address, trio.socket.SocketType] = {}

    @property
    def port(self) -> int:
        return int(self._socket.getsockname()[1])

    def mend(self) -> None:
        """Pass everything from now on."""
        self.fates = lambda: Fate.PASSES

    async def serve(self) -> None:
        """Until cancelled."""
        try:
            async with trio.open_nursery() as nursery:
                late: dict[Address, list[bytes]] = {}
                while True:
                    datagram, address = await self._socket.recvfrom(MAX_DATAGRAM)
                    if address not in self._clients:
                        self._clients[address] = await self._client()
                        nursery.start_soon(self._answers, self._clients[address], address)
                    await self._forward(datagram, self._clients[address].send, late.setdefault(address, []))
        finally:
            for opened in (self._socket, *self._clients.values()):
                opened.close()

    async def bind(self) -> None:
        await self._socket.bind(("127.0.0.1", 0))

    async def _client(self) -> trio.socket.SocketType:
        opened = trio.socket.socket(trio.socket.AF_INET, trio.socket.SOCK_DGRAM)
        try:
            await opened.connect(("127.0.0.1", self.behind))
        except BaseException:
            opened.close()
            raise
        return opened

    async def _answers(self, server: trio.socket.SocketType, client: Address) -> None:
        late: list[bytes] = []
        while True:
            try:
                datagram = await server.recv(MAX_DATAGRAM)
            except ConnectionRefusedError:  # an earlier one found nobody there: it is as lost as any
                continue
            await self._forward(datagram, lambda octets: self._socket.sendto(octets, client), late)

    async def _forward(self, datagram: bytes, send: Callable[[bytes], Awaitable[int]], late: list[bytes]) -> None:
        fate = self.fates()
        self.met[fate] += 1
        if fate is Fate.LATE:
            late.append(datagram)
        elif fate is not Fate.LOST:
            for octets in (datagram, *([datagram] if fate is Fate.TWICE else []), *late):
                try:
                    await send(octets)
                except ConnectionRefusedError:
                    continue
            late.clear()


@asynccontextmanager
async def datagram_proxy(behind: int, fates: Callable[[], Fate] | None = None) -> AsyncIterator[DatagramProxy]:
    """A proxy on a free port; it passes everything unless told otherwise."""
    proxy = DatagramProxy(behind, fates or (lambda: Fate.PASSES))
    await proxy.bind()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(proxy.serve)
        yield proxy
        nursery.cancel_scope.cancel()
