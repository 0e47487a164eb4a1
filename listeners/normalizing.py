"""From Frames to a Batch on the event loop's thread: in slices, so that other sockets wait for one slice, and with a fault of our own kept to one message.

A worker thread would be no help to the others: whoever computes in Python holds the interpreter, and the loop would wait for that.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from pipeline.index import EMPTY, join_indexes
from pipeline.log import PeerLog
from pipeline.model import Batch, Frames, Reject

SLICE_OCTETS: Final = 64 << 10
KEY_OCTETS: Final = 16
"""Of a second duplicate key (`Frames.aliases`)."""

Normalize = Callable[[Frames], Batch]


def slices(spans: array[int], octets: int) -> Iterator[array[int]]:
    """`spans` in parts that reach over no more than so many octets of their buffer, or over one message."""
    first = 0
    while first < len(spans):
        last = bisect_right(spans, spans[first] + octets, first + 2)
        last -= last % 2
        yield spans[first:last]
        first = last


def normalize_guarded(normalize: Normalize, frames: Frames, peer_log: PeerLog) -> list[Batch]:
    """One batch; where a message makes the normalizer itself fail, one a message, so that only the culprit is rejected (`internal-error`)."""
    try:
        return [normalize(frames)]
    except Exception as error:  # noqa: BLE001 - a fault of ours must not let one message end the gateway again and again
        peer_log.warning("normalizer failed", peer=frames.origin.peer, exc_info=error)
    return list(_one_by_one(normalize, frames))


def _one_by_one(normalize: Normalize, frames: Frames) -> Iterator[Batch]:
    for number, (start, end) in enumerate(frames.pairs()):
        alias = frames.aliases[number * KEY_OCTETS : (number + 1) * KEY_OCTETS]
        try:
            yield normalize(replace(frames, spans=array("I", (start, end)), aliases=alias))
        except Exception as error:  # noqa: BLE001 - the same; the error is kept beside its message
            reject = Reject(frames.buffer[start:end], "internal-error", 0, repr(error))
            yield Batch(b"", EMPTY, frames.origin, 1, rejected={reject.rule: 1}, rejects=(reject,))


def join_batches(batches: Sequence[Batch]) -> Batch:
    """Batches of one origin as one, in order; at least one."""
    if len(batches) == 1:
        return batches[0]
    return Batch(
        records=b"".join(batch.records for batch in batches),
        index=join_indexes(batch.index for batch in batches),
        origin=batches[0].origin,
        received=sum(batch.received for batch in batches),
        filtered=_sum(batch.filtered for batch in batches),
        rejected=_sum(batch.rejected for batch in batches),
        control=sum(batch.control for batch in batches),
        warnings=_sum(batch.warnings for batch in batches),
        rejects=tuple(reject for batch in batches for reject in batch.rejects),
        aliases=b"".join(batch.aliases for batch in batches),
        originals=tuple(original for batch in batches for original in batch.originals),
        sessions=tuple(change for batch in batches for change in batch.sessions),
    )


def _sum(tallies: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total = Counter[str]()
    for tally in tallies:
        total.update(tally)
    return dict(total)
