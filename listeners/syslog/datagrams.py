"""Syslog over UDP (RFC 5426): wait until something is there, then take all of it; one datagram is one message.

A burst is one buffer, a room that stays. The datagrams of one peer in it are one Frames, however they interleave with others': spans need no
neighbours. So a firehose costs a system call for many datagrams and the rest per burst, and no datagram has an await of its own.
"""

from __future__ import annotations

import socket
from array import array
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from kernel import Octets, Receiver, Room
from listeners.admission import AllowList
from listeners.datagrams import LARGEST_DATAGRAM, Heard, KernelDrops, serve_bursts
from listeners.drain import Drain
from listeners.syslog.handover import Handover
from listeners.syslog.reassembly import KEPT_OF_A_REJECT, OVERSIZE, Cut
from pipeline.log import PeerLog
from pipeline.metrics import Metrics
from pipeline.model import Origin, Reject, Transport

BURST_OCTETS: Final = 1 << 20
BURST_DATAGRAMS: Final = 2048
AT_ONCE: Final = 64
"""Datagrams that one system call takes, into 4 MiB of which it touches what they need."""

GATHER_S: Final = 0.008
"""For which bursts are let grow behind another; nobody waits for an answer."""

WORD: Final = 4
"""Octets of a number in columns."""


@dataclass(frozen=True, slots=True)
class Hearing:
    """What every UDP socket of the listener needs.

    name:         the listener's.
    clock:        nanoseconds since the Unix epoch.
    max_message:  longest message to hand on, in octets.
    """

    name: str
    clock: Callable[[], int]
    max_message: int
    allow_list: AllowList
    drain: Drain
    handover: Handover
    metrics: Metrics
    peer_log: PeerLog


@dataclass(frozen=True, slots=True)
class Burst:
    """What one drain of a socket took.

    cuts:       per peer, over one buffer.
    datagrams:  taken, those of refused peers too.
    octets:     of them.
    refused:    datagrams by refused peer.
    """

    cuts: dict[str, Cut]
    datagrams: int
    octets: int
    refused: dict[str, int]


class DatagramSocket:
    """One UDP socket, and the room of its bursts."""

    def __init__(self, sock: socket.socket, max_message: int, allow_list: AllowList) -> None:
        self._sock: Final = sock
        self._max_message: Final = max_message
        self._allows: Final = allow_list.allows
        self._receiver: Final = Receiver(LARGEST_DATAGRAM, AT_ONCE, False)
        self._room: Final = Room(BURST_OCTETS, 0)

    def burst(self) -> Burst:
        """Take what is there: at most a MiB and what one system call takes beyond it, and 2,048 datagrams, so that others get their turn.

        What it cuts out is there until the next burst.

        Raises:
            OSError: it can't be told.
        """
        taken = self._receiver.receive(self._room, self._sock.fileno(), BURST_DATAGRAMS, BURST_OCTETS)
        cuts, refused = dict[str, Cut](), dict[str, int]()
        for peer, spans, ways in taken.peers:
            if self._allows(peer):
                cuts[peer] = self._cut(self._room, array("I", spans))
            else:
                refused[peer] = len(ways) // WORD
        return Burst(cuts, taken.datagrams, len(self._room), refused)

    def _cut(self, buffer: Octets, spans: array[int]) -> Cut:
        limit = self._max_message
        if limit >= LARGEST_DATAGRAM:
            return Cut(buffer, spans)
        kept, rejects = array("I"), list[Reject]()
        for start, end in zip(spans[::2], spans[1::2], strict=True):
            if end - start > limit:
                rejects.append(Reject(buffer[start : min(end, start + KEPT_OF_A_REJECT)], OVERSIZE, 0, f"longer than {limit} octets"))
            else:
                kept.extend((start, end))
        return Cut(buffer, kept, {OVERSIZE: len(rejects)} if rejects else {}, tuple(rejects))


async def serve_datagrams(sock: socket.socket, hearing: Hearing) -> None:
    """Serve a UDP socket until a drain, and then what its queue holds."""
    datagrams = DatagramSocket(sock, hearing.max_message, hearing.allow_list)
    octets = hearing.metrics.received_bytes.labels(hearing.name, Transport.UDP)
    drops = KernelDrops(hearing.name, sock, hearing.metrics)

    async def hear() -> Heard:
        burst = datagrams.burst()
        octets.inc(burst.octets)
        drops.count()
        for peer, count in burst.refused.items():
            hearing.metrics.datagrams_refused.labels(hearing.name, "not-allowed").inc(count)
            hearing.peer_log.warning("datagrams refused", peer=peer, listener=hearing.name, reason="not-allowed", count=count)
        received_at_ns = hearing.clock()
        await hearing.handover.hand_all((Origin(hearing.name, Transport.UDP, peer, received_at_ns), cut) for peer, cut in burst.cuts.items())
        return Heard(burst.datagrams, burst.octets, burst.datagrams < BURST_DATAGRAMS and burst.octets <= BURST_OCTETS)

    await serve_bursts(sock, hearing.drain, drops, hear, GATHER_S, behind=1)
