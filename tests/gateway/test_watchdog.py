"""systemd hears from a gateway that gets on, and from no other."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
import trio
import trio.testing

from gateway.watchdog import ALIVE, feed_watchdog, watchdog_interval


@dataclass
class Intake:
    """What the watchdog looks at, and how often it said that all is well."""

    has_work: bool = False
    commits_ended: int = 0
    pings: list[str] = field(default_factory=list)

    async def watched(self, seconds: float, interval: float = 40.0) -> int:
        """Pings within so many seconds."""
        self.pings.clear()
        with trio.move_on_after(seconds):
            await feed_watchdog(interval, self, self.pings.append)
        assert set(self.pings) <= {ALIVE}
        return len(self.pings)


@pytest.mark.parametrize(
    ("environ", "seconds"),
    [
        pytest.param({}, None, id="not asked for"),
        pytest.param({"WATCHDOG_USEC": "30000000"}, 30.0, id="asked for"),
        pytest.param({"WATCHDOG_USEC": "500", "WATCHDOG_PID": "4711"}, 0.0005, id="of us"),
        pytest.param({"WATCHDOG_USEC": "500", "WATCHDOG_PID": "1"}, None, id="of another process"),
        pytest.param({"WATCHDOG_USEC": "0"}, None, id="off"),
        pytest.param({"WATCHDOG_USEC": "soon"}, None, id="no number"),
        pytest.param({"WATCHDOG_USEC": "-5"}, None, id="negative"),
    ],
)
def test_the_interval(environ: dict[str, str], seconds: float | None) -> None:
    assert watchdog_interval(environ, 4711) == seconds


async def test_an_idle_gateway_is_well(autojump_clock: trio.testing.MockClock) -> None:
    assert await Intake().watched(99) == 10


async def test_a_gateway_that_commits_is_well(autojump_clock: trio.testing.MockClock) -> None:
    intake = Intake(has_work=True)

    async def commit() -> None:
        while True:
            await trio.sleep(7)
            intake.commits_ended += 1

    async with trio.open_nursery() as nursery:
        nursery.start_soon(commit)
        assert await intake.watched(99) == 10
        nursery.cancel_scope.cancel()


async def test_a_commit_that_never_ends_is_told_by_silence(autojump_clock: trio.testing.MockClock) -> None:
    assert await Intake(has_work=True).watched(99) == 1, "the first look can't know"


async def test_a_slow_commit_costs_pings_and_not_the_process(autojump_clock: trio.testing.MockClock) -> None:
    intake = Intake(has_work=True)

    async def commit() -> None:
        await trio.sleep(25)
        intake.commits_ended += 1

    async with trio.open_nursery() as nursery:
        nursery.start_soon(commit)
        assert await intake.watched(35) == 2
