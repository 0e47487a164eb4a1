"""RADIUS accounting over UDP (RFC 2866): wait until something is there, take all of it, keep it, answer it.

A burst costs a system call for hundreds of datagrams each way and the rest per burst: the requests of one peer in it are one Frames, verified, normalized and
answered by the kernel, and one task awaits their receipts and sends all their answers. No datagram has an await of its own, and no request an object.

While the spool takes nothing in, a burst waits for its share of the intake, nothing more is read, and the kernel drops what comes then; so nobody is answered.
So many bursts may await their receipts at once; that, too, stops reading.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import trio

from kernel import Burst
from listeners.datagrams import Heard, KernelDrops, serve_bursts
from listeners.drain import Drain
from listeners.radius.clients import Client, Clients
from listeners.radius.exchange import SPAN, Answer, Drop, sort_datagrams
from listeners.radius.reception import Handed, Reception, Requests
from listeners.radius.reply_socket import ReplySocket
from pipeline.model import Transport

BURST_DATAGRAMS: Final = 512
"""Some 140 KB of them."""

GATHER_S: Final = 0.001
"""For which bursts are let grow under load."""

BURSTS: Final = 16
"""Of one socket that await their receipts."""


@dataclass(slots=True)
class Sorted:
    """What became of a burst.

    requests:   per peer, what is kept and answered.
    questions:  per peer, requests that need nothing kept.
    replies:    what is answered at once, and its way.
    drops:      what meets silence, one of them and how many.
    """

    requests: dict[str, Requests] = field(default_factory=dict)
    questions: dict[str, tuple[Client, int]] = field(default_factory=dict)
    replies: list[tuple[Answer, bytes]] = field(default_factory=list)
    drops: dict[tuple[str, Drop], tuple[bytes, int]] = field(default_factory=dict)


def sort_burst(burst: Burst, buffer: bytes, clients: Clients) -> Sorted:
    """Judge a burst, whose datagrams lie in `buffer`."""
    found, ports = Sorted(), burst.ports
    sources = [b""] * len(ports)
    for peer, spans, ways in burst.peers:
        client = clients.at(peer)
        judged = sort_datagrams(buffer, spans, ways, client)
        for datagram, way, verdict in judged.others:
            if isinstance(verdict, Drop):
                first, count = found.drops.get((peer, verdict), (datagram, 0))
                found.drops[peer, verdict] = first, count + 1
            else:
                _, count = found.questions.get(peer, (verdict.client, 0))
                found.questions[peer] = verdict.client, count + 1
                found.replies.append((verdict, way))
        if client is not None and judged.ways:
            for way_number in {*memoryview(judged.ways).cast("I")}:
                sources[way_number] = b"%b|%d|" % (peer.encode(), ports[way_number])
            found.requests[peer] = Requests(client, buffer, judged.spans, judged.ways, sources)
    return found


async def serve_datagrams(replying: ReplySocket, clients: Clients, reception: Reception, drain: Drain) -> None:
    """Serve a UDP socket until a drain, then what its queue holds; returns when all of it is answered, or never will be."""
    sock = replying.sock
    octets = reception.metrics.received_bytes.labels(reception.name, Transport.UDP)
    drops = KernelDrops(reception.name, sock, reception.metrics)
    room = trio.Semaphore(BURSTS)

    def failed(error: OSError) -> None:
        reception.peer_log.warning("answer not sent", peer="", listener=reception.name, error=str(error))

    async def answer(burst: Burst, taken: list[Handed]) -> None:
        for handed in taken:
            answers = await reception.answers(handed)
            if answers is not None:
                sent = await replying.send(burst, *answers, handed.kept.ways, failed)
                reception.answered(handed.kept.client, sent)
                reception.unsent(handed.kept.client, len(handed.kept) - sent)
        room.release()

    async def hear() -> Heard:
        await room.acquire()
        burst, buffer = replying.receive(BURST_DATAGRAMS)
        if not burst.datagrams:
            room.release()
            return Heard(0, 0, all=True)
        octets.inc(len(buffer))
        drops.count()
        found = sort_burst(burst, buffer, clients)
        await _need_nothing_kept(found, burst, replying, reception, failed)
        taken = [one for peer, requests in found.requests.items() for one in await reception.hand(Transport.UDP, peer, requests)]
        answering.start_soon(answer, burst, taken)
        return Heard(burst.datagrams, len(buffer), burst.datagrams < BURST_DATAGRAMS)

    async with trio.open_nursery() as answering:
        await serve_bursts(sock, drain, drops, hear, GATHER_S)


async def _need_nothing_kept(found: Sorted, burst: Burst, replying: ReplySocket, reception: Reception, failed: Callable[[OSError], None]) -> None:
    """What meets silence, and what is answered at once."""
    for (peer, drop), (datagram, count) in found.drops.items():
        reception.drop(Transport.UDP, peer, drop, datagram, count)
    for question, way in found.replies:
        response = reception.reply(question)
        if response is not None:
            await replying.send(burst, response, SPAN.pack(0, len(response)), way, failed)
    for peer, (client, questions) in found.questions.items():
        await reception.ask(Transport.UDP, peer, client, questions)
