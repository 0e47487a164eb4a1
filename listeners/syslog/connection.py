"""One connection of syslog over TCP or TLS: wait, take, cut, hand over, until either side has enough.

A connection that waits for its peer holds its unfinished message and no buffer. One that has octets waits for its turn (its address has one,
and there are TURNS in all), so what 4,096 connections can hold at once is bounded, and one address with many connections gets no more
than another with one. Awaiting the intake inside the turn is the backpressure: nothing is read meanwhile.

How a connection ended other than by its peer's orderly close is counted: `framing`, `reset`, `tls`, `idle`, `memory`, `drain`.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import trio

from kernel import Room
from listeners.admission import Guest, Promptly
from listeners.channel import Channel
from listeners.drain import DRAIN, Wait
from listeners.syslog.handover import Handover
from listeners.syslog.holdings import Holdings
from listeners.syslog.reassembly import NOTHING, Cut, Reassembly
from listeners.syslog.rooms import Rooms
from pipeline.model import Origin, Transport

TURNS: Final = 16
SMALLEST_READ: Final = 16 << 10
LARGEST_READ: Final = 1 << 20
"""What is done once a read costs as much as dozens of messages: a larger one is cheaper, until it falls out of the cache."""

BUSY_READ: Final = 64 << 10
GATHERED: Final = LARGEST_READ // 2
GATHER_S: Final = 0.004
"""A peer that sent so much at once is given so long to send that much: a firehose costs by the read."""

PARTING_S: Final = 1.0
"""Silence after which a peer that was told of a drain has nothing more to say: it has seen it by then, or sees it before it writes again."""


@dataclass(frozen=True, slots=True)
class Shared:
    """What all connections of the listener share.

    name:       the listener's.
    clock:      nanoseconds since the Unix epoch.
    turns:      how many may hold what they have read.
    rooms:      where they hold it.
    idle:       seconds of silence that end a connection.
    multiline:  seconds that a message waits for its next line.
    """

    name: str
    clock: Callable[[], int]
    handover: Handover
    holdings: Holdings
    turns: trio.CapacityLimiter
    rooms: Rooms
    idle: float
    multiline: float


class Connection:
    """A conversation in which only the peer speaks.

    Args:
        channel: its octets.
        transport, peer, identity: whose.
        guest: the peer's address among those connected.
        wait: its waits for the peer, which others may end.
        reassembly: what cuts its octets into messages.
        count: told how many octets were read.
        shared: what it shares with the others.
    """

    def __init__(
        self,
        channel: Channel,
        *,
        transport: Transport,
        peer: str,
        identity: str | None,
        guest: Guest,
        wait: Wait,
        reassembly: Reassembly,
        count: Callable[[float], None],
        shared: Shared,
    ) -> None:
        self._channel: Final = channel
        self._transport: Final = transport
        self._peer: Final = peer
        self._identity: Final = identity
        self._guest: Final = guest
        self._wait: Final = wait
        self._reassembly: Final = reassembly
        self._count: Final = count
        self._shared: Final = shared
        self._size, self._full = SMALLEST_READ, False

    async def converse(self) -> str | None:
        """Hand on everything the peer sends; returns why it ended, None where the peer closed in good order."""
        reason: str | None
        try:
            reason = await self._listen()
            if reason == DRAIN:
                await self._hear_out()
        except ssl.SSLError:
            reason = "tls"
        except OSError:  # reset, or found dead by keepalive
            reason = "reset"
        await self._hand(self._reassembly.end())
        return reason

    async def _listen(self) -> str | None:
        heard, held_since, gathers = trio.current_time(), float("inf"), False
        while True:
            came = await self._something(min(heard + self._shared.idle, held_since + self._shared.multiline))
            if came:
                heard = trio.current_time()
                if gathers:
                    await self._gather()
                async with Promptly(self._guest.turn), Promptly(self._shared.turns):
                    size = self._size
                    octets, cut = await self._read(size)
                if octets == 0:
                    return None
                gathers = octets is not None and BUSY_READ <= octets < size
                if cut.broken is not None:
                    return "framing"
                if not self._reassembly.holds_message:
                    held_since = float("inf")
                elif octets and (cut or held_since == float("inf")):
                    held_since = heard
            elif self._wait.ended_by is not None:
                return self._wait.ended_by
            elif self._reassembly.holds_message and trio.current_time() >= held_since + self._shared.multiline:
                held_since = float("inf")
                await self._hand(self._reassembly.flush())
            else:
                return "idle"

    async def _something(self, deadline: float) -> bool:
        """Whether there may be something to take: not if the wait was ended, or nothing came by then. Behind a full read there is."""
        full, self._full = self._full, False
        if full and self._wait.ended_by is None:
            return True
        return await self._wait.until(self._channel.readable, deadline)

    async def _gather(self) -> None:
        """Let the kernel say when it has enough. To sleep instead would make it offer the peer a small window: it measures what is taken."""
        self._channel.expect(GATHERED)
        await self._wait.until(self._channel.readable, trio.current_time() + GATHER_S)
        self._channel.expect(1)

    async def _hear_out(self) -> None:
        """Tell the peer, and take what it sends until it closes, has nothing more to say, or never stops and its time is up.

        To close at once would reset the connection under whatever is on its way, and be heard of by nobody who looks before he writes.
        """
        self._channel.finish()
        while await self._wait.until(self._channel.readable, grace=float("inf") if self._reassembly.within_message else PARTING_S):
            async with Promptly(self._guest.turn), Promptly(self._shared.turns):
                octets, cut = await self._read(LARGEST_READ)
            if octets == 0 or cut.broken is not None:
                return
        await self._read_out()

    async def _read_out(self) -> None:
        """Take what the kernel already took from the peer, and no more than that and a last look: a peer that never stops can't keep us.

        The connection is closed behind the last read, before that is handed on: what came meanwhile would be taken from its sender and thrown away.
        """
        left, broken = self._channel.waiting() + 1, False
        while left > 0 and not broken:
            async with Promptly(self._guest.turn), Promptly(self._shared.turns):
                with self._shared.rooms.borrow() as room:
                    octets = self._channel.take(room, LARGEST_READ) or 0
                    left = left - octets if octets else 0
                    if left <= 0:
                        self._channel.close()
                    broken = bool(octets) and (await self._receive(room, octets)).broken is not None

    async def _read(self, most: int) -> tuple[int | None, Cut]:
        """Take up to so many octets, and hand on what they complete: (what the channel says, what was cut)."""
        with self._shared.rooms.borrow() as room:
            octets = self._channel.take(room, most)
            return octets, await self._receive(room, octets) if octets else NOTHING

    async def _receive(self, room: Room, octets: int) -> Cut:
        self._count(octets)
        cut = self._reassembly.receive(room)
        if octets >= self._size:
            self._size, self._full = min(self._size * 4, LARGEST_READ), bool(cut)  # others have their turn while what was cut is handed on
        elif octets < self._size // 4:
            self._size = max(self._size // 2, SMALLEST_READ)
        await self._hand(cut)
        return cut

    async def _hand(self, cut: Cut) -> None:
        self._shared.holdings.hold(self._wait, self._reassembly.octets)
        origin = Origin(self._shared.name, self._transport, self._peer, self._shared.clock(), self._identity)
        await self._shared.handover.hand(origin, cut)
