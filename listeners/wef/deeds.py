"""The deeds of the conversation, done: what each message asks of the spool, and the answer that says so.

Nothing is acknowledged before it is on stable storage, its bookmark with it. A heartbeat alone is answered in any case: it promises nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol
from uuid import UUID

import trio

from listeners.normalizing import SLICE_OCTETS, Normalize, join_batches, normalize_guarded, slices
from listeners.wef.conversation import MISMATCH_LABEL, Conversation, Decision, Deed
from listeners.wef.identity import Identity
from listeners.wef.record_ids import highest_record_ids
from listeners.wef.sources import Sources
from pipeline.errors import GatewayError, SpoolError
from pipeline.index import EMPTY
from pipeline.log import PeerLog
from pipeline.metrics import Metrics
from pipeline.model import Batch, Frames, Origin, Reject
from pipeline.receipt import Receipt
from pipeline.spool.spool import Blockade, Bookmark
from wire.wef.messages import Delivery, Enumerate, Events, Request, SubscriptionEnd
from wire.wef.responses import FaultCode, encode_ack, encode_enumerate_response, encode_fault

HEARTBEAT_SECONDS: Final = 5.0
"""A heartbeat is answered even where it can't be noted by then."""

ILLEGAL_CHARACTER: Final = "illegal-character"
MISMATCH: Final = "identity-mismatch"
"""Warnings: of what a message holds, and of whom it says it is from."""


class Intake(Protocol):
    """The door to the spool, `pipeline.intake.Intake`."""

    async def submit(self, batch: Batch, *, bookmark: Bookmark | None = None, keep_rejects: bool = False) -> Receipt:
        """Hand a batch in; waits while this listener's share is full."""


class Memory(Protocol):
    """What the spool remembers, `pipeline.spool.sqlite.SqliteSpool`."""

    @property
    def blockade(self) -> Blockade | None:
        """Why it takes nothing in."""

    async def bookmarks(self, client: str, subscriptions: Sequence[str]) -> Mapping[str, bytes]:
        """The fragments kept for a client."""


@dataclass(frozen=True, slots=True)
class Reach:
    """What every connection of the listener shares.

    name:           the listener's.
    decompressed:   octets of a message at most.
    answer_within:  seconds until a batch that isn't committed is refused.
    normalize:      Frames of bare events to Batch.
    intake:         where batches go.
    memory:         where bookmarks come from.
    remember:       keeps what was refused for `tidegate explain --last`.
    clock:          nanoseconds since the Unix epoch.
    new_uuid:       makes the IDs of messages.
    """

    name: str
    decompressed: int
    answer_within: float
    normalize: Normalize
    intake: Intake
    memory: Memory
    remember: Callable[[Origin, Reject], None]
    sources: Sources
    metrics: Metrics
    peer_log: PeerLog
    clock: Callable[[], int]
    new_uuid: Callable[[], UUID]


class RefusalError(GatewayError):
    """A request isn't done.

    Args:
        reason: low-cardinality name, the counter's label.
        status: of the answer.
        detail: facts, shortened.
        raw: the message, where it is what can't be read.
        body: of the answer, UTF-8.
    """

    def __init__(self, reason: str, status: int, detail: str = "", *, offset: int = 0, raw: bytes = b"", body: bytes = b"") -> None:
        super().__init__(reason, status, detail)
        self.reason, self.status, self.detail, self.offset, self.raw, self.body = reason, status, detail, offset, raw, body


@dataclass(frozen=True, slots=True)
class Visit:
    """A request and what is known of it.

    repaired:  how many of its characters XML doesn't allow.
    """

    request: Request
    decision: Decision
    identity: Identity
    origin: Origin
    repaired: int


class Deeds:
    """One endpoint's deeds.

    Args:
        reach: what is shared.
        conversation: what sources are told.
    """

    def __init__(self, reach: Reach, conversation: Conversation) -> None:
        self._reach: Final = reach
        self._conversation: Final = conversation
        self._by_name: Final[Mapping[Deed, Callable[[Visit], Awaitable[bytes]]]] = {
            Deed.LIST: self._list,
            Deed.KEEP: self._keep,
            Deed.NOTE: self._note,
            Deed.FAREWELL: self._farewell,
            Deed.CLOSE: self._close,
            Deed.REFUSE: self._refuse,
        }

    async def do(self, visit: Visit) -> bytes:
        """Do what was decided; the answer's envelope in UTF-8, empty where there is nothing to say.

        Raises:
            RefusalError: it can't be done, or may not be.
        """
        return await self._by_name[visit.decision.deed](visit)

    async def _list(self, visit: Visit) -> bytes:
        names = self._conversation.subscriptions(visit.identity)
        try:
            bookmarks = await self._reach.memory.bookmarks(visit.identity.key, names)
        except SpoolError as error:  # a source told of no bookmark would begin anew
            raise RefusalError("spool", 503, str(error)) from error
        for name in names:
            self._hear(visit, name)
        offers = self._conversation.offers(visit.identity, bookmarks)
        answer = encode_enumerate_response(visit.request, offers, self._reach.new_uuid, operation_id=visit.request.operation_id)
        limit = visit.request.max_envelope_size if isinstance(visit.request, Enumerate) else None
        if limit is not None and 2 * len(answer.decode()) + 2 > limit:
            detail = f"{2 * len(answer) + 2} octets of subscriptions, and the source takes {limit}"
            raise RefusalError("encoding-limit", 500, detail, body=encode_fault(FaultCode.ENCODING_LIMIT, detail, self._reach.new_uuid, request=visit.request))
        return answer

    async def _keep(self, visit: Visit) -> bytes:
        reach, request, name, client = self._reach, visit.request, visit.decision.subscription, visit.identity.key
        if not isinstance(request, Events):
            raise TypeError(type(request).__name__)
        batch = await self._normalize(request, visit)
        known = bool(batch.control) and name in await self._bookmarks(client, name)
        mark = Bookmark(
            name,
            client,
            request.bookmark or None,
            visit.origin.received_at_ms,
            visit.origin.peer,
            events=True,
            gaps=batch.control,
            record_ids=highest_record_ids(request.buffer, request.spans),
        )
        await self._commit(batch, mark)
        if batch.control:
            kind = "gap" if known else "first"
            reach.metrics.position_resets.labels(reach.name, kind).inc(batch.control)
            if known:
                facts = {"listener": reach.name, "identity": visit.identity.name, "subscription": name}
                reach.peer_log.warning("source began anew: events since its last bookmark may be missing", peer=visit.origin.peer, **facts)
        self._hear(visit, name)
        return self._acknowledge(visit)

    async def _normalize(self, request: Events, visit: Visit) -> Batch:
        batches = []
        for spans in slices(request.spans, SLICE_OCTETS):
            batches += normalize_guarded(self._reach.normalize, Frames(request.buffer, spans, visit.origin, visit.decision.trust), self._reach.peer_log)
            await trio.lowlevel.checkpoint()
        batch = join_batches(batches) if batches else Batch(b"", EMPTY, visit.origin, 0)
        claimed = len(batch.index) if MISMATCH_LABEL in visit.decision.trust.labels else 0
        batch = replace(batch, warnings=Counter(batch.warnings) + Counter({ILLEGAL_CHARACTER: visit.repaired, MISMATCH: claimed}))
        if batch.rejected:
            self._reach.peer_log.warning("events rejected", peer=visit.origin.peer, identity=visit.identity.name, rules=batch.rejected)
        return batch

    async def _bookmarks(self, client: str, name: str) -> Mapping[str, bytes]:
        try:
            return await self._reach.memory.bookmarks(client, [name])
        except SpoolError as error:
            raise RefusalError("spool", 503, str(error)) from error

    async def _commit(self, batch: Batch, mark: Bookmark) -> None:
        """Return once batch and bookmark are on stable storage."""
        try:
            with trio.move_on_after(self._reach.answer_within) as scope:
                await (await self._reach.intake.submit(batch, bookmark=mark, keep_rejects=True)).wait()
        except SpoolError as error:
            raise RefusalError("spool", 503, str(error)) from error
        if scope.cancelled_caught:
            blockade = self._reach.memory.blockade
            why = f"{blockade.consumer or 'the disk'}: {blockade.why}" if blockade else f"it took longer than {self._reach.answer_within:g} s"
            raise RefusalError("spool-full" if blockade else "spool-slow", 503, why)

    async def _note(self, visit: Visit) -> bytes:
        mark = Bookmark(visit.decision.subscription, visit.identity.key, None, visit.origin.received_at_ms, visit.origin.peer)
        try:
            with trio.move_on_after(HEARTBEAT_SECONDS):
                await (await self._reach.intake.submit(Batch(b"", EMPTY, visit.origin, 0), bookmark=mark)).wait()
        except SpoolError as error:
            raise RefusalError("spool", 503, str(error)) from error
        self._hear(visit, visit.decision.subscription)
        return self._acknowledge(visit)

    async def _farewell(self, visit: Visit) -> bytes:
        end = visit.request
        if isinstance(end, SubscriptionEnd):
            facts = {"identity": visit.identity.name, "subscription": visit.decision.subscription, "code": end.code, "text": end.text, "status": end.status}
            self._reach.peer_log.warning("source gave up a subscription", peer=visit.origin.peer, listener=self._reach.name, **facts)
        if visit.decision.subscription:
            self._hear(visit, visit.decision.subscription)
        return self._acknowledge(visit)

    async def _close(self, _visit: Visit) -> bytes:
        return b""

    async def _refuse(self, visit: Visit) -> bytes:
        decision, request = visit.decision, visit.request
        about = request.identifier if isinstance(request, Delivery) else request.machine_id
        raise RefusalError(decision.standing.value, decision.status, f"{decision.message} {about}"[:200])

    def _acknowledge(self, visit: Visit) -> bytes:
        """An Ack with the request's OperationID, as Windows answers; repeated, it is answered again, since events are known by their uid."""
        return encode_ack(visit.request, self._reach.new_uuid, operation_id=visit.request.operation_id)

    def _hear(self, visit: Visit, subscription: str) -> None:
        """Note where the source stands now."""
        reach = self._reach
        for (name, state), count in reach.sources.hear(visit.decision.message, subscription, visit.identity.key).items():
            reach.metrics.wef_sources.labels(reach.name, name, state).set(count)
