"""One simulated network access server at work: it reports by its course, keeps a window of requests under way, and sends again what nobody answers.

Over UDP a server that isn't there is waited for. Over TLS nothing is sent again while the connection stands (RFC 6613 section 2.6.1); on a new one, everything
that is under way.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

import trio

from gateway.simulate.radius_exchange import Exchange, Habits
from gateway.simulate.radius_flavours import Flavour, describe
from gateway.simulate.radius_link import Link, Server, open_link
from gateway.simulate.radius_sessions import Nas, Report
from gateway.simulate.radius_tally import Tally
from gateway.simulate.stream import TICK_S, Course
from pipeline.errors import DeliveryError, leaves

HABITS: Final = Habits()
AGAIN_S: Final = 0.5
"""Until a connection that was lost, or couldn't be made, is tried again."""
BURST: Final = 64
"""Requests that are made before answers are heard."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """How servers of a simulation reach their accounting server.

    server:   where to.
    secret:   shared with it.
    habits:   how they send.
    tls:      for radsec, with their certificate.
    source:   local address to send from; the system chooses if None.
    patient:  whether to wait for a radsec server that can't be reached at first.
    """

    server: Server
    secret: bytes
    habits: Habits = HABITS
    tls: ssl.SSLContext | None = None
    source: str | None = None
    patient: bool = False


class Client:
    """One NAS and its conversation; `run` it once."""

    def __init__(
        self,
        nas: Nas,
        flavour: Flavour,
        way: Way,
        course: Course,
        tally: Tally,
        *,
        clock: Callable[[], int],
        on_answer: Callable[[Nas, Report], None],
        restarts: bool = True,
    ) -> None:
        """A client that hasn't begun.

        Args:
            nas: who reports.
            flavour: in which words.
            way: to whom, and how.
            course: how fast and how many requests; its duration is the caller's business.
            tally: what it does is counted here.
            clock: nanoseconds since the Unix epoch.
            on_answer: called with every report that was answered.
            restarts: whether it says Accounting-On first and Accounting-Off at the end.
        """
        habits = replace(way.habits, first=float("inf"), longest=float("inf")) if way.server.radsec else way.habits
        self._nas, self._way, self._course, self._tally, self._clock, self._on_answer = nas, way, course, tally, clock, on_answer
        self._exchange: Final = Exchange(way.secret, partial(describe, flavour, nas), habits, tally)
        self._stirred: Final = trio.lowlevel.ParkingLot()
        self._scope: Final = trio.CancelScope()
        self._turns_off = restarts and (course.count is None or course.count > 1)
        self._turns_on = restarts
        self._begun = 0.0
        self._taken = 0

    async def run(self, stop: trio.Event, drain: float) -> None:
        """Report until the course is over or `stop` is set, then wait for answers, `drain` seconds at most.

        Raises:
            DeliveryError: the server can't be reached, by a client that isn't patient.
        """
        self._begun = trio.current_time()
        reached = self._way.patient and self._way.server.radsec
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._watch, stop, drain)
            with self._scope:
                done = False
                while not done:
                    try:
                        async with open_link(self._way.server, tls=self._way.tls, source=self._way.source) as link:
                            reached = self._way.server.radsec
                            done = await self._converse(link, stop, drain)
                    except DeliveryError as error:
                        if not reached:
                            raise
                        self._tally.note(error.reason)
                        await trio.sleep(AGAIN_S)
            nursery.cancel_scope.cancel()
        self._exchange.abandon()

    async def _watch(self, stop: trio.Event, drain: float) -> None:
        await stop.wait()
        self._end_by(drain)
        self._stirred.unpark_all()

    def _end_by(self, drain: float) -> None:
        self._scope.deadline = min(self._scope.deadline, trio.current_time() + drain)

    async def _converse(self, link: Link, stop: trio.Event, drain: float) -> bool:
        """Report and hear; True once everything was reported and answered, or given up."""
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._hear, link)
                nursery.start_soon(self._repeat, link)
                if self._exchange.under_way:
                    await link.send(self._exchange.restart())
                while batch := await self._due(stop):
                    now = trio.current_time()
                    await link.send([self._exchange.begin(report, now) for report in batch])
                    self._stirred.unpark_all()  # there is something to be sent again now, or more of it
                self._end_by(drain)
                while self._exchange.under_way:
                    await self._stirred.park()
                nursery.cancel_scope.cancel()
        except BaseExceptionGroup as group:
            raise next((leaf for leaf in leaves(group) if isinstance(leaf, DeliveryError)), group) from None
        return True

    async def _due(self, stop: trio.Event) -> list[Report]:
        """What is to be reported now, at least one thing; wait for it. Nothing once all was said."""
        while not stop.is_set() and (left := self._left()) > 0:
            due = self._due_by(trio.current_time())
            if due <= 0:
                await self._sleep(stop)
            elif room := self._exchange.room:
                return [self._report() for _ in range(int(min(due, left, room, BURST)))]
            else:
                await self._stirred.park()
        if self._turns_on or not self._turns_off:
            return []
        while not self._exchange.room:
            await self._stirred.park()
        self._turns_off = False
        self._taken += 1
        return [self._nas.turn_off(self._clock())]

    def _due_by(self, now: float) -> float:
        """Reports that the rate asks for by now, less those made."""
        return float("inf") if self._course.rate is None else int((now - self._begun) * self._course.rate) + 1 - self._taken

    async def _sleep(self, stop: trio.Event) -> None:
        """Until the rate asks for another report."""
        now = trio.current_time()
        with trio.move_on_at(max(now + TICK_S, self._begun + self._taken / (self._course.rate or 1.0))):
            await stop.wait()

    def _left(self) -> float:
        """How many reports the course has left, but for the last."""
        return float("inf") if self._course.count is None else self._course.count - self._taken - self._turns_off

    def _report(self) -> Report:
        self._taken += 1
        if self._turns_on:
            self._turns_on = False
            return self._nas.turn_on(self._clock())
        return self._nas.report(self._clock())

    async def _hear(self, link: Link) -> None:
        while True:
            datagrams = await link.receive()
            now = trio.current_time()
            for datagram in datagrams:
                pending = self._exchange.answered(datagram, now)
                if pending is not None:
                    self._on_answer(self._nas, pending.report)
            self._stirred.unpark_all()

    async def _repeat(self, link: Link) -> None:
        while True:
            with trio.move_on_at(self._exchange.next_due):
                await self._stirred.park()
            again = self._exchange.due(trio.current_time())
            if again:
                await link.send(again)
            self._stirred.unpark_all()
