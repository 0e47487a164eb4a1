"""From accepted requests to the intake, and from its receipts to answers: what both transports share.

    burst ─▶ exchange ─▶ requests per peer ─▶ normalize ─▶ intake ─▶ receipt ─▶ answers

A request is answered if and only if a record stands for it on stable storage: its own, or that of the request which it repeats (RFC 2866 section 4.1: a server
that can't record must not answer). One that the normalizer rejects is kept for `tidegate explain --last`, and not answered.
"""

from __future__ import annotations

from array import array
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import compress
from typing import Protocol

import trio

from kernel import Retransmissions, encode_responses
from listeners.normalizing import KEY_OCTETS, join_batches, normalize_guarded
from listeners.radius.clients import Client
from listeners.radius.exchange import WORD, Answer, Drop
from listeners.radius.pace import Pace
from pipeline.errors import SpoolError
from pipeline.index import EMPTY
from pipeline.log import PeerLog
from pipeline.metrics import Metrics
from pipeline.model import Batch, Frames, Origin, Reject, Transport
from pipeline.receipt import Receipt

Normalize = Callable[[Frames, str], Batch]
"""Frames of whole verified packets, and their client's maker, to a batch: records with the aliases of their packets. Pure."""

Proof = Callable[[Receipt], Awaitable[bool]]
"""Waits until what a receipt stands for may be answered; False where it may not. Raises SpoolError where it was not kept."""


class Intake(Protocol):
    """The door to the spool, `pipeline.intake.Intake`: waits while this listener's share is full."""

    async def submit(self, batch: Batch, *, keep_rejects: bool) -> Receipt:
        """Hand a batch in."""


async def committed(receipt: Receipt) -> bool:
    """The Proof that is enough by itself: stable storage."""
    await receipt.wait()
    return True


@dataclass(frozen=True, slots=True)
class Requests:
    """Requests that one client signed, in columns: octets of array("I") each, and no object per request.

    client:   whom its address or its certificate makes it.
    buffer:   where they lie.
    spans:    start and end of each in the buffer, without padding.
    ways:     how the answer of each gets back: a number that means something to its transport.
    sources:  by that number, what retransmissions have alike.
    """

    client: Client
    buffer: bytes
    spans: bytes
    ways: bytes
    sources: Sequence[bytes]

    def __len__(self) -> int:
        return len(self.ways) // WORD

    def part(self, start: int, stop: int) -> Requests:
        """Those from number `start` up to `stop`."""
        return replace(self, spans=self.spans[2 * WORD * start : 2 * WORD * stop], ways=self.ways[WORD * start : WORD * stop])

    def chosen(self, chosen: Sequence[bool]) -> Requests:
        """Those that are chosen."""
        spans, ways = array("Q", self.spans), array("I", self.ways)
        return replace(self, spans=array("Q", compress(spans, chosen)).tobytes(), ways=array("I", compress(ways, chosen)).tobytes())


@dataclass(frozen=True, slots=True)
class Handed:
    """Requests that the intake has taken, as one batch.

    receipt:  of the batch.
    kept:     those that a record stands for.
    """

    receipt: Receipt
    kept: Requests


@dataclass(slots=True)
class Reception:
    """What every socket of the listener shares. `keep` and `proof` may change while it listens.

    name:      the listener's.
    turn:      so many requests at most are normalized before other sockets get their turn.
    remember:  keeps what was dropped for `tidegate explain --last`.
    keep:      whether packets are kept beside their records, for a relay.
    proof:     what an answer waits for.
    takes_in:  whether the spool takes records in: whether we are alive, as a Status-Server asks (RFC 5997 section 4.2).
    clock:     nanoseconds since the Unix epoch.
    timer:     seconds, for how long normalizing takes.
    """

    name: str
    turn: int
    normalize: Normalize
    intake: Intake
    remember: Callable[[Origin, Reject], None]
    keep: bool
    proof: Proof
    takes_in: Callable[[], bool]
    clock: Callable[[], int]
    metrics: Metrics
    peer_log: PeerLog
    timer: Callable[[], float] = trio.current_time
    retransmissions: Retransmissions = field(default_factory=Retransmissions)
    paces: dict[str, Pace] = field(default_factory=dict)

    def drop(self, transport: Transport, peer: str, drop: Drop, datagram: bytes, count: int = 1) -> None:
        """Count, log and remember packets that meet silence, `datagram` being one of them."""
        client = drop.client.name if drop.client else None
        self.metrics.radius_dropped.labels(self.name, client or "", drop.reason).inc(count)
        facts = {"listener": self.name, "transport": transport, "client": client, "reason": drop.reason, "detail": drop.detail, "count": count}
        self.peer_log.warning("RADIUS packets dropped", peer=peer, **facts)
        self.remember(Origin(self.name, transport, peer, self.clock()), Reject(datagram, drop.reason, drop.offset, drop.detail))

    def reply(self, answer: Answer) -> bytes | None:
        """What a question is answered; None while we are not alive."""
        if not self.takes_in():
            self._unanswered(answer.client, "spool", 1)
            return None
        self.metrics.radius_answered.labels(self.name, answer.client.name, "status").inc()
        return answer.response

    async def ask(self, transport: Transport, peer: str, client: Client, questions: int) -> None:
        """Account for requests that need nothing kept."""
        batch = Batch(b"", EMPTY, Origin(self.name, transport, peer, self.clock(), client.name), questions, control=questions)
        await self.intake.submit(batch, keep_rejects=False)

    async def hand(self, transport: Transport, peer: str, requests: Requests) -> list[Handed]:
        """Hand on what one peer sent; returns when the intake has taken it, which is how a full spool makes us silent."""
        origin = Origin(self.name, transport, peer, self.clock(), requests.client.name)
        pace, at, handed = self.paces.setdefault(requests.client.name, Pace(self.turn)), 0, list[Handed]()
        while at < len(requests):
            part = requests.part(at, at + pace.size)
            handed.append(await self._hand(origin, part, pace))
            at += len(part)
        return handed

    async def _hand(self, origin: Origin, requests: Requests, pace: Pace) -> Handed:
        client, buffer, spans = requests.client, requests.buffer, requests.spans
        keys = self.retransmissions.keys(buffer, spans, requests.sources, requests.ways, origin.received_at_ns)
        frames = Frames(buffer, array("I", spans), origin, aliases=keys, keep=self.keep)
        begun = self.timer()
        batch = join_batches(normalize_guarded(partial(_normalize, self.normalize, client.vendor), frames, self.peer_log))
        pace.took(len(requests), self.timer() - begun)
        if batch.rejected:
            facts = {"listener": self.name, "transport": origin.transport, "client": client.name, "rules": batch.rejected}
            self.peer_log.warning("messages rejected", peer=origin.peer, **facts)
            self._unanswered(client, "rejected", sum(batch.rejected.values()))
        receipt = await self.intake.submit(batch, keep_rejects=True)
        if batch.aliases == keys:
            return Handed(receipt, requests)
        recorded = {batch.aliases[at : at + KEY_OCTETS] for at in range(0, len(batch.aliases), KEY_OCTETS)}
        return Handed(receipt, requests.chosen([keys[at : at + KEY_OCTETS] in recorded for at in range(0, len(keys), KEY_OCTETS)]))

    async def answers(self, handed: Handed) -> tuple[bytes, bytes] | None:
        """The answers to what the intake took, once they may leave, and their spans; None where they may not."""
        kept, client = handed.kept, handed.kept.client
        try:
            proven = await self.proof(handed.receipt)
        except SpoolError as error:
            self.peer_log.warning("requests not answered", peer=client.name, listener=self.name, error=str(error), count=len(kept))
            self._unanswered(client, "spool", len(kept))
            return None
        if not proven:
            self._unanswered(client, "relay", len(kept))
            return None
        return encode_responses(kept.buffer, kept.spans, client.secret)

    def answered(self, client: Client, count: int) -> None:
        """Count answers that left."""
        self.metrics.radius_answered.labels(self.name, client.name, "accounting").inc(count)

    def unsent(self, client: Client, count: int) -> None:
        """Count answers that couldn't leave."""
        self._unanswered(client, "send", count)

    def _unanswered(self, client: Client, reason: str, count: int) -> None:
        self.metrics.radius_unanswered.labels(self.name, client.name, reason).inc(count)


def _normalize(normalize: Normalize, vendor: str, frames: Frames) -> Batch:
    return normalize(frames, vendor)
