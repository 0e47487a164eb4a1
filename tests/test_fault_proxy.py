"""The faulty networks of the tests do what they say, and nothing else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial

import pytest
import trio
import trio.testing
from support.fault_proxy import (
    Fate,
    Fault,
    FaultProxy,
    always,
    datagram_proxy,
    fault_proxy,
    garbling,
    half_closing,
    hanging,
    losing_answers,
    passing,
    refusing,
    resetting,
    swallowing,
)

REQUEST = bytes(range(200))
MUCH = bytes(16 << 20)
HURRY = 50.0
"""How much faster these tests' clock is than a wall's."""


@dataclass
class Echo:
    """A server that answers what it hears.

    heard:  by connection.
    """

    heard: list[bytes] = field(default_factory=list)
    _ended: trio.Event = field(default_factory=trio.Event)
    _reset: bool = False

    async def serve(self, stream: trio.SocketStream) -> None:
        at = len(self.heard)
        self.heard.append(b"")
        try:
            while octets := await stream.receive_some(65_536):
                self.heard[at] += octets
                await stream.send_all(octets)
        except trio.BrokenResourceError:
            self._reset = True
        self._ended.set()

    async def was_reset(self) -> bool:
        """How its first connection ended, once it has."""
        await self._ended.wait()
        return self._reset


@asynccontextmanager
async def echo_behind(fault: Fault) -> AsyncIterator[tuple[Echo, FaultProxy]]:
    echo = Echo()
    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(partial(trio.serve_tcp, echo.serve, 0, host="127.0.0.1"))
        async with fault_proxy(listeners[0].socket.getsockname()[1], always(fault)) as proxy:
            yield echo, proxy
        nursery.cancel_scope.cancel()


async def drain(stream: trio.SocketStream) -> None:
    while await stream.receive_some(65_536):
        pass


async def converse(proxy: FaultProxy, request: bytes) -> tuple[bytes, bool]:
    """Send, say that this is all, and hear: the answer, and whether it ended in good order."""
    heard, orderly = bytearray(), True

    async def ask(stream: trio.SocketStream) -> None:
        await stream.send_all(request)
        await stream.send_eof()

    try:
        async with await trio.open_tcp_stream("127.0.0.1", proxy.port) as stream, trio.open_nursery() as nursery:
            nursery.start_soon(ask, stream)
            while octets := await stream.receive_some(65_536):
                heard += octets
    except* trio.BrokenResourceError:
        orderly = False
    return bytes(heard), orderly


@pytest.mark.parametrize("request_", [b"", b"x", REQUEST, MUCH], ids=["nothing", "an octet", "a few", "more than any buffer"])
async def test_what_passes_passes_whole_and_so_does_its_end(request_: bytes) -> None:
    async with echo_behind(passing()) as (echo, proxy):
        assert await converse(proxy, request_) == (request_, True)
        assert not await echo.was_reset()
    assert (echo.heard, proxy.met) == ([request_], 1)


@pytest.mark.parametrize(
    ("fault", "least_s"),
    [(passing(latency=3.0), 6.0), (passing(rate=1.0), 9.0), (passing(rate=100.0, latency=1.0), 2.1)],
    ids=["late each way", "an octet a second", "both"],
)
async def test_what_is_slow_is_as_slow_as_it_says(fault: Fault, least_s: float, mock_clock: trio.testing.MockClock) -> None:
    mock_clock.rate = HURRY
    async with echo_behind(fault) as (_, proxy):
        began = trio.current_time()
        assert await converse(proxy, REQUEST[:8]) == (REQUEST[:8], True)
        assert trio.current_time() - began >= least_s


async def test_who_refuses_ends_at_once() -> None:
    async with echo_behind(refusing) as (echo, proxy):
        assert (await converse(proxy, b""))[0] == b""
        assert (await converse(proxy, REQUEST))[0] == b""
    assert (echo.heard, proxy.met) == ([], 2)


async def test_who_isnt_there_refuses() -> None:
    with trio.socket.socket() as closed:
        await closed.bind(("127.0.0.1", 0))
        async with fault_proxy(closed.getsockname()[1]) as proxy:
            assert (await converse(proxy, REQUEST))[0] == b""


async def test_who_hangs_lets_the_buffers_fill_until_the_course_turns() -> None:
    async with echo_behind(hanging) as (echo, proxy), await trio.open_tcp_stream("127.0.0.1", proxy.port) as stream:
        with trio.move_on_after(0.05) as patience:
            await stream.send_all(MUCH)
        assert patience.cancelled_caught
        proxy.mend()
        with pytest.raises(trio.BrokenResourceError):
            await stream.receive_some(1)
        assert await converse(proxy, REQUEST) == (REQUEST, True)
    assert echo.heard == [REQUEST]


async def test_a_black_hole_takes_everything_and_answers_nothing() -> None:
    async with echo_behind(swallowing) as (echo, proxy):
        assert await converse(proxy, MUCH) == (b"", True)
    assert echo.heard == []


@pytest.mark.parametrize("octets", [0, 1, 150])
async def test_a_reset_comes_behind_so_many_octets(octets: int) -> None:
    async with echo_behind(resetting(octets)) as (echo, proxy), await trio.open_tcp_stream("127.0.0.1", proxy.port) as stream:
        await stream.send_all(REQUEST)
        with pytest.raises(trio.BrokenResourceError):
            await drain(stream)
        assert await echo.was_reset()
        assert REQUEST[:octets].startswith(echo.heard[0])  # a reset may overtake what its receiver hasn't read


@pytest.mark.parametrize("octets", [0, 1, 150])
async def test_a_half_closed_connection_still_takes_what_nobody_gets(octets: int) -> None:
    async with echo_behind(half_closing(octets)) as (echo, proxy), await trio.open_tcp_stream("127.0.0.1", proxy.port) as stream:
        await stream.send_all(REQUEST)
        await drain(stream)
        await stream.send_all(MUCH)
        assert not await echo.was_reset()
        assert echo.heard == [REQUEST[:octets]]


async def test_an_answer_is_lost_once_everything_has_arrived() -> None:
    async with echo_behind(losing_answers) as (echo, proxy):
        assert await converse(proxy, b"ask") == (b"", False)
        assert await echo.was_reset()
    assert echo.heard == [b"ask"]


async def test_noise_comes_in_the_place_of_answers() -> None:
    async with echo_behind(garbling(b"\x00noise\r\n")) as (echo, proxy):
        assert await converse(proxy, b"ask") == (b"\x00noise\r\n", True)
    assert echo.heard == [b"ask"]


@pytest.mark.parametrize(
    ("fates", "arrives"),
    [
        ([], [0, 1, 2, 3]),
        ([Fate.LOST, Fate.PASSES, Fate.LOST], [1, 3]),
        ([Fate.TWICE, Fate.PASSES, Fate.TWICE], [0, 0, 1, 2, 2, 3]),
        ([Fate.LATE, Fate.PASSES], [1, 0, 2, 3]),
        ([Fate.LATE, Fate.LATE, Fate.LOST, Fate.TWICE], [3, 3, 0, 1]),
    ],
    ids=["as sent", "lost", "twice", "late", "late, past what is lost"],
)
async def test_datagrams_meet_their_fates_there(fates: list[Fate], arrives: list[int]) -> None:
    left = list(fates)
    with trio.socket.socket(type=trio.socket.SOCK_DGRAM) as server, trio.socket.socket(type=trio.socket.SOCK_DGRAM) as client:
        await server.bind(("127.0.0.1", 0))
        async with datagram_proxy(server.getsockname()[1], lambda: left.pop(0) if left else Fate.PASSES) as proxy:
            await client.connect(("127.0.0.1", proxy.port))
            for number in range(4):
                await client.send(b"%d" % number)
            assert [int((await server.recvfrom(100))[0]) for _ in arrives] == arrives
            assert sum(proxy.met.values()) == 4


async def test_answers_of_datagrams_meet_their_fates_too_and_find_back() -> None:
    fates = [Fate.PASSES, Fate.TWICE, Fate.PASSES, Fate.LATE]
    with trio.socket.socket(type=trio.socket.SOCK_DGRAM) as server, trio.socket.socket(type=trio.socket.SOCK_DGRAM) as one:
        await server.bind(("127.0.0.1", 0))
        async with datagram_proxy(server.getsockname()[1], lambda: fates.pop(0) if fates else Fate.PASSES) as proxy:
            await one.connect(("127.0.0.1", proxy.port))

            async def ask(client: trio.socket.SocketType, name: bytes) -> None:
                await client.send(name)
                heard, address = await server.recvfrom(100)
                await server.sendto(heard.upper(), address)

            await ask(one, b"a")
            assert [await one.recv(100) for _ in range(2)] == [b"A", b"A"]
            with trio.socket.socket(type=trio.socket.SOCK_DGRAM) as other:
                await other.connect(("127.0.0.1", proxy.port))
                await ask(other, b"b")
                await ask(other, b"c")
                assert [await other.recv(100) for _ in range(2)] == [b"C", b"B"]
            await ask(one, b"d")
            assert await one.recv(100) == b"D"


async def test_datagrams_that_find_nobody_are_lost() -> None:
    with trio.socket.socket(type=trio.socket.SOCK_DGRAM) as server, trio.socket.socket(type=trio.socket.SOCK_DGRAM) as client:
        with trio.socket.socket(type=trio.socket.SOCK_DGRAM) as closed:
            await closed.bind(("127.0.0.1", 0))
            nobody = closed.getsockname()[1]
        met = [trio.Event() for _ in range(4)]
        passed = iter(met)

        def note() -> Fate:
            next(passed).set()
            return Fate.PASSES

        async with datagram_proxy(nobody, note) as proxy:
            await client.connect(("127.0.0.1", proxy.port))
            for _ in range(3):
                await client.send(b"lost")
            await met[2].wait()
            await server.bind(("127.0.0.1", nobody))
            await client.send(b"found")
            assert (await server.recvfrom(100))[0] == b"found"
