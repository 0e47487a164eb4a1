"""`tidegate bench`: what this host can take in, by listener and format, measured on a gateway of its own.

For each row a whole gateway is started in a process and a folder of its own, on loopback ports that are free. Generated events are sent to it, flat out
where it can hold the sender back. Once all of them are committed, its process says what that cost. A gateway that runs here isn't touched, though it will
notice that it isn't alone.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final

import trio

from gateway.bench.gateway import BenchGateway, Spoken, bench_gateway
from gateway.bench.host import read_host
from gateway.bench.report import SCHEMA, Measured, Report
from gateway.bench.rows import Load, Row
from gateway.version import describe_version
from kernel import Engine
from pipeline.errors import ConfigError

LEAST_ROOM: Final = 512 << 20
MOST_ROOM: Final = 4 << 30
"""Octets of disk that a row needs at least, and its spool takes at most."""
POLL_S: Final = 0.02
IDLE_S: Final = 0.5
"""Without another message committed, whatever was still under way is lost."""
SETTLE_S: Final = 30.0
PACES: Final = 5
FASTER: Final = 1.6
SLOWER: Final = 0.6
"""How often another pace is tried, and how much faster or slower than the last; the first is what came through of a sender that went flat out."""
HELD_BACK: Final = 0.8
"""Of the pace asked for: a sender that reaches no more can't go faster."""
LEAST_RATE: Final = 10.0


@dataclass(frozen=True, slots=True)
class Place:
    """Where spools are made; `beside` says that it is the file system of the state directory."""

    folder: Path
    beside: bool


def choose_place(state_dir: Path, named: Path | None) -> Place:
    """The named folder, else one on the state directory's file system that we may write to, else the system's for temporary files.

    Raises:
        ConfigError: there is no room.
    """
    existing = next(found for found in (state_dir, *state_dir.absolute().parents) if _is_there(found))
    candidates = [named] if named else [existing, Path(tempfile.gettempdir())]
    folder = next((place for place in candidates if _takes_files(place)), None)
    if folder is None:
        raise ConfigError(str(candidates[-1]), "can't be written to", "name a folder with --folder")
    if shutil.disk_usage(folder).free < 2 * LEAST_ROOM:
        raise ConfigError(str(folder), f"has less than {2 * LEAST_ROOM >> 20} MiB free", "name another folder with --folder")
    return Place(folder, folder.stat().st_dev == existing.stat().st_dev)


def _is_there(path: Path) -> bool:
    with suppress(PermissionError):  # below a folder that is somebody else's
        return path.exists()
    return False


def _takes_files(folder: Path) -> bool:
    with suppress(OSError), tempfile.TemporaryFile(dir=folder):
        return True
    return False


async def measure(rows: Sequence[Row], load: Load, place: Place, *, engine: Engine = Engine.NATIVE, tell: Callable[[str], None] = lambda _: None) -> Report:
    """Measure row by row.

    Args:
        rows: which, in this order.
        load: how much of each.
        place: where spools are made; nothing is left there.
        engine: which.
        tell: called with what is done now, for a person who waits.

    Raises:
        SpoolError, DeliveryError: a gateway couldn't be started, or ended.
    """
    found = []
    for at, row in enumerate(rows, 1):
        tell(f"{row.name}, {at} of {len(rows)}")
        alone = partial(_measure_alone, row, place=place, engine=engine)
        found.append(await (_measure_without_loss(alone, load) if row.paced else alone(load)))
    return Report(
        schema=SCHEMA,
        version=describe_version(engine),
        at=datetime.now(UTC).isoformat(timespec="seconds"),
        seconds=load.seconds,
        noise=load.noise,
        folder=str(place.folder),
        beside=place.beside,
        host=read_host(place.folder),
        rows=tuple(found),
    )


async def _measure_alone(row: Row, load: Load, *, place: Place, engine: Engine) -> Measured:
    """One row on a gateway of its own, of which nothing is left."""
    with tempfile.TemporaryDirectory(prefix="tidegate-bench-", dir=place.folder) as folder:
        room = min(MOST_ROOM, max(LEAST_ROOM, shutil.disk_usage(folder).free // 2))
        async with bench_gateway(Path(folder), room=room, engine=engine) as gateway:
            return await measure_row(row, load, gateway)


async def _measure_without_loss(alone: Callable[[Load], Awaitable[Measured]], load: Load) -> Measured:
    """Where nothing holds the sender back: the fastest pace found at which nothing is lost, or the slowest tried; at least half as long as the load."""
    found = await alone(load)
    rate, best = found.rate, None
    for _ in range(PACES):
        found = await alone(replace(load, seconds=load.seconds / 2, rate=max(LEAST_RATE, rate)))
        if found.lost:
            if best:
                break
            rate *= SLOWER
        else:
            best = found
            if found.rate < HELD_BACK * rate:
                break
            rate *= FASTER
    return best or found


async def measure_row(row: Row, load: Load, gateway: BenchGateway) -> Measured:
    """One row, on a gateway that has just begun."""
    idle_mb, before, own = gateway.memory_mb("VmRSS"), gateway.usage(), time.process_time()
    played = await row.play(gateway, load)
    sender_s = time.process_time() - own
    spoken, ended = await _await_committed(row, played.messages, gateway)
    after = gateway.usage()
    received, control, rejected = (int(spoken.total(f"tidegate_{name}_total", listener=row.listener)) for name in ("received", "control", "rejected"))
    events, seconds = received - control, ended - played.begun
    cpu_s = after.cpu_s - before.cpu_s
    records = spoken.total("tidegate_committed_total")
    commits = spoken.buckets("tidegate_commit_seconds")
    written = None if after.written is None or before.written is None else after.written - before.written
    return Measured(
        row=row.name,
        listener=row.listener,
        transport=row.transport,
        layout=row.layout,
        events=events,
        lost=max(0, played.messages - events),
        rejected=rejected,
        seconds=round(seconds, 3),
        cpu_us=_share(1e6 * cpu_s, events),
        sender_cpu_us=_share(1e6 * sender_s, played.messages),
        cores=round(_share(cpu_s, seconds), 2),
        idle_mb=round(idle_mb, 1),
        peak_mb=round(gateway.memory_mb("VmHWM"), 1),
        commits=int(spoken.total("tidegate_commits_total")),
        commit_p50_ms=round(1000 * quantile(commits, 0.5), 2),
        commit_p99_ms=round(1000 * quantile(commits, 0.99), 2),
        written_octets=None if written is None else _share(written, events),
        stored_octets=_share(spoken.total("tidegate_spool_bytes"), records),
        record_octets=round(await trio.to_thread.run_sync(gateway.record_octets), 1),
    )


async def _await_committed(row: Row, messages: int, gateway: BenchGateway) -> tuple[Spoken, float]:
    """What it says once it has taken in all that was sent, or no more comes; and when the last of it came."""
    count, since, deadline = -1.0, 0.0, trio.current_time() + SETTLE_S
    while True:
        spoken, now = await gateway.metrics(), trio.current_time()
        taken = spoken.total("tidegate_received_total", listener=row.listener) - spoken.total("tidegate_control_total", listener=row.listener)
        if taken > count:
            count, since = taken, now
        if count >= messages or now - since > IDLE_S or now > deadline:
            return spoken, since
        await trio.sleep(POLL_S)


def quantile(buckets: Sequence[tuple[float, float]], share: float) -> float:
    """What this share of a histogram's observations is at most, interpolated within a bucket as Prometheus' histogram_quantile does; 0 if there are none."""
    total = buckets[-1][1] if buckets else 0
    wanted, lower, before = share * total, 0.0, 0.0
    for upper, count in buckets:
        if total and count >= wanted:
            return lower if upper == float("inf") else lower + (upper - lower) * (wanted - before) / (count - before or 1)
        lower, before = upper, count
    return 0.0


def _share(amount: float, among: float) -> float:
    return round(amount / among, 3) if among else 0.0
