"""Conservation: what was acknowledged is at every destination or in its dead letters, whatever networks, disks and the gateway's own death do."""

from __future__ import annotations

import signal
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from random import Random

import pytest
import trio
from support.conservation import Site, site
from support.crashing_gateway import ANSWERED, POINTS
from support.fault_proxy import (
    Fate,
    Fault,
    always,
    garbling,
    half_closing,
    hanging,
    losing_answers,
    passing,
    refusing,
    resetting,
    swallowing,
)
from support.full_disk import Disk, limited, small_disk
from support.gateway_process import ROOT

RATE = 40.0
WITHOUT_ANSWER = ("syslog", "tls", "sensor")
"""Destinations whose word is TCP's alone."""

ANY_MOMENT = "any moment"


def answering(random: Random) -> Callable[[], Fault]:
    """Faults of a network before somebody whose answer counts: anything may happen, as long as now and then nothing does."""
    return lambda: random.choice(
        (
            passing(),
            passing(latency=0.01),
            passing(rate=200_000.0),
            refusing,
            hanging,
            swallowing,
            resetting(random.randrange(40_000)),
            half_closing(random.randrange(40_000)),
            losing_answers,
            garbling(b"HTTP/1.1 2000 OK\r\n\r\n\x00"),
        )
    )


def silent(random: Random) -> Callable[[], Fault]:
    """Faults that lose nothing they have acknowledged: whose TCP alone does so mustn't lose it together with the gateway, which remembers it in memory."""
    return lambda: random.choice((passing(), passing(latency=0.01), passing(latency=0.5), passing(rate=500_000.0)))


def stalling(random: Random) -> Callable[[], Fault]:
    """Faults that acknowledge what they don't bring there, and show it in the end: fewer than a batch is sent again for. Then nothing happens."""
    faults = [resetting(random.randrange(1, 40_000)), swallowing, hanging, half_closing(random.randrange(1, 40_000))]
    random.shuffle(faults)
    few = iter(faults)
    return lambda: next(few, passing())


def fate(random: Random) -> Callable[[], Fate]:
    return lambda: random.choices(list(Fate), weights=(90, 2, 4, 4))[0]


def spoil(here: Site, random: Random) -> None:
    for name, proxy in here.sinks.streams.items():
        proxy.course = silent(random) if name in WITHOUT_ANSWER else answering(random)
    here.sinks.before.fates = fate(random)


def break_connections(here: Site) -> None:
    for proxy in here.sinks.streams.values():
        proxy.turn(proxy.course)


def mend(here: Site) -> None:
    for name, proxy in here.sinks.streams.items():
        if name in WITHOUT_ANSWER:
            proxy.course = passing  # what is on its way there arrives
        else:
            proxy.mend()
    here.sinks.mend_others()


@pytest.mark.parametrize("seed", [1])
async def test_every_acknowledged_event_survives_every_death(tmp_path: Path, seed: int) -> None:
    random = Random(seed)
    deaths = random.sample((*POINTS, ANY_MOMENT, ANY_MOMENT), len(POINTS) + 2)
    async with site(tmp_path) as here, trio.open_nursery() as nursery:
        nursery.start_soon(here.send, RATE)
        nursery.start_soon(here.interrupt_broker, Random(4))
        spoil(here, random)
        for point in deaths:
            if point == ANY_MOMENT:
                async with here.life() as gateway:
                    await here.until_acked(len(here.acked) + random.randint(1, 100))
                    gateway.process.kill()
                continue
            assert await here.die(point, random.randint(1, 2 if point == "parked" else 5)) == -signal.SIGKILL, point
        mend(here)
        async with here.life() as gateway:
            here.stop.set()
            await here.quiet.wait()
            assert await trio.to_thread.run_sync(gateway.stop) == 0
        await here.sinks.arrived()
        here.judge()


@pytest.mark.parametrize("small", [small_disk, limited], ids=["a full file system", "a limit to files"])
async def test_counters_reconcile_to_the_event_behind_a_full_disk_and_one_that_is_read_only(
    tmp_path: Path, small: Callable[[Path], AbstractContextManager[Disk]]
) -> None:
    random = Random(7)
    with small(tmp_path / "state") as disk:
        async with site(tmp_path) as here, trio.open_nursery() as nursery:
            spoil(here, random)
            nursery.start_soon(here.interrupt_broker, Random(4))
            for name in WITHOUT_ANSWER:
                here.sinks.streams[name].course = stalling(random)
            here.sinks.streams["http"].course = always(hanging)  # what it hasn't got stays on the disk
            async with here.life() as gateway:
                nursery.start_soon(here.send, RATE)
                await here.until_acked(200)
                disk.fill(gateway.process.pid)
                await here.full(gateway)
                assert (await trio.to_thread.run_sync(gateway.get, "/readyz"))[0] == 503
                break_connections(here)
                disk.free(gateway.process.pid)
                await here.until_acked(len(here.acked) + 150)
                (tmp_path / "read-only").touch()
                await here.full(gateway)
                break_connections(here)
                (tmp_path / "read-only").unlink()
                await here.until_acked(len(here.acked) + 150)
                break_connections(here)
                here.sinks.streams["http"].turn(answering(random))
                await here.until_acked(len(here.acked) + 150)
                here.sinks.mend()
                here.stop.set()
                await here.quiet.wait()
                counted = await here.delivered(gateway)
                assert await trio.to_thread.run_sync(gateway.stop) == 0
            await here.sinks.arrived()
            here.judge()
            here.judgement.reconcile(counted)


async def test_requeued_letters_survive_every_death_on_their_way(tmp_path: Path) -> None:
    """Once the destination is mended, and in whatever pieces: each comes before it again, and none is left."""
    async with site(tmp_path) as here, trio.open_nursery() as nursery:
        nursery.start_soon(here.send, RATE)
        async with here.life() as gateway:
            await here.until_acked(400)
            here.stop.set()
            await here.quiet.wait()
            await here.delivered(gateway)
            assert await trio.to_thread.run_sync(gateway.stop) == 0
        await here.sinks.arrived()
        here.judge()
        letters = here.judgement.letters()["http"]
        here.sinks.http.refuses = lambda _: False
        here.sinks.streams["http"].course = always(losing_answers)
        config = str(tmp_path / "gateway.toml")
        said = await trio.run_process([sys.executable, "-m", "gateway", "spool", "requeue", "http", "--config", config], capture_stdout=True, cwd=ROOT)
        assert str(letters.total()) in said.stdout.decode()
        assert await here.die("sending", 2) == -signal.SIGKILL
        here.sinks.streams["http"].mend()
        for point in ("sent", ANSWERED):
            assert await here.die(point, 1) == -signal.SIGKILL, point
        async with here.life() as gateway:
            assert await trio.to_thread.run_sync(gateway.stop) == 0
        await here.sinks.arrived()
        here.judge(mended=True)
        again = Counter(record["metadata"]["uid"] for record in here.sinks.http.taken)
        assert all(count == 1 for uid, count in again.items() if uid not in letters)
