"""Backfill: what a running gateway does with messages of files that `tidegate replay --into` hands it over the control socket.

    {"command": "replay.take", "path": "/logs/dc1.evtx", "at": 1200, "lengths": [1830, 1794], "octets": 3624}   and then the messages, one behind the other

It reads them as if a listener had: its own profile, settings and tags, its intake with duplicates and accounting (under the listener `replay`), and it answers
once they are on disk. A message whose record has a weak uid is known again by where it stands: its file, its place there and its octets.

With `"to"` one destination alone gets the records, as far as its filter wants them, before anything else and whether or not it was given them by a listener.
They wait in the spool as letters to it, MAX_LETTERS or one request of them at most: then the next request waits until it has taken some.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from itertools import accumulate
from typing import Final

from forwarders.settings import ForwarderSettings
from gateway.config import Config
from gateway.control import Command, ControlError, Request
from listeners.normalizing import Normalize
from pipeline.errors import SpoolError
from pipeline.index import Run, join_runs
from pipeline.intake import Intake
from pipeline.model import ALIAS_OCTETS, Batch, Frames, Origin, Transport
from pipeline.rejects import OTHER
from pipeline.spool.row import Row, Wants
from pipeline.spool.sqlite import SqliteSpool

TAKE: Final = "replay.take"
LISTENER: Final = "replay"
MAX_MESSAGES: Final = 4000
MAX_PATH: Final = 4096
MAX_LETTERS: Final = 2000


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of the messages of one request.

    again:       nothing: the gateway is stopping, and they have to be sent again.
    normalized, duplicate, filtered:  by event code; where only some were kept before, which ones those are isn't known: both count as `other`.
    rejected, warnings:  by rule.
    """

    again: bool = False
    received: int = 0
    control: int = 0
    normalized: Mapping[str, int] = field(default_factory=dict)
    duplicate: Mapping[str, int] = field(default_factory=dict)
    filtered: Mapping[str, int] = field(default_factory=dict)
    rejected: Mapping[str, int] = field(default_factory=dict)
    warnings: Mapping[str, int] = field(default_factory=dict)


def make_backfill(config: Callable[[], Config], normalize: Normalize, intake: Intake, spool: SqliteSpool, *, clock: Callable[[], int]) -> Command:
    """The command.

    Args:
        config: what is in force.
        normalize: Frames to Batch, as listeners call it.
        intake: where batches go.
        spool: of the gateway.
        clock: arrival of what is handed over, nanoseconds since the Unix epoch.
    """

    async def take(request: Request) -> object:
        frames, at = _frames(request, clock())
        only = _destination(request, config())
        batch = _known_by_place(normalize, frames, normalize(frames), at)
        if only is not None:
            batch = _wanted(batch, only.consumer().wants)
            await spool.wait_for_room(only.name, max(1, MAX_LETTERS - len(batch.index)))
        try:
            receipt = await intake.submit(batch, only=only.name if only else "")
            await receipt.wait()
        except SpoolError:
            return Taken(again=True)
        return _taken(batch, receipt.duplicates)

    return take


def _frames(request: Request, now_ns: int) -> tuple[Frames, int]:
    """The messages, and how many of their file came before them.

    Raises:
        ControlError: the request isn't one.
    """
    path, at, lengths = request.text("path") or "", request.arguments.get("at", 0), request.arguments.get("lengths")
    if not isinstance(lengths, list) or not 0 < len(lengths) <= MAX_MESSAGES or not all(type(length) is int and length >= 0 for length in lengths):
        raise ControlError(TAKE, f"lengths are not up to {MAX_MESSAGES} numbers")
    if sum(lengths) != len(request.body) or type(at) is not int or at < 0:
        raise ControlError(TAKE, "lengths are not those of the messages")
    ends = list(accumulate(lengths))
    spans = array("I", [edge for end, length in zip(ends, lengths, strict=True) for edge in (end - length, end)])
    return Frames(request.body, spans, Origin(LISTENER, Transport.FILE, path[:MAX_PATH], now_ns)), at


def _destination(request: Request, config: Config) -> ForwarderSettings | None:
    """The one destination that gets the records; None for all.

    Raises:
        ControlError: there is none of this name, or it has no use for records.
    """
    name = request.text("to")
    if not name:
        return None
    tables = {table.name: table for table in config.forwarders if table.name not in config.relays}
    if name not in tables:
        raise ControlError(f"destination {name}", "the gateway has none of this name that takes records", f"it has {', '.join(tables) or 'none at all'}")
    return tables[name]


def _wanted(batch: Batch, wants: Wants | None) -> Batch:
    """The records that a filter wants; the others count as filtered."""
    row = Row.whole(batch.records, batch.index, 0)
    row = row.select(wants) if wants else row
    if len(row) == len(batch.index):
        return batch
    chosen = frozenset(row.chosen)
    left_out = Counter(entry.event_code for place, entry in enumerate(batch.index) if place not in chosen)
    aliases = b"".join(batch.aliases[ALIAS_OCTETS * place : ALIAS_OCTETS * (place + 1)] for place in row.chosen)
    index = join_runs(Run(batch.index, place, place + 1) for place in row.chosen)
    return replace(batch, records=row.ndjson(), index=index, aliases=aliases, filtered=Counter(batch.filtered) + left_out)


def _known_by_place(normalize: Normalize, frames: Frames, batch: Batch, at: int) -> Batch:
    """The batch, its records known by the places of their messages if any of them has no strong uid."""
    if not any(batch.index.weak):
        return batch
    aliases = bytearray()
    for place, (start, end) in enumerate(frames.pairs(), at):
        if len(normalize(replace(frames, spans=array("I", (start, end)))).index):
            message = frames.buffer[start:end]
            aliases += blake2b(b"%b\0%d\0%b" % (frames.origin.peer.encode("utf-8", "surrogateescape"), place, message), digest_size=ALIAS_OCTETS).digest()
    return replace(batch, aliases=bytes(aliases))


def _taken(batch: Batch, duplicates: int) -> Taken:
    codes = Counter(entry.event_code for entry in batch.index)
    fresh = len(batch.index) - duplicates
    mixed = fresh > 0 and duplicates > 0
    return Taken(
        received=batch.received,
        control=batch.control,
        normalized={OTHER: fresh} if mixed else codes if fresh else {},
        duplicate={OTHER: duplicates} if mixed else codes if duplicates else {},
        filtered=batch.filtered,
        rejected=batch.rejected,
        warnings=batch.warnings,
    )
