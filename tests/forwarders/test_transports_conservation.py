"""Whatever a receiver does between reading, hanging up and breaking off: it has read everything that was acknowledged, in the order of each connection."""

from __future__ import annotations

from itertools import pairwise

import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from forwarders.transports import TcpSender
from pipeline.errors import DeliveryError
from pipeline.settings import SocketAddress
from wire.syslog_framing import Framing

BREAKS = 4
"""Fewer than a batch is sent again for (forwarders.resend_window)."""

ACTIONS = st.lists(st.sampled_from(["send", "send", "read", "read a little", "reset", "close"]), max_size=24)
LINGER_FOR_NO_TIME = b"\x01\x00\x00\x00\x00\x00\x00\x00"


class Receiver:
    """A program that reads when it is told: what of each connection it has read."""

    def __init__(self, listener: trio.SocketListener) -> None:
        self._listener = listener
        self._open: list[tuple[trio.SocketStream, bytearray]] = []
        self.read: list[bytearray] = []

    async def accept(self) -> None:
        """Whoever waits."""
        while True:
            with trio.move_on_after(0.001) as patience:
                stream = await self._listener.accept()
            if patience.cancelled_caught:
                return
            self.read.append(bytearray())
            self._open.append((stream, self.read[-1]))

    async def take(self, octets: int) -> None:
        """What is there, of every open connection."""
        for stream, read in self._open:
            with trio.move_on_after(0.001):
                while found := await stream.receive_some(octets):
                    read.extend(found)
                    if octets < 100:
                        break

    async def leave(self, *, reset: bool) -> None:
        for stream, _ in self._open:
            if reset:
                stream.setsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_LINGER, LINGER_FOR_NO_TIME)
            await trio.aclose_forcefully(stream)
        self._open.clear()

    def names(self) -> list[list[int]]:
        """The numbers of the messages that were read whole, by connection."""
        return [[int(line) for line in bytes(read).rpartition(b"\n")[0].split(b"\n") if line] for read in self.read]


async def send(sender: TcpSender, name: int) -> None:
    """As the delivery loop does: again until it is taken."""
    while True:
        try:
            await sender.send([b"%d" % name])
        except DeliveryError:
            await sender.close()
        else:
            return


@given(actions=ACTIONS)
@settings(max_examples=30)
async def test_what_was_acknowledged_was_read(actions: list[str]) -> None:
    listener = (await trio.open_tcp_listeners(0, host="127.0.0.1"))[0]
    sender = TcpSender(SocketAddress(*listener.socket.getsockname()[:2]), framing=Framing.NON_TRANSPARENT)
    receiver, sent, breaks = Receiver(listener), 0, 0
    async with listener:
        for action in actions:
            if action == "send":
                await send(sender, sent)
                sent += 1
                continue
            await receiver.accept()
            if action.startswith("read"):
                await receiver.take(3 if action == "read a little" else 1000)
            elif breaks < BREAKS:
                breaks += 1
                await receiver.leave(reset=action == "reset")
        await send(sender, sent)
        await receiver.accept()
        await receiver.take(1000)
        await sender.close()
        await receiver.leave(reset=False)
    found = receiver.names()
    assert {name for names in found for name in names} >= set(range(sent + 1))
    assert all(first <= second for names in found for first, second in pairwise(names))
