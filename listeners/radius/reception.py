"""From accepted requests to the intake, and from its receipts to answers: what both transports share.

    burst ─▶ exchange ─▶ group per peer ─▶ normalize ─▶ intake ─▶ receipt ─▶ answers

A request is answered if and only if a record stands for it on stable storage: its own, or that of the request which it repeats (RFC 2866 section 4.1: a server
that can't record must not answer). One that the normalizer rejects is kept for `tidegate explain --last`, and not answered.
"""

from __future__ import annotations

from array import array
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import accumulate, chain
from typing import Final, Generic, Protocol, TypeVar

from listeners.normalizing import KEY_OCTETS, join_batches, normalize_guarded
from listeners.radius.clients import Client
from listeners.radius.exchange import Accept, Answer, Drop
from listeners.radius.retransmissions import Retransmissions
from pipeline.errors import SpoolError
from pipeline.index import EMPTY
from pipeline.log import PeerLog
from pipeline.metrics import Metrics
from pipeline.model import Batch, Frames, Origin, Reject, Transport
from pipeline.receipt import Receipt

SLICE: Final = 32
"""Requests that are normalized before other sockets get their turn."""

Way = TypeVar("Way")
"""How an answer gets back to who asked."""

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


@dataclass(slots=True)
class Group(Generic[Way]):
    """What one peer sent in one burst.

    client:     whom its address or its certificate makes it.
    accepted:   requests to be kept and answered.
    sources:    of each, what its retransmissions have alike.
    ways:       of each, how its answer gets back.
    questions:  requests that need nothing kept.
    """

    client: Client
    accepted: list[Accept] = field(default_factory=list)
    sources: list[bytes] = field(default_factory=list)
    ways: list[Way] = field(default_factory=list)
    questions: int = 0


@dataclass(frozen=True, slots=True)
class Handed(Generic[Way]):
    """Requests that the intake has taken, as one batch.

    receipt:  of the batch.
    kept:     those that a record stands for, and how their answers get back.
    """

    client: Client
    receipt: Receipt
    kept: tuple[tuple[Accept, Way], ...]


@dataclass(frozen=True, slots=True)
class Reception:
    """What every socket of the listener shares.

    name:      the listener's.
    remember:  keeps what was dropped for `tidegate explain --last`.
    keep:      whether packets are kept beside their records, for a relay.
    proof:     what an answer waits for.
    takes_in:  whether the spool takes records in: whether we are alive, as a Status-Server asks (RFC 5997 section 4.2).
    clock:     nanoseconds since the Unix epoch.
    """

    name: str
    normalize: Normalize
    intake: Intake
    remember: Callable[[Origin, Reject], None]
    keep: bool
    proof: Proof
    takes_in: Callable[[], bool]
    clock: Callable[[], int]
    metrics: Metrics
    peer_log: PeerLog
    retransmissions: Retransmissions = field(default_factory=Retransmissions)

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

    async def hand(self, transport: Transport, peer: str, group: Group[Way]) -> list[Handed[Way]]:
        """Hand on what one peer sent; returns when the intake has taken it, which is how a full spool makes us silent."""
        origin = Origin(self.name, transport, peer, self.clock(), group.client.name)
        if group.questions:
            await self.intake.submit(Batch(b"", EMPTY, origin, group.questions, control=group.questions), keep_rejects=False)
        return [await self._hand(origin, group, slice(at, at + SLICE)) for at in range(0, len(group.accepted), SLICE)]

    async def _hand(self, origin: Origin, group: Group[Way], part: slice) -> Handed[Way]:
        client, now = group.client, origin.received_at_ns
        accepted, sources, ways = group.accepted[part], group.sources[part], group.ways[part]
        packets = [accept.packet for accept in accepted]
        keys = [self.retransmissions.key(source, packet, now) for source, packet in zip(sources, packets, strict=True)]
        frames = Frames(b"".join(packets), _spans(packets), origin, aliases=b"".join(keys), keep=self.keep)
        batch = join_batches(normalize_guarded(partial(_normalize, self.normalize, client.vendor), frames, self.peer_log))
        if batch.rejected:
            facts = {"listener": self.name, "transport": origin.transport, "client": client.name, "rules": batch.rejected}
            self.peer_log.warning("messages rejected", peer=origin.peer, **facts)
            self._unanswered(client, "rejected", sum(batch.rejected.values()))
        receipt = await self.intake.submit(batch, keep_rejects=True)
        recorded = {batch.aliases[at : at + KEY_OCTETS] for at in range(0, len(batch.aliases), KEY_OCTETS)}
        kept = ((accept, way) for key, accept, way in zip(keys, accepted, ways, strict=True) if key in recorded)
        return Handed(client, receipt, tuple(kept))

    async def answers(self, handed: Handed[Way]) -> Iterator[tuple[bytes, Way]]:
        """The answers to what the intake took, once they may leave; none where it isn't kept."""
        client, count = handed.client, len(handed.kept)
        try:
            proven = await self.proof(handed.receipt)
        except SpoolError as error:
            self.peer_log.warning("requests not answered", peer=client.name, listener=self.name, error=str(error), count=count)
            self._unanswered(client, "spool", count)
            return iter(())
        if not proven:
            self._unanswered(client, "relay", count)
            return iter(())
        return ((accept.answer(), way) for accept, way in handed.kept)

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


def _spans(packets: list[bytes]) -> array[int]:
    ends = list(accumulate(map(len, packets)))
    return array("I", chain.from_iterable(zip([0, *ends], ends, strict=False)))
