"""The native engine: the kernel judges a buffer in one call, and leaves to the reference engine what it isn't sure of.

    buffer ─▶ kernel ─▶ records, index, tallies ──────────────────────┬─▶ Batch
                └─ messages it isn't sure of ─▶ reference engine ─────┘ in the order in which they came

The batch is the reference engine's, octet for octet, whatever a peer sends. Where that can't be had by putting both parts together (a bounded table would
overflow in another order, a sender names a computer that it may not speak for), the reference engine judges the whole buffer.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Final

from kernel import NativeBatch
from kernel import Normalizer as Kernel
from normalizers.judgement import Judgement
from normalizers.native_plan import encode_profile
from normalizers.normalizer import ALIAS as KEY_OCTETS
from normalizers.normalizer import Normalizer
from normalizers.profiles import Profile
from normalizers.settings import NormalizeSettings
from normalizers.tally import MAX_REJECTS, MAX_TALLY, Tally
from pipeline.index import Index, Run, join_runs
from pipeline.model import Batch, Frames, Reject
from pipeline.state.changes import PackedChanges
from wire.layouts.layout import Reading

NATIVE_TURN: Final = 1 << 20
SELDOM: Final = 1 / 64
REMEMBERED: Final = 8

Judge = Callable[[bytes], Judgement]
Tables = Mapping[str, int]


class NativeNormalizer(Normalizer):
    """A Normalizer, the kernel first. `explain` is the reference engine's, and so is everything where messages are kept as `raw_data`.

    judged:  messages of all buffers.
    left:    those of them that the reference engine judged.
    """

    def __init__(
        self,
        profile: Profile | str | Path = "aatp-2020",
        settings: NormalizeSettings | None = None,
        *,
        reading: Reading | None = None,
        keep_all: bool = False,
    ) -> None:
        super().__init__(profile, settings, reading=reading, keep_all=keep_all)
        self._kernel: Final = self._load(packets=False)
        self.judged = self.left = 0
        self._lately = 0.0  # the share of messages that the reference engine judged, over the last buffers

    def _load(self, *, packets: bool) -> Kernel:
        return Kernel(encode_profile(self.profile, self.settings, self.reading, keep_all=self.keep_all, packets=packets))

    @cached_property
    def _accounting(self) -> Kernel:
        """For RADIUS packets; made when the first ones come, since most never hear of any."""
        return self._load(packets=True)

    @property
    def turn_octets(self) -> int:
        """A MiB while the kernel does nearly all of it, as much as the reference engine's otherwise."""
        return NATIVE_TURN if self._lately < SELDOM else super().turn_octets

    def normalize(self, frames: Frames) -> Batch:
        """As the reference engine does."""
        batch = self._run(frames, lambda message: self.judge(message, frames.origin), MAX_REJECTS, events=False)
        return self._tagged(batch) if batch else super().normalize(frames)

    def normalize_events(self, frames: Frames) -> Batch:
        """As the reference engine does."""
        batch = self._run(frames, lambda message: self.judge_event(message, frames.origin, frames.trust), len(frames), events=True)
        return self._tagged(batch) if batch else super().normalize_events(frames)

    def normalize_radius(self, frames: Frames, vendor: str = "") -> Batch:
        """As the reference engine does."""
        self.judged += len(frames)
        origin, spans = frames.origin, frames.spans.tobytes()
        native = self._accounting.normalize_radius(frames.buffer, spans, frames.aliases, origin.received_at_ms, origin.peer, vendor, frames.trust.labels)
        if native is None or self.settings.raw_data:
            self.left += len(frames)
            return super().normalize_radius(frames, vendor)
        self.left += len(native.unsure)
        index = Index.of_kernel(native.index)
        batch = Batch(native.records, index, origin, len(frames), aliases=native.aliases, sessions=PackedChanges(native.changes, len(index)))
        if native.unsure:
            return self._with_left_packets(batch, native.unsure, frames, vendor)
        return replace(batch, originals=tuple(frames.buffer[start:end] for start, end in frames.pairs())) if frames.keep else batch

    def _with_left_packets(self, native: Batch, unsure: Sequence[tuple[int, int]], frames: Frames, vendor: str) -> Batch:
        """The batch with what the reference engine makes of the packets that were left to it; it is told their places as aliases, and says which it kept."""
        spans = array("I", chain.from_iterable(frames.spans[2 * place : 2 * place + 2] for place, _ in unsure))
        places = b"".join(place.to_bytes(KEY_OCTETS) for place, _ in unsure)
        left = super().normalize_radius(replace(frames, spans=spans, aliases=places, keep=False), vendor)
        kept = {int.from_bytes(left.aliases[at : at + KEY_OCTETS]) for at in range(0, len(left.aliases), KEY_OCTETS)}
        rejected = {place for place, _ in unsure} - kept
        records = [place for place in range(len(frames)) if place not in rejected]
        native_words, left_words = iter(native.sessions), iter(left.sessions)
        bare = replace(native, aliases=b"", sessions=(), rejected=left.rejected, rejects=left.rejects)
        batch = _merged(bare, replace(left, aliases=b"", sessions=()), [before for place, before in unsure if place in kept]) if kept else bare
        return replace(
            batch,
            aliases=b"".join(frames.aliases[KEY_OCTETS * place : KEY_OCTETS * (place + 1)] for place in records),
            originals=tuple(frames.buffer[slice(*frames.spans[2 * place : 2 * place + 2])] for place in records) if frames.keep else (),
            sessions=tuple(next(left_words if place in kept else native_words) for place in records),
        )

    def _run(self, frames: Frames, judge: Judge, max_rejects: int, *, events: bool) -> Batch | None:
        """The batch; None where the reference engine has to judge all of it."""
        self.judged += len(frames)
        speaks_for, labels = (frames.trust.speaks_for, frames.trust.labels) if events else (None, ())
        batch = None
        if not self.settings.raw_data:
            native = self._kernel.normalize(frames.buffer, frames.spans.tobytes(), frames.origin.received_at_ms, labels, events, max_rejects)
            if speaks_for is None or (native.computers is not None and all(map(speaks_for, native.computers))):
                batch = self._batch(native, frames, judge, max_rejects)
        left = len(frames) if batch is None else len(native.unsure)
        self.left += left
        self._lately += (left / max(1, len(frames)) - self._lately) / REMEMBERED
        return batch

    def _batch(self, native: NativeBatch, frames: Frames, judge: Judge, max_rejects: int) -> Batch | None:
        told = [(place, _reject(frames, place, rule, offset, detail)) for place, rule, offset, detail in native.rejects]
        batch = Batch(
            records=native.records,
            index=Index.of_kernel(native.index),
            origin=frames.origin,
            received=len(frames),
            filtered=native.filtered,
            rejected=native.rejected,
            control=native.control,
            warnings=native.warnings,
            rejects=tuple(reject for _, reject in told),
        )
        if not native.unsure:
            return batch
        left = Tally(len(native.unsure))
        positions, kept = [], []
        for place, before in native.unsure:
            message = frames.buffer[frames.spans[2 * place] : frames.spans[2 * place + 1]]
            counted = len(left.index), len(left.rejects)
            left.add(message, judge(message))
            if len(left.index) > counted[0]:
                positions.append(before)
            if len(left.rejects) > counted[1]:
                kept.append((place, left.rejects[-1]))
        tables = ((native.filtered, left.filtered), (native.rejected, left.rejected), (native.warnings, left.warnings))
        if not all(_fit(native_table, table) for native_table, table in tables):
            return None
        filtered, rejected, warnings = (_sum(native_table, table) for native_table, table in tables)
        rejects = tuple(reject for _, reject in sorted([*told, *kept], key=lambda pair: pair[0])[:max_rejects])
        batch = replace(batch, filtered=filtered, rejected=rejected, warnings=warnings, control=batch.control + left.control, rejects=rejects)
        return _merged(batch, left.batch(frames), positions) if positions else batch


def _reject(frames: Frames, place: int, rule: str, offset: int, detail: str) -> Reject:
    return Reject(frames.buffer[frames.spans[2 * place] : frames.spans[2 * place + 1]], rule, offset, detail)


def _fit(native: Tables, left: Tables) -> bool:
    """Whether the sum of two tables doesn't depend on the order in which messages came: one is empty, or there is room for all names."""
    return not left or (not native and len(left) <= MAX_TALLY) or len({*native, *left}) <= MAX_TALLY


def _sum(native: Tables, left: Tables) -> Tables:
    return {name: native.get(name, 0) + left.get(name, 0) for name in (*native, *(name for name in left if name not in native))}


def _merged(native: Batch, left: Batch, positions: list[int]) -> Batch:
    """Records of both, those of `left` each behind as many native ones as `positions` says."""
    runs = list(_runs(native.index, left.index, positions))
    sources = {id(native.index): native, id(left.index): left}
    records = b"".join(sources[id(run.whole)].records[run.whole.offsets[run.start] : run.whole.offsets[run.stop]] for run in runs)
    return replace(native, records=records, index=join_runs(runs))


def _runs(native: Index, left: Index, positions: list[int]) -> Iterator[Run]:
    done = 0
    for place, position in enumerate(positions):
        if position > done:
            yield Run(native, done, position)
            done = position
        yield Run(left, place, place + 1)
    if done < len(native):
        yield Run(native, done, len(native))
