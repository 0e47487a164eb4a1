"""What became of the messages of a buffer, collected to a batch. Tables that a peer fills are bounded, and count the rest as `other`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Final

from normalizers.encoder import encode_record
from normalizers.judgement import Judgement, Verdict
from pipeline.index import Entry, Index
from pipeline.model import Batch, Frames, Reject

OTHER: Final = "other"
MAX_TALLY: Final = 64
MAX_REJECTS: Final = 16


class Tally:
    """Collects judgements to a batch."""

    def __init__(self, max_rejects: int = MAX_REJECTS) -> None:
        self.max_rejects = max_rejects
        self.records = bytearray()
        self.index: list[Entry] = []
        self.filtered: Counter[str] = Counter()
        self.rejected: Counter[str] = Counter()
        self.warnings: Counter[str] = Counter()
        self.rejects: list[Reject] = []
        self.control = 0

    def add(self, message: bytes, judgement: Judgement) -> None:
        match judgement.verdict:
            case Verdict.NORMALIZED:
                self._keep(judgement)
            case Verdict.FILTERED:
                _count(self.filtered, judgement.key.event_id if judgement.key else OTHER)
            case Verdict.REJECTED:
                _count(self.rejected, judgement.rule)
                if len(self.rejects) < self.max_rejects:
                    self.rejects.append(Reject(message, judgement.rule, judgement.offset, judgement.detail))
            case Verdict.CONTROL:
                self.control += 1
        for warning in judgement.warnings:
            _count(self.warnings, warning)

    def _keep(self, judgement: Judgement) -> None:
        mapped = judgement.mapped
        if mapped is None:
            return
        start = len(self.records)
        self.records += encode_record(mapped.record)
        end = len(self.records)
        self.records += b"\n"
        self.index.append(Entry(start, end, mapped.uid, mapped.weak, mapped.class_uid, mapped.event_code, mapped.status_id, mapped.time_ms, mapped.computer))

    def batch(self, frames: Frames) -> Batch:
        return Batch(
            records=bytes(self.records),
            index=Index.of(self.index),
            origin=frames.origin,
            received=len(frames),
            filtered=_frozen(self.filtered),
            rejected=_frozen(self.rejected),
            control=self.control,
            warnings=_frozen(self.warnings),
            rejects=tuple(self.rejects),
        )


def _count(tally: Counter[str], name: str) -> None:
    tally[name if name in tally or len(tally) < MAX_TALLY else OTHER] += 1


def _frozen(tally: Counter[str]) -> Mapping[str, int]:
    return dict(tally)
