"""The dead letters of a running spool, ahead of the disk by what the next commit brings (`pipeline.spool.letters` is what lies there)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Final

from pipeline.errors import DeliveryError
from pipeline.metrics import Metrics
from pipeline.spool.letters import Answer, DeadLetter, LetterWork, Requeue
from pipeline.spool.row import Row

MAX_DETAIL: Final = 1024


class LetterBox:
    """How many letters each consumer has, and what is to be written about them.

    Args:
        restored: dead letters by consumer, and how many of them are before it again.
        metrics: registry whose counters and gauges of dead letters move here.
    """

    def __init__(self, restored: Mapping[str, tuple[int, int]], metrics: Metrics) -> None:
        self._metrics: Final = metrics
        self._kept: Final = Counter({name: kept for name, (kept, _) in restored.items()})
        self._requeued: Final = Counter({name: requeued for name, (_, requeued) in restored.items()})
        self._parked: list[DeadLetter] = []
        self._answers: list[Answer] = []

    def show(self, consumer: str) -> None:
        """Show a consumer's gauge and counters from the start."""
        self._metrics.dead_letters.labels(consumer).set_function(partial(self._kept.__getitem__, consumer))
        self._metrics.redelivered.labels(consumer)

    def park(self, consumer: str, row: Row, refusal: DeliveryError, limit: int | None) -> bool:
        """Keep a row of one record, unless the consumer has `limit` of them."""
        if limit is not None and self._kept[consumer] >= limit:
            return False
        (entry,), (number,), (record,) = row.entries(), row.numbers, row.texts()
        own = row.index.part(number - row.first, number - row.first + 1).columns
        self._parked.append(DeadLetter(consumer, number, entry.uid, refusal.reason, refusal.detail[:MAX_DETAIL], record, own))
        self._kept[consumer] += 1
        self._metrics.parked.labels(consumer, refusal.reason).inc()
        return True

    def has_requeued(self, consumer: str) -> bool:
        """Whether letters are before a consumer again."""
        return self._requeued[consumer] > 0

    def answered(self) -> Sequence[int]:
        """Letters whose answer is on its way to the disk."""
        return [answer.id for answer in self._answers]

    def answer(self, consumer: str, letter: int, refusal: DeliveryError | None) -> None:
        """Take what a consumer said to a requeued letter: it is gone, or a dead letter again."""
        self._requeued[consumer] -= 1
        if refusal is None:
            self._kept[consumer] -= 1
            self._metrics.redelivered.labels(consumer).inc()
        self._answers.append(Answer(letter, None if refusal is None else (refusal.reason, refusal.detail[:MAX_DETAIL])))

    def work(self, requeues: Sequence[Requeue]) -> LetterWork:
        """What the next transaction has to do."""
        return LetterWork(tuple(self._parked), tuple(self._answers), tuple(requeues))

    def waiting(self, consumer: str) -> int:
        """How many letters are before a consumer."""
        return self._requeued[consumer]

    def refused(self, consumer: str) -> int:
        """How many letters a consumer refused and doesn't have before it again."""
        return self._kept[consumer] - self._requeued[consumer]

    def settle(self, work: LetterWork, requeued: Sequence[int], brought: Mapping[str, int]) -> None:
        """Take over what a transaction made durable, how many letters each of its requests found, and how many came to each consumer by its batches."""
        self._kept.update(brought)
        self._requeued.update(brought)
        self._parked = self._parked[len(work.parked) :]
        self._answers = self._answers[len(work.answers) :]
        for request, count in zip(work.requeues, requeued, strict=True):
            self._requeued[request.consumer] += count

    def forget(self, consumer: str) -> None:
        """Give up a consumer's letters."""
        for counts in (self._kept, self._requeued):
            counts.pop(consumer, None)
        self._parked = [letter for letter in self._parked if letter.consumer != consumer]
        with suppress(KeyError):
            self._metrics.dead_letters.remove(consumer)
