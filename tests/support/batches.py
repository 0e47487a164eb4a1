"""Batches and spools for tests: records that say who they are, so that whatever comes back can be told apart."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

import orjson

from pipeline.index import Entry, Index
from pipeline.metrics import Metrics
from pipeline.model import Batch, Origin, Transport
from pipeline.spool.settings import Consumer, SpoolSettings
from pipeline.spool.spool import Submission
from pipeline.spool.sqlite import SqliteSpool, open_spool


def uid_of(name: int) -> bytes:
    return name.to_bytes(16, "big")


def record_of(name: int, octets: int = 0) -> bytes:
    """A record named `name`, padded to at least `octets`."""
    record = orjson.dumps({"name": name, "pad": ""})
    return record[:-2] + b"x" * (octets - len(record)) + record[-2:]


def name_of(record: bytes) -> int:
    return int(orjson.loads(record)["name"])


def alias_of(name: int) -> bytes:
    """The second duplicate key of this name."""
    return b"alias" + name.to_bytes(11, "big")


def batch_of(
    names: Iterable[int],
    *,
    listener: str = "listeners.syslog",
    octets: int = 0,
    weak: bool = False,
    event_code: str = "4624",
    class_uid: int = 3002,
    computer: str = "dc1.contoso.example",
) -> Batch:
    """A batch of records with these names; the name is the uid."""
    index, records, at = [], [], 0
    for name in names:
        record = record_of(name, octets)
        index.append(Entry(at, at + len(record), uid_of(name), weak, class_uid, event_code, 1, 1_700_000_000_000 + name, computer))
        records.append(record + b"\n")
        at += len(record) + 1
    return Batch(b"".join(records), Index.of(index), Origin(listener, Transport.TCP, "192.0.2.1", 0), len(index))


def submissions(*batches: Batch) -> list[Submission]:
    return [Submission(batch) for batch in batches]


def spool_in(
    folder: Path,
    consumers: Sequence[Consumer] = (),
    *,
    settings: SpoolSettings | None = None,
    metrics: Metrics | None = None,
    vfs: str | None = None,
    now_ms: int = 1_700_000_000_000,
) -> SqliteSpool:
    """A spool whose clock stands still; without `metrics` it counts where nobody looks."""
    return open_spool(folder, settings or SpoolSettings(), consumers, metrics or _unread(), clock_ms=lambda: now_ms, vfs=vfs)


_unread = cache(Metrics)


async def read_all(spool: SqliteSpool, consumer: str) -> list[int]:
    """The names of every record a consumer has before it, which it takes."""
    names: list[int] = []
    while (row := await spool.read(consumer)) is not None:
        names += map(name_of, row.texts())
        spool.advance(consumer, row.end, b"%d" % len(names))
    return names
