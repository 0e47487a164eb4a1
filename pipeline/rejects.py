"""The last messages that weren't understood, kept in memory for `tidegate explain --last`.

Bounded twice: so many per rule, so that one noisy sender doesn't push the others' rejects out, and so many octets altogether, of which the
rule that holds most gives up its oldest.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from itertools import count
from typing import Final

from pipeline.model import Batch, Origin, Reject

OTHER: Final = "other"


@dataclass(frozen=True, slots=True)
class Rejected:
    """A message that wasn't understood, and who sent it.

    number:  counts up over all rejects, so that they can be put in order.
    """

    number: int
    origin: Origin
    reject: Reject


class Rejects:
    """The ring.

    Args:
        max_octets: of raw messages altogether.
        max_per_rule: messages kept for one rule.
        max_rules: rules kept apart; further ones share a place.
    """

    def __init__(self, *, max_octets: int = 8 << 20, max_per_rule: int = 64, max_rules: int = 256) -> None:
        self._max_octets, self._max_per_rule, self._max_rules = max_octets, max_per_rule, max_rules
        self._by_rule: Final[dict[str, deque[Rejected]]] = {}
        self._octets: Final[dict[str, int]] = {}
        self._numbers: Final = count(1)

    def add(self, batch: Batch) -> None:
        """Remember the rejects of a batch."""
        for reject in batch.rejects:
            self.keep(batch.origin, reject)

    def keep(self, origin: Origin, reject: Reject) -> None:
        """Remember one reject: of a message, or of a connection that never came to send one."""
        rule = reject.rule if reject.rule in self._by_rule or len(self._by_rule) < self._max_rules else OTHER
        ring = self._by_rule.setdefault(rule, deque())
        ring.append(Rejected(next(self._numbers), origin, reject))
        self._octets[rule] = self._octets.get(rule, 0) + len(reject.raw)
        if len(ring) > self._max_per_rule:
            self._forget_oldest(rule)
        while sum(self._octets.values()) > self._max_octets:
            self._forget_oldest(max(self._octets, key=self._octets.__getitem__))

    def _forget_oldest(self, rule: str) -> None:
        self._octets[rule] -= len(self._by_rule[rule].popleft().reject.raw)

    def last(self, limit: int, rule: str | None = None) -> tuple[Rejected, ...]:
        """The newest rejects, oldest of them first; of one rule, or of one rule's name before the colon, if named."""
        found = [kept for ring in self._by_rule.values() for kept in ring if rule in (None, kept.reject.rule, kept.reject.rule.partition(":")[0])]
        return tuple(sorted(found, key=lambda kept: kept.number)[-limit:]) if limit > 0 else ()
