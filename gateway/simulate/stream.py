"""A stream of simulated syslog: paced to a rate, or flat out as a load generator.

At a rate every event is drawn when it is due, so that its time is the moment of sending. Flat out, a pool of messages is drawn
once a second and sent round and round, each time under its log's next EventRecordID: to a receiver they are all different events.
What is counted is what was handed to the kernel.
"""

from __future__ import annotations

import ssl
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import compress, cycle, islice
from random import Random
from typing import Final

import trio

from gateway.simulate.events import generate_events
from gateway.simulate.messages import Header, Message, encode_messages
from gateway.simulate.send import Sender, open_sender
from gateway.simulate.target import Target
from pipeline.errors import ConfigError, DeliveryError, Fault
from pipeline.model import Transport
from wire.event import WindowsEvent
from wire.layouts.layout import Layout
from wire.syslog_framing import Framing

POOL: Final = 2048
POOL_LIFETIME_S: Final = 1.0
REPEATED: Final = 65_536  # events of the caller that are kept in memory to go round
BATCH: Final = 256
TICK_S: Final = 0.02  # at high rates what is due is sent together, this often
STALL_S: Final = 60.0
REPORT_S: Final = 0.2


@dataclass(frozen=True, slots=True)
class Sent:
    """What a stream sent; messages == sum(by_event_id.values()), always.

    octets:    of the messages with their framing.
    oversize:  messages too long for a datagram: not sent, and in no other number.
    seconds:   from the first message to the last.
    """

    messages: int
    octets: int
    oversize: int
    seconds: float
    by_event_id: Mapping[str, int]

    @property
    def rate(self) -> float:
        """Messages per second."""
        return self.messages / self.seconds if self.seconds > 0 else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """How fast and how long to send: until `count`, `duration` or the end of the events, whichever comes first.

    rate:      messages per second; None is flat out.
    count:     messages; None for no limit.
    duration:  seconds; None for no limit.
    repeat:    whether the caller's events go round, under new record IDs.
    """

    rate: float | None = 1.0
    count: int | None = None
    duration: float | None = None
    repeat: bool = False


async def stream_syslog(
    target: Target,
    *,
    layout: Layout,
    framing: Framing = Framing.OCTET_COUNTING,
    header: Header = Header.RFC5424,
    course: Course = Course(),
    noise: float = 0.0,
    only: frozenset[str] | None = None,
    random: Random | None = None,
    events: Iterable[WindowsEvent] | None = None,
    tls: ssl.SSLContext | None = None,
    clock: Callable[[], int] = time.time_ns,
    stop: trio.Event | None = None,
    report: Callable[[Sent], None] | None = None,
) -> Sent:
    """Send events to a syslog receiver.

    Args:
        target: where to.
        layout: how events are written; those it can't carry are left out.
        framing: OCTET_COUNTING or NON_TRANSPARENT; of no meaning over udp, where a datagram is a message.
        header: the syslog header before each.
        course: how fast and how long.
        noise: share of generated events that no identity sensor asks for, 0.0 to 1.0.
        only: IDs of generated events, None for all.
        random: source of generated events; a fresh one if None.
        events: sent instead of generated ones.
        tls: for a tls:// target; the system's authorities if None.
        clock: nanoseconds since the Unix epoch, for generated events.
        stop: ends the stream in order once set.
        report: called now and then with what was sent so far.

    Raises:
        ConfigError: the layout carries none of the events asked for.
        DeliveryError: the receiver couldn't be reached, went away, or took nothing for a minute.
    """
    framing = Framing.UNDECIDED if target.transport is Transport.UDP else framing
    if events is None:
        ids = only if layout.carries is None or layout.others else layout.carries if only is None else only & layout.carries
        generated = encode_messages(generate_events(random or Random(), clock, noise=noise, only=ids), layout, header, framing)  # noqa: S311 - a simulation
        messages = generated if course.rate is not None else _pool(generated, trio.current_time)
    else:
        given = encode_messages(events, layout, header, framing)
        messages = cycle(islice(given, REPEATED)) if course.repeat else given
    async with open_sender(target, tls) as sender:
        goes_round = course.repeat if events is not None else course.rate is None
        flow = Flow(sender, course, trio.Event() if stop is None else stop, report, renumber=goes_round)
        await flow.run(messages)
    sent = flow.sent()
    if not sent.messages and not sent.oversize and course.count != 0 and not flow.stopped:
        raise ConfigError(f"layout {layout.name}", "carries none of these events", "choose another format, or other events")
    return sent


def _pool(messages: Iterator[Message], now: Callable[[], float]) -> Iterator[Message]:
    """Messages without end: a pool goes round until it is a second old, then a new one is drawn."""
    while pool := list(islice(messages, POOL)):
        drawn_at = now()
        while now() - drawn_at < POOL_LIFETIME_S:
            yield from pool


class Flow:
    """One run of messages to one sender: takes what is due, numbers it, sends it, counts it."""

    def __init__(self, sender: Sender, course: Course, stop: trio.Event, report: Callable[[Sent], None] | None, *, renumber: bool) -> None:
        self._renumber = renumber
        self._sender, self._course, self._stop, self._report = sender, course, stop, report
        self._begun = self._last = self._reported = trio.current_time()
        self._octets = self._oversize = self._taken = 0
        self._by_event_id: Counter[str] = Counter()
        self._records: dict[tuple[str, str], int] = {}

    @property
    def stopped(self) -> bool:
        return self._stop.is_set()

    def sent(self) -> Sent:
        """What was sent so far."""
        return Sent(self._by_event_id.total(), self._octets, self._oversize, self._last - self._begun, dict(self._by_event_id))

    async def run(self, messages: Iterator[Message]) -> None:
        """Send until the course, the messages or the caller end it."""
        while not self.stopped and (due := await self._due()):
            batch = list(islice(messages, due))
            if not batch:
                return
            await self._send(batch)

    async def _due(self) -> int:
        """How many messages may go now, after waiting for the first of them; 0 once the course is over."""
        course, now = self._course, trio.current_time()
        until = self._begun + course.duration if course.duration is not None else float("inf")
        left = BATCH if course.count is None else min(BATCH, course.count - self._taken)
        if course.rate is None:
            return left if now < until else 0
        wait = self._begun + self._taken / course.rate - now
        if wait > 0 and left:
            with trio.move_on_at(min(until, now + max(wait, TICK_S))):
                await self._stop.wait()
            now = trio.current_time()
        if now >= until or self.stopped:
            return 0
        return min(left, max(1, int((now - self._begun) * course.rate) + 1 - self._taken))

    async def _send(self, batch: Sequence[Message]) -> None:
        self._taken += len(batch)
        octets = [message.encode_numbered(self._number(message)) for message in batch]
        fits = [len(message) <= self._sender.max_message for message in octets]
        with trio.move_on_after(STALL_S) as patience:
            await self._sender.send(list(compress(octets, fits)))
        if patience.cancelled_caught:
            raise DeliveryError("stalled", Fault.RETRY, detail=f"the receiver took nothing for {STALL_S:.0f} s")
        self._octets += sum(map(len, compress(octets, fits)))
        self._oversize += fits.count(False)
        self._by_event_id.update(message.event_id for message in compress(batch, fits))
        self._last = trio.current_time()
        if self._report and self._last - self._reported >= REPORT_S:
            self._reported = self._last
            self._report(self.sent())

    def _number(self, message: Message) -> int:
        """Its own record ID, or where messages go round, the next of its log."""
        if not self._renumber:
            return message.record_id
        record_id = self._records[message.log] = max(self._records.get(message.log, 0) + 1, message.record_id)
        return record_id
