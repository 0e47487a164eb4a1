"""RADIUS accounting over UDP (RFC 2866): wait until something is there, take all of it, keep it, answer it.

A burst costs a system call per datagram each way and the rest per burst: the packets of one peer in it are normalized together, `reception.SLICE` at a time,
and one task awaits their receipts and sends all their answers. No datagram has an await of its own.

While the spool takes nothing in, a burst waits for its share of the intake, nothing more is read, and the kernel drops what comes then; so nobody is answered.
So many bursts may await their receipts at once; that, too, stops reading.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import trio

from listeners.datagrams import NOTHING_LEFT, KernelDrops, serve_bursts
from listeners.drain import Drain
from listeners.radius.clients import Clients
from listeners.radius.exchange import Accept, Answer, Drop, receive
from listeners.radius.reception import Group, Handed, Reception
from listeners.radius.reply_socket import ReplySocket, Way
from pipeline.model import Transport

BURST_DATAGRAMS: Final = 256
"""So many are taken before others get their turn: some 70 KB of them."""

BURSTS: Final = 64
"""Of one socket that await their receipts."""


@dataclass(slots=True)
class Burst:
    """What one drain of a socket took.

    groups:     per peer, what is kept and answered.
    replies:    what is answered at once.
    drops:      what meets silence, one of them and how many.
    datagrams:  taken.
    octets:     of them.
    """

    groups: dict[str, Group[Way]] = field(default_factory=dict)
    replies: list[tuple[Answer, Way]] = field(default_factory=list)
    drops: dict[tuple[str, Drop], tuple[bytes, int]] = field(default_factory=dict)
    datagrams: int = 0
    octets: int = 0

    def take(self, datagram: bytes, way: Way, clients: Clients) -> None:
        """Judge one datagram."""
        self.datagrams += 1
        self.octets += len(datagram)
        peer, port = way[0][0], way[0][1]
        verdict = receive(datagram, clients.at(peer))
        if isinstance(verdict, Drop):
            first, count = self.drops.get((peer, verdict), (datagram, 0))
            self.drops[peer, verdict] = first, count + 1
            return
        group = self.groups.get(peer)
        if group is None:
            group = self.groups[peer] = Group(verdict.client)
        if isinstance(verdict, Accept):
            group.accepted.append(verdict)
            group.sources.append(b"%b|%d|" % (peer.encode(), port))
            group.ways.append(way)
        else:
            group.questions += 1
            self.replies.append((verdict, way))


def take_burst(sock: ReplySocket, clients: Clients) -> Burst:
    """Take what is there, and no more than BURST_DATAGRAMS of it."""
    burst = Burst()
    for _ in range(BURST_DATAGRAMS):
        try:
            datagram, way = sock.receive()
        except BlockingIOError:
            break
        burst.take(datagram, way, clients)
    return burst


async def serve_datagrams(replying: ReplySocket, clients: Clients, reception: Reception, drain: Drain) -> None:
    """Serve a UDP socket until a drain, then what its queue holds; returns when all of it is answered, or never will be."""
    sock = replying.sock
    octets = reception.metrics.received_bytes.labels(reception.name, Transport.UDP)
    drops = KernelDrops(reception.name, sock, reception.metrics)
    room = trio.Semaphore(BURSTS)

    async def send(response: bytes, way: Way) -> bool:
        try:
            await replying.send(response, way)
        except OSError as error:
            reception.peer_log.warning("answer not sent", peer=way[0][0], listener=reception.name, error=str(error))
            return False
        return True

    async def answer(burst: list[Handed[Way]]) -> None:
        for handed in burst:
            left = [await send(response, way) for response, way in await reception.answers(handed)]
            reception.answered(handed.client, sum(left))
            reception.unsent(handed.client, len(left) - sum(left))
        room.release()

    async def hear() -> int:
        await room.acquire()
        burst = take_burst(replying, clients)
        octets.inc(burst.octets)
        drops.count()
        for (peer, drop), (datagram, count) in burst.drops.items():
            reception.drop(Transport.UDP, peer, drop, datagram, count)
        for question, way in burst.replies:
            response = reception.reply(question)
            if response is not None:
                await send(response, way)
        handed = [one for peer, group in burst.groups.items() for one in await reception.hand(Transport.UDP, peer, group)]
        answering.start_soon(answer, handed)
        return burst.octets if burst.datagrams else NOTHING_LEFT

    async with trio.open_nursery() as answering:
        await serve_bursts(sock, drain, drops, hear)
