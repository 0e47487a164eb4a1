"""RADIUS accounting over TLS (RFC 6614): connections whose client is known by its certificate, packets cut by their Length (RFC 6613 section 2.6).

The same requests, judged, kept and answered as over UDP, with the secret `radsec`. Answers leave in the order in which their records are kept, which need not
be that of the requests; the Identifier says which is which.

Departures, and choices the documents leave open:
  - a client is known by the names of its certificate alone, of whatever address it comes (RFC 6614 section 2.3 lets either be configured);
  - a packet of a code that isn't ours is dropped and the connection stays (RFC 6613 section 2.6.4 lets it); one that breaks its form or isn't signed ends it,
    as that section demands;
  - requests are the same if Identifier and Request Authenticator are, on whichever connection of the client they come: who lost a connection sends what wasn't
    answered over the next one.

How a connection ended other than by its peer's orderly close is counted: `framing` (a Length nobody can follow), `packet` (a packet as above), `truncated`,
`reset`, `tls`, `idle`, `stalled` (its peer takes no answers), `drain`.
"""

from __future__ import annotations

import ssl
from array import array
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import trio

from kernel import Room
from listeners.accept import Arrival, Door
from listeners.channel import TlsChannel
from listeners.drain import DRAIN
from listeners.radius.clients import Client, Clients
from listeners.radius.exchange import UNKNOWN_CLIENT, WORD, Accept, Drop, receive
from listeners.radius.reception import Handed, Reception, Requests
from listeners.tls import Certificates, names_of, shake_hands
from pipeline.errors import FramingError, PeerError
from wire.radius.packet import MAX_LENGTH, scan_packets

READ_OCTETS: Final = 64 << 10

BURSTS: Final = 8
"""Of one connection that await their receipts, or that its peer takes the answers."""

ANSWER_SECONDS: Final = 10.0
"""A peer takes an answer by then, or is ended."""

TURNS: Final = 16
"""Connections that may hold what they have read and not handed on."""

STAYS: Final = frozenset({"radius-code"})
"""Why a packet may be dropped and its connection stays."""


@dataclass(frozen=True, slots=True)
class Hall:
    """What every connection of the listener needs.

    handshake:  seconds one may take.
    idle:       seconds of silence that end a connection.
    turns:      how many may hold what they have read.
    room:       what connections are read into.
    """

    door: Door
    clients: Clients
    certificates: Certificates
    reception: Reception
    handshake: float
    idle: float
    turns: trio.CapacityLimiter
    room: Room


async def serve_connection(hall: Hall, arrival: Arrival) -> None:
    """Serve one connection from its handshake to its last answer."""
    door, peer = hall.door, arrival.peer
    try:
        channel = await shake_hands(arrival.sock, peer, hall.certificates, arrival.wait, hall.handshake)
    except PeerError as error:
        door.refuse(arrival.transport, peer, error.reason)
        return
    try:
        client = hall.clients.named(names_of(channel.tls))
        if client is None:
            door.refuse(arrival.transport, peer, UNKNOWN_CLIENT)
            return
        reason = await Conversation(channel, client, arrival, hall).converse()
    finally:
        channel.close()
    if reason is not None:
        door.metrics.connections_ended.labels(door.name, reason).inc()
        if reason != DRAIN:
            facts = {"listener": door.name, "transport": arrival.transport, "client": client.name, "reason": reason}
            door.peer_log.warning("connection ended", peer=peer, **facts)


class Conversation:
    """One connection's requests and answers.

    Args:
        channel: its octets, the handshake done.
        client: whose it is.
        arrival: where it came from, and what ends its waits.
        hall: what it shares with the others.
    """

    def __init__(self, channel: TlsChannel, client: Client, arrival: Arrival, hall: Hall) -> None:
        self._channel: Final = channel
        self._client: Final = client
        self._arrival: Final = arrival
        self._hall: Final = hall
        self._reception: Final = hall.reception
        self._count: Final[Callable[[float], None]] = hall.door.metrics.received_bytes.labels(hall.door.name, arrival.transport).inc
        self._room: Final = trio.Semaphore(BURSTS)
        self._source: Final = client.name.encode() + b"|"
        self._rest = b""
        self._deaf = False

    async def converse(self) -> str | None:
        """Keep and answer everything the peer sends; returns why it ended, None where the peer closed in good order."""
        async with trio.open_nursery() as answering:
            reason = await self._hear(answering)
        return reason or self._arrival.wait.ended_by

    async def _hear(self, answering: trio.Nursery) -> str | None:
        try:
            reason = await self._listen(answering)
            if reason == DRAIN:
                await self._read_out(answering)
        except FramingError:
            return "framing"
        except ssl.SSLError:
            return "tls"
        except OSError:  # reset, or found dead by keepalive
            return "reset"
        return reason or ("truncated" if self._rest else None)

    async def _listen(self, answering: trio.Nursery) -> str | None:
        heard, wait = trio.current_time(), self._arrival.wait
        while True:
            if not await wait.until(self._channel.readable, heard + self._hall.idle):
                return wait.ended_by or "idle"
            heard = trio.current_time()
            await self._room.acquire()
            async with self._arrival.guest.turn, self._hall.turns:
                data = self._take()
                ended = await self._receive(data, answering) if data else None
            if not data:
                self._room.release()
            if ended or (data is not None and not data):
                return ended

    async def _read_out(self, answering: trio.Nursery) -> None:
        """Take what the kernel already took from the peer, and no more: a peer that never stops can't keep us."""
        left = self._channel.waiting()
        while left > 0 and (data := self._take()):
            left -= len(data)
            await self._room.acquire()
            if await self._receive(data, answering):
                return

    def _take(self) -> bytes | None:
        room = self._hall.room
        room.clear()
        return room[:] if self._channel.take(room, READ_OCTETS) is not None else None

    async def _receive(self, data: bytes, answering: trio.Nursery) -> str | None:
        """Judge the packets that are whole by now, and have them answered; returns why the connection has to end."""
        self._count(len(data))
        buffer = self._rest + data
        accepted, questions, replies, ended = array("I"), 0, list[bytes](), None
        spans, broken = _cut(buffer)
        for start, end in spans:
            verdict = receive(buffer[start:end], self._client)
            if isinstance(verdict, Drop):
                self._reception.drop(self._arrival.transport, self._arrival.peer, verdict, buffer[start:end])
                if verdict.reason not in STAYS:
                    ended = "packet"
                    break
            elif isinstance(verdict, Accept):
                accepted.extend((start, end))
            else:
                questions += 1
                response = self._reception.reply(verdict)
                replies += [response] if response is not None else []
        self._rest = b"" if broken or ended else buffer[spans[-1][1] if spans else 0 :]
        transport, peer = self._arrival.transport, self._arrival.peer
        if questions:
            await self._reception.ask(transport, peer, self._client, questions)
        requests = Requests(self._client, buffer, accepted.tobytes(), bytes(WORD * (len(accepted) // 2)), (self._source,))
        handed = await self._reception.hand(transport, peer, requests)
        answering.start_soon(self._answer, replies, handed)
        if broken is not None:
            self._reception.drop(
                self._arrival.transport, self._arrival.peer, Drop(broken.rule, self._client, broken.detail), buffer[broken.offset :][:MAX_LENGTH]
            )
            raise broken
        return ended

    async def _answer(self, replies: list[bytes], burst: list[Handed]) -> None:
        if replies:
            await self._send(b"".join(replies))
        for handed in burst:
            answers = await self._reception.answers(handed)
            if answers is None:
                continue
            tell = self._reception.answered if await self._send(answers[0]) else self._reception.unsent
            tell(self._client, len(handed.kept))
        self._room.release()

    async def _send(self, responses: bytes) -> bool:
        if not self._deaf:  # half an answer may be on its way by then
            try:
                with trio.fail_after(ANSWER_SECONDS):
                    await self._channel.send(responses)
            except (trio.TooSlowError, OSError) as error:
                self._deaf = True
                self._arrival.wait.end("stalled" if isinstance(error, trio.TooSlowError) else "reset")
        return not self._deaf


def _cut(buffer: bytes) -> tuple[tuple[tuple[int, int], ...], FramingError | None]:
    """The whole packets of a buffer, and what is wrong behind them."""
    try:
        return scan_packets(buffer)[0], None
    except FramingError as error:
        return scan_packets(buffer[: error.offset])[0], error
