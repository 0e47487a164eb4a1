"""`tidegate spool status`: where the spool's word comes from, and how it looks.

The running gateway is asked; where none runs, the files are read as they lie.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

import trio
from pydantic import TypeAdapter

from gateway.config import Config
from gateway.control import NotRunningError, Request, ask
from pipeline.condition import Condition
from pipeline.escape import escape_text
from pipeline.metrics import Metrics
from pipeline.spool.spool import ConsumerStatus, SpoolStatus
from pipeline.spool.sqlite import open_spool
from pipeline.spool.status import read_status_of

NS_PER_MS: Final = 1_000_000
SECONDS: Final = (("d", 86400.0), ("h", 3600.0), ("min", 60.0), ("s", 1.0))
OCTETS: Final = (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1))


def write_report(status: SpoolStatus) -> bytes:
    """The JSON of a status; the opaque state of destinations stays where it is."""
    return TypeAdapter(SpoolStatus).dump_json(replace(status, consumers=tuple(replace(consumer, state=b"") for consumer in status.consumers)))


def read_offline(config: Config) -> SpoolStatus:
    """The status of a spool as its files have it.

    Raises:
        SpoolError: there is none, or it can't be read.
    """
    spool = config.spool
    return read_status_of(config.gateway.state_dir, now_ms=time.time_ns() // NS_PER_MS, max_bytes=spool.max_bytes, keep_removed_s=spool.keep_removed)


async def read_status(config: Config) -> SpoolStatus:
    """The status, from the running gateway if there is one.

    Raises:
        ControlError: the running gateway can't be asked.
        SpoolError: none runs, and there is no spool or it can't be read.
    """
    try:
        return TypeAdapter(SpoolStatus).validate_python(await ask(config.gateway.state_dir, Request("spool.status")))
    except NotRunningError:
        return await trio.to_thread.run_sync(read_offline, config)


def render_status(status: SpoolStatus, *, as_json: bool) -> str:
    """For a person, or the JSON."""
    return write_report(status).decode() + "\n" if as_json else "\n".join(_lines(status)) + "\n"


def _lines(status: SpoolStatus) -> Iterator[str]:
    limit = f" of {octets(status.max_bytes)}" if status.max_bytes else ""
    yield f"spool        {status.records:,} records in {status.rows:,} rows, {octets(status.bytes)}{limit}; {octets(status.free_bytes)} free on the disk"
    if status.oldest_at_ms is not None:
        yield f"oldest       {duration(max(0.0, time.time() - status.oldest_at_ms / 1000))} ago"
    yield f"committed    {status.head:,} records ever; {status.duplicate_keys:,} remembered against duplicates"
    if status.quarantined:
        yield f"quarantined  {status.quarantined:,} records in damaged rows, set aside"
    if status.blockade:
        yield f"blocked      {escape_text(str(status.blockade))}"
    for consumer in status.consumers:
        yield f"destination  {_destination(consumer)}"
        if consumer.condition and consumer.condition.fault_at_ms is not None:
            yield f"  last fault {_last_fault(consumer.condition)}"


def _destination(consumer: ConsumerStatus) -> str:
    if consumer.lag_records:
        place = f"behind by {consumer.lag_records:,} records, {octets(consumer.lag_bytes)}, {duration(consumer.lag_seconds)}"
    else:
        place = "has everything"
    lost = f"; {consumer.lost:,} lost" if consumer.lost else ""
    again = f", {consumer.requeued:,} of them put before it again" if consumer.requeued else ""
    parked = f"; {consumer.parked:,} refused for good, kept as dead letters{again}" if consumer.parked else ""
    removed = f"; left the configuration, its place is kept for {duration(consumer.expires_s)}" if consumer.expires_s is not None else ""
    state = f"{consumer.condition.state}, " if consumer.condition else ""
    return f"{escape_text(consumer.name)}: {state}{place}{lost}{parked}{removed}"


def _last_fault(condition: Condition) -> str:
    ago = duration(max(0.0, time.time() - (condition.fault_at_ms or 0) / 1000))
    return escape_text(f"{condition.reason}{f': {condition.detail}' if condition.detail else ''}; {ago} ago, {condition.failures:,} failures in a row")


def octets(count: float) -> str:
    """`1.5 GiB`."""
    unit, size = next((found for found in OCTETS if count >= found[1]), OCTETS[-1])
    return f"{count / size:.1f} {unit}" if size > 1 else f"{count:.0f} {unit}"


def duration(seconds: float) -> str:
    """`3.2 h`."""
    unit, size = next((found for found in SECONDS if seconds >= found[1]), SECONDS[-1])
    return f"{seconds / size:.1f} {unit}"


async def forget_consumer(config: Config, name: str) -> str:
    """Give up a removed destination's place, through the running gateway or in the files; returns what was done, in words.

    Raises:
        ControlError: the running gateway refuses.
        SpoolError: there is no such destination, or it is configured.
    """
    try:
        return str(await ask(config.gateway.state_dir, Request("spool.forget", {"name": name})))
    except NotRunningError:
        read_offline(config)  # says so where there is no spool, instead of making one
    spool = open_spool(config.gateway.state_dir, config.spool, [table.consumer() for table in config.forwarders], Metrics())
    try:
        await spool.forget(name)
    finally:
        await spool.close()
    return forgotten(name)


def forgotten(name: str) -> str:
    """What `spool forget` says when it is done."""
    return f"{name} is forgotten"
