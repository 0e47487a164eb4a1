"""Simulated RADIUS accounting: network access servers that report their VPN sessions to an accounting server, at a rate or as fast as it answers.

What is measured is answered requests: an answer says that the server has stored the record (RFC 2866 section 1).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from copy import copy
from dataclasses import dataclass, replace
from functools import partial
from random import Random
from typing import Final

import trio

from gateway.simulate.estate import build_estate
from gateway.simulate.radius_client import Client, Way
from gateway.simulate.radius_flavours import BY_NAME, Flavour
from gateway.simulate.radius_sessions import Nas, Report
from gateway.simulate.radius_tally import Tally
from gateway.simulate.stream import REPORT_S, Course
from pipeline.errors import DeliveryError, leaves

COURSE: Final = Course()
GENERIC: Final = BY_NAME["generic"]
DRAIN_S: Final = 60.0
NAME: Final = "vpn{:02}.contoso.example"


@dataclass(frozen=True, slots=True)
class Accounted:
    """What a simulation did.

    servers:  how many NAS took part.
    open:     sessions that went on when it ended.
    tally:    what they did.
    seconds:  from the beginning to now.
    """

    servers: int
    open: int
    tally: Tally
    seconds: float

    @property
    def rate(self) -> float:
        """Requests answered per second."""
        return self.tally.answered / self.seconds if self.seconds > 0 else 0.0


async def simulate_radius(
    way: Way,
    *,
    servers: int = 1,
    sessions: int = 20,
    flavour: Flavour = GENERIC,
    name: str = NAME,
    course: Course = COURSE,
    restarts: bool = True,
    random: Random | None = None,
    drain: float = DRAIN_S,
    clock: Callable[[], int] = time.time_ns,
    stop: trio.Event | None = None,
    report: Callable[[Accounted], None] | None = None,
    on_answer: Callable[[Nas, Report], None] = lambda _nas, _report: None,
) -> Accounted:
    """Play network access servers until the course is over and everything is answered or given up.

    Args:
        way: to whom they report, and how.
        servers: how many, 1 to MOST_NAS.
        sessions: of each, open at once at most, 1 to MOST.
        flavour: in which words.
        name: what they are called; `{}` becomes a number.
        course: how fast and how long, all servers together; Accounting-On and -Off are counted.
        restarts: whether each says Accounting-On first and Accounting-Off at the end.
        random: source of everything drawn; a fresh one if None.
        drain: seconds left for answers once the course is over.
        clock: nanoseconds since the Unix epoch.
        stop: ends the course once set.
        report: called now and then with what was done so far.
        on_answer: called with every report that was answered.

    Raises:
        DeliveryError: the server's name isn't known, or it can't be reached over TLS by clients that aren't patient.
    """
    random = random or Random()  # noqa: S311 - a simulation
    stop = trio.Event() if stop is None else stop
    accounts = build_estate(random).users
    fleet = [Nas(at, name.format(at), accounts, Random(random.getrandbits(64)), most=sessions) for at in range(1, servers + 1)]  # noqa: S311 - a simulation
    tally, begun = Tally(), trio.current_time()
    clients = [
        Client(nas, flavour, way, _share(course, at, servers), tally, clock=clock, on_answer=on_answer, restarts=restarts) for at, nas in enumerate(fleet)
    ]

    def accounted() -> Accounted:
        return Accounted(servers, sum(len(nas.open) for nas in fleet), copy(tally), trio.current_time() - begun)

    try:
        async with trio.open_nursery() as around:
            around.start_soon(_expire, course.duration, stop)
            if report:
                around.start_soon(_report, lambda: report(accounted()))
            async with trio.open_nursery() as nursery:
                for client in clients:
                    nursery.start_soon(partial(client.run, stop, drain))
            around.cancel_scope.cancel()
    except BaseExceptionGroup as group:
        raise next((leaf for leaf in leaves(group) if isinstance(leaf, DeliveryError)), group) from None
    return accounted()


def _share(course: Course, at: int, servers: int) -> Course:
    """One server's part: an equal share of the rate, and of the requests, the first ones taking what is left over."""
    count = None if course.count is None else course.count // servers + (at < course.count % servers)
    return replace(course, count=count, rate=None if course.rate is None else course.rate / servers)


async def _expire(duration: float | None, stop: trio.Event) -> None:
    if duration is not None:
        await trio.sleep(duration)
        stop.set()


async def _report(report: Callable[[], None]) -> None:
    while True:
        await trio.sleep(REPORT_S)
        report()
