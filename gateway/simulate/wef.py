"""Simulated Windows Event Forwarding: machines that log events and deliver them to a collector, at a rate or as fast as it acknowledges.

At a rate, events are logged when they are due, whether or not the collector is there: a log that isn't read in time overwrites its oldest, as Windows' does.
Flat out, each machine logs on as soon as its collector has kept up, so nothing is overwritten and what is measured is acknowledged events. Generated ones
are then drawn now and then and logged many times, each time under its log's next record ID: to a collector they are all different.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import cycle, islice
from random import Random
from typing import Final

import trio

from gateway.simulate.estate import build_estate
from gateway.simulate.events import generate_events
from gateway.simulate.messages import Header, Message, encode_message
from gateway.simulate.stream import REPEATED, REPORT_S, TICK_S, Course
from gateway.simulate.wef_connection import Way
from gateway.simulate.wef_delivery import Post
from gateway.simulate.wef_machine import TOLD, Habits, Machine
from gateway.simulate.wef_manager import Manager
from gateway.simulate.wef_tally import Account, Tally
from pipeline.errors import DeliveryError, leaves
from wire.event import WindowsEvent
from wire.event_xml import LAYOUT
from wire.syslog_framing import Framing

COURSE: Final = Course()
Entry = tuple[WindowsEvent, Message | None]
"""An event to be logged, and where it is to be logged under another record ID, the message that writes it."""

DRAIN_S: Final = 60.0
CHUNK: Final = 128
POOL: Final = 2048
"""Generated events that go round flat out, of all machines together ..."""
POOL_LEAST: Final = 32
POOL_LIFETIME_S: Final = 5.0
"""... and how old they get."""
WINDOW: Final = 1024
"""Events that a machine's log runs ahead of its deliveries, flat out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """What a simulation did; what was sent adds up as `Tally` says.

    machines:      how many took part.
    logged:        events written to their logs.
    waiting:       events that a subscription selects, and that were never sent.
    tally:         what the deliveries did.
    enumerations:  that were answered.
    reasons:       why messages weren't acknowledged, and other hindrances, by reason.
    by_event_id:   events acknowledged.
    seconds:       from the first event logged to the end.
    """

    machines: int
    logged: int
    waiting: int
    tally: Tally
    enumerations: int
    reasons: Mapping[str, int]
    by_event_id: Mapping[str, int]
    seconds: float

    @property
    def rate(self) -> float:
        """Events acknowledged per second."""
        return self.tally.acked / self.seconds if self.seconds > 0 else 0.0


async def simulate_wef(
    manager: Manager,
    machines: Sequence[tuple[str, Way]],
    *,
    course: Course = COURSE,
    noise: float = 0.0,
    only: frozenset[str] | None = None,
    random: Random | None = None,
    events: Iterable[WindowsEvent] | None = None,
    habits: Habits = TOLD,
    drain: float = DRAIN_S,
    clock: Callable[[], int] = time.time_ns,
    stop: trio.Event | None = None,
    report: Callable[[Delivered], None] | None = None,
    on_ack: Callable[[Machine, Post], None] = lambda _machine, _post: None,
) -> Delivered:
    """Play domain controllers until the course is over and everything is acknowledged.

    Args:
        manager: where they enumerate.
        machines: fully qualified name, and way of authentication, of each.
        course: how fast and how long to log events, all machines together.
        noise: share of generated events that no identity sensor asks for, 0.0 to 1.0.
        only: IDs of generated events, None for all.
        random: source of everything drawn; a fresh one if None.
        events: logged instead of generated ones, dealt to the machines in turn, as they are.
        habits: what machines do otherwise than they are told.
        drain: seconds left for delivering once the course is over.
        clock: nanoseconds since the Unix epoch.
        stop: ends the course once set.
        report: called now and then with what was done so far.
        on_ack: called with every message of events that was acknowledged.

    Raises:
        DeliveryError: a machine couldn't enumerate, or was offered nothing, and isn't patient.
    """
    random = random or Random()  # noqa: S311 - a simulation
    stop = trio.Event() if stop is None else stop
    account, room = Account(), trio.lowlevel.ParkingLot()

    fleet = [
        Machine(name, way, manager, account, habits=habits, random=_branch(random), clock=clock, on_ack=on_ack, on_read=room.unpark_all)
        for name, way in machines
    ]
    if events is not None:
        sources = _deal(events, fleet, repeat=course.repeat)
    else:
        sources = [
            _pool(source, max(POOL_LEAST, POOL // len(fleet))) if course.rate is None else ((event, None) for event in source)
            for source in _generate(fleet, random, clock, noise, only)
        ]
    feed = Feed(fleet, sources, course, stop, room)

    def delivered() -> Delivered:
        waiting = sum(delivery.waiting for machine in fleet for delivery in machine.deliveries)
        seconds = trio.current_time() - feed.begun if feed.begun is not None else 0.0
        return Delivered(
            machines=len(fleet),
            logged=feed.logged,
            waiting=waiting,
            tally=replace(account.tally),
            enumerations=account.enumerations,
            reasons=dict(account.reasons),
            by_event_id=dict(account.by_event_id),
            seconds=seconds,
        )

    try:
        async with trio.open_nursery() as reporting:
            if report:
                reporting.start_soon(_report, lambda: report(delivered()))
            async with trio.open_nursery() as nursery:
                for machine in fleet:
                    nursery.start_soon(machine.run)
                await feed.run()
                for machine in fleet:
                    machine.finish()
                nursery.cancel_scope.deadline = trio.current_time() + drain
            reporting.cancel_scope.cancel()
    except BaseExceptionGroup as group:
        raise next((leaf for leaf in leaves(group) if isinstance(leaf, DeliveryError)), group) from None
    return delivered()


async def _report(report: Callable[[], None]) -> None:
    while True:
        await trio.sleep(REPORT_S)
        report()


class Feed:
    """Writes events to the machines' logs by the course; where there may be room for more, `room` is unparked.

    logged:  how many so far.
    begun:   when it began, on Trio's clock; None before.
    """

    def __init__(self, fleet: Sequence[Machine], sources: Sequence[Iterator[Entry]], course: Course, stop: trio.Event, room: trio.lowlevel.ParkingLot) -> None:
        self._fleet, self._sources, self._course, self._stop, self._room = fleet, sources, course, stop, room
        self.logged = 0
        self.begun: float | None = None

    async def run(self) -> None:
        """Log until the course, the events or the caller end it."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._watch, nursery.cancel_scope)
            for machine in self._fleet:
                await machine.subscribed.wait()
            self.begun = trio.current_time()
            with trio.move_on_after(float("inf") if self._course.duration is None else self._course.duration):
                await (self._flat_out() if self._course.rate is None else self._paced(self.begun, self._course.rate))
            nursery.cancel_scope.cancel()

    async def _watch(self, scope: trio.CancelScope) -> None:
        await self._stop.wait()
        scope.cancel()

    @property
    def _left(self) -> float:
        return float("inf") if self._course.count is None else self._course.count - self.logged

    async def _paced(self, begun: float, rate: float) -> None:
        turn = cycle(range(len(self._fleet)))
        while self._left > 0:
            now = trio.current_time()
            due = min(self._left, max(1, int((now - begun) * rate) + 1 - self.logged))
            for at in islice(turn, int(due)):
                if not self._log(at, 1):
                    return
            await trio.sleep_until(max(now + TICK_S, begun + self.logged / rate) if self._left else now)

    async def _flat_out(self) -> None:
        while self._left > 0:
            moved = False
            for at, machine in enumerate(self._fleet):
                if machine.deliveries and max(delivery.backlog for delivery in machine.deliveries) < WINDOW:
                    moved = True
                    if not self._log(at, int(min(CHUNK, self._left))):
                        return
                    await trio.lowlevel.checkpoint()
            if not moved:
                await self._room.park()

    def _log(self, at: int, count: int) -> bool:
        """Log so many events of one machine; whether there were as many."""
        before = self.logged
        for event, message in islice(self._sources[at], count):
            self._fleet[at].log.append(event, message)
            self.logged += 1
        return self.logged - before == count


def _generate(fleet: Sequence[Machine], random: Random, clock: Callable[[], int], noise: float, only: frozenset[str] | None) -> list[Iterator[WindowsEvent]]:
    """Generated events for each machine, all of one estate."""
    estate = build_estate(random)
    return [generate_events(_branch(random), clock, noise=noise, only=only, estate=replace(estate, controllers=(machine.name,))) for machine in fleet]


def _pool(events: Iterator[WindowsEvent], size: int) -> Iterator[Entry]:
    """Entries without end: a pool goes round until it is old, then a new one is drawn."""
    while pool := [(event, encode_message(event, LAYOUT, Header.NONE, Framing.UNDECIDED)) for event in islice(events, size)]:
        drawn_at = trio.current_time()
        while trio.current_time() - drawn_at < POOL_LIFETIME_S:
            yield from pool


def _branch(random: Random) -> Random:
    """A source of its own, so that what one machine draws doesn't change another's."""
    return Random(random.getrandbits(64))  # noqa: S311 - a simulation


def _deal(events: Iterable[WindowsEvent], fleet: Sequence[Machine], *, repeat: bool) -> list[Iterator[Entry]]:
    """The caller's events, one source for all machines."""
    source = _renumber(cycle(islice(events, REPEATED))) if repeat else iter(events)
    entries: Iterator[Entry] = ((event, None) for event in source)
    return [entries] * len(fleet)


def _renumber(events: Iterable[WindowsEvent]) -> Iterator[WindowsEvent]:
    """Events that go round, each time under its log's next record ID: to a collector they are all different."""
    last: dict[tuple[str, str], int] = {}
    for event in events:
        log = (event.computer, event.channel)
        own = int(event.record_id) if event.record_id.isdecimal() else 0
        last[log] = max(last.get(log, 0) + 1, own)
        yield replace(event, record_id=str(last[log]))
