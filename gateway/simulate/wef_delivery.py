"""One subscription on a simulated machine, sans-I/O: what to send, and what an answer or none changes ([MS-WSMV] section 3.1.4.1.30, DSP0226 section 10).

    state       next()                                                          acknowledged()   failed()
    gathering   Wait for events, the batch's age or the heartbeat;
                a batch that is full or old enough, a Heartbeat: Post           -                -
    awaiting    -                                                               gathering        retrying
    retrying    Wait until it is time; then Post, the same events again         -                retrying, or abandoned
    abandoned   None: nothing before the next refresh                           -                -
    ended       None: SubscriptionEnd was sent

A batch is full by w:MaxElements or w:MaxEnvelopeSize, old enough by w:MaxTime. Its bookmark names the last event of every channel read. Where the first
read begins is the collector's word: its bookmark; every event there is; or the next one, which is told by an event 111 without record ID. A channel that
the bookmark doesn't name is read from its oldest event, as Windows does. Of w:MaxEnvelopeSize's policies all are Skip: what fits no envelope is left out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from typing import Final, TypedDict

from gateway.simulate.wef_bookmark import encode_bookmark, encode_position_report, parse_bookmark
from gateway.simulate.wef_log import EventLog, Logged
from gateway.simulate.wef_query import Filter, make_filter
from gateway.simulate.wef_tally import Tally
from wire.event_xml import Rendering, encode_event, parse_event
from wire.rendered_text import render_event
from wire.wef.messages import Events, Heartbeat, Reference, SubscriptionEnd, pack_events
from wire.wef.subscription import ContentFormat, Offer

LONGEST: Final = 4096
"""Events that are gathered at most, whatever the subscription allows."""

ENVELOPE: Final = 4096
"""Octets of UTF-16 that an envelope's header takes, generously."""

AROUND: Final = 240
"""And what is around an event in it."""

OPERATION_TIMEOUT_S: Final = 60.0
ENDING_TIMEOUT_S: Final = 0.5
ABORTED: Final = 995  # ERROR_OPERATION_ABORTED


class State(Enum):
    """Where the conversation is; the table above."""

    GATHERING = auto()
    AWAITING = auto()
    RETRYING = auto()
    ABANDONED = auto()
    ENDED = auto()


@dataclass(frozen=True, slots=True)
class Post:
    """Send this, and say how it was answered.

    request:  the message.
    events:   what it carries.
    again:    whether they were sent before.
    """

    request: Heartbeat | Events | SubscriptionEnd
    events: tuple[tuple[str, Logged], ...] = ()
    again: bool = False


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing to send before this time, unless something is logged."""

    until: float


@dataclass(slots=True)
class _Batch:
    """What is gathered or under way: events with their channels, octets they take, when the first was found, how often it was sent."""

    events: list[tuple[str, Logged]] = field(default_factory=list)
    size: int = ENVELOPE
    since: float = 0.0
    full: bool = False
    sent: bool = False
    report: bytes | None = None


class _Head(TypedDict):
    """The arguments that every message of a delivery has."""

    message_id: str
    to: str
    machine_id: str
    max_envelope_size: int
    operation_id: str
    session_id: str
    operation_timeout: float
    locale: str
    references: tuple[Reference, ...]


class Delivery:
    """One subscription's conversation.

    Args:
        offer: the subscription as the collector describes it.
        log: the machine's.
        machine: its name.
        mint: makes `uuid:...` of messages and operations.
        tally: what is counted.
        now: seconds on the clock of every other call.
        unix_ns: the time, for the position report.
        retry_after: seconds between attempts, in place of the subscription's.

    Raises:
        MessageError: its query or bookmark can't be understood.
    """

    def __init__(
        self, offer: Offer, log: EventLog, machine: str, mint: Callable[[], str], tally: Tally, *, now: float, unix_ns: int, retry_after: float | None = None
    ) -> None:
        self.offer: Final = offer
        self.filter: Final[Filter] = make_filter(offer.subscription.query.encode())
        self._log, self._machine, self._mint, self._tally = log, machine, mint, tally
        self._session = mint()
        self._retry_after = offer.subscription.retry_after if retry_after is None else retry_after
        self.state = State.GATHERING
        self._marks = parse_bookmark(offer.bookmark)
        self._places = {channel: self._place(channel) for channel in self.filter.channels}
        if self._starts_here:
            self._marks = {channel: last.record_id for channel in self._places if (last := log[channel].last)}
        self._batch = _Batch(since=now)
        if self._starts_here:
            self._batch.report = encode_position_report(machine, str(offer.subscription.id).upper(), unix_ns)
        self._contact = float("-inf")
        self._attempts = 0
        self.retry_at = now
        """When to connect again."""
        self._finishing = False
        self._posted: Post | None = None

    @property
    def backlog(self) -> int:
        """Events that its channels have and that it hasn't delivered, wanted or not."""
        return sum(self._log[channel].end - place for channel, place in self._places.items()) + len(self._batch.events)

    @property
    def waiting(self) -> int:
        """Events that it selects and hasn't sent yet."""
        unread = ((channel, logged) for channel, place in self._places.items() for logged in self._log[channel].read(place))
        return sum(self.filter.wants(channel, logged) for channel, logged in unread) + (0 if self._batch.sent else len(self._batch.events))

    def finish(self) -> None:
        """Send what there is without delay, then end the subscription."""
        self._finishing = True

    def withdraw(self) -> None:
        """It is over, whatever was sent: another begins in its place, or none. An answer that is under way may still come, and counts."""
        self._tally.withdrawn += len(self._batch.events) if self._batch.sent else 0
        self._batch, self.state = _Batch(), State.ENDED

    def next(self, now: float) -> Post | Wait | None:
        """What to do; after a Post, `acknowledged` or `failed` is due before the next call. None where there is nothing more to do."""
        match self.state:
            case State.RETRYING if now < self.retry_at:
                return Wait(self.retry_at)
            case State.GATHERING | State.RETRYING:
                self._gather(now)
                return self._post(now)
            case State.AWAITING:
                raise RuntimeError("the last message hasn't been answered")
            case State.ABANDONED | State.ENDED:
                return None

    def acknowledged(self, now: float) -> Post:
        """The last message was acknowledged; returns it."""
        posted, withdrawn = self._answered(), self.state is State.ENDED
        self._contact, self._attempts = now, 0
        self.state = State.ENDED if withdrawn else State.GATHERING
        self._tally.withdrawn -= len(posted.events) if withdrawn else 0
        if isinstance(posted.request, SubscriptionEnd):
            self.state = State.ENDED
        elif isinstance(posted.request, Heartbeat):
            self._tally.heartbeats += 1
        else:
            self._tally.batches += 1
            self._tally.acked += len(posted.events)
            self._batch = _Batch(since=now)
        return posted

    def failed(self, now: float) -> None:
        """The last message wasn't acknowledged, or there was no connection to send one on."""
        self._tally.failures += 1
        self._posted = None
        if self.state is State.ENDED:
            return
        self._attempts += 1
        if self._attempts > self.offer.subscription.retries:
            self.state = State.ABANDONED
            self._tally.abandonments += 1
        else:
            self.state, self.retry_at = State.RETRYING, now + self._retry_after

    def _answered(self) -> Post:
        posted, self._posted = self._posted, None
        if posted is None:
            raise RuntimeError("nothing was sent")
        return posted

    @property
    def _starts_here(self) -> bool:
        """Whether the first event to be read is the next one."""
        return not self.offer.bookmark and not self.offer.subscription.read_existing

    def _place(self, channel: str) -> int:
        """Where reading a channel begins."""
        if self._starts_here:
            return self._log[channel].end
        mark = next((record_id for name, record_id in self._marks.items() if name.lower() == channel.lower()), None)
        return self._log[channel].start if mark is None else self._log[channel].after_record(mark)

    def _gather(self, now: float) -> None:
        """Take wanted events from the log until there are no more or the batch is full; a batch that was sent stays as it is."""
        batch = self._batch
        for channel in () if batch.sent or batch.full else self._places:
            log = self._log[channel]
            self._tally.overwritten += max(0, log.start - self._places[channel])
            self._places[channel] = max(log.start, self._places[channel])
            for logged in log.read(self._places[channel]):
                if self.filter.wants(channel, logged) and not self._add(batch, channel, logged, now):
                    return
                self._places[channel] = logged.serial + 1

    def _add(self, batch: _Batch, channel: str, logged: Logged, now: float) -> bool:
        """Put an event into the batch; False where it is full, and the event is to be read again."""
        subscription = self.offer.subscription
        if subscription.content_format is ContentFormat.RENDERED_TEXT:
            logged = logged._replace(octets=render(logged.octets))
        size = 2 * len(logged.octets) + AROUND  # of UTF-16: never more than twice the octets of UTF-8
        if ENVELOPE + size > subscription.max_envelope_size:
            self._tally.oversize += 1
            return True
        limit = min(subscription.max_elements or LONGEST, LONGEST)
        batch.full = len(batch.events) >= limit or batch.size + size > subscription.max_envelope_size
        if batch.full:
            return False
        if not batch.events:
            batch.since = now
        batch.events.append((channel, logged))
        batch.size += size
        batch.full = len(batch.events) == limit
        return True

    def _post(self, now: float) -> Post | Wait | None:
        batch, times = self._batch, self.offer.subscription
        if batch.events or batch.report:
            due = now if batch.sent or batch.full or batch.report or self._finishing else batch.since + times.max_time
            if now >= due:
                return self._send(self._events(batch))
        elif self._finishing:
            return self._send(Post(self._ending()))
        else:
            due = float("inf")
        heartbeat = self._contact + times.heartbeat
        if now >= heartbeat:
            return self._send(Post(Heartbeat(**self._head())))
        return Wait(min(due, heartbeat))

    def _send(self, post: Post) -> Post:
        self.state, self._posted = State.AWAITING, post
        return post

    def _events(self, batch: _Batch) -> Post:
        again, batch.sent = batch.sent, True
        if again:
            self._tally.resent += len(batch.events)
        else:
            self._tally.sent += len(batch.events)
            self._marks |= {channel: logged.record_id for channel, logged in batch.events}
        buffer, spans = pack_events([*([batch.report] if batch.report else []), *(logged.octets for _, logged in batch.events)])
        current = batch.events[-1][0] if batch.events else ""
        bookmark = encode_bookmark(self._marks, current)
        return Post(Events(**self._head(), bookmark=bookmark, buffer=buffer, spans=spans), tuple(batch.events), again)

    def _ending(self) -> SubscriptionEnd:
        return SubscriptionEnd(**self._head(ENDING_TIMEOUT_S), code=ABORTED, machine=self._machine, text="The simulation has ended.")

    def _head(self, timeout: float = OPERATION_TIMEOUT_S) -> _Head:
        return _Head(
            message_id=self._mint(),
            to=self.offer.address,
            machine_id=self._machine,
            max_envelope_size=self.offer.subscription.max_envelope_size,
            operation_id=self._mint(),
            session_id=self._session,
            operation_timeout=timeout,
            locale="en-US",
            references=self.offer.references,
        )


def render(octets: bytes) -> bytes:
    """An event's XML with its text behind it, as RenderedText asks for."""
    event = parse_event(octets)
    return encode_event(replace(event, message=render_event(event)), Rendering.RENDERED)
